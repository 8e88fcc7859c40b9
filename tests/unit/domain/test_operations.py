"""How operations end: each does, by its deadline at the latest, and says how it went."""

from dataclasses import replace
from datetime import datetime

import pytest

from shared.domain.connection import Account, Connection, ItemStatus, OperationKind, OperationStatus
from shared.domain.facts import Cause, FactType
from shared.domain.ledger import OrderResult, Outcome, begin, end_operation, expire, orders, record, then
from shared.domain.ledger import choose as insist_on
from shared.domain.observation import ObservedConnection
from tests.builders import NOW, account, after, answer, choose, connection, observed, observed_account, read


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def ends(outcome: Outcome) -> list[tuple[OperationStatus, list[tuple[ItemStatus, str | None]]]]:
    return [(o.status, [(i.status, i.reason) for i in o.items]) for o in outcome.operations]


def enabling(*powens_ids: int) -> Connection:
    held = connection(*(account(powens_id, enabled=False) for powens_id in powens_ids))
    return choose(held, dict.fromkeys(powens_ids, True)).connection


def refreshing() -> Connection:
    return begin(
        connection(account(1)), OperationKind.REFRESH, operation_id="r", correlation_id="c", now=after()
    ).connection


# --- orders and their answers ---


def test_an_acknowledged_order_is_not_sent_again_and_its_operation_runs() -> None:
    outcome = answer(enabling(1), at=after(seconds=1))
    assert orders(outcome.connection) == ()
    assert [o.status for o in outcome.operations] == [OperationStatus.RUNNING]
    assert outcome.connection.written_at == after(seconds=1)
    assert outcome.facts == ()


def test_only_the_operation_that_was_carried_out_is_marked_as_running() -> None:
    outcome = answer(enabling(1), at=after(seconds=1), operation_id="another")
    assert [o.status for o in outcome.operations] == [OperationStatus.PENDING]


def test_what_a_read_showed_already_is_not_ordered_any_more() -> None:
    half = read(enabling(1, 2), observed_account(1), observed_account(2, disabled=True), at=after(seconds=1))
    assert [o.powens_id for o in orders(half.connection)] == [2]


def test_an_answer_to_an_overtaken_order_says_nothing_about_the_newer_one() -> None:
    first = enabling(1)
    overtaken = orders(first)
    second = choose(first, {1: False}, operation_id="operation-2").connection
    outcome = answer(second, orders=overtaken, refusals={1: "refused_by_powens"}, at=after(seconds=1))
    assert [o.enabled for o in orders(outcome.connection)] == [False]
    assert outcome.connection.written_at == after(seconds=1)


def test_answers_about_accounts_without_a_choice_only_move_the_last_known_write() -> None:
    order = orders(enabling(1))[0]
    for held in (connection(account(1)), connection(account(2))):
        outcome = record(held, [OrderResult(order=order)], operation_id="x", at=after(seconds=9), now=after(seconds=9))
        assert outcome.connection.accounts == held.accounts
        assert outcome.connection.written_at == after(seconds=9)


def test_a_refusal_fails_its_account_alone_and_the_account_says_why() -> None:
    refused = answer(enabling(1, 2), at=after(seconds=1), refusals={1: "refused_by_powens"})
    assert refused.connection.accounts[0].problem == "refused_by_powens"
    assert (refused.connection.accounts[0].enabled, refused.connection.accounts[0].wanted) == (False, False)
    shown = read(refused.connection, observed_account(1, disabled=True), observed_account(2), at=after(seconds=2))
    assert ends(shown) == [
        (
            OperationStatus.PARTIALLY_COMPLETED,
            [(ItemStatus.FAILED, "refused_by_powens"), (ItemStatus.DONE, None)],
        )
    ]


def test_an_operation_whose_every_account_was_refused_failed() -> None:
    outcome = answer(enabling(1), at=after(seconds=1), refusals={1: "refused_by_powens"})
    assert ends(outcome) == [(OperationStatus.FAILED, [(ItemStatus.FAILED, "refused_by_powens")])]
    assert [(f.type, f.status) for f in outcome.facts] == [(FactType.OPERATION_ENDED, "failed")]


