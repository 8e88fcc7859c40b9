"""A table that released code has filled: today's code reads it, goes on with it, and writes the same."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from functions.live_updates import app as live_updates
from tests.integration.released import (
    TABLES,
    Item,
    answered,
    comparable,
    comparable_messages,
    lost,
    messages_left,
    put_messages,
    read,
    record,
    recorded_items,
)
from tests.integration.released_journey import CLOSED, SOCKET, UNDER_WAY, WORKING, journey, live_screens
from tests.integration.world import Reply, World
from tests.worlds.powens.model import Connection


def about(world: World, user: str) -> list[Item]:
    """Items that name the user; the event of an erasure is about nobody's data."""
    return [item for item in world.items() if f'"{user}"' in _text(item) or item["pk"]["S"] == f"USER#{user}"]


def _text(item: Item) -> str:
    return json.dumps(item, default=str).replace('\\"', '"') if not item["pk"]["S"].startswith("ERASED#") else ""


def chosen(world: World) -> Reply:
    """Alice's selection, confirmed once more with the key that it had."""
    working = world.powens.connections[WORKING]
    return world.choose(working, 1, 3, idempotency_key="chosen")


def ended(world: World, user: str) -> dict[str, str]:
    """The kinds of a user's operations, and how each ended."""
    operations = [json.loads(i["document"]["S"]) for i in world.items() if i["sk"]["S"].startswith("OPERATION#")]
    return {op["kind"]: op["status"] for op in operations if op["user_id"] == user and op["status"] != "pending"}


def test_todays_code_leaves_what_the_released_code_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts = journey(world, monkeypatch)
    items, messages = world.items(), messages_left(world)
    number = os.environ.get("RECORD")
    table = record(world, receipts, int(number)) if number else TABLES[-1]
    told = "when what is stored was meant to change: make record"
    assert comparable(items) == comparable(recorded_items(table)), told
    recorded = {name: read(table, f"messages/{name}") for name in messages}
    assert comparable_messages(messages, items) == comparable_messages(recorded, recorded_items(table)), told


def test_the_api_says_of_the_items_what_it_said(released: World, table: Path) -> None:
    for address, before in read(table, "answers").items():
        user, path = address.split()
        assert lost(before, answered(released, user, path)) == [], address


def test_an_operation_of_the_released_code_can_be_undone(released: World, table: Path) -> None:
    put_messages(released, table)
    released.settle()
    undone = released.api("POST", f"/v1/operations/{chosen(released).json['id']}/undo")
    assert undone.status == 202
    released.settle()
    assert released.operation(undone)["status"] == "completed"
    assert released.enabled(released.powens.connections[WORKING]) == {1, 2, CLOSED}


def test_a_new_selection_and_a_webhook_change_what_was_stored(released: World, table: Path) -> None:
    put_messages(released, table)
    released.settle()
    working = released.powens.connections[WORKING]
    confirmed = released.choose(working, 2)
    released.settle()
    assert released.operation(confirmed)["status"] == "completed"
    assert released.enabled(working) == {2, CLOSED}
    working.accounts[7].disabled = False
    released.webhook("account-enabled", working, id=7)
    released.settle()
    assert released.enabled(working) == {2, 7, CLOSED}


def test_requests_that_were_answered_get_the_same_answer_again(released: World, table: Path) -> None:
    stored = {item["sk"]["S"]: item for item in recorded_items(table) if item["sk"]["S"].startswith("IDEMPOTENCY#")}
    again = chosen(released)
    assert (again.status, again.body) == (202, stored["IDEMPOTENCY#chosen"]["body"]["S"])
    released.forget()
    opened = released.open_webview_with("opened")
    assert (opened.status, opened.body) == (201, released.open_webview_with("opened").body)
    assert released.powens.log == []
    assert released.come_back(opened).headers["location"].endswith("result=done")
    released.settle()
    assert released.powens.reads == 1


def test_manual_accounts_and_wishes_can_be_changed_and_dropped(released: World) -> None:
    listed = released.api("GET", "/v1/connections").json
    kept, joined = sorted(listed["manual_accounts"], key=lambda account: account["name"])
    path = f"/v1/accounts/{kept['id']}"
    assert released.api("PATCH", path, {"balance": "8"}).status == 200
    history = released.api("GET", f"{path}/balances").json["balances"]
    assert [str(point["balance"]) for point in history] == ["8", "7", "1200.50"]
    assert released.api("DELETE", f"/v1/accounts/{joined['id']}/link").status == 200
    for account in (kept, joined):
        assert released.api("DELETE", f"/v1/accounts/{account['id']}").status == 204
    for wish in listed["wishes"]:
        assert released.api("DELETE", f"/v1/wishes/{wish['id']}").status == 204
    left = {item["sk"]["S"].partition("#")[0] for item in released.items()}
    assert {"BALANCES", "WISH"}.isdisjoint(left)
    assert not any(item["sk"]["S"].startswith(("LIST#MANUAL", "LIST#WISH")) for item in released.items())


