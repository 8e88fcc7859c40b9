"""Visits to the Powens Webview: the way there, and the way back."""

from base64 import b64decode, b64encode
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from functions.accounts_api.container import container
from functions.accounts_api.reply import answering, answers, json_reply, problems, rendered_confirmation
from functions.accounts_api.request import IdempotencyKey, read_language, read_request
from shared.application.webview import Visit
from shared.contracts.api.webview import (
    ConfirmationView,
    PendingConfirmationView,
    WebviewConfirmationRequest,
    WebviewSessionRequest,
    WebviewSessionView,
)
from shared.domain.errors import AppError
from shared.entrypoints.http import page
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logger

router = APIGatewayHttpRouter()


@router.post(
    "/v1/webview-sessions",
    responses={
        **answers(WebviewSessionView, 201),
        **problems(404, "connection_not_found"),
        **problems(422, "return_to_not_allowed", "connection_required", "not_for_connect"),
        **problems(502, "forbidden_by_powens", "not_found_at_powens", "powens_user_gone"),
        **problems(
            503,
            "powens_unavailable",
            "powens_busy",
            "connection_locked",
            "user_being_created",
            "secrets_unavailable",
            "key_service_unavailable",
        ),
    },
)
def open_webview(
    body: WebviewSessionRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Open the Powens space.

    Where a user connects an institution and ticks accounts. Send the browser to `url`, which can be used once; it comes
    back to `return_to`, and `result` in the query says `done`, `cancelled` or `failed` once that has been noted. A
    `return_code` beside it confirms a new connection.
    """
    request = read_request(router.current_event)
    user_id = request.user_id

    def render(visit: Visit) -> tuple[int, str]:
        return 201, WebviewSessionView(url=visit.url, expires_at=visit.expires_at).model_dump_json()

    # The address holds a code that opens the user's Powens space: it is kept sealed, or not at all.
    sealed = replace(
        answering(),
        seal=lambda text: b64encode(container().seal.seal(user_id, text)).decode(),
        unseal=lambda text: container().seal.unseal(user_id, b64decode(text)),
    )
    status, answer = sealed.once(
        render,
        container().open_webview.run,
        request,
        flow=body.flow,
        connection_id=body.connection_id,
        language=body.language,
        return_to=body.return_to,
    )
    return json_reply(answer, status)


@router.post(
    "/v1/webview-confirmations",
    responses={
        **answers(ConfirmationView, says="The connection is the user's, and shows soon."),
        **answers(PendingConfirmationView, 202, says="It has not been read yet.", headers=["Retry-After"]),
        **problems(404, "return_code_not_found", "visit_of_another_user", "connection_not_found"),
        **problems(409, "confirmation_over"),
    },
)
def confirm_webview(
    body: WebviewConfirmationRequest,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - in `request`; here for the OpenAPI document
) -> Response[Any]:
    """Confirm a new connection.

    Who comes back from the Powens space after connecting an institution brings a `return_code`: send it with the token
    of whoever is signed in there. A connection that nobody confirms in time is ended, as is one whose visit another
    user had opened.
    """
    request = read_request(router.current_event)
    by_return = container().confirm_connections.by_return
    status, answer = answering().once(rendered_confirmation, by_return, request, body.return_code)
    return json_reply(answer, status, {"Retry-After": "1"} if status == HTTPStatus.ACCEPTED else {})


@router.get("/v1/webview-return", include_in_schema=False)
def return_from_webview() -> Response[Any]:
    """Where Powens sends the browser. No parameter is declared: a person is never shown why one is refused."""
    event = router.current_event
    # Without the empty ones: `error=` says that there is none.
    query = parse_qs(event.raw_event.get("rawQueryString", ""))
    address = container().return_from_webview.run(
        query.get("state", ()),
        error=next(iter(query.get("error", ())), None),
        named=(*query.get("connection_id", ()), *query.get("connection_ids", ())),
        correlation_id=event.request_context.request_id,
        missed=_missed,
    )
    if address is None:
        return page("webview_return", read_language(event))
    return Response(
        status_code=303,
        headers={"Location": address, "Referrer-Policy": "no-referrer"},
    )


def _missed(error: AppError) -> None:
    count(Metric.FAILED_REQUESTS)
    logger.warning("the return of a visit was not noted", extra={"code": error.code, "kind": type(error).__name__})
