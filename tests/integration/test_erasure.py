"""The end of everything held about a user, here and at Powens; and the copy that a user can take along."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from functions.account_commands import app as account_commands
from functions.accounts_api.container import container
from shared.adapters import dynamodb
from shared.adapters.dynamodb.kinds import KINDS
from shared.adapters.dynamodb.live import DynamoDBSockets
from shared.application.live import OpenSocket
from shared.domain.connection import connection_id
from shared.domain.erasure import LATE_AFTER, QUIET_FOR
from tests.integration.aws import throttled
from tests.integration.world import Context, KilledError, Reply, World, killed_at
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connection
from tests.worlds.powens.wire import Answer

MANUAL: dict[str, Any] = {"name": "Livret souple", "type": "savings", "currency": "EUR", "balance": "1200.50"}


def filled(world: World, user: str = "alice", connection: int = 77) -> Connection:
    """A user with something of every kind."""
    made = world.connect(connection * 10, connection * 10 + 1, user=user, connection_id=connection)
    world.open_webview_with("opened", user=user)
    added = world.api("POST", "/v1/accounts", MANUAL, user=user, idempotency_key="added")
    assert added.status == 201
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shared.domain.manual.CHUNK", 1)
        assert world.api("PATCH", added.headers["location"], {"balance": "7"}, user=user).status == 200
    institution = world.api("GET", "/v1/connections", user=user).json["connections"][0]["institution"]["id"]
    assert world.api("POST", "/v1/wishes", {"institution_id": institution, "type": "crypto"}, user=user).status == 201
    socket = OpenSocket(
        id=f"socket-{user}", user_id=user, opened_at=world.clock(), until=world.clock() + timedelta(hours=1)
    )
    with world.looking():
        DynamoDBSockets(container().table).add_socket(socket)
    held = world.api("GET", f"/v1/connections/{connection_id(connection)}", user=user).json
    body = {"enabled_account_ids": [held["accounts"][0]["id"]]}
    path = f"/v1/connections/{connection_id(connection)}/selection"
    assert world.api("PUT", path, body, user=user, idempotency_key="chosen").status == 202
    return made


def erase(world: World, user: str = "alice", **headers: str) -> Reply:
    reply = world.api("DELETE", "/v1/me", user=user, **headers)
    assert reply.status == 202, reply.body
    return reply


def receipt(world: World, begun: Reply, user: str = "alice") -> Reply:
    return world.api("GET", begun.headers["location"], user=user)


def traces(world: World, user: str) -> list[dict[str, Any]]:
    """Items that name the user, the event of the erasure aside."""
    return [item for item in world.items() if user in json.dumps(item, default=str) and "ERASED#" not in str(item)]


def erased(world: World, begun: Reply) -> None:
    """What holds of alice once the erasure has ended, whatever happened on the way."""
    shown = receipt(world, begun)
    assert (shown.status, shown.json["kind"], shown.json["status"]) == (200, "erasure", "completed"), shown.body
    assert traces(world, "alice") == []
    assert 41 not in world.powens.users
    [event] = world.events("UserErased")
    assert event["data"] == {"user_id": "alice", "revision": 0, "accounts": []}
    assert event["metadata"]["cause"] == "erasure"
    assert not world.commands.dead
    assert not world.refresh.dead


def test_nothing_is_left_of_an_erased_user_here_or_at_powens_but_a_receipt(world: World) -> None:
    connection = filled(world)
    other = filled(world, user="bob", connection=99)
    world.settle()
    before = [item for item in world.items() if "bob" in json.dumps(item, default=str)]
    world.forget()

    begun = erase(world)
    assert begun.json["status"] == "running"
    assert begun.headers["retry-after"] == "5"
    assert receipt(world, begun).headers["retry-after"] == "5"
    world.settle()

    erased(world, begun)
    assert world.powens.log == ["DELETE /users/41"]
    assert "retry-after" not in receipt(world, begun).headers
    assert world.api("GET", "/v1/connections").json == world.api("GET", "/v1/connections", user="nobody").json
    assert world.api("GET", "/v1/history").json["entries"] == []
    assert world.api("GET", f"/v1/connections/{connection_id(connection.id)}").status == 404
    # A neighbour keeps everything.
    assert [item for item in world.items() if "bob" in json.dumps(item, default=str)] == before
    assert world.powens.connections == {other.id: other}


def test_the_receipt_says_nothing_of_who_it_was_and_only_they_can_read_it(world: World) -> None:
    filled(world)
    begun = erase(world)
    world.settle()
    [kept] = [item for item in world.items() if item["sk"]["S"] == "RECEIPT"]
    assert set(kept) == {"pk", "sk", "requested_at", "ended_at", "ttl"}
    assert "alice" not in str(kept)
    assert begun.json["id"] not in str(kept)
    assert receipt(world, begun, user="bob").json["code"] == "operation_not_found"
    assert receipt(world, begun).json["ended_at"] is not None


def test_the_list_is_empty_at_once_and_powens_is_asked_when_what_began_before_has_ended(world: World) -> None:
    filled(world)
    world.settle()
    world.forget()
    began = world.clock.now
    erase(world)
    world.publish()
    world.deliver("commands")
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert world.powens.log == []
    world.settle()
    assert world.powens.log == ["DELETE /users/41"]
    assert QUIET_FOR <= world.clock.now - began <= 2 * QUIET_FOR


def test_an_erasure_that_is_under_way_is_the_answer_to_another_request_for_one(world: World) -> None:
    filled(world)
    first = erase(world, idempotency_key="once")
    assert erase(world, idempotency_key="once").body == first.body
    assert erase(world).json["id"] == first.json["id"]
    world.settle()
    erased(world, first)


def test_two_devices_that_erase_at_the_same_moment_begin_one_erasure(world: World) -> None:
    filled(world)
    replies: list[Reply] = []
    world.aws.fault("TransactWriteItems", lambda _: replies.append(erase(world)))
    replies.append(erase(world))
    assert len({reply.json["id"] for reply in replies}) == 1
    world.settle()
    erased(world, replies[0])


def test_while_a_user_is_being_erased_nothing_is_read_ordered_or_begun(world: World) -> None:
    connection = filled(world)
    world.publish()
    world.forget()
    begun = erase(world)
    world.webhook("account-enabled", connection)
    world.webhook("connection-synced", connection)
    opened = world.open_webview()
    assert (opened.status, opened.json["code"]) == (409, "user_being_erased")
    assert "effacement" in opened.json["detail"]
    added = world.api("POST", "/v1/accounts", MANUAL)
    assert (added.status, added.json["code"]) == (409, "user_being_erased")
    while world.deliver("refresh") or world.deliver("commands"):
        pass
    world.keep_house()
    assert world.powens.log == []
    world.settle()
    assert world.powens.log == ["DELETE /users/41"]
    erased(world, begun)


def test_late_webhooks_and_old_messages_revive_nothing(world: World) -> None:
    connection = filled(world)
    world.publish()
    late = [(queue, list(queue.messages)) for queue in world.aws.queues.values()]
    opened = world.open_webview()
    begun = erase(world)
    world.settle()
    world.forget()
    for queue, messages in late:
        queue.messages += messages
    for name in ("account-enabled", "connection-synced", "connection-deleted", "user-deleted"):
        world.webhook(name, connection)
    assert world.come_back(opened).headers["location"] == ORIGIN
    world.settle()
    world.keep_house()
    world.settle()
    assert world.powens.log == []
    assert traces(world, "alice") == []
    assert world.events() == []
    assert receipt(world, begun).json["status"] == "completed"


def test_the_same_person_may_start_again_and_is_somebody_new_at_powens(world: World) -> None:
    filled(world)
    begun = erase(world)
    world.settle()
    assert world.open_webview().status == 201
    assert world.powens_user("alice") == 42
    connection = world.connect(5, connection_id=80)
    assert world.enabled(connection) == {5}
    assert receipt(world, begun).json["status"] == "completed"
    again = erase(world)
    world.settle()
    assert again.json["id"] != begun.json["id"]
    assert world.powens.users == {}
    assert len(world.events("UserErased")) == 2
    assert traces(world, "alice") == []


def test_somebody_who_was_never_at_powens_is_erased_without_asking_powens(world: World) -> None:
    world.api("POST", "/v1/accounts", MANUAL)
    begun = erase(world)
    world.settle()
    assert world.powens.log == []
    assert receipt(world, begun).json["status"] == "completed"
    assert traces(world, "alice") == []


def test_a_powens_user_who_is_gone_already_or_whose_token_is_lost_is_no_obstacle(world: World) -> None:
    filled(world)
    world.settle()
    world.powens.users.clear()
    begun = erase(world)
    world.settle()
    erased(world, begun)


def test_a_revoked_token_is_renewed_in_order_to_delete_the_user(world: World) -> None:
    filled(world)
    world.settle()
    world.powens.revoke_tokens(41)
    world.forget()
    begun = erase(world)
    world.settle()
    assert world.powens.log == ["DELETE /users/41", "POST /auth/renew", "DELETE /users/41"]
    erased(world, begun)


def test_a_token_that_cannot_be_opened_is_renewed_too(world: World) -> None:
    filled(world)
    world.settle()
    world.forget()
    with world.looking():
        world.dynamodb.update_item(
            TableName="accounts-table",
            Key={"pk": {"S": "USER#alice"}, "sk": {"S": "PROFILE"}},
            UpdateExpression="SET sealed_token = :garbage",
            ExpressionAttributeValues={":garbage": {"B": b"another key's"}},
        )
    begun = erase(world)
    world.settle()
    assert world.powens.log == ["POST /auth/renew", "DELETE /users/41"]
    erased(world, begun)


@dataclass
class Hurried(Context):
    """An invocation in which time runs: five seconds between two looks at the clock."""

    def get_remaining_time_in_millis(self) -> int:
        self.seconds -= 5
        return super().get_remaining_time_in_millis()


@pytest.mark.parametrize("after", [False, True], ids=["before a call", "after a call"])
def test_an_erasure_that_is_killed_at_any_call_ends_all_the_same(world: World, after: bool) -> None:
    filled(world)
    begun = erase(world)
    world.publish()
    world.clock.advance(minutes=1)
    survived = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            # Each run is killed one call later than the one before.
            killed_at(patch, world, survived, after=after)
            try:
                messages = [message.record() for message in world.commands.messages]
                world.invoke(account_commands.lambda_handler, {"Records": messages})
            except KilledError:
                survived += 1
                continue
        break
    assert survived >= 6
    world.settle()
    erased(world, begun)


def test_more_than_fits_one_run_takes_several(world: World) -> None:
    filled(world)
    world.settle()
    with world.looking():
        for number in range(300):
            item = {"pk": {"S": "USER#alice"}, "sk": {"S": f"EVENT#{number:026d}"}}
            world.dynamodb.put_item(TableName="accounts-table", Item=item)
    begun = erase(world)
    runs = 0
    world.context = Hurried()
    world.publish()
    while world.deliver("commands"):
        runs += 1
        world.clock.advance(minutes=1)
        world.context = Hurried()
    assert runs > 2
    assert receipt(world, begun).json["status"] == "completed"
    assert traces(world, "alice") == []


def test_powens_may_be_down_for_hours_and_operators_hear_of_it(world: World) -> None:
    filled(world)
    world.settle()
    begun = erase(world)
    world.powens.fail("DELETE /users/41", error(503), times=10_000)
    world.settle(within=timedelta(minutes=5))
    world.keep_house()
    assert world.metric("LateErasures") == 0
    assert world.api("GET", "/v1/connections").json["connections"] == []
    world.settle(within=LATE_AFTER)
    world.clock.advance(hours=1)
    world.commands.messages.clear()  # its receives have run out
    world.keep_house()
    world.keep_house()
    assert world.metric("LateErasures") == 1
    assert receipt(world, begun).json["status"] == "running"
    world.powens.behave()
    world.settle()
    world.commands.dead.clear()  # the first command: an hour is long
    erased(world, begun)
    world.clock.advance(hours=2)
    world.keep_house()
    assert world.metric("LateErasures") == 1


def test_a_read_that_began_before_the_erasure_writes_nothing_after_it(world: World) -> None:
    connection = filled(world)
    world.settle()
    new = world.powens.add_connection(41, "Banque du Test", connection_id=78, uuid=connection.uuid)
    world.powens.add_account(new, 3)
    begun: list[Reply] = []

    def meanwhile() -> None:
        begun.append(erase(world))
        world.settle()

    world.webhook("connection-synced", new)
    world.powens.before("GET /users/41/connections/78/accounts", meanwhile)
    # The answer was on its way already.
    world.powens.fail("GET /users/41/connections/78/accounts", Answer(200, {"accounts": []}))
    world.clock.advance(seconds=2)
    world.deliver("refresh")
    world.settle()
    erased(world, begun[0])


def test_an_order_that_began_before_the_erasure_writes_nothing_after_it(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.choose(connection, 1, 2)
    begun: list[Reply] = []

    def meanwhile() -> None:
        begun.append(erase(world))
        world.settle()

    world.publish()
    world.powens.before("POST /users/41/accounts/2", meanwhile)
    world.deliver("commands")
    world.settle()
    erased(world, begun[0])


@pytest.mark.parametrize("moment", ["POST /auth/init", "POST /auth/token/access", "GET /auth/token/code"])
def test_a_powens_user_who_is_just_being_made_does_not_outlive_the_erasure(world: World, moment: str) -> None:
    begun: list[Reply] = []
    world.powens.before(moment, lambda: begun.append(erase(world)))
    opened = world.open_webview()
    assert opened.status in (409, 503), opened.body
    world.settle()
    assert receipt(world, begun[0]).json["status"] == "completed"
    assert traces(world, "alice") == []
    # A temporary one disappears by itself, and nobody knows it.
    assert all(user.temporary for user in world.powens.users.values())


def test_a_powens_user_that_was_replaced_before_it_was_complete_leaves_no_trace(world: World) -> None:
    world.powens.fail("POST /auth/token/access", error(500))
    assert world.open_webview().status == 503
    world.powens.users.clear()  # after half an hour
    world.clock.advance(hours=1)
    assert world.open_webview().status == 201
    assert world.powens_user("alice") == 42
    assert not [item for item in world.items() if item["pk"]["S"] == "POWENS#41"]
    erase(world)
    world.settle()
    assert traces(world, "alice") == []


def test_housekeeping_is_not_troubled_by_an_operation_that_an_erasure_took_meanwhile(world: World) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    [stale] = [item for item in world.items() if "connection_id" in item and item["sk"]["S"].startswith("OPERATION#")]
    with world.looking():
        held = {"pk": stale["pk"], "sk": {"S": f"LIST#CONNECTION#{connection_id(connection.id)}"}}
        world.dynamodb.delete_item(TableName="accounts-table", Key=held)
    world.aws.fault("Query", lambda _: {"Items": [stale]})
    # An operation that is still there without its connection is a reason to worry, one that went with it is not.
    with pytest.raises(ExceptionGroup):
        world.keep_house()
    with world.looking():
        world.dynamodb.delete_item(TableName="accounts-table", Key={"pk": stale["pk"], "sk": stale["sk"]})
    world.aws.fault("Query", lambda _: {"Items": [stale]})
    world.keep_house()


def test_a_write_in_the_way_of_an_erasure_only_delays_it(world: World) -> None:
    filled(world)
    begun = erase(world)
    world.aws.raising("TransactWriteItems", throttled("TransactWriteItems"), times=3)
    world.settle()
    erased(world, begun)


def test_checks_that_meet_are_tried_again_and_opening_the_webview_goes_through(world: World) -> None:
    world.open_webview()
    refusal = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": [{}] * 3}
    refusal["CancellationReasons"] = [{"Code": "None"}, {"Code": "None"}, {"Code": "TransactionConflict"}]
    conflict = world.dynamodb.exceptions.TransactionCanceledException(refusal, "TransactWriteItems")
    world.aws.raising("TransactWriteItems", conflict, times=3)
    assert world.open_webview().status == 201
    world.aws.raising("TransactWriteItems", conflict, times=4)
    reply = world.open_webview()
    assert (reply.status, reply.json["code"]) == (503, "store_unavailable")


# --- the export ----------------------------------------------------------------------------------------------------


def exported(world: World, user: str = "alice") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query = ""
    while True:
        reply = world.api("GET", "/v1/me/export", user=user, query=query)
        assert reply.status == 200, reply.body
        items += reply.json["items"]
        if reply.json["next"] is None:
            return items
        query = f"cursor={reply.json['next']}"


def test_an_export_shows_everything_that_is_held_and_no_secret(world: World) -> None:
    connection = filled(world)
    world.publish()
    items = exported(world)
    kinds = {item["kind"] for item in items}
    assert kinds == {kind.name for kind in KINDS.values()}
    assert len(items) == len([item for item in world.items() if item["pk"]["S"] == "USER#alice"])
    text = json.dumps(items, default=str)
    for secret in world.powens.secrets:
        assert secret not in text
    opened = [item for item in world.items() if item["pk"]["S"].startswith("SESSION#")]
    assert opened
    assert all(item["pk"]["S"].removeprefix("SESSION#") not in text for item in opened)
    assert "sealed" not in text
    assert not re.search(r"\"(iban|number)_key\"", text)
    [held] = [item["content"] for item in items if item["kind"] == "connection"]
    assert {account["name"] for account in held["accounts"]} == {a.name for a in connection.accounts.values()}
    assert all(account["iban_hash"] for account in held["accounts"])
    [access] = [item["content"] for item in items if item["kind"] == "access"]
    assert access["powens_user_id"] == 41
    assert exported(world, user="bob") == []


def test_an_export_can_be_saved_as_a_file(world: World) -> None:
    reply = world.api("GET", "/v1/me/export")
    assert reply.headers["content-disposition"] == 'attachment; filename="synced-accounts.json"'
    assert reply.headers["cache-control"] == "no-store"


def test_a_page_of_an_export_fits_an_answer_of_lambda_whatever_is_held(world: World) -> None:
    world.connect(1)
    [stored] = [item for item in world.items() if item["sk"]["S"].startswith("LIST#CONNECTION#")]
    document = json.loads(stored["document"]["S"])
    # The widest text: each character is escaped twice on its way through Lambda.
    wide = json.dumps(document | {"accounts": [{"name": '"' * 185_000}]})
    with world.looking():
        for number in range(6):
            key = {"sk": {"S": f"LIST#CONNECTION#{number}"}, "document": {"S": wide}}
            world.dynamodb.put_item(TableName="accounts-table", Item=stored | key)
    query, pages = "", 0
    while True:
        event_answer = world.api("GET", "/v1/me/export", query=query)
        assert event_answer.status == 200
        pages += 1
        assert len(json.dumps({"statusCode": 200, "body": event_answer.body})) < 6_000_000
        if event_answer.json["next"] is None:
            break
        query = f"cursor={event_answer.json['next']}"
    assert pages > 1


@pytest.mark.parametrize("cursor", ["", "x", "////", "YWxpY2U", "RVZFTlQjMQ%3D%3D", "A" * 1999, "w4A"])
def test_a_cursor_that_is_none_of_ours_is_refused(world: World, cursor: str) -> None:
    reply = world.api("GET", "/v1/me/export", query=f"cursor={cursor}")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_cursor", "cursor")


@pytest.mark.parametrize("cursor", ["x", "01", "~", "EVENT#01KJYZ4A8Q0000000000000007", "01kjyz4a8q0000000000000007"])
def test_the_history_refuses_a_cursor_that_is_none_of_ours(world: World, cursor: str) -> None:
    reply = world.api("GET", "/v1/history", query=f"cursor={cursor.replace('#', '%23')}")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_cursor", "cursor")


def test_every_kind_of_item_in_a_users_partition_says_how_it_is_exported_and_erased() -> None:
    rows = re.findall(r"^\| .+ \| USER#<user> \| (\S+) \|", dynamodb.__doc__ or "", re.MULTILINE)
    assert len(rows) > 8
    for sort_key in rows:
        assert sort_key.startswith(tuple(KINDS)), f"{sort_key} has no entry in KINDS"


def test_every_item_outside_a_users_partition_that_names_the_user_is_reached_from_inside(world: World) -> None:
    filled(world)
    outside = {item["pk"]["S"].partition("#")[0] for item in world.items() if not item["pk"]["S"].startswith("USER#")}
    # What lies at an institution names nobody: its keys hold a keyed hash, which goes with the connection.
    assert outside == {"INSTITUTION", "POWENS", "SESSION", "SOCKET"}
