"""Dead letters that are sent back once the cause is mended do what they were for, and nothing twice."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from functions.account_commands import app as account_commands
from ops.dead_letters import PLACES, look, replay
from ops.system import System
from shared.contracts.messages import Command
from shared.domain.errors import PowensRefused
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.queues import FifoQueue, Message


@dataclass
class Sqs:
    """What an operator's SQS client does with the world's queues. Dead letters are behind `<name>-dead`."""

    world: World
    queues: Mapping[str, FifoQueue]

    def _dead(self, url: str) -> list[Message]:
        return self.queues[url.removesuffix("-dead")].dead if url in {f"{name}-dead" for name in self.queues} else []

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803 - boto3's names
        return {"Attributes": {AttributeNames[0]: str(len(self._dead(QueueUrl))), AttributeNames[1]: "0"}}

    def receive_message(self, *, QueueUrl: str, **_: Any) -> Any:  # noqa: N803
        found = [
            {
                "MessageId": message.id,
                "ReceiptHandle": message.id,
                "Body": message.body,
                "Attributes": {"MessageGroupId": message.group, "SentTimestamp": "1772703667000"},
            }
            for message in self._dead(QueueUrl)
        ]
        return {"Messages": found}

    def change_message_visibility(self, **_: Any) -> None:
        """All are visible here."""

    def send_message(self, *, QueueUrl: str, MessageBody: str, **fifo: str) -> None:  # noqa: N803
        queue = self.queues[QueueUrl]
        queue.put(MessageBody, fifo["MessageGroupId"], fifo["MessageDeduplicationId"], self.world.clock().timestamp())

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        dead = self._dead(QueueUrl)
        dead[:] = [message for message in dead if message.id != ReceiptHandle]


@pytest.fixture
def system(world: World) -> System:
    sqs = Sqs(world, {"commands": world.commands, "refresh": world.refresh})
    outputs = {place.letters: f"{name}-dead" for name, place in PLACES.items()}
    outputs |= {place.source: name for name, place in PLACES.items() if place.source}
    return System(lambda _: sqs, outputs)


def test_a_message_that_an_older_release_could_not_read_heals_after_the_deployment(
    world: World, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.connect(1)
    with monkeypatch.context() as older:
        older.setattr(account_commands, "contract", lambda: TypeAdapter(Command))
        begun = world.api("DELETE", "/v1/me")
        world.settle()
    [letter] = look(system)[0]
    assert (letter.queue, letter.ids["erasure_id"]) == ("commands", begun.json["id"])
    assert world.api("GET", begun.headers["location"]).json["status"] == "running"

    assert replay(system, "commands") == 1
    world.settle()
    assert world.api("GET", begun.headers["location"]).json["status"] == "completed"
    assert look(system) == ([], 0)
    assert len(world.events("UserErased")) == 1


def test_hints_that_powens_refused_for_an_hour_are_read_after_the_cure_with_one_read(
    world: World, system: System
) -> None:
    connection = world.connect(1, 2)
    world.clock.advance(seconds=10)
    connection.accounts[2].disabled = True
    world.powens.fail("GET .*", error(400, "maintenance"), times=10_000)
    for _ in range(3):
        world.webhook("account-disabled", connection, id=2)
    world.settle(within=timedelta(hours=6))
    letters, _ = look(system)
    assert [letter.ids["powens_connection_id"] for letter in letters] == ["77"] * 3
    assert {letter.why for letter in letters} == {"receives ran out"}
    assert any(line.get("code") == PowensRefused.code for line in world.lines())

    world.powens.behave()
    world.forget()
    assert replay(system, "refresh") == 3
    world.settle()
    assert world.enabled(connection) == {1}
    assert world.powens.reads == 1
    assert len(world.events("AccountsUpdated")) == 1


def test_commands_whose_operation_ended_meanwhile_do_nothing_when_they_are_sent_back(
    world: World, system: System
) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    world.publish()
    [command] = world.commands.messages
    copy = replace(command, receives=30)
    world.settle()
    world.forget()
    world.commands.dead.append(copy)
    assert replay(system, "commands") == 1
    world.settle()
    assert world.powens.log == []
    assert world.events() == []
    assert look(system) == ([], 0)
