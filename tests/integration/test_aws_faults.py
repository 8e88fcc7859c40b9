"""AWS in trouble: the table, the key service, the bus and the queues fail, and nothing is lost."""

from typing import Any

import pytest

from functions.outbox_publisher import app as outbox_publisher
from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.domain.connection import connection_id
from shared.domain.errors import PublishFailed
from tests.integration.aws import throttled
from tests.integration.fault_steps import settled
from tests.integration.world import World
from tests.worlds.stream import stream_readers


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
@pytest.mark.parametrize("path", ["command", "hint"])
def test_throttling_of_the_table_postpones_and_loses_nothing(world: World, operation: str, path: str) -> None:
    connection = world.connect(1, 2)
    world.forget()
    if path == "command":
        world.choose(connection, 1)
    else:
        connection.accounts[2].disabled = True
        world.webhook("account-disabled", connection, id=2)
    world.publish()
    world.aws.raising(operation, throttled(operation), times=4)
    world.settle()
    settled(world, connection, 1)
    assert len(world.events("AccountsUpdated")) == 1
    assert world.powens.updates <= 1


@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
def test_throttling_of_the_table_is_a_problem_to_retry_for_a_caller(world: World, operation: str) -> None:
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    world.aws.raising(operation, throttled(operation))
    path = f"/v1/connections/{connection_id(77)}/selection"
    refused = world.api("PUT", path, {"enabled_account_ids": [ids[1]]})
    assert (refused.status, refused.json["code"]) == (503, "store_unavailable")
    assert refused.headers["retry-after"] == "1"
    assert world.metric("FailedRequests") == 1


def test_two_transactions_on_one_connection_at_once_are_settled_by_trying_again(world: World) -> None:
    connection = world.connect(1, 2)
    cancelled = world.dynamodb.exceptions.TransactionCanceledException(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}, {"Code": "None"}],
        },
        "TransactWriteItems",
    )
    world.aws.raising("TransactWriteItems", cancelled)
    assert world.choose(connection, 1).status == 202
    world.settle()
    settled(world, connection, 1)


def test_a_writer_who_always_comes_second_gives_up_with_a_problem_to_retry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.application.ports import StaleWriteError

    connection = world.connect(1, 2)

    def stale(*_: object, **__: object) -> None:
        raise StaleWriteError

    monkeypatch.setattr(DynamoDBConnections, "save", stale)
    refused = world.choose(connection, 1)
    assert (refused.status, refused.json["code"]) == (503, "store_unavailable")


def test_a_write_that_somebody_overtook_is_decided_again_on_the_newest_state(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    ids = world.ids(connection)

    def meanwhile(_: object) -> None:
        assert world.api("PATCH", f"/v1/accounts/{ids[2]}", {"enabled": False}).status == 202

    world.aws.fault("TransactWriteItems", meanwhile)
    assert world.api("PATCH", f"/v1/accounts/{ids[3]}", {"enabled": True}).status == 202
    world.settle()
    settled(world, connection, 1, 3)


def test_the_key_service_being_away_postpones_and_loses_nothing(world: World) -> None:
    connection = world.connect(1, 2)
    world.aws.raising("Decrypt", throttled("Decrypt"), times=2)
    world.choose(connection, 1)
    world.settle()
    settled(world, connection, 1)


def test_a_key_that_is_refused_is_our_fault_and_alarms(world: World) -> None:
    from botocore.exceptions import ClientError

    world.connect(1)
    world.aws.raising("Decrypt", ClientError({"Error": {"Code": "AccessDeniedException"}}, "Decrypt"))
    refused = world.open_webview()
    assert (refused.status, refused.json["code"]) == (500, "internal_error")


def test_a_bus_that_takes_only_some_events_gets_only_the_others_again(world: World) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    world.publish()
    world.deliver("commands")
    world.forget()
    sizes = []

    def second_fails(parameters: dict[str, Any]) -> object:
        entries = parameters["Entries"]
        sizes.append(len(entries))
        if len(entries) > 1:
            world.aws.publish(entries[:1])
        results: list[dict[str, str]] = [{"EventId": "e"} for _ in entries[:1]] if len(entries) > 1 else []
        results += [{"ErrorCode": "ThrottlingException"} for _ in entries[len(results) :]]
        return {"FailedEntryCount": len(entries) - (len(entries) > 1), "Entries": results}

    world.aws.fault("PutEvents", second_fails, times=2)
    world.publish()
    assert sizes == [2, 1]
    assert sorted(event["detail-type"] for event in world.aws.bus) == ["AccountsUpdated", "OperationEnded"]
    assert world.published_batches[-1] == 2


REFUSED = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}


def test_events_that_the_bus_refuses_for_a_while_go_out_once_it_takes_them(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    world.aws.fault("PutEvents", lambda _: REFUSED, times=3)
    ids = world.ids(connection)
    world.api("PATCH", f"/v1/accounts/{ids[1]}", {"name": "Vacances"})
    world.publish()
    assert world.published_batches[-2:] == [-1, 1]
    assert len(world.events("AccountsUpdated")) == 1


def test_a_bus_that_refuses_events_holds_no_command_up(world: World) -> None:
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    world.forget()
    world.aws.fault("PutEvents", lambda _: REFUSED, times=1000)
    world.api("PATCH", f"/v1/accounts/{ids[1]}", {"name": "Vacances"})
    world.choose(connection, 2)
    with pytest.raises(AssertionError, match="OutboxEvents gave up"):
        world.publish()
    assert world.aws.calls.count("SendMessageBatch") == 1
    world.deliver("commands")
    assert world.at_powens(connection) == {2}


@pytest.mark.parametrize("failing", ["PutEvents", "SendMessageBatch"])
def test_of_a_batch_with_both_kinds_one_goes_out_although_the_other_fails(world: World, failing: str) -> None:
    """As when an operator sends dead letters back."""
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    world.forget()
    world.aws.stream.clear()
    world.aws.raising(failing, throttled(failing), times=3)
    world.api("PATCH", f"/v1/accounts/{ids[1]}", {"name": "Vacances"})
    world.choose(connection, 2)
    both = [record for record in world.aws.stream if any(reader.lets_through(record) for reader in stream_readers())]
    with pytest.raises(PublishFailed):
        world.invoke(outbox_publisher.lambda_handler, {"Records": both})
    assert len(world.events("AccountsUpdated")) == (0 if failing == "PutEvents" else 1)
    assert len(world.commands.messages) == (1 if failing == "PutEvents" else 0)


def test_a_queue_that_takes_only_some_commands_gets_the_others_again(world: World) -> None:
    connection = world.connect(1, 2)
    world.aws.fault("SendMessageBatch", lambda _: {"Failed": [{"Id": "0", "Code": "x", "SenderFault": False}]})
    world.aws.raising("SendMessageBatch", throttled("SendMessageBatch"))
    world.choose(connection, 1)
    world.settle()
    settled(world, connection, 1)


def test_commands_that_cannot_be_queued_hold_no_event_up(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    world.aws.raising("SendMessageBatch", throttled("SendMessageBatch"), times=3)
    ids = world.ids(connection)
    world.api("PATCH", f"/v1/accounts/{ids[1]}", {"name": "Vacances"})
    world.choose(connection, 1)
    world.publish()
    assert -1 in world.published_batches
    events = world.events("AccountsUpdated")
    assert len({event["metadata"]["event_id"] for event in events}) == 1, "a repetition keeps its id"
    world.settle()
    settled(world, connection, 1)
