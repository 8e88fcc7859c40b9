"""The reads that a screen waits for, for the routes and for the short way past them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.accounts_api.container import container
from shared.application.ports import Listed
from shared.application.request import Request
from shared.contracts.api.accounts import AccountRelations
from shared.contracts.api.connections import connection_view, entity_tag
from shared.contracts.api.operations import erasure_view, operation_view
from shared.contracts.api.overview import connection_list
from shared.domain.connection import Connection
from shared.domain.errors import NotFound

_REVALIDATED = "private, no-cache"
"""The one answer that is kept, by its own screen, which asks each time whether it still holds (RFC 9111, 5.2.2).

A screen looks every few seconds: `no-store` would have the whole list sent again for each look.
"""
ERASURE_RETRY_AFTER = "5"
"""Seconds between two looks at an erasure that is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """`body` is JSON; None where there is none."""

    body: str | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def list_connections(request: Request, if_none_match: str | None) -> Shown:
    """304 without a body when `if_none_match` has the list's tag."""
    listed = container().connection_store.listed(request.user_id)
    shown = connection_list(
        listed,
        now=container().clock(),
        language=request.language,
        public_url=container().settings.public_url,
    )
    body = shown.model_dump_json()
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _REVALIDATED}
    if if_none_match is not None and tag in [t.strip().removeprefix("W/") for t in if_none_match.split(",")]:
        return Shown(body=None, status=304, headers=headers)
    return Shown(body=body, headers=headers)


def get_connection(request: Request, connection_id: str) -> Shown:
    """Raises NotFound."""
    listed = container().connection_store.listed(request.user_id)
    connection = find_connection(connection_id, listed)
    now = container().clock()
    view = connection_view(
        connection,
        now=now,
        relations=AccountRelations.of(listed, now),
        language=request.language,
        public_url=container().settings.public_url,
    )
    return Shown(body=view.model_dump_json(), headers={"ETag": entity_tag(connection)})


def find_connection(connection_id: str, listed: Listed) -> Connection:
    """Raises NotFound."""
    for connection in listed.connections:
        if connection.id == connection_id:
            return connection
    raise NotFound("no such connection", code="connection_not_found")


def get_operation(request: Request, operation_id: str) -> Shown:
    """Raises NotFound."""
    operation = container().operation_store.operation(request.user_id, operation_id)
    if operation is None:
        return _erasure(request, operation_id)
    headers = {"Retry-After": "1"} if operation.open else {}
    return Shown(body=operation_view(operation, request.language).model_dump_json(), headers=headers)


def _erasure(request: Request, erasure_id: str) -> Shown:
    erasure = container().erasure_store.erasure(request.user_id, erasure_id)
    if erasure is None:
        raise NotFound("no such operation", code="operation_not_found")
    headers = {"Retry-After": ERASURE_RETRY_AFTER} if erasure.ended_at is None else {}
    return Shown(body=erasure_view(erasure).model_dump_json(), headers=headers)
