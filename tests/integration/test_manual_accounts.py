"""Manual accounts, beside the synchronised ones: kept, told, valued, dropped."""

import json
from typing import Any

import pytest

from functions.accounts_api.container import container
from shared.application.ports import StaleWriteError
from shared.domain.manual import CHUNK, CHUNKS_KEPT, MOST_MANUAL_ACCOUNTS
from tests.integration.world import Reply, World
from tests.worlds.deployment import TABLE
from tests.worlds.folding import folded, shown

BODY: dict[str, Any] = {"name": "Livret souple", "type": "savings", "currency": "EUR", "balance": "1200.50"}


def add(world: World, *, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
    reply = world.api("POST", "/v1/accounts", BODY | {"institution_name": "Revolut"} | fields, **(headers or {}))
    world.publish()
    return reply


def patch(world: World, path: str, **fields: Any) -> Reply:
    reply = world.api("PATCH", path, fields)
    world.publish()
    return reply


def told(world: World) -> list[tuple[int, str, bool]]:
    """What the events said of manual accounts: (revision, change, enabled)."""
    events = [event["data"] for event in world.events("AccountsUpdated") if "connection_id" not in event["data"]]
    return [(data["revision"], line["change"], line["enabled"]) for data in events for line in data["accounts"]]


def balances(world: World, path: str, cursor: str | None = None) -> Any:
    reply = world.api("GET", f"{path}/balances", query=f"cursor={cursor}" if cursor else "")
    assert reply.status == 200, reply.body
    return reply.json


def test_a_manual_account_is_added_listed_renamed_valued_and_dropped_and_each_is_told_once(world: World) -> None:
    added = add(world)
    assert added.status == 201
    path = added.headers["location"]
    assert path == f"/v1/accounts/{added.json['id']}"
    view = added.json
    assert (view["kind"], view["balance"], view["institution_name"]) == ("manual", "1200.50", "Revolut")
    assert (view["enabled"], view["status"], view["linked_account_id"]) == (True, "enabled", None)
    assert view["link_suggestions"] == []
    assert world.api("GET", path).json == view
    world.aws.calls.clear()
    assert world.api("GET", "/v1/connections").json["manual_accounts"] == [view]
    assert world.aws.calls == ["Query"]
    assert patch(world, path, name="Épargne").json["name"] == "Épargne"
    assert patch(world, path, balance="1300").json["balance"] == "1300"
    switched = patch(world, path, enabled=False)
    assert (switched.status, switched.json["code"]) == (409, "account_is_manual")
    assert folded(world.aws.bus) == shown(world.api("GET", "/v1/connections").json) != {}
    assert world.api("DELETE", path).status == 204
    world.publish()
    assert world.api("GET", path).status == 404
    assert world.api("DELETE", path).json["code"] == "account_not_found"
    assert world.api("GET", "/v1/connections").json["manual_accounts"] == []
    assert told(world) == [
        (1, "added", True),
        (2, "renamed", True),
        (3, "refreshed", True),
        (4, "removed", False),
    ]
    assert folded(world.aws.bus) == {}
    entries = world.api("GET", "/v1/history").json["entries"]
    assert [(e["institution_name"], e["accounts"][0]["name"], e["accounts"][0]["change"]) for e in entries] == [
        ("Revolut", "Épargne", "removed"),
        ("Revolut", "Épargne", "refreshed"),
        ("Revolut", "Épargne", "renamed"),
        ("Revolut", "Livret souple", "added"),
    ]
    assert {entry["connection_id"] for entry in entries} == {None}


def test_a_change_is_one_query_and_one_transaction_and_one_for_what_is_there_writes_nothing(world: World) -> None:
    path = add(world).headers["location"]
    world.forget()
    assert world.api("PATCH", path, {"balance": "1200.5"}).json["balance"] == "1200.50"
    assert world.api("PATCH", path, {"name": "Livret souple"}).status == 200
    assert set(world.aws.calls) == {"Query"}
    world.aws.calls.clear()
    assert world.api("PATCH", path, {"balance": "1200.51"}).status == 200
    assert sorted(world.aws.calls) == ["Query", "Query", "TransactWriteItems"]
    world.publish()
    assert told(world) == [(2, "refreshed", True)]
    assert len(balances(world, path)["balances"]) == 2


def test_every_mutation_happens_once_per_key(world: World) -> None:
    first, again = (add(world, headers={"idempotency_key": "k1"}) for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert len(world.api("GET", "/v1/connections").json["manual_accounts"]) == 1
    path = f"/v1/accounts/{first.json['id']}"
    for key, fields in (("k2", {"name": "A"}), ("k3", {"balance": "5"}), ("k4", {"balance": "5"})):
        once, twice = (world.api("PATCH", path, fields, idempotency_key=key) for _ in range(2))
        assert (once.status, once.body) == (twice.status, twice.body)
    assert patch(world, path, balance="6").status == 200
    assert world.api("PATCH", path, {"balance": "5"}, idempotency_key="k3").json["balance"] == "5"
    assert world.api("GET", path).json["balance"] == "6"
    assert [world.api("DELETE", path, idempotency_key="k9").status for _ in range(2)] == [204, 204]
    world.publish()
    assert [revision for revision, _, _ in told(world)] == [1, 2, 3, 4, 5]
    reused = world.api("POST", "/v1/accounts", BODY | {"name": "x"}, idempotency_key="k1")
    assert (reused.status, reused.json["code"]) == (422, "idempotency_key_reused")


def test_an_account_added_twice_at_the_same_moment_under_one_key_is_one(world: World) -> None:
    other: list[Reply] = []
    world.meanwhile(lambda: other.append(add(world, headers={"idempotency_key": "k"})))
    assert add(world, headers={"idempotency_key": "k"}).body == other[0].body
    assert len(world.api("GET", "/v1/connections").json["manual_accounts"]) == 1
    assert told(world) == [(1, "added", True)]


def test_the_balances_of_an_account_are_shown_newest_first_page_by_page(world: World) -> None:
    path = add(world, balance="0").headers["location"]
    for balance in range(1, 75):
        world.clock.advance(days=1)
        assert patch(world, path, balance=str(balance)).status == 200
    first = balances(world, path)
    assert [point["balance"] for point in first["balances"]] == [str(n) for n in range(74, 24, -1)]
    assert {(point["kind"], point["currency"]) for point in first["balances"]} == {("manual", "EUR")}
    patch(world, path, balance="999")  # what comes meanwhile shifts no page
    second = balances(world, path, first["next"])
    assert [point["balance"] for point in second["balances"]] == [str(n) for n in range(24, -1, -1)]
    assert second["next"] is None
    dates = [point["at"] for point in (*first["balances"], *second["balances"])]
    assert dates == sorted(dates, reverse=True)
    for wrong in ("x", "-1", "9" * 10, "²"):
        refused = world.api("GET", f"{path}/balances", query=f"cursor={wrong}")
        assert (refused.status, refused.json["code"]) == (422, "invalid_cursor")
    assert world.api("GET", f"{path}/balances", user="bob").json["code"] == "account_not_found"


def test_the_history_of_balances_is_bounded_and_goes_with_the_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.domain.manual.CHUNK", 2)
    monkeypatch.setattr("shared.adapters.dynamodb.manual.CHUNKS_KEPT", 3)
    path = add(world, balance="0").headers["location"]
    for balance in range(1, 12):
        assert patch(world, path, balance=str(balance)).status == 200
    assert [int(p["balance"]) for p in balances(world, path)["balances"]] == [11, 10, 9, 8, 7, 6, 5, 4]
    kept = [item["sk"]["S"] for item in world.items() if item["sk"]["S"].startswith("BALANCES#")]
    assert len(kept) == 3
    assert world.api("DELETE", path).status == 204
    assert not [item for item in world.items() if item["sk"]["S"].startswith(("BALANCES#", "LIST#"))]


def test_the_longest_history_fits_one_transaction_with_its_account() -> None:
    account, event, answer = 1, 1, 1
    assert CHUNKS_KEPT + account + event + answer <= 100
    assert CHUNK * (CHUNKS_KEPT + 1) == 1000


def test_a_document_from_before_there_was_a_history_still_works(world: World) -> None:
    document = {
        "id": "01OLD",
        "user_id": "alice",
        "name": "Ancien",
        "type": "savings",
        "currency": "EUR",
        "balance": "10.00",
        "created_at": "2026-01-01T00:00:00Z",
    }
    item = {"pk": {"S": "USER#alice"}, "sk": {"S": "LIST#MANUAL#01OLD"}, "document": {"S": json.dumps(document)}}
    with world.looking():
        world.dynamodb.put_item(TableName=TABLE, Item=item)
    path = "/v1/accounts/01OLD"
    assert world.api("GET", path).json["balance"] == "10.00"
    assert [point["balance"] for point in balances(world, path)["balances"]] == ["10.00"]
    assert patch(world, path, balance="11").status == 200
    assert patch(world, path, balance="12").status == 200
    points = balances(world, path)["balances"]
    assert [point["balance"] for point in points] == ["12", "11", "10.00"]
    assert points[-1]["at"] == "2026-01-01T00:00:00Z"
    assert told(world) == [(1, "refreshed", True), (2, "refreshed", True)]
    assert folded(world.aws.bus) == shown(world.api("GET", "/v1/connections").json)


def test_two_devices_that_change_an_account_at_the_same_moment_both_are_heard(world: World) -> None:
    path = add(world).headers["location"]
    world.meanwhile(lambda: world.api("PATCH", path, {"balance": "7"}))
    assert world.api("PATCH", path, {"name": "Épargne"}).status == 200
    assert (world.api("GET", path).json["name"], world.api("GET", path).json["balance"]) == ("Épargne", "7")
    world.publish()
    assert told(world) == [(1, "added", True), (2, "refreshed", True), (3, "renamed", True)]


def test_an_account_that_is_dropped_on_another_device_is_not_brought_back(world: World) -> None:
    path = add(world).headers["location"]
    world.meanwhile(lambda: world.api("DELETE", path))
    assert world.api("PATCH", path, {"name": "Épargne"}).json["code"] == "account_not_found"
    world.publish()
    assert folded(world.aws.bus) == {}


def test_writers_who_are_always_late_are_asked_to_come_back(world: World) -> None:
    path = add(world).headers["location"]
    store = container().manual_account_store

    def late(*_: object, **__: object) -> None:
        raise StaleWriteError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(store), "save_manual", late)
        for reply in (
            world.api("PATCH", path, {"name": "x"}),
            world.api("DELETE", path),
            world.api("POST", "/v1/accounts", BODY),
        ):
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_a_synchronised_account_is_no_manual_one(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    for reply in (
        world.api("DELETE", path),
        world.api("PATCH", path, {"balance": "5"}),
        world.api("PUT", f"{path}/link", {"account_id": world.ids(connection)[1]}),
        world.api("DELETE", f"{path}/link"),
        world.api("DELETE", f"{path}/link-suggestions/{world.ids(connection)[1]}"),
    ):
        assert (reply.status, reply.json["code"]) == (409, "not_a_manual_account")


def test_a_manual_account_of_another_user_is_not_found(world: World) -> None:
    connection = world.connect(1)
    path = add(world, type="checking").headers["location"]
    foreign = world.ids(connection)[1]
    for reply in (
        world.api("GET", path, user="bob"),
        world.api("PATCH", path, {"name": "Mine"}, user="bob"),
        world.api("PATCH", path, {"balance": "1"}, user="bob"),
        world.api("DELETE", path, user="bob"),
        world.api("PUT", f"{path}/link", {"account_id": foreign}, user="bob"),
        world.api("DELETE", f"{path}/link", user="bob"),
        world.api("DELETE", f"{path}/link-suggestions/{foreign}", user="bob"),
    ):
        assert (reply.status, reply.json["code"]) == (404, "account_not_found")
    bobs = world.api("POST", "/v1/accounts", BODY | {"type": "checking"}, user="bob").headers["location"]
    across = world.api("PUT", f"{bobs}/link", {"account_id": foreign}, user="bob")
    assert (across.status, across.json["code"]) == (404, "account_not_found")
    assert world.api("GET", "/v1/connections").json["manual_accounts"] == [world.api("GET", path).json]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "gold"},
        {"balance": 12.5},
        {"balance": "much"},
        {"balance": "NaN"},
        {"balance": "1e9"},
        {"balance": "١٢"},
        {"currency": "euro"},
        {"currency": "eur"},
        {"name": ""},
        {"iban": "FR76"},
    ],
)
def test_a_manual_account_that_is_not_as_agreed_is_refused(world: World, wrong: dict[str, Any]) -> None:
    reply = world.api("POST", "/v1/accounts", BODY | wrong)
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_request", next(iter(wrong)))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"currency": "XYZ"}, "unknown_currency"),
        ({"currency": "FRF"}, "unknown_currency"),
        ({"currency": "BTC"}, "unknown_currency"),
        ({"currency": "BTC", "type": "checking"}, "unknown_currency"),
        ({"balance": "1000000000000.01"}, "balance_out_of_range"),
        ({"balance": "9" * 40}, "balance_out_of_range"),
        ({"balance": "-1000000000000.01", "type": "loan"}, "balance_out_of_range"),
        ({"balance": "-0.01"}, "negative_balance_not_allowed"),
        ({"balance": "-5", "type": "crypto"}, "negative_balance_not_allowed"),
        ({"balance": "-5", "type": "life_insurance"}, "negative_balance_not_allowed"),
    ],
)
def test_a_currency_or_balance_that_cannot_be_is_refused_in_both_languages_and_nothing_is_written(
    world: World, fields: dict[str, Any], code: str
) -> None:
    details = set()
    for language in ("fr", "en"):
        reply = world.api("POST", "/v1/accounts", BODY | fields, accept_language=language)
        assert (reply.status, reply.json["code"]) == (422, code)
        assert reply.json["field"] == ("currency" if code == "unknown_currency" else "balance")
        details.add(reply.json["detail"])
    assert len(details) == 2
    assert world.items() == []


