"""Connections that are deleted or refreshed, here and at Powens."""

import json
from datetime import timedelta

import pytest

from shared.domain.connection import connection_id
from tests.ibans import iban
from tests.integration.journey_steps import kinds
from tests.integration.world import World
from tests.worlds.documents import content_of
from tests.worlds.folding import folded


def test_deleting_a_connection_needs_its_banks_name_and_is_for_good(world: World) -> None:
    connection = world.connect(1, 2)
    path = f"/v1/connections/{connection_id(77)}"
    wrong = world.api("DELETE", path, {"confirm": "Another Bank"})
    assert (wrong.status, wrong.json["code"], wrong.json["field"]) == (422, "confirmation_mismatch", "confirm")
    world.forget()
    ended = world.api("DELETE", path, {"confirm": "Banque du Test"})
    assert ended.status == 202
    world.settle()
    assert world.powens.log == ["DELETE /users/41/connections/77"]
    assert world.operation(ended)["status"] == "completed"
    assert world.powens.connections == {}
    assert world.api("GET", path).status == 404
    assert kinds(world.aws.bus) == ["ConnectionRemoved", "OperationEnded"]
    world.webhook("connection-deleted", connection)
    world.webhook("account-enabled", connection)
    world.settle()
    assert kinds(world.aws.bus) == ["ConnectionRemoved", "OperationEnded"]
    assert world.api("GET", "/v1/connections").json["connections"] == []
    refused = world.api("PUT", f"{path}/selection", {"enabled_account_ids": []})
    assert (refused.status, refused.json["code"]) == (404, "connection_not_found")
    for method, rest, body in (("DELETE", "", {"confirm": "Banque du Test"}), ("POST", "/refresh", None)):
        refused = world.api(method, f"{path}{rest}", body)
        assert (refused.status, refused.json["code"]) == (404, "connection_not_found")
    assert folded(world.aws.bus, connection) == {}


def test_a_choice_about_a_connection_that_is_gone_cannot_be_undone(world: World) -> None:
    connection = world.connect(1, 2)
    chosen = world.choose(connection, 1)
    world.settle()
    del world.powens.connections[77]
    world.webhook("connection-deleted", connection)
    world.settle()
    refused = world.api("POST", f"/v1/operations/{chosen.json['id']}/undo")
    assert (refused.status, refused.json["code"]) == (409, "connection_removed")


def test_a_connection_deleted_in_the_webview_leaves_the_list(world: World) -> None:
    connection = world.connect(1)
    other = world.connect(2, connection_id=78)
    del world.powens.connections[77]
    world.forget()
    world.webhook("connection-deleted", connection)
    world.settle()
    [removed] = world.events("ConnectionRemoved")
    assert [(line["change"], line["enabled"]) for line in removed["data"]["accounts"]] == [("removed", False)]
    assert [c["id"] for c in world.api("GET", "/v1/connections").json["connections"]] == [connection_id(other.id)]


def test_a_whole_read_removes_a_connection_only_when_powens_denies_it_too(world: World) -> None:
    connection = world.connect(1)
    del world.powens.connections[77]
    opened = world.open_webview(flow="manage")
    world.come_back(opened)
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []
    world.powens.connections[77] = connection
    world.webhook("account-enabled", connection)
    world.settle()
    assert world.enabled(connection) == {1}, "Powens shows it after all"


def test_a_refresh_ends_when_powens_shows_a_newer_synchronisation(world: World) -> None:
    connection = world.connect(1)
    world.forget()
    asked = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    assert world.held(connection)["status"] == "syncing"
    world.settle()
    assert world.operation(asked)["status"] == "completed"
    assert world.powens.count("PUT .*") == 1
    assert "refreshed" in {line["change"] for line in world.events("AccountsUpdated")[0]["data"]["accounts"]}


def test_a_choice_does_not_wait_behind_a_refresh_that_powens_takes_its_time_for(world: World) -> None:
    from tests.worlds.powens.wire import Answer

    connection = world.connect(1, 2)
    world.powens.fail("PUT .*", Answer(202, {}))
    refresh = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.publish()
    assert world.deliver("commands")
    chosen = world.choose(connection, 1)
    world.settle(within=timedelta(seconds=30))
    assert world.operation(chosen)["status"] == "completed"
    assert world.at_powens(connection) == {1}
    assert world.operation(refresh)["ended_at"] is None


@pytest.mark.parametrize(
    ("age", "status", "said"),
    [
        (timedelta(minutes=5), "completed", "The data has just been refreshed."),
        (timedelta(minutes=29), "completed", "The data has just been refreshed."),
        (timedelta(minutes=31), "failed", "31 minutes old"),
        (timedelta(hours=8), "failed", "8 hours old"),
        (timedelta(hours=25), "failed", "25 hours old"),
        (timedelta(hours=100), "failed", "4 days old"),
    ],
)
def test_a_refresh_that_powens_refuses_says_how_old_the_data_is_that_there_is(
    world: World, age: timedelta, status: str, said: str
) -> None:
    from tests.worlds.powens.fake import error

    connection = world.connect(1)
    world.clock.now += age
    world.powens.fail("PUT .*", error(409, "conflict"))
    asked = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.settle()
    path = f"/v1/operations/{asked.json['id']}"
    ended = world.api("GET", path, accept_language="en").json
    assert ended["status"] == status
    assert ended["status_reason"]["code"] == ("just_refreshed" if status == "completed" else "refresh_refused")
    assert said in ended["status_reason"]["message"]
    assert ended["last_success_at"] == world.held(connection)["last_success_at"]
    assert world.commands.messages == []


def test_of_an_ended_connection_ids_and_hashes_are_kept_and_its_history_has_its_names(world: World) -> None:
    connection = world.connect(1, 2)
    ours, ids = connection_id(connection.id), world.ids(connection)
    world.api("PATCH", f"/v1/accounts/{ids[2]}", {"name": "Mon compte"})
    world.api("DELETE", f"/v1/connections/{ours}", {"confirm": "Banque du Test"})
    world.settle()

    [tombstone] = [item for item in world.items() if item["sk"]["S"] == f"LIST#CONNECTION#{ours}"]
    kept = json.dumps(content_of(tombstone), ensure_ascii=False)
    for personal in ("Compte 1", "Mon compte", "Banque du Test", "1523.07", iban(1)[-4:], iban(2)[-4:]):
        assert personal not in kept
    assert all(account in kept for account in ids.values())
    [told] = [e for e in world.api("GET", "/v1/history").json["entries"] if e["kind"] == "ConnectionRemoved"]
    assert told["institution_name"] == "Banque du Test"
    assert sorted(line["name"] for line in told["accounts"]) == ["Compte 1", "Mon compte"]


def test_a_connection_that_powens_takes_away_and_shows_again_has_the_names_that_its_user_gave(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    ids = world.ids(connection)
    world.api("PATCH", f"/v1/accounts/{ids[2]}", {"name": "Mon compte"})
    taken = world.powens.connections.pop(connection.id)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert world.api("GET", "/v1/connections").json["connections"] == []

    world.clock.advance(minutes=1)
    world.powens.connections[connection.id] = taken
    world.webhook("connection-synced", connection)
    world.settle()
    shown = world.held(connection)
    assert shown["institution"]["name"] == "Banque du Test"
    assert {account["id"]: account["name"] for account in shown["accounts"]} == {
        ids[1]: "Compte 1",
        ids[2]: "Mon compte",
    }
    assert world.enabled(connection) == {1}
