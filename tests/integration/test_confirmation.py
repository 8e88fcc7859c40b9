"""A visit belongs to who opened it: what it connects is nobody's until the opener confirms it (ADR 0043).

Alice opens the visits; bob is the stranger who follows her link.
"""

import json
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.domain.connection import connection_id
from tests.ibans import iban
from tests.integration.api_steps import refused
from tests.integration.aws import throttled
from tests.integration.world import KilledError, Reply, World, killed_at
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connection

OURS = connection_id(77)
CONFIRMATION = f"/v1/connections/{OURS}/confirmation"
HOUR = timedelta(hours=1)
BANK = "338178e6-3d01-564f-9a7b-000000000077"

pytestmark = pytest.mark.usefixtures("clients_that_confirm")


@pytest.fixture
def _clients_that_do_not(clients_that_confirm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIRM_CONNECTIONS_WITHIN_MINUTES", "0")


def connected(world: World, *, way_back: str = "&connection_id=77") -> tuple[Connection, Reply]:
    """A bank that somebody has connected in a visit of alice's, and the browser's way back."""
    opened = world.open_webview()
    powens_user = world.powens_user("alice")
    assert powens_user is not None
    made = world.powens.add_connection(powens_user, "Banque du Test", connection_id=77, uuid=BANK)
    world.powens.add_account(made, 1, type="savings")
    return made, world.come_back(opened, way_back)


def code_of(returned: Reply) -> str | None:
    return dict(parse_qsl(urlsplit(returned.headers["location"]).query)).get("return_code")


def listed(world: World, user: str = "alice") -> dict[str, list[object]]:
    answer: dict[str, list[object]] = world.api("GET", "/v1/connections", user=user).json
    return answer


def shows_nowhere(world: World, made: Connection) -> None:
    """No event, no history, and no word of its bank or accounts in any answer, item or message."""
    assert listed(world)["connections"] == []
    for path in (f"/v1/connections/{OURS}", f"/v1/connections/{OURS}/missing-accounts"):
        refused(world.api("GET", path), 404, "connection_not_found")
    refused(world.api("POST", f"/v1/connections/{OURS}/refresh"), 404, "connection_not_found")
    for flow in ("manage", "reconnect"):
        refused(world.open_webview(flow=flow, connection_id=OURS), 404, "connection_not_found")
    assert world.api("GET", "/v1/history").json["entries"] == []
    assert world.events() == []
    for account in made.accounts.values():
        for text in (account.name, str(account.iban)[-4:]):
            assert text not in json.dumps(world.api("GET", "/v1/me/export").json)
    markers = [item["sk"]["S"] for item in world.items() if item["pk"]["S"].startswith("INSTITUTION#")]
    assert markers == []


def ended_at_powens(world: World) -> None:
    world.settle()
    assert world.powens.connections == {}
    assert listed(world) == {"connections": [], "manual_accounts": [], "wishes": [], "unconfirmed": []}
    assert world.events() == []


def test_a_connection_that_nobody_has_confirmed_shows_nowhere_whatever_brings_it_in(world: World) -> None:
    made, _ = connected(world)
    world.settle()
    world.webhook("connection-synced", made)
    world.clock.advance(minutes=3)
    world.settle()
    shows_nowhere(world, made)
    [waiting] = listed(world)["unconfirmed"]
    assert isinstance(waiting, dict)
    assert waiting.keys() == {"id", "found_at", "confirm_until"}
    assert waiting["id"] == OURS


def test_the_opener_who_comes_back_confirms_and_it_is_announced_as_ever(world: World) -> None:
    made, returned = connected(world)
    early = world.confirm(returned)
    assert (early.status, early.json["confirmed"], early.headers["retry-after"]) == (202, False, "1")
    world.settle()
    assert world.confirm(returned).json == {"connection_id": OURS, "confirmed": True}
    world.settle()
    assert world.enabled(made) == {1}
    [told] = world.events("AccountsUpdated")
    assert told["metadata"]["cause"] == "webview"
    assert [line["change"] for line in told["data"]["accounts"]] == ["added"]
    assert listed(world)["unconfirmed"] == []
    again = world.confirm(returned)
    assert (again.status, again.json["confirmed"]) == (200, True)
    world.clock.advance(hours=2)
    world.keep_house()
    world.settle()
    assert world.enabled(made) == {1}


def test_one_key_is_asked_for_again_until_the_connection_is_read(world: World) -> None:
    _, returned = connected(world)
    body = {"return_code": code_of(returned)}

    def ask() -> Reply:
        return world.api("POST", "/v1/webview-confirmations", body, idempotency_key="one")

    assert ask().status == 202
    world.settle()
    assert ask().status == ask().status == 200


def test_a_stranger_who_comes_back_confirms_nothing_is_told_so_and_the_connection_is_ended(world: World) -> None:
    made, returned = connected(world)
    assert world.confirm(returned, user="bob").status == 202
    world.settle()
    reply = world.confirm(returned, user="bob")
    refused(reply, 404, "visit_of_another_user")
    refused(world.confirm(returned), 409, "confirmation_over")
    refused(world.api("POST", CONFIRMATION, {"iban_last4": iban(1)[-4:]}), 409, "confirmation_over")
    shows_nowhere(world, made)
    ended_at_powens(world)
    refused(world.confirm(returned, user="bob"), 404, "visit_of_another_user")
    refused(world.confirm(returned), 404, "connection_not_found")


def test_a_stranger_ends_nothing_that_its_user_has_confirmed(world: World) -> None:
    made, returned = connected(world)
    world.settle()
    assert world.confirm(returned).status == 200
    refused(world.confirm(returned, user="bob"), 404, "visit_of_another_user")
    world.settle()
    assert world.enabled(made) == {1}


def test_only_the_first_success_that_names_a_connection_gets_a_code(world: World) -> None:
    opened = world.open_webview()
    for said in (
        "",
        "&error=server_error&connection_id=77",
        "&connection_id=",
        "&connection_id=x",
        "&connection_id=-7",
    ):
        assert code_of(world.come_back(opened, said)) is None
    assert code_of(world.come_back(opened, "&connection_ids=77,78")) is not None
    assert code_of(world.come_back(opened, "&connection_id=77")) is None


def test_a_code_of_nobody_is_not_found(world: World) -> None:
    for code in ("x", "A" * 43):
        reply = world.api("POST", "/v1/webview-confirmations", {"return_code": code})
        refused(reply, 404, "return_code_not_found")


def test_a_forged_return_confirms_nothing_while_any_of_them_names_somebody_elses_connection(world: World) -> None:
    """Powens counts its connections: alice forges a way back for each number that it may be."""
    made, _ = connected(world, way_back="")
    guesses = [world.come_back(world.open_webview(), f"&connection_id={number}") for number in (76, 77, 78)]
    world.settle()
    assert [world.confirm(guess).status for guess in guesses] == [202, 202, 202]
    shows_nowhere(world, made)
    world.clock.now += HOUR
    world.keep_house()
    ended_at_powens(world)


def test_what_nobody_confirms_in_time_is_ended_at_powens_without_a_word(world: World) -> None:
    made, returned = connected(world)
    world.settle()
    world.clock.now += HOUR - timedelta(minutes=1)
    world.keep_house()
    world.settle()
    assert list(world.powens.connections) == [77]
    world.clock.advance(minutes=2)
    refused(world.confirm(returned), 409, "confirmation_over")
    assert listed(world)["unconfirmed"] == []
    world.keep_house()
    shows_nowhere(world, made)
    ended_at_powens(world)


def test_an_end_that_powens_refuses_is_asked_for_again_each_hour_until_it_is_gone(world: World) -> None:
    connected(world)
    world.settle()
    world.clock.now += HOUR
    world.powens.fail("DELETE /users/41/connections/77", error(409))
    for minutes in (0, 2, 57):
        world.clock.advance(minutes=minutes)
        world.keep_house()
        world.settle()
        assert world.powens.count("DELETE /users/41/connections/77") == 1
    world.clock.advance(minutes=2)
    world.keep_house()
    ended_at_powens(world)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(4))
