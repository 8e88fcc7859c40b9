"""How old what we hold may become when every hint is lost, and who hears of it when it becomes older."""

from datetime import timedelta

from shared.application.access import RECONCILE_EVERY
from tests.integration.world import World
from tests.worlds.powens.fake import error


def measured(world: World, name: str) -> list[float]:
    """Each value of a metric in seconds, as it was written to the log."""
    lines = [line for line in world.lines() if name in line]
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] == "Seconds" for line in lines)
    return [value for line in lines for value in line[name]]


def test_a_user_whose_webhooks_all_got_lost_is_read_back_within_twelve_hours(world: World) -> None:
    connection = world.connect(1, 2)
    connection.accounts[2].disabled = True  # in the Webview; Powens tells nobody
    began = world.clock.now
    # Seldom while nobody can be due yet; then each minute, as the template has it.
    far = RECONCILE_EVERY * 0.9 - timedelta(minutes=30)
    while world.enabled(connection) != {1}:
        world.clock.advance(minutes=30 if world.clock.now - began < far else 1)
        world.keep_house()
        world.settle(within=timedelta(seconds=30))
        assert world.clock.now - began <= RECONCILE_EVERY + timedelta(minutes=2)
    [age] = measured(world, "Staleness")
    assert RECONCILE_EVERY * 0.9 <= timedelta(seconds=age) <= RECONCILE_EVERY + timedelta(minutes=2)
    assert max(measured(world, "ReconciliationLag")) <= 62


def test_a_read_that_comes_too_late_says_how_late_it_came(world: World) -> None:
    world.connect(1)
    world.powens.fail("GET .*", error(503), times=10_000)
    world.clock.advance(hours=12)
    world.keep_house()
    world.clock.advance(hours=3)
    world.powens.behave()
    world.settle()
    [age] = measured(world, "Staleness")
    assert age > timedelta(hours=15).total_seconds()


def test_only_scheduled_reads_are_measured(world: World) -> None:
    connection = world.connect(1)
    world.clock.advance(hours=20)
    world.webhook("connection-synced", connection)
    world.settle()
    assert measured(world, "Staleness") == []


def test_housekeeping_that_stood_still_says_how_far_behind_it_is(world: World) -> None:
    world.connect(1)
    world.clock.advance(hours=13)
    world.keep_house()
    assert max(measured(world, "ReconciliationLag")) >= timedelta(hours=1).total_seconds()
