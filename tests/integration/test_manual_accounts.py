"""Accounts kept by hand: they show beside the synchronised ones, and never mix with them."""

import pytest

from tests.integration.world import Reply, World

SAVINGS = {
    "name": "Épargne flexible",
    "type": "savings",
    "currency": "EUR",
    "balance": "1200.50",
    "institution_name": "Revolut",
}


def add(world: World, **headers: str) -> Reply:
    reply = world.api("POST", "/v1/accounts", SAVINGS, **headers)
    assert reply.status == 201
    return reply


def listed(world: World) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = world.api("GET", "/v1/connections").json["manual_accounts"]
    return shown


def test_an_account_added_by_hand_is_listed_with_its_exact_balance(world: World) -> None:
    made = add(world)
    assert made.headers["location"] == f"/v1/accounts/{made.json['id']}"
    (shown,) = listed(world)
    assert shown == made.json == world.api("GET", f"/v1/accounts/{made.json['id']}").json
    assert {name: shown[name] for name in ("kind", "name", "type", "currency", "balance", "enabled")} == {
        "kind": "manual",
        "name": "Épargne flexible",
        "type": "savings",
        "currency": "EUR",
        "balance": "1200.50",
        "enabled": True,
    }


def test_the_same_request_with_its_key_adds_and_drops_once(world: World) -> None:
    first, again = add(world, idempotency_key="add-1"), add(world, idempotency_key="add-1")
    assert first.json == again.json
    assert len(listed(world)) == 1
    path = f"/v1/accounts/{first.json['id']}"
    for _ in range(2):
        assert world.api("DELETE", path, idempotency_key="drop-1").status == 204
    assert listed(world) == []
    assert world.api("DELETE", path).status == 404


def test_it_is_renamed_and_cannot_be_ticked(world: World) -> None:
    path = f"/v1/accounts/{add(world).json['id']}"
    assert world.api("PATCH", path, {"name": "Coffre"}).json["name"] == "Coffre"
    refused = world.api("PATCH", path, {"enabled": False})
    assert (refused.status, refused.json["code"]) == (409, "account_is_manual")


def test_it_is_joined_with_a_synchronised_account_and_taken_apart_again(world: World) -> None:
    connection = world.connect(912)
    synchronised = world.held(connection)["accounts"][0]["id"]
    path = f"/v1/accounts/{add(world).json['id']}/link"
    assert world.api("PUT", path, {"account_id": synchronised}).json["linked_account_id"] == synchronised
    assert world.api("DELETE", path).json["linked_account_id"] is None
    assert world.api("PUT", path, {"account_id": "nobody's"}).json["code"] == "account_not_found"


def test_a_synchronised_account_is_not_dropped_like_one_kept_by_hand(world: World) -> None:
    connection = world.connect(912)
    synchronised = world.held(connection)["accounts"][0]["id"]
    refused = world.api("DELETE", f"/v1/accounts/{synchronised}")
    assert (refused.status, refused.json["code"]) == (409, "not_a_manual_account")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_users_account_is_not_found(world: World, method: str) -> None:
    path = f"/v1/accounts/{add(world).json['id']}"
    assert world.api(method, path, user="bob").status == 404
    assert len(listed(world)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"balance": 12.5},
        {"balance": "12,5"},
        {"balance": "1e3"},
        {"currency": "euro"},
        {"type": "livret_a"},
        {"note": "x"},
    ],
)
def test_a_malformed_account_is_refused(world: World, wrong: dict[str, object]) -> None:
    refused = world.api("POST", "/v1/accounts", {**SAVINGS, **wrong})
    assert (refused.status, refused.json["code"]) == (422, "invalid_request")
    assert listed(world) == []
