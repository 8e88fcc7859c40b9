"""How soon a synchronisation is noticed whose webhooks all got lost, what that costs, and who hears when it is late."""

import itertools
import json
from datetime import datetime, timedelta

import pytest

from shared.adapters.dynamodb.keys import SHARDS, instant, shard_of
from shared.application import housekeeping
from shared.application.webview import BACK_WITHIN
from shared.domain.expectation import FIRST_RETRY, GRACE, LIST_EVERY, SPREAD
from tests.integration.world import World
from tests.worlds.deployment import TABLE
from tests.worlds.powens.fake import SYNCHRONISED_EVERY, error
from tests.worlds.powens.model import Connection


def measured(world: World, name: str) -> list[float]:
    """Each value of a metric in seconds, as it was written to the log."""
    lines = [line for line in world.lines() if name in line]
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"] == "Seconds" for line in lines)
    return [value for line in lines for value in line[name]]


def pass_time(world: World, until: datetime) -> None:
    """Housekeeping in each minute that has something due, and what comes of it."""
    while True:
        appointments = [item["due_sk"]["S"] for item in world.items() if item["sk"]["S"] == "PROFILE"]
        next_at = max(world.clock.now, datetime.fromisoformat(min(appointments)))
        if next_at > until:
            break
        world.clock.now = next_at + timedelta(seconds=30)
        world.keep_house()
        world.settle(within=timedelta(seconds=20))
    world.clock.now = max(world.clock.now, until)


def told(world: World, connection: Connection) -> None:
    """The webhook of a synchronisation arrives and is read."""
    world.webhook("connection-synced", connection)
    world.clock.advance(seconds=2)
    world.settle(within=timedelta(seconds=20))


def expected(world: World, *accounts: int) -> Connection:
    """A connection of a user who is past the first planned read, and whose next synchronisation is announced."""
    connection = world.connect(*accounts)
    pass_time(world, world.clock.now + timedelta(hours=3))
    world.forget()
    world.logs.seek(0)
    world.logs.truncate()
    return connection


def test_a_synchronisation_that_nobody_told_of_is_noticed_about_an_hour_after_it_was_planned(world: World) -> None:
    connection = expected(world, 1, 2)
    planned = connection.last_update + SYNCHRONISED_EVERY
    pass_time(world, planned)
    connection.accounts[2].disabled = True
    world.powens.synchronise(connection)  # Powens tells nobody
    pass_time(world, planned + GRACE)
    assert world.enabled(connection) == {1, 2}
    pass_time(world, planned + GRACE + SPREAD + timedelta(minutes=1))
    assert world.enabled(connection) == {1}
    assert world.powens.reads == 1
    assert max(measured(world, "Staleness")) <= 60
    assert max(measured(world, "ReconciliationLag")) <= 60


def test_who_is_told_of_each_synchronisation_costs_no_planned_read(world: World) -> None:
    connection = expected(world, 1)
    days = LIST_EVERY.days - 3
    for _ in range(days):
        assert connection.next_try is not None
        pass_time(world, connection.next_try)
        world.powens.synchronise(connection)
        told(world, connection)
    assert world.powens.reads == days, "one for each webhook"
    assert measured(world, "Staleness") == []


def test_a_bank_that_somebody_went_to_connect_is_found_whoever_comes_back(world: World) -> None:
    """Neither the browser nor a webhook tells of it: the visit itself is a reason to look."""
    connection = expected(world, 1)
    world.open_webview(flow="connect")
    stranger = world.powens.add_connection(connection.user, "Banque Verveine", connection_id=78, uuid="0b" * 16)
    world.powens.add_account(stranger, 9)
    pass_time(world, world.clock.now + BACK_WITHIN + timedelta(minutes=1))
    assert world.enabled(connection) == {1}
    assert world.held(stranger)["institution"]["name"] == "Banque Verveine"


