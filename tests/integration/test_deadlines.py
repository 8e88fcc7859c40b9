"""Operations end at their deadline, and housekeeping does what nobody else has done."""

import pytest

from shared.domain.connection import connection_id
from tests.integration.aws import throttled
from tests.integration.fault_steps import settled
from tests.integration.world import World
from tests.worlds.powens.fake import error

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
