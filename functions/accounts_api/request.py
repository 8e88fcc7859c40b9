"""What is read from a request: who asks, for what and under which key, and the parameters that several routes have."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from functions.accounts_api.container import container
from shared.application.request import Idempotency, Request
from shared.contracts.texts import Language, language_of
from shared.domain.errors import NoScope, NotSignedInLately, Unauthenticated
from shared.domain.users import has_scope, is_access_token, is_user_id, signed_in_at
from shared.entrypoints.http import PUBLIC_PATHS, READING_METHODS, read_json, refuse_large

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

LARGEST_PAGE = 100

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 128 visible ASCII characters. The same request under the same key is answered the same for a "
        "day, and carried out once.",
    ),
]
"""Declared by every mutation for the OpenAPI document; `read_request` reads it."""
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `ETag` of the connection that the choice was made on, several, or `*`. "
        "Anything else matches nothing.",
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The `ETag` of the answer that the client has.")
]
DryRun = Annotated[
    bool, Query(deprecated=True, description="Only say what would change: the older way to ask for the preview.")
]
PageSize = Annotated[int, Query(description=f"How many at the most: 1 to {LARGEST_PAGE}.")]
Search = Annotated[str | None, Query(max_length=200, description="A part of the name, as a keyboard types it.")]
AccountTypeName = Annotated[
    str | None, Query(max_length=200, description="A type of account. Without it, all types are answered.")
]
DiagnosedType = Annotated[str, Path(description="A type of account.")]
OfConnection = Annotated[
    str | None, Query(max_length=200, description="Only what is about this connection. Without it, everything is.")
]
Cursor = Annotated[
    str | None, Query(max_length=200, description="The `next` of the page before. Without it, the first page.")
]
ExportCursor = Annotated[
    str | None, Query(max_length=2000, description="The `next` of the page before. Without it, the first page.")
]

ConnectionId = Annotated[str, Path(description="The `id` of a connection.")]
AccountId = Annotated[str, Path(description="The `id` of an account.")]
SuggestedId = Annotated[str, Path(description="The `account_id` of one of the `link_suggestions`.")]
OperationId = Annotated[str, Path(description="The `id` of an operation.")]
WishId = Annotated[str, Path(description="The `id` of a wish.")]
InstitutionId = Annotated[str, Path(description="The `id` of an institution.")]

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def read_request(event: "APIGatewayProxyEventV2") -> Request:
    """Raises Unauthenticated for a token that names nobody."""
    return Request(
        user_id=_user_id(event),
        correlation_id=event.request_context.request_id,
        language=read_language(event),
        idempotency=_idempotency(event),
    )


def admit(event: "APIGatewayProxyEventV2") -> None:
    """Whoever asks for more than the public routes has an access token that names a user.

    API Gateway's authorizer takes a token without `sub`, and ID tokens. Nor does a route that reads no body ignore a
    large one. Raises BodyTooLarge, Unauthenticated, NoScope, NotSignedInLately.
    """
    refuse_large(event.body or "")
    if event.path not in PUBLIC_PATHS:
        _user_id(event)
        claims = event.request_context.authorizer.jwt_claim or {}
        declared_only = container().settings.access_tokens_only
        if not is_access_token(_token_header(event), claims, declared_only=declared_only):
            raise Unauthenticated
        _granted(event, claims)


def _granted(event: "APIGatewayProxyEventV2", claims: Mapping[str, Any]) -> None:
    """Raises NoScope, NotSignedInLately."""
    settings = container().settings
    erases = event.http_method == "DELETE" and event.path == "/v1/me"
    if (scopes := settings.token_scopes) is not None:
        reads = event.http_method in READING_METHODS
        if not has_scope(claims, scopes.erase if erases else scopes.read if reads else scopes.write):
            raise NoScope
    if erases and (minutes := settings.erasure_sign_in_within_minutes):
        at = signed_in_at(claims)
        if at is None or container().clock() - at > timedelta(minutes=minutes):
            raise NotSignedInLately


def _token_header(event: "APIGatewayProxyEventV2") -> dict[str, Any]:
    """The header of the token, which the authorizer has verified and passes on no word of."""
    head = event.headers.get("authorization", "").rpartition(" ")[2].partition(".")[0]
    try:
        header = read_json(base64.urlsafe_b64decode(head + "==").decode())
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def named_user(event: "APIGatewayProxyEventV2") -> str | None:
    """Whom the request's token names, if it names somebody."""
    subject = (event.request_context.authorizer.jwt_claim or {}).get("sub")
    return subject if is_user_id(subject) else None


def _user_id(event: "APIGatewayProxyEventV2") -> str:
    user_id = named_user(event)
    if user_id is None:
        raise Unauthenticated
    return user_id


def read_language(event: "APIGatewayProxyEventV2") -> Language:
    return language_of(event.headers.get("accept-language"))


def editions_of(if_match: str | None) -> frozenset[str] | None:
    """The editions of a connection that `If-Match` (RFC 9110) allows to change; None: any, empty: what is no tag.

    A weak tag counts like the strong one: gateways that compress an answer weaken its tag on the way.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    unread = _ENTITY_TAG.sub("", if_match).strip(", \t")
    return frozenset() if unread else frozenset(_ENTITY_TAG.findall(if_match))


def _idempotency(event: "APIGatewayProxyEventV2") -> Idempotency | None:
    key = event.headers.get("idempotency-key")
    if key is None or event.http_method in READING_METHODS:
        return None
    return Idempotency(key=key, fingerprint=_fingerprint(event))


def _fingerprint(event: "APIGatewayProxyEventV2") -> str:
    raw: dict[str, Any] = event.raw_event
    query = raw.get("rawQueryString", "")
    try:
        # The order of its members does not make another request.
        canonical = json.dumps(read_json(event.body or "null"), sort_keys=True)
    except json.JSONDecodeError:
        canonical = event.body or ""  # of a route that takes no body and so did not look at this one
    request = f"{event.http_method}\n{event.path}\n{query}\n{canonical}"
    return hashlib.sha256(request.encode(errors="backslashreplace")).hexdigest()
