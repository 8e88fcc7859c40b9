"""Why an account may be missing: from what is known to levels of evidence, and to one answer with its evidence.

An answer never claims more than its evidence. `diagnose` reduces what is known to a few levels, which
`diagnosis_rules.decide` maps to a verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.catalogue import (
    NOTHING_SAID,
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
    DiagnosisAnswer,
    DiagnosisReason,
    Evidence,
    Held,
    Link,
    Seen,
    Verdict,
    Way,
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
"""So many different users must get a type before that says anything: fewer could be recognised, or be mistaken."""

_UNTYPED = frozenset({"unknown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`answer`: can an account of the type be synchronised through this connection?

    `evidence` holds codes, some with a value after a colon. `cause`: the code of what exactly stands in the way, for
    its sentence; None when the reason says it all.
    """

    answer: DiagnosisAnswer
    reason: DiagnosisReason
    evidence: tuple[str, ...]
    next_step: NextStep
    retry_at: datetime | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the connection. `catalogue` None: not at hand, so neither is what others get.

    `connections` are the same user's others; `incidents` those that are open.
    """

    catalogue: Catalogue | None = None
    connections: tuple[Connection, ...] = ()
    incidents: tuple[Incident, ...] = ()


NOTHING_ELSE = Known()


@dataclass(frozen=True, slots=True)
class _Of:
    """The accounts of one type in a connection; of all types when `kind` is None."""

    unticked: int
    refused: int
    added: int
    closed: int
    missing: int

    @classmethod
    def connection(cls, connection: Connection, kind: AccountType | None) -> "_Of":
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


def diagnose(connection: Connection, kind: AccountType | None, now: datetime, known: Known = NOTHING_ELSE) -> Diagnosis:
    """Why an account of `kind` is missing in `connection`; for `kind` None, whether it has accounts to add at all."""
    accounts = _Of.connection(connection, kind)
    entry, said, current = _said(connection, kind, now, known)
    link, code, retry_at = _link(connection, kind, now)
    incident = next((i for i in known.incidents if i.institution_id == connection.institution.id), None)
    seen, witnesses = _seen(connection, kind, known)
    way = _way(connection, kind, entry)
    held = _held(connection, kind, accounts)
    verdict = decide(
        Evidence(held=held, link=link, incident=incident is not None, support=said.support, way=way, seen=seen)
    )
    temporary = verdict.next_step is NextStep.WAIT
    if temporary and link is not Link.TEMPORARY and link is not Link.UNCLEAR and incident is not None:
        code = incident.reason
    evidence = (
        *_holdings(accounts, kind),
        *((f"status:{code}",) if code and link is not Link.HEALTHY else ()),
        *(("not_synchronised_lately",) if link is Link.QUIET else ()),
        *((f"incident:{incident.reason}",) if incident is not None else ()),
        *_details(connection, kind, known, said, current=current, way=way, held=held, link=link),
        *witnesses,
    )
    return Diagnosis(
        answer=verdict.answer,
        reason=verdict.reason,
        evidence=evidence,
        next_step=verdict.next_step,
        retry_at=retry_at if temporary else None,
        cause=_cause(verdict, held, link, way, code),
    )


def can_add_accounts(connection: Connection, now: datetime) -> Diagnosis:
    """What can be said from what is held alone, about accounts of any type.

    That every known account is enabled does not mean that the bank has no other: then the answer is `unknown`, and the
    Powens space is the place to look.
    """
    return diagnose(connection, None, now)


def can_be_given(
    entry: CatalogueEntry, kind: AccountType, *, current: bool, given_to_others: frozenset[AccountType]
) -> tuple[DiagnosisAnswer, tuple[str, ...]]:
    """Whether somebody who connects the institution may expect accounts of `kind`, and the evidence.

    Without a connection that was seen to work, `no` stays a statement about Powens' description alone: two of its parts
    must deny the type, none allow it, and no user may be known who gets it.
    """
    said = stated(entry, kind, current=current)
    others = kind in given_to_others
    evidence = (
        *said.codes,
        *(() if said.codes else ("catalogue_silent",)),
        *(() if current else ("catalogue_stale",)),
        *((f"other_users:{PEERS_FLOOR}",) if others else ()),
        *(("restricted",) if entry.restricted else ()),
    )
    if others or said.support is Support.GIVEN:
        return (DiagnosisAnswer.UNKNOWN if entry.restricted else DiagnosisAnswer.YES), evidence
    return (DiagnosisAnswer.NO if said.support is Support.LACKING else DiagnosisAnswer.UNKNOWN), evidence


def _holdings(accounts: _Of, kind: AccountType | None) -> tuple[str, ...]:
    if kind is None:
        return (f"unticked_accounts:{accounts.unticked}",) if accounts.unticked else ("no_unticked_account",)
    return accounts.codes or ("no_such_account",)


def _held(connection: Connection, kind: AccountType | None, accounts: _Of) -> Held:
    if accounts.unticked:
        return Held.UNTICKED
    if kind is None:
        return Held.NONE
    if accounts.refused:
        return Held.REFUSED
    if accounts.added:
        return Held.ADDED
    if accounts.closed or accounts.missing:
        return Held.GONE
    return Held.UNTYPED if any(_untyped(account) for account in connection.accounts) else Held.NONE


def _untyped(account: Account) -> bool:
    return account.provider_type in _UNTYPED and account.type is AccountType.OTHER


def _said(
    connection: Connection, kind: AccountType | None, now: datetime, known: Known
) -> tuple[CatalogueEntry | None, Statements, bool]:
    """What Powens said of the institution: in the catalogue, and when the connection was last read."""
    if kind is None:
        return None, NOTHING_SAID, True
    catalogue = known.catalogue
    entry = catalogue.entries.get(connection.institution.id) if catalogue is not None else None
    current = catalogue is not None and not catalogue.stale(now)
    read_lately = now - connection.read_started_at <= STALE_AFTER
    listed = stated(entry, kind, current=current)
    read = described(connection.institution, kind, current=read_lately)
    listed_last = catalogue is not None and catalogue.read_at >= connection.read_started_at
    newer, older = (listed, read) if listed_last else (read, listed)
    if newer.named or newer.allowed:
        # What has been allowed since then is no longer denied; what was allowed then still makes a denial doubtful.
        older = replace(older, denied=frozenset())
    return entry, newer | older, current


def _carry(source: ObservedSource, kind: AccountType | None) -> bool:
    return kind is None or kind in PAYMENT_TYPES or source.name != "openapi"


def _link(connection: Connection, kind: AccountType | None, now: datetime) -> tuple[Link, str | None, datetime | None]:
    """The level, the code of the status behind it, and when it is tried again, if that is to come and known."""
    status, reason = connection_status(connection, now)
    code = reason.code if reason is not None else None
    retry_at = connection.next_try if connection.next_try is not None and connection.next_try > now else None
    if status is ConnectionStatus.OK and kind is not None:
        ways = [s for s in connection.sources if not s.disabled and _carry(s, kind)]
        failing = [s.state for s in ways if s.state is not None]
        if failing and len(failing) == len(ways):
            status, code = meaning_of_state(failing[0])
    if status is ConnectionStatus.SYNCING:
        deadlines = [o.deadline_at for o in connection.operations if o.kind is OperationKind.REFRESH]
        return Link.TEMPORARY, code, min(deadlines, default=retry_at)
    if status is ConnectionStatus.OK:
        old = freshness(connection.last_success_at, now) is Freshness.STALE
        return (Link.QUIET if old else Link.HEALTHY), code, retry_at
    return _LINKS.get(code or "", _LINK_OF[status]), code, retry_at


_LINK_OF = {
    ConnectionStatus.ACTION_REQUIRED: Link.USER,
    ConnectionStatus.WAITING: Link.TEMPORARY,
    ConnectionStatus.FAILED: Link.UNCLEAR,
}
_LINKS = {
    "not_supported": Link.UNSUPPORTED,
    "not_synchronising": Link.STOPPED,
    "first_synchronisation_overdue": Link.OVERDUE,
}


def _way(connection: Connection, kind: AccountType | None, entry: CatalogueEntry | None) -> Way:
    mine = {source.name for source in connection.sources if not source.disabled}
    if kind is None or not connection.sources:
        return Way.UNKNOWN
    usable = {source.name for source in entry.sources if not source.disabled} if entry is not None else set()
    if entry is not None and usable:
        # Where every source is of the wrong family, what somebody gets all the same comes through one of them.
        able = carriers(entry, kind) or usable
        return Way.OPEN if able & mine else Way.NOT_ADDED
    carrying = any(not source.disabled and _carry(source, kind) for source in connection.sources)
    return Way.OPEN if carrying else Way.UNKNOWN


def _seen(connection: Connection, kind: AccountType | None, known: Known) -> tuple[Seen, tuple[str, ...]]:
    if kind is None:
        return Seen.UNASKED, ()
    mine = _elsewhere(connection, kind, known.connections)
    others = known.catalogue is not None and kind in known.catalogue.given_to_others.get(
        connection.institution.id, frozenset()
    )
    witnesses = (
        *(("own_other_connection",) if mine else ()),
        *((f"other_users:{PEERS_FLOOR}",) if others else ()),
    )
    if witnesses:
        return Seen.GIVEN, witnesses
    if known.catalogue is None:
        return Seen.UNASKED, ()
    return Seen.NOT_SEEN, (f"fewer_other_users_than:{PEERS_FLOOR}",)


def _elsewhere(connection: Connection, kind: AccountType, others: Iterable[Connection]) -> bool:
    return any(
        other.id != connection.id
        and other.removed_at is None
        and other.institution.id == connection.institution.id
        and any(account.type is kind for account in other.accounts)
        for other in others
    )


def _details(
    connection: Connection,
    kind: AccountType | None,
    known: Known,
    said: Statements,
    *,
    current: bool,
    way: Way,
    held: Held,
    link: Link,
) -> tuple[str, ...]:
    if kind is None:
        return ()
    catalogue = known.catalogue
    entry = catalogue.entries.get(connection.institution.id) if catalogue is not None else None
    return (
        *(("connection_works",) if link is Link.HEALTHY and held is not Held.ADDED else ()),
        *(("untyped_account",) if held is Held.UNTYPED else ()),
        *(("source_not_added",) if way is Way.NOT_ADDED and said.support is not Support.LACKING else ()),
        *said.codes,
        *(("not_in_catalogue",) if entry is None and catalogue is not None else ()),
        *(("no_catalogue",) if catalogue is None else () if current else ("catalogue_stale",)),
        *(("restricted",) if connection.institution.restricted or (entry is not None and entry.restricted) else ()),
    )


def _cause(verdict: Verdict, held: Held, link: Link, way: Way, code: str | None) -> str | None:
    match verdict.reason:
        case DiagnosisReason.NEEDS_USER_ACTION if held is Held.REFUSED and link is not Link.USER:
            return "account_refused"
        case DiagnosisReason.NEEDS_USER_ACTION if way is Way.NOT_ADDED and link is Link.HEALTHY:
            return "source_not_added" if verdict.answer is DiagnosisAnswer.YES else "source_may_be_added"
        case DiagnosisReason.NEEDS_USER_ACTION | DiagnosisReason.TEMPORARY_PROBLEM:
            return code
        case DiagnosisReason.NOT_SHARED_AT_BANK:
            return "gone" if held is Held.GONE else "never_shown"
        case DiagnosisReason.UNKNOWN if link is not Link.HEALTHY:
            return "not_synchronised_lately" if link is Link.QUIET else code
        case _:
            return None
