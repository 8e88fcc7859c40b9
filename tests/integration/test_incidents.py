"""Many users of one institution fail at once: an incident, shown while it lasts and gone when it ends."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.connection import connection_id
from shared.domain.incidents import CLOSES_AT, LEAST_OPEN, OPENS_AT, QUIET_FOR
from tests.integration.aws import throttled
from tests.integration.test_institutions import NEO
from tests.integration.test_missing_accounts import change
from tests.integration.world import World
from tests.worlds.powens.model import Connection


def incidents(world: World, **headers: str) -> list[Any]:
    shown: list[Any] = world.api("GET", "/v1/incidents", **headers).json["incidents"]
    return shown


def users(world: World, count: int, *, first: int = 100, uuid: str = NEO) -> list[Connection]:
    return [world.connect(n, user=f"user-{n}", connection_id=n, uuid=uuid) for n in range(first, first + count)]


def fail(world: World, connections: list[Connection], state: str | None = "websiteUnavailable") -> None:
    for connection in connections:
        change(world, connection, state)


def incidents_fail(world: World, operation: str, error: Exception) -> None:
    """The next such call about what is remembered of incidents fails; others go on."""

    def answer(parameters: dict[str, Any]) -> None:
        key = parameters.get("Key") or parameters["Item"]
        if key["sk"] == {"S": "INCIDENTS"}:
            raise error

    world.aws.fault(operation, answer, times=5)


def look(world: World, minutes: int = 1) -> None:
    """Housekeeping, for so many minutes."""
    for _ in range(minutes):
        world.clock.advance(minutes=1)
        world.keep_house()


def test_an_outage_of_a_bank_is_an_incident_while_it_lasts(world: World) -> None:
    connections = users(world, OPENS_AT)
    fail(world, connections[:-1])
    look(world)
    assert incidents(world) == []
    fail(world, connections[-1:])
    look(world)
    [shown] = incidents(world)
    assert shown["institution_id"] == NEO
    assert (shown["reason"]["code"], shown["reason"]["who_must_act"]) == ("bank_unavailable", "bank")
    assert shown["since"].startswith("2026-03-05T")
    assert "indisponible" in shown["reason"]["message"]
    assert "unavailable" in incidents(world, accept_language="en")[0]["reason"]["message"]
    fail(world, connections, None)
    look(world)
    assert len(incidents(world)) == 1
    look(world, int((QUIET_FOR + LEAST_OPEN) / timedelta(minutes=1)) + 1)
    assert incidents(world) == []
    assert world.metric("OpenIncidents") > 1


def test_an_incident_names_nobody(world: World) -> None:
    connections = users(world, OPENS_AT)
    fail(world, connections)
    look(world)
    assert "user-" not in repr([i for i in world.items() if i["pk"]["S"].startswith("INSTITUTION")])


def test_one_user_with_many_connections_is_no_incident(world: World) -> None:
    mine = [world.connect(n, user="bob", connection_id=n, uuid=NEO) for n in range(100, 100 + OPENS_AT)]
    fail(world, mine)
    look(world)
    assert incidents(world) == []


def test_what_only_the_user_can_solve_is_no_incident(world: World) -> None:
    fail(world, users(world, OPENS_AT), "SCARequired")
    look(world)
    assert incidents(world) == []


def test_troubles_of_different_kinds_and_banks_are_not_added_up(world: World) -> None:
    connections = users(world, OPENS_AT)
    fail(world, connections[: OPENS_AT // 2])
    fail(world, connections[OPENS_AT // 2 :], "bug")
    look(world)
    assert incidents(world) == []


def test_an_incident_is_evidence_for_who_is_not_hit_yet(world: World) -> None:
    alice = world.connect(1, uuid=NEO)
    fail(world, users(world, OPENS_AT))
    look(world)
    path = f"/v1/connections/{connection_id(alice.id)}/missing-accounts"
    told = world.api("GET", path, query="type=savings").json
    assert (told["reason"], told["next_step"]) == ("temporary_problem", "wait")
    assert "incident:bank_unavailable" in told["evidence"]
    world.forget()
    world.api("GET", "/v1/connections")
    assert world.aws.calls == ["Query"]


def test_a_connection_that_is_removed_fails_no_more(world: World) -> None:
    connections = users(world, OPENS_AT)
    fail(world, connections)
    for connection in connections:
        del world.powens.connections[connection.id]
        world.clock.advance(seconds=10)
        world.webhook("connection-deleted", connection)
        world.settle()
    assert not [item for item in world.items() if item["sk"]["S"].startswith("TROUBLE#")]


def test_an_incident_stays_while_more_fail_than_one_look_takes_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = users(world, OPENS_AT)
    fail(world, connections)
    look(world)
    monkeypatch.setattr("shared.adapters.dynamodb.incidents.MOST_TROUBLES", CLOSES_AT - 1)
    look(world, 60)
    assert len(incidents(world)) == 1


def test_who_watches_at_the_same_time_is_believed(world: World) -> None:
    fail(world, users(world, OPENS_AT))
    look(world)
    error = world.dynamodb.exceptions.ConditionalCheckFailedException({"Error": {}}, "PutItem")
    fail(world, list(world.powens.connections.values()), None)
    incidents_fail(world, "PutItem", error)
    look(world)
    assert len(incidents(world)) == 1


def test_housekeeping_that_cannot_watch_does_the_rest_and_is_an_alarm(world: World) -> None:
    world.connect(1)
    world.clock.advance(hours=13)
    incidents_fail(world, "GetItem", throttled("GetItem"))
    with pytest.raises(ExceptionGroup):
        world.keep_house()
    assert world.refresh.messages
    world.settle()
