"""What can go wrong around the functions: each ends in Powens' state or a terminal one, with nothing lost."""

import json
from datetime import timedelta
from typing import Any

import pytest
import requests

from functions.account_commands import app as account_commands
from functions.connection_refresh import app as connection_refresh
from functions.outbox_publisher import app as outbox_publisher
from shared.adapters.dynamodb.connections import DynamoDBConnections
from shared.adapters.outbox import PublishFailedError
from shared.adapters.powens.user import PowensUser
from shared.domain.connection import connection_id
from shared.domain.errors import AnswerLost, PowensForbidden
from tests.integration.aws import throttled
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connection
from tests.worlds.powens.wire import Answer
from tests.worlds.stream import stream_readers
from tests.worlds.triggers import event_file

PASSING: dict[str, Answer | Exception] = {
    "too many requests": error(429, **{"Retry-After": "20"}),
    "a server error": error(500),
    "a bad gateway": Answer(502, b"<html>bad gateway</html>"),
    "maintenance": error(503, **{"Retry-After": "120"}),
    "a locked connection": error(409, "connectionLocked"),
    "a refused connection": requests.ConnectionError("no route to host"),
    "a connect timeout": requests.ConnectTimeout(),
    "a read timeout": requests.ReadTimeout(),
    "garbage": Answer(200, b"\x00\xff{not json"),
    "a list instead of an object": Answer(200, []),
    "an answer without its parts": Answer(200, {"id": 77}),
}
passing = pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING.keys())


def settled(world: World, connection: Connection, *ticked: int) -> None:
    assert world.enabled(connection) == world.at_powens(connection) == set(ticked)
    assert not world.commands.messages
    assert not world.commands.dead
    assert not world.refresh.messages
    assert not world.refresh.dead


@pytest.mark.parametrize("trouble", list(PASSING.values())[:-1], ids=list(PASSING)[:-1])
def test_a_choice_outlasts_trouble_with_its_updates(world: World, trouble: Answer | Exception) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.forget()
    world.powens.fail("POST /users/41/accounts/2", trouble, times=3)
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1, 2)
    assert len(world.events("AccountsUpdated")) == 1


@passing
def test_a_choice_outlasts_trouble_with_its_read_back_and_orders_nothing_twice(
    world: World, trouble: Answer | Exception
) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.forget()
    world.powens.fail("GET .*", trouble, times=3)
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1, 2)
    assert world.powens.updates == 1
    assert len(world.events("AccountsUpdated")) == 1


@passing
def test_a_hint_outlasts_trouble_with_its_read(world: World, trouble: Answer | Exception) -> None:
    connection = world.connect(1, 2)
    connection.accounts[2].disabled = True
    world.forget()
    world.powens.fail("GET .*", trouble, times=3)
    world.webhook("account-disabled", connection, id=2)
    world.settle()
    settled(world, connection, 1)
    assert len(world.events("AccountsUpdated")) == 1


@passing
def test_trouble_while_the_webview_is_opened_is_a_problem_to_retry(world: World, trouble: Answer | Exception) -> None:
    world.connect(1)
    world.powens.fail("GET /auth/token/code", trouble, times=3)
    refused = world.open_webview()
    assert refused.status == 503
    assert refused.json["code"] in ("powens_unavailable", "connection_locked")
    assert int(refused.headers["retry-after"]) >= 1
    world.powens.behave()
    world.clock.advance(seconds=int(refused.headers["retry-after"]))
    assert world.open_webview().status == 201


