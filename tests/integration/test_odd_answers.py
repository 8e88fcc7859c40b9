"""What is odd about one account or one bank at Powens stops nothing else of its user."""

import pytest

from shared.domain.connection import MAX_ACCOUNTS, connection_id
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connector
from tests.worlds.powens.wire import Answer

ODD_ACCOUNTS: list[dict[str, object]] = [
    {"last_update": "0000-00-00 00:00:00"},
    {"last_update": ""},
    {"balance": "1 234,56"},
    {"name": 5},
    {"iban": 12},
    {"number": []},
    {"error": {"code": "x"}},
    {"currency": {"id": []}},
    {"deleted": "0"},
    {"disabled": {}},
    {"id": None},
    {"name": ["\ud83d"]},
]


def reconcile(world: World) -> None:
    """A scheduled read of all of the user's connections, webhooks having been lost."""
    world.clock.advance(hours=13)
    for _ in range(3):
        world.keep_house()
        world.settle()
        world.clock.advance(minutes=2)


def deliver_once(world: World) -> None:
    """One batch of hints, without what comes back from it."""
    world.publish()
    world.clock.advance(seconds=2)
    assert world.deliver("refresh")


def balance(world: World, powens_connection: int) -> str | None:
    shown = world.api("GET", f"/v1/connections/{connection_id(powens_connection)}").json
    return shown["accounts"][0]["balance"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("odd", ODD_ACCOUNTS, ids=repr)
def test_an_odd_account_leaves_the_other_bank_and_its_own_siblings_alone(world: World, odd: dict[str, object]) -> None:
    world.connect(1)
    world.connect(2, 3, connection_id=78)
    world.powens.account(3).odd = odd
    world.powens.account(1).balance = 99.5
    world.powens.account(2).balance = 12.25
    reconcile(world)
    assert (balance(world, 77), balance(world, 78)) == ("99.5", "12.25")
    assert world.refresh.dead == []
    assert {line["field"] for line in world.lines() if "field" in line} == {f"account.{name}" for name in odd}
    assert world.metric("UnreadableFields") >= 1


def test_a_choice_beside_an_odd_account_is_carried_out_and_shown(world: World) -> None:
    connection = world.connect(1, 2, 3)
    world.powens.account(1).odd = {"last_update": "0000-00-00 00:00:00", "balance": "x"}
    asked = world.choose(connection, 1, 2)
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1, 2}


@pytest.mark.parametrize(
    "odd", [{"id": None}, {"id": "x"}, {"connector": 5, "sources": 5, "state": {}, "active": "?"}], ids=repr
)
def test_an_odd_bank_stops_neither_a_sweep_nor_a_return_of_the_others(world: World, odd: dict[str, object]) -> None:
    healthy = world.connect(1, 2)
    world.connect(3, connection_id=78).odd = odd
    world.powens.account(2).disabled = True
    opened = world.open_webview(flow="manage", connection_id=connection_id(77))
    third = world.powens.add_connection(healthy.user, "Banque Trois", connection_id=79, uuid="u-79")
    world.powens.add_account(third, 4)
    world.come_back(opened)
    world.settle()
    assert world.enabled(healthy) == {1}
    shown = {c["id"] for c in world.api("GET", "/v1/connections").json["connections"]}
    assert shown == {connection_id(powens_id) for powens_id in (77, 78, 79)}
    world.refresh.dead.clear()  # the return that could not read the odd one, after its last receive


def test_a_bank_that_answers_later_is_read_later_and_the_others_at_once(world: World) -> None:
    world.connect(1)
    slow = world.connect(2, connection_id=78)
    del world.powens.connections[78]  # left out of the list, and asked for by itself
    world.powens.fail("GET /users/41/connections/78", error(503), times=6)
    world.powens.account(1).balance = 99.5
    opened = world.open_webview(flow="manage", connection_id=connection_id(77))
    world.come_back(opened)
    deliver_once(world)
    assert balance(world, 77) == "99.5"
    world.powens.connections[78] = slow
    slow.accounts[2].balance = 12.25
    world.settle()
    assert balance(world, 78) == "12.25"
    assert world.refresh.dead == []


def test_hints_of_several_banks_in_one_batch_are_answered_each_by_itself(world: World) -> None:
    first = world.connect(1)
    refused = world.connect(2, connection_id=78)
    last = world.connect(3, connection_id=79)
    world.clock.advance(minutes=1)
    for powens_id, connection in ((1, first), (2, refused), (3, last)):
        world.powens.account(powens_id).balance = 5.5
        world.webhook("connection-synced", connection)
    world.powens.fail("GET /users/41/connections/78", error(400, "bug"), times=1)
    deliver_once(world)
    assert [balance(world, powens_id) for powens_id in (77, 78, 79)] == ["5.5", "1523.07", "5.5"]
    world.settle()
    assert balance(world, 78) == "5.5"


def test_a_bank_with_too_many_accounts_stops_no_other(world: World) -> None:
    world.connect(1)
    large = world.connect(2, connection_id=78)
    for powens_id in range(100, 101 + MAX_ACCOUNTS):
        world.powens.add_account(large, powens_id)
    world.powens.account(1).balance = 99.5
    reconcile(world)
    assert balance(world, 77) == "99.5"
    assert world.refresh.dead == []


def nameless(world: World) -> str:
    """Our id of a connection whose bank Powens does not name."""
    opened = world.open_webview()
    made = world.powens.add_connection(max(world.powens.users), "?", connection_id=77, uuid="u-77")
    world.powens.add_account(made, 1)
    made.odd = {"connector": None}
    world.come_back(opened, "&connection_id=77")
    world.settle()
    return connection_id(77)


def test_the_catalogue_names_a_bank_that_powens_does_not_name(world: World) -> None:
    world.powens.connectors["u-77"] = Connector("u-77", "Banque Horizon")
    world.refresh_catalogue()
    named = nameless(world)
    assert world.api("GET", f"/v1/connections/{named}").json["institution"]["name"] == "Banque Horizon"


@pytest.mark.parametrize(("language", "name"), [("fr", "Votre banque"), ("en", "Your bank")])
def test_a_bank_that_nobody_names_has_a_word_that_also_confirms_its_end(world: World, language: str, name: str) -> None:
    path = f"/v1/connections/{nameless(world)}"
    assert world.api("GET", path, accept_language=language).json["institution"]["name"] == name
    for wrong in ("", " ", "?"):
        refused = world.api("DELETE", path, {"confirm": wrong})
        assert (refused.status, refused.json["code"]) == (422, "confirmation_mismatch")
    assert world.api("DELETE", path, {"confirm": name}).status == 202


def test_connectors_without_links_are_all_in_the_catalogue(world: World) -> None:
    listed = [{"uuid": f"{number:08x}", "name": f"Banque {number}"} for number in range(1800)]
    pages = [Answer(body={"connectors": listed[at : at + 1000], "total": 1800}) for at in (0, 1000)]
    for page in pages:
        world.powens.fail("GET /connectors", page)
    world.refresh_catalogue()
    found = world.api("GET", "/v1/institutions", query="search=Banque 1799").json["institutions"]
    assert found[0]["name"] == "Banque 1799"
