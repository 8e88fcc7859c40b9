"""When Powens throttles, or a limit is set: everybody waits as told, taps first, and nothing is lost."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.connection import connection_id
from tests.integration.world import FUNCTIONS, World
from tests.worlds.powens.fake import FakePowens, error
from tests.worlds.powens.model import Connection


def limited(world: World, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """From now on all workers together may make so many calls in a minute."""
    monkeypatch.setenv("POWENS_CALLS_PER_MINUTE", str(calls))
    for function in FUNCTIONS:
        function.container.cache_clear()
        world.prepare(function.container())


def minutes_pass(world: World, minutes: int) -> None:
    """Housekeeping each minute, and everything that is due meanwhile."""
    for _ in range(minutes):
        world.keep_house()
        start = world.clock.now
        world.settle(within=timedelta(seconds=50))
        world.clock.now = max(world.clock.now, start + timedelta(minutes=1))


def test_a_refusal_that_one_worker_got_makes_all_wait_as_long_as_powens_says(world: World) -> None:
    alice, bob = world.connect(1, 2), world.connect(3, 4, user="bob", connection_id=78)
    world.clock.advance(seconds=10)
    world.forget()
    world.powens.fail("GET .*", error(429, **{"Retry-After": "120"}))
    alice.accounts[2].disabled = True
    world.webhook("account-disabled", alice, id=2)
    world.clock.advance(seconds=1)
    world.deliver("refresh")
    assert len(world.powens.log) == 1
    throttled_at = world.clock.now

    bob.accounts[4].disabled = True
    world.webhook("account-disabled", bob, id=4)
    tapped = world.choose(alice)
    refused = world.open_webview("bob")
    assert (refused.status, refused.json["code"]) == (503, "powens_busy")
    assert 110 <= int(refused.headers["retry-after"]) <= 120
    world.settle(within=timedelta(seconds=100))
    assert len(world.powens.log) == 1
    assert world.metric("PowensThrottled") == 1

    minutes_pass(world, 4)
    assert world.operation(tapped)["status"] == "completed"
    ended = datetime.fromisoformat(world.operation(tapped)["ended_at"])
    assert timedelta(seconds=119) <= ended - throttled_at <= timedelta(seconds=130)
    assert {a["name"]: a["enabled"] for a in held(world, bob, "bob")} == {"Compte 3": True, "Compte 4": False}
    assert not world.refresh.dead


def held(world: World, connection: Connection, user: str) -> Any:
    return world.held(connection, user=user)["accounts"]


def test_without_a_limit_or_a_pause_a_piece_of_work_costs_one_look(world: World) -> None:
    connection = world.connect(1, 2)
    world.clock.advance(seconds=10)
    world.choose(connection, 1)
    world.settle()  # the worker's first work also reads the secret
    world.choose(connection, 1, 2)
    world.publish()
    world.forget()
    world.deliver("commands")
    # The connection, the pause, the access; and the connection again, to write what Powens said.
    assert Counter(world.aws.calls)["GetItem"] == 4
    assert Counter(world.aws.calls)["UpdateItem"] == 0
    world.settle()
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.clock.advance(seconds=2)
    world.forget()
    world.deliver("refresh")
    assert Counter(world.aws.calls)["UpdateItem"] == 1, "the connection, read again and unchanged"


def test_a_tap_is_served_at_once_while_a_sweep_over_many_users_uses_up_its_half(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"user-{number}" for number in range(30)]
    swept = [world.connect(100 + n, user=user, connection_id=100 + n) for n, user in enumerate(users)]
    alice = world.connect(1, 2)
    limited(world, monkeypatch, 20)
    # A morning: everybody is due, nobody's webhooks came, and what they did in the Webview is not known yet.
    for connection in swept:
        next(iter(connection.accounts.values())).disabled = True
    world.clock.advance(hours=13)
    # Alice's own webhooks storm as well.
    world.powens.log.clear()
    calls = counted_by_minute(world)
    waits = []
    for minute in range(12):
        world.webhook("connection-synced", alice)
        world.keep_house()
        start = world.clock.now
        tapped = world.choose(alice, 1, 2) if minute % 2 else world.choose(alice, 1)
        world.settle(within=timedelta(seconds=50))
        operation = world.operation(tapped)
        assert operation["status"] == "completed"
        waits.append(datetime.fromisoformat(operation["ended_at"]) - datetime.fromisoformat(operation["created_at"]))
        world.clock.now = max(world.clock.now, start + timedelta(minutes=1))
    assert max(waits) <= timedelta(seconds=2)
    assert max(calls.values()) <= 20
    assert not world.refresh.dead
    for connection, user in zip(swept, users, strict=True):
        assert [account["enabled"] for account in held(world, connection, user)] == [False]


def counted_by_minute(world: World) -> Counter[datetime]:
    """Calls to Powens by the minute in which they arrive, from now on."""
    calls: Counter[datetime] = Counter()
    real = FakePowens.send

    def send(*given: Any, **named: Any) -> Any:
        calls[world.clock.now.replace(second=0, microsecond=0)] += 1
        return real(world.powens, *given, **named)

    world.powens.send = send  # type: ignore[method-assign]
    return calls


def test_hints_that_must_wait_become_one_planned_read_and_no_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.connect(1, 2)
    limited(world, monkeypatch, 4)
    minutes_pass(world, 1)
    world.forget()
    connection.accounts[2].disabled = True
    for _ in range(30):
        world.webhook("connection-synced", connection)
    with world.looking():
        minute = world.clock.now.replace(second=0, microsecond=0)
        assert world_store(world).spend(minute, 2, most=4)  # somebody else's read
    world.settle(within=timedelta(seconds=20))
    assert world.powens.log == []
    assert not world.refresh.messages
    assert world.metric("ReadsPutOff") >= 1
    minutes_pass(world, 3)
    assert world.enabled(connection) == {1}
    assert world.powens.reads == 1


def world_store(world: World) -> Any:
    return FUNCTIONS[0].container().budget_store


def test_who_comes_back_from_the_webview_does_not_wait_behind_a_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.connect(1, 2)
    limited(world, monkeypatch, 20)
    minutes_pass(world, 1)
    opened = world.open_webview(flow="manage", connection_id=connection_id(connection.id))
    with world.looking():
        assert world_store(world).spend(world.clock.now.replace(second=0, microsecond=0), 9, most=20)
    connection.accounts[2].disabled = True
    world.webhook("account-disabled", connection, id=2)
    world.settle(within=timedelta(seconds=5))
    before = world.clock.now
    world.come_back(opened)
    world.settle(within=timedelta(seconds=5))
    assert world.enabled(connection) == {1}
    assert world.clock.now - before <= timedelta(seconds=3)


def test_somebody_who_comes_back_while_powens_pauses_is_read_as_soon_as_it_ends(world: World) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage", connection_id=connection_id(connection.id))
    connection.accounts[2].disabled = True
    with world.looking():
        world_store(world).pause(world.clock.now + timedelta(seconds=60))
    before = world.clock.now
    world.come_back(opened)
    world.settle()
    assert world.enabled(connection) == {1}
    assert timedelta(seconds=59) <= world.clock.now - before <= timedelta(seconds=65)


def test_nobody_is_planned_while_powens_pauses(world: World) -> None:
    world.connect(1)
    world.clock.advance(hours=13)
    with world.looking():
        world_store(world).pause(world.clock.now + timedelta(seconds=90))
    world.keep_house()
    assert world.metric("UsersPlanned") == 0
    world.clock.advance(seconds=91)
    world.keep_house()
    assert world.metric("UsersPlanned") == 1


def test_a_longer_pause_is_not_cut_short_by_a_later_refusal(world: World) -> None:
    with world.looking():
        store = world_store(world)
        store.pause(world.clock.now + timedelta(seconds=90))
        until = store.paused_until()
        store.pause(world.clock.now + timedelta(seconds=10))
        assert store.paused_until() == until