def test_a_connection_that_fails_and_is_tried_again_sooner_is_looked_at_sooner(world: World) -> None:
    connection = expected(world, 1)
    pass_time(world, connection.last_update + timedelta(hours=10))
    connection.state, connection.next_try = "websiteUnavailable", world.clock.now + timedelta(hours=2)
    told(world, connection)
    assert world.held(connection)["status"] == "waiting"
    retried = connection.next_try
    pass_time(world, retried)
    connection.state = None
    world.powens.synchronise(connection)  # and tells nobody
    pass_time(world, retried + GRACE + SPREAD + timedelta(minutes=1))
    assert world.held(connection)["status"] == "ok"


def test_what_is_due_later_than_the_planned_look_costs_no_write(world: World) -> None:
    connection = expected(world, 1)
    world.powens.synchronise(connection)
    world.webhook("connection-synced", connection)
    world.clock.advance(seconds=2)
    world.forget()
    world.deliver("refresh")
    assert "UpdateItem" not in world.aws.calls


def test_a_user_as_code_of_before_planned_is_read_at_that_time(world: World) -> None:
    """It moved one attribute, and knew of no looks."""
    connection = expected(world, 1, 2)
    connection.accounts[2].disabled = True
    [profile] = [item for item in world.items() if item["sk"]["S"] == "PROFILE"]
    planned = world.clock.now + timedelta(hours=5)
    with world.looking():
        world.dynamodb.put_item(TableName=TABLE, Item=profile | {"due_sk": {"S": instant(planned)}})
    pass_time(world, planned - timedelta(minutes=1))
    assert world.enabled(connection) == {1, 2}
    pass_time(world, planned + timedelta(minutes=1))
    assert world.enabled(connection) == {1}


def test_a_read_that_comes_too_late_says_how_late_it_came(world: World) -> None:
    connection = expected(world, 1)
    world.powens.fail("GET .*", error(503), times=10_000)
    pass_time(world, connection.last_update + SYNCHRONISED_EVERY + GRACE + SPREAD + timedelta(minutes=1))
    world.clock.advance(hours=3)
    world.powens.behave()
    world.settle()
    [age] = measured(world, "Staleness")
    assert age >= timedelta(hours=3).total_seconds()


def test_a_read_that_got_lost_is_asked_for_again(world: World) -> None:
    connection = expected(world, 1, 2)
    connection.accounts[2].disabled = True
    world.clock.now = connection.last_update + SYNCHRONISED_EVERY + GRACE + SPREAD
    world.keep_house()
    world.refresh.messages.clear()
    pass_time(world, world.clock.now + FIRST_RETRY + timedelta(minutes=1))
    assert world.enabled(connection) == {1}


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


@pytest.mark.parametrize(("seconds", "planned"), [(40, 8), (0, 4)])
def test_a_pass_goes_on_until_nobody_is_left_or_its_time_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: int, planned: int
) -> None:
    """It takes as many at a time as one query of each shard of the index brings."""
    monkeypatch.setattr(housekeeping, "MOST_LOOKS", SHARDS)
    monkeypatch.setattr(housekeeping, "LONGEST_PLANNING", timedelta(seconds=seconds))
    of_shard: dict[int, list[str]] = {shard: [] for shard in range(SHARDS)}
    for user in map("user-{}".format, itertools.count()):
        if all(len(users) == 2 for users in of_shard.values()):
            break
        if len(of_shard[shard_of(user)]) < 2:
            of_shard[shard_of(user)].append(user)
    for connection_id, user in enumerate(itertools.chain.from_iterable(of_shard.values()), start=100):
        world.connect(connection_id * 10, user=user, connection_id=connection_id)
    world.clock.advance(hours=13)
    world.keep_house()
    asked = [json.loads(message.body)["powens_user_id"] for message in world.refresh.messages]
    assert (len(asked), len(set(asked)), world.metric("UsersPlanned")) == (planned, planned, planned)
