"""Powens in trouble: each answer that it may give instead of a good one, at each place where it is asked."""

import pytest
import requests

from tests.integration.fault_steps import settled
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connection
from tests.worlds.powens.wire import Answer

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
