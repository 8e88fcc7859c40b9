"""Joins at the same moment as other changes: nothing is lost, nothing is told twice."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from functions.read_back import app as read_back
from shared.domain import ledger
from shared.domain.connection import Connection as Held
from shared.domain.connection import connection_id
from shared.domain.facts import Cause, Change, Fact, FactType, change_of
from tests.integration.join_steps import add, counted, join, manual, part, read, told
from tests.integration.journey_steps import flip
from tests.integration.world import World
from tests.worlds.powens.model import Connection


def test_two_devices_that_join_two_accounts_with_one_at_the_same_moment_join_one(world: World) -> None:
    synchronised = world.ids(world.connect(1))[1]
    path, other = add(world), add(world)
    world.meanwhile(lambda: join(world, other, synchronised))
    refused = join(world, path, synchronised)
    assert (refused.status, refused.json["code"]) == (409, "account_already_joined")
    assert sorted(counted(world)) == sorted([synchronised, path.rpartition("/")[2]])


def unticked_elsewhere(held: Held | None, _: tuple[Held, ...]) -> ledger.Outcome:
    """As a read decides that finds every account unticked."""
    assert held is not None
    lines = tuple(change_of(replace(a, enabled=False), Change.DISABLED) for a in held.accounts)
    after = replace(
        held,
        accounts=tuple(replace(a, enabled=False, wanted=False) for a in held.accounts),
        revision=held.revision + 1,
    )
    fact = Fact(
        type=FactType.ACCOUNTS_UPDATED,
        user_id=held.user_id,
        connection_id=held.id,
        revision=after.revision,
        cause=Cause.WEBVIEW,
        accounts=lines,
    )
    return ledger.Outcome(connection=after, facts=(fact,))


def unticked(world: World, connection: Connection, path: str) -> None:
    flip(world, connection)
    world.settle()


def renamed(world: World, connection: Connection, path: str) -> None:
    assert world.api("PATCH", path, {"name": "Neuf"}).status == 200


def dropped(world: World, connection: Connection, path: str) -> None:
    assert world.api("DELETE", path).status == 204


@pytest.mark.parametrize("act", [unticked, renamed])
def test_what_happens_at_the_moment_of_a_join_is_neither_lost_nor_told_twice(
    world: World, act: Callable[[World, Connection, str], None]
) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: act(world, connection, path))
    assert join(world, path, world.ids(connection)[1]).status == 200
    world.settle()
    assert len(counted(world)) == 1
    assert manual(world, path)["name"] == ("Neuf" if act is renamed else "Mon compte")


def test_an_account_dropped_at_the_moment_of_a_join_is_gone(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: dropped(world, connection, path))
    assert join(world, path, world.ids(connection)[1]).json["code"] == "account_not_found"
    assert counted(world) == [world.ids(connection)[1]]


def test_an_account_joined_at_the_moment_of_its_deletion_stays(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: join(world, path, world.ids(connection)[1]))
    assert world.api("DELETE", path).json["code"] == "account_is_joined"
    assert counted(world) == [world.ids(connection)[1]]


def test_a_rename_at_the_moment_of_a_parting_is_kept(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    join(world, path, world.ids(connection)[1])
    world.meanwhile(lambda: renamed(world, connection, path))
    assert part(world, path).json["name"] == "Neuf"
    assert manual(world, path)["enabled"]


def test_a_join_at_the_moment_of_a_read_that_unticks_the_account_is_seen_by_the_read(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.clock.advance(seconds=10)
    flip(world, connection)
    world.meanwhile(lambda: join(world, path, world.ids(connection)[1]))
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    assert [change for _, change, _ in told(world, path)] == ["added", "disabled", "enabled"]


def test_two_connections_that_lose_the_joined_account_at_the_same_moment_see_each_other(world: World) -> None:
    path = add(world)
    first = world.connect(1)
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    join(world, path, world.ids(first)[1])
    assert len(counted(world)) == 1
    assert path.rpartition("/")[2] not in counted(world)
    world.clock.advance(seconds=10)

    one, other = (connection_id(number) for number in (77, 78))
    with world.looking():
        changes = read_back.container().changes

    def lose(lost: str) -> None:
        with world.invoking():
            changes.apply("alice", lost, unticked_elsewhere, correlation_id="c")

    world.meanwhile(lambda: lose(other))
    lose(one)
    assert counted(world) == [path.rpartition("/")[2]]


def test_a_crash_between_read_and_write_of_a_change_that_ends_a_join_loses_nothing(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    join(world, path, world.ids(connection)[1])
    world.clock.advance(seconds=10)
    flip(world, connection)
    world.aws.raising("TransactWriteItems", RuntimeError("killed"))
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    assert [change for _, change, _ in told(world, path)] == ["added", "disabled", "enabled"]


def test_an_unchanged_read_asks_for_no_join_at_all(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    join(world, path, world.ids(connection)[1])
    world.forget()
    world.powens.synchronise(connection)
    world.powens.account(1).balance = 12.0
    read(world, connection)
    assert "Query" not in world.aws.calls
    assert connection_id(77) in {event["data"].get("connection_id") for event in world.events()}
