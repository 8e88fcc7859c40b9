"""Reads that a screen waits for are answered without the routes, and nobody can tell.

In every test here and elsewhere, `conftest` has each such request answered by the routes, too, and compares.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.accounts_api import app
from functions.accounts_api.routes import app as routes
from shared.domain.connection import connection_id
from tests.integration.aws import throttled
from tests.integration.short_way import by_the_routes, is_short
from tests.integration.world import World
from tests.worlds.triggers import api_event

ROOT = Path(__file__).parents[2]
LIST, ONE = "/v1/connections", f"/v1/connections/{connection_id(77)}"


def paths(world: World) -> list[str]:
    """Of everything in the table that one of the reads shows."""
    keys = [item["sk"]["S"] for item in world.items()]
    of = {"LIST#CONNECTION#": "connections", "OPERATION#": "operations"}
    return [LIST] + [
        f"/v1/{resource}/{key.removeprefix(prefix)}"
        for key in keys
        for prefix, resource in of.items()
        if key.startswith(prefix)
    ]


def users(world: World) -> set[str]:
    return {user for item in world.items() if (user := item["pk"]["S"].removeprefix("USER#")) != item["pk"]["S"]}


@pytest.mark.parametrize("language", ["fr", "en-GB,fr;q=0.5"])
def test_whatever_released_code_has_left_is_shown_alike(released: World, language: str) -> None:
    shown = 0
    for user in users(released):
        for path in paths(released):
            answer = released.api("GET", path, user=user, accept_language=language)
            assert answer.status in {200, 404}
            shown += answer.status == 200
            if "etag" in answer.headers and path == LIST:
                again = released.api(
                    "GET", path, user=user, accept_language=language, if_none_match=answer.headers["etag"]
                )
                assert again.status == 304
    assert shown > 10


def test_the_routes_are_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = world.connect(1, 2)
    operation = world.choose(connection, 1).json["id"]
    monkeypatch.setattr(routes, "resolve", lambda *_: pytest.fail("the routes were asked"))
    monkeypatch.setattr("tests.integration.conftest.check_same_by_the_routes", lambda *_: None)
    for path in (LIST, ONE, f"/v1/operations/{operation}"):
        assert world.api("GET", path).status == 200


def test_nothing_of_the_routes_is_loaded_before_they_are_needed() -> None:
    check = (
        "import sys, functions.accounts_api.app;"
        "heavy = ('aws_lambda_powertools.event_handler', 'functions.accounts_api.routes', 'requests', 'boto3');"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("path", [LIST, ONE, "/v1/operations/01J00000000000000000000000"])
@pytest.mark.parametrize("error", [throttled("Query"), RuntimeError("a bug")], ids=["throttled", "a bug"])
def test_what_fails_is_answered_and_counted_once_as_by_the_routes(world: World, path: str, error: Exception) -> None:
    world.connect(1, 2)
    event = api_event("GET", path, accept_language="en")
    answers, counted, asked = [], [], []
    for handler in (app.lambda_handler, by_the_routes):
        lines, calls = len(world.lines()), len(world.aws.calls)
        for operation in ("Query", "GetItem"):
            world.aws.raising(operation, error)
        answers.append(world.invoke(handler, event))
        world.aws.faults.clear()
        counted.append([sorted(line) for line in world.lines()[lines:] if "_aws" in line])
        asked.append(len(world.aws.calls) - calls)
    assert answers[0] == answers[1]
    assert answers[0]["statusCode"] in {500, 503}
    assert counted[0] == counted[1] != []
    assert asked[0] == 1, "what has failed is not tried again"


segments = st.text(st.sampled_from("ab-_.~%/ é0"), max_size=8) | st.sampled_from([connection_id(77), "undo", "*"])
headers = st.fixed_dictionaries(
    {},
    optional={
        "accept-language": st.sampled_from(["", "en", "de", "fr;q=0,en", "en;q=x", "EN-us , fr;q=0.9"])
        | st.text(max_size=9),
        "if-none-match": st.sampled_from(["*", '"a"', 'W/"a", "b"', ",", ""]) | st.text(max_size=9),
        "authorization": st.sampled_from(["", "Bearer", "Bearer e30.e30.x", "Bearer eyJ0eXAiOiJhdCtqd3QifQ.e30.x"]),
        "content-type": st.sampled_from(["text/plain", "application/json"]),
        "accept-encoding": st.just("gzip"),
        "idempotency-key": st.text(max_size=5),
    },
)
claims = st.fixed_dictionaries(
    {"sub": st.sampled_from(["alice", "bob", "", " ", "x" * 256]) | st.none()},
    optional={"token_use": st.sampled_from(["id", "access"]), "typ": st.sampled_from(["ID", "Bearer"])},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
    path=st.sampled_from([LIST, ONE, f"{LIST}/", f"{ONE}/", "/v1/operations", "/v1/operations/1"])
    | segments.map(f"{LIST}/{{}}".format)
    | segments.map("/v1/operations/{}".format),
    query=st.sampled_from(["", "dry_run=true", "a=1&a=2"]),
    given_headers=headers,
    given_claims=claims,
    stage=st.sampled_from(["$default", "$default", "beta"]),
    body=st.sampled_from([None, None, "", "{}", "no json"]),
)
def test_any_request_is_answered_alike(
    world: World,
    method: str,
    path: str,
    query: str,
    given_headers: dict[str, str],
    given_claims: dict[str, Any],
    stage: str,
    body: str | None,
) -> None:
    if not world.powens.connections:
        world.connect(1, 2)
    event = api_event(method, path, query=query, raw=body)
    event["headers"] |= given_headers
    event["requestContext"]["stage"] = stage
    if stage != "$default":
        event["rawPath"] = f"/{stage}{path}"
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= given_claims
    ours = world.invoke(app.lambda_handler, event)
    if is_short(event):
        assert ours["statusCode"] in {200, 304, 401, 404}
