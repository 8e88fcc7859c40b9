"""Users and connections that only one of the two sides knows: each is found, and mended or listed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.orphan_check import app as orphan_check
from shared.application import orphans
from shared.domain.connection import connection_id
from shared.domain.errors import Misconfigured
from tests.integration.world import FUNCTIONS, KilledError, World, killed_at
from tests.worlds.deployment import IDENTITY_KEY, aws_client
from tests.worlds.powens.fake import CLIENT_ID, CLIENT_SECRET, USERS_TOKEN, error
from tests.worlds.triggers import event_file


@pytest.fixture
def listing(world: World) -> World:
    """A world whose Powens secret has the users token."""
    return with_token(world, USERS_TOKEN)


def with_token(world: World, token: str) -> World:
    secret = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "identity_key": IDENTITY_KEY,
        "users_token": token,
    }
    aws_client("secretsmanager").put_secret_value(SecretId="powens", SecretString=json.dumps(secret))
    for function in FUNCTIONS:
        function.container.cache_clear()
        world.prepare(function.container())
    return world


def check(world: World) -> None:
    world.invoke(orphan_check.lambda_handler, event_file("orphan_check/every-day"))


def counted(world: World, name: str) -> list[int]:
    """Each value of a metric, oldest first."""
    return [int(line[name][0]) for line in world.lines() if name in line]


def listed(world: World) -> Any:
    [item] = [item for item in world.items() if item["pk"]["S"] == "ORPHANS"]
    return json.loads(item["document"]["S"])


def make_orphan(world: World) -> int:
    """A permanent user at Powens of whom nothing is written down here."""
    user = world.powens._new_user()
    user.temporary = False
    return user.id


def test_a_user_at_powens_whom_nobody_owns_is_counted_and_listed_once_two_checks_have_seen_them(listing: World) -> None:
    world = listing
    world.connect(1)
    orphan = make_orphan(world)
    check(world)
    assert counted(world, "OrphanUsers") == [0]
    world.clock.advance(hours=24)
    check(world)
    assert counted(world, "OrphanUsers") == [0, 1]
    assert list(listed(world)["suspects"]) == [str(orphan)]
    assert orphan in world.powens.users, "nothing is deleted by us"
    assert "alice" not in json.dumps(listed(world))
    # An operator has ended the user at Powens.
    del world.powens.users[orphan]
    world.clock.advance(hours=24)
    check(world)
    assert counted(world, "OrphanUsers") == [0, 1, 0]
    assert listed(world)["suspects"] == {}


def test_whoever_is_just_being_made_or_erased_is_no_orphan(listing: World) -> None:
    world = listing
    world.powens.before("POST /auth/token/access", lambda: check(world))
    world.open_webview()
    begun = world.api("DELETE", "/v1/me")
    check(world)
    world.settle()
    assert world.api("GET", begun.headers["location"]).json["status"] == "completed"
    world.clock.advance(hours=24)
    check(world)
    assert set(counted(world, "OrphanUsers")) == {0}
    assert listed(world)["suspects"] == {}


def test_without_the_users_token_nothing_is_asked_and_a_metric_says_so(world: World) -> None:
    make_orphan(world)
    check(world)
    assert world.powens.log == []
    assert counted(world, "OrphanChecksSkipped") == [1]
    assert counted(world, "OrphanUsers") == []


def test_a_users_token_that_powens_refuses_is_for_operators(world: World) -> None:
    with_token(world, "another token")
    world.powens.secrets.add("another token")
    with pytest.raises(Misconfigured) as refused:
        check(world)
    assert refused.value.code == "users_token_refused"


def test_a_check_while_powens_pauses_is_left_to_the_next_day(listing: World) -> None:
    with listing.looking():
        FUNCTIONS[0].container().budget_store.pause(listing.clock.now + timedelta(minutes=1))
    check(listing)
    assert listing.powens.log == []
    assert counted(listing, "OrphanChecksSkipped") == [1]


def test_a_list_that_powens_does_not_give_forgets_no_suspect(listing: World) -> None:
    orphan = make_orphan(listing)
    check(listing)
    listing.powens.fail("GET /users", error(500), times=3)
    with pytest.raises(Exception, match="Powens answered 500"):
        check(listing)
    assert list(listed(listing)["suspects"]) == [str(orphan)]


def test_a_check_is_bounded_and_the_next_one_goes_on_where_it_stopped(
    listing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = listing
    monkeypatch.setattr(orphans, "MOST_CHECKED", 3)
    found = {make_orphan(world) for _ in range(7)}
    for _ in range(3):
        check(world)
        world.clock.advance(hours=24)
    assert {int(known) for known in listed(world)["suspects"]} == found
    check(world)
    assert counted(world, "OrphanUsers")[-1] >= 4


def test_a_list_of_orphans_is_bounded(listing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "MOST_LISTED", 2)
    first = [make_orphan(listing) for _ in range(4)][:2]
    check(listing)
    check(listing)
    assert [int(known) for known in listed(listing)["suspects"]] == first


def test_more_owners_than_one_request_takes_are_looked_up_all(listing: World) -> None:
    world = listing
    with world.looking():
        for known in range(1000, 1150):
            key = {"pk": {"S": f"POWENS#{known}"}, "sk": {"S": "USER"}, "user_id": {"S": "somebody"}}
            world.dynamodb.put_item(TableName="accounts-table", Item=key)
    owned = orphan_check.container().orphan_store.owned(list(range(990, 1160)))
    assert owned == set(range(1000, 1150))


def test_keys_that_dynamodb_leaves_for_later_are_asked_again(listing: World) -> None:
    world = listing
    world.connect(1)
    world.aws.fault("BatchGetItem", lambda given: {"Responses": {}, "UnprocessedKeys": given["RequestItems"]})
    check(world)
    assert listed(world)["suspects"] == {}


def test_a_connection_that_nobody_told_us_of_is_taken_in_by_the_reconciliation_and_counted(world: World) -> None:
    connection = world.connect(1)
    silent = world.powens.add_connection(41, "Banque du Test", connection_id=78, uuid=connection.uuid)
    world.powens.add_account(silent, 2)
    world.clock.advance(hours=13)
    world.keep_house()
    world.settle()
    assert world.enabled(silent) == {2}
    assert counted(world, "AdoptedConnections") == [1]
    assert counted(world, "LostConnections") == [0]


def test_a_connection_that_went_silently_is_removed_by_the_reconciliation_and_counted(world: World) -> None:
    world.connect(1)
    world.connect(2, connection_id=78)
    del world.powens.connections[78]
    world.clock.advance(hours=13)
    world.keep_house()
    world.settle()
    assert [c["id"] for c in world.api("GET", "/v1/connections").json["connections"]] == [connection_id(77)]
    assert counted(world, "LostConnections") == [1]


def test_a_user_whom_powens_has_deleted_silently_loses_all_connections_and_may_start_again(world: World) -> None:
    world.connect(1)
    world.connect(2, connection_id=78)
    world.powens.users.clear()
    world.powens.connections.clear()
    world.clock.advance(hours=13)
    world.keep_house()
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert counted(world, "PowensUsersGone") == [1]
    assert world.open_webview().status == 201


def test_a_visit_that_finds_the_powens_user_gone_leaves_no_connection_behind_wherever_it_is_killed(
    world: World,
) -> None:
    world.connect(1)
    world.connect(2, connection_id=78)
    world.powens.users.clear()
    world.powens.connections.clear()
    survived = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            # Each visit is killed one call later than the one before.
            killed_at(patch, world, survived)
            try:
                opened = world.open_webview()
            except KilledError:
                survived += 1
                continue
        break
    assert opened.status == 201
    assert survived >= 6
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert len(world.events("ConnectionRemoved")) == 2


def test_a_command_that_finds_the_powens_user_gone_removes_all_connections_of_that_user(world: World) -> None:
    connection = world.connect(1, 2)
    world.connect(3, connection_id=78)
    world.powens.users.clear()
    world.powens.connections.clear()
    chosen = world.choose(connection, 1)
    world.settle()
    assert world.operation(chosen)["status"] == "failed"
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert len(world.events("ConnectionRemoved")) == 2
    assert not world.commands.dead