def test_a_refusal_after_reads_had_shown_a_flip_keeps_what_was_seen() -> None:
    first = enabling(1)
    second = choose(first, {1: False}, operation_id="operation-2").connection
    shown = read(second, observed_account(1), at=after(seconds=1)).connection
    outcome = answer(shown, at=after(seconds=2), refusals={1: "refused_by_powens"}, operation_id="operation-2")
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)
    assert outcome.facts[0].accounts[0].enabled is True


def test_an_account_that_is_gone_at_powens_needs_no_disabling() -> None:
    chosen = choose(connection(account(1), account(2)), {1: False}).connection
    told = answer(chosen, at=after(seconds=1), refusals={1: "not_found_at_powens"}).connection
    assert orders(told) == ()
    outcome = read(told, observed_account(2), at=after(seconds=2))
    assert ends(outcome) == [(OperationStatus.COMPLETED, [(ItemStatus.DONE, None)])]


def test_an_account_that_is_gone_at_powens_cannot_be_enabled() -> None:
    outcome = answer(enabling(1), at=after(seconds=1), refusals={1: "not_found_at_powens"})
    assert ends(outcome) == [(OperationStatus.FAILED, [(ItemStatus.FAILED, "not_found_at_powens")])]


def test_two_decisions_in_a_row_make_one_outcome() -> None:
    noted = answer(enabling(1), at=after(seconds=1))
    shown = read(noted.connection, observed_account(1), at=after(seconds=2))
    both = then(noted, shown)
    assert (both.connection, both.facts) == (shown.connection, (*noted.facts, *shown.facts))
    assert [o.status for o in both.operations] == [OperationStatus.COMPLETED]


# --- deadlines ---


def test_nothing_expires_before_its_deadline() -> None:
    held = enabling(1)
    assert expire(held, after(minutes=9, seconds=59)) == Outcome(connection=held)


@pytest.mark.parametrize(("acknowledged", "reason"), [(True, "not_applied"), (False, "timed_out")])
def test_an_order_that_never_shows_times_out_and_says_at_which_step(*, acknowledged: bool, reason: str) -> None:
    held = enabling(1)
    if acknowledged:
        held = answer(held, at=after(seconds=1)).connection
    outcome = expire(held, after(minutes=10))
    assert ends(outcome) == [(OperationStatus.TIMED_OUT, [(ItemStatus.FAILED, reason)])]
    left = only(outcome.connection)
    assert (left.enabled, left.wanted, left.choice, left.problem) == (False, False, None, reason)


def test_at_the_deadline_what_was_seen_is_done_and_the_rest_failed() -> None:
    half = read(enabling(1, 2), observed_account(1), observed_account(2, disabled=True), at=after(seconds=1))
    outcome = expire(half.connection, after(minutes=10))
    assert ends(outcome) == [
        (OperationStatus.PARTIALLY_COMPLETED, [(ItemStatus.DONE, None), (ItemStatus.FAILED, "timed_out")])
    ]
    assert [a.enabled for a in outcome.connection.accounts] == [True, False]
    assert [line.enabled for line in outcome.facts[0].accounts] == [True]


def test_an_account_that_is_as_it_was_wanted_has_no_problem_though_powens_never_answered() -> None:
    held = connection(account(1, enabled=True))
    insisted = insist_on(
        held, {held.accounts[0].id: True}, operation_id="o", correlation_id="c", now=after(), insist=True
    )
    outcome = expire(insisted.connection, after(minutes=10))
    assert ends(outcome) == [(OperationStatus.TIMED_OUT, [(ItemStatus.FAILED, "timed_out")])]
    assert (only(outcome.connection).enabled, only(outcome.connection).problem) == (True, None)


def test_a_younger_operation_is_left_alone_when_an_older_one_expires() -> None:
    held = choose(enabling(1), {1: False}, operation_id="operation-2", at=after(minutes=5)).connection
    (left,) = held.operations
    assert left.id == "operation-2"
    both = begin(held, OperationKind.REFRESH, operation_id="r", correlation_id="c", now=after()).connection
    outcome = expire(both, after(minutes=11))
    assert [o.id for o in outcome.connection.operations] == ["operation-2"]
    assert only(outcome.connection).choice is not None


def test_an_order_that_takes_effect_after_its_deadline_is_followed() -> None:
    late = expire(enabling(1), after(minutes=10)).connection
    shown = read(late, observed_account(1), at=after(minutes=11)).connection
    assert (only(shown).enabled, only(shown).wanted, only(shown).problem) == (True, True, None)


# --- operations on the connection as a whole ---


