"""Visits to the Powens Webview in the HTTP API."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.api.bodies import Accepted, Answered
from shared.contracts.events import Timestamp


class WebviewSessionRequest(Accepted):
    flow: Literal["connect", "manage", "reconnect"]
    return_to: Annotated[str, Field(min_length=1, max_length=2000)]
    connection_id: str | None = None
    language: Literal["fr", "en"] | None = None


class WebviewSessionView(Answered):
    url: str
    expires_at: Timestamp
