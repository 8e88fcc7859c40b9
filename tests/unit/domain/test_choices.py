"""Rule 2 and our own API: choices, wherever they are made, and the newest of them."""

import pytest

from shared.domain.connection import Account, Connection, ItemStatus, OperationKind, OperationStatus, account_id
from shared.domain.errors import Conflict, InvalidInput
from shared.domain.facts import Cause, Change, FactType
from shared.domain.ledger import orders, preview, rename, selection, undo
from tests.builders import account, after, answer, choose, connection, observed_account, operation, read


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


# --- in the Webview ---


@pytest.mark.parametrize("ticked", [True, False])
def test_a_flip_that_we_did_not_order_becomes_the_wanted_state(*, ticked: bool) -> None:
    held = connection(account(1, enabled=not ticked, problem="not_applied"))
    outcome = read(held, observed_account(1, disabled=not ticked), at=after(minutes=1))
    flipped = only(outcome.connection)
    assert (flipped.enabled, flipped.wanted, flipped.problem) == (ticked, ticked, None)
    (fact,) = outcome.facts
    assert (fact.cause, fact.accounts[0].change) == (Cause.WEBVIEW, Change.ENABLED if ticked else Change.DISABLED)
    assert orders(outcome.connection) == ()


def test_a_flip_in_the_webview_after_powens_followed_our_order_ends_it_without_a_failure() -> None:
    held = connection(account(1, enabled=False), account(2, enabled=False))
    chosen = choose(held, {1: True, 2: True}).connection
    half = read(chosen, observed_account(1), observed_account(2, disabled=True), at=after(seconds=2)).connection
    back = read(half, observed_account(1, disabled=True), observed_account(2), at=after(seconds=3))
    (ended,) = back.operations
    assert ended.status is OperationStatus.COMPLETED
    assert [(i.status, i.reason) for i in ended.items] == [
        (ItemStatus.SUPERSEDED, "changed_elsewhere"),
        (ItemStatus.DONE, None),
    ]
    assert [(a.enabled, a.wanted) for a in back.connection.accounts] == [(False, False), (True, True)]
    assert [line.account_id for line in back.facts[0].accounts] == [account_id(2)]


def test_an_account_kept_and_then_removed_in_the_webview_is_told_as_the_webviews() -> None:
    removing = choose(connection(account(1), account(2, enabled=False)), {1: False}).connection
    keeping = choose(removing, {1: True, 2: True}, operation_id="operation-2", at=after(seconds=1)).connection
    told = answer(keeping, at=after(seconds=2), operation_id="operation-2").connection
    kept = read(told, observed_account(1), observed_account(2, disabled=True), at=after(seconds=3)).connection
    gone = read(kept, observed_account(1, disabled=True), observed_account(2, disabled=True), at=after(seconds=4))
    assert [(a.enabled, a.wanted) for a in gone.connection.accounts] == [(False, False), (False, True)]
    assert [(fact.cause, fact.accounts[0].change) for fact in gone.facts] == [(Cause.WEBVIEW, Change.DISABLED)]
    (waiting,) = gone.operations
    assert [i.status for i in waiting.items] == [ItemStatus.SUPERSEDED, ItemStatus.PENDING]


# --- through our API ---


def test_only_the_accounts_that_a_selection_changes_belong_to_its_operation() -> None:
    held = connection(account(1), account(2), account(3, enabled=False))
    outcome = choose(held, selection_of(held, 1, 3))
    (opened,) = outcome.operations
    assert [(i.account_id, i.wanted, i.before) for i in opened.items] == [
        (account_id(2), False, True),
        (account_id(3), True, False),
    ]
    assert (opened.status, opened.deadline_at, opened.undo_until) == (
        OperationStatus.PENDING,
        after(minutes=10),
        after(hours=24),
    )
    assert {(o.powens_id, o.enabled) for o in orders(outcome.connection)} == {(2, False), (3, True)}
    assert outcome.facts == ()


def selection_of(held: Connection, *powens_ids: int) -> dict[int, bool]:
    wants = selection(held, [account_id(powens_id) for powens_id in powens_ids])
    return {a.powens_id: wants[a.id] for a in held.accounts}


def test_a_selection_that_changes_nothing_is_complete_at_once() -> None:
    outcome = choose(connection(account(1)), {1: True})
    assert [(o.status, o.items) for o in outcome.operations] == [(OperationStatus.COMPLETED, ())]
    assert [fact.type for fact in outcome.facts] == [FactType.OPERATION_ENDED]


def test_an_unknown_account_is_refused_by_name_of_the_field() -> None:
    held = connection(account(1))
    with pytest.raises(InvalidInput) as by_selection:
        selection(held, ["elsewhere"])
    with pytest.raises(InvalidInput) as by_preview:
        preview(held, {"elsewhere": True})
    for caught in (by_selection, by_preview):
        assert (caught.value.code, caught.value.field) == ("unknown_account", "enabled_account_ids")


def test_an_account_that_the_bank_closed_cannot_be_enabled_but_can_be_let_go() -> None:
    held = connection(account(1, enabled=False, closed_at=after()), account(2, closed_at=after()))
    with pytest.raises(InvalidInput) as caught:
        choose(held, {1: True})
    assert caught.value.code == "account_closed_at_bank"
    outcome = choose(held, {2: False})
    assert [o.status for o in outcome.operations] == [OperationStatus.COMPLETED]
    assert outcome.facts[0].accounts[0].change is Change.DISABLED


