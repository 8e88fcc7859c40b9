"""A release beside a newer one keeps what it does not know, and can be asked about it (ADR 0044)."""

import json
from datetime import datetime
from typing import Any

import pytest

from shared.domain.connection import connection_id
from tests.integration.newer_steps import NEWER, document, mark, marked, parts, put_item, rewrite, stored
from tests.integration.world import World
from tests.worlds.documents import content_of
from tests.worlds.powens.model import Connection, Connector

MANUAL = {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "10"}
BANK = "338178e6-3d01-564f-9a7b-000000000077"


@pytest.fixture
def connection(world: World) -> Connection:
    made = world.connect(1, 2, 3, disabled=(3,))
    world.forget()
    return made


# --- stored documents


def test_members_that_only_a_newer_release_knows_outlive_a_selection_and_a_read(
    world: World, connection: Connection
) -> None:
    world.choose(connection, 1)
    rewrite(world, "LIST#CONNECTION#", mark)
    world.settle()
    assert world.enabled(connection) == {1}
    assert marked(document(world, "LIST#CONNECTION#"))
    [ended] = [json.loads(item["document"]["S"]) for item in stored(world, "OPERATION#")]
    assert ended["status"] == "completed"
    assert marked(ended), "it has left the connection"


def test_they_go_with_an_account_to_another_connection(world: World) -> None:
    first = world.connect(1, 2)
    rewrite(world, "LIST#CONNECTION#", mark)
    [account] = [a for a in document(world, "LIST#CONNECTION#")["accounts"] if a["powens_id"] == 1]
    second = world.powens.add_connection(first.user, "Banque du Test", connection_id=78, uuid=BANK)
    second.accounts[1] = first.accounts.pop(1)
    world.clock.advance(minutes=1)
    world.webhook("connection-synced", second)
    world.settle()
    [moved] = [
        a for item in stored(world, f"LIST#CONNECTION#{connection_id(78)}") for a in content_of(item)["accounts"]
    ]
    assert (moved["id"], moved["newer"]) == (account["id"], NEWER)


