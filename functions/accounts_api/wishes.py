"""Wishes to hear when an institution gives a type of account."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import answering, answers, done, json_reply, problems
from functions.accounts_api.request import IdempotencyKey, WishId, read_request
from shared.application.wishes import RecordedWish
from shared.contracts.api.wishes import WishRequest, WishView, wish_view

router = APIGatewayHttpRouter()


@router.post(
    "/v1/wishes",
    responses={
        **answers(WishView, says="The wish, which was there already."),
        **answers(WishView, 201, says="The new wish."),
        **problems(409, "too_many_wishes"),
        **problems(422, "unknown_institution"),
    },
)
def add_wish(
    body: WishRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Ask to hear when an institution gives a type of account.

    The wish shows in the list, and an event says once that the type has come. At most 50.
    """
    request = read_request(router.current_event)

    def render(recorded: RecordedWish) -> tuple[int, str]:
        return 201 if recorded.is_new else 200, wish_view(recorded.wish).model_dump_json()

    status, answer = answering().once(render, container().wishes.add, request, body.institution_id, body.type)
    return json_reply(answer, status)


@router.delete(
    "/v1/wishes/<wish_id>",
    responses={204: {"description": "No longer wished, or read."}, **problems(404, "wish_not_found")},
)
def dismiss_wish(
    wish_id: WishId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001
) -> Response[Any]:
    """Dismiss a wish.

    Before its type has come, or once the user has read that it has.
    """
    return done(container().wishes.dismiss, read_request(router.current_event), wish_id)
