""" "Prévenez-moi": a wish to hear when an institution gives a type of account is kept, granted once and dismissed."""

from typing import Any

import pytest

from functions.accounts_api.container import container
from shared.application.ports import StaleWriteError
from shared.domain.connection import AccountType
from tests.integration.aws import throttled
from tests.integration.world import Reply, World
from tests.worlds.deployment import resources
from tests.worlds.powens.model import Connection

BANK = "338178e6-3d01-564f-9a7b-000000000077"
OTHER_BANK = "338178e6-3d01-564f-9a7b-000000000078"


def wish(world: World, kind: str = "savings", *, user: str = "alice", bank: str = BANK, **headers: str) -> Reply:
    return world.api("POST", "/v1/wishes", {"institution_id": bank, "type": kind}, user=user, **headers)


def wishes(world: World, user: str = "alice") -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = world.api("GET", "/v1/connections", user=user).json["wishes"]
    return shown


def grant(world: World, *kinds: AccountType, bank: str = BANK) -> tuple[int, bool]:
    with world.invoking():
        granted = container().grant_wishes.run(bank, kinds, correlation_id="catalogue")
    world.publish()
    return granted


def pointers(world: World) -> list[str]:
    """Open wishes that can be found by their institution."""
    return [item["sk"]["S"] for item in world.items() if item["sk"]["S"].startswith("WISH#")]


def discover(world: World, connection: Connection, powens_id: int, **fields: Any) -> None:
    world.powens.add_account(connection, powens_id, disabled=True, **fields)
    world.clock.advance(seconds=10)
    world.webhook("account-found", connection, id=powens_id)
    world.settle()


def test_a_wish_is_recorded_listed_with_the_same_one_query_and_dismissed(world: World) -> None:
    world.connect(1)
    made = wish(world)
    assert made.status == 201
    assert made.json == {
        "id": made.json["id"],
        "institution_id": BANK,
        "institution_name": "Banque du Test",
        "type": "savings",
        "created_at": made.json["created_at"],
        "available_at": None,
    }
    world.forget()
    assert wishes(world) == [made.json]
    assert world.aws.calls == ["Query"]
    assert world.api("DELETE", f"/v1/wishes/{made.json['id']}").status == 204
    assert wishes(world) == []
    assert pointers(world) == []
    again = world.api("DELETE", f"/v1/wishes/{made.json['id']}")
    assert (again.status, again.json["code"]) == (404, "wish_not_found")
    assert world.events() == []


def test_the_same_wish_again_is_the_same_one(world: World) -> None:
    world.connect(1)
    first = wish(world, idempotency_key="k")
    assert (wish(world, idempotency_key="k").status, wish(world, idempotency_key="k").body) == (201, first.body)
    again = wish(world)
    assert (again.status, again.body) == (200, first.body)
    kept = wish(world, idempotency_key="later")
    assert (kept.status, wish(world, idempotency_key="later").status) == (200, 200)
    assert len(wishes(world)) == 1
    path = f"/v1/wishes/{first.json['id']}"
    assert [world.api("DELETE", path, idempotency_key="d").status for _ in range(2)] == [204, 204]


def test_a_wish_made_on_two_devices_at_the_same_moment_is_one(world: World) -> None:
    world.connect(1)
    other: list[Reply] = []
    world.meanwhile(lambda: other.append(wish(world)))
    late = wish(world)
    assert (other[0].status, late.status) == (201, 200)
    assert wishes(world) == [late.json]


def test_wishes_are_everybodys_own(world: World) -> None:
    world.connect(1)
    made = wish(world)
    assert world.api("DELETE", f"/v1/wishes/{made.json['id']}", user="bob").json["code"] == "wish_not_found"
    assert wishes(world, "bob") == []
    assert wishes(world) == [made.json]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"institution_id": BANK, "type": "gold"}, "invalid_request"),
        ({"institution_id": "", "type": "savings"}, "invalid_request"),
        ({"institution_id": BANK}, "invalid_request"),
        ({"institution_id": BANK, "type": "savings", "x": 1}, "invalid_request"),
        ({"institution_id": "unheard-of", "type": "savings"}, "unknown_institution"),
    ],
)
def test_a_wish_that_is_not_as_agreed_is_refused(world: World, body: dict[str, Any], code: str) -> None:
    world.connect(1)
    refused = world.api("POST", "/v1/wishes", body)
    assert (refused.status, refused.json["code"]) == (422, code)
    assert wishes(world) == []


def test_a_user_has_a_bounded_number_of_wishes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.wishes.MOST_WISHES", 1)
    world.connect(1)
    assert wish(world).status == 201
    refused = wish(world, "loan")
    assert (refused.status, refused.json["code"]) == (409, "too_many_wishes")
    assert wish(world).status == 200


