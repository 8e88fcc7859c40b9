"""Accounts that a user keeps by hand, beside the synchronised ones."""

from typing import Any

import pytest

from tests.integration.world import Reply, World

BODY: dict[str, Any] = {"name": "Livret souple", "type": "savings", "currency": "EUR", "balance": "1200.50"}


def add(world: World, **headers: str) -> Reply:
    return world.api("POST", "/v1/accounts", BODY | {"institution_name": "Revolut"}, **headers)


def test_a_manual_account_is_added_listed_renamed_and_dropped(world: World) -> None:
    added = add(world)
    assert added.status == 201
    path = added.headers["location"]
    assert path == f"/v1/accounts/{added.json['id']}"
    shown = added.json
    assert (shown["kind"], shown["balance"], shown["institution_name"]) == ("manual", "1200.50", "Revolut")
    assert world.api("GET", path).json == shown
    world.forget()
    assert world.api("GET", "/v1/connections").json["manual_accounts"] == [shown]
    assert world.aws.calls == ["Query"]
    assert world.api("PATCH", path, {"name": "Épargne"}).json["name"] == "Épargne"
    switched = world.api("PATCH", path, {"enabled": False})
    assert (switched.status, switched.json["code"]) == (409, "account_is_manual")
    assert world.api("DELETE", path).status == 204
    assert world.api("GET", path).status == 404
    assert world.api("DELETE", path).json["code"] == "account_not_found"
    assert world.api("GET", "/v1/connections").json["manual_accounts"] == []


def test_adding_and_dropping_happen_once_per_key(world: World) -> None:
    first, again = add(world, idempotency_key="k1"), add(world, idempotency_key="k1")
    assert first.body == again.body
    assert len(world.api("GET", "/v1/connections").json["manual_accounts"]) == 1
    path = f"/v1/accounts/{first.json['id']}"
    assert [world.api("DELETE", path, idempotency_key="k2").status for _ in range(2)] == [204, 204]
    reused = world.api("POST", "/v1/accounts", BODY | {"name": "x"}, idempotency_key="k1")
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")


def test_a_manual_account_is_joined_with_a_synchronised_one_and_parted_again(world: World) -> None:
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    path = add(world).headers["location"]
    joined = world.api("PUT", f"{path}/link", {"account_id": synchronised})
    assert joined.json["linked_account_id"] == synchronised
    assert world.api("DELETE", f"{path}/link").json["linked_account_id"] is None
    unknown = world.api("PUT", f"{path}/link", {"account_id": "x"})
    assert (unknown.status, unknown.json["code"]) == (404, "account_not_found")


def test_a_synchronised_account_is_no_manual_one(world: World) -> None:
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    for reply in (
        world.api("DELETE", f"/v1/accounts/{synchronised}"),
        world.api("PUT", f"/v1/accounts/{synchronised}/link", {"account_id": synchronised}),
    ):
        assert (reply.status, reply.json["code"]) == (409, "not_a_manual_account")


def test_a_manual_account_of_another_user_is_not_found(world: World) -> None:
    connection = world.connect(1)
    path = add(world).headers["location"]
    foreign = world.ids(connection)[1]
    for reply in (
        world.api("GET", path, user="bob"),
        world.api("PATCH", path, {"name": "Mine"}, user="bob"),
        world.api("DELETE", path, user="bob"),
        world.api("PUT", f"{path}/link", {"account_id": foreign}, user="bob"),
        world.api("DELETE", f"{path}/link", user="bob"),
    ):
        assert (reply.status, reply.json["code"]) == (404, "account_not_found")
    bobs = world.api("POST", "/v1/accounts", BODY, user="bob").headers["location"]
    assert world.api("PUT", f"{bobs}/link", {"account_id": foreign}, user="bob").status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "gold"},
        {"balance": 12.5},
        {"balance": "much"},
        {"balance": "NaN"},
        {"currency": "euro"},
        {"currency": "eur"},
        {"name": ""},
        {"iban": "FR76"},
    ],
)
def test_a_manual_account_that_is_not_as_agreed_is_refused(world: World, wrong: dict[str, Any]) -> None:
    reply = world.api("POST", "/v1/accounts", BODY | wrong)
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_request", next(iter(wrong)))
