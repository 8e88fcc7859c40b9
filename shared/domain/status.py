"""From the states of Powens to a status for the user, with a reason, who must act and the next step.

Source: Powens, "SCA and connection states" and the Connections reference. Both lists are open, so an unknown state has
a status too.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.connection import Account, Connection, OperationKind
from shared.domain.observation import ObservedSource


class ConnectionStatus(StrEnum):
    OK = "ok"
    SYNCING = "syncing"
    ACTION_REQUIRED = "action_required"
    WAITING = "waiting"
    FAILED = "failed"


class AccountStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    ENABLING = "enabling"
    DISABLING = "disabling"
    CLOSED_AT_BANK = "closed_at_bank"
    FAILED = "failed"


class Freshness(StrEnum):
    FRESH = "fresh"
    AGEING = "ageing"
    STALE = "stale"
    NEVER = "never"


class Who(StrEnum):
    """Who must act."""

    USER = "user"
    BANK = "bank"
    POWENS = "powens"
    US = "us"
    NOBODY = "nobody"


class NextStep(StrEnum):
    MANAGE = "manage"
    RECONNECT = "reconnect"
    WAIT = "wait"
    ADD_MANUALLY = "add_manually"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is stable and public; the text for people has it as its key in `shared/contracts/locales/`."""

    code: str
    who_must_act: Who
    next_step: NextStep


REASONS = {
    reason.code: reason
    for reason in (
        # the connection
        Reason("authentication_required", Who.USER, NextStep.RECONNECT),
        Reason("information_required", Who.USER, NextStep.RECONNECT),
        Reason("approval_required", Who.USER, NextStep.RECONNECT),
        Reason("credentials_refused", Who.USER, NextStep.RECONNECT),
        Reason("password_expired", Who.USER, NextStep.RECONNECT),
        Reason("action_required_at_bank", Who.USER, NextStep.RECONNECT),
        Reason("consent_expired", Who.USER, NextStep.RECONNECT),
        Reason("approval_in_progress", Who.NOBODY, NextStep.WAIT),
        Reason("bank_busy", Who.BANK, NextStep.WAIT),
        Reason("bank_unavailable", Who.BANK, NextStep.WAIT),
        Reason("powens_problem", Who.POWENS, NextStep.WAIT),
        Reason("not_supported", Who.POWENS, NextStep.ADD_MANUALLY),
        Reason("not_synchronising", Who.USER, NextStep.MANAGE),
        Reason("unknown_problem", Who.US, NextStep.WAIT),
        Reason("first_synchronisation", Who.NOBODY, NextStep.WAIT),
        Reason("first_synchronisation_overdue", Who.POWENS, NextStep.MANAGE),
        Reason("refresh_in_progress", Who.NOBODY, NextStep.WAIT),
        # an account, or one account of an operation
        Reason("closed_at_bank", Who.NOBODY, NextStep.NONE),
        Reason("unreadable_at_powens", Who.POWENS, NextStep.WAIT),
        Reason("recreated_by_powens", Who.USER, NextStep.MANAGE),
        Reason("identical_accounts", Who.USER, NextStep.MANAGE),
        Reason("reenabled_by_powens", Who.USER, NextStep.MANAGE),
        Reason("changed_elsewhere", Who.NOBODY, NextStep.NONE),
        Reason("newer_choice", Who.NOBODY, NextStep.NONE),
        Reason("moved_elsewhere", Who.NOBODY, NextStep.NONE),
        Reason("not_applied", Who.POWENS, NextStep.MANAGE),
        Reason("refused_by_powens", Who.USER, NextStep.MANAGE),
        Reason("forbidden_by_powens", Who.US, NextStep.WAIT),
        Reason("not_found_at_powens", Who.USER, NextStep.MANAGE),
        Reason("timed_out", Who.POWENS, NextStep.WAIT),
        # an account that is also held through another connection, and does not count here
        Reason("copy_not_enabled", Who.NOBODY, NextStep.NONE),
        Reason("copy_not_shown", Who.NOBODY, NextStep.NONE),
        Reason("copy_connection_not_working", Who.NOBODY, NextStep.NONE),
        Reason("copy_older", Who.NOBODY, NextStep.NONE),
        Reason("copy_known_later", Who.NOBODY, NextStep.NONE),
        # an operation as a whole
        Reason("just_refreshed", Who.NOBODY, NextStep.NONE),
        Reason("refresh_refused", Who.POWENS, NextStep.WAIT),
        Reason("connection_removed", Who.NOBODY, NextStep.NONE),
    )
}

_MEANING: dict[str, tuple[ConnectionStatus, str]] = {
    "SCARequired": (ConnectionStatus.ACTION_REQUIRED, "authentication_required"),
    "webauthRequired": (ConnectionStatus.ACTION_REQUIRED, "authentication_required"),
    "additionalInformationNeeded": (ConnectionStatus.ACTION_REQUIRED, "information_required"),
    "decoupled": (ConnectionStatus.ACTION_REQUIRED, "approval_required"),
    "validating": (ConnectionStatus.WAITING, "approval_in_progress"),
    "actionNeeded": (ConnectionStatus.ACTION_REQUIRED, "action_required_at_bank"),
    "passwordExpired": (ConnectionStatus.ACTION_REQUIRED, "password_expired"),
    "wrongpass": (ConnectionStatus.ACTION_REQUIRED, "credentials_refused"),
    "rateLimiting": (ConnectionStatus.WAITING, "bank_busy"),
    "websiteUnavailable": (ConnectionStatus.WAITING, "bank_unavailable"),
    "bug": (ConnectionStatus.WAITING, "powens_problem"),
    "notSupported": (ConnectionStatus.FAILED, "not_supported"),
}

