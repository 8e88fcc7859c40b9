"""Why is my account missing? The cases of the help article and the rest, through all functions."""

from typing import Any

import pytest

from functions.accounts_api.container import container
from shared.domain.connection import AccountType, connection_id
from shared.domain.diagnosis import PEERS_FLOOR
from tests.integration.test_institutions import NEO
from tests.integration.world import World
from tests.worlds.powens.model import Connection, Connector


@pytest.fixture
def revolut(world: World) -> Connection:
    """The help article's bank: three current accounts, of which one is ticked; savings are not shared."""
    world.powens.connectors[NEO] = Connector(uuid=NEO, name="Revolut")
    world.refresh_catalogue()
    return world.connect(1, 2, 3, disabled=(2, 3), uuid=NEO)


def ask(world: World, kind: str = "savings", *, user: str = "alice", connection: int = 77, **headers: str) -> Any:
    path = f"/v1/connections/{connection_id(connection)}/diagnoses/{kind}"
    reply = world.api("GET", path, user=user, **headers)
    assert reply.status == 200, reply.body
    return reply.json


def change(world: World, connection: Connection, state: str | None) -> None:
    """Powens reports another state, and it is read back."""
    connection.state = state
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()


def test_flexible_savings_at_revolut_are_not_supported_and_can_be_added_manually(
    world: World, revolut: Connection
) -> None:
    told = ask(world)
    assert (told["type"], told["answer"], told["reason"]) == ("savings", "no", "type_not_supported")
    assert (told["next_step"], told["retry_at"]) == ("add_manually", None)
    assert {"no_capability:bankwealth", "no_product:wealth", "only_source:openapi", "connection_works"} <= set(
        told["evidence"]
    )
    assert "manuellement" in told["message"]
    assert "manually" in ask(world, accept_language="en")["message"]


def test_the_bank_being_down_is_temporary(world: World, revolut: Connection) -> None:
    change(world, revolut, "websiteUnavailable")
    told = ask(world)
    assert (told["answer"], told["reason"], told["next_step"]) == ("unknown", "temporary_problem", "wait")
    assert told["retry_at"] is not None
    change(world, revolut, None)
    assert ask(world)["reason"] == "type_not_supported"


def test_strong_authentication_is_for_the_user(world: World, revolut: Connection) -> None:
    change(world, revolut, "SCARequired")
    told = ask(world)
    assert (told["answer"], told["reason"], told["next_step"]) == ("unknown", "needs_user_action", "reconnect")


def test_what_is_unticked_is_hidden_by_the_user_and_what_is_ticked_is_there(world: World, revolut: Connection) -> None:
    told = ask(world, "checking")
    assert (told["answer"], told["reason"], told["next_step"]) == ("yes", "hidden_by_user", "manage")
    assert "unticked_accounts:2" in told["evidence"]
    world.choose(revolut, 1, 2, 3)
    world.settle()
    told = ask(world, "checking")
    assert (told["answer"], told["reason"], told["next_step"]) == ("yes", "already_added", "none")


def test_without_a_catalogue_nothing_is_known(world: World) -> None:
    world.connect(1)
    told = ask(world)
    assert (told["answer"], told["reason"]) == ("unknown", "unknown")
    assert "no_catalogue" in told["evidence"]


def test_without_a_type_all_nine_are_answered_from_the_same_reads(world: World, revolut: Connection) -> None:
    world.forget()
    reply = world.api("GET", f"/v1/connections/{connection_id(77)}/diagnoses")
    assert reply.json["connection_id"] == connection_id(77)
    assert [one["type"] for one in reply.json["diagnoses"]] == [kind.value for kind in AccountType]
    # The list; the catalogue with its content, for this process did not know it yet; the incidents.
    assert world.aws.calls == ["Query", "GetItem", "GetItem", "GetItem"]
    world.forget()
    ask(world)
    assert world.aws.calls == ["Query", "GetItem"]
    assert world.powens.log == []


def test_a_type_that_does_not_exist_and_a_connection_of_somebody_else_are_refused(
    world: World, revolut: Connection
) -> None:
    path = f"/v1/connections/{connection_id(77)}/diagnoses"
    reply = world.api("GET", f"{path}/gold")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "unknown_account_type", "type")
    for asked in (path, f"{path}/savings"):
        reply = world.api("GET", asked, user="bob")
        assert (reply.status, reply.json["code"]) == (404, "connection_not_found")


def test_the_older_way_to_ask_answers_the_same(world: World, revolut: Connection) -> None:
    path = f"/v1/connections/{connection_id(77)}"
    older = world.api("GET", f"{path}/missing-accounts", query="type=savings")
    assert older.json["reason"] == "type_not_supported"
    assert older.body == world.api("GET", f"{path}/diagnoses/savings").body
    assert world.api("GET", f"{path}/missing-accounts").body == world.api("GET", f"{path}/diagnoses").body
    assert world.api("GET", f"{path}/missing-accounts", query="type=gold").json["code"] == "unknown_account_type"


# --- what others get ---


def savers(world: World, count: int, *, first: int = 100) -> list[Connection]:
    """So many other users connect the institution and have savings there."""
    return [
        world.connect(n, user=f"user-{n}", connection_id=n, uuid=NEO, kind="livret_a")
        for n in range(first, first + count)
    ]


