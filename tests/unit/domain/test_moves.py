"""An account that shows under another connection with its Powens id is one account that has moved."""

from dataclasses import replace

import pytest

from shared.domain import ledger
from shared.domain.connection import Account, Connection, OperationKind, OperationStatus, account_id
from shared.domain.facts import Cause, Change
from shared.domain.ledger import Outcome, orders
from shared.domain.observation import ObservedAccount
from tests.builders import (
    POWENS_USER,
    USER,
    account,
    after,
    answer,
    choose,
    connection,
    observed,
    observed_account,
    read,
)
from tests.worlds.folding import fold

IBAN = "key-of-FR76-0112"


def other(*accounts: Account) -> Connection:
    return connection(*accounts, powens_id=78)


def arriving(new: Connection, old: Connection, *shown: ObservedAccount, minutes: float = 1) -> Outcome:
    """A read of `new` by which an account comes from `old`."""
    seen = observed(*shown, at=after(minutes=minutes), powens_id=78)
    return ledger.reconcile(
        new,
        seen,
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=Cause.BANK,
        correlation_id="c",
        now=seen.read_started_at,
        others=(old,),
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_it_keeps_its_id_its_name_and_its_wish_and_leaves_the_old_place_at_once(*, enabled: bool) -> None:
    old = connection(account(1, enabled=enabled, custom_name="Perso"), account(3))
    outcome = arriving(other(account(2)), old, observed_account(2), observed_account(1, disabled=not enabled))
    moved = outcome.connection.account(account_id(1))
    assert moved is not None
    assert (moved.custom_name, moved.enabled, moved.wanted, moved.discovered_at) == ("Perso", enabled, enabled, after())
    [(before, left)] = outcome.others
    assert before is old
    assert [a.powens_id for a in left.connection.accounts] == [3]
    assert [(line.account_id, line.change) for fact in left.facts for line in fact.accounts] == [
        (account_id(1), Change.REMOVED)
    ]
    assert [(line.account_id, line.change) for fact in outcome.facts for line in fact.accounts] == [
        (account_id(1), Change.ADDED)
    ]
    assert account_id(1) in fold([*left.facts, *outcome.facts])


def test_a_flip_on_the_way_is_a_choice() -> None:
    outcome = arriving(
        other(account(2)), connection(account(1)), observed_account(2), observed_account(1, disabled=True)
    )
    moved = outcome.connection.account(account_id(1))
    assert moved is not None
    assert (moved.enabled, moved.wanted) == (False, False)
    assert outcome.facts[0].cause is Cause.WEBVIEW


def test_a_choice_that_was_being_carried_out_goes_on_in_the_new_place() -> None:
    chosen = choose(connection(account(1, enabled=False)), {1: True}).connection
    outcome = arriving(other(account(2)), chosen, observed_account(2), observed_account(1, disabled=True))
    [(_, left)] = outcome.others
    assert [(o.status, o.items[0].reason) for o in left.operations] == [(OperationStatus.COMPLETED, "moved_elsewhere")]
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(1, True)]
    assert [o.kind for o in outcome.operations] == [OperationKind.RESTORATION]
    told = answer(outcome.connection, at=after(minutes=2)).connection
    done = arriving(told, left.connection, observed_account(2), observed_account(1), minutes=3).connection
    assert (done.operations, {a.enabled for a in done.accounts}) == ((), {True})


def test_a_choice_goes_on_although_the_selection_cannot_be_read_in_the_new_place() -> None:
    chosen = choose(connection(account(1)), {1: False}).connection
    odd = replace(observed_account(1, disabled=True), unreadable=True)
    outcome = arriving(other(account(2)), chosen, observed_account(2), odd)
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(1, False)]


def test_a_read_from_before_the_other_place_was_read_moves_nothing() -> None:
    newer = replace(connection(account(1)), read_started_at=after(minutes=5))
    outcome = arriving(other(account(2)), newer, observed_account(2), observed_account(1))
    assert [a.powens_id for a in outcome.connection.accounts] == [2]
    assert outcome.others == ()


def test_what_is_called_deleted_here_has_not_come_here() -> None:
    outcome = arriving(
        other(account(2)), connection(account(1)), observed_account(2), observed_account(1, deleted=True)
    )
    assert [a.powens_id for a in outcome.connection.accounts] == [2]
    assert outcome.others == ()


def anew(powens_id: int, *, deleted: bool = False, disabled: bool = True) -> ObservedAccount:
    """One account, under each id that Powens gave it."""
    return observed_account(powens_id, iban_key=IBAN, disabled=disabled, deleted=deleted)


def moved_lines(outcome: Outcome) -> list[tuple[str, Change]]:
    return [(line.account_id, line.change) for fact in outcome.facts for line in fact.accounts]


def test_what_moved_and_was_made_anew_before_anybody_read_it_is_still_itself() -> None:
    old = connection(account(1, iban_key=IBAN, custom_name="Perso"), account(3))
    outcome = arriving(other(account(2)), old, observed_account(2), anew(1, deleted=True), anew(4))
    moved = outcome.connection.account(account_id(1))
    assert moved is not None
    assert (moved.powens_id, moved.custom_name, moved.wanted, moved.closed_at) == (4, "Perso", True, None)
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(4, True)]
    [(_, left)] = outcome.others
    assert [a.powens_id for a in left.connection.accounts] == [3]
    assert moved_lines(left) == [(account_id(1), Change.REMOVED)]
    assert moved_lines(outcome) == [(account_id(1), Change.ADDED)]
    assert fold([*left.facts, *outcome.facts])[account_id(1)][0] is False


