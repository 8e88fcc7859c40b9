"""Connections: the list, one of them, the selection of its accounts, its refresh and its end, and what it lacks."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api import reads
from functions.accounts_api.container import container
from functions.accounts_api.reply import (
    OPERATION_HEADERS,
    accepted,
    answering,
    answers,
    done,
    json_reply,
    problems,
    rendered_confirmation,
    shown_reply,
)
from functions.accounts_api.request import (
    AccountTypeName,
    ConnectionId,
    DiagnosedType,
    DryRun,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    editions_of,
    read_request,
)
from shared.application.operations import require_edition
from shared.contracts.api.connections import (
    ConnectionConfirmationRequest,
    ConnectionView,
    EndConnectionRequest,
    PreviewView,
    SelectionRequest,
    preview_view,
    shown_institution,
)
from shared.contracts.api.institutions import (
    MissingAccountsView,
    TypeDiagnosesView,
    TypeDiagnosisView,
    type_diagnosis_view,
)
from shared.contracts.api.operations import OperationView
from shared.contracts.api.overview import ConnectionList
from shared.contracts.api.webview import ConfirmationView
from shared.contracts.texts import unnamed_institution_names
from shared.domain import ledger
from shared.domain.connection import AccountType
from shared.domain.diagnosis import diagnose
from shared.domain.errors import InvalidInput

router = APIGatewayHttpRouter()


@router.get(
    "/v1/connections",
    responses={
        **answers(ConnectionList, headers=["ETag"]),
        304: {"description": "Nothing has changed since `If-None-Match`.", "headers": {"ETag": {}}},
    },
)
def list_connections(if_none_match: IfNoneMatch = None) -> Response[Any]:
    """List everything that the user has.

    All connections with their accounts, the manual accounts, and the wishes, as one answer. A user who has just changed
    something sees it here next.
    """
    return shown_reply(reads.list_connections(read_request(router.current_event), if_none_match))


@router.get(
    "/v1/connections/<connection_id>",
    responses={**answers(ConnectionView, headers=["ETag"]), **problems(404, "connection_not_found")},
)
def get_connection(connection_id: ConnectionId) -> Response[Any]:
    """Show a connection with its accounts.

    Its `ETag` is for `If-Match` of a selection.
    """
    return shown_reply(reads.get_connection(read_request(router.current_event), connection_id))


@router.put(
    "/v1/connections/<connection_id>/selection",
    responses={
        **answers(PreviewView, says="With `dry_run`: what would change."),
        **answers(OperationView, 202, says="The operation that carries it out.", headers=OPERATION_HEADERS),
        **problems(404, "connection_not_found"),
        **problems(409, "connection_removed", "too_many_open_operations"),
        **problems(422, "unknown_account", "account_closed_at_bank"),
    },
)
def select_accounts(
    connection_id: ConnectionId,
    body: SelectionRequest,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Choose which accounts of a connection are synchronised.

    The choice is written down at once and carried out at Powens by an operation, which can be undone for a while.
    Powens deletes the history of accounts that are disabled. With `dry_run`, it is the preview.
    """
    if dry_run:
        return preview_selection(connection_id, body, if_match)
    request = read_request(router.current_event)
    select = container().operations.select
    return accepted(select, request, connection_id, body.enabled_account_ids, editions=editions_of(if_match))


@router.post(
    "/v1/connections/<connection_id>/selection/preview",
    responses={
        **answers(PreviewView, says="What would change."),
        **problems(404, "connection_not_found"),
        **problems(422, "unknown_account", "account_closed_at_bank"),
    },
)
def preview_selection(connection_id: ConnectionId, body: SelectionRequest, if_match: IfMatch = None) -> Response[Any]:
    """Say what a choice would change.

    Nothing is written, and Powens is not asked.
    """
    request = read_request(router.current_event)
    connection = reads.find_connection(connection_id, container().connection_store.listed(request.user_id))
    require_edition(connection, editions_of(if_match))
    wants = ledger.selection(connection, body.enabled_account_ids)
    return json_reply(preview_view(connection, ledger.preview(connection, wants)).model_dump_json())


