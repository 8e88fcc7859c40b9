"""Rules 7 and 8, and what one read changes when nobody made a choice."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from shared.domain.connection import Account, AccountType, Connection, account_id, connection_id
from shared.domain.facts import Cause, Change, FactType
from shared.domain.ledger import covered
from shared.domain.observation import Institution
from shared.domain.status import Freshness, freshness
from tests.builders import (
    NOW,
    POWENS_USER,
    USER,
    FixedClock,
    account,
    after,
    answer,
    choose,
    connection,
    observed,
    observed_account,
    read,
)


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def test_the_first_read_makes_the_connection_and_announces_it() -> None:
    outcome = read(None, observed_account(1, disabled=True), at=after(minutes=1))
    made = outcome.connection
    assert (made.id, made.user_id, made.powens_user_id) == (connection_id(77), USER, POWENS_USER)
    assert made.read_started_at == after(minutes=1)
    assert [(fact.type, fact.revision, fact.status) for fact in outcome.facts] == [
        (FactType.ACCOUNTS_UPDATED, 1, None),
        (FactType.CONNECTION_UPDATED, 2, "ok"),
    ]
    assert made.revision == 2


def test_a_read_that_finds_nothing_new_writes_no_fact() -> None:
    held = connection(account(1))
    outcome = read(held, observed_account(1), at=after(minutes=1))
    assert (outcome.facts, outcome.connection.revision) == ((), held.revision)
    assert outcome.connection == replace(held, read_started_at=after(minutes=1), next_try=after(hours=24))


def test_the_same_read_twice_is_one_read() -> None:
    seen = [observed_account(1, disabled=True), observed_account(2)]
    once = read(connection(account(1)), *seen, at=after(minutes=1))
    again = read(once.connection, *seen, at=after(minutes=1))
    assert (again.connection, again.facts) == (once.connection, ())


# --- rule 7 ---


def test_a_read_that_began_before_the_last_one_does_not_speak() -> None:
    held = read(connection(account(1)), observed_account(1, disabled=True), at=after(minutes=2)).connection
    stale = read(held, observed_account(1), observed_account(2), at=after(minutes=1))
    assert (stale.connection, stale.facts, stale.operations) == (held, (), ())


def test_a_read_that_began_before_our_last_order_was_answered_does_not_speak() -> None:
    chosen = choose(connection(account(1, enabled=False)), {1: True}).connection
    told = answer(chosen, at=after(seconds=5)).connection
    assert read(told, observed_account(1, disabled=True), at=after(seconds=4)).connection == told
    assert only(read(told, observed_account(1), at=after(seconds=5)).connection).enabled is True


def test_powens_own_dates_decide_nothing() -> None:
    held = read(connection(account(1)), observed_account(1, last_update=after(days=30)), at=after(minutes=1)).connection
    outcome = read(held, observed_account(1, disabled=True, last_update=after(days=-30)), at=after(minutes=2))
    assert only(outcome.connection).enabled is False


# --- rule 8 ---


@pytest.mark.parametrize(
    ("received_at", "is_covered"),
    [(after(seconds=-1), True), (after(), False), (after(seconds=1), False)],
)
def test_a_hint_from_before_the_last_read_began_is_covered_by_it(received_at: datetime, *, is_covered: bool) -> None:
    assert covered(connection(), received_at) is is_covered


# --- what changes in an account ---


@pytest.mark.parametrize(
    "shown",
    [
        observed_account(1, balance=Decimal(7)),
        observed_account(1, currency="USD"),
        observed_account(1, provider_type="pea"),
        observed_account(1, error="actionNeeded"),
        observed_account(1, last_update=after(hours=1)),
    ],
)
def test_new_data_of_an_account_is_a_refresh(shown: object) -> None:
    assert isinstance(shown, type(observed_account()))
    outcome = read(connection(account(1)), shown, at=after(minutes=1))
    assert [line.change for line in outcome.facts[0].accounts] == [Change.REFRESHED]
    assert outcome.facts[0].cause is Cause.BANK


def test_an_account_that_changed_in_several_ways_has_one_line_with_the_most_telling() -> None:
    shown = observed_account(1, name="CPT 1", balance=Decimal(7), disabled=True)
    outcome = read(connection(account(1)), shown, at=after(minutes=1))
    assert [line.change for line in outcome.facts[0].accounts] == [Change.DISABLED]
    chosen = choose(connection(account(1, enabled=False)), {1: True}).connection
    settled = read(chosen, observed_account(1, name="CPT 1"), at=after(minutes=1))
    assert [(line.change, line.enabled) for line in settled.facts[0].accounts] == [(Change.ENABLED, True)]


def test_what_powens_leaves_out_of_a_disabled_account_keeps_its_last_value() -> None:
    held = connection(account(1, iban_key="iban-0112", number_key="n", enabled=False, wanted=True, problem="asked"))
    shown = observed_account(1, name="", currency=None, balance=None, source_id=None, disabled=True)
    kept = only(read(held, shown, at=after(minutes=1)).connection)
    before = only(held)
    assert (
        kept.name,
        kept.currency,
        kept.balance,
        kept.iban_key,
        kept.iban_last4,
        kept.number_key,
        kept.source_id,
    ) == (
        before.name,
        before.currency,
        before.balance,
        before.iban_key,
        before.iban_last4,
        before.number_key,
        before.source_id,
    )


def test_an_enabled_account_whose_balance_is_not_given_has_none() -> None:
    assert (
        only(read(connection(account(1)), observed_account(1, balance=None), at=after(minutes=1)).connection).balance
        is None
    )


def test_an_account_in_error_keeps_the_time_of_its_last_success() -> None:
    shown = observed_account(1, error="bug", last_update=after(hours=1))
    assert only(read(connection(account(1)), shown, at=after(hours=1)).connection).last_success_at == NOW


# --- what changes in a connection ---


def test_a_state_is_announced_when_it_begins_and_when_it_ends() -> None:
    clock = FixedClock()
    held = connection(account(1))
    seen = []
    for state in ("SCARequired", "SCARequired", None, None):
        outcome = read(held, seen=observed(observed_account(1), at=clock.advance(minutes=1), state=state))
        held = outcome.connection
        seen += [(fact.type, fact.status, fact.revision) for fact in outcome.facts]
    assert seen == [
        (FactType.CONNECTION_UPDATED, "action_required", 2),
        (FactType.CONNECTION_UPDATED, "ok", 3),
    ]


def test_a_failing_connection_keeps_its_last_success_and_moves_its_last_attempt() -> None:
    seen = observed(at=after(hours=2), state="bug", last_update=after(hours=1))
    held = read(connection(), seen=seen).connection
    assert (held.last_success_at, held.last_attempt_at) == (NOW, after(hours=1))


def test_an_answer_without_a_date_keeps_the_last_attempt() -> None:
    held = read(connection(), seen=observed(at=after(hours=2), state="bug", last_update=None)).connection
    assert held.last_attempt_at == NOW


@pytest.mark.parametrize("unusable", [None, after(days=1825)])
def test_a_success_whose_date_says_nothing_leaves_the_last_known_one_to_age(unusable: datetime | None) -> None:
    held = read(connection(), seen=observed(at=after(hours=80), last_update=unusable)).connection
    assert (held.last_success_at, held.last_attempt_at) == (NOW, NOW)
    assert freshness(held.last_success_at, after(hours=80)) is Freshness.STALE


def test_a_date_to_come_that_is_held_is_given_up_with_the_next_read() -> None:
    wrong = connection(last_success_at=after(days=1825))
    held = read(wrong, seen=observed(at=after(hours=1), last_update=None)).connection
    assert (held.last_success_at, held.last_attempt_at) == (None, None)


def test_a_bank_that_changes_its_name_is_announced() -> None:
    renamed = Institution(id="338178e6-3d01-564f-9a7b-52ca442459bf", name="Banque Neuve")
    outcome = read(connection(), seen=observed(at=after(hours=2), institution=renamed))
    assert [fact.type for fact in outcome.facts] == [FactType.CONNECTION_UPDATED]


# --- Powens' words ---


@pytest.mark.parametrize(
    ("provider_type", "ours"),
    [
        ("checking", AccountType.CHECKING),
        ("joint", AccountType.CHECKING),
        ("card", AccountType.CARD),
        ("livret_a", AccountType.SAVINGS),
        ("ldds", AccountType.SAVINGS),
        ("savings", AccountType.SAVINGS),
        ("deposit", AccountType.SAVINGS),
        ("pea", AccountType.SECURITIES),
        ("market", AccountType.SECURITIES),
        ("lifeinsurance", AccountType.LIFE_INSURANCE),
        ("perp", AccountType.LIFE_INSURANCE),
        ("pee", AccountType.EMPLOYEE_SAVINGS),
        ("article83", AccountType.EMPLOYEE_SAVINGS),
        ("loan", AccountType.LOAN),
        ("mortgage", AccountType.LOAN),
        ("crypto", AccountType.CRYPTO),
        ("crowdlending", AccountType.OTHER),
        ("real_estate", AccountType.OTHER),
        ("unknown", AccountType.OTHER),
        ("invented_tomorrow", AccountType.OTHER),
    ],
)
def test_every_type_of_powens_is_one_that_people_know(provider_type: str, ours: AccountType) -> None:
    assert account(1, provider_type=provider_type).type is ours


def test_a_connection_finds_its_accounts_and_counts_what_is_under_way() -> None:
    held = choose(connection(account(1), account(2)), {1: False}).connection
    assert held.account(held.accounts[1].id) == held.accounts[1]
    assert held.account("elsewhere") is None
    assert held.unsettled == 1


# --- what nobody ticked ---


def test_of_an_account_that_nobody_ticked_no_balance_is_kept_and_none_is_news() -> None:
    held = connection(account(1, enabled=False, balance=None), account(2))
    later = read(
        held,
        observed_account(1, disabled=True, balance=Decimal(5)),
        observed_account(2, balance=held.accounts[1].balance),
        at=after(minutes=1),
    )
    assert [a.balance for a in later.connection.accounts] == [None, held.accounts[1].balance]
    assert later.facts == ()


def test_a_balance_from_before_is_dropped_without_a_word_and_unticking_drops_it() -> None:
    held = connection(account(1, enabled=False), account(2))
    later = read(held, observed_account(1, disabled=True), observed_account(2, disabled=True), at=after(minutes=1))
    assert [a.balance for a in later.connection.accounts] == [None, None]
    [fact] = later.facts
    assert [(line.account_id, line.change) for line in fact.accounts] == [(account_id(2), Change.DISABLED)]


def test_who_ticks_an_account_has_its_balance_from_the_next_read_on() -> None:
    held = connection(account(1, enabled=False, balance=None))
    chosen = choose(held, {1: True}).connection
    half = read(chosen, observed_account(1, disabled=True, balance=Decimal(5)), at=after(seconds=1))
    assert half.facts == ()
    done = read(half.connection, observed_account(1, balance=Decimal(5)), at=after(seconds=2)).connection
    assert [(a.enabled, a.balance) for a in done.accounts] == [(True, Decimal(5))]
