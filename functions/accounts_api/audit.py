"""One line for each request that reads or changes what is held of somebody: who, what, from where, what came of it."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from functions.accounts_api.caller import admit, audit
from shared.domain.errors import AppError
from shared.entrypoints.headers import PUBLIC_PATHS

_NOBODYS = frozenset({"/health", "/v1/openapi.json"})


def admitted_and_audited(app: APIGatewayHttpResolver, following: NextMiddleware) -> Response[Any]:
    """A middleware, around all others: who may come in, and the line that says what came of it.

    Raises what `admit` does, and what has kept the short way past the routes from an answer.
    """
    event = app.current_event
    if event.path in _NOBODYS:
        admit(event.raw_event)
        return following(app)
    route: Route = app.context["_route"]
    # What the resolver takes for the route of an unknown path declares no answers, and has that path.
    known = route.responses is not None or event.path in PUBLIC_PATHS
    outcome: int | str = "internal_error"
    try:
        admit(event.raw_event)
        if (failure := app.context.get("failure")) is not None:
            raise failure
        answer: Response[Any] = following(app)
        outcome = answer.status_code
        return answer
    except AppError as refusal:
        outcome = refusal.code
        raise
    finally:
        audit(event.raw_event, route.path if known else "unknown", outcome)
