"""An account that shows under another connection with its Powens id is one account that has moved."""

from dataclasses import replace

import pytest

from shared.domain import ledger
from shared.domain.connection import Account, Connection, OperationKind, OperationStatus, account_id
from shared.domain.facts import Cause, Change, fold
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
