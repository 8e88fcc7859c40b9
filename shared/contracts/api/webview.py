"""Visits to the Powens Webview in the HTTP API."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.api.bodies import Accepted, Answered, Url
from shared.contracts.events import Timestamp


class WebviewSessionRequest(Accepted):
    """What the user is going to do in the Powens space."""

    flow: Literal["connect", "manage", "reconnect"]
    """`connect` adds an institution, `manage` changes a connection's accounts, `reconnect` restores a connection."""
    return_to: Annotated[str, Field(min_length=1, max_length=2000)]
    """Where to lead the user afterwards: an address that is on our list."""
    connection_id: str | None = None
    """The connection, required for `reconnect` and not allowed for `connect`."""
    language: Literal["fr", "en"] | None = None
    """Of the Powens space; that of the request when absent."""


class WebviewConfirmationRequest(Accepted):
    """Shows that the person who came back from the Powens space is who opened the visit."""

    return_code: Annotated[str, Field(min_length=1, max_length=200)]
    """The parameter `return_code` of the address that the browser or the app came back to."""


class ConfirmationView(Answered):
    """How far a confirmation is."""

    connection_id: str
    """The connection that it is about."""
    confirmed: bool
    """False while the connection has not been read: ask again after `Retry-After` seconds."""


class PendingConfirmationView(ConfirmationView):
    """A confirmation of a connection that has not been read yet."""


class WebviewSessionView(Answered):
    """The way into the Powens space."""

    url: Url
    """Where to send the browser, once. It is a secret: whoever has it acts as the user."""
    expires_at: Timestamp
    """Until when it can be used."""