def test_powens_says_when_to_come_back_and_the_message_waits_that_long(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.forget()
    world.powens.fail("POST .*", error(429, **{"Retry-After": "45"}))
    world.choose(connection, 1, 2)
    world.settle()
    assert [seconds for _, seconds in world.commands.returned] == [45]
    settled(world, connection, 1, 2)


def test_an_order_that_powens_refuses_ends_only_its_own_account(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(2, 3))
    world.forget()
    world.powens.fail("POST /users/41/accounts/2", error(400, "invalidValue"))
    confirmed = world.choose(connection, 1, 2, 3)
    world.settle()
    ended = world.operation(confirmed)
    assert ended["status"] == "partially_completed"
    reasons = {item["account_id"]: item["reason"] and item["reason"]["code"] for item in ended["accounts"]}
    ids = world.ids(connection)
    assert reasons == {ids[2]: "refused_by_powens", ids[3]: None}
    settled(world, connection, 1, 3)


def test_an_account_that_is_gone_at_powens_is_as_good_as_switched_off(world: World) -> None:
    connection = world.connect(1, 2, 3)
    ids = world.ids(connection)
    del connection.accounts[2]
    confirmed = world.api("PATCH", f"/v1/accounts/{ids[2]}", {"enabled": False})
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    assert world.at_powens(connection) == {1, 3}


def test_an_account_that_is_gone_at_powens_cannot_be_switched_on(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    ids = world.ids(connection)
    del connection.accounts[2]
    confirmed = world.api("PATCH", f"/v1/accounts/{ids[2]}", {"enabled": True})
    world.settle()
    ended = world.operation(confirmed)
    assert ended["status"] == "failed"
    assert ended["accounts"][0]["reason"]["code"] == "not_found_at_powens"


def test_a_revoked_token_is_renewed_with_the_stored_id_of_the_user(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    sealed = [item["sealed_token"]["B"] for item in world.items() if "sealed_token" in item]
    world.powens.revoke_tokens(41)
    world.forget()
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1, 2)
    assert world.powens.count("POST /auth/renew") == 1
    assert len(world.powens.users) == 1
    assert [item["sealed_token"]["B"] for item in world.items() if "sealed_token" in item] != sealed
    world.forget()
    world.webhook("account-synced", connection)
    world.settle()
    assert world.powens.count("POST /auth/renew") == 0


def test_a_token_revoked_between_two_updates_of_one_confirm_repeats_neither(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(2, 3))
    world.forget()
    world.powens.before("POST /users/41/accounts/3", lambda: world.powens.revoke_tokens(41))
    world.choose(connection, 1, 2, 3)
    world.settle()
    settled(world, connection, 1, 2, 3)
    assert world.powens.count("POST /users/41/accounts/2") == 1
    assert len(world.events("AccountsUpdated")) == 1


def test_credentials_that_powens_refuses_lose_nothing_and_alarm(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.powens.revoke_tokens(41)
    world.powens.fail("POST /auth/renew", error(401, "unauthorized"), times=3)
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1, 2)
    assert any(line.get("level") == "ERROR" for line in world.lines())


def test_a_404_for_a_connection_counts_only_when_the_list_lacks_it_too(world: World) -> None:
    connection = world.connect(1)
    world.powens.fail("GET /users/41/connections/77", error(404, "notFound"))
    world.webhook("account-synced", connection)
    world.settle()
    settled(world, connection, 1)
    assert world.events("ConnectionRemoved") == []


def test_a_hint_about_a_connection_that_nobody_knows_is_done_with(world: World) -> None:
    connection = world.connect(1)
    stray = Connection(id=999, user=41, bank="", uuid="", last_update=world.clock())
    world.forget()
    world.webhook("connection-synced", stray)
    world.settle()
    assert world.aws.bus == []
    settled(world, connection, 1)


def test_an_unknown_powens_user_is_acknowledged_and_counted(world: World) -> None:
    connection = world.connect(1)
    stranger = Connection(id=5, user=4711, bank="", uuid="", last_update=world.clock())
    world.forget()
    world.webhook("account-enabled", stranger)
    world.settle()
    assert world.powens.log == []
    assert world.metric("UnknownPowensUsers") == 1
    settled(world, connection, 1)


# --- workers that die


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


REFRESH = f"/v1/connections/{connection_id(77)}/refresh"


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


@pytest.mark.parametrize("what", ["set_account_enabled", "force_sync", "delete_connection", "read_connection"])
def test_what_powens_does_not_allow_us_ends_at_once_and_is_ours_to_solve(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    connection = world.connect(1, 2)

    def forbidden(*_: object) -> None:
        raise PowensForbidden(status=403)

    monkeypatch.setattr(PowensUser, what, forbidden)
    world.forget()
    path = f"/v1/connections/{connection_id(77)}"
    if what == "set_account_enabled":
        asked = world.choose(connection, 1)
    elif what == "delete_connection":
        asked = world.api("DELETE", path, {"confirm": "Banque du Test"})
    else:
        asked = world.api("POST", REFRESH)
    world.settle(within=timedelta(minutes=2))
    ended = world.operation(asked)
    assert ended["status"] == "failed"
    reasons = [line["reason"] for line in ended["accounts"]] or [ended["status_reason"]]
    assert {(r["code"], r["who_must_act"], r["next_step"]) for r in reasons} == {("forbidden_by_powens", "us", "wait")}
    assert world.commands.messages == world.commands.dead == []
    if what == "set_account_enabled":
        shown = {a["id"]: a for a in world.held(connection)["accounts"]}[world.ids(connection)[2]]
        assert (shown["enabled"], shown["status_reason"]["code"]) == (True, "forbidden_by_powens")


def test_orders_that_wait_for_a_look_that_is_not_allowed_are_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.connect(1, 2)
    world.powens.fail("POST /users/41/accounts/2", requests.ConnectionError(), times=3)

    def forbidden(*_: object) -> None:
        raise PowensForbidden(status=403)

    monkeypatch.setattr(PowensUser, "read_connection", forbidden)
    asked = world.choose(connection, 1)
    world.settle(within=timedelta(minutes=2))
    assert [line["reason"]["code"] for line in world.operation(asked)["accounts"]] == ["forbidden_by_powens"]
    assert world.at_powens(connection) == {1, 2}


# --- deadlines


def test_an_order_that_powens_accepts_and_never_shows_times_out_and_says_so(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    connection.accounts[2].obeys = False
    world.forget()
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    ended = world.operation(confirmed)
    assert ended["status"] == "timed_out"
    assert ended["accounts"][0]["reason"]["code"] == "not_applied"
    assert world.powens.updates == 1
    settled(world, connection, 1)
    assert [event["data"]["status"] for event in world.events("OperationEnded")] == ["timed_out"]


def test_an_operation_that_powens_never_answers_for_ends_at_its_deadline(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.powens.fail("POST .*", error(500), times=1000)
    confirmed = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(confirmed)["status"] == "timed_out"
    assert world.held(connection)["accounts"][1]["status_reason"]["who_must_act"] == "powens"
    settled(world, connection, 1)


def test_housekeeping_ends_an_overdue_operation_whose_command_was_lost(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    confirmed = world.choose(connection, 1, 2)
    world.publish()
    lost = list(world.commands.messages)
    world.commands.messages.clear()
    world.keep_house()
    assert world.operation(confirmed)["status"] == "pending"
    assert world.operation(confirmed) == world.api("GET", f"/v1/operations/{confirmed.json['id']}").json
    world.clock.advance(minutes=10)
    world.keep_house()
    assert world.operation(confirmed)["status"] == "timed_out"
    assert world.metric("OverdueOperations") == 1
    world.forget()
    world.commands.messages += lost
    world.settle()
    assert world.powens.log == [], "a late command finds nothing to do"
    assert world.operation(confirmed)["status"] == "timed_out"
    settled(world, connection, 1)


@pytest.mark.parametrize("kind", ["refresh", "deletion"])
def test_housekeeping_ends_every_kind_of_overdue_operation(world: World, kind: str) -> None:
    world.connect(1)
    path = f"/v1/connections/{connection_id(77)}"
    if kind == "refresh":
        asked = world.api("POST", f"{path}/refresh")
    else:
        asked = world.api("DELETE", path, {"confirm": "Banque du Test"})
    world.clock.advance(minutes=11)
    world.keep_house()
    ended = world.operation(asked)
    assert (ended["status"], ended["status_reason"]["code"]) == ("timed_out", "timed_out")


def test_one_operation_that_cannot_be_ended_does_not_keep_the_others_open(world: World) -> None:
    first, second = world.connect(1, 2), world.connect(3, 4, connection_id=78)
    asked = [world.choose(first, 1), world.choose(second, 3)]
    world.clock.advance(minutes=11)
    world.aws.raising("TransactWriteItems", throttled("TransactWriteItems"))
    with pytest.raises(ExceptionGroup):
        world.keep_house()
    assert sorted(world.operation(a)["status"] for a in asked) == ["pending", "timed_out"]
    world.keep_house()
    assert [world.operation(a)["status"] for a in asked] == ["timed_out", "timed_out"]


def test_housekeeping_reads_every_user_back_twice_a_day_and_only_reads(world: World) -> None:
    connection = world.connect(1, 2)
    connection.accounts[2].disabled = True
    world.forget()
    world.keep_house()
    world.settle()
    assert world.powens.log == [], "not due yet"
    world.clock.advance(hours=12)
    world.keep_house()
    world.keep_house()
    world.settle()
    assert world.powens.log == ["GET /users/41/connections", "GET /users/41/accounts"]
    settled(world, connection, 1)
    [event] = world.events("AccountsUpdated")
    assert event["metadata"]["cause"] == "webview"
    assert world.metric("UsersPlanned") == 1


def test_two_runs_of_housekeeping_at_once_plan_a_user_once_more_at_most(world: World) -> None:
    world.connect(1)
    world.clock.advance(hours=12)
    world.forget()
    # Another run moved the user's next reconciliation between this one's query and its write.
    from botocore.exceptions import ClientError

    failed = ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")
    from functions.housekeeping import app as housekeeping

    conditional = housekeeping.container().table.client.exceptions.ConditionalCheckFailedException
    world.aws.raising("UpdateItem", conditional(failed.response, "UpdateItem"))
    world.keep_house()
    world.settle()
    assert world.powens.reads == 1


# --- AWS


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
    with pytest.raises(PublishFailedError):
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


# --- poison


@pytest.mark.parametrize(
    "body",
    ["not JSON", "[]", "{}", '{"version": 2}', "null", '{"version":1,"powens_user_id":0}', "\ud800"],
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
        ("connection_refresh/unknown-version", connection_refresh.lambda_handler, True),
        ("connection_refresh/account-enabled", connection_refresh.lambda_handler, False),
        ("connection_refresh/webview-return", connection_refresh.lambda_handler, False),
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


def test_a_bug_in_a_worker_is_logged_with_its_trace_and_tried_again(
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


# --- late and removed


def test_a_deleted_connection_stays_gone_after_a_read_that_began_before(world: World) -> None:
    connection = world.connect(1)
    ended = world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.publish()

    def meanwhile() -> None:
        assert world.deliver("commands")

    world.webhook("account-synced", connection)
    world.clock.advance(seconds=2)
    world.powens.before("GET /users/41/connections/77/accounts", meanwhile)
    world.deliver("refresh")
    world.settle()
    assert world.operation(ended)["status"] == "completed"
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert len(world.events("ConnectionRemoved")) == 1


def test_a_connection_that_goes_away_during_a_choice_ends_it(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()

    def gone() -> None:
        del world.powens.connections[77]
        world.webhook("connection-deleted", connection)

    confirmed = world.choose(connection, 1)
    world.powens.before("POST .*", gone)
    world.settle()
    assert world.operation(confirmed)["status"] in ("failed", "completed")
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert not world.commands.dead
    assert world.powens.count(".*") < 15


def test_a_connection_that_is_gone_when_it_is_refreshed_is_found_out_and_leaves_the_list(world: World) -> None:
    world.connect(1)
    del world.powens.connections[77]
    world.forget()
    asked = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.settle()
    ended = world.operation(asked)
    assert (ended["status"], ended["status_reason"]["code"]) == ("failed", "connection_removed")
    assert len(world.powens.log) == 4
    assert len(world.events("ConnectionRemoved")) == 1


def test_a_404_during_a_choice_that_the_list_contradicts_is_waited_out(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.fail("GET /users/41/connections/77", error(404, "notFound"), times=2)
    confirmed = world.choose(connection, 1)
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    settled(world, connection, 1)
    assert world.powens.updates == 1


def test_a_user_whom_powens_does_not_know_any_more_is_not_asked_for_again_and_again(world: World) -> None:
    connection = world.connect(1, 2)
    del world.powens.users[41]
    confirmed = world.choose(connection, 1)
    world.webhook("account-synced", connection)
    world.forget()
    world.settle()
    assert world.operation(confirmed)["status"] == "failed"
    assert len(world.powens.log) < 250, "two requests a time, within the half hour that the queues go on trying"
    assert not world.commands.dead


def test_a_user_who_never_was_at_powens_can_have_no_command(world: World) -> None:
    from shared.domain.errors import NotFound

    with pytest.raises(NotFound), world.looking():
        account_commands.container().access.of("bob")


def test_a_user_whom_powens_deleted_loses_the_connections_and_can_start_again(world: World) -> None:
    connection = world.connect(1, 2)
    gone = world.powens_user("alice")
    assert gone is not None
    del world.powens.users[gone]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert [e["data"]["connection_id"] for e in world.events("ConnectionRemoved")] == [connection_id(77)]
    assert world.refresh.dead == []
    assert world.powens_user("alice") is None
    assert world.connect(3, connection_id=78).id == 78
    assert world.powens_user("alice") not in (None, gone)


def test_a_visit_to_the_webview_makes_a_new_powens_user_when_the_old_one_is_gone(world: World) -> None:
    world.connect(1)
    gone = world.powens_user("alice")
    assert gone is not None
    del world.powens.users[gone]
    assert world.open_webview().status == 201
    assert world.powens_user("alice") not in (None, gone)
    # The visit may never come to an end: what went with the old user goes all the same.
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert len(world.events("ConnectionRemoved")) == 1


def test_a_named_account_is_told_again_even_when_powens_changed_it_unseen(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    account = world.ids(connection)[2]
    world.powens.account(2).disabled = False  # ticked in the Webview; no webhook has told us yet
    reply = world.api("PATCH", f"/v1/accounts/{account}", {"enabled": False})
    world.settle()
    assert world.operation(reply)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1}


def test_a_repair_of_the_largest_connection_fits_one_transaction(world: World) -> None:
    connection = world.connect(*range(1, 121))
    for account_id in range(1, 121):
        old = world.powens.account(account_id)
        old.deleted = True
        world.powens.add_account(connection, 1000 + account_id, disabled=True, number=old.number, iban=old.iban)
    world.clock.advance(seconds=10)
    world.webhook("account-found", connection, id=1001)
    world.settle()
    assert sum(account_id > 1000 for account_id in world.at_powens(connection)) == 120
    assert [d["data"]["status"] for d in world.events("OperationEnded")] == ["completed"]
    assert world.refresh.dead == world.commands.dead == []


def test_a_number_too_long_is_no_json(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/connections/{connection_id(connection.id)}/selection"
    reply = world.api("PUT", path, raw='{"enabled_account_ids": ' + "1" * 5000 + "}")
    assert (reply.status, reply.json["code"]) == (400, "invalid_json")


def test_a_deletion_that_powens_refuses_ends_as_failed_at_once(world: World) -> None:
    connection = world.connect(1)
    world.powens.fail("DELETE /users/.*/connections/77", error(400, "invalidValue"))
    reply = world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.settle()
    ended = world.operation(reply)
    assert (ended["status"], ended["status_reason"]["code"]) == ("failed", "refused_by_powens")
    assert world.held(connection)["status"] == "ok"
