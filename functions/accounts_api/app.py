"""The HTTP API: queries, and the recording of what a user asks for. Trigger: HTTP API; the user is the token's `sub`.

A query is one DynamoDB Query. A mutation is answered once it is written down, together with the command that will carry
it out; nothing here waits for Powens but the opening of its Webview.

The reads that a screen waits for are answered without the routes, whose machinery is most of a cold start (ADR 0048).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.accounts_api import reads
from functions.accounts_api.caller import admit, audit, header, request_of
from functions.accounts_api.container import container
from functions.accounts_api.reads import Shown
from shared.application.request import Request
from shared.entrypoints.headers import JSON, secured
from shared.entrypoints.observability import logged, logger

_ONE = re.compile(r"/v1/(connections|operations)/([0-9A-Za-z-]+)")


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(correlation_id=event["requestContext"]["requestId"])
    if event.get("rawPath") != "/health":
        container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    failure = None
    if (short := _short_way(event)) is not None:
        route, read = short
        try:
            admit(event)
            answer = _answer(read(request_of(event)))
        except Exception as error:  # noqa: BLE001 - the routes say what it means
            failure = error
        else:
            audit(event, route, answer["statusCode"])
            return secured(answer)
    # Only who needs the routes pays for them.
    from functions.accounts_api.routes import app  # noqa: PLC0415
    from shared.entrypoints.http import json_only  # noqa: PLC0415

    app.append_context(failure=failure)
    return secured(app.resolve(json_only(event), context))


def _answer(shown: Shown) -> dict[str, Any]:
    """As the routes would give it."""
    headers = {"Content-Type": JSON, **shown.headers} if shown.body is not None else shown.headers
    return {"statusCode": shown.status, "body": shown.body, "isBase64Encoded": False, "headers": headers, "cookies": []}


def _short_way(event: dict[str, Any]) -> tuple[str, Callable[[Request], Shown]] | None:
    """The route of the plain request for one of `reads`, and what answers it; None for anything else."""
    context, path = event["requestContext"], event["rawPath"]
    if context["http"]["method"] != "GET" or context["stage"] != "$default" or event.get("body"):
        return None
    if path == "/v1/connections":
        return path, partial(reads.list_connections, if_none_match=header(event, "if-none-match"))
    one = _ONE.fullmatch(path)
    if one is None:
        return None
    if one[1] == "connections":
        return "/v1/connections/<connection_id>", partial(reads.get_connection, connection_id=one[2])
    return "/v1/operations/<operation_id>", partial(reads.get_operation, operation_id=one[2])
