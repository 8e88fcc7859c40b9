"""An erasure takes everything about a user, here and at Powens, and leaves a receipt that names nobody."""

import json
from dataclasses import dataclass
from datetime import timedelta

from functions.accounts_api.container import container
from shared.adapters.dynamodb.live import DynamoDBSockets
from shared.application.live import Live
from shared.domain.connection import connection_id
from shared.domain.erasure import LATE_AFTER, QUIET_FOR
from tests.integration.erasure_steps import MANUAL, erase, erased, filled, receipt, traces
from tests.integration.world import Context, World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.fake import error


class Screens:
    """Sockets that are all open."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.closed: list[str] = []

    def send(self, _: str, message: str) -> bool:
        self.heard.append(message)
        return True

    def close(self, socket_id: str) -> None:
        self.closed.append(socket_id)


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


def test_open_screens_hear_of_the_end_and_are_forgotten_with_it(world: World) -> None:
    filled(world)
    filled(world, user="bob", connection=99)
    erase(world)
    world.settle()
    screens = Screens()
    with world.looking():
        store = DynamoDBSockets(container().table)
        Live(store, screens, world.clock).tell(
            "alice", event="UserErased", connection_id=None, revision=0, is_last=True
        )
    assert [json.loads(message)["event"] for message in screens.heard] == ["UserErased"]
    assert screens.closed == ["socket-alice"]
    assert {item["sk"]["S"] for item in world.items() if "SOCKET" in str(item)} == {"SOCKET", "SOCKET#socket-bob"}
    assert not [item for item in world.items() if "SOCKET" in str(item) and "alice" in str(item)]


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