def test_housekeeping_that_is_killed_ends_it_in_its_next_pass(world: World, number: int, after: bool) -> None:
    connected(world)
    world.settle()
    world.clock.now += HOUR
    with pytest.MonkeyPatch.context() as patch:
        killed_at(patch, world, number, after=after)
        with pytest.raises(KilledError):
            world.keep_house()
    world.clock.advance(minutes=1)
    world.keep_house()
    ended_at_powens(world)


def test_a_table_that_is_down_keeps_a_connection_hidden_and_the_next_pass_ends_it(world: World) -> None:
    connected(world)
    world.settle()
    world.clock.now += HOUR
    world.aws.raising("TransactWriteItems", throttled("TransactWriteItems"), times=1)
    with pytest.raises(ExceptionGroup):
        world.keep_house()
    world.keep_house()
    ended_at_powens(world)


def test_who_closed_the_tab_is_asked_for_an_account_of_the_bank(world: World) -> None:
    opened = world.open_webview()
    assert opened.status == 201
    powens_user = world.powens_user("alice")
    assert powens_user is not None
    made = world.powens.add_connection(powens_user, "Banque du Test", connection_id=77, uuid=BANK)
    world.powens.add_account(made, 1)
    world.webhook("connection-synced", made)
    world.settle()
    refused(world.api("POST", CONFIRMATION, {"iban_last4": "0000"}), 422, "account_mismatch")
    refused(world.api("POST", CONFIRMATION, {"iban_last4": iban(1)[-4:]}, user="bob"), 404, "connection_not_found")
    reply = world.api("POST", CONFIRMATION, {"iban_last4": iban(1)[-4:]})
    assert (reply.status, reply.json["confirmed"]) == (200, True)
    world.settle()
    assert world.enabled(made) == {1}
    assert [told["metadata"]["cause"] for told in world.events("AccountsUpdated")] == ["webview"]


