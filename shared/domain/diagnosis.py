"""Why an account may be missing: from what is known to levels of evidence, and to one answer with its evidence.

An answer never claims more than its evidence. `diagnose` reduces what is known to a few levels,
which `diagnosis_rules.decide` maps to a verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.catalogue import (
    NO_STATEMENTS,
    PAYMENT_TYPES,
    Catalogue,
    CatalogueEntry,
    Statements,
    Support,
    carriers,
    described,
    stated,
)
from shared.domain.connection import Account, AccountType, Connection, OperationKind
from shared.domain.diagnosis_rules import (
    Carrier,
    DiagnosisAnswer,
    DiagnosisReason,
    Evidence,
    Health,
    Precedent,
    Presence,
    Verdict,
    decide,
)
from shared.domain.incidents import Incident
from shared.domain.observation import ObservedSource
from shared.domain.status import (
    STALE_AFTER,
    ConnectionStatus,
    Freshness,
    NextStep,
    connection_status,
    freshness,
    meaning_of_state,
)

PEERS_FLOOR = 5
"""How many different users must get a type before it counts as evidence: fewer could be identified, or be an error."""

_UNTYPED = frozenset({"unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`answer`: can an account of the type be synchronised through this connection?

    `evidence`: codes, some with a value after a colon. `retry_at`: aware UTC, when Powens tries
    again, if that is known. `cause`: the code of the exact cause, for its sentence; None when the
    reason is exact enough.
    """

    answer: DiagnosisAnswer
    reason: DiagnosisReason
    evidence: tuple[str, ...]
    next_step: NextStep
    retry_at: datetime | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisContext:
    """What a diagnosis takes into account beside the connection.

    `catalogue`: None when not available, and with it what other users get. `connections`: the same
    user's others.
    `incidents`: the open ones.
    """

    catalogue: Catalogue | None = None
    connections: tuple[Connection, ...] = ()
    incidents: tuple[Incident, ...] = ()


NO_CONTEXT = DiagnosisContext()


@dataclass(frozen=True, slots=True)
class _AccountCounts:
    """The accounts of one type in a connection; of all types when `kind` is None."""

    unticked: int
    refused: int
    added: int
    closed: int
    missing: int

    @classmethod
    def of(cls, connection: Connection, kind: AccountType | None) -> "_AccountCounts":
        accounts = [a for a in connection.accounts if kind is None or a.type is kind]
        shown = [a for a in accounts if a.closed_at is None and a.missing_since is None]
        return cls(
            unticked=sum(not a.wanted and a.problem is None for a in shown),
            refused=sum(a.problem is not None for a in shown),
            added=sum(a.wanted and a.problem is None for a in shown),
            closed=sum(a.closed_at is not None for a in accounts),
            missing=sum(a.closed_at is None and a.missing_since is not None for a in accounts),
        )

    @property
    def codes(self) -> tuple[str, ...]:
        counts = {
            "unticked_accounts": self.unticked,
            "refused_accounts": self.refused,
            "added_accounts": self.added,
            "closed_accounts": self.closed,
            "missing_accounts": self.missing,
        }
        return tuple(f"{code}:{number}" for code, number in counts.items() if number)


def diagnose(
    connection: Connection, kind: AccountType | None, now: datetime, context: DiagnosisContext = NO_CONTEXT
) -> Diagnosis:
    """Why an account of `kind` is missing in `connection`; for `kind` None, whether it has any account to add."""
    accounts = _AccountCounts.of(connection, kind)
    entry, statements, current = _description(connection, kind, now, context)
    health, code, retry_at = _health(connection, kind, now)
    incident = next((i for i in context.incidents if i.institution_id == connection.institution.id), None)
    precedent, witnesses = _precedent(connection, kind, context)
    levels = Evidence(
        presence=_presence(connection, kind, accounts),
        health=health,
        incident=incident is not None,
        support=statements.support,
        carrier=_carrier(connection, kind, entry),
        precedent=precedent,
    )
    verdict = decide(levels)
    temporary = verdict.next_step is NextStep.WAIT
    if temporary and health is not Health.TEMPORARY and health is not Health.UNCLEAR and incident is not None:
        code = incident.reason
    evidence = (
        *_account_codes(accounts, kind),
        *((f"status:{code}",) if code and health is not Health.HEALTHY else ()),
        *(("not_synchronised_lately",) if health is Health.QUIET else ()),
        *((f"incident:{incident.reason}",) if incident is not None else ()),
        *_description_codes(connection, kind, context, statements, levels, current=current),
        *witnesses,
    )
    return Diagnosis(
        answer=verdict.answer,
        reason=verdict.reason,
        evidence=evidence,
        next_step=verdict.next_step,
        retry_at=retry_at if temporary else None,
        cause=_cause(verdict, levels, code),
    )


