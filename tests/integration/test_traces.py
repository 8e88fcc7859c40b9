"""Who did what can be found out afterwards, by who may, and the lines that say so hold nothing of anybody."""

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from functions.live_updates import app as live_updates
from functions.powens_webhook import app as powens_webhook
from local.paths import ROOT
from shared.domain.connection import connection_id
from shared.domain.users import user_key
from shared.entrypoints.observability import logger
from shared.entrypoints.quiet import silence_libraries
from tests.integration.world import FUNCTIONS, Context, World
from tests.worlds.deployment import resources
from tests.worlds.triggers import api_event, event_file

KEY = "traces-key-5d1e"
ALICE, BOB = user_key("alice", KEY), user_key("bob", KEY)
REQUEST = "ZkLmNoPqRsTuVwX="


@pytest.fixture
def traced(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("TRACES_KEY", KEY)
    world.powens.secrets.add(KEY)
    return world


def audited(world: World) -> list[dict[str, Any]]:
    return [line for line in world.lines() if line.get("message") == "audit"]


def test_each_read_and_change_leaves_one_line_of_who_what_from_where_and_what_came_of_it(traced: World) -> None:
    connection = traced.connect(1, 2)
    ours = connection_id(connection.id)
    before = len(audited(traced))
    traced.api("GET", f"/v1/connections/{ours}")
    traced.choose(connection, 1)
    traced.api("GET", f"/v1/connections/{ours}", user="bob")

    lines = audited(traced)[before:]
    assert [(line["door"], line["user"], line["about"], line["outcome"]) for line in lines] == [
        ("GET /v1/connections/<connection_id>", ALICE, ours, 200),
        ("PUT /v1/connections/<connection_id>/selection", ALICE, ours, 202),
        ("GET /v1/connections/<connection_id>", BOB, ours, "connection_not_found"),
    ]
    for line in lines:
        assert (line["source_ip"], line["correlation_id"], line["level"]) == ("203.0.113.9", REQUEST, "INFO")


def test_who_is_nobody_is_traced_as_such_and_what_concerns_nobody_is_not(traced: World) -> None:
    traced.api("GET", "/v1/connections", user="")
    traced.api("GET", "/health", user=None)
    traced.api("GET", "/v1/openapi.json", user=None)
    assert [(line.get("user"), line["outcome"]) for line in audited(traced)] == [(None, "unauthenticated")]


def test_a_bug_leaves_a_line_too(traced: World) -> None:
    traced.aws.raising("Query", RuntimeError("a bug"))
    traced.api("GET", "/v1/connections")
    assert [line["outcome"] for line in audited(traced)] == ["internal_error"]


def test_no_line_names_a_user_or_holds_what_somebody_wrote(traced: World) -> None:
    iban, user = "FR7612345000010000000000158", "alice@example.com"
    traced.connect(1, 2, user=user)
    body = {"name": "Mon livret", "type": "savings", "currency": "EUR", "balance": "1234.56"}
    traced.api("POST", "/v1/accounts", body, user=user)
    traced.api("GET", "/v1/institutions", query="search=Banque+secrete", user=user)
    for path in (f"/v1/accounts/{iban}", f"/v1/accounts/{user}", "/v1/nowhere/1234.56"):
        traced.api("GET", path, user=user)
    traced.keep_house()
    traced.settle()

    written = traced.logs.getvalue()
    assert '"audit"' in written
    for private in ("alice", iban, "Mon livret", "1234.56", "secrete"):
        assert private not in written


def test_without_a_key_a_user_has_no_name_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACES_KEY", raising=False)
    world.api("GET", "/v1/connections")
    assert ["user" in line for line in audited(world)] == [False]


def test_a_socket_that_is_refused_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(logger, "info", lambda message, extra: written.append({"message": message, **extra}))
    event = event_file("live_updates/connect") | {"headers": {}}
    context: Any = Context()
    assert live_updates.lambda_handler(event, context) == {"statusCode": 401}
    [line] = [line for line in written if line["message"] == "audit"]
    assert (line["door"], line["user"], line["outcome"], line["source_ip"]) == ("$connect", None, 401, "203.0.113.9")
    assert line["correlation_id"] == event["requestContext"]["requestId"]


# --- the saved queries


def query(name: str) -> str:
    text: str = resources()[name]["Properties"]["QueryString"]
    return text


def found(lines: list[dict[str, Any]], text: str, put_in: str) -> list[dict[str, Any]]:
    """The lines that pass the filter of a query, once what is looked for is put into it."""
    [conditions] = re.findall(r"\| filter (.*)", text)
    parts = re.findall(r'(\w+) (=|like) "([^"]*)"', conditions)
    together = any if " or " in conditions else all
    assert len(parts) == 1 + len(re.findall(r" (?:and|or) ", conditions))

    def holds(line: dict[str, Any], name: str, how: str, given: str) -> bool:
        wanted = put_in if given.startswith("put ") else given
        return line.get(name) == wanted if how == "=" else wanted in str(line.get(name))

    return [line for line in lines if together(holds(line, *part) for part in parts)]


def fields(text: str) -> set[str]:
    [shown] = re.findall(r"fields (.*)", text)
    return {name for name in shown.split(", ") if not name.startswith("@")}


def of_the_gateway() -> set[str]:
    return set(re.findall(r'"(\w+)":', resources()["HttpApi"]["Properties"]["AccessLogSettings"]["Format"]))


def test_the_saved_queries_find_what_they_are_for(traced: World) -> None:
    connection = traced.connect(1, 2)
    traced.api("GET", "/v1/connections", user="bob")
    traced.choose(connection, 1)
    traced.settle()

    of_alice = found(traced.lines(), query("UserQuery"), ALICE)
    assert {"POST /v1/webview-sessions", "PUT /v1/connections/<connection_id>/selection"} <= {
        line["door"] for line in of_alice
    }
    assert {line["user"] for line in of_alice} == {ALICE}
    [touched] = found(traced.lines(), query("ThingQuery"), connection_id(connection.id))
    assert touched["user"] == ALICE
    # From the tap to its end in another function.
    related = found(traced.lines(), query("CorrelationQuery"), REQUEST)
    assert {"audit", "operation ended"} <= {line.get("message") for line in related}


@pytest.mark.parametrize("name", ["UserQuery", "ThingQuery", "CorrelationQuery"])
def test_what_a_saved_query_shows_is_written_by_somebody(traced: World, name: str) -> None:
    connection = traced.connect(1, 2)
    traced.choose(connection, 1)
    traced.settle()
    traced.api("GET", "/v1/connections/none")
    written = set().union(*(line.keys() for line in traced.lines())) | {"reason"}  # of an unusable webhook
    assert fields(query(name)) <= written | (of_the_gateway() if name == "CorrelationQuery" else set())


def test_what_the_query_of_addresses_looks_for_is_in_the_gateways_log() -> None:
    text = query("AddressQuery")
    assert {*fields(text), *re.findall(r"filter (\w+) = ", text)} <= of_the_gateway()


# --- the log at DEBUG


def started(script: str, **environment: str) -> str:
    """What a process prints that starts as Lambda starts a function at DEBUG: the root logger has the level first."""
    script = f"import logging; logging.getLogger().setLevel(logging.DEBUG)\n{script}"
    environment = {"POWERTOOLS_LOG_LEVEL": "DEBUG", "POWERTOOLS_SERVICE_NAME": "synced-accounts", **environment}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("function", [*FUNCTIONS, live_updates, powens_webhook], ids=lambda module: module.__name__)
def test_at_debug_no_library_writes_what_it_sends_and_gets_in_any_function(function: Any) -> None:
    names = ("botocore.endpoint", "botocore.auth", "urllib3.connectionpool", "any.other.library")
    printed = started(
        f"import importlib; importlib.import_module({function.__name__!r}); import botocore.session, urllib3\n"
        f"print([name for name in {names} if logging.getLogger(name).isEnabledFor(logging.DEBUG)])"
    )
    assert printed.strip() == "[]"


HANDLED = {
    "functions.accounts_api.app": api_event("GET", "/health", raw="the-body", authorization="Bearer the-token"),
    "functions.live_updates.app": event_file("live_updates/connect")
    | {"headers": {"x": "the-token"}, "body": "the-body"},
}


@pytest.mark.parametrize("module", HANDLED)
def test_no_setting_of_powertools_has_a_token_or_a_body_written(module: str) -> None:
    """They are read when a handler is imported."""
    printed = started(
        f"import importlib, json; app = importlib.import_module({module!r})\n"
        "from tests.integration.world import Context\n"
        f"print(app.lambda_handler(json.loads({json.dumps(HANDLED[module])!r}), Context())['statusCode'])",
        POWERTOOLS_LOGGER_LOG_EVENT="true",
        POWERTOOLS_DEV="true",
    )
    assert re.search(r"^(200|401)$", printed, re.MULTILINE)
    assert "the-token" not in printed
    assert "the-body" not in printed


def test_each_handler_has_the_one_set_up_of_the_log() -> None:
    handlers = sorted((ROOT / "functions").glob("*/app.py"))
    assert len(handlers) == len(FUNCTIONS) + 2
    for path in handlers:
        code = path.read_text("utf-8")
        # The webhook writes its lines by hand, and silences libraries by itself.
        assert ("@logged\ndef lambda_handler" in code) != (path.parent.name == "powens_webhook"), path
        assert "inject_lambda_context" not in code, path


def test_who_wants_less_than_info_of_libraries_gets_less() -> None:
    root = logging.getLogger()
    before = root.level
    try:
        root.setLevel(logging.ERROR)
        silence_libraries()
        assert root.level == logging.ERROR
    finally:
        root.setLevel(before)