def test_a_preview_says_what_a_choice_would_do_and_does_nothing() -> None:
    held = connection(account(1), account(2), account(3, enabled=False))
    effect = preview(held, selection(held, [account_id(1), account_id(3)]))
    assert (effect.enable, effect.disable, effect.unchanged) == (
        (account_id(3),),
        (account_id(2),),
        (account_id(1),),
    )
    assert effect.enabled_total == 2


def test_the_newest_choice_takes_the_account_from_the_older_operation_and_is_ordered_in_any_case() -> None:
    first = choose(connection(account(1, enabled=False), account(2, enabled=False)), {1: True, 2: True}).connection
    second = choose(first, {1: False}, operation_id="operation-2", at=after(seconds=1))
    older, newer = second.connection.operations
    assert [(i.status, i.reason) for i in older.items] == [
        (ItemStatus.SUPERSEDED, "newer_choice"),
        (ItemStatus.PENDING, None),
    ]
    assert newer.items[0].status is ItemStatus.PENDING
    assert {(o.powens_id, o.enabled) for o in orders(second.connection)} == {(1, False), (2, True)}


def test_a_doubtful_choice_is_settled_only_by_a_read_from_after_its_acknowledgement() -> None:
    first = choose(connection(account(1, enabled=False)), {1: True}).connection
    second = choose(first, {1: False}, operation_id="operation-2", at=after(seconds=1)).connection
    unchanged = read(second, observed_account(1, disabled=True), at=after(seconds=2)).connection
    assert only(unchanged).choice is not None
    assert [o.enabled for o in orders(unchanged)] == [False]
    told = answer(unchanged, at=after(seconds=4)).connection
    assert orders(told) == ()
    settled = read(told, observed_account(1, disabled=True), at=after(seconds=5))
    assert only(settled.connection).choice is None
    assert [o.status for o in settled.operations] == [OperationStatus.COMPLETED]
    assert [fact.type for fact in settled.facts] == [FactType.OPERATION_ENDED]


def test_a_read_that_began_before_a_choice_does_not_settle_it() -> None:
    chosen = choose(connection(account(1, enabled=False)), {1: True}, at=after(seconds=5)).connection
    early = read(chosen, observed_account(1), at=after(seconds=4)).connection
    assert [o.enabled for o in orders(early)] == [True]
    later = read(early, observed_account(1), at=after(seconds=6))
    assert [o.status for o in later.operations] == [OperationStatus.COMPLETED]


def test_one_confirm_is_one_fact_caused_by_the_user_however_many_reads_it_takes() -> None:
    held = connection(account(1), account(2, enabled=False))
    chosen = choose(held, {1: False, 2: True}).connection
    half = read(chosen, observed_account(1, disabled=True), observed_account(2, disabled=True), at=after(seconds=1))
    assert half.facts == ()
    whole = read(half.connection, observed_account(1, disabled=True), observed_account(2), at=after(seconds=2))
    updated, ended = whole.facts
    assert (updated.type, updated.cause, updated.revision) == (FactType.ACCOUNTS_UPDATED, Cause.USER, 2)
    assert {line.change for line in updated.accounts} == {Change.ENABLED, Change.DISABLED}
    assert (ended.type, ended.status, ended.operation_id) == (FactType.OPERATION_ENDED, "completed", "operation-1")


def test_a_choice_for_the_state_there_is_ends_at_once_when_nothing_is_under_way() -> None:
    asked = connection(account(1, enabled=False, wanted=True, problem="recreated_by_powens"))
    outcome = choose(asked, {1: False})
    assert [i.status for o in outcome.operations for i in o.items] == [ItemStatus.DONE]


# --- undo ---


def test_undo_restores_each_account_as_it_was() -> None:
    held = connection(account(1), account(2, enabled=False))
    (opened,) = choose(held, {1: False, 2: True}).operations
    assert undo(opened, after(hours=24)) == {account_id(1): True, account_id(2): False}


def test_undoing_the_answer_to_a_question_brings_back_what_was_there_and_not_what_was_hoped_for() -> None:
    asked = connection(account(1, enabled=False, wanted=True, problem="recreated_by_powens"))
    (opened,) = choose(asked, {1: True}).operations
    assert undo(opened, after(hours=1)) == {account_id(1): False}


def test_undo_is_refused_when_it_is_too_late_or_no_selection() -> None:
    with pytest.raises(Conflict) as late:
        undo(operation(), after(hours=25))
    with pytest.raises(Conflict) as other:
        undo(operation(kind=OperationKind.REFRESH), after(minutes=1))
    assert (late.value.code, other.value.code) == ("undo_expired", "not_undoable")


# --- names ---


def test_a_name_of_the_users_own_is_told_once_and_outlives_the_banks_renaming() -> None:
    held = connection(account(1))
    named = rename(held, account_id(1), "Perso")
    assert only(named.connection).shown_name == "Perso"
    assert [line.change for fact in named.facts for line in fact.accounts] == [Change.RENAMED]
    assert rename(named.connection, account_id(1), "Perso").facts == ()
    renamed = read(named.connection, observed_account(1, name="CPT 1"), at=after(minutes=1))
    assert renamed.facts == ()
    assert only(renamed.connection).shown_name == "Perso"
    by_bank = read(held, observed_account(1, name="CPT 1"), at=after(minutes=1))
    assert [line.change for line in by_bank.facts[0].accounts] == [Change.RENAMED]
    assert only(by_bank.connection).shown_name == "CPT 1"
