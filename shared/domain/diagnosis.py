"""Why an account may be missing: from evidence to one answer, which never claims more than its evidence.

Two steps. `diagnose` reduces what is known to a few levels (`Evidence`), `decide` maps levels to a verdict. The table
of decisions is in docs/diagnosis.md, and the tests hold `decide` to it, row by row and for every combination.

`no` needs all of: two statements of Powens' description that deny the type and none that allows it (`Support.LACKING`,
of a current catalogue), a connection that works and never showed such an account, and no user who gets one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

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


class DiagnosisAnswer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class DiagnosisReason(StrEnum):
    TYPE_NOT_SUPPORTED = "type_not_supported"
    TEMPORARY_PROBLEM = "temporary_problem"
    NEEDS_USER_ACTION = "needs_user_action"
    HIDDEN_BY_USER = "hidden_by_user"
    ALREADY_ADDED = "already_added"
    NOT_SHARED_AT_BANK = "not_shared_at_bank"
    UNKNOWN = "unknown"


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


# --- levels of evidence ----------------------------------------------------------------------------------------------


class Held(StrEnum):
    """What the connection holds of the type; the first that fits."""

    UNTICKED = "unticked"
    """An account that nobody wants."""
    REFUSED = "refused"
    """An account that is wanted and could not be enabled."""
    ADDED = "added"
    GONE = "gone"
    """An account that the bank, or the last read, no longer shows."""
    UNTYPED = "untyped"
    """Only an account of a type that Powens does not know, which may be one."""
    NONE = "none"


class Link(StrEnum):
    """How the connection, and the source that would carry the type, is doing."""

    HEALTHY = "healthy"
    QUIET = "quiet"
    """It looks well and has not been synchronised for days."""
    USER = "user"
    """The user must authenticate, consent or act at the bank."""
    STOPPED = "stopped"
    """It is no longer synchronised."""
    TEMPORARY = "temporary"
    """Something that passes: it is tried again without anybody."""
    OVERDUE = "overdue"
    """It has never been synchronised, though there was time enough."""
    UNSUPPORTED = "unsupported"
    """Powens says that it does not support this access."""
    UNCLEAR = "unclear"
    """A state that nobody knows."""


class Way(StrEnum):
    """Whether the connection has a source that can carry the type."""

    OPEN = "open"
    NOT_ADDED = "not_added"
    """The institution has one, and the user has not added it."""
    UNKNOWN = "unknown"


class Seen(StrEnum):
    """Whether anybody gets the type at this institution."""

    GIVEN = "given"
    """Enough other users, or this user through another connection."""
    NOT_SEEN = "not_seen"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    held: Held
    link: Link
    incident: bool
    support: Support
    way: Way
    seen: Seen


@dataclass(frozen=True, slots=True)
class Verdict:
    answer: DiagnosisAnswer
    reason: DiagnosisReason
    next_step: NextStep


_YES, _NO, _UNKNOWN = DiagnosisAnswer.YES, DiagnosisAnswer.NO, DiagnosisAnswer.UNKNOWN


def decide(evidence: Evidence) -> Verdict:
    """The decision table of docs/diagnosis.md: the first row that fits decides."""
    held, link, support, way, seen = evidence.held, evidence.link, evidence.support, evidence.way, evidence.seen
    # Until the user has acted, nothing that is ticked brings anything.
    if link is Link.USER:
        return Verdict(_UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.RECONNECT)
    if held is Held.UNTICKED:
        return Verdict(_YES, DiagnosisReason.HIDDEN_BY_USER, NextStep.MANAGE)
    if held is Held.REFUSED:
        return Verdict(_UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
    if held is Held.ADDED:
        return Verdict(_YES, DiagnosisReason.ALREADY_ADDED, NextStep.NONE)
    if link is Link.STOPPED:
        return Verdict(_UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
    if link is Link.TEMPORARY or evidence.incident:
        return Verdict(_UNKNOWN, DiagnosisReason.TEMPORARY_PROBLEM, NextStep.WAIT)
    if link is Link.UNCLEAR:
        return Verdict(_UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.WAIT)
    if link is Link.HEALTHY and held is Held.GONE:
        return Verdict(_UNKNOWN, DiagnosisReason.NOT_SHARED_AT_BANK, NextStep.MANAGE)
    denied = support is Support.LACKING and seen is Seen.NOT_SEEN and held is Held.NONE
    if denied and link in (Link.HEALTHY, Link.UNSUPPORTED):
        return Verdict(_NO, DiagnosisReason.TYPE_NOT_SUPPORTED, NextStep.ADD_MANUALLY)
    if link is Link.UNSUPPORTED:
        return Verdict(_UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.ADD_MANUALLY)
    given = support is Support.GIVEN or seen is Seen.GIVEN
    if link is Link.HEALTHY and held is Held.NONE:
        if way is Way.NOT_ADDED and given:
            return Verdict(_YES, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
        if way is Way.NOT_ADDED and support is Support.POSSIBLE:
            return Verdict(_UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
        if way is Way.OPEN and given:
            return Verdict(_UNKNOWN, DiagnosisReason.NOT_SHARED_AT_BANK, NextStep.MANAGE)
    return Verdict(_UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.MANAGE)


# --- from what is known to levels ------------------------------------------------------------------------------------

PEERS_FLOOR = 5
"""So many different users must get a type before that says anything: fewer could be recognised, or be mistaken."""

_UNTYPED = frozenset({"unknown"})


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
        return (_UNKNOWN if entry.restricted else _YES), evidence
    return (_NO if said.support is Support.LACKING else _UNKNOWN), evidence


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
            return "source_not_added" if verdict.answer is _YES else "source_may_be_added"
        case DiagnosisReason.NEEDS_USER_ACTION | DiagnosisReason.TEMPORARY_PROBLEM:
            return code
        case DiagnosisReason.NOT_SHARED_AT_BANK:
            return "gone" if held is Held.GONE else "never_shown"
        case DiagnosisReason.UNKNOWN if link is not Link.HEALTHY:
            return "not_synchronised_lately" if link is Link.QUIET else code
        case _:
            return None
