"""Messages that can never be handled fail alone, and what follows them in their group waits."""

import json
from typing import Any

import pytest

from functions.account_commands import app as account_commands
from functions.outbox_publisher import app as outbox_publisher
from functions.read_back import app as read_back
from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.domain.connection import connection_id
from tests.integration.aws import throttled
from tests.integration.fault_steps import settled
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.triggers import event_file


@pytest.mark.parametrize(
    "body",
    ["not JSON", "[]", "{}", '{"version": 1}', "null", '{"version":1,"powens_user_id":0}', "\ud800"],
)
@pytest.mark.parametrize("name", ["commands", "refresh"])
def test_a_poison_message_fails_alone_and_at_once(world: World, name: str, body: str) -> None:
    connection = world.connect(1, 2)
    queue = world.commands if name == "commands" else world.refresh
    queue.put(body, "41", "poison", world.clock().timestamp())
    world.forget()
    if name == "commands":
        world.choose(connection, 1)
    else:
        connection.accounts[2].disabled = True
        world.webhook("account-disabled", connection, id=2)
    world.settle()
    assert [message.body for message in queue.dead] == [body]
    assert {seconds for message, seconds in queue.returned if message == queue.dead[0].id} == {0}
    assert world.enabled(connection) == {1}
    assert not queue.messages


def test_the_poison_of_the_event_files_is_refused_and_their_messages_are_read(world: World) -> None:
    for name, handler, poison in (
        ("account_commands/not-json", account_commands.lambda_handler, True),
        ("account_commands/carry-out", account_commands.lambda_handler, False),
        ("account_commands/erase-user", account_commands.lambda_handler, False),
        ("read_back/unknown-version", read_back.lambda_handler, True),
        ("read_back/account-enabled", read_back.lambda_handler, False),
        ("read_back/webview-return", read_back.lambda_handler, False),
    ):
        event = event_file(name)
        event["Records"][0]["receiptHandle"] = "handle-0-1"
        failures = world.invoke(handler, event)["batchItemFailures"]
        assert failures == ([{"itemIdentifier": event["Records"][0]["messageId"]}] if poison else [])


def test_the_outbox_records_of_the_event_file_go_out(world: World) -> None:
    world.invoke(outbox_publisher.lambda_handler, event_file("outbox_publisher/event-and-command"))
    assert [event["detail-type"] for event in world.aws.bus] == ["AccountsUpdated"]
    [command] = world.commands.messages
    assert json.loads(command.body)["operation_id"] == "01KJYZ4A8Q0000000000000000"


def test_what_follows_a_failure_in_its_group_waits_with_it(world: World) -> None:
    first = {"version": 1, "user_id": "alice", "connection_id": "c", "operation_id": "a", "correlation_id": "x"}
    event = event_file("account_commands/carry-out")
    record = event["Records"][0]
    event["Records"] = [
        record | {"messageId": str(n), "receiptHandle": f"handle-{n}-1", "body": json.dumps(first)} for n in range(3)
    ]
    world.aws.raising("GetItem", throttled("GetItem"))
    answer = world.invoke(account_commands.lambda_handler, event)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0", "1", "2"]
    assert len(world.commands.returned) == 3


def test_a_visibility_that_cannot_be_changed_only_costs_time(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.fail("POST .*", error(500), times=3)
    world.aws.raising("ChangeMessageVisibility", throttled("ChangeMessageVisibility"))
    before = world.clock.now
    world.choose(connection, 1)
    world.settle()
    settled(world, connection, 1)
    assert (world.clock.now - before).total_seconds() > world.commands.visibility


def test_a_bug_in_a_worker_is_logged_with_its_trace_counted_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.connect(1, 2)
    real, left = DynamoDBConnections.connection, [1]

    def broken(self: DynamoDBConnections, user_id: str, connection_id: str) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError
        return real(self, user_id, connection_id)

    world.choose(connection, 1)
    world.publish()
    monkeypatch.setattr(DynamoDBConnections, "connection", broken)
    world.settle()
    settled(world, connection, 1)
    assert any("ZeroDivisionError" in line.get("exception", "") for line in world.lines())
    assert world.metric("UnexpectedErrors") == 1


def test_a_number_too_long_is_no_json(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/connections/{connection_id(connection.id)}/selection"
    reply = world.api("PUT", path, raw='{"enabled_account_ids": ' + "1" * 5000 + "}")
    assert (reply.status, reply.json["code"]) == (400, "invalid_json")
