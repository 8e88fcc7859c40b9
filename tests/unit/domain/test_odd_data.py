"""What cannot be read keeps what is held, and says so; it changes nothing else."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.connection import Account, Connection, OperationStatus, account_id
from shared.domain.ledger import expire, orders
from shared.domain.observation import ObservedAccount, ObservedSource
from shared.domain.status import AccountStatus, account_status
from tests.builders import account, after, answer, choose, connection, observed, observed_account, read


def of(held: Connection, powens_id: int) -> Account:
    return next(a for a in held.accounts if a.powens_id == powens_id)


def unreadable(powens_id: int) -> ObservedAccount:
    return replace(observed_account(powens_id, disabled=True), unreadable=True)


@pytest.mark.parametrize("enabled", [True, False])
def test_an_account_whose_selection_cannot_be_read_stays_as_it_is_held_and_says_so(*, enabled: bool) -> None:
    held = connection(account(1, enabled=enabled), account(2))
    outcome = read(held, unreadable(1), observed_account(2, disabled=True), at=after(minutes=1))
    odd = of(outcome.connection, 1)
    assert (odd.enabled, odd.wanted, odd.closed_at, odd.missing_since) == (enabled, enabled, None, None)
    status, reason = account_status(odd, outcome.connection)
    assert status is (AccountStatus.ENABLED if enabled else AccountStatus.DISABLED)
    assert reason is not None
    assert (reason.code, reason.who_must_act.value) == ("unreadable_at_powens", "powens")
    assert of(outcome.connection, 2).enabled is False, "its neighbour is followed"
    well = read(outcome.connection, observed_account(1, disabled=not enabled), at=after(minutes=2))
    assert account_status(of(well.connection, 1), well.connection)[1] is None


def test_an_account_that_nobody_ever_read_is_shown_and_not_taken_for_a_ticked_one() -> None:
    outcome = read(None, unreadable(1), at=after(minutes=1))
    odd = of(outcome.connection, 1)
    assert (odd.enabled, odd.wanted, odd.unreadable) == (False, False, True)
    ticked = read(outcome.connection, observed_account(1), at=after(minutes=2)).connection
    assert (of(ticked, 1).enabled, of(ticked, 1).wanted) == (True, True)


def test_an_unreadable_answer_neither_confirms_an_order_nor_takes_it_back() -> None:
    chosen = choose(connection(account(1)), {1: False}).connection
    told = answer(chosen, at=after(seconds=1)).connection
    still = read(told, unreadable(1), at=after(seconds=2)).connection
    assert (len(still.operations), orders(still)) == (1, ())
    done = read(still, observed_account(1, disabled=True), at=after(seconds=3))
    assert [operation.status for operation in done.operations] == [OperationStatus.COMPLETED]


def test_an_order_that_powens_took_and_nobody_can_read_back_ends_with_that_reason() -> None:
    chosen = choose(connection(account(1)), {1: False}).connection
    told = answer(chosen, at=after(seconds=1)).connection
    still = read(told, unreadable(1), at=after(seconds=2)).connection
    outcome = expire(still, after(minutes=11))
    [operation] = outcome.operations
    assert (operation.status, operation.items[0].reason) == (OperationStatus.TIMED_OUT, "unreadable_at_powens")
    well = read(outcome.connection, observed_account(1, disabled=True), at=after(minutes=12)).connection
    assert (of(well, 1).enabled, of(well, 1).wanted, of(well, 1).problem) == (False, False, None)


def test_an_answer_with_an_account_that_has_no_readable_id_makes_none_absent() -> None:
    held = connection(account(1), account(2))
    seen = replace(observed(observed_account(2), at=after(minutes=1)), unidentified=1)
    outcome = read(held, seen=seen)
    odd = of(outcome.connection, 1)
    assert (odd.missing_since, odd.unreadable, odd.enabled) == (None, True, True)
    assert of(outcome.connection, 2).unreadable is False
    later = replace(observed(observed_account(2), at=after(days=3)), unidentified=1)
    assert of(read(outcome.connection, seen=later).connection, 1).closed_at is None


@pytest.mark.parametrize(
    ("error", "state", "source"),
    [
        ("websiteUnavailable", None, None),
        (None, "wrongpass", None),
        (None, None, "websiteUnavailable"),
    ],
)
def test_an_account_that_fails_keeps_its_last_good_balance_and_its_age(
    error: str | None, state: str | None, source: str | None
) -> None:
    held = connection(account(1))
    shown = observed_account(1, balance=None, error=error, last_update=after(hours=5) if error else None)
    sources = (ObservedSource(id=81, name="openapi", state=source),)
    outcome = read(held, seen=observed(shown, at=after(hours=6), state=state, sources=sources))
    kept = of(outcome.connection, 1)
    assert (kept.balance, kept.last_success_at) == (Decimal("1523.07"), after())


def test_an_account_that_is_well_and_has_no_balance_has_none() -> None:
    outcome = read(connection(account(1)), observed_account(1, balance=None), at=after(minutes=1))
    assert of(outcome.connection, 1).balance is None
    assert of(outcome.connection, 1).id == account_id(1)
