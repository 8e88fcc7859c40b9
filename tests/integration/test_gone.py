"""What comes late, and what is gone at Powens: connections, users, tokens."""

import pytest

from functions.account_commands import app as account_commands
from functions.powens_webhook import app as powens_webhook
from shared.domain.connection import connection_id
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.triggers import event_file, signed


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


@pytest.mark.parametrize("flow", ["manage", "reconnect"])
def test_a_visit_to_a_connection_that_went_with_its_powens_user_is_not_opened(world: World, flow: str) -> None:
    world.connect(1)
    gone = world.powens_user("alice")
    assert gone is not None
    del world.powens.users[gone]
    opened = world.open_webview(flow=flow, connection_id=connection_id(77))
    assert (opened.status, opened.json["code"]) == (404, "connection_not_found")
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert world.open_webview().status == 201


def test_a_named_account_is_told_again_even_when_powens_changed_it_unseen(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    account = world.ids(connection)[2]
    world.powens.account(2).disabled = False  # ticked in the Webview; no webhook has told us yet
    reply = world.api("PATCH", f"/v1/accounts/{account}", {"enabled": False})
    world.settle()
    assert world.operation(reply)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1}


def test_a_restoration_of_the_largest_connection_fits_one_transaction(world: World) -> None:
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


def test_a_deletion_that_powens_refuses_ends_as_failed_at_once(world: World) -> None:
    connection = world.connect(1)
    world.powens.fail("DELETE /users/.*/connections/77", error(400, "invalidValue"))
    reply = world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.settle()
    ended = world.operation(reply)
    assert (ended["status"], ended["status_reason"]["code"]) == ("failed", "refused_by_powens")
    assert world.held(connection)["status"] == "ok"


def test_one_signed_word_of_a_deleted_user_costs_one_look_however_often_it_is_replayed(world: World) -> None:
    for number in range(70, 75):
        world.connect(number, connection_id=number)
    path, body = "/webhooks/powens/user-deleted", b'{"id": 41}'
    event = event_file("powens_webhook/user-deleted") | {"body": body.decode(), "isBase64Encoded": False}
    event["headers"] = {"host": "api.example.com", **signed(path, body, world.clock())}
    world.forget()
    for _ in range(60):
        with world.invoking():
            assert powens_webhook.lambda_handler(event, None)["statusCode"] == 200
        world.clock.advance(seconds=4)
        world.settle()
    assert world.powens.count("GET /users/41/connections.*") == 1
    assert len(world.powens.log) <= 1 + 5
