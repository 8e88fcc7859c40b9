"""Of a connection that nobody has confirmed, only that it is there is kept, and nobody hears of it (ADR 0043)."""

from dataclasses import replace
from datetime import datetime

import pytest

from shared.domain import ledger
from shared.domain.connection import END_AGAIN_AFTER, Connection, OperationKind, OperationStatus
from shared.domain.errors import Conflict, NotFound
from shared.domain.facts import Cause, FactType
from shared.domain.ledger import MOST_WRONG_ANSWERS, Outcome
from tests.builders import NOW, POWENS_USER, USER, account, after, connection, observed, observed_account, read

UNTIL = after(hours=1)


def found(*, at: datetime = NOW, held: Connection | None = None, confirm_until: datetime | None = UNTIL) -> Outcome:
    return ledger.reconcile(
        held,
        observed(observed_account(1, iban_key="key-0112"), at=at, state="wrongpass"),
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=Cause.WEBVIEW,
        correlation_id="c",
        now=at,
        confirm_until=confirm_until,
    )


def ending(held: Connection, at: datetime, number: int = 1) -> Outcome:
    return ledger.end_unconfirmed(held, at, operation_id=f"end-{number}", correlation_id="c")


def wrongly(held: Connection, at: datetime = NOW) -> Connection:
    return ledger.answer_wrongly(held, at, operation_id="end-1", correlation_id="c").connection


def test_nothing_is_kept_of_a_new_connection_but_that_it_is_there() -> None:
    outcome = found()
    held = outcome.connection
    assert (held.accounts, held.state, held.sources, held.last_success_at) == ((), None, (), None)
    assert (held.shown, outcome.facts, held.revision) == (False, (), 0)
    again = found(at=after(minutes=1), held=held)
    assert again.connection == replace(held, read_started_at=after(minutes=1))
    assert again.facts == ()


def test_once_it_is_confirmed_the_next_read_finds_everything_and_tells_it() -> None:
    confirmed = ledger.confirm(found().connection, after(minutes=1))
    assert (confirmed.connection.shown, confirmed.facts) == (True, ())
    told = found(at=after(minutes=2), held=confirmed.connection)
    assert [fact.type for fact in told.facts] == [FactType.ACCOUNTS_UPDATED, FactType.CONNECTION_UPDATED]
    assert told.facts[0].cause is Cause.WEBVIEW
    assert [a.enabled for a in told.connection.accounts] == [True]


def test_no_read_before_the_confirmation_covers_a_hint() -> None:
    shell = found(at=after(minutes=5)).connection
    assert ledger.covered(shell, after(minutes=4))
    confirmed = ledger.confirm(shell, after(minutes=4)).connection
    assert not ledger.covered(confirmed, after(minutes=4))
    full = found(at=after(minutes=6), held=confirmed).connection
    assert ledger.covered(full, after(minutes=4))


def test_what_need_not_be_confirmed_or_was_known_shows_at_once() -> None:
    assert found(confirm_until=None).connection.accounts
    known = found(held=connection(account(1)), at=after(minutes=1)).connection
    assert known.shown
    assert ledger.confirm(known, NOW).connection == known
    assert wrongly(known) == ending(known, NOW).connection == known


def test_a_removed_connection_that_was_confirmed_comes_back_as_its_users() -> None:
    removed = ledger.remove(
        connection(account(1)), cause=Cause.BANK, at=after(minutes=1), now=after(minutes=1)
    ).connection
    assert found(held=removed, at=after(minutes=2)).connection.shown


def test_it_can_be_confirmed_until_its_time_is_over() -> None:
    held = found().connection
    assert ledger.confirm(held, after(minutes=59)).connection.shown
    with pytest.raises(Conflict, match="ended"):
        ledger.confirm(held, UNTIL)
    with pytest.raises(NotFound):
        ledger.confirm(None, NOW)


def test_its_end_is_silent_and_cannot_be_taken_back() -> None:
    begun = ending(found().connection, UNTIL)
    [operation] = begun.operations
    assert (operation.kind, operation.open, begun.facts) == (OperationKind.DELETION, True, ())
    with pytest.raises(Conflict):
        ledger.confirm(begun.connection, NOW)
    gone = ledger.remove(begun.connection, cause=Cause.USER, at=after(hours=2), now=after(hours=2))
    assert gone.facts == ()
    assert [o.status for o in gone.operations] == [OperationStatus.COMPLETED]
    assert gone.connection.removed_at is not None
    with pytest.raises(NotFound):
        ledger.confirm(gone.connection, NOW)


def test_an_end_that_did_not_come_is_asked_for_again_later_and_silently() -> None:
    begun = ending(found().connection, UNTIL).connection
    late = after(hours=1, minutes=11)
    expired = ledger.expire(begun, late)
    assert expired.facts == ()
    assert [o.status for o in expired.operations] == [OperationStatus.TIMED_OUT]
    waiting = expired.connection.unconfirmed
    assert waiting is not None
    assert waiting.due_at == UNTIL + END_AGAIN_AFTER
    again = ending(expired.connection, waiting.due_at, 2)
    assert [o.id for o in again.operations] == ["end-2"]


def test_two_who_end_it_at_once_end_it_once() -> None:
    begun = ending(found().connection, UNTIL).connection
    assert [o.id for o in ending(begun, UNTIL, 2).operations] == ["end-1"]


def test_wrong_answers_are_counted_and_the_last_ends_it() -> None:
    held = found().connection
    for _ in range(MOST_WRONG_ANSWERS - 1):
        held = wrongly(held)
        assert held.operations == ()
    assert ledger.confirm(held, NOW).connection.shown
    ended = wrongly(held)
    assert [o.kind for o in ended.operations] == [OperationKind.DELETION]
    with pytest.raises(Conflict):
        wrongly(ended)


def test_a_late_read_shows_it_again_as_unconfirmed_as_it_was() -> None:
    begun = ending(found().connection, UNTIL).connection
    gone = ledger.remove(begun, cause=Cause.USER, at=after(hours=2), now=after(hours=2)).connection
    assert found(at=after(hours=1, minutes=30), held=gone).connection == gone
    back = found(at=after(hours=3), held=gone)
    assert (back.connection.shown, back.facts) == (False, ())
    assert back.connection.unconfirmed == gone.unconfirmed
    assert read(back.connection, observed_account(1), at=after(hours=4)).facts == ()
