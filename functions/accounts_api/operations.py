"""Operations, which every mutation of a connection answers with; an erasure is looked at like one."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api import reads
from functions.accounts_api.container import container
from functions.accounts_api.reply import OPERATION_HEADERS, accepted, answers, problems, shown_reply
from functions.accounts_api.request import IdempotencyKey, OperationId, read_request
from shared.contracts.api.operations import OperationView

router = APIGatewayHttpRouter()


@router.get(
    "/v1/operations/<operation_id>",
    responses={**answers(OperationView, headers=["Retry-After"]), **problems(404, "operation_not_found")},
)
def get_operation(operation_id: OperationId) -> Response[Any]:
    """Show how far an operation is.

    While it is open the answer has `Retry-After`: look again after so many seconds.
    """
    return shown_reply(reads.get_operation(read_request(router.current_event), operation_id))


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
