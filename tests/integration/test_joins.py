"""An account kept by hand turns out to be a synchronised one: suggested, joined, counted once, parted again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from functions.connection_refresh import app as connection_refresh
from shared.domain import ledger
from shared.domain.connection import Connection as Held
from shared.domain.connection import connection_id
from shared.domain.facts import Cause, Change, Fact, FactType, change_of
from tests.integration.folding import folded, shown
from tests.integration.test_journeys import flip
from tests.integration.world import Reply, World
from tests.worlds.powens.model import Connection

BODY: dict[str, Any] = {
    "name": "Mon compte",
    "type": "checking",
    "currency": "EUR",
    "balance": "1500",
    "institution_name": "banque du test",
}


def add(world: World, **fields: Any) -> str:
    """The path of a new account kept by hand."""
    reply = world.api("POST", "/v1/accounts", BODY | fields)
    assert reply.status == 201, reply.body
    world.publish()
    return reply.headers["location"]


def link(world: World, path: str, account_id: str, **headers: str) -> Reply:
    reply = world.api("PUT", f"{path}/link", {"account_id": account_id}, **headers)
    world.publish()
    return reply


def unlink(world: World, path: str, **headers: str) -> Reply:
    reply = world.api("DELETE", f"{path}/link", **headers)
    world.publish()
    return reply


def manual(world: World, path: str) -> Any:
    [found] = [a for a in listed(world)["manual_accounts"] if a["id"] == path.rpartition("/")[2]]
    assert world.api("GET", path).json == found
    return found


def listed(world: World) -> Any:
    """The list, which must be what the events of the bus fold to."""
    world.publish()
    shown_list = world.api("GET", "/v1/connections").json
    assert folded(world.aws.bus) == shown(shown_list)
    return shown_list


def counted(world: World) -> list[str]:
    """Ids of the accounts that count."""
    everything = listed(world)
    accounts = [a for c in everything["connections"] for a in c["accounts"]] + everything["manual_accounts"]
    return [a["id"] for a in accounts if a["enabled"] and a["duplicate_of"] is None]


def told(world: World, path: str) -> list[tuple[int, str, bool]]:
    """What the events said of the account kept by hand: (revision, change, enabled)."""
    return [
        (event["data"]["revision"], line["change"], line["enabled"])
        for event in world.events("AccountsUpdated")
        for line in event["data"]["accounts"]
        if line["account_id"] == path.rpartition("/")[2]
    ]


def read(world: World, connection: Connection) -> None:
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()


def test_an_account_kept_by_hand_is_joined_with_the_synchronised_one_that_appears_and_parted_again(
    world: World,
) -> None:
    path = add(world)
    world.clock.advance(days=3)
    world.api("PATCH", path, {"balance": "1510"})
    assert counted(world) == [path.rpartition("/")[2]]
    assert manual(world, path)["link_suggestions"] == []
    world.clock.advance(days=3)

    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    before = manual(world, path)
    assert before["link_suggestions"] == [
        {"account_id": synchronised, "evidence": ["same_type", "same_currency", "same_institution"]}
    ]
    assert len(counted(world)) == 2, "nothing is joined by itself"

    world.aws.calls.clear()
    joined = link(world, path, synchronised)
    assert joined.status == 200
    assert sorted(set(world.aws.calls)) == ["PutEvents", "Query", "TransactWriteItems"]
    assert joined.json == manual(world, path)
    assert (joined.json["enabled"], joined.json["status"]) == (False, "disabled")
    assert joined.json["linked_account_id"] == synchronised
    assert joined.json["link_suggestions"] == []
    assert world.held(connection)["accounts"][0]["linked_account_id"] == path.rpartition("/")[2]
    assert world.api("GET", f"/v1/accounts/{synchronised}").json == world.held(connection)["accounts"][0]
    assert counted(world) == [synchronised]

    series = world.api("GET", f"{path}/balances").json
    assert [(p["balance"], p["kind"]) for p in series["balances"]] == [
        ("1523.07", "synced"),
        ("1510", "manual"),
        ("1500", "manual"),
    ]
    assert world.api("GET", f"/v1/accounts/{synchronised}/balances").json == series

    assert unlink(world, path).json == before == manual(world, path)
    assert world.held(connection)["accounts"][0]["linked_account_id"] is None
    assert len(counted(world)) == 2
    points = world.api("GET", f"{path}/balances").json["balances"]
    assert [(p["balance"], p["kind"]) for p in points] == [("1510", "manual"), ("1500", "manual")]
    points = world.api("GET", f"/v1/accounts/{synchronised}/balances").json["balances"]
    assert [(p["balance"], p["kind"]) for p in points] == [("1523.07", "synced")]
    assert told(world, path) == [
        (1, "added", True),
        (2, "refreshed", True),
        (3, "disabled", False),
        (4, "enabled", True),
    ]
    assert world.powens.updates == 0


def test_what_is_written_down_while_the_synchronised_account_counts_waits_for_the_day_it_does_not(
    world: World,
) -> None:
    path = add(world)
    world.clock.advance(days=1)
    connection = world.connect(1)
    link(world, path, world.ids(connection)[1])
    world.clock.advance(days=1)
    assert world.api("PATCH", path, {"balance": "1600"}).json["balance"] == "1600"
    kinds = [(p["balance"], p["kind"]) for p in world.api("GET", f"{path}/balances").json["balances"]]
    assert kinds == [("1523.07", "synced"), ("1500", "manual")]
    flip(world, connection)
    world.settle()
    kinds = [(p["balance"], p["kind"]) for p in world.api("GET", f"{path}/balances").json["balances"]]
    assert kinds == [("1600", "manual"), ("1500", "manual")]


def test_a_synchronised_account_without_a_balance_shows_none(world: World) -> None:
    connection = world.connect(1, disabled=(1,))
    world.powens.add_account(connection, 2, disabled=True, balance=None)
    read(world, connection)
    path = f"/v1/accounts/{world.ids(connection)[2]}/balances"
    assert world.api("GET", path).json == {"balances": [], "next": None}


def test_repeating_a_join_or_a_parting_writes_and_tells_nothing(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    for _ in range(2):
        assert link(world, path, synchronised, idempotency_key="join").status == 200
    world.aws.calls.clear()
    assert link(world, path, synchronised).json["linked_account_id"] == synchronised
    assert set(world.aws.calls) == {"Query"}
    for _ in range(2):
        assert unlink(world, path, idempotency_key="part").status == 200
    world.aws.calls.clear()
    assert unlink(world, path).json["linked_account_id"] is None
    assert set(world.aws.calls) == {"Query"}
    assert [revision for revision, _, _ in told(world, path)] == [1, 2, 3]


def test_the_account_kept_by_hand_counts_again_while_the_joined_one_is_unticked(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    by_hand = path.rpartition("/")[2]
    link(world, path, synchronised)
    for _ in range(2):
        # In our app, and in the Powens space.
        world.choose(connection)
        world.settle()
        assert counted(world) == [by_hand]
        assert manual(world, path)["linked_account_id"] == synchronised
        assert world.held(connection)["accounts"][0]["linked_account_id"] == by_hand
        flip(world, connection, 1)
        world.settle()
        assert counted(world) == [synchronised]
    changes = [change for _, change, _ in told(world, path)]
    assert changes == ["added", "disabled", "enabled", "disabled", "enabled", "disabled"]


def test_the_account_kept_by_hand_counts_again_when_the_bank_closes_the_joined_one(world: World) -> None:
    path = add(world)
    connection = world.connect(1, 2)
    synchronised = world.ids(connection)[1]
    link(world, path, synchronised)
    connection.accounts[1].deleted = True
    read(world, connection)
    assert path.rpartition("/")[2] in counted(world)
    assert manual(world, path)["linked_account_id"] == synchronised
    connection.accounts[1].deleted = False
    read(world, connection)
    assert path.rpartition("/")[2] not in counted(world)


def test_a_join_ends_with_the_connection_and_is_there_again_when_it_was_taken_for_gone_wrongly(world: World) -> None:
    path = add(world)
    by_hand = path.rpartition("/")[2]
    connection = world.connect(1)
    synchronised = world.ids(connection)[1]
    link(world, path, synchronised)
    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert counted(world) == [by_hand]
    assert manual(world, path)["linked_account_id"] is None
    assert [p["kind"] for p in world.api("GET", f"{path}/balances").json["balances"]] == ["manual"]

    world.powens.connections[77] = connection
    read(world, connection)
    assert counted(world) == [synchronised]
    assert manual(world, path)["linked_account_id"] == synchronised

    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    again = world.connect(9, connection_id=79)
    assert [s["account_id"] for s in manual(world, path)["link_suggestions"]] == [world.ids(again)[9]]
    assert link(world, path, world.ids(again)[9]).status == 200
    assert counted(world) == [world.ids(again)[9]]
    assert unlink(world, path).status == 200
    assert world.api("DELETE", path).status == 204


def test_an_account_whose_synchronised_one_is_gone_can_be_dropped(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    link(world, path, world.ids(connection)[1])
    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.settle()
    assert world.api("DELETE", path).status == 204
    assert counted(world) == []


def test_an_account_seen_through_two_connections_and_kept_by_hand_counts_once(world: World) -> None:
    path = add(world)
    first = world.connect(1)
    second = world.connect(connection_id=78)
    old = first.accounts[1]
    world.powens.add_account(second, 2, iban=old.iban, last_update=old.last_update)
    read(world, second)
    one, other = world.ids(first)[1], world.ids(second)[2]
    assert [s["account_id"] for s in manual(world, path)["link_suggestions"]] == [one], (
        "what does not count is left out"
    )
    link(world, path, other)
    assert counted(world) == [one]
    flip(world, second)
    world.settle()
    assert counted(world) == [one], "the joined one is unticked, and the same one counts through the other bank"
    flip(world, first)
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    flip(world, first, 1)
    world.settle()
    assert counted(world) == [one]
    later = add(world, name="Encore")
    taken = link(world, later, one)
    assert (taken.status, taken.json["code"]) == (409, "account_already_joined")


def test_a_second_connection_to_the_joined_account_takes_over_when_it_appears(world: World) -> None:
    path = add(world)
    first = world.connect(1, disabled=(1,))
    link(world, path, world.ids(first)[1])
    assert counted(world) == [path.rpartition("/")[2]]
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    assert counted(world) == [world.ids(second)[2]]
    assert told(world, path)[-1][1:] == ("disabled", False)
    series = world.api("GET", f"{path}/balances").json["balances"]
    assert [point["kind"] for point in series] == ["synced", "manual"]


def test_joining_with_an_account_that_is_not_ticked_lets_the_one_kept_by_hand_count(world: World) -> None:
    path = add(world)
    connection = world.connect(1, disabled=(1,))
    joined = link(world, path, world.ids(connection)[1])
    assert (joined.json["enabled"], joined.json["linked_account_id"]) == (True, world.ids(connection)[1])
    assert counted(world) == [path.rpartition("/")[2]]
    assert unlink(world, path).json["enabled"]
    assert told(world, path) == [(1, "added", True), (2, "refreshed", True), (3, "refreshed", True)]


def test_a_join_outlives_an_account_that_powens_re_creates(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    link(world, path, world.ids(connection)[1])
    known = world.ids(connection)[1]
    old = connection.accounts[1]
    old.deleted = old.disabled = True
    world.powens.add_account(connection, 91, iban=old.iban, number=old.number, disabled=True)
    read(world, connection)
    assert world.ids(connection)[91] == known
    assert counted(world) == [known]
    assert manual(world, path)["linked_account_id"] == known


def test_a_join_with_an_account_of_a_dead_connection_goes_on_with_its_copy_when_that_connection_is_ended(
    world: World,
) -> None:
    path = add(world)
    first = world.connect(1)
    link(world, path, world.ids(first)[1])
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    assert len(counted(world)) == 1
    world.api("DELETE", f"/v1/connections/{connection_id(77)}", {"confirm": "Banque du Test"})
    world.settle()
    assert counted(world) == [world.ids(second)[2]], "else the money counts twice"
    assert manual(world, path)["linked_account_id"] == world.ids(second)[2]


# --- what is suggested, and what is not ------------------------------------------------------------------------------


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
    assert link(world, path, ids[1]).status == 200, "a user may think better of it"


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
            refused = link(world, path, account_id, accept_language=language)
            assert (refused.status, refused.json["code"]) == (409, code)
            details.add(refused.json["detail"])
        assert len(details) == 2
    two = link(world, f"/v1/accounts/{ids[1]}", ids[2])
    assert (two.status, two.json["code"]) == (409, "not_a_manual_account")
    missing = link(world, path, "x")
    assert (missing.status, missing.json["code"]) == (404, "account_not_found")
    assert world.items() == before


def test_a_joined_account_is_neither_joined_again_nor_deleted(world: World) -> None:
    connection = world.connect(1, 2)
    ids = world.ids(connection)
    path, other = add(world), add(world, name="Autre")
    assert link(world, path, ids[1]).status == 200
    for refused in (link(world, path, ids[2]), link(world, other, ids[1])):
        assert (refused.status, refused.json["code"]) == (409, "account_already_joined")
    deleted = world.api("DELETE", path, accept_language="en")
    assert (deleted.status, deleted.json["code"]) == (409, "account_is_joined")
    assert "joined" in deleted.json["detail"]
    assert manual(world, path)["linked_account_id"] == ids[1]
    unlink(world, path)
    assert world.api("DELETE", path).status == 204


def test_a_bounded_number_of_accounts_is_joined_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.joins.MOST_JOINED", 1)
    ids = world.ids(world.connect(1, 2))
    path, other = add(world), add(world)
    assert link(world, path, ids[1]).status == 200
    refused = link(world, other, ids[2])
    assert (refused.status, refused.json["code"]) == (409, "too_many_joined_accounts")


# --- at the same moment ----------------------------------------------------------------------------------------------


def test_two_devices_that_join_two_accounts_with_one_at_the_same_moment_join_one(world: World) -> None:
    synchronised = world.ids(world.connect(1))[1]
    path, other = add(world), add(world)
    world.meanwhile(lambda: link(world, other, synchronised))
    refused = link(world, path, synchronised)
    assert (refused.status, refused.json["code"]) == (409, "account_already_joined")
    assert sorted(counted(world)) == sorted([synchronised, path.rpartition("/")[2]])


def unticked_by_hand(held: Held | None, _: tuple[Held, ...]) -> ledger.Outcome:
    """As a read decides that finds every account unticked."""
    assert held is not None
    lines = tuple(change_of(replace(a, enabled=False), Change.DISABLED) for a in held.accounts)
    after = replace(
        held,
        accounts=tuple(replace(a, enabled=False, wanted=False) for a in held.accounts),
        revision=held.revision + 1,
    )
    fact = Fact(
        type=FactType.ACCOUNTS_UPDATED,
        user_id=held.user_id,
        connection_id=held.id,
        revision=after.revision,
        cause=Cause.WEBVIEW,
        accounts=lines,
    )
    return ledger.Outcome(connection=after, facts=(fact,))


def unticked(world: World, connection: Connection, path: str) -> None:
    flip(world, connection)
    world.settle()


def renamed(world: World, connection: Connection, path: str) -> None:
    assert world.api("PATCH", path, {"name": "Neuf"}).status == 200


def dropped(world: World, connection: Connection, path: str) -> None:
    assert world.api("DELETE", path).status == 204


@pytest.mark.parametrize("act", [unticked, renamed])
def test_what_happens_at_the_moment_of_a_join_is_neither_lost_nor_told_twice(
    world: World, act: Callable[[World, Connection, str], None]
) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: act(world, connection, path))
    assert link(world, path, world.ids(connection)[1]).status == 200
    world.settle()
    assert len(counted(world)) == 1
    assert manual(world, path)["name"] == ("Neuf" if act is renamed else "Mon compte")


def test_an_account_dropped_at_the_moment_of_a_join_is_gone(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: dropped(world, connection, path))
    assert link(world, path, world.ids(connection)[1]).json["code"] == "account_not_found"
    assert counted(world) == [world.ids(connection)[1]]


def test_an_account_joined_at_the_moment_of_its_deletion_stays(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.meanwhile(lambda: link(world, path, world.ids(connection)[1]))
    assert world.api("DELETE", path).json["code"] == "account_is_joined"
    assert counted(world) == [world.ids(connection)[1]]


def test_a_rename_at_the_moment_of_a_parting_is_kept(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    link(world, path, world.ids(connection)[1])
    world.meanwhile(lambda: renamed(world, connection, path))
    assert unlink(world, path).json["name"] == "Neuf"
    assert manual(world, path)["enabled"]


def test_a_join_at_the_moment_of_a_read_that_unticks_the_account_is_seen_by_the_read(world: World) -> None:
    connection = world.connect(1)
    path = add(world)
    world.clock.advance(seconds=10)
    flip(world, connection)
    world.meanwhile(lambda: link(world, path, world.ids(connection)[1]))
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    assert [change for _, change, _ in told(world, path)] == ["added", "disabled", "enabled"]


def test_two_connections_that_lose_the_joined_account_at_the_same_moment_see_each_other(world: World) -> None:
    path = add(world)
    first = world.connect(1)
    second = world.connect(connection_id=78)
    world.powens.add_account(second, 2, iban=first.accounts[1].iban)
    read(world, second)
    link(world, path, world.ids(first)[1])
    assert len(counted(world)) == 1
    assert path.rpartition("/")[2] not in counted(world)
    world.clock.advance(seconds=10)

    one, other = (connection_id(number) for number in (77, 78))
    with world.looking():
        changes = connection_refresh.container().changes

    def lose(lost: str) -> None:
        with world.invoking():
            changes.apply("alice", lost, unticked_by_hand, correlation_id="c")

    world.meanwhile(lambda: lose(other))
    lose(one)
    assert counted(world) == [path.rpartition("/")[2]]


def test_a_crash_between_read_and_write_of_a_change_that_ends_a_join_loses_nothing(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    link(world, path, world.ids(connection)[1])
    world.clock.advance(seconds=10)
    flip(world, connection)
    world.aws.raising("TransactWriteItems", RuntimeError("killed"))
    world.settle()
    assert counted(world) == [path.rpartition("/")[2]]
    assert [change for _, change, _ in told(world, path)] == ["added", "disabled", "enabled"]


def test_an_unchanged_read_asks_for_no_join_at_all(world: World) -> None:
    path = add(world)
    connection = world.connect(1)
    link(world, path, world.ids(connection)[1])
    world.forget()
    world.powens.synchronise(connection)
    world.powens.account(1).balance = 12.0
    read(world, connection)
    assert "Query" not in world.aws.calls
    assert connection_id(77) in {event["data"].get("connection_id") for event in world.events()}
