"""Who asks, and whether they may: of an event of the HTTP API, payload 2.0, whose header names are in lower case."""

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from functions.accounts_api.container import container
from shared.application.request import Request
from shared.contracts.texts import Language, language_of
from shared.domain.errors import NoScope, NotSignedInLately, Unauthenticated
from shared.domain.users import has_scope, is_access_token, is_user_id, signed_in_at
from shared.entrypoints.headers import PUBLIC_PATHS, READING_METHODS
from shared.entrypoints.json_text import read_json, refuse_large
from shared.entrypoints.observability import trace

type Event = Mapping[str, Any]

# A UUID or a ULID: what else stands in an address, its sender made up.
_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}")


def request_of(event: Event) -> Request:
    """Without the key under which it was sent. Raises Unauthenticated for a token that names nobody."""
    return Request(
        user_id=_user_id(event),
        correlation_id=event["requestContext"]["requestId"],
        language=language(event),
        idempotency=None,
    )


def language(event: Event) -> Language:
    return language_of(header(event, "accept-language"))


def header(event: Event, name: str) -> str | None:
    value: str | None = event.get("headers", {}).get(name)
    return value


def admit(event: Event) -> None:
    """Whoever asks for more than the public routes has an access token that names a user.

    API Gateway's authorizer takes a token without `sub`, and ID tokens. Nor does a route that reads no body ignore a
    large one. Raises BodyTooLarge, Unauthenticated, NoScope, NotSignedInLately.
    """
    refuse_large(event.get("body") or "")
    if event["rawPath"] not in PUBLIC_PATHS:
        _user_id(event)
        declared_only = container().settings.access_tokens_only
        if not is_access_token(_token_header(event), _claims(event), declared_only=declared_only):
            raise Unauthenticated
        _granted(event)


def audit(event: Event, route: str, outcome: int | str) -> None:
    """The line that says who read or changed what is held of somebody: from where, and what came of it."""
    context = event["requestContext"]
    trace(
        f"{context['http']['method']} {route}",
        user_id=_named_user(event),
        about=" ".join(part for part in event["rawPath"].split("/") if _OURS.fullmatch(part)),
        source_ip=context["http"]["sourceIp"],
        correlation_id=context["requestId"],
        outcome=outcome,
    )


def _granted(event: Event) -> None:
    """Raises NoScope, NotSignedInLately."""
    settings, claims = container().settings, _claims(event)
    method = event["requestContext"]["http"]["method"]
    erases = method == "DELETE" and event["rawPath"] == "/v1/me"
    if (scopes := settings.token_scopes) is not None:
        reads = method in READING_METHODS
        if not has_scope(claims, scopes.erase if erases else scopes.read if reads else scopes.write):
            raise NoScope
    if erases and (minutes := settings.erasure_sign_in_within_minutes):
        at = signed_in_at(claims)
        if at is None or container().clock() - at > timedelta(minutes=minutes):
            raise NotSignedInLately


def _named_user(event: Event) -> str | None:
    """Whom the request's token names, if it names somebody."""
    subject = _claims(event).get("sub")
    return subject if is_user_id(subject) else None


def _user_id(event: Event) -> str:
    user_id = _named_user(event)
    if user_id is None:
        raise Unauthenticated
    return user_id


def _claims(event: Event) -> Mapping[str, Any]:
    authorizer = event["requestContext"].get("authorizer") or {}
    return (authorizer.get("jwt") or {}).get("claims") or {}


def _token_header(event: Event) -> Mapping[str, Any]:
    """The header of the token, which the authorizer has verified and passes on no word of."""
    head = (header(event, "authorization") or "").rpartition(" ")[2].partition(".")[0]
    try:
        read = read_json(base64.urlsafe_b64decode(head + "==").decode())
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
