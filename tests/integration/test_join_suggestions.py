"""Which joins are suggested, and which are refused."""

from typing import Any

import pytest

from tests.integration.join_steps import add, join, manual, part, read, told
from tests.integration.world import World


@pytest.mark.parametrize(
    ("fields", "evidence"),
    [
        ({}, ["same_institution"]),
        ({"balance": "1523.07"}, ["same_institution", "same_balance"]),
        ({"balance": "1523.07", "institution_name": None}, ["same_balance"]),
        ({"name": "COMPTE 1", "institution_name": "Banque du Tést"}, ["same_institution", "same_name"]),
        ({"institution_name": None, "name": "Compte 1"}, None),
        ({"institution_name": "Autre Banque"}, None),
        ({"institution_name": "Banque"}, None),
        ({"type": "savings"}, None),
        ({"currency": "USD"}, None),
    ],
)
def test_an_account_is_suggested_for_independent_signs_and_never_by_its_name_alone(
    world: World, fields: dict[str, Any], evidence: list[str] | None
) -> None:
    path = add(world, **fields)
    connection = world.connect(1)
    found = manual(world, path)["link_suggestions"]
    wanted = [] if evidence is None else [["same_type", "same_currency", *evidence]]
    assert [suggestion["evidence"] for suggestion in found] == wanted
    assert {suggestion["account_id"] for suggestion in found} <= {world.ids(connection)[1]}


def test_what_a_user_denies_is_not_suggested_again(world: World) -> None:
    path = add(world)
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    world.aws.calls.clear()
    for key in ("a", "a", "b"):
        denied = world.api("DELETE", f"{path}/link-suggestions/{ids[1]}", idempotency_key=key)
        assert denied.status == 204
    assert [s["account_id"] for s in manual(world, path)["link_suggestions"]] == [ids[2]]
    assert told(world, path) == [(1, "added", True)], "it is nobody else's business"
    unknown = world.api("DELETE", f"{path}/link-suggestions/x")
    assert (unknown.status, unknown.json["code"]) == (404, "account_not_found")
    assert join(world, path, ids[1]).status == 200, "a user may think better of it"


# --- what is refused -------------------------------------------------------------------------------------------------


def test_accounts_that_cannot_be_the_same_are_not_joined(world: World) -> None:
    connection = world.connect(1, 2, 3, 4)
    connection.accounts[2].currency = "USD"
    connection.accounts[3].type = "livret_a"
    connection.accounts[4].deleted = True
    read(world, connection)
    ids = world.ids(connection)
    path, other = add(world), add(world, name="Autre")
    before = world.items()
    for account_id, code in (
        (ids[2], "currencies_differ"),
        (ids[3], "types_differ"),
        (ids[4], "account_closed_at_bank"),
        (other.rpartition("/")[2], "not_a_synchronised_account"),
    ):
        details = set()
        for language in ("fr", "en"):
            refused = join(world, path, account_id, accept_language=language)
            assert (refused.status, refused.json["code"]) == (409, code)
            details.add(refused.json["detail"])
        assert len(details) == 2
    two = join(world, f"/v1/accounts/{ids[1]}", ids[2])
    assert (two.status, two.json["code"]) == (409, "not_a_manual_account")
    missing = join(world, path, "x")
    assert (missing.status, missing.json["code"]) == (404, "account_not_found")
    assert world.items() == before


def test_a_joined_account_is_neither_joined_again_nor_deleted(world: World) -> None:
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    path, other = add(world), add(world, name="Autre")
    assert join(world, path, ids[1]).status == 200
    for refused in (join(world, path, ids[2]), join(world, other, ids[1])):
        assert (refused.status, refused.json["code"]) == (409, "account_already_joined")
    deleted = world.api("DELETE", path, accept_language="en")
    assert (deleted.status, deleted.json["code"]) == (409, "account_is_joined")
    assert "linked to a synchronised one" in deleted.json["detail"]
    assert manual(world, path)["linked_account_id"] == ids[1]
    part(world, path)
    assert world.api("DELETE", path).status == 204


def test_a_bounded_number_of_accounts_is_joined_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.joins.MOST_JOINED", 1)
    ids = world.ids(world.connect(1, 2))
    path, other = add(world), add(world)
    assert join(world, path, ids[1]).status == 200
    refused = join(world, other, ids[2])
    assert (refused.status, refused.json["code"]) == (409, "too_many_joined_accounts")
