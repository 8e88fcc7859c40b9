"""Workers that die and answers that get lost: nothing stays undone, nothing is ordered twice."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from functions.account_commands import app as account_commands
from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.adapters.powens.user import PowensUser
from shared.domain.connection import connection_id
from shared.domain.errors import AnswerLost
from tests.integration.fault_steps import REFRESH, settled
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.wire import Answer


class Killed(BaseException):
    """The process ends here, with no chance to tidy up."""


def kill_once(monkeypatch: pytest.MonkeyPatch, world: World, nth: int, *, after: bool = False) -> list[int]:
    """The worker dies at its `nth` write of a connection, before or after it."""
    real, calls = DynamoDBConnections.save, [0]

    def save(self: DynamoDBConnections, *given: Any, **named: Any) -> None:
        calls[0] += 1
        if calls[0] == nth and not after:
            raise Killed
        real(self, *given, **named)
        if calls[0] == nth:
            raise Killed

    monkeypatch.setattr(DynamoDBConnections, "save", save)

    def surviving(name: str, handler: Any) -> Any:
        def call(event: dict[str, Any], context: Any) -> Any:
            try:
                return handler(event, context)
            except Killed:
                # Lambda reports nothing for a process that died: every message of the batch comes back.
                return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"]]}

        return call

    world.handlers = {name: surviving(name, handler) for name, handler in world.handlers.items()}
    return calls


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_worker_killed_around_its_write_leaves_nothing_undone_and_orders_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    confirmed = world.choose(connection, 1, 3)
    world.forget()
    kill_once(monkeypatch, world, 1, after=after)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1, 3)
    assert world.powens.updates == 2
    assert len(world.events("AccountsUpdated")) == 1


def test_a_refresh_killed_before_its_write_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = world.connect(1, 2)
    connection.accounts[2].disabled = True
    world.forget()
    kill_once(monkeypatch, world, 1)
    world.webhook("account-disabled", connection, id=2)
    world.settle()
    settled(world, connection, 1)
    assert len(world.events("AccountsUpdated")) == 1


def test_an_update_whose_answer_is_lost_is_seen_by_the_read_back(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.forget()
    world.powens.fail("POST /users/41/accounts/2", requests.ReadTimeout(), times=3, after=True)
    world.choose(connection, 1, 2)
    world.settle()
    settled(world, connection, 1, 2)
    assert world.powens.updates == 3, "the client's own repetitions, and none after them"
    assert len(world.events("AccountsUpdated")) == 1


def test_a_deletion_whose_answer_is_lost_ends_well(world: World) -> None:
    world.connect(1)
    world.powens.fail("DELETE .*", requests.ReadTimeout(), times=3, after=True)
    ended = world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.settle()
    assert world.operation(ended)["status"] == "completed"
    assert len(world.events("ConnectionRemoved")) == 1


def test_a_forced_synchronisation_whose_answer_is_lost_ends_well(world: World) -> None:
    world.connect(1)
    world.powens.fail("PUT .*", requests.ReadTimeout(), after=True)
    world.powens.before("PUT .*", lambda: None)
    asked = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.settle()
    assert world.operation(asked)["status"] == "completed"


def test_a_synchronisation_that_outlives_our_patience_is_waited_for(world: World) -> None:
    connection = world.connect(1)
    world.clock.advance(hours=8)
    # Powens is at it: it does not answer in time, and refuses another one.
    world.powens.fail("PUT .*", requests.ReadTimeout())
    world.powens.fail("PUT .*", error(409, "conflict"), times=9)
    asked = world.api("POST", REFRESH)
    world.settle(within=timedelta(minutes=3))
    assert world.operation(asked)["status"] == "running"
    world.powens.synchronise(connection)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert world.powens.count("PUT .*") <= 2


def test_a_refresh_whose_synchronisation_never_comes_is_over_at_its_deadline(world: World) -> None:
    world.connect(1)
    world.clock.advance(hours=8)
    world.powens.fail("PUT .*", requests.ReadTimeout())
    world.powens.fail("PUT .*", error(409, "conflict"), times=9)
    asked = world.api("POST", REFRESH)
    world.settle()
    assert world.operation(asked)["status"] == "timed_out"


def test_a_refresh_delivered_twice_at_once_is_not_refused_by_its_own_synchronisation(world: World) -> None:
    connection = world.connect(1)
    world.clock.advance(hours=8)
    asked = world.api("POST", REFRESH)
    world.publish()
    [message] = world.commands.messages

    def other_worker() -> None:
        event = {"Records": [message.record()]}
        assert world.invoke(account_commands.lambda_handler, event)["batchItemFailures"], "it waits for newer data"

    # The other one asks, is taken and says so while the first one's request is on its way.
    world.powens.before("PUT .*", other_worker, instead=error(409, "conflict"))
    world.powens.fail("PUT .*", Answer(202, {}))
    world.settle(within=timedelta(minutes=1))
    assert world.operation(asked)["status"] == "running"
    world.powens.synchronise(connection)
    world.settle()
    assert world.operation(asked)["status"] == "completed"


def test_the_conflict_that_a_killed_worker_left_behind_is_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.connect(1)
    world.clock.advance(hours=8)
    world.powens.fail("PUT .*", Answer(202, {}))
    world.powens.fail("PUT .*", error(409, "conflict"), times=9)
    asked = world.api("POST", REFRESH)
    kill_once(monkeypatch, world, 1)
    world.settle(within=timedelta(minutes=8))
    assert world.operation(asked)["status"] == "running"
    world.powens.synchronise(connection)
    world.settle()
    assert world.operation(asked)["status"] == "completed"


def test_an_answer_that_was_lost_is_not_asked_for_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = world.connect(1)
    world.clock.advance(hours=8)
    asked_of_powens: list[int] = []

    def force_sync(_: PowensUser, powens_connection_id: int) -> None:
        asked_of_powens.append(powens_connection_id)
        raise AnswerLost

    monkeypatch.setattr(PowensUser, "force_sync", force_sync)
    asked = world.api("POST", REFRESH)
    world.settle(within=timedelta(minutes=1))
    world.powens.synchronise(connection)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert asked_of_powens == [77]