def test_a_packed_document_keeps_them_too(
    world: World, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(world, "LIST#CONNECTION#", mark)
    for unit, attribute, chosen in ((100, "packed", [1]), (100_000, "document", [1, 2])):
        monkeypatch.setattr("shared.adapters.dynamodb.connection_item._WRITE_UNIT_BYTES", unit)
        world.choose(connection, *chosen)
        world.settle()
        [item] = stored(world, "LIST#CONNECTION#")
        assert attribute in item
        assert marked(content_of(item))


def test_accounts_kept_by_hand_keep_them(world: World) -> None:
    added = world.api("POST", "/v1/accounts", MANUAL)
    rewrite(world, "LIST#MANUAL#", mark)
    assert world.api("PATCH", added.headers["location"], {"name": "Vacances"}).status == 200
    assert document(world, "LIST#MANUAL#")["name"] == "Vacances"
    assert marked(document(world, "LIST#MANUAL#"))


def test_wishes_keep_them(world: World, connection: Connection) -> None:
    world.powens.connectors[BANK] = Connector(uuid=BANK, name="Banque du Test")
    world.refresh_catalogue()
    wished = world.api("POST", "/v1/wishes", {"institution_id": BANK, "type": "savings"})
    assert wished.status == 201, wished.body
    rewrite(world, "LIST#WISH#", mark)
    world.powens.add_account(connection, 7, type="savings", disabled=True)
    world.webhook("account-found", connection, id=7)
    world.settle()
    assert document(world, "LIST#WISH#")["available_at"]
    assert marked(document(world, "LIST#WISH#"))


def test_incidents_keep_them(world: World) -> None:
    for number in range(100, 105):
        failing = world.connect(number, user=f"user-{number}", connection_id=number, uuid=BANK)
        failing.state = "websiteUnavailable"
        world.clock.advance(seconds=10)
        world.webhook("connection-synced", failing)
        world.settle()
    world.keep_house()
    rewrite(world, "INCIDENTS", mark, newer={"S": "x"})
    for healed in world.powens.connections.values():
        healed.state = None
        world.webhook("connection-synced", healed)
    world.settle()
    world.keep_house()
    [item] = stored(world, "INCIDENTS")
    assert int(item["version"]["N"]) == 2
    assert item["newer"] == {"S": "x"}
    assert marked(document(world, "INCIDENTS"))


def test_attributes_of_items_outlive_a_write(world: World, connection: Connection) -> None:
    added = world.api("POST", "/v1/accounts", MANUAL)
    chosen = world.choose(connection, 1)
    for sort in ("LIST#CONNECTION#", "LIST#MANUAL#", "OPERATION#", "PROFILE"):
        for item in list(stored(world, sort)):
            put_item(world, {**item, "newer": {"S": sort}})
    assert world.api("PATCH", added.headers["location"], {"balance": "12"}).status == 200
    world.settle()
    world.powens.revoke_tokens(connection.user)
    world.clock.advance(minutes=1)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.operation(chosen)["status"] == "completed"
    for sort in ("LIST#CONNECTION#", "LIST#MANUAL#", "OPERATION#", "PROFILE"):
        assert [item["newer"]["S"] for item in stored(world, sort)] == [sort]
    [ended] = stored(world, "OPERATION#")
    assert {"due_pk", "due_sk", "connection_id"}.isdisjoint(ended), "what the release knows it takes away"


def test_a_kind_of_the_list_that_a_newer_release_has_is_passed_over(world: World, connection: Connection) -> None:
    goal = {"pk": {"S": "USER#alice"}, "sk": {"S": "LIST#GOAL#1"}, "document": {"S": "{}"}}
    put_item(world, goal)
    listed = world.api("GET", "/v1/connections")
    assert listed.status == 200, listed.body
    assert len(listed.json["connections"]) == 1
    assert goal in world.items()


# --- values


def test_an_operation_of_a_kind_that_is_not_known_is_shown_kept_and_left_to_a_newer_worker(
    world: World, connection: Connection
) -> None:
    refresh = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.publish()

    def newer(content: Any) -> None:
        for part in parts(content):
            if part.get("kind") == "refresh":
                part["kind"] = "split"

    rewrite(world, "LIST#CONNECTION#", newer)
    rewrite(world, "OPERATION#", newer)
    world.forget()
    world.deliver("commands")
    assert world.commands.returned[0][1] > 1
    assert world.metric("NewerVersions") == 1
    assert not [line for line in world.powens.log if line.startswith(("PUT", "POST"))]
    connection.accounts[2].disabled = True
    world.clock.advance(minutes=1)
    world.webhook("account-disabled", connection, id=2)
    world.clock.advance(seconds=10)
    assert world.deliver("refresh")
    assert document(world, "LIST#CONNECTION#")["operations"][0]["kind"] == "split"
    assert world.enabled(connection) == {1}
    world.clock.advance(minutes=12)
    world.keep_house()
    world.settle()
    assert world.operation(refresh)["status"] == "timed_out", "whatever it is, it ends"
    assert json.loads(next(stored(world, "OPERATION#"))["document"]["S"])["kind"] == "split"
    assert world.operation(refresh)["kind"] == "restoration", "what the API's description has for what we do ourselves"
    assert not world.commands.dead


def test_statuses_that_are_not_known_can_be_read_and_claim_no_success(world: World, connection: Connection) -> None:
    chosen = world.choose(connection, 1)

    def newer(content: Any) -> None:
        for part in parts(content):
            if part.get("kind") == "selection":
                part["status"] = "queued"
                part["items"][0] |= {"status": "delegated"}

    world.settle()
    rewrite(world, "OPERATION#", newer)
    shown = world.operation(chosen)
    assert (shown["status"], shown["accounts"][0]["status"]) == ("failed", "failed")
    rewrite(world, "OPERATION#", lambda content: content.pop("ended_at"))
    shown = world.operation(chosen)
    assert (shown["status"], shown["accounts"][0]["status"]) == ("running", "pending")
    assert world.api("GET", "/v1/me/export").status == 200


def test_an_account_kept_by_hand_of_a_type_that_is_not_known_can_be_read_and_renamed(world: World) -> None:
    added = world.api("POST", "/v1/accounts", MANUAL)
    rewrite(world, "LIST#MANUAL#", lambda content: content.update(type="pension"))
    [shown] = world.api("GET", "/v1/connections").json["manual_accounts"]
    assert shown["type"] == "other"
    assert world.api("PATCH", added.headers["location"], {"name": "Retraite"}).status == 200
    assert document(world, "LIST#MANUAL#")["type"] == "pension"
    assert world.api("POST", "/v1/accounts", MANUAL | {"type": "pension"}).status == 422, "requests stay strict"


def test_a_history_with_what_is_not_known_can_be_read(world: World, connection: Connection) -> None:
    for item in list(stored(world, "EVENT#")):
        detail = json.loads(item["detail"]["S"])
        detail["metadata"] |= {"cause": "advisor", "newer": 1}
        detail["data"] |= {"newer": {}}
        for line in detail["data"]["accounts"]:
            line |= {"change": "split", "newer": 1, "type": "pension"}
        put_item(world, {**item, "detail": {"S": json.dumps(detail)}})
    history = world.api("GET", "/v1/history")
    assert history.status == 200, history.body
    assert {entry["cause"] for entry in history.json["entries"]} == {"reconciliation"}
    assert {line["change"] for entry in history.json["entries"] for line in entry["accounts"]} == {"refreshed"}


def test_a_catalogue_with_a_type_that_is_not_known_is_used_and_kept(world: World) -> None:
    world.powens.connectors[BANK] = Connector(uuid=BANK, name="Banque du Test")
    world.refresh_catalogue()
    peer = {"pk": {"S": f"INSTITUTION#{BANK}"}, "due_pk": {"S": "PEER#0"}}
    for who in range(20):
        at = datetime.isoformat(world.clock(), timespec="microseconds")
        ttl = str(int(world.clock().timestamp()) + 86400)
        item = {**peer, "sk": {"S": f"PEER#pension#{who}"}, "due_sk": {"S": at}, "ttl": {"N": ttl}}
        put_item(world, item)
    world.clock.advance(hours=1)
    world.refresh_catalogue()
    world.clock.advance(hours=1)
    world.refresh_catalogue()
    assert world.api("GET", "/v1/institutions").status == 200
