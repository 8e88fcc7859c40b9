"""What each journey uses of AWS and Powens is what `make scale` calculates with."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.integration.usage import metering
from tests.integration.world import World
from tests.scale import JOURNEYS, LIST, PLANNED_READ, SELECTION, TOLD_ONCE, TOLD_SEVEN_TIMES, TOLD_TWICE
from tests.worlds.powens.model import Connection

OF_A_SYNCHRONISATION = (
    "connection-synced",
    "accounts-fetched",
    *["account-synced"] * 3,
    "transactions-clustered",
    "user-synced",
)
BETWEEN_WEBHOOKS = timedelta(seconds=2)


def synchronise(world: World, connection: Connection, webhooks: int) -> None:
    world.powens.synchronise(connection)
    for account in connection.accounts.values():
        account.balance = (account.balance or 0) + 1
    for name in OF_A_SYNCHRONISATION[:webhooks]:
        next_at = world.clock.now + BETWEEN_WEBHOOKS
        world.webhook(name, connection)
        world.settle(within=BETWEEN_WEBHOOKS / 2)
        world.clock.now = max(world.clock.now, next_at)
    world.settle()


def choose(world: World, connection: Connection) -> None:
    world.choose(connection, 1, 2, 3, 4)
    world.settle()


def keep_house(world: World, _: Connection) -> None:
    world.keep_house()
    world.settle()


@pytest.fixture
def connection(world: World) -> Connection:
    """Of a user who has been here for a while."""
    made = world.connect(1, 2, 3, 4, 5, disabled=(4, 5))
    for _ in range(3):
        world.clock.advance(hours=6)
        synchronise(world, made, 1)
    world.clock.advance(hours=6)
    return made


@pytest.mark.parametrize(
    ("name", "play"),
    [
        (TOLD_ONCE, lambda world, connection: synchronise(world, connection, 1)),
        (TOLD_TWICE, lambda world, connection: synchronise(world, connection, 2)),
        (TOLD_SEVEN_TIMES, lambda world, connection: synchronise(world, connection, 7)),
        (LIST, lambda world, _: world.api("GET", "/v1/connections")),
        (SELECTION, choose),
    ],
)
def test_a_journey_uses_what_the_model_of_scale_calculates_with(
    world: World,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    play: Callable[[World, Connection], object],
) -> None:
    with metering(monkeypatch, world) as meter:
        play(world, connection)
    assert meter.used == JOURNEYS[name]


def test_a_planned_read_uses_more_than_a_pass_without_one_by_what_the_model_calculates_with(
    world: World, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.clock.advance(hours=10)
    with metering(monkeypatch, world) as due:
        keep_house(world, connection)
    with metering(monkeypatch, world) as idle:
        keep_house(world, connection)
    assert due.used == idle.used + JOURNEYS[PLANNED_READ]
