"""What only a newer release understands is no poison and is not touched: it waits for one (ADR 0044)."""

import json
from typing import Any

import pytest

from functions.read_back import app as read_back
from shared.domain.connection import connection_id
from tests.integration.newer_steps import NEWER, put_item, rewrite, stored
from tests.integration.world import World
from tests.worlds.deployment import TABLE
from tests.worlds.documents import content_of, with_content
from tests.worlds.powens.model import Connection

HINT = {
    "version": 1,
    "powens_user_id": 41,
    "powens_connection_id": 77,
    "origin": "webhook",
    "reason": "account-disabled",
    "received_at": "2026-03-05T23:00:00.000000Z",
    "correlation_id": "c",
}


@pytest.fixture
def connection(world: World) -> Connection:
    made = world.connect(1, 2, 3, disabled=(3,))
    world.forget()
    return made


# --- messages


def test_a_message_with_more_members_is_carried_out(world: World, connection: Connection) -> None:
    chosen = world.choose(connection, 1)
    world.publish()
    for message in world.commands.messages:
        message.body = json.dumps(json.loads(message.body) | {"newer": NEWER})
    world.settle()
    assert world.operation(chosen)["status"] == "completed"
    assert not world.commands.dead


@pytest.mark.parametrize("change", [{"newer": NEWER}, {"origin": "partner"}], ids=["member", "origin"])
def test_a_hint_with_more_than_is_known_is_read_back(
    world: World, connection: Connection, change: dict[str, Any]
) -> None:
    connection.accounts[2].disabled = True
    world.refresh.put(json.dumps(HINT | change), "41", "newer", world.clock().timestamp())
    world.settle()
    assert world.enabled(connection) == {1}
    assert not world.refresh.dead


@pytest.mark.parametrize("name", ["commands", "refresh"])
def test_a_message_of_a_newer_version_waits_for_a_newer_worker_and_is_no_poison(world: World, name: str) -> None:
    queue = world.commands if name == "commands" else world.refresh
    body = json.dumps({"version": 2, "what": "nobody knows yet"})
    queue.put(body, "41", "newer", world.clock().timestamp())
    world.clock.advance(seconds=queue.delay)
    began = world.clock.now
    while not queue.dead and (world.clock.now - began).total_seconds() < 4 * 3600:
        assert world.deliver(name)
        at = queue.next_visible()
        assert at is not None
        world.clock.advance(seconds=max(0.001, at - world.clock.now.timestamp()))
    assert [message.body for message in queue.messages] == [body]
    assert queue.messages[0].receives < queue.max_receives
    assert world.metric("NewerVersions") == queue.messages[0].receives
    assert world.metric("UnexpectedErrors") == 0
    pauses = [seconds for _, seconds in queue.returned]
    assert max(pauses) <= 15 * 60, "once a newer worker is there, it does not wait for long"
    for _ in range(queue.max_receives):
        world.deliver(name)
        world.clock.advance(minutes=15)
    assert [message.body for message in queue.dead] == [body], "nobody loses it when no newer worker ever comes"


@pytest.mark.parametrize("version", ["0", "-1", "1.5", '"2"', "true", "null", "1"])
def test_what_only_looks_like_a_newer_version_is_poison(world: World, version: str) -> None:
    event = {
        "Records": [
            {
                "messageId": "m",
                "receiptHandle": "handle-0-1",
                "body": f'{{"version": {version}}}',
                "attributes": {"MessageGroupId": "41", "ApproximateReceiveCount": "1"},
            }
        ]
    }
    assert world.invoke(read_back.lambda_handler, event) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert [seconds for _, seconds in world.refresh.returned] == [0]
    assert world.metric("NewerVersions") == 0


# --- items of a newer version


def _of_version(world: World, sort: str, version: int) -> None:
    rewrite(world, sort, lambda content: content.clear(), schema_version={"N": str(version)})


def test_an_item_of_a_newer_version_is_left_alone_until_a_newer_release_reads_it(
    world: World, connection: Connection
) -> None:
    before = [content_of(item) for item in stored(world, "LIST#CONNECTION#")]
    _of_version(world, "LIST#CONNECTION#", 2)
    kept = list(stored(world, "LIST#CONNECTION#"))
    listed = world.api("GET", "/v1/connections")
    assert (listed.status, listed.json["code"]) == (503, "temporarily_unavailable")
    world.webhook("account-disabled", connection, id=2)
    world.clock.advance(seconds=10)
    assert world.deliver("refresh")
    assert world.metric("NewerVersions") == 2
    assert list(stored(world, "LIST#CONNECTION#")) == kept
    [item] = kept
    put_item(world, with_content(item, before[0]) | {"schema_version": {"N": "1"}})
    connection.accounts[2].disabled = True
    world.settle()
    assert world.enabled(connection) == {1}


def test_an_item_of_a_newer_version_holds_up_nobody_elses_housekeeping(world: World, connection: Connection) -> None:
    other = world.connect(11, 12, user="bob", connection_id=78)
    path = "/v1/connections/{}/refresh"
    world.api("POST", path.format(connection_id(connection.id)))
    overdue = world.api("POST", path.format(connection_id(other.id)), user="bob")
    for item in list(stored(world, "OPERATION#")):
        if item["pk"]["S"] == "USER#alice":
            put_item(world, {**item, "schema_version": {"N": "2"}, "due_pk": {"S": "OPERATION#0"}})
        else:
            put_item(world, {**item, "due_pk": {"S": "OPERATION#0"}})
    world.clock.advance(minutes=12)
    world.keep_house()
    assert world.api("GET", f"/v1/operations/{overdue.json['id']}", user="bob").json["status"] == "timed_out"
    [left] = [item for item in stored(world, "OPERATION#") if item["pk"]["S"] == "USER#alice"]
    assert json.loads(left["document"]["S"]).get("ended_at") is None


def test_an_erasure_waits_for_a_release_that_knows_every_item_of_the_user(world: World, connection: Connection) -> None:
    goal = {"pk": {"S": "USER#alice"}, "sk": {"S": "GOAL#1"}, "document": {"S": "{}"}}
    put_item(world, goal)
    begun = world.api("DELETE", "/v1/me")
    assert begun.status == 202
    world.settle()
    assert world.api("GET", begun.headers["location"]).json["status"] == "running"
    assert goal in world.items(), "what lies beside it is not known here"
    assert world.metric("NewerVersions") >= 1
    with world.looking():
        world.dynamodb.delete_item(TableName=TABLE, Key={"pk": goal["pk"], "sk": goal["sk"]})
    world.clock.advance(hours=2)
    world.keep_house()
    world.settle()
    assert world.api("GET", begun.headers["location"]).json["status"] == "completed"
