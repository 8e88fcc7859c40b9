"""Operations, which every mutation of a connection answers with; an erasure is looked at like one."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import ERASURE_RETRY_AFTER, OPERATION_HEADERS, accepted, answers, json_reply, problems
from functions.accounts_api.request import IdempotencyKey, OperationId, read_request
from shared.application.request import Request
from shared.contracts.api.operations import OperationView, erasure_view, operation_view
from shared.domain.errors import NotFound

router = APIGatewayHttpRouter()


@router.get(
    "/v1/operations/<operation_id>",
    responses={**answers(OperationView, headers=["Retry-After"]), **problems(404, "operation_not_found")},
)
def get_operation(operation_id: OperationId) -> Response[Any]:
    """Show how far an operation is.

    While it is open the answer has `Retry-After`: look again after so many seconds.
    """
    request = read_request(router.current_event)
    operation = container().operation_store.operation(request.user_id, operation_id)
    if operation is None:
        return _erasure(request, operation_id)
    headers = {"Retry-After": "1"} if operation.open else {}
    return json_reply(operation_view(operation, request.language).model_dump_json(), headers=headers)


def _erasure(request: Request, erasure_id: str) -> Response[Any]:
    erasure = container().erasure_store.erasure(request.user_id, erasure_id)
    if erasure is None:
        raise NotFound("no such operation", code="operation_not_found")
    headers = {"Retry-After": ERASURE_RETRY_AFTER} if erasure.ended_at is None else {}
    return json_reply(erasure_view(erasure).model_dump_json(), headers=headers)


@router.post(
    "/v1/operations/<operation_id>/undo",
    responses={
        **answers(OperationView, 202, says="The operation that undoes it.", headers=OPERATION_HEADERS),
        **problems(404, "operation_not_found"),
        **problems(409, "not_undoable", "undo_expired", "connection_removed", "too_many_open_operations"),
        **problems(422, "account_closed_at_bank"),
    },
)
def undo_operation(
    operation_id: OperationId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Undo a selection.

    Until `undo_until`: its accounts become what they were before, through another operation.
    """
    return accepted(container().operations.undo, read_request(router.current_event), operation_id)
