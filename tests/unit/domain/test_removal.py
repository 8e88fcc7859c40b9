"""Rules 4 and 5: what is removed stays removed, and what is merely not shown is not removed."""

import pytest

from shared.domain.connection import Account, Connection, ItemStatus, OperationKind, OperationStatus, account_id
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Change, FactType
from shared.domain.ledger import begin, covered, expire, orders, preview, remove, rename, selection
from tests.builders import NOW, account, after, answer, choose, connection, observed_account, read
from tests.worlds.folding import fold

IBAN = "key-of-FR76-0112"


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def removed(held: Connection) -> Connection:
    return remove(held, cause=Cause.BANK, at=after(minutes=5), now=after(minutes=5)).connection


# --- an account that the user removed ---


def disabled_by_user() -> Connection:
    chosen = choose(connection(account(1, iban_key=IBAN)), {1: False}).connection
    confirmed = answer(chosen, at=after(seconds=1)).connection
    return read(confirmed, observed_account(1, iban_key=IBAN, disabled=True), at=after(seconds=2)).connection


def test_late_answers_and_late_reads_do_not_revive_an_account_that_was_removed() -> None:
    before = choose(connection(account(1, enabled=False)), {1: True}).connection
    enabling = orders(before)
    gone = choose(before, {1: False}, operation_id="operation-2").connection
    late = answer(gone, orders=enabling, at=after(seconds=1)).connection
    assert [(o.powens_id, o.enabled) for o in orders(late)] == [(1, False)]
    stale = read(late, observed_account(1), at=after(seconds=0)).connection
    assert only(stale).wanted is False


def test_a_removed_account_that_powens_recreates_or_the_bank_shows_again_stays_removed() -> None:
    recreated = read(
        disabled_by_user(),
        observed_account(1, iban_key=IBAN, disabled=True, deleted=True),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(hours=1),
    )
    assert (only(recreated.connection).wanted, orders(recreated.connection)) == (False, ())
    closed = read(disabled_by_user(), observed_account(1, disabled=True, deleted=True), at=after(hours=1)).connection
    back = read(closed, observed_account(1, disabled=True), at=after(hours=2)).connection
    assert (only(back).wanted, orders(back)) == (False, ())


def test_an_account_removed_while_the_bank_hides_it_is_disabled_when_it_comes_back() -> None:
    closed = read(connection(account(1)), observed_account(1, deleted=True), at=after(minutes=1)).connection
    gone = choose(closed, {1: False}, at=after(minutes=2)).connection
    assert orders(gone) == ()
    back = read(gone, observed_account(1), at=after(hours=1)).connection
    assert [(o.powens_id, o.enabled) for o in orders(back)] == [(1, False)]


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_account_that_the_bank_closes_while_it_is_being_removed_stays_removed(*, acknowledged: bool) -> None:
    chosen = choose(connection(account(1)), {1: False}).connection
    if acknowledged:
        chosen = answer(chosen, at=after(seconds=1)).connection
    closed = read(chosen, observed_account(1, disabled=True, deleted=True), at=after(seconds=2))
    assert [o.status for o in closed.operations] == [OperationStatus.COMPLETED]
    assert [(line.change, line.enabled) for line in closed.facts[0].accounts] == [(Change.CLOSED, False)]
    overdue = expire(closed.connection, after(hours=1)).connection
    assert (only(overdue).wanted, only(overdue).problem) == (False, None)
    back = read(overdue, observed_account(1, disabled=True), at=after(hours=2)).connection
    assert (only(back).enabled, only(back).wanted, orders(back)) == (False, False, ())


def test_an_account_that_goes_missing_while_it_is_being_removed_stays_removed() -> None:
    chosen = choose(connection(account(1), account(2)), {1: False}).connection
    confirmed = answer(chosen, at=after(seconds=1)).connection
    missing = read(confirmed, observed_account(2), at=after(seconds=2)).connection
    gone = read(missing, observed_account(2), at=after(hours=25))
    assert [o.status for o in gone.operations] == [OperationStatus.COMPLETED]
    closed = gone.connection.account(account_id(1))
    assert closed is not None
    assert (closed.enabled, closed.wanted, closed.closed_at) == (False, False, after(hours=25))


