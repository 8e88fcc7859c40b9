"""What released code has put into the queues and into the stream is understood by today's, dead letters too."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.dead_letters import PLACES, look, replay
from ops.system import System
from tests.integration.released import put_messages, read
from tests.integration.released_journey import UNDER_WAY, WORKING
from tests.integration.test_replay import Sqs
from tests.integration.world import World
from tests.worlds.queues import Message


def deliver(world: World, table: Path, queue: str, number: int) -> dict[str, Any]:
    """Put one recorded message into its queue and carry it out; returns its body."""
    message = read(table, f"messages/{queue}")[number]
    target = world.commands if queue == "commands" else world.refresh
    target.put(message["body"], message["group"], message["deduplication_id"], world.clock.now.timestamp())
    world.settle()
    assert not target.dead
    body: dict[str, Any] = json.loads(message["body"])
    return body


def status(world: World, user: str, operation_id: str) -> str:
    return str(world.api("GET", f"/v1/operations/{operation_id}", user=user).json["status"])


@pytest.mark.parametrize("number", [0, 1], ids=["selection", "refresh"])
def test_a_command_is_carried_out(released: World, table: Path, number: int) -> None:
    command = deliver(released, table, "commands", number)
    assert status(released, command["user_id"], command["operation_id"]) == "completed"


def test_a_command_to_erase_ends_its_erasure(released: World, table: Path) -> None:
    command = deliver(released, table, "commands", 2)
    assert status(released, command["user_id"], command["erasure_id"]) == "completed"
    assert [event["data"]["user_id"] for event in released.events("UserErased")] == ["user-3"]


def test_a_hint_of_a_visit_and_one_of_a_webhook_are_read_back(released: World, table: Path) -> None:
    alices = released.powens.connections[WORKING]
    alices.accounts[7].disabled = False
    assert deliver(released, table, "refresh", 0)["origin"] == "webview"
    assert "GET /users/42/connections" in released.powens.log
    assert deliver(released, table, "refresh", 1)["origin"] == "webhook"
    assert "GET /users/41/connections/77" in released.powens.log
    assert 7 in released.enabled(alices)


def test_the_outbox_is_sent_as_it_was_written(released: World, table: Path) -> None:
    event, command = (record["dynamodb"]["NewImage"] for record in read(table, "messages/stream"))
    released.aws.stream += read(table, "messages/stream")
    released.publish()
    assert released.aws.bus == [
        {"detail-type": event["detail_type"]["S"], "detail": json.loads(event["detail"]["S"])},
    ]
    [sent] = released.commands.messages
    assert (sent.body, sent.group) == (command["body"]["S"], command["group"]["S"])
    assert sent.deduplication_id == command["sk"]["S"]


def test_dead_letters_are_listed_by_their_ids_and_heal_when_they_are_sent_back(released: World, table: Path) -> None:
    queues = {"commands": released.commands, "refresh": released.refresh}
    for name, queue in queues.items():
        for number, message in enumerate(read(table, f"messages/{name}")):
            kept = (message["body"], message["group"], message["deduplication_id"])
            queue.dead.append(Message(f"{name}-letter-{number}", *kept, sent_at=0, visible_at=0))
    outputs = {place.letters: f"{name}-dead" for name, place in PLACES.items()}
    outputs |= {place.source: name for name, place in PLACES.items() if place.source}
    system = System(lambda _: Sqs(released, queues), outputs)

    letters, behind = look(system)
    assert [letter.queue for letter in letters] == ["commands"] * 3 + ["refresh"] * 2
    assert {"operation_id", "connection_id", "user_id"} <= letters[0].ids.keys()
    assert {"erasure_id", "user_id"} <= letters[2].ids.keys()
    assert {"powens_user_id", "powens_connection_id", "reason"} <= letters[4].ids.keys()
    assert behind == 0
    assert [replay(system, name) for name in queues] == [3, 2]
    released.settle()
    assert look(system) == ([], 0)
    assert released.at_powens(released.powens.connections[UNDER_WAY]) == {11, 13}


def test_everything_that_was_on_its_way_arrives_together(released: World, table: Path) -> None:
    put_messages(released, table)
    released.settle()
    assert released.at_powens(released.powens.connections[UNDER_WAY]) == {11, 13}
    assert {event["data"]["status"] for event in released.events("OperationEnded")} == {"completed"}
    assert not released.commands.dead
    assert not released.refresh.dead