@router.delete(
    "/v1/connections/<connection_id>",
    responses={
        **answers(OperationView, 202, says="The operation that ends it.", headers=OPERATION_HEADERS),
        **problems(404, "connection_not_found"),
        **problems(409, "connection_removed"),
        **problems(422, "confirmation_mismatch"),
    },
)
def end_connection(
    connection_id: ConnectionId,
    body: EndConnectionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """End a connection.

    Powens deletes it with all of its accounts and their history. It cannot be undone, so the user types the
    institution's name to confirm.
    """
    return accepted(
        container().operations.end,
        read_request(router.current_event),
        connection_id,
        typed=body.confirm,
        names_if_unnamed=unnamed_institution_names(),
    )


@router.post(
    "/v1/connections/<connection_id>/confirmation",
    responses={
        **answers(ConfirmationView, says="The connection is the user's, and shows soon."),
        **problems(404, "connection_not_found"),
        **problems(409, "confirmation_over"),
        **problems(422, "account_mismatch"),
        **problems(502, "forbidden_by_powens", "powens_user_gone"),
        **problems(503, "powens_unavailable", "powens_busy", "secrets_unavailable", "key_service_unavailable"),
    },
)
def confirm_connection(
    connection_id: ConnectionId,
    body: ConnectionConfirmationRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Confirm a new connection by one of its accounts.

    For a user who has connected an institution and not come back from the Powens space to the app. The third wrong
    answer ends the connection.
    """
    request = read_request(router.current_event)
    by_account = container().confirm_connections.by_account
    status, answer = answering().once(rendered_confirmation, by_account, request, connection_id, body.iban_last4)
    return json_reply(answer, status)


@router.delete(
    "/v1/connections/<connection_id>/confirmation",
    responses={
        204: {"description": "It is being ended."},
        **problems(404, "connection_not_found"),
        **problems(409, "already_confirmed"),
    },
)
def deny_connection(
    connection_id: ConnectionId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Deny a new connection.

    The user did not make it: it is ended at Powens, and nothing of it was kept.
    """
    return done(container().confirm_connections.deny, read_request(router.current_event), connection_id)


@router.post(
    "/v1/connections/<connection_id>/refresh",
    responses={
        **answers(OperationView, 202, says="The operation that refreshes it.", headers=OPERATION_HEADERS),
        **problems(404, "connection_not_found"),
        **problems(409, "connection_removed"),
    },
)
def refresh_connection(
    connection_id: ConnectionId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Ask for fresh data of a connection.

    Powens fetches data every day by itself and may decline to do so earlier: the operation says so when it ends.
    """
    return accepted(container().operations.refresh, read_request(router.current_event), connection_id)


@router.get(
    "/v1/connections/<connection_id>/diagnoses",
    responses={**answers(TypeDiagnosesView), **problems(404, "connection_not_found")},
)
def list_diagnoses(connection_id: ConnectionId) -> Response[Any]:
    """Explain of each type why accounts of it are missing.

    Whether the institution gives such accounts, why none shows, and what to do.
    """
    explained = _diagnoses(connection_id)
    diagnoses = TypeDiagnosesView(connection_id=connection_id, diagnoses=tuple(explained(kind) for kind in AccountType))
    return json_reply(diagnoses.model_dump_json())


@router.get(
    "/v1/connections/<connection_id>/diagnoses/<type>",
    responses={
        **answers(TypeDiagnosisView),
        **problems(404, "connection_not_found"),
        **problems(422, "unknown_account_type"),
    },
)
def get_diagnosis(connection_id: ConnectionId, type: DiagnosedType) -> Response[Any]:  # noqa: A002 - the parameter's name
    """Explain why accounts of a type are missing.

    Whether the institution gives such accounts, why none shows, and what to do.
    """
    if type not in list(AccountType):
        raise InvalidInput(f"no type {type}", code="unknown_account_type", field="type")
    return json_reply(_diagnoses(connection_id)(AccountType(type)).model_dump_json())


@router.get(
    "/v1/connections/<connection_id>/missing-accounts",
    deprecated=True,
    responses={
        **answers(MissingAccountsView, says="The answer for the type, or for all of them."),
        **problems(404, "connection_not_found"),
        **problems(422, "unknown_account_type"),
    },
)
def explain_missing_accounts(
    connection_id: ConnectionId,
    type: AccountTypeName = None,  # noqa: A002 - the parameter's name
) -> Response[Any]:
    """Explain why accounts are missing, of one type or of each.

    The older way to ask for a diagnosis, or for all of them: its two kinds of answers have routes of their own.
    """
    return list_diagnoses(connection_id) if type is None else get_diagnosis(connection_id, type)


def _diagnoses(connection_id: str) -> Callable[[AccountType], TypeDiagnosisView]:
    """Explains of a type what is known now of the user's connection."""
    request = read_request(router.current_event)
    listed = container().connection_store.listed(request.user_id)
    connection = reads.find_connection(connection_id, listed)
    known = container().institutions.known(listed.connections)
    now = container().clock()
    name = shown_institution(connection, request.language)

    def explained(kind: AccountType) -> TypeDiagnosisView:
        return type_diagnosis_view(diagnose(connection, kind, now, known), kind, name, request.language)

    return explained