# --- granted by a discovery ------------------------------------------------------------------------------------------


def test_an_account_of_a_wished_type_that_is_discovered_grants_the_wish_once(world: World) -> None:
    connection = world.connect(1)
    made = wish(world).json
    wish(world, "loan")
    world.forget()
    discover(world, connection, 5, type="livret_a")
    [told] = world.events("AccountNowAvailable")
    assert told["data"] == {
        "user_id": "alice",
        "revision": 1,
        "accounts": [],
        "wish_id": made["id"],
        "institution_id": BANK,
        "type": "savings",
    }
    granted = {w["type"]: w["available_at"] for w in wishes(world)}
    assert granted["savings"] is not None
    assert granted["loan"] is None
    entry = next(e for e in world.api("GET", "/v1/history").json["entries"] if e["kind"] == "AccountNowAvailable")
    assert (entry["institution_name"], entry["type"], entry["accounts"]) == ("Banque du Test", "savings", [])
    assert pointers(world) == [f"WISH#loan#{next(w['id'] for w in wishes(world) if w['type'] == 'loan')}"]

    discover(world, connection, 6, type="livret_a")
    world.clock.advance(days=1)
    world.webhook("connection-synced", connection)
    world.settle()
    assert len(world.events("AccountNowAvailable")) == 1
    assert grant(world, AccountType.SAVINGS) == (0, True)
    assert len(world.events("AccountNowAvailable")) == 1
    assert world.api("DELETE", f"/v1/wishes/{made['id']}").status == 204
    assert [w["type"] for w in wishes(world)] == ["loan"]


def test_an_account_of_another_type_or_institution_grants_nothing(world: World) -> None:
    connection = world.connect(1)
    elsewhere = world.connect(2, connection_id=78)
    wish(world)
    discover(world, connection, 5, type="pea")
    discover(world, elsewhere, 6, type="livret_a")
    assert world.events("AccountNowAvailable") == []
    assert wishes(world)[0]["available_at"] is None


def test_a_connection_that_is_added_grants_what_was_wished_of_its_institution(world: World) -> None:
    first = world.connect(1)
    wish(world)
    del world.powens.connections[77]
    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", first)
    world.settle()
    assert wishes(world)[0]["available_at"] is None
    opened = world.open_webview()
    again = world.powens.add_connection(41, "Banque du Test", connection_id=90, uuid=BANK)
    world.powens.add_account(again, 9, type="livret_a")
    world.come_back(opened, "&connection_id=90")
    world.settle()
    assert wishes(world)[0]["available_at"] is not None
    assert len(world.events("AccountNowAvailable")) == 1


def test_a_read_that_adds_an_account_costs_one_more_query_and_any_other_read_none(world: World) -> None:
    connection = world.connect(1)
    wish(world)
    world.forget()
    discover(world, connection, 5, type="livret_a")
    with_discovery = list(world.aws.calls)
    assert with_discovery.count("Query") == 1
    assert with_discovery.count("TransactWriteItems") == 1
    world.forget()
    world.powens.account(1).balance = 5.0
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()
    assert "Query" not in world.aws.calls
    assert len(world.events("AccountsUpdated")) == 1


def test_a_wish_dismissed_at_the_moment_of_the_discovery_is_not_granted(world: World) -> None:
    connection = world.connect(1)
    made = wish(world).json
    world.meanwhile(lambda: world.api("DELETE", f"/v1/wishes/{made['id']}"))
    discover(world, connection, 5, type="livret_a")
    assert wishes(world) == []
    assert world.events("AccountNowAvailable") == []
    assert len(world.held(connection)["accounts"]) == 2


def test_a_wish_granted_at_the_moment_of_its_dismissal_is_dismissed(world: World) -> None:
    world.connect(1)
    made = wish(world).json
    world.meanwhile(lambda: grant(world, AccountType.SAVINGS))
    assert world.api("DELETE", f"/v1/wishes/{made['id']}").status == 204
    assert wishes(world) == []
    assert len(world.events("AccountNowAvailable")) == 1


# --- granted by the catalogue ----------------------------------------------------------------------------------------


