"""An erasure among other work: killed at any call, beside reads, orders, visits and housekeeping."""

import pytest

from functions.account_commands import app as account_commands
from shared.domain.connection import connection_id
from tests.integration.aws import throttled
from tests.integration.erasure_steps import erase, erased, filled, receipt, traces
from tests.integration.world import KilledError, Reply, World, killed_at
from tests.worlds.powens.fake import error
from tests.worlds.powens.wire import Answer


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
    world.clock.advance(minutes=11)
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