JUST_REFRESHED_WITHIN = timedelta(minutes=30)
"""How old data may be to be called just refreshed when Powens declines to fetch it again."""
FRESH_FOR = timedelta(hours=26)
"""Powens synchronises every 24 hours by default; two hours of grace before it counts as ageing."""
STALE_AFTER = timedelta(hours=72)
FIRST_SYNCHRONISATION_WITHIN = timedelta(hours=24)
"""Powens synchronises once in this time by default: after that, waiting does not help."""
AHEAD_AT_MOST = timedelta(minutes=10)
"""How far two clocks may differ. A later date of Powens is an error and is ignored."""


def meaning_of_state(state: str) -> tuple[ConnectionStatus, str]:
    """Status and reason code of a Powens state; an unknown state is a failure for which nobody must act."""
    return _MEANING.get(state, (ConnectionStatus.FAILED, "unknown_problem"))


def connection_status(connection: Connection, now: datetime) -> tuple[ConnectionStatus, Reason | None]:
    """The status of a connection at `now`, and its reason; None when it is well."""
    if connection.state is not None:
        status, code = meaning_of_state(connection.state)
        return status, REASONS[code]
    expiry = consent_expires_at(connection)
    if expiry is not None and expiry <= now:
        return ConnectionStatus.ACTION_REQUIRED, REASONS["consent_expired"]
    if not connection.active:
        return ConnectionStatus.FAILED, REASONS["not_synchronising"]
    if any(operation.kind is OperationKind.REFRESH for operation in connection.operations):
        return ConnectionStatus.SYNCING, REASONS["refresh_in_progress"]
    if connection.last_success_at is None:
        if now - connection.created_at >= FIRST_SYNCHRONISATION_WITHIN:
            return ConnectionStatus.FAILED, REASONS["first_synchronisation_overdue"]
        return ConnectionStatus.SYNCING, REASONS["first_synchronisation"]
    return ConnectionStatus.OK, None


def status_at_rest(connection: Connection, now: datetime) -> tuple[ConnectionStatus, Reason | None]:
    """The status without open operations: a refresh is not a change of the connection."""
    return connection_status(replace(connection, operations=()), now)


def announced(connection: Connection, now: datetime) -> str:
    """The part of the status that `ConnectionUpdated` announces."""
    status, reason = status_at_rest(connection, now)
    return f"{status.value}:{reason.code if reason else ''}:{connection.institution.name}"


def consent_expires_at(connection: Connection) -> datetime | None:
    """When the user's consent at the bank ends (180 days under PSD2): the earliest date of the relevant sources.

    Relevant are the sources in use that carry an enabled account; if there is none, all sources in use. For a source
    without an error a success after the date disproves the date: the consent was renewed, or did not end.
    """
    in_use = [source for source in connection.sources if not source.disabled]
    carrying = {account.source_id for account in connection.accounts if account.enabled and account.closed_at is None}
    relevant = [source for source in in_use if source.id in carrying] or in_use
    dates = [
        source.access_expires_at
        for source in relevant
        if source.access_expires_at is not None and not _disproved(source, source.access_expires_at, connection)
    ]
    return min(dates, default=None)


def _disproved(source: ObservedSource, expires_at: datetime, connection: Connection) -> bool:
    success = connection.last_success_at
    return source.state is None and success is not None and success > expires_at


def account_status(account: Account, connection: Connection) -> tuple[AccountStatus, Reason | None]:
    """The status of one account, and its reason. A failing source concerns only its own accounts."""
    if account.closed_at is not None:
        return AccountStatus.CLOSED_AT_BANK, REASONS["closed_at_bank"]
    if account.choice is not None:
        return (AccountStatus.ENABLING if account.wanted else AccountStatus.DISABLING), None
    if account.problem is not None:
        return AccountStatus.FAILED, REASONS.get(account.problem, REASONS["unknown_problem"])
    unreadable = REASONS["unreadable_at_powens"] if account.unreadable else None
    if not account.enabled:
        return AccountStatus.DISABLED, unreadable
    state = account_trouble(account, connection)
    return AccountStatus.ENABLED, unreadable or (REASONS[meaning_of_state(state)[1]] if state else None)


def account_trouble(account: Account, connection: Connection) -> str | None:
    """The error of the account, or of its source, in Powens' words; None when both are well."""
    source = next((s for s in connection.sources if s.id == account.source_id), None)
    return account.error or (source.state if source is not None else None)


def freshness(last_success_at: datetime | None, now: datetime) -> Freshness:
    """How old the newest good data is. Only `fresh` is shown in green."""
    success = believable(last_success_at, now)
    if success is None:
        return Freshness.NEVER
    age = now - success
    if age <= FRESH_FOR:
        return Freshness.FRESH
    return Freshness.AGEING if age <= STALE_AFTER else Freshness.STALE


def just_refreshed(last_success_at: datetime | None, now: datetime) -> bool:
    """Whether the newest good data is minutes old."""
    success = believable(last_success_at, now)
    return success is not None and now - success <= JUST_REFRESHED_WITHIN


def believable(at: datetime | None, now: datetime) -> datetime | None:
    """The date, or None when it is in the future by more than `AHEAD_AT_MOST`."""
    return at if at is not None and at <= now + AHEAD_AT_MOST else None
