"""What is answered: JSON, and the answers to mutations, once per idempotency key."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from functions.accounts_api.container import container
from functions.accounts_api.reads import Shown
from shared.application.confirmation import Confirmation
from shared.application.request import Request
from shared.application.writing import Draft
from shared.contracts.api.operations import operation_view
from shared.contracts.api.webview import ConfirmationView
from shared.domain.connection import Operation
from shared.entrypoints.headers import JSON
from shared.entrypoints.http import PROBLEM_JSON
from shared.entrypoints.idempotency import Answering

OPERATION_HEADERS = ("Location", "Retry-After")
"""Of an answer that an operation begins with."""


def answers(
    model: type[BaseModel], status: int = 200, *, says: str = "The answer.", headers: Sequence[str] = ()
) -> dict[int, Any]:
    """A documented answer of a route: a body of `model`, with `headers` that the document explains."""
    content = {JSON: {"model": model}}
    return {status: {"description": says, "content": content, "headers": {name: {} for name in headers}}}


def problems(status: int, *codes: str) -> dict[int, Any]:
    """The documented problems of a route under a status, beside those that each route may have."""
    examples = {code: {"$ref": f"#/components/examples/Problem-{status}-{code}"} for code in codes}
    return {status: {"description": "A problem.", "content": {PROBLEM_JSON: {"schema": {}, "examples": examples}}}}


def json_reply(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[Any]:
    return Response(status_code=status, content_type=JSON, body=body, headers=dict(headers or {}))


def shown_reply(shown: Shown) -> Response[Any]:
    content_type = JSON if shown.body is not None else None
    return Response(status_code=shown.status, content_type=content_type, body=shown.body, headers=dict(shown.headers))


def shown_id(body: str) -> str:
    """The id of what an answer shows. Of an answer that was kept for its key, the body is all that there is."""
    shown: str = json.loads(body)["id"]
    return shown


def answering() -> Answering:
    """Answers a mutation once per idempotency key."""
    return Answering(container().answer_store)


def accepted[**P](
    use_case: Callable[Concatenate[Request, P], Draft[Operation]], request: Request, *args: P.args, **kwargs: P.kwargs
) -> Response[Any]:
    """202 with the operation that `use_case(request, *args, **kwargs)` drafts, once per idempotency key."""

    def render(operation: Operation) -> tuple[int, str]:
        return 202, operation_view(operation, request.language).model_dump_json()

    status, body = answering().once(render, use_case, request, *args, **kwargs)
    return operation_reply(body, status)


def operation_reply(body: str, status: int = 202) -> Response[Any]:
    return json_reply(body, status, {"Location": f"/v1/operations/{shown_id(body)}", "Retry-After": "1"})


def rendered_confirmation(confirmation: Confirmation) -> tuple[int, str]:
    view = ConfirmationView(connection_id=confirmation.connection_id, confirmed=confirmation.confirmed)
    return 200 if confirmation.confirmed else 202, view.model_dump_json()


def done[**P](
    use_case: Callable[Concatenate[Request, P], Draft[Any]], request: Request, *args: P.args, **kwargs: P.kwargs
) -> Response[Any]:
    """204 when what `use_case(request, *args, **kwargs)` drafts is written, once per idempotency key."""
    status, _ = answering().once(lambda _: (204, ""), use_case, request, *args, **kwargs)
    return Response(status_code=status)
