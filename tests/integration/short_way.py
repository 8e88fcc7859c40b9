"""The short way past the routes answers as the routes do: the same request in the same state, answered both ways."""

import io
import json
from typing import Any

import pytest

from functions.accounts_api.app import _short_way
from functions.accounts_api.container import container
from functions.accounts_api.routes import app as routes
from shared.entrypoints.headers import secured
from shared.entrypoints.http import json_only
from shared.entrypoints.observability import logger
from tests.integration.world import World


def is_short(event: dict[str, Any]) -> bool:
    """Whether an event is answered without the routes."""
    return _short_way(event) is not None


def by_the_routes(event: dict[str, Any], context: Any) -> dict[str, Any]:
    routes.append_context(failure=None)
    return secured(routes.resolve(json_only(event), context))


def audited(lines: str) -> list[dict[str, Any]]:
    """The audit lines of a log, without what is of a moment."""
    found = [json.loads(line) for line in lines.splitlines()]
    return [
        {name: line.get(name) for name in ("door", "user", "about", "outcome", "source_ip", "correlation_id")}
        for line in found
        if line.get("message") == "audit"
    ]


def check_same_by_the_routes(world: World, event: dict[str, Any], answer: dict[str, Any], lines: str) -> None:
    """`answer`: what the function has just said to `event`, and logged as `lines`. Not counted, nor at another time."""
    if world.aws.faults or answer["statusCode"] >= 500 or not is_short(event):
        return  # another attempt may meet something else
    at, log = world.clock.now, io.StringIO()
    with world.looking(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(container(), "clock", lambda: at)
        patch.setattr(logger.registered_handler, "stream", log)
        assert answer == by_the_routes(event, world.context)
    assert audited(lines) == audited(log.getvalue())
