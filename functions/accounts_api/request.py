"""What is read from a request: who asks, for what and under which key, and the parameters that several routes have."""

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from functions.accounts_api.caller import language, request_of
from shared.application.request import Idempotency, Request
from shared.contracts.texts import Language
from shared.entrypoints.headers import READING_METHODS
from shared.entrypoints.json_text import read_json

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
    return replace(request_of(event.raw_event), idempotency=_idempotency(event))


def read_language(event: "APIGatewayProxyEventV2") -> Language:
    return language(event.raw_event)


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
