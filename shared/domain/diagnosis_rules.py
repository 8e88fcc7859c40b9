"""Why an account may be missing: the decision table, from levels of evidence to one answer.

The table is in docs/diagnosis.md, and the tests hold `decide` to it, row by row and for every combination.

`no` needs all of: two statements of Powens' description that deny the type and none that allows it (`Support.LACKING`,
of a current catalogue), a connection that works and never showed such an account, and no user who gets one.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.catalogue import Support
from shared.domain.status import NextStep


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