def can_add_accounts(connection: Connection, now: datetime) -> Diagnosis:
    """Whether the connection has accounts of any type to add, from the connection alone.

    When every account is enabled, the bank may still have others: then the answer is `unknown`, and
    the user can look in the Powens space.
    """
    return diagnose(connection, None, now)


def can_be_given(
    entry: CatalogueEntry, kind: AccountType, *, current: bool, given_to_others: frozenset[AccountType]
) -> tuple[DiagnosisAnswer, tuple[str, ...]]:
    """Whether somebody who connects the institution may expect accounts of `kind`, and the evidence.

    There is no connection yet, so `no` is about Powens' description alone: two of its parts deny
    the type, none allows it, and too few users get it.
    """
    statements = stated(entry, kind, current=current)
    others = kind in given_to_others
    evidence = (
        *statements.codes,
        *(() if statements.codes else ("catalogue_silent",)),
        *(() if current else ("catalogue_stale",)),
        *((f"other_users:{PEERS_FLOOR}",) if others else ()),
        *(("restricted",) if entry.restricted else ()),
    )
    if others or statements.support is Support.GIVEN:
        return (DiagnosisAnswer.UNKNOWN if entry.restricted else DiagnosisAnswer.YES), evidence
    return (DiagnosisAnswer.NO if statements.support is Support.LACKING else DiagnosisAnswer.UNKNOWN), evidence


def _account_codes(accounts: _AccountCounts, kind: AccountType | None) -> tuple[str, ...]:
    if kind is None:
        return (f"unticked_accounts:{accounts.unticked}",) if accounts.unticked else ("no_unticked_account",)
    return accounts.codes or ("no_such_account",)


def _presence(connection: Connection, kind: AccountType | None, accounts: _AccountCounts) -> Presence:
    if accounts.unticked:
        return Presence.UNTICKED
    if kind is None:
        return Presence.NONE
    if accounts.refused:
        return Presence.REFUSED
    if accounts.added:
        return Presence.ADDED
    if accounts.closed or accounts.missing:
        return Presence.GONE
    return Presence.UNTYPED if any(_untyped(account) for account in connection.accounts) else Presence.NONE


def _untyped(account: Account) -> bool:
    return account.provider_type in _UNTYPED and account.type is AccountType.OTHER


def _description(
    connection: Connection, kind: AccountType | None, now: datetime, context: DiagnosisContext
) -> tuple[CatalogueEntry | None, Statements, bool]:
    """The catalogue's entry, Powens' statements about the type, and whether the catalogue is current.

    The statements are those of the catalogue and those of the connection's last read.
    """
    if kind is None:
        return None, NO_STATEMENTS, True
    catalogue = context.catalogue
    entry = catalogue.entries.get(connection.institution.id) if catalogue is not None else None
    current = catalogue is not None and not catalogue.stale(now)
    in_catalogue = stated(entry, kind, current=current)
    read_lately = now - connection.read_started_at <= STALE_AFTER
    at_last_read = described(connection.institution, kind, current=read_lately)
    catalogue_newer = catalogue is not None and catalogue.read_at >= connection.read_started_at
    newer, older = (in_catalogue, at_last_read) if catalogue_newer else (at_last_read, in_catalogue)
    if newer.named or newer.allowed:
        # An older denial no longer counts; an older permission still makes a newer denial doubtful.
        older = replace(older, denied=frozenset())
    return entry, newer | older, current


def _can_carry(source: ObservedSource, kind: AccountType | None) -> bool:
    return kind is None or kind in PAYMENT_TYPES or source.name != "openapi"


def _health(
    connection: Connection, kind: AccountType | None, now: datetime
) -> tuple[Health, str | None, datetime | None]:
    """The level, the reason code behind it, and when Powens tries again, if that is known and in the future."""
    status, reason = connection_status(connection, now)
    code = reason.code if reason is not None else None
    retry_at = connection.next_try if connection.next_try is not None and connection.next_try > now else None
    if status is ConnectionStatus.OK and kind is not None:
        sources = [s for s in connection.sources if not s.disabled and _can_carry(s, kind)]
        failing = [s.state for s in sources if s.state is not None]
        if failing and len(failing) == len(sources):
            status, code = meaning_of_state(failing[0])
    if status is ConnectionStatus.SYNCING:
        deadlines = [o.deadline_at for o in connection.operations if o.kind is OperationKind.REFRESH]
        return Health.TEMPORARY, code, min(deadlines, default=retry_at)
    if status is ConnectionStatus.OK:
        old = freshness(connection.last_success_at, now) is Freshness.STALE
        return (Health.QUIET if old else Health.HEALTHY), code, retry_at
    return _HEALTH_OF_CODE.get(code or "", _HEALTH_OF_STATUS[status]), code, retry_at


