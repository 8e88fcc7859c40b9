"""Why an account may be missing: the decision table, from levels of evidence to a verdict.

The same table is in docs/diagnosis.md; the tests compare the two row by row and for every
combination of levels.

`no` needs all of: two statements of Powens' description that deny the type and none that allows it
(`Support.LACKING`, of a current catalogue), a connection that works and never showed such an
account, and no user who gets one.
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


class Presence(StrEnum):
    """Which accounts of the type the connection has; the first level that fits."""

    UNTICKED = "unticked"
    """An account that nobody wants."""
    REFUSED = "refused"
    """An account that is wanted and that Powens could not enable."""
    ADDED = "added"
    GONE = "gone"
    """An account that the bank, or the last read, no longer shows."""
    UNTYPED = "untyped"
    """Only an account of a type that Powens does not know: it may be the one."""
    NONE = "none"


class Health(StrEnum):
    """How the connection is doing, and the source that would carry the type."""

    HEALTHY = "healthy"
    QUIET = "quiet"
    """It shows no problem and has not been synchronised for days."""
    USER = "user"
    """The user must authenticate, consent or act at the bank."""
    STOPPED = "stopped"
    """Powens no longer synchronises it."""
    TEMPORARY = "temporary"
    """A problem that passes: Powens tries again by itself."""
    OVERDUE = "overdue"
    """It has never been synchronised, and the time for that is over."""
    UNSUPPORTED = "unsupported"
    """Powens says that it does not support this access."""
    UNCLEAR = "unclear"
    """A state that Powens' documentation does not have."""


class Carrier(StrEnum):
    """Whether the connection has a source that can carry the type."""

    OPEN = "open"
    NOT_ADDED = "not_added"
    """The institution has one, and the user has not added it."""
    UNKNOWN = "unknown"


class Precedent(StrEnum):
    """Whether anybody gets the type at this institution."""

    GIVEN = "given"
    """Enough other users, or this user through another connection."""
    TOO_FEW = "too_few"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One level of each kind. `incident`: many users of the institution fail now."""

    presence: Presence
    health: Health
    incident: bool
    support: Support
    carrier: Carrier
    precedent: Precedent


@dataclass(frozen=True, slots=True)
class Verdict:
    answer: DiagnosisAnswer
    reason: DiagnosisReason
    next_step: NextStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the table: the levels that fit, None or empty for any, and the verdict."""

    presence: Presence | None = None
    health: tuple[Health, ...] = ()
    incident: bool | None = None
    support: Support | None = None
    carrier: Carrier | None = None
    precedent: Precedent | None = None
    verdict: Verdict

    def fits(self, evidence: Evidence) -> bool:
        return (
            self.presence in (None, evidence.presence)
            and (not self.health or evidence.health in self.health)
            and self.incident in (None, evidence.incident)
            and self.support in (None, evidence.support)
            and self.carrier in (None, evidence.carrier)
            and self.precedent in (None, evidence.precedent)
        )


_HIDDEN = Verdict(DiagnosisAnswer.YES, DiagnosisReason.HIDDEN_BY_USER, NextStep.MANAGE)
_ADDED = Verdict(DiagnosisAnswer.YES, DiagnosisReason.ALREADY_ADDED, NextStep.NONE)
_SOURCE_TO_ADD = Verdict(DiagnosisAnswer.YES, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
_NOT_SUPPORTED = Verdict(DiagnosisAnswer.NO, DiagnosisReason.TYPE_NOT_SUPPORTED, NextStep.ADD_MANUALLY)
_RECONNECT = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.RECONNECT)
_MANAGE = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.NEEDS_USER_ACTION, NextStep.MANAGE)
_WAIT = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.TEMPORARY_PROBLEM, NextStep.WAIT)
_UNCLEAR = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.WAIT)
_NOT_SHARED = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.NOT_SHARED_AT_BANK, NextStep.MANAGE)
_ADD_MANUALLY = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.ADD_MANUALLY)
_NO_REASON = Verdict(DiagnosisAnswer.UNKNOWN, DiagnosisReason.UNKNOWN, NextStep.MANAGE)

_HEALTHY = (Health.HEALTHY,)
_WORKS_OR_UNSUPPORTED = (Health.HEALTHY, Health.UNSUPPORTED)
_NONE = Presence.NONE
_TO_ADD = Carrier.NOT_ADDED

RULES = (
    # Until the user has acted at the bank, ticking an account brings nothing.
    Rule(health=(Health.USER,), verdict=_RECONNECT),
    Rule(presence=Presence.UNTICKED, verdict=_HIDDEN),
    Rule(presence=Presence.REFUSED, verdict=_MANAGE),
    Rule(presence=Presence.ADDED, verdict=_ADDED),
    Rule(health=(Health.STOPPED,), verdict=_MANAGE),
    Rule(health=(Health.TEMPORARY,), verdict=_WAIT),
    Rule(incident=True, verdict=_WAIT),
    Rule(health=(Health.UNCLEAR,), verdict=_UNCLEAR),
    Rule(presence=Presence.GONE, health=_HEALTHY, verdict=_NOT_SHARED),
    Rule(
        presence=_NONE,
        health=_WORKS_OR_UNSUPPORTED,
        support=Support.LACKING,
        precedent=Precedent.TOO_FEW,
        verdict=_NOT_SUPPORTED,
    ),
    Rule(health=(Health.UNSUPPORTED,), verdict=_ADD_MANUALLY),
    Rule(presence=_NONE, health=_HEALTHY, support=Support.GIVEN, carrier=_TO_ADD, verdict=_SOURCE_TO_ADD),
    Rule(presence=_NONE, health=_HEALTHY, carrier=_TO_ADD, precedent=Precedent.GIVEN, verdict=_SOURCE_TO_ADD),
    Rule(presence=_NONE, health=_HEALTHY, support=Support.POSSIBLE, carrier=_TO_ADD, verdict=_MANAGE),
    Rule(presence=_NONE, health=_HEALTHY, support=Support.GIVEN, carrier=Carrier.OPEN, verdict=_NOT_SHARED),
    Rule(presence=_NONE, health=_HEALTHY, carrier=Carrier.OPEN, precedent=Precedent.GIVEN, verdict=_NOT_SHARED),
    Rule(verdict=_NO_REASON),
)


def decide(evidence: Evidence) -> Verdict:
    """The verdict of the first rule that fits."""
    return next(rule.verdict for rule in RULES if rule.fits(evidence))
