"""What people are told: of a connection, of an account, of their age; and why an account may be missing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.connection import Account, Choice, Connection, OperationKind
from shared.domain.diagnosis import can_add_accounts
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.observation import ObservedSource
from shared.domain.status import (
    AHEAD_AT_MOST,
    FRESH_FOR,
    REASONS,
    STALE_AFTER,
    AccountStatus,
    ConnectionStatus,
    Freshness,
    NextStep,
    Who,
    account_status,
    announced,
    connection_status,
    consent_expires_at,
    freshness,
)
from tests.builders import NOW, account, after, connection, operation


def source(
    source_id: int = 81, *, state: str | None = None, disabled: bool = False, expires: datetime | None = None
) -> ObservedSource:
    return ObservedSource(id=source_id, name="openapi", state=state, disabled=disabled, access_expires_at=expires)


@pytest.mark.parametrize(
    ("state", "status", "code", "who", "step"),
    [
        ("SCARequired", "action_required", "authentication_required", Who.USER, NextStep.RECONNECT),
        ("webauthRequired", "action_required", "authentication_required", Who.USER, NextStep.RECONNECT),
        ("additionalInformationNeeded", "action_required", "information_required", Who.USER, NextStep.RECONNECT),
        ("decoupled", "action_required", "approval_required", Who.USER, NextStep.RECONNECT),
        ("validating", "waiting", "approval_in_progress", Who.NOBODY, NextStep.WAIT),
        ("actionNeeded", "action_required", "action_required_at_bank", Who.USER, NextStep.RECONNECT),
        ("passwordExpired", "action_required", "password_expired", Who.USER, NextStep.RECONNECT),
        ("wrongpass", "action_required", "credentials_refused", Who.USER, NextStep.RECONNECT),
        ("rateLimiting", "waiting", "bank_busy", Who.BANK, NextStep.WAIT),
        ("websiteUnavailable", "waiting", "bank_unavailable", Who.BANK, NextStep.WAIT),
        ("bug", "waiting", "powens_problem", Who.POWENS, NextStep.WAIT),
        ("notSupported", "failed", "not_supported", Who.POWENS, NextStep.ADD_MANUALLY),
        ("inventedTomorrow", "failed", "unknown_problem", Who.US, NextStep.WAIT),
    ],
)
def test_every_state_of_powens_says_who_must_act(state: str, status: str, code: str, who: Who, step: NextStep) -> None:
    told, reason = connection_status(connection(state=state), NOW)
    assert reason is not None
    assert (told, reason.code, reason.who_must_act, reason.next_step) == (status, code, who, step)


def test_every_reason_is_listed_under_its_own_code() -> None:
    assert all(code == reason.code for code, reason in REASONS.items())


@pytest.mark.parametrize(
    ("code", "who", "step"),
    [
        ("first_synchronisation_overdue", Who.POWENS, NextStep.MANAGE),
        ("unreadable_at_powens", Who.POWENS, NextStep.WAIT),
        ("identical_accounts", Who.USER, NextStep.MANAGE),
        ("forbidden_by_powens", Who.US, NextStep.WAIT),
        ("copy_not_enabled", Who.NOBODY, NextStep.NONE),
        ("copy_not_shown", Who.NOBODY, NextStep.NONE),
        ("copy_connection_not_working", Who.NOBODY, NextStep.NONE),
        ("copy_older", Who.NOBODY, NextStep.NONE),
        ("copy_known_later", Who.NOBODY, NextStep.NONE),
    ],
)
def test_reasons_that_no_state_of_powens_gives_say_who_must_act_too(code: str, who: Who, step: NextStep) -> None:
    assert (REASONS[code].who_must_act, REASONS[code].next_step) == (who, step)


def refreshing() -> Connection:
    return connection(operations=(operation(kind=OperationKind.REFRESH),))


@pytest.mark.parametrize(
    ("held", "status", "code"),
    [
        (connection(), ConnectionStatus.OK, None),
        (connection(last_success_at=None), ConnectionStatus.SYNCING, "first_synchronisation"),
        (
            connection(last_success_at=None, created_at=after(hours=-23.9)),
            ConnectionStatus.SYNCING,
            "first_synchronisation",
        ),
        (
            connection(last_success_at=None, created_at=after(hours=-24)),
            ConnectionStatus.FAILED,
            "first_synchronisation_overdue",
        ),
        (connection(created_at=after(days=-9)), ConnectionStatus.OK, None),
        (refreshing(), ConnectionStatus.SYNCING, "refresh_in_progress"),
        (connection(active=False), ConnectionStatus.FAILED, "not_synchronising"),
        (connection(sources=(source(expires=NOW),)), ConnectionStatus.ACTION_REQUIRED, "consent_expired"),
        (connection(sources=(source(expires=after(seconds=1)),)), ConnectionStatus.OK, None),
        (connection(sources=(source(expires=NOW, disabled=True),)), ConnectionStatus.OK, None),
    ],
)
def test_a_connection_without_a_state_is_judged_by_the_rest(
    held: Connection, status: ConnectionStatus, code: str | None
) -> None:
    told, reason = connection_status(held, NOW)
    assert (told, reason and reason.code) == (status, code)


def test_a_refresh_under_way_is_not_announced_as_a_change() -> None:
    assert announced(refreshing(), NOW) == announced(connection(), NOW) == "ok::Banque du Test"


def test_the_consent_that_ends_first_among_the_sources_in_use_counts() -> None:
    first, second = source(81, expires=after(days=20)), source(82, expires=after(days=10))
    assert consent_expires_at(connection(sources=(first, second))) == after(days=10)
    unused = source(82, expires=after(days=10), disabled=True)
    assert consent_expires_at(connection(sources=(first, unused))) == after(days=20)
    assert consent_expires_at(connection(sources=(source(),))) is None


PAST, SOON, LATER = after(days=-1), after(days=10), after(days=20)


@pytest.mark.parametrize(
    ("accounts", "ends_at"),
    [
        ((account(1, source_id=81),), LATER),
        ((account(1, source_id=81), account(2, source_id=82, enabled=False)), LATER),
        ((account(1, source_id=81), account(2, source_id=82, closed_at=NOW)), LATER),
        ((account(1, source_id=81), account(2, source_id=82)), SOON),
        ((account(1, source_id=81), account(2, source_id=None)), LATER),
        ((account(1, source_id=None),), SOON),
        ((account(1, source_id=99),), SOON),
        ((account(1, source_id=81, enabled=False),), SOON),
        ((), SOON),
    ],
)
def test_consent_counts_for_the_sources_that_carry_an_enabled_account(
    accounts: tuple[Account, ...], ends_at: datetime
) -> None:
    sources = (source(81, expires=LATER), source(82, expires=SOON), source(83, expires=PAST, disabled=True))
    assert consent_expires_at(connection(*accounts, sources=sources)) == ends_at


@pytest.mark.parametrize(
    ("expired", "success", "ends_at"),
    [
        (source(82, expires=PAST), after(hours=-23), LATER),
        (source(82, expires=PAST), PAST, PAST),
        (source(82, expires=PAST), after(days=-2), PAST),
        (source(82, expires=PAST), None, PAST),
        (source(82, expires=PAST, state="SCARequired"), after(hours=-23), PAST),
    ],
)
def test_a_success_after_the_end_of_a_consent_disproves_that_date(
    expired: ObservedSource, success: datetime | None, ends_at: datetime
) -> None:
    held = connection(account(1), account(2, source_id=82), sources=(source(81, expires=LATER), expired))
    assert consent_expires_at(replace(held, last_success_at=success)) == ends_at


CHOICE = Choice(operation_id="operation-1")


@pytest.mark.parametrize(
    ("known", "status", "code"),
    [
        (account(1), AccountStatus.ENABLED, None),
        (account(1, enabled=False), AccountStatus.DISABLED, None),
        (account(1, enabled=False, wanted=True, choice=CHOICE), AccountStatus.ENABLING, None),
        (account(1, wanted=False, choice=CHOICE), AccountStatus.DISABLING, None),
        (account(1, closed_at=NOW), AccountStatus.CLOSED_AT_BANK, "closed_at_bank"),
        (account(1, problem="not_applied"), AccountStatus.FAILED, "not_applied"),
        (account(1, problem="invented_tomorrow"), AccountStatus.FAILED, "unknown_problem"),
        (account(1, error="websiteUnavailable"), AccountStatus.ENABLED, "bank_unavailable"),
        (account(1, source_id=82), AccountStatus.ENABLED, "authentication_required"),
        (account(1, source_id=None), AccountStatus.ENABLED, None),
        (account(1, enabled=False, source_id=82), AccountStatus.DISABLED, None),
    ],
)
def test_an_account_says_what_is_the_matter_with_it_and_not_with_its_siblings(
    known: Account, status: AccountStatus, code: str | None
) -> None:
    held = connection(known, sources=(source(81), source(82, state="SCARequired")))
    told, reason = account_status(known, held)
    assert (told, reason and reason.code) == (status, code)


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (-AHEAD_AT_MOST - TICK, Freshness.NEVER),
        (-AHEAD_AT_MOST, Freshness.FRESH),
        (timedelta(0), Freshness.FRESH),
        (FRESH_FOR, Freshness.FRESH),
        (FRESH_FOR + TICK, Freshness.AGEING),
        (STALE_AFTER, Freshness.AGEING),
        (STALE_AFTER + TICK, Freshness.STALE),
    ],
)
def test_freshness_changes_exactly_at_its_borders(age: timedelta, told: Freshness) -> None:
    assert freshness(NOW - age, NOW) is told


def test_what_never_succeeded_is_not_fresh() -> None:
    assert freshness(None, NOW) is Freshness.NEVER


# --- can accounts be added? ---


@pytest.mark.parametrize(
    ("held", "answer", "reason", "evidence", "step"),
    [
        (
            connection(account(1, enabled=False), state="SCARequired"),
            DiagnosisAnswer.UNKNOWN,
            DiagnosisReason.NEEDS_USER_ACTION,
            ("unticked_accounts:1", "status:authentication_required"),
            NextStep.RECONNECT,
        ),
        (
            connection(account(1, enabled=False), account(2, enabled=False, closed_at=NOW)),
            DiagnosisAnswer.YES,
            DiagnosisReason.HIDDEN_BY_USER,
            ("unticked_accounts:1",),
            NextStep.MANAGE,
        ),
        (
            connection(account(1), state="websiteUnavailable"),
            DiagnosisAnswer.UNKNOWN,
            DiagnosisReason.TEMPORARY_PROBLEM,
            ("no_unticked_account", "status:bank_unavailable"),
            NextStep.WAIT,
        ),
        (
            connection(account(1)),
            DiagnosisAnswer.UNKNOWN,
            DiagnosisReason.UNKNOWN,
            ("no_unticked_account",),
            NextStep.MANAGE,
        ),
    ],
)
def test_a_diagnosis_claims_no_more_than_its_evidence(
    held: Connection, answer: DiagnosisAnswer, reason: DiagnosisReason, evidence: tuple[str, ...], step: NextStep
) -> None:
    told = can_add_accounts(held, NOW)
    assert (told.answer, told.reason, told.evidence, told.next_step) == (answer, reason, evidence, step)