def test_a_user_of_the_released_code_is_erased_and_the_others_keep_everything(released: World) -> None:
    before = about(released, "bob")
    begun = released.api("DELETE", "/v1/me")
    assert begun.status == 202
    released.settle()
    assert released.api("GET", begun.headers["location"]).json["status"] == "completed"
    assert about(released, "alice") == []
    assert about(released, "bob") == before
    assert 41 not in released.powens.users


def test_housekeeping_ends_what_got_lost_and_reads_everybody_back(released: World) -> None:
    """None of the messages is delivered."""
    released.clock.advance(minutes=12)
    released.keep_house()
    assert ended(released, "bob") == {"selection": "timed_out", "refresh": "timed_out"}
    released.clock.advance(hours=13)
    changed = bob_unticks(released)
    released.keep_house()
    released.settle()
    assert about(released, "user-3") == []
    held = released.held(changed, user="bob")["accounts"]
    assert {account["name"]: account["enabled"] for account in held}["Compte 11"] is False


def bob_unticks(world: World) -> Connection:
    """In the Webview; Powens tells nobody."""
    connection = world.powens.connections[UNDER_WAY]
    connection.accounts[11].disabled = True
    return connection


def test_a_visit_that_was_cut_short_goes_on_with_the_powens_user_that_was_noted(released: World) -> None:
    noted = released.powens_user("user-6")
    assert released.open_webview("user-6").status == 201
    assert released.powens_user("user-6") == noted
    assert "POST /auth/init" not in released.powens.log


def test_an_open_screen_can_be_closed(released: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event: dict[str, Any] = {"requestContext": {"routeKey": "$disconnect", "connectionId": SOCKET}}
    with live_screens(released, monkeypatch):
        released.invoke(live_updates.lambda_handler, event)
    assert not [item for item in released.items() if "SOCKET" in item["sk"]["S"]]


def test_the_end_of_a_bank_that_is_down_is_seen(released: World) -> None:
    [open_one] = released.api("GET", "/v1/incidents").json["incidents"]
    assert open_one["reason"]["code"] == "bank_unavailable"
    for connection in released.powens.connections.values():
        if connection.state == "websiteUnavailable":
            connection.state = None
            released.webhook("connection-synced", connection)
    released.settle()
    for _ in range(4):
        released.clock.advance(minutes=20)
        released.keep_house()
    assert released.api("GET", "/v1/incidents").json["incidents"] == []


def test_the_catalogue_is_found_and_renewed(released: World) -> None:
    released.clock.advance(hours=1)
    assert released.refresh_catalogue()["institutions"] == 2
    assert len(released.api("GET", "/v1/institutions").json["institutions"]) == 2


def stored(number: int, second: int, *, name: str = "n", kind: str = "S") -> list[Item]:
    """Two items with ids around `number`, written at some second."""
    ids = [f"01KJYKKBM0{number + step:016d}" for step in range(2)]
    document = f'{{"id": "{ids[0]}", "name": "{name}", "at": "2026-03-05T09:00:{second:02d}.5+00:00"}}'
    return [
        {"pk": {"S": "USER#a"}, "sk": {"S": f"WISH#{ids[0]}"}, "document": {kind: document}},
        {"pk": {"S": "USER#a"}, "sk": {"S": f"EVENT#{ids[1]}"}, "ttl": {"N": str(1_772_700_000 + second)}},
    ]


def test_items_are_compared_without_what_differs_each_time_and_with_everything_else() -> None:
    assert comparable(stored(1, 10)) == comparable(stored(50, 20))
    assert comparable(stored(1, 10)) != comparable(stored(1, 10, name="m"))
    assert comparable(stored(1, 10)) != comparable(stored(1, 10, kind="N"))
    assert comparable(stored(1, 10)) != comparable(stored(1, 10)[:1])


def test_an_answer_may_have_more_members_and_lacks_none() -> None:
    old = {"a": [{"b": 1}], "c": None}
    assert lost(old, {"a": [{"b": 1, "new": 2}], "c": None, "d": 3}) == []
    assert lost(old, {"a": [{}], "c": 1}) == [".a[0].b is gone", ".c was None, is 1"]
    assert lost(old, {"a": [], "c": None}) == [".a was [{'b': 1}], is []"]