def test_everybody_who_wished_for_a_type_hears_once_that_an_institution_now_gives_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.application.wishes.AT_ONCE", 2)
    users = ("alice", "bob", "carol")
    for number, user in enumerate(users):
        world.connect(10 + number, user=user, connection_id=70 + number)
        uuid = f"338178e6-3d01-564f-9a7b-{70 + number:012d}"
        assert wish(world, user=user, bank=uuid).status == 201
    world.api("POST", "/v1/wishes", {"institution_id": "338178e6-3d01-564f-9a7b-000000000070", "type": "loan"})
    for number, user in enumerate(users):
        bank = f"338178e6-3d01-564f-9a7b-{70 + number:012d}"
        assert grant(world, AccountType.SAVINGS, AccountType.CRYPTO, bank=bank) == (1, True)
        assert [w["available_at"] is not None for w in wishes(world, user) if w["type"] == "savings"] == [True]
    told = world.events("AccountNowAvailable")
    assert [event["data"]["user_id"] for event in told] == list(users)
    assert {event["metadata"]["cause"] for event in told} == {"reconciliation"}
    assert {event["metadata"]["correlation_id"] for event in told} == {"catalogue"}


def many(world: World, count: int, bank: str = BANK) -> list[str]:
    """Users of one institution, each of whom wishes for savings there."""
    users = [f"user-{number}" for number in range(count)]
    for number, user in enumerate(users):
        opened = world.open_webview(user)
        connection = world.powens.add_connection(
            max(world.powens.users), "Banque du Test", connection_id=100 + number, uuid=bank
        )
        world.powens.add_account(connection, 1000 + number)
        world.come_back(opened, f"&connection_id={100 + number}")
        world.settle()
        assert wish(world, user=user, bank=bank).status == 201
    return users


def test_a_run_over_many_wishes_that_is_cut_short_goes_on_without_losing_or_doubling_any(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.application.wishes.AT_ONCE", 2)
    users = many(world, 5)
    use = container().grant_wishes.run
    left = iter([True, True, False])
    with world.invoking():
        granted = use(BANK, [AccountType.SAVINGS], correlation_id="c", in_time=lambda: next(left))
    assert granted == (2, False)
    world.aws.raising("TransactWriteItems", throttled("TransactWriteItems"), times=1)
    with pytest.raises(Exception, match="ThrottlingException"):
        grant(world, AccountType.SAVINGS)
    assert grant(world, AccountType.SAVINGS) == (3, True)
    assert grant(world, AccountType.SAVINGS) == (0, True)
    told = [event["data"]["user_id"] for event in world.events("AccountNowAvailable")]
    assert sorted(told) == sorted(users)
    assert pointers(world) == []


def test_a_pointer_without_its_wish_holds_nobody_up(world: World) -> None:
    """As after a restore of a part of the table."""
    many(world, 2)
    [first, _] = sorted(item["sk"]["S"].rpartition("#")[2] for item in world.items() if "WISH#s" in item["sk"]["S"])
    with world.looking():
        [lost] = [i for i in world.items() if i["sk"]["S"] == f"LIST#WISH#{first}"]
        world.dynamodb.delete_item(TableName=world.environment["TABLE_NAME"], Key={"pk": lost["pk"], "sk": lost["sk"]})
    assert grant(world, AccountType.SAVINGS) == (1, True)


def test_a_wish_that_is_granted_twice_at_the_same_moment_is_told_once(world: World) -> None:
    connection = world.connect(1)
    wish(world)
    world.meanwhile(lambda: discover(world, connection, 5, type="livret_a"))
    assert grant(world, AccountType.SAVINGS) == (0, True)
    assert len(world.events("AccountNowAvailable")) == 1


def test_writers_of_a_wish_who_are_always_late_are_asked_to_come_back(world: World) -> None:
    world.connect(1)
    made = wish(world).json
    store = container().wish_store

    def late(*_: object, **__: object) -> None:
        raise StaleWriteError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(store), "save_wish", late)
        patched.setattr(type(store), "delete_wish", late)
        assert wish(world, "loan").status == 503
        assert world.api("DELETE", f"/v1/wishes/{made['id']}").status == 503
        with pytest.raises(Exception, match="too many writers"):
            grant(world, AccountType.SAVINGS)


def test_nothing_is_wished_while_a_user_is_being_erased_and_wishes_go_with_the_user(world: World) -> None:
    world.connect(1)
    wish(world)
    assert world.api("DELETE", "/v1/me").status == 202
    assert wish(world, "loan").json["code"] == "user_being_erased"
    world.settle()
    assert pointers(world) == []
    assert grant(world, AccountType.SAVINGS) == (0, True)


def test_open_screens_hear_of_it() -> None:
    """The rule of the live updates lets the event through; what is told is tested with the function."""
    rule = resources()["LiveUpdatesFunction"]["Properties"]["Events"]
    [pattern] = [e["Properties"]["Pattern"] for e in rule.values() if e["Type"] == "EventBridgeRule"]
    assert "AccountNowAvailable" in pattern["detail-type"]