def test_a_balance_is_checked_for_a_change_as_for_a_new_account(world: World) -> None:
    path = add(world).headers["location"]
    for balance, code in (("-1", "negative_balance_not_allowed"), ("1" * 14, "balance_out_of_range")):
        reply = world.api("PATCH", path, {"balance": balance})
        assert (reply.status, reply.json["code"], reply.json["field"]) == (422, code, "balance")
    assert world.api("GET", path).json["balance"] == "1200.50"


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "checking", "balance": "-150.00"},
        {"type": "card", "balance": "-42"},
        {"type": "loan", "balance": "-180000"},
        {"type": "crypto", "currency": "BTC", "balance": "0.123456789012345678"},
        {"type": "crypto", "currency": "EUR"},
        {"balance": "1000000000000"},
        {"currency": "XOF"},
    ],
)
def test_what_an_account_may_hold_or_owe_is_kept_to_the_last_digit(world: World, fields: dict[str, Any]) -> None:
    added = add(world, **fields)
    assert added.status == 201
    wanted = BODY | fields
    assert {name: added.json[name] for name in ("type", "currency", "balance")} == {
        name: wanted[name] for name in ("type", "currency", "balance")
    }


@pytest.mark.parametrize("body", [{}, {"name": "a", "balance": "1"}, {"enabled": True, "balance": "1"}])
def test_a_change_is_of_one_thing(world: World, body: dict[str, Any]) -> None:
    path = add(world).headers["location"]
    reply = world.api("PATCH", path, body)
    assert (reply.status, reply.json["code"]) == (422, "invalid_request")


def test_a_user_keeps_a_bounded_number_of_manual_accounts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_MANUAL_ACCOUNTS == 100
    monkeypatch.setattr("shared.domain.manual.MOST_MANUAL_ACCOUNTS", 1)
    assert add(world).status == 201
    refused = add(world)
    assert (refused.status, refused.json["code"]) == (409, "too_many_manual_accounts")


def test_nobody_adds_an_account_while_being_erased(world: World) -> None:
    assert world.api("DELETE", "/v1/me").status == 202
    assert add(world).json["code"] == "user_being_erased"
    world.settle()
    assert add(world).status == 201