def test_an_account_that_the_bank_closes_while_it_is_being_enabled_says_so() -> None:
    chosen = choose(connection(account(1, enabled=False)), {1: True}).connection
    closed = read(chosen, observed_account(1, disabled=True, deleted=True), at=after(seconds=2))
    (ended,) = closed.operations
    assert ended.status is OperationStatus.FAILED
    assert [(i.status, i.reason) for i in ended.items] == [(ItemStatus.FAILED, "closed_at_bank")]


def test_an_account_that_the_bank_closed_before_it_could_be_enabled_is_enabled_when_it_comes_back() -> None:
    chosen = choose(connection(account(1, enabled=False)), {1: True}).connection
    closed = read(chosen, observed_account(1, disabled=True, deleted=True), at=after(seconds=2)).connection
    back = read(closed, observed_account(1, disabled=True), at=after(hours=2)).connection
    assert [(o.powens_id, o.enabled) for o in orders(back)] == [(1, True)]
    (restoration,) = back.operations
    assert restoration.kind is OperationKind.RESTORATION
    # Until then a new choice of the same is no news, and one of the opposite takes it back.
    off = choose(back, {1: False}, at=after(hours=3)).connection
    assert [(o.powens_id, o.enabled) for o in orders(off)] == [(1, False)]


# --- an account that is not shown ---


def test_an_empty_answer_changes_no_account() -> None:
    held = connection(account(1), account(2))
    outcome = read(held, at=after(hours=1))
    assert (outcome.connection.accounts, outcome.facts) == (held.accounts, ())
    assert read(outcome.connection, at=after(days=9)).facts == ()


def test_a_partial_answer_closes_nothing_before_a_day_of_full_answers() -> None:
    held = connection(account(1), account(2))
    first = read(held, observed_account(2), at=after(hours=1))
    assert first.facts == ()
    later = read(first.connection, observed_account(2), at=after(hours=24, minutes=59))
    assert later.facts == ()
    day = read(later.connection, observed_account(2), at=after(hours=25))
    assert [(line.account_id, line.change) for line in day.facts[0].accounts] == [(account_id(1), Change.CLOSED)]
    assert read(day.connection, observed_account(2), at=after(hours=26)).facts == ()


def test_an_account_seen_again_in_between_starts_its_day_anew() -> None:
    held = read(connection(account(1), account(2)), observed_account(2), at=after(hours=1)).connection
    seen = read(held, observed_account(1), observed_account(2), at=after(hours=20)).connection
    assert all(a.missing_since is None for a in seen.accounts)
    assert read(seen, observed_account(2), at=after(hours=30)).facts == ()


def test_deleted_and_disabled_stay_different_things() -> None:
    held = connection(account(1), account(2))
    outcome = read(held, observed_account(1, deleted=True), observed_account(2, disabled=True), at=after(hours=1))
    closed, disabled = outcome.connection.accounts
    assert (closed.closed_at, closed.wanted) == (after(hours=1), True)
    assert (disabled.closed_at, disabled.wanted, disabled.enabled) == (None, False, False)


def test_a_closed_account_that_comes_back_as_wanted_is_added_again() -> None:
    closed = read(connection(account(1)), observed_account(1, deleted=True), at=after(hours=1)).connection
    back = read(closed, observed_account(1), at=after(hours=2))
    assert only(back.connection).closed_at is None
    assert [(line.change, line.enabled) for line in back.facts[0].accounts] == [(Change.ADDED, True)]


def test_a_closed_account_that_comes_back_disabled_under_its_own_id_was_unticked_by_somebody() -> None:
    closed = read(connection(account(1)), observed_account(1, deleted=True), at=after(hours=1)).connection
    back = read(closed, observed_account(1, disabled=True), at=after(hours=2))
    assert orders(back.connection) == ()
    assert (only(back.connection).wanted, only(back.connection).enabled) == (False, False)
    assert back.facts[0].cause is Cause.WEBVIEW


def test_a_full_selection_says_nothing_about_a_closed_account_that_it_leaves_out() -> None:
    held = connection(account(1), account(2, closed_at=NOW))
    assert selection(held, [account_id(1)]) == {account_id(1): True}
    assert preview(held, {account_id(1): True}).enabled_total == 1


