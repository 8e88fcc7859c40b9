"""Rule 6: one real account seen through two connections of one user counts once."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from shared.domain.connection import Account, Connection, account_id, connection_id
from shared.domain.copies import duplicates, superseded
from shared.domain.observation import Institution, ObservedSource
from tests.builders import BANK, NOW, account, after, connection

OTHER_BANK = Institution(id="another", name="Autre Banque")


def found(first: Account, second: Account, *, other_bank: bool = False) -> dict[str, str]:
    institution = OTHER_BANK if other_bank else BANK
    return counted([connection(first), connection(second, powens_id=78, institution=institution)])


def counted(connections: list[Connection]) -> dict[str, str]:
    return {copy: duplicate.account_id for copy, duplicate in duplicates(connections, NOW).items()}


@pytest.mark.parametrize(
    ("dead", "trouble", "reason"),
    [
        pytest.param({}, {"enabled": False}, "copy_not_enabled", id="unticked"),
        pytest.param({}, {"missing_since": NOW}, "copy_not_shown", id="missing from the last read"),
        pytest.param({"state": "wrongpass"}, {}, "copy_connection_not_working", id="broken"),
        pytest.param({"state": "bug"}, {}, "copy_connection_not_working", id="failing at Powens"),
        pytest.param({"state": "aWordThatNobodyKnows"}, {}, "copy_connection_not_working", id="in an unknown state"),
        pytest.param({"active": False}, {}, "copy_connection_not_working", id="inactive"),
        pytest.param(
            {"sources": (ObservedSource(id=81, name="openapi", access_expires_at=after(days=-1)),)},
            {"last_success_at": after(days=-2)},
            "copy_connection_not_working",
            id="out of consent",
        ),
        pytest.param(
            {"sources": (ObservedSource(id=81, name="openapi", state="websiteUnavailable"),)},
            {},
            "copy_connection_not_working",
            id="of a failing source",
        ),
        pytest.param({}, {"error": "websiteUnavailable"}, "copy_connection_not_working", id="failing by itself"),
        pytest.param({}, {"last_success_at": after(days=-90)}, "copy_older", id="frozen"),
        pytest.param({}, {"last_success_at": None}, "copy_older", id="never synchronised"),
        pytest.param({}, {"discovered_at": after(seconds=1)}, "copy_known_later", id="known later"),
    ],
)
def test_the_copy_that_is_of_use_counts_and_the_other_says_why_not(
    dead: dict[str, Any], trouble: dict[str, Any], reason: str
) -> None:
    """Known for longest, unless that is what decides: it must not matter."""
    known_since = {"discovered_at": after(days=-400)} | trouble
    old = connection(
        replace(account(1, iban_key="iban"), **known_since),
        last_success_at=trouble.get("last_success_at", NOW),
        **dead,
    )
    new = connection(account(2, iban_key="iban"), powens_id=78)
    found = duplicates([old, new], NOW)
    assert {copy: duplicate.account_id for copy, duplicate in found.items()} == {account_id(1): account_id(2)}
    assert found[account_id(1)].reason == reason
    assert found[account_id(1)].connection_id == connection_id(78)


def test_an_enabled_copy_of_a_broken_connection_counts_before_one_that_nobody_ticked() -> None:
    broken = connection(account(1, iban_key="iban"), state="wrongpass")
    working = connection(account(2, iban_key="iban", enabled=False), powens_id=78)
    assert counted([broken, working]) == {account_id(2): account_id(1)}


def test_a_copy_that_was_never_read_well_takes_the_success_of_its_connection() -> None:
    younger = replace(account(2, iban_key="iban", discovered_at=after(days=1)), last_success_at=None)
    new = connection(younger, powens_id=78, last_success_at=after(hours=1))
    assert counted([connection(account(1, iban_key="iban")), new]) == {account_id(1): account_id(2)}


def test_a_failing_copy_that_was_never_read_well_takes_no_success_of_its_connection() -> None:
    failing = replace(account(1, iban_key="iban", error="websiteUnavailable"), last_success_at=None)
    synchronised = connection(failing, last_success_at=after(hours=1))
    broken = connection(account(2, iban_key="iban", discovered_at=after(days=1)), powens_id=78, state="wrongpass")
    assert counted([synchronised, broken]) == {account_id(1): account_id(2)}


def test_an_account_and_what_shows_instead_of_it_are_copies_until_the_old_id_is_gone() -> None:
    absent = account(1, iban_key="iban", missing_since=after(minutes=1))
    newcomer = account(2, iban_key="iban", discovered_at=after(minutes=1))
    assert counted([connection(absent, newcomer)]) == {account_id(1): account_id(2)}
    unticked = account(2, iban_key="iban", discovered_at=after(minutes=1), enabled=False)
    assert counted([connection(absent, unticked)]) == {account_id(2): account_id(1)}
    neighbour = account(2, iban_key="iban", discovered_at=NOW)
    assert counted([connection(absent, neighbour)]) == {}, "shown beside it before, so it is another"


@pytest.mark.parametrize("told_by", ["name", "number_key"])
def test_pockets_of_one_account_are_told_apart_through_two_connections(told_by: str) -> None:
    def pocket(powens_id: int, which: str, *, enabled: bool) -> Account:
        told: dict[str, Any] = {told_by: which}
        return account(powens_id, iban_key="iban", enabled=enabled, **told)

    first = connection(pocket(1, "a", enabled=True), pocket(2, "b", enabled=False))
    second = connection(pocket(3, "a", enabled=False), pocket(4, "b", enabled=True), powens_id=78)
    assert counted([first, second]) == {account_id(3): account_id(1), account_id(2): account_id(4)}


def test_a_pocket_is_told_by_its_name_whichever_way_its_bank_writes_it() -> None:
    """In `original_name`, which is what is left when `name` is odd, banks write without accents and in capitals."""
    first = connection(account(1, iban_key="k", name="Épargne été"), account(2, iban_key="k", name="Vacances"))
    second = connection(
        account(3, iban_key="k", name="EPARGNE ETE"), account(4, iban_key="k", name="Projets"), powens_id=78
    )
    assert counted([first, second]) == {account_id(3): account_id(1)}


def test_pockets_of_which_each_connection_has_closed_another_are_no_copies_of_each_other() -> None:
    def pocket(powens_id: int, name: str, *, closed: bool) -> Account:
        return account(powens_id, iban_key="iban", name=name, closed_at=after() if closed else None)

    first = connection(pocket(1, "a", closed=False), pocket(2, "b", closed=True))
    second = connection(pocket(3, "a", closed=True), pocket(4, "b", closed=False), powens_id=78)
    assert counted([first, second]) == {}


def test_pockets_of_other_names_are_other_accounts_where_the_connections_agree_on_names() -> None:
    first = connection(account(1, iban_key="iban", name="a"), account(2, iban_key="iban", name="b"))
    second = connection(
        account(3, iban_key="iban", name="a"), account(4, iban_key="iban", name="c"), powens_id=78, state="wrongpass"
    )
    assert counted([first, second]) == {account_id(3): account_id(1)}


def test_pockets_that_nothing_tells_apart_count_through_one_of_the_connections() -> None:
    first = connection(account(1, iban_key="iban"), account(2, iban_key="iban"))
    second = connection(account(3, iban_key="iban"), account(4, iban_key="iban"), powens_id=78, state="wrongpass")
    assert set(counted([first, second])) == {account_id(3), account_id(4)}


def dead_and_anew(**dead: Any) -> tuple[Connection, Connection]:
    old = connection(account(1, iban_key="iban"), account(5, iban_key="other", enabled=False), **dead)
    return old, connection(account(2, iban_key="iban"), powens_id=78)


def superseding(*connections: Connection, now: datetime = NOW) -> dict[str, str | None]:
    doubled = duplicates(connections, now)
    return dict.fromkeys(c.id for c in connections) | superseded(connections, doubled, now)


def test_a_dead_connection_is_superseded_by_the_one_through_which_all_of_it_counts() -> None:
    assert superseding(*dead_and_anew(state="wrongpass")) == {
        connection_id(77): connection_id(78),
        connection_id(78): None,
    }
    frozen = dead_and_anew(last_success_at=after(days=-30))
    assert superseding(*frozen)[connection_id(77)] is None, "as long as its account has newer data"
    old = replace(frozen[0], accounts=(replace(frozen[0].accounts[0], last_success_at=after(days=-30)),))
    assert superseding(old, frozen[1])[connection_id(77)] == connection_id(78)


def test_a_connection_of_any_use_is_superseded_by_none() -> None:
    assert set(superseding(*dead_and_anew()).values()) == {None}
    old, new = dead_and_anew(state="wrongpass")
    alone = replace(old, accounts=(*old.accounts, account(6)))
    assert superseding(alone, new)[old.id] is None, "one of its accounts counts nowhere else"
    assert superseding(old, replace(new, state="wrongpass"))[old.id] is None, "the other is as dead"
    assert superseding(replace(old, accounts=()), new)[old.id] is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(account(2, iban_key="other"), id="another IBAN"),
        pytest.param(account(2, iban_key="iban", currency="USD"), id="another currency"),
        pytest.param(account(2, iban_key="iban", provider_type="card"), id="a card of the account"),
        pytest.param(account(2), id="no key at all"),
        pytest.param(account(2, iban_key="iban", closed_at=after()), id="closed"),
    ],
)
def test_other_accounts_are_no_duplicates(other: Account) -> None:
    assert found(account(1, iban_key="iban"), other) == {}


def test_a_number_identifies_an_account_inside_one_institution_only() -> None:
    first, second = account(1, number_key="n"), account(2, number_key="n")
    assert found(first, second) != {}
    assert found(first, second, other_bank=True) == {}


def test_accounts_of_one_connection_are_not_duplicates_of_each_other() -> None:
    assert counted([connection(account(1, iban_key="iban"), account(2, iban_key="iban"))]) == {}


def test_an_account_of_a_removed_connection_does_not_count() -> None:
    gone = connection(account(1, iban_key="iban"), removed_at=after())
    assert counted([gone, connection(account(2, iban_key="iban"), powens_id=78)]) == {}