def markers(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items() if item["sk"]["S"].startswith(("PEER#", "TROUBLE#"))]


def test_a_wrong_catalogue_is_contradicted_by_enough_other_users(world: World, revolut: Connection) -> None:
    savers(world, PEERS_FLOOR - 1)
    world.clock.advance(minutes=10)
    world.refresh_catalogue()
    assert ask(world)["answer"] == "no"
    savers(world, 1, first=200)
    world.clock.advance(minutes=10)
    world.refresh_catalogue()
    world.clock.advance(minutes=1)
    told = ask(world)
    assert (told["answer"], told["reason"]) == ("unknown", "not_shared_at_bank")
    assert f"other_users:{PEERS_FLOOR}" in told["evidence"]
    [shown] = world.api("GET", "/v1/institutions", query="search=revolut").json["institutions"]
    assert {one["type"]: one["answer"] for one in shown["account_types"]}["savings"] == "yes"


def test_one_user_with_several_connections_counts_once(world: World, revolut: Connection) -> None:
    for number in range(PEERS_FLOOR + 1):
        world.connect(300 + number, user="bob", connection_id=300 + number, uuid=NEO, kind="livret_a")
    world.clock.advance(minutes=10)
    world.refresh_catalogue()
    assert ask(world)["answer"] == "no"


def test_what_others_got_and_no_longer_have_is_forgotten(world: World, revolut: Connection) -> None:
    savers(world, PEERS_FLOOR)
    world.clock.advance(minutes=10)
    world.refresh_catalogue()
    world.clock.advance(days=101)
    world.refresh_catalogue()
    with world.looking():
        copy = container().catalogue_store.catalogue()
    assert copy is not None
    assert copy.catalogue.given_to_others == {}


def test_markers_name_nobody_and_go_when_their_user_is_erased(world: World, revolut: Connection) -> None:
    [bob] = savers(world, 1)
    assert "user-100" not in repr(markers(world))
    assert len(markers(world)) == 2
    world.api("DELETE", "/v1/me", user="user-100")
    world.settle()
    assert len(markers(world)) == 1
    assert bob.id not in world.powens.connections


def test_reading_the_same_again_marks_nothing_and_a_month_later_marks_anew(world: World, revolut: Connection) -> None:
    before = markers(world)
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", revolut)
    world.settle()
    assert markers(world) == before
    world.clock.advance(days=31)
    world.webhook("connection-synced", revolut)
    world.settle()
    assert [m["sk"] for m in markers(world)] == [m["sk"] for m in before]
    assert markers(world) != before


def test_more_discoveries_than_one_look_takes_in_are_counted_in_the_next(
    world: World, revolut: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.adapters.dynamodb.catalogue.MOST_DISCOVERIES", 1)
    savers(world, PEERS_FLOOR)
    for _ in range(8):
        world.clock.advance(minutes=10)
        world.refresh_catalogue()
    world.clock.advance(minutes=1)
    assert f"other_users:{PEERS_FLOOR}" in ask(world)["evidence"]


# --- wishes ---


def test_the_wish_of_who_was_told_no_is_granted_once_when_the_institution_starts_to_give_the_type(
    world: World, revolut: Connection
) -> None:
    assert ask(world)["answer"] == "no"
    wished = world.api("POST", "/v1/wishes", {"institution_id": NEO, "type": "savings"})
    assert wished.status == 201
    world.powens.connectors[NEO].give_savings()
    world.forget()
    world.clock.advance(hours=1)
    assert world.refresh_catalogue()["granted"] == 1
    world.publish()
    assert len(world.events("AccountNowAvailable")) == 1
    [wish] = world.api("GET", "/v1/connections").json["wishes"]
    assert wish["available_at"] is not None
    world.clock.advance(minutes=1)
    told = ask(world)
    assert (told["answer"], told["reason"], told["next_step"]) == ("unknown", "needs_user_action", "manage")
    world.clock.advance(hours=1)
    assert world.refresh_catalogue()["granted"] == 0
    world.publish()
    assert len(world.events("AccountNowAvailable")) == 1


def test_wishes_that_do_not_fit_one_run_are_granted_in_the_next(world: World, revolut: Connection) -> None:
    world.api("POST", "/v1/wishes", {"institution_id": NEO, "type": "savings"})
    world.powens.connectors[NEO].give_savings()
    world.context.seconds = 9.0
    with pytest.raises(Exception, match="more wishes"):
        world.refresh_catalogue()
    world.context.seconds = 25.0
    assert world.refresh_catalogue()["granted"] == 1


def test_a_wish_can_be_about_any_institution_that_powens_offers_and_no_other(world: World) -> None:
    world.powens.connectors[NEO] = Connector(uuid=NEO, name="Revolut")
    world.refresh_catalogue()
    made = world.api("POST", "/v1/wishes", {"institution_id": NEO, "type": "savings"})
    assert (made.status, made.json["institution_name"]) == (201, "Revolut")
    refused = world.api("POST", "/v1/wishes", {"institution_id": "nowhere", "type": "savings"})
    assert (refused.status, refused.json["code"]) == (422, "unknown_institution")
