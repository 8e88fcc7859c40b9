"""What the functions count of themselves: the numbers that alarms and canaries look at."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import measure
from tests.integration.world import World
from tests.worlds.powens.fake import error


def test_every_line_of_the_log_says_its_time_as_lambda_reads_it(world: World) -> None:
    world.connect(1, 2)
    world.powens.fail("GET /auth/token/code", error(400, "x"))
    world.open_webview()

    times = [line["timestamp"] for line in world.lines() if "timestamp" in line]

    assert times
    for time in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)", time)


def test_when_powens_refuses_every_choice_each_operation_that_fails_is_counted_and_says_why(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.fail("POST /users/41/accounts/2", error(400, "invalidValue"))
    world.choose(connection, 1)
    world.settle()

    assert (world.metric("EndedOperations"), world.metric("FailedOperations")) == (2, 1)
    [by_kind] = [line for line in world.lines() if "EndedOperations" in line and "kind" in line]
    assert (by_kind["kind"], by_kind["end"], by_kind["service"]) == ("selection", "failed", "synced-accounts")
    [ended] = [line for line in world.lines() if line.get("message") == "operation ended"]
    assert (ended["kind"], ended["end"]) == ("selection", "failed")
    refusals = [line for line in world.lines() if line.get("message") == "refused by Powens"]
    assert [(line["status"], line["powens_code"]) for line in refusals] == [(400, "invalidValue")]
    assert world.metric("PowensRefusals") == 1


def test_an_operation_that_ends_well_is_counted_and_not_as_a_failure(world: World) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    world.settle()

    assert (world.metric("EndedOperations"), world.metric("FailedOperations")) == (2, 0)


def test_how_long_somebody_who_tapped_has_waited_is_measured_and_a_refresh_is_not(world: World) -> None:
    connection = world.connect(1, 2)
    world.settle()
    before = len([line for line in world.lines() if "TapSeconds" in line])
    world.choose(connection, 1)
    world.clock.advance(seconds=7)
    world.settle()
    world.api("POST", f"/v1/connections/{world.held(connection)['id']}/refresh")
    world.settle()

    measured = [line["TapSeconds"] for line in world.lines() if "TapSeconds" in line][before:]
    assert len(measured) == 1
    assert 7 <= sum(value if isinstance(value, int | float) else value[0] for value in measured) < 60


def test_what_users_are_told_that_we_look_into_is_counted_by_itself(world: World) -> None:
    """403 (`forbidden_by_powens`), and a state that we have no word for (`unknown_problem`)."""
    connection = world.connect(1, 2)
    world.powens.fail("POST /users/41/accounts/2", error(403, "forbidden"), times=9)
    world.choose(connection, 1)
    world.settle()
    assert world.metric("PowensForbidden") >= 1

    connection.state = "aStateOfNextYear"
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.metric("UnknownStates") >= 1
    assert {line["field"] for line in world.lines() if "field" in line} == {"connection.state"}


def test_the_states_that_we_know_are_nothing_to_look_into(world: World) -> None:
    connection = world.connect(1)
    for state in ("SCARequired", "wrongpass", "bug", None):
        connection.state = state
        world.clock.advance(minutes=1)
        world.webhook("connection-synced", connection)
        world.settle()

    assert world.metric("UnknownStates") == 0


def test_a_bug_in_a_request_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(DynamoDBConnections, "listed", broken)

    assert world.api("GET", "/v1/connections").status == 500
    assert world.metric("UnexpectedErrors") == 1


def test_a_wrong_setting_is_counted_and_what_powens_refuses_is_not(world: World) -> None:
    world.connect(1)
    world.powens.fail("GET /auth/token/code", error(400, "x"))
    assert world.open_webview().status == 502
    assert world.metric("UnexpectedErrors") == 0

    world.powens.revoke_tokens(41)
    world.powens.fail("POST /auth/renew", error(401, "unauthorized"))
    assert world.open_webview().status == 500
    assert world.metric("UnexpectedErrors") == 1


def test_each_minute_says_of_every_open_operation_how_long_it_has_been_open(world: World) -> None:
    first, second = world.connect(1, 2), world.connect(3, 4, connection_id=78)
    world.choose(first, 1)
    world.clock.advance(minutes=3)
    world.choose(second, 3)
    world.clock.advance(seconds=20)
    world.keep_house()

    [line] = [line for line in world.lines() if "OpenOperationSeconds" in line]
    assert [round(seconds) for seconds in line["OpenOperationSeconds"]] == [200, 20]
    assert line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] == "Seconds"

    world.settle()
    world.keep_house()
    assert len([line for line in world.lines() if "OpenOperationSeconds" in line]) == 1


@pytest.mark.parametrize("number", [1, 50, 100, 151])
def test_many_values_of_a_metric_are_all_written(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    measure(Metric.STALENESS, *(timedelta(seconds=n) for n in range(number)))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value for line in lines for value in line["Staleness"]] == list(range(number))
    # What CloudWatch reads of a line.
    assert all(len(line["Staleness"]) <= 100 for line in lines)