def test_the_third_wrong_answer_ends_it(world: World) -> None:
    connected(world)
    world.settle()
    for _ in range(3):
        refused(world.api("POST", CONFIRMATION, {"iban_last4": "0000"}), 422, "account_mismatch")
    refused(world.api("POST", CONFIRMATION, {"iban_last4": iban(1)[-4:]}), 409, "confirmation_over")
    ended_at_powens(world)


def test_an_answer_without_powens_counts_for_nothing(world: World) -> None:
    connected(world)
    world.settle()
    for _ in range(5):
        world.powens.fail("GET /users/41/connections/77$", error(500), times=3)
        refused(world.api("POST", CONFIRMATION, {"iban_last4": "0000"}), 503, "powens_unavailable")
    assert world.api("POST", CONFIRMATION, {"iban_last4": iban(1)[-4:]}).status == 200


def test_who_did_not_make_it_has_it_ended_at_once(world: World) -> None:
    connected(world)
    world.settle()
    refused(world.api("DELETE", CONFIRMATION, user="bob"), 404, "connection_not_found")
    assert world.api("DELETE", CONFIRMATION).status == 204
    ended_at_powens(world)


def test_what_is_confirmed_cannot_be_denied(world: World) -> None:
    made = world.connect(1)
    refused(world.api("DELETE", CONFIRMATION), 409, "already_confirmed")
    assert world.enabled(made) == {1}


@pytest.mark.parametrize("flow", ["manage", "reconnect"])
def test_a_visit_to_a_bank_that_was_there_needs_no_confirmation(world: World, flow: str) -> None:
    made = world.connect(1)
    opened = world.open_webview(flow=flow, connection_id=OURS)
    world.powens.add_account(made, 2)
    assert code_of(world.come_back(opened)) is None
    world.settle()
    assert world.enabled(made) == {1, 2}
    world.clock.now += HOUR
    world.keep_house()
    world.settle()
    assert list(world.powens.connections) == [77]


def test_a_connection_that_powens_shows_again_after_its_end_is_ended_again(world: World) -> None:
    made, _ = connected(world)
    world.settle()
    world.api("DELETE", CONFIRMATION)
    ended_at_powens(world)
    world.powens.connections[77] = made
    world.clock.advance(minutes=5)
    world.webhook("connection-synced", made)
    world.settle()
    shows_nowhere(world, made)
    world.clock.now += HOUR
    world.keep_house()
    ended_at_powens(world)


def test_an_erasure_leaves_neither_a_return_nor_an_unconfirmed_connection(world: World) -> None:
    connected(world)
    world.settle()
    assert world.api("DELETE", "/v1/me").status == 202
    world.settle()
    left = {item["pk"]["S"].partition("#")[0] for item in world.items()}
    assert left <= {"RECEIPT", "ERASED", "BUDGET"}


@pytest.mark.usefixtures("_clients_that_do_not")
def test_where_clients_do_not_confirm_a_connection_shows_as_ever(world: World) -> None:
    made, returned = connected(world)
    assert code_of(returned) is None
    world.settle()
    assert world.enabled(made) == {1}