def test_a_choice_that_was_being_carried_out_goes_on_under_the_id_that_was_made_in_the_new_place() -> None:
    chosen = choose(connection(account(1, iban_key=IBAN, enabled=False)), {1: True}).connection
    outcome = arriving(other(account(2)), chosen, observed_account(2), anew(1, deleted=True), anew(4))
    [(_, left)] = outcome.others
    assert [o.items[0].reason for o in left.operations] == ["moved_elsewhere"]
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(4, True)]


def beside_its_old_id() -> Connection:
    """Account 1 has been made anew as 4, and its old id is absent for too short a time to be gone."""
    held = connection(account(1, iban_key=IBAN, custom_name="Perso"), account(3))
    return read(held, anew(4), observed_account(3), at=after(minutes=1)).connection


def test_what_moves_while_it_is_held_under_two_ids_takes_both_along() -> None:
    old = beside_its_old_id()
    outcome = arriving(other(account(2)), old, observed_account(2), anew(4), minutes=2)
    [(_, left)] = outcome.others
    assert [a.powens_id for a in left.connection.accounts] == [3]
    assert {a.powens_id for a in outcome.connection.accounts} == {1, 2, 4}
    assert orders(outcome.connection) == ()
    assert {account_id(1), account_id(4)} <= fold(outcome.facts).keys()
    later = arriving(outcome.connection, left.connection, observed_account(2), anew(4), minutes=24 * 60 + 1).connection
    one = later.account(account_id(1))
    assert one is not None
    assert (one.powens_id, one.custom_name, one.wanted) == (4, "Perso", True)
    assert len(later.accounts) == 2
    assert [(order.powens_id, order.enabled) for order in orders(later)] == [(4, True)]


def test_all_ids_that_it_had_within_a_day_come_along() -> None:
    old = read(beside_its_old_id(), anew(5), observed_account(3), at=after(minutes=2)).connection
    there = arriving(other(account(2)), old, observed_account(2), anew(5), minutes=3)
    assert {a.powens_id for a in there.connection.accounts} == {1, 2, 4, 5}
    held = there.connection
    for hours in (25, 26):
        held = arriving(
            held, there.others[0][1].connection, observed_account(2), anew(5), minutes=hours * 60
        ).connection
    assert {(a.id, a.powens_id, a.wanted) for a in held.accounts} == {
        (account_id(1), 5, True),
        (account_id(2), 2, True),
    }


def test_an_old_id_that_could_be_of_one_that_stays_behind_stays_too() -> None:
    held = connection(account(1, iban_key=IBAN), account(5, iban_key=IBAN))
    old = read(held, anew(4), anew(6), at=after(minutes=1)).connection
    outcome = arriving(other(account(2)), old, observed_account(2), anew(4), minutes=2)
    [(_, left)] = outcome.others
    assert [a.powens_id for a in left.connection.accounts] == [1, 5, 6]
    assert {a.powens_id for a in outcome.connection.accounts} == {2, 4}


def test_an_old_id_of_which_the_newcomer_has_a_rival_is_brought_by_neither() -> None:
    outcome = arriving(other(account(2)), beside_its_old_id(), observed_account(2), anew(4), anew(6), minutes=2)
    assert sorted(a.powens_id for a in outcome.connection.accounts) == [2, 4, 6]


def test_a_newcomer_that_cannot_be_read_brings_nothing_along() -> None:
    odd = replace(anew(4), unreadable=True)
    old = connection(account(1, iban_key=IBAN))
    outcome = arriving(other(account(2)), old, observed_account(2), anew(1, deleted=True), odd)
    assert [a.powens_id for a in outcome.connection.accounts] == [2, 4]
    assert outcome.others == ()


def test_a_copy_that_was_in_the_new_place_before_is_nobodys_heir() -> None:
    held = other(account(2), account(7, iban_key=IBAN, enabled=False))
    outcome = arriving(held, beside_its_old_id(), observed_account(2), anew(7), anew(4), minutes=2)
    assert {a.powens_id for a in outcome.connection.accounts} == {2, 4, 7}
    [(_, left)] = outcome.others
    assert [a.powens_id for a in left.connection.accounts] == [1, 3]


def test_a_copy_of_an_account_that_is_absent_elsewhere_brings_nothing_along() -> None:
    held = connection(account(1, iban_key=IBAN), account(3))
    absent = read(held, observed_account(3), at=after(minutes=1)).connection
    outcome = arriving(other(account(2)), absent, observed_account(2), anew(4), minutes=2)
    assert {a.powens_id for a in outcome.connection.accounts} == {2, 4}
    assert outcome.others == ()


def test_an_account_of_an_ended_connection_is_new_in_the_other() -> None:
    ended = ledger.remove(connection(account(1, custom_name="Perso")), cause=Cause.USER, at=after(), now=after())
    outcome = arriving(other(account(2)), ended.connection, observed_account(2), observed_account(1, disabled=True))
    found = outcome.connection.account(account_id(1))
    assert found is not None
    assert (found.custom_name, found.enabled) == (None, False)
    assert outcome.others == ()


def test_an_account_that_moves_back_is_still_itself() -> None:
    there = arriving(other(account(2)), connection(account(1)), observed_account(2), observed_account(1))
    [(_, left)] = there.others
    seen = observed(observed_account(1), at=after(minutes=9))
    back = ledger.reconcile(
        left.connection,
        seen,
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=Cause.BANK,
        correlation_id="c",
        now=after(minutes=9),
        others=(there.connection,),
    )
    assert [a.id for a in back.connection.accounts] == [account_id(1)]
    assert [a.powens_id for a in back.others[0][1].connection.accounts] == [2]
    assert read(back.connection, observed_account(1), at=after(minutes=10)).facts == ()