# --- a connection that ended ---


def test_a_removed_connection_takes_its_accounts_and_operations_along() -> None:
    held = choose(connection(account(1), account(2, enabled=False)), {2: True}).connection
    held = begin(held, OperationKind.REFRESH, operation_id="r", correlation_id="c", now=after(minutes=1)).connection
    outcome = remove(held, cause=Cause.BANK, at=after(minutes=5), now=after(minutes=6))
    assert outcome.facts[0].type is FactType.CONNECTION_REMOVED
    assert outcome.facts[0].cause is Cause.BANK
    assert [line.change for line in outcome.facts[0].accounts] == [Change.REMOVED, Change.REMOVED]
    assert {o.id: (o.status, o.reason) for o in outcome.operations} == {
        "operation-1": (OperationStatus.FAILED, None),
        "r": (OperationStatus.FAILED, "connection_removed"),
    }
    assert outcome.connection.operations == ()
    assert fold(outcome.facts) == {}


def test_a_removal_that_the_user_asked_for_completes_its_operation_whoever_tells_us() -> None:
    held = begin(
        connection(account(1)), OperationKind.DELETION, operation_id="d", correlation_id="c", now=after(minutes=1)
    ).connection
    outcome = remove(held, cause=Cause.BANK, at=after(minutes=5), now=after(minutes=6))
    assert outcome.facts[0].cause is Cause.USER
    assert [o.status for o in outcome.operations] == [OperationStatus.COMPLETED]


def test_removing_twice_is_removing_once() -> None:
    gone = removed(connection(account(1)))
    again = remove(gone, cause=Cause.BANK, at=after(minutes=9), now=after(minutes=9))
    assert (again.connection, again.facts) == (gone, ())


def test_a_read_from_before_the_removal_does_not_bring_the_connection_back() -> None:
    gone = removed(connection(account(1)))
    late = read(gone, observed_account(1), at=after(minutes=4))
    assert (late.connection, late.facts) == (gone, ())
    assert covered(gone, after(minutes=4))
    assert not covered(gone, after(minutes=5))


def test_nothing_can_be_asked_of_a_removed_connection() -> None:
    gone = removed(connection(account(1)))
    with pytest.raises(Conflict, match="ended"):
        choose(gone, {1: False})
    with pytest.raises(Conflict, match="ended"):
        begin(gone, OperationKind.REFRESH, operation_id="r", correlation_id="c", now=after(minutes=6))
    with pytest.raises(Conflict, match="ended"):
        rename(gone, account_id(1), "Perso")


def test_a_connection_wrongly_taken_for_removed_comes_back_with_every_account_it_had() -> None:
    moved = read(
        connection(account(1, iban_key=IBAN, enabled=False), account(3, enabled=False)),
        observed_account(1, iban_key=IBAN, disabled=True, deleted=True),
        observed_account(2, iban_key=IBAN, disabled=True),
        observed_account(3, disabled=True),
        at=after(minutes=1),
    ).connection
    gone = removed(moved)
    partial = read(gone, observed_account(3, disabled=True), at=after(hours=1))
    assert partial.connection.removed_at is None
    assert {a.id for a in partial.connection.accounts} == {account_id(1), account_id(3)}
    assert set(fold(partial.facts)) == {account_id(1), account_id(3)}
    assert partial.facts[-1].type is FactType.CONNECTION_UPDATED
    whole = read(
        partial.connection,
        observed_account(2, iban_key=IBAN, disabled=True),
        observed_account(3, disabled=True),
        at=after(hours=2),
    ).connection
    assert {a.id for a in whole.accounts} == {account_id(1), account_id(3)}


def test_a_connection_that_comes_back_tells_new_accounts_once() -> None:
    gone = removed(connection(account(1)))
    back = read(gone, observed_account(1), observed_account(5, disabled=True), at=after(hours=1))
    assert sorted(line.account_id for line in back.facts[0].accounts) == sorted([account_id(1), account_id(5)])
    assert {line.change for line in back.facts[0].accounts} == {Change.ADDED}