def test_a_second_refresh_joins_the_one_under_way() -> None:
    held = refreshing()
    again = begin(held, OperationKind.REFRESH, operation_id="r2", correlation_id="c", now=after(minutes=1))
    assert [o.id for o in again.operations] == ["r"]
    assert again.connection == held


def test_a_refresh_ends_with_the_next_synchronisation_and_not_before() -> None:
    same = read(refreshing(), seen=observed(observed_account(1), at=after(minutes=1)))
    assert [o.status for o in same.operations] == [OperationStatus.PENDING]
    newer = read(
        same.connection, seen=observed(observed_account(1), at=after(minutes=2), last_update=after(seconds=90))
    )
    assert [o.status for o in newer.operations] == [OperationStatus.COMPLETED]
    assert newer.connection.operations == ()


def seen_from(moment: datetime | None, *, at: datetime) -> ObservedConnection:
    return observed(observed_account(1), at=at, last_update=moment)


def test_an_older_date_ends_no_refresh_nor_does_the_return_of_the_one_that_was_known() -> None:
    held = refreshing()
    for minute, moment in enumerate((after(hours=-3), NOW, None, after(days=400)), start=1):
        outcome = read(held, seen=seen_from(moment, at=after(minutes=minute)))
        assert [o.open for o in outcome.operations] == [True], moment
        held = outcome.connection
    newer = read(held, seen=seen_from(after(seconds=90), at=after(minutes=9)))
    [ended] = newer.operations
    assert (ended.status, ended.last_success_at) == (OperationStatus.COMPLETED, after(seconds=90))


def test_a_refresh_ends_with_the_first_synchronisation_of_all() -> None:
    new = connection(account(1), last_success_at=None)
    held = begin(new, OperationKind.REFRESH, operation_id="r", correlation_id="c", now=after()).connection
    first = read(held, seen=seen_from(after(days=-2), at=after(minutes=1)))
    assert [o.status for o in first.operations] == [OperationStatus.COMPLETED]


def test_a_refresh_that_was_recorded_before_dates_were_remembered_goes_by_what_is_held() -> None:
    [kept] = refreshing().operations
    held = connection(account(1), operations=(replace(kept, last_success_at=None),))
    assert [o.open for o in read(held, seen=seen_from(NOW, at=after(minutes=1))).operations] == [True]
    assert [o.open for o in read(held, seen=seen_from(after(seconds=9), at=after(minutes=1))).operations] == [False]


def test_a_refresh_that_the_bank_wants_the_user_for_needs_the_user() -> None:
    outcome = read(refreshing(), seen=observed(observed_account(1), at=after(minutes=1), state="SCARequired"))
    assert [(o.status, o.reason) for o in outcome.operations] == [
        (OperationStatus.NEEDS_USER, "authentication_required")
    ]


def test_a_refresh_that_nothing_follows_times_out() -> None:
    outcome = expire(refreshing(), after(minutes=10))
    assert [(o.status, o.reason) for o in outcome.operations] == [(OperationStatus.TIMED_OUT, "timed_out")]


def test_a_refresh_that_powens_refuses_ends_for_the_reason_given_and_only_once() -> None:
    refused = end_operation(refreshing(), "r", OperationStatus.COMPLETED, "just_refreshed", after(minutes=1))
    assert [(o.status, o.reason) for o in refused.operations] == [(OperationStatus.COMPLETED, "just_refreshed")]
    assert [o.last_success_at for o in refused.operations] == [NOW]
    assert end_operation(refused.connection, "r", OperationStatus.FAILED, "x", after(minutes=2)).operations == ()
    other = end_operation(refreshing(), "another", OperationStatus.FAILED, "x", after(minutes=2))
    assert [o.open for o in other.operations] == [True]


def test_the_end_of_a_restoration_is_nobodys_choice() -> None:
    held = connection(account(1, iban_key="iban"))
    gone = observed_account(1, iban_key="iban", deleted=True)
    back = read(held, gone, observed_account(2, iban_key="iban", disabled=True), at=after(minutes=1)).connection
    shown = read(back, observed_account(2, iban_key="iban"), at=after(minutes=2))
    assert [fact.cause for fact in shown.facts] == [Cause.RECONCILIATION, Cause.RECONCILIATION]
    assert [fact.type for fact in shown.facts] == [FactType.ACCOUNTS_UPDATED, FactType.OPERATION_ENDED]
