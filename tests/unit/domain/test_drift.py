"""Drift that is put right, up to a point; and one real account that showed as two for a while."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.connection import Account, Connection, ItemStatus, OperationKind, OperationStatus, account_id
from shared.domain.facts import Cause, Change, Fact, FactType
from shared.domain.ledger import MOST_RESTORATIONS, Outcome, expire, orders, preview, selection
from shared.domain.observation import ObservedAccount
from shared.domain.status import AccountStatus, account_status
from tests.builders import account, after, answer, choose, connection, observed_account, read
from tests.worlds.folding import fold

IBAN = "key-of-FR76-0112"


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def shown(powens_id: int, **changes: object) -> ObservedAccount:
    return observed_account(powens_id, iban_key=IBAN, **changes)  # type: ignore[arg-type]  # named by each test


# --- the cap ---


def recreated(held: Connection, powens_id: int, minutes: float) -> Outcome:
    old = shown(only(held).powens_id, deleted=True)
    again = [old] if only(held).powens_id != powens_id else []
    return read(held, *again, shown(powens_id, disabled=True), at=after(minutes=minutes))


def put_right(outcome: Outcome, minutes: float) -> Connection:
    """The restoration is carried out and seen."""
    confirmed = answer(outcome.connection, at=after(minutes=minutes)).connection
    return read(confirmed, shown(only(confirmed).powens_id), at=after(minutes=minutes + 1)).connection


def tired(start: float = 0) -> tuple[Connection, int]:
    """An account that was put right as often as is allowed, and its Powens id."""
    held, powens_id = connection(account(1, iban_key=IBAN)), 1
    for nth in range(MOST_RESTORATIONS):
        powens_id += 1
        held = put_right(recreated(held, powens_id, start + 10 * nth), start + 10 * nth + 1)
        assert (only(held).enabled, only(held).problem) == (True, None)
    return held, powens_id


def test_an_account_that_powens_recreates_again_and_again_is_put_right_a_few_times_and_then_the_user_is_asked() -> None:
    held, last = tired()
    outcome = recreated(held, last + 1, 60)
    assert orders(outcome.connection) == ()
    asked = only(outcome.connection)
    assert (asked.enabled, asked.wanted, asked.problem) == (False, True, "recreated_by_powens")
    status, reason = account_status(asked, outcome.connection)
    assert status is AccountStatus.FAILED
    assert reason is not None
    assert reason.who_must_act.value == "user"
    [operation] = outcome.operations
    assert (operation.kind, operation.status) == (OperationKind.RESTORATION, OperationStatus.NEEDS_USER)
    assert [(item.status, item.reason) for item in operation.items] == [(ItemStatus.NEEDS_USER, "recreated_by_powens")]
    assert [fact.type for fact in outcome.facts] == [FactType.ACCOUNTS_UPDATED, FactType.OPERATION_ENDED]
    assert outcome.facts[1].cause is Cause.RECONCILIATION
    assert outcome.connection.operations == ()


def test_who_was_asked_is_not_asked_again_by_every_read_and_nothing_is_ordered_behind_their_back() -> None:
    held, last = tired()
    asked = recreated(held, last + 1, 60).connection
    again = recreated(asked, last + 1, 61)
    assert (again.facts, again.operations, orders(again.connection)) == ((), (), ())


def test_after_a_quiet_day_an_account_is_put_right_again() -> None:
    held, last = tired()
    outcome = recreated(held, last + 1, 25 * 60)
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(last + 1, True)]
    assert len(only(outcome.connection).repairs) == 1


def test_a_tick_of_the_user_is_a_new_wish_that_is_defended_anew() -> None:
    held, last = tired()
    asked = recreated(held, last + 1, 60).connection
    ticked = choose(asked, {last + 1: True}, at=after(minutes=61)).connection
    assert [order.powens_id for order in orders(ticked)] == [last + 1]
    told = answer(ticked, at=after(minutes=62)).connection
    back = read(told, shown(last + 1), at=after(minutes=63)).connection
    outcome = recreated(back, last + 2, 64)
    assert [order.powens_id for order in orders(outcome.connection)] == [last + 2]


def test_an_unwanted_account_that_keeps_coming_back_to_life_is_asked_about_in_its_own_words() -> None:
    held = connection(account(1, enabled=False))
    for nth in range(MOST_RESTORATIONS):
        closed = read(held, observed_account(1, disabled=True, deleted=True), at=after(minutes=10 * nth + 1)).connection
        back = read(closed, observed_account(1), at=after(minutes=10 * nth + 2)).connection
        assert [order.enabled for order in orders(back)] == [False]
        told = answer(back, at=after(minutes=10 * nth + 3)).connection
        held = read(told, observed_account(1, disabled=True), at=after(minutes=10 * nth + 4)).connection
    closed = read(held, observed_account(1, disabled=True, deleted=True), at=after(minutes=50)).connection
    outcome = read(closed, observed_account(1), at=after(minutes=51))
    asked = only(outcome.connection)
    assert (asked.enabled, asked.wanted, asked.problem) == (True, False, "reenabled_by_powens")
    assert orders(outcome.connection) == ()
    unticked = choose(outcome.connection, {1: False}, at=after(minutes=52)).connection
    assert [order.enabled for order in orders(unticked)] == [False]


def test_a_restoration_to_disabled_that_never_shows_asks_in_its_own_words_and_keeps_the_wish() -> None:
    held = connection(account(1, enabled=False))
    closed = read(held, observed_account(1, disabled=True, deleted=True), at=after(minutes=1)).connection
    back = read(closed, observed_account(1), at=after(minutes=2)).connection
    asked = only(expire(back, after(minutes=30)).connection)
    assert (asked.enabled, asked.wanted, asked.problem) == (True, False, "reenabled_by_powens")


def test_one_read_may_put_one_account_right_and_ask_about_another() -> None:
    held, last = tired()
    second = account(90, number_key="n")
    outcome = read(
        connection(only(held), second, read_started_at=held.read_started_at),
        shown(last, deleted=True),
        shown(last + 1, disabled=True),
        observed_account(90, number_key="n", deleted=True),
        observed_account(91, number_key="n", disabled=True),
        at=after(minutes=60),
    )
    [operation] = outcome.operations
    assert {item.status for item in operation.items} == {ItemStatus.NEEDS_USER, ItemStatus.PENDING}
    assert [order.powens_id for order in orders(outcome.connection)] == [91]
    told = answer(outcome.connection, at=after(minutes=61)).connection
    ended = read(
        told, shown(last + 1, disabled=True), observed_account(91, number_key="n"), at=after(minutes=62)
    ).operations
    assert [operation.status for operation in ended] == [OperationStatus.NEEDS_USER]


# --- twins ---


def side_by_side(*, old_enabled: bool = True, new_enabled: bool = False) -> tuple[Connection, list[Fact]]:
    """Powens shows an account under a second id while the first still lives: nobody can tell yet that it is one."""
    held = connection(account(1, iban_key=IBAN, enabled=old_enabled, custom_name="Perso"))
    outcome = read(held, shown(1, disabled=not old_enabled), shown(2, disabled=not new_enabled), at=after(minutes=1))
    assert len(outcome.connection.accounts) == 2
    return outcome.connection, list(outcome.facts)


def changes(outcome: Outcome) -> set[tuple[str, Change, bool]]:
    return {(line.account_id, line.change, line.enabled) for fact in outcome.facts for line in fact.accounts}


def test_an_account_that_showed_as_two_is_one_again_once_its_old_id_is_gone() -> None:
    both, _ = side_by_side()
    outcome = read(both, shown(1, deleted=True), shown(2, disabled=True), at=after(minutes=2))
    one = only(outcome.connection)
    assert (one.id, one.powens_id, one.custom_name, one.wanted) == (account_id(1), 2, "Perso", True)
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(2, True)]
    assert changes(outcome) == {(account_id(2), Change.REMOVED, False), (account_id(1), Change.DISABLED, False)}
    told = answer(outcome.connection, at=after(minutes=3)).connection
    back = read(told, shown(1, deleted=True), shown(2), at=after(minutes=4))
    assert (only(back.connection).id, only(back.connection).enabled) == (account_id(1), True)


def test_while_both_ids_live_or_the_old_one_is_only_missing_they_stay_two() -> None:
    both, _ = side_by_side()
    still = read(both, shown(1), shown(2, disabled=True), at=after(minutes=2))
    assert (len(still.connection.accounts), still.facts) == (2, ())
    partial = read(both, shown(2, disabled=True), at=after(minutes=3))
    assert (len(partial.connection.accounts), partial.facts) == (2, ())


def test_an_old_id_that_went_missing_is_merged_once_it_has_been_missing_for_a_day() -> None:
    both, _ = side_by_side()
    missing = read(both, shown(2, disabled=True), at=after(minutes=2)).connection
    assert orders(missing) == ()
    outcome = read(missing, shown(2, disabled=True), at=after(hours=25))
    one = only(outcome.connection)
    assert (one.id, one.closed_at, one.wanted) == (account_id(1), None, True)
    assert changes(outcome) == {(account_id(2), Change.REMOVED, False), (account_id(1), Change.DISABLED, False)}
    assert [order.powens_id for order in orders(outcome.connection)] == [2]


def test_a_wish_that_was_given_up_takes_no_choice_back() -> None:
    held = connection(account(1, iban_key=IBAN, enabled=False, problem="not_found_at_powens", chosen_at=after(days=1)))
    both = read(held, shown(1, disabled=True), shown(2), at=after(days=1)).connection
    outcome = read(both, shown(1, disabled=True, deleted=True), shown(2), at=after(days=1, minutes=1))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)
    assert orders(outcome.connection) == ()


def test_the_newest_balance_of_either_of_the_two_is_kept() -> None:
    held = connection(account(1, iban_key=IBAN, enabled=False, balance=None))
    both = read(
        held, shown(1, disabled=True, balance=None), shown(2, balance=Decimal(7)), at=after(minutes=1)
    ).connection
    gone = shown(1, disabled=True, deleted=True)
    outcome = read(both, gone, shown(2, disabled=True, balance=None), at=after(minutes=2))
    assert only(outcome.connection).balance == Decimal(7)


def test_two_that_share_no_more_than_a_name_stay_two_when_both_are_gone() -> None:
    held = connection(account(1), account(3))
    absent = read(held, observed_account(2, disabled=True), observed_account(3), at=after(minutes=1)).connection
    outcome = read(absent, observed_account(2, deleted=True), observed_account(3), at=after(hours=25))
    assert {a.powens_id for a in outcome.connection.accounts} == {1, 2, 3}
    assert orders(outcome.connection) == ()


def test_one_that_came_instead_of_another_and_is_gone_with_it_leaves_one_that_is_closed() -> None:
    held = connection(account(1, iban_key=IBAN), account(3))
    absent = read(held, shown(2, disabled=True), observed_account(3), at=after(minutes=1)).connection
    outcome = read(absent, shown(2, deleted=True, disabled=True), observed_account(3), at=after(hours=25))
    assert {(a.id, a.closed_at is None) for a in outcome.connection.accounts} == {
        (account_id(1), False),
        (account_id(3), True),
    }
    assert orders(outcome.connection) == ()


def test_a_connection_wrong_only_in_its_order_of_discovery_is_left_alone() -> None:
    both, _ = side_by_side()
    outcome = read(both, shown(1), shown(2, disabled=True, deleted=True), at=after(minutes=2))
    assert [a.powens_id for a in outcome.connection.accounts] == [1, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"currency": "USD"},
        {"provider_type": "card"},
        {"iban_key": "another"},
        {"iban_key": None},
    ],
)
def test_accounts_that_differ_in_key_currency_or_type_are_never_merged(other: dict[str, str | None]) -> None:
    newer = observed_account(2, **({"iban_key": IBAN, "disabled": True} | other))  # type: ignore[arg-type]
    both = read(connection(account(1, iban_key=IBAN)), shown(1), newer, at=after(minutes=1)).connection
    outcome = read(both, shown(1, deleted=True), newer, at=after(minutes=2))
    assert len(outcome.connection.accounts) == 2


def test_accounts_without_iban_are_merged_by_number() -> None:
    def numbered(powens_id: int, *, disabled: bool = False, deleted: bool = False) -> ObservedAccount:
        return observed_account(powens_id, number_key="n", disabled=disabled, deleted=deleted)

    held = connection(account(1, number_key="n"))
    both = read(held, numbered(1), numbered(2, disabled=True), at=after(minutes=1)).connection
    outcome = read(both, numbered(1, deleted=True), numbered(2, disabled=True), at=after(minutes=2))
    assert only(outcome.connection).powens_id == 2


def test_two_that_could_both_be_the_old_one_are_not_guessed_between_but_asked_about() -> None:
    both, _ = side_by_side()
    three = read(both, shown(1), shown(2, disabled=True), shown(3, disabled=True), at=after(minutes=2)).connection
    outcome = read(three, shown(1, deleted=True), shown(2, disabled=True), shown(3, disabled=True), at=after(minutes=3))
    assert orders(outcome.connection) == ()
    asked = outcome.connection.account(account_id(1))
    assert asked is not None
    assert (asked.custom_name, asked.wanted, asked.enabled, asked.problem) == (
        "Perso",
        True,
        False,
        "identical_accounts",
    )
    assert [operation.status for operation in outcome.operations] == [OperationStatus.NEEDS_USER]


def test_two_that_were_shown_side_by_side_for_long_are_two() -> None:
    both, _ = side_by_side()
    weeks = read(both, shown(1), shown(2, disabled=True), at=after(days=15)).connection
    outcome = read(weeks, shown(1, deleted=True), shown(2, disabled=True), at=after(days=16))
    assert [(a.powens_id, a.wanted, a.closed_at is None) for a in outcome.connection.accounts] == [
        (1, True, False),
        (2, False, True),
    ]
    assert orders(outcome.connection) == ()


def test_the_newest_choice_about_either_of_the_two_is_kept() -> None:
    both, _ = side_by_side(new_enabled=True)
    outcome = read(both, shown(1, deleted=True), shown(2), at=after(minutes=2))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)
    assert outcome.operations == ()

    both, _ = side_by_side(old_enabled=False, new_enabled=True)
    outcome = read(both, shown(1, deleted=True, disabled=True), shown(2), at=after(minutes=2))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)

    both, _ = side_by_side(new_enabled=True)
    unticked = read(both, shown(1, disabled=True), shown(2), at=after(minutes=2)).connection
    outcome = read(unticked, shown(1, disabled=True, deleted=True), shown(2), at=after(minutes=3))
    assert only(outcome.connection).wanted is False
    assert [(order.powens_id, order.enabled) for order in orders(outcome.connection)] == [(2, False)]


def test_while_a_choice_about_one_of_them_is_under_way_they_wait_and_are_merged_after_it() -> None:
    both, _ = side_by_side()
    chosen = choose(both, {2: True}, at=after(minutes=2)).connection
    told = answer(chosen, at=after(minutes=3)).connection
    waiting = read(told, shown(1, deleted=True), shown(2, disabled=True), at=after(minutes=4)).connection
    assert len(waiting.accounts) == 2
    done = read(waiting, shown(1, deleted=True), shown(2), at=after(minutes=5)).connection
    outcome = read(done, shown(1, deleted=True), shown(2), at=after(minutes=6))
    assert (only(outcome.connection).id, only(outcome.connection).enabled) == (account_id(1), True)
    assert outcome.operations == ()


def test_the_id_that_is_no_more_still_finds_the_account_and_is_never_given_to_another() -> None:
    both, _ = side_by_side()
    one = read(both, shown(1, deleted=True), shown(2, disabled=True), at=after(minutes=2)).connection
    found = one.account(account_id(2))
    assert found is not None
    assert found.id == account_id(1)
    assert selection(one, [account_id(2)]) == {account_id(1): True}
    assert preview(one, {account_id(2): False}).disable == (account_id(1),)
    alive_again = read(one, shown(2, disabled=True), shown(1, disabled=True), at=after(minutes=3)).connection
    assert len({a.id for a in alive_again.accounts} | {account_id(2)}) == 3
    moved = read(alive_again, shown(2, disabled=True), shown(1, disabled=True), at=after(minutes=4))
    assert moved.facts == ()


@settings(derandomize=True, database=None, deadline=None)
@given(
    flips=st.lists(st.sampled_from(["old", "new"]), max_size=4),
    born_enabled=st.booleans(),
    old_enabled=st.booleans(),
    gone=st.sampled_from(["deleted", "missing"]),
)
def test_however_the_two_were_ticked_they_end_as_one_with_the_newest_choice(
    flips: list[str], *, born_enabled: bool, old_enabled: bool, gone: str
) -> None:
    levels = {"old": old_enabled, "new": born_enabled}
    held, facts = side_by_side(old_enabled=old_enabled, new_enabled=born_enabled)
    newest = born_enabled or old_enabled
    now = 2.0

    def look(at: datetime, *accounts: ObservedAccount) -> None:
        nonlocal held
        outcome = read(held, *accounts, at=at)
        held = outcome.connection
        facts.extend(outcome.facts)

    for which in flips:
        levels[which] = newest = not levels[which]
        look(after(minutes=now), shown(1, disabled=not levels["old"]), shown(2, disabled=not levels["new"]))
        now += 1
    new = shown(2, disabled=not levels["new"])
    if gone == "deleted":
        look(after(minutes=now), shown(1, disabled=not levels["old"], deleted=True), new)
    else:
        for hours in (1, 26, 27):
            look(after(hours=hours), new)
    one = only(held)
    assert (one.id, one.powens_id, one.wanted) == (account_id(1), 2, newest)
    assert [(order.powens_id, order.enabled) for order in orders(held)] == (
        [] if levels["new"] == newest else [(2, newest)]
    )
    known = {a.id: (a.enabled, a.type, a.currency) for a in held.accounts}
    before = {account_id(1): (old_enabled, one.type, one.currency)}
    assert before | fold(facts) == known
