"""Connections: the list, one of them, the selection of its accounts, its refresh and its end, and what it lacks."""

import hashlib
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import JSON, accepted, answers, json_reply
from functions.accounts_api.request import Flag, IdempotencyKey, IfMatch, IfNoneMatch, Text, editions_of, read_request
from shared.application.operations import require_edition
from shared.application.ports import Listed
from shared.contracts.api import (
    Around,
    ConnectionList,
    ConnectionView,
    EndConnectionRequest,
    OperationView,
    PreviewView,
    Problem,
    SelectionRequest,
    connection_view,
    entity_tag,
    manual_view,
    preview_view,
    shown_institution,
    wish_view,
)
from shared.contracts.institutions import TypeDiagnosesView, TypeDiagnosisView, type_diagnosis_view
from shared.contracts.texts import Language, institution_names
from shared.domain import ledger
from shared.domain.connection import AccountType, Connection
from shared.domain.diagnosis import diagnose
from shared.domain.errors import InvalidInput, NotFound
from shared.entrypoints.http import PROBLEM_JSON

_REVALIDATED = "private, no-cache"
"""The one answer that is kept, by its own screen, which asks each time whether it still holds (RFC 9111, 5.2.2).

A screen looks every few seconds: `no-store` would have the whole list sent again for each look.
"""

router = APIGatewayHttpRouter()


@router.get("/v1/connections", responses=answers(ConnectionList))
def list_connections(if_none_match: IfNoneMatch = None) -> Response[Any]:
    request = read_request(router.current_event)
    listed = container().connection_store.listed(request.user_id)
    around = Around.of(listed, container().clock())
    shown = ConnectionList(
        connections=tuple(_view(connection, around, request.language) for connection in listed.connections),
        manual_accounts=tuple(manual_view(account, around) for account in listed.manual_accounts),
        wishes=tuple(wish_view(wish) for wish in listed.wishes),
    )
    body = shown.model_dump_json()
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if if_none_match is not None and tag in [t.strip().removeprefix("W/") for t in if_none_match.split(",")]:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _REVALIDATED})
    return json_reply(body, headers={"ETag": tag, "Cache-Control": _REVALIDATED})


@router.get("/v1/connections/<connection_id>", responses=answers(ConnectionView))
def get_connection(connection_id: str) -> Response[Any]:
    request = read_request(router.current_event)
    listed = container().connection_store.listed(request.user_id)
    connection = _find(connection_id, listed)
    view = _view(connection, Around.of(listed, container().clock()), request.language)
    return json_reply(view.model_dump_json(), headers={"ETag": entity_tag(connection)})


@router.put(
    "/v1/connections/<connection_id>/selection", responses={**answers(PreviewView), **answers(OperationView, 202)}
)
def put_selection(
    connection_id: str,
    body: SelectionRequest,
    dry_run: Flag = False,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    request = read_request(router.current_event)
    editions = editions_of(if_match)
    if dry_run:
        connection = _find(connection_id, container().connection_store.listed(request.user_id))
        require_edition(connection, editions)
        wants = ledger.selection(connection, body.enabled_account_ids)
        return json_reply(preview_view(connection, ledger.preview(connection, wants)).model_dump_json())
    select = container().operations.select
    return accepted(select, request, connection_id, body.enabled_account_ids, editions=editions)


@router.delete("/v1/connections/<connection_id>", responses=answers(OperationView, 202))
def end_connection(
    connection_id: str,
    body: EndConnectionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return accepted(
        container().operations.end,
        read_request(router.current_event),
        connection_id,
        typed=body.confirm,
        names_if_unnamed=institution_names(""),
    )


@router.post("/v1/connections/<connection_id>/refresh", responses=answers(OperationView, 202))
def refresh_connection(
    connection_id: str,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    return accepted(container().operations.refresh, read_request(router.current_event), connection_id)


@router.get(
    "/v1/connections/<connection_id>/missing-accounts",
    responses={
        200: {
            "description": "the answer for the type, or for all of them",
            "content": {JSON: {"model": TypeDiagnosisView | TypeDiagnosesView}},
        },
        422: {"description": "a problem", "content": {PROBLEM_JSON: {"model": Problem}}},
    },
)
def explain_missing_accounts(connection_id: str, type: Text = None) -> Response[Any]:  # noqa: A002 - the parameter's name
    if type is not None and type not in list(AccountType):
        raise InvalidInput(f"no type {type}", code="unknown_account_type", field="type")
    request = read_request(router.current_event)
    listed = container().connection_store.listed(request.user_id)
    connection = _find(connection_id, listed)
    known = container().institutions.known(listed.connections)
    now = container().clock()
    name = shown_institution(connection, request.language)

    def explained(kind: AccountType) -> TypeDiagnosisView:
        return type_diagnosis_view(diagnose(connection, kind, now, known), kind, name, request.language)

    if type is not None:
        return json_reply(explained(AccountType(type)).model_dump_json())
    diagnoses = TypeDiagnosesView(connection_id=connection.id, diagnoses=tuple(explained(kind) for kind in AccountType))
    return json_reply(diagnoses.model_dump_json())


def _find(connection_id: str, listed: Listed) -> Connection:
    for connection in listed.connections:
        if connection.id == connection_id:
            return connection
    raise NotFound("no such connection", code="connection_not_found")


def _view(connection: Connection, around: Around, language: Language) -> ConnectionView:
    return connection_view(
        connection,
        now=container().clock(),
        around=around,
        language=language,
        public_url=container().settings.public_url,
    )
