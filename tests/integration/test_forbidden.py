"""403 is not 401: it may be about the token or about us, and costs at most two new tokens per user and hour."""

from datetime import timedelta

import pytest
import requests

from shared.adapters.powens.user import PowensUser
from shared.domain.connection import connection_id
from shared.domain.errors import PowensForbidden
from tests.integration.fault_steps import REFRESH
from tests.integration.world import World
from tests.worlds.powens.fake import error

FORBIDDEN = error(403, "forbidden")


def renewals(world: World) -> int:
    return world.powens.count("POST /auth/renew")


def test_a_forbidden_choice_ends_at_once_and_says_that_we_must_act(world: World) -> None:
    connection = world.connect(1, 2, 3)
    world.powens.fail("POST /users/41/accounts/.*", FORBIDDEN, times=99)
    began = world.clock.now
    asked = world.choose(connection, 1)
    world.settle()
    operation = world.operation(asked)
    assert world.clock.now - began < timedelta(seconds=10)
    assert operation["status"] == "failed"
    reasons = {(item["reason"]["code"], item["reason"]["who_must_act"]) for item in operation["accounts"]}
    assert reasons == {("forbidden_by_powens", "us")}
    assert world.enabled(connection) == {1, 2, 3}
    assert (world.powens.updates, renewals(world)) == (2, 0)  # the token is good for other things


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/refresh", None), ("DELETE", "", {"confirm": "Banque du Test"})],
)
@pytest.mark.parametrize(("line", "tokens"), [("(PUT|DELETE) .*", 0), ("(PUT|DELETE|GET) /users/.*", 1)])
def test_a_forbidden_refresh_or_end_of_a_bank_ends_at_once(
    world: World, method: str, path: str, body: object, line: str, tokens: int
) -> None:
    world.connect(1)
    world.powens.fail(line, FORBIDDEN, times=99)
    asked = world.api(method, f"/v1/connections/{connection_id(77)}{path}", body)
    world.settle()
    operation = world.operation(asked)
    assert (operation["status"], operation["status_reason"]["code"]) == ("failed", "forbidden_by_powens")
    assert renewals(world) == tokens


def test_a_day_of_403_costs_at_most_two_new_tokens_an_hour(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.fail("(POST|PUT|GET) /users/.*", FORBIDDEN, times=99_999)
    began = world.clock.now
    for hour in range(24):
        world.choose(connection, 1 + hour % 2)
        world.webhook("connection-synced", connection)
        world.settle(within=timedelta(minutes=20))
        world.clock.advance(minutes=30)
        assert renewals(world) <= 2 * ((world.clock.now - began) / timedelta(hours=1) + 1)
    assert renewals(world) > 1
    world.refresh.dead.clear()


def test_a_domain_that_answers_403_to_a_revoked_token_is_served(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.bad_token_status = 403
    world.powens.revoke_tokens(41)
    asked = world.choose(connection, 1)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert renewals(world) == 1


def test_a_domain_that_answers_403_to_revoked_tokens_is_served_twice_within_an_hour(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.bad_token_status = 403
    for ticked in (1, 2):
        world.powens.revoke_tokens(41)
        asked = world.choose(connection, ticked)
        world.settle()
        assert world.operation(asked)["status"] == "completed"
        world.clock.advance(minutes=1)
    assert renewals(world) == 2


def test_a_renewal_that_powens_does_not_answer_is_tried_again_and_counts_for_nothing(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.bad_token_status = 403
    world.powens.revoke_tokens(41)
    world.powens.fail("POST /auth/renew", error(503, "maintenance"), times=4)
    asked = world.choose(connection, 1)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert renewals(world) == 5


def test_a_worker_with_an_older_token_takes_the_newer_one_that_is_kept(world: World) -> None:
    connection = world.connect(1, 2)
    world.powens.bad_token_status = 403
    opened = world.open_webview(flow="manage", connection_id=connection_id(77))
    assert opened.status == 201
    world.powens.revoke_tokens(41)

    def elsewhere() -> None:
        # Another worker meets the same 403 first, and renews.
        assert world.open_webview(flow="manage", connection_id=connection_id(77)).status == 201

    world.powens.before("POST /users/41/accounts/2", elsewhere)
    asked = world.choose(connection, 1)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert renewals(world) == 1


@pytest.mark.parametrize("bad_token", [401, 403])
@pytest.mark.parametrize("gone", [400, 403, 404, 409])
def test_a_user_who_is_gone_at_powens_is_noticed_under_every_status(world: World, bad_token: int, gone: int) -> None:
    connection = world.connect(1)
    world.powens.bad_token_status, world.powens.gone_user_status = bad_token, gone
    del world.powens.users[41], world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    assert world.metric("PowensUsersGone") == 1
    assert world.powens.users == {}  # nobody is left of those who were asked for as a witness
    assert world.refresh.dead == []


@pytest.mark.parametrize("bad_token", [401, 403])
@pytest.mark.parametrize("refused", [400, 401, 403, 409])
def test_wrong_credentials_never_look_like_all_users_gone(world: World, bad_token: int, refused: int) -> None:
    connection = world.connect(1)
    world.powens.bad_token_status, world.powens.credentials_refused_with = bad_token, refused
    world.powens.revoke_tokens(41)
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.enabled(connection) == {1}
    assert world.metric("PowensUsersGone") == 0
    world.refresh.dead.clear()


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
