"""All that is held about a user: the history, the export and the erasure."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reads import ERASURE_RETRY_AFTER
from functions.accounts_api.reply import (
    OPERATION_HEADERS,
    answering,
    answers,
    json_reply,
    problems,
    shown_id,
)
from functions.accounts_api.request import Cursor, ExportCursor, IdempotencyKey, OfConnection, read_request
from shared.contracts.api.me import ExportView, HistoryView, export_view, history_entry_view
from shared.contracts.api.operations import OperationView, erasure_view
from shared.domain.erasure import Erasure

HISTORY_PAGE = 50

router = APIGatewayHttpRouter()


@router.get("/v1/history", responses={**answers(HistoryView), **problems(422, "invalid_cursor")})
def list_history(connection_id: OfConnection = None, cursor: Cursor = None) -> Response[Any]:
    """List what has happened, the newest first.

    What other services heard of the user's connections and accounts, at most 50 entries a page. A page may be short, or
    empty, and not be the last: go on until `next` is null.
    """
    user_id = read_request(router.current_event).user_id
    entries, following = container().history_store.history(
        user_id, connection_id=connection_id, cursor=cursor, limit=HISTORY_PAGE
    )
    history = HistoryView(entries=tuple(history_entry_view(entry) for entry in entries), next=following)
    return json_reply(history.model_dump_json())


@router.get(
    "/v1/me/export",
    responses={**answers(ExportView, headers=["Content-Disposition"]), **problems(422, "invalid_cursor")},
)
def export_me(cursor: ExportCursor = None) -> Response[Any]:
    """Export everything that is held about the user.

    As it is stored, in pages of at most a megabyte (GDPR, articles 15 and 20).
    """
    user_id = read_request(router.current_event).user_id
    items, following = container().export_store.export(user_id, cursor=cursor)
    exported = export_view(user_id, items, following, container().clock())
    headers = {"Content-Disposition": 'attachment; filename="synced-accounts.json"'}
    return json_reply(exported.model_dump_json(), headers=headers)


@router.delete(
    "/v1/me",
    responses={
        **answers(OperationView, 202, says="The erasure, as an operation.", headers=OPERATION_HEADERS),
        **problems(401, "recent_sign_in_required"),
    },
)
def erase_me(
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Erase the user.

    Everything that is held, here and at Powens (GDPR, article 17). It cannot be undone. The operation stays as a
    receipt that names nobody. A deployment may ask for a user who has just signed in (`auth_time`).
    """
    request = read_request(router.current_event)

    def render(erasure: Erasure) -> tuple[int, str]:
        return 202, erasure_view(erasure).model_dump_json()

    status, body = answering().once(render, container().begin_erasure.run, request)
    location = f"/v1/operations/{shown_id(body)}"
    return json_reply(body, status, {"Location": location, "Retry-After": ERASURE_RETRY_AFTER})