_HEALTH_OF_STATUS = {
    ConnectionStatus.ACTION_REQUIRED: Health.USER,
    ConnectionStatus.WAITING: Health.TEMPORARY,
    ConnectionStatus.FAILED: Health.UNCLEAR,
}
_HEALTH_OF_CODE = {
    "not_supported": Health.UNSUPPORTED,
    "not_synchronising": Health.STOPPED,
    "first_synchronisation_overdue": Health.OVERDUE,
}


def _carrier(connection: Connection, kind: AccountType | None, entry: CatalogueEntry | None) -> Carrier:
    mine = {source.name for source in connection.sources if not source.disabled}
    if kind is None or not connection.sources:
        return Carrier.UNKNOWN
    usable = {source.name for source in entry.sources if not source.disabled} if entry is not None else set()
    if entry is not None and usable:
        # Where every source is of the wrong family, what somebody gets all the same comes through
        # one of them.
        able = carriers(entry, kind) or usable
        return Carrier.OPEN if able & mine else Carrier.NOT_ADDED
    carrying = any(not source.disabled and _can_carry(source, kind) for source in connection.sources)
    return Carrier.OPEN if carrying else Carrier.UNKNOWN


def _precedent(
    connection: Connection, kind: AccountType | None, context: DiagnosisContext
) -> tuple[Precedent, tuple[str, ...]]:
    if kind is None:
        return Precedent.UNKNOWN, ()
    mine = _own_precedent(connection, kind, context.connections)
    others = context.catalogue is not None and kind in context.catalogue.given_to_others.get(
        connection.institution.id, frozenset()
    )
    witnesses = (
        *(("own_other_connection",) if mine else ()),
        *((f"other_users:{PEERS_FLOOR}",) if others else ()),
    )
    if witnesses:
        return Precedent.GIVEN, witnesses
    if context.catalogue is None:
        return Precedent.UNKNOWN, ()
    return Precedent.TOO_FEW, (f"fewer_other_users_than:{PEERS_FLOOR}",)


def _own_precedent(connection: Connection, kind: AccountType, others: Iterable[Connection]) -> bool:
    return any(
        other.id != connection.id
        and other.removed_at is None
        and other.institution.id == connection.institution.id
        and any(account.type is kind for account in other.accounts)
        for other in others
    )


def _description_codes(
    connection: Connection,
    kind: AccountType | None,
    context: DiagnosisContext,
    statements: Statements,
    levels: Evidence,
    *,
    current: bool,
) -> tuple[str, ...]:
    if kind is None:
        return ()
    catalogue = context.catalogue
    entry = catalogue.entries.get(connection.institution.id) if catalogue is not None else None
    to_add = levels.carrier is Carrier.NOT_ADDED and levels.support is not Support.LACKING
    return (
        *(("connection_works",) if levels.health is Health.HEALTHY and levels.presence is not Presence.ADDED else ()),
        *(("untyped_account",) if levels.presence is Presence.UNTYPED else ()),
        *(("source_not_added",) if to_add else ()),
        *statements.codes,
        *(("not_in_catalogue",) if entry is None and catalogue is not None else ()),
        *(("no_catalogue",) if catalogue is None else () if current else ("catalogue_stale",)),
        *(("restricted",) if connection.institution.restricted or (entry is not None and entry.restricted) else ()),
    )


def _cause(verdict: Verdict, levels: Evidence, code: str | None) -> str | None:
    """The code of the exact cause; `code` is that of the connection's health."""
    presence, health = levels.presence, levels.health
    match verdict.reason:
        case DiagnosisReason.NEEDS_USER_ACTION if presence is Presence.REFUSED and health is not Health.USER:
            return "account_refused"
        case DiagnosisReason.NEEDS_USER_ACTION if levels.carrier is Carrier.NOT_ADDED and health is Health.HEALTHY:
            return "source_not_added" if verdict.answer is DiagnosisAnswer.YES else "source_may_be_added"
        case DiagnosisReason.NEEDS_USER_ACTION | DiagnosisReason.TEMPORARY_PROBLEM:
            return code
        case DiagnosisReason.NOT_SHARED_AT_BANK:
            return "gone" if presence is Presence.GONE else "never_shown"
        case DiagnosisReason.UNKNOWN if health is not Health.HEALTHY:
            return "not_synchronised_lately" if health is Health.QUIET else code
        case _:
            return None
