"""One line for each request that reads or changes what is held of somebody: who, what, from where, what came of it."""

import re
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from functions.accounts_api.request import admit, named_user
from shared.domain.errors import AppError
from shared.entrypoints.http import PUBLIC_PATHS
from shared.entrypoints.observability import trace

_NOBODYS = frozenset({"/health", "/v1/openapi.json"})
# A UUID or a ULID: what else stands in an address, its sender made up.
_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25}")


def admitted_and_audited(app: APIGatewayHttpResolver, following: NextMiddleware) -> Response[Any]:
    """A middleware, around all others: who may come in, and the line that says what came of it.

    Raises what `admit` does.
    """
    event = app.current_event
    if event.path in _NOBODYS:
        admit(event)
        return following(app)
    route: Route = app.context["_route"]
    # What the resolver takes for the route of an unknown path declares no answers, and has that path.
    known = route.responses is not None or event.path in PUBLIC_PATHS
    note = partial(
        trace,
        f"{event.http_method} {route.path if known else 'unknown'}",
        user_id=named_user(event),
        about=" ".join(part for part in event.path.split("/") if _OURS.fullmatch(part)),
        source_ip=event.request_context.http.source_ip,
        correlation_id=event.request_context.request_id,
    )
    outcome: int | str = "internal_error"
    try:
        admit(event)
        answer: Response[Any] = following(app)
        outcome = answer.status_code
        return answer
    except AppError as refusal:
        outcome = refusal.code
        raise
    finally:
        note(outcome=outcome)
