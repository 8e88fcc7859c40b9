"""What people do, from the tap to the event: choices on both ways, undo, names, previews, history."""

from typing import Any

from shared.domain.connection import connection_id
from tests.integration.api_steps import refused
from tests.integration.journey_steps import flip, kinds
from tests.integration.world import World
from tests.worlds.events import STATE_EVENTS
from tests.worlds.folding import folded, shown


def test_a_visit_to_the_webview_brings_its_accounts_into_the_list_as_they_were_ticked(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    assert world.enabled(connection) == {1, 2}
    [added] = world.events("AccountsUpdated")
    assert {line["change"] for line in added["data"]["accounts"]} == {"added"}
    assert added["metadata"]["cause"] == "webview"


def test_the_list_is_one_query_and_nothing_else(world: World) -> None:
    world.connect(1, 2)
    world.connect(3, connection_id=78)
    world.forget()
    listed = world.api("GET", "/v1/connections")
    assert [len(c["accounts"]) for c in listed.json["connections"]] in ([2, 1], [1, 2])
    assert world.aws.calls == ["Query"]
    assert world.powens.log == []


def test_a_cold_list_asks_neither_the_key_nor_the_secrets(world: World) -> None:
    assert world.api("GET", "/v1/connections").json == {
        "connections": [],
        "manual_accounts": [],
        "wishes": [],
        "unconfirmed": [],
    }
    assert world.aws.calls == ["Query"]


def test_a_list_that_has_not_changed_is_not_sent_again(world: World) -> None:
    world.connect(1)
    first = world.api("GET", "/v1/connections")
    again = world.api("GET", "/v1/connections", if_none_match=f'"other", W/{first.headers["etag"]}')
    assert (again.status, again.body) == (304, "")
    assert world.api("GET", "/v1/connections", if_none_match='"other"').status == 200


def test_fifty_webhooks_in_a_burst_cost_at_most_two_reads(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    for number in range(50):
        world.webhook("account-enabled", connection, id=1 + number % 2)
    assert world.aws.calls == ["SendMessage"] * 50
    world.settle()
    assert 1 <= world.powens.reads <= 2
    assert len(world.powens.log) == 2 * world.powens.reads
    assert world.refresh.messages == []


def test_fifty_webhooks_that_trickle_in_while_they_are_worked_on_cost_at_most_two_reads(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()

    def burst() -> None:
        for _ in range(25):
            world.webhook("account-synced", connection)

    burst()
    world.powens.before("GET /users/41/connections/77", burst)
    world.settle()
    assert world.powens.reads <= 2


def test_a_refresh_that_changes_nothing_writes_no_event(world: World) -> None:
    connection = world.connect(1, 2)
    world.forget()
    before = world.held(connection)
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.powens.reads == 1
    assert world.aws.bus == []
    assert world.held(connection) == before


def test_one_confirm_is_at_most_one_update_a_change_one_read_back_and_one_event(world: World) -> None:
    connection = world.connect(1, 2, 3, 4, 5, disabled=(4, 5))
    world.forget()
    confirmed = world.choose(connection, 1, 4, 5)
    assert (confirmed.status, confirmed.json["status"]) == (202, "pending")
    assert confirmed.headers["location"] == f"/v1/operations/{confirmed.json['id']}"
    world.settle()
    assert world.powens.updates == 4
    assert world.powens.count("GET .*") == 2
    assert len(world.powens.log) == 6
    [updated] = world.events("AccountsUpdated")
    ids = world.ids(connection)
    assert {(line["account_id"], line["change"]) for line in updated["data"]["accounts"]} == {
        (ids[2], "disabled"),
        (ids[3], "disabled"),
        (ids[4], "enabled"),
        (ids[5], "enabled"),
    }
    assert updated["metadata"]["cause"] == "user"
    [ended] = world.events("OperationEnded")
    assert ended["data"]["status"] == "completed"
    assert ended["data"]["operation_id"] == confirmed.json["id"]
    assert kinds(world.aws.bus) == ["AccountsUpdated", "OperationEnded"]
    assert world.operation(confirmed)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1, 4, 5}


def test_webhooks_between_the_updates_of_one_confirm_do_not_split_its_event(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(2, 3))
    world.forget()

    def told(account: int) -> None:
        world.webhook("account-enabled", connection, id=account)
        world.clock.advance(seconds=2)
        world.deliver("refresh")

    world.powens.before("POST /users/41/accounts/3", lambda: told(2))
    world.powens.before("GET /users/41/connections/77", lambda: None)
    world.choose(connection, 1, 2, 3)
    world.settle()
    assert world.powens.updates == 2
    [updated] = world.events("AccountsUpdated")
    assert len(updated["data"]["accounts"]) == 2
    assert world.enabled(connection) == {1, 2, 3}


def test_confirming_what_is_there_already_asks_powens_nothing(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.forget()
    confirmed = world.choose(connection, 1)
    assert confirmed.json["status"] == "completed"
    world.settle()
    assert world.powens.log == []
    assert kinds(world.aws.bus) == ["OperationEnded"]


def test_both_ways_end_in_the_same_state_and_the_same_kind_of_events(world: World) -> None:
    ours = world.connect(1, 2, 3, disabled=(3,))
    theirs = world.connect(11, 12, 13, connection_id=78, disabled=(13,))
    world.forget()
    world.choose(ours, 1, 3)
    world.settle()
    by_api = world.events("AccountsUpdated")
    world.forget()
    flip(world, theirs, 11, 13)
    world.settle()
    by_webview = world.events("AccountsUpdated")
    assert [account["status"] for account in world.held(ours)["accounts"]] == ["enabled", "disabled", "enabled"]
    assert [account["status"] for account in world.held(theirs)["accounts"]] == ["enabled", "disabled", "enabled"]
    assert len(by_api) == len(by_webview) == 1
    changes = [[line["change"] for line in event["data"]["accounts"]] for event in (*by_api, *by_webview)]
    assert changes[0] == changes[1] == ["disabled", "enabled"]
    assert (by_api[0]["metadata"]["cause"], by_webview[0]["metadata"]["cause"]) == ("user", "webview")
    assert world.held(ours)["revision"] == world.held(theirs)["revision"]


def test_a_choice_in_the_app_after_one_in_the_webview_wins(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    flip(world, connection, 1, 2)
    world.settle()
    world.choose(connection, 1)
    world.settle()
    assert world.enabled(connection) == world.at_powens(connection) == {1}


def test_a_choice_in_the_webview_after_one_in_the_app_wins(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    world.choose(connection, 1, 2)
    world.settle()
    flip(world, connection, 2)
    world.settle()
    assert world.enabled(connection) == world.at_powens(connection) == {2}


def test_choices_of_both_ways_that_overlap_end_as_powens_shows_and_both_operations_end(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(2, 3))
    confirmed = world.choose(connection, 1, 2)
    world.powens.before("POST /users/41/accounts/2", lambda: flip(world, connection, 1, 3))
    world.settle()
    assert world.operation(confirmed)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1, 2, 3}


def test_two_confirms_that_overlap_end_with_the_newer_one(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(2, 3))
    older = world.choose(connection, 1, 2)
    newer: list[Any] = []
    world.powens.before("POST /users/41/accounts/2", lambda: newer.append(world.choose(connection, 1, 3)))
    world.settle()
    assert world.enabled(connection) == world.at_powens(connection) == {1, 3}
    assert world.operation(older)["status"] == "completed"
    assert world.operation(older)["accounts"][0]["reason"]["code"] == "newer_choice"
    assert world.operation(newer[0])["status"] == "completed"


def test_folding_the_events_of_the_bus_gives_what_the_api_shows(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    world.powens.add_account(connection, 4, currency=None, type="livret_a", disabled=True)
    world.choose(connection, 1, 3)
    world.webhook("account-found", connection, id=4)
    world.settle()
    flip(world, connection, 1, 4)
    world.settle()
    connection.accounts[1].balance = 12.5
    world.powens.synchronise(connection)
    world.webhook("connection-synced", connection)
    world.settle()
    held = world.held(connection)
    assert folded(world.aws.bus, connection) == shown(held)
    assert folded([*reversed(world.aws.bus), *world.aws.bus], connection) == shown(held)
    newest = max(event["detail"]["data"]["revision"] for event in world.aws.bus)
    assert newest == held["revision"]
    revisions = sorted({e["data"]["revision"] for kind in STATE_EVENTS for e in world.events(kind)})
    assert revisions == list(range(1, held["revision"] + 1))


def test_a_new_account_stays_off_until_somebody_ticks_it(world: World) -> None:
    connection = world.connect(1)
    world.powens.add_account(connection, 2, disabled=True)
    world.forget()
    world.webhook("account-found", connection, id=2)
    world.settle()
    assert world.powens.updates == 0
    assert world.enabled(connection) == {1}
    [event] = world.events("AccountsUpdated")
    assert [(line["change"], line["enabled"]) for line in event["data"]["accounts"]] == [("added", False)]
    assert world.held(connection)["can_add_accounts"]["reason"] == "hidden_by_user"


def test_undo_brings_the_selection_before_back(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    confirmed = world.choose(connection, 3)
    world.settle()
    undone = world.api("POST", f"/v1/operations/{confirmed.json['id']}/undo")
    assert undone.status == 202
    world.settle()
    assert world.operation(undone)["status"] == "completed"
    assert world.enabled(connection) == world.at_powens(connection) == {1, 2}


def test_undo_is_refused_after_its_time_and_for_what_is_no_selection(world: World) -> None:
    connection = world.connect(1, 2)
    confirmed = world.choose(connection, 1)
    refresh = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.settle()
    not_undoable = world.api("POST", f"/v1/operations/{refresh.json['id']}/undo")
    assert (not_undoable.status, not_undoable.json["code"]) == (409, "not_undoable")
    world.clock.advance(hours=25)
    too_late = world.api("POST", f"/v1/operations/{confirmed.json['id']}/undo")
    assert (too_late.status, too_late.json["code"]) == (409, "undo_expired")


def test_one_account_can_be_switched_alone_and_given_a_name(world: World) -> None:
    connection = world.connect(1, 2)
    account = world.ids(connection)[2]
    world.forget()
    switched = world.api("PATCH", f"/v1/accounts/{account}", {"enabled": False})
    assert [item["wanted"] for item in switched.json["accounts"]] == ["disabled"]
    assert world.api("GET", f"/v1/accounts/{account}").json["status"] == "disabling"
    world.settle()
    assert world.at_powens(connection) == {1}
    named = world.api("PATCH", f"/v1/accounts/{account}", {"name": "Vacances"})
    assert (named.status, named.json["name"]) == (200, "Vacances")
    world.settle()
    assert world.api("GET", f"/v1/accounts/{account}").json["name"] == "Vacances"
    [*_, renamed] = world.events("AccountsUpdated")
    assert [line["change"] for line in renamed["data"]["accounts"]] == ["renamed"]
    again = world.api("PATCH", f"/v1/accounts/{account}", {"name": "Vacances"})
    world.settle()
    assert again.status == 200
    assert len(world.events("AccountsUpdated")) == 2


def test_a_preview_tells_the_effect_and_changes_nothing(world: World) -> None:
    connection = world.connect(1, 2, 3, disabled=(3,))
    ids = world.ids(connection)
    world.forget()
    body = {"enabled_account_ids": [ids[1], ids[3]]}
    path = f"/v1/connections/{connection_id(77)}/selection"
    preview = world.api("POST", f"{path}/preview", body)
    assert preview.status == 200
    assert (preview.json["enable"], preview.json["disable"], preview.json["unchanged"]) == (
        [ids[3]],
        [ids[2]],
        [ids[1]],
    )
    assert preview.json["deleted_at_powens"] == [ids[2]]
    assert preview.json["enabled_total"] == 2
    assert preview.json["requires_consent"] is True
    assert world.aws.calls == ["Query"]
    world.settle()
    assert world.powens.log == []
    assert world.aws.bus == []


def test_the_older_way_to_ask_for_a_preview_answers_the_same(world: World) -> None:
    connection = world.connect(1, 2)
    body = {"enabled_account_ids": [world.ids(connection)[1]]}
    path = f"/v1/connections/{connection_id(77)}/selection"
    asked = world.api("POST", f"{path}/preview", body)
    assert (asked.status, asked.json["disable"]) == (200, [world.ids(connection)[2]])
    assert world.api("PUT", path, body, query="dry_run=true").body == asked.body


def test_one_account_is_disabled_by_an_operation_that_can_be_undone(world: World) -> None:
    connection = world.connect(1, 2)
    path = f"/v1/accounts/{world.ids(connection)[2]}/enabled"
    begun = world.api("PUT", path, {"enabled": False})
    assert (begun.status, begun.headers["location"]) == (202, f"/v1/operations/{begun.json['id']}")
    world.settle()
    assert world.at_powens(connection) == {1}
    world.api("POST", f"{begun.headers['location']}/undo")
    world.settle()
    assert world.at_powens(connection) == {1, 2}


def test_a_manual_account_can_be_neither_enabled_nor_disabled(world: World) -> None:
    manual = {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "1"}
    kept = world.api("POST", "/v1/accounts", manual).json["id"]
    for method, path in (("PUT", f"/v1/accounts/{kept}/enabled"), ("PATCH", f"/v1/accounts/{kept}")):
        refused(world.api(method, path, {"enabled": False}), 409, "account_is_manual")


def test_history_tells_who_did_what_newest_first_and_by_pages(world: World) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    world.settle()
    entries = world.api("GET", "/v1/history").json["entries"]
    assert [entry["occurred_at"] for entry in entries] == sorted((e["occurred_at"] for e in entries), reverse=True)
    changes = [(entry["cause"], line["name"], line["change"]) for entry in entries for line in entry["accounts"]]
    assert ("user", "Compte 2", "disabled") in changes
    assert ("webview", "Compte 2", "added") in changes
    for ticked in ((1, 2), (1,)) * 13:
        world.choose(connection, *ticked)
        world.settle()
    first = world.api("GET", "/v1/history", query=f"connection_id={connection_id(77)}").json
    second = world.api("GET", "/v1/history", query=f"connection_id={connection_id(77)}&cursor={first['next']}").json
    assert len(first["entries"]) == 50
    seen = [entry["id"] for entry in (*first["entries"], *second["entries"])]
    assert len(set(seen)) == len(seen)
    assert world.api("GET", "/v1/history", query="connection_id=another").json == {"entries": [], "next": None}
