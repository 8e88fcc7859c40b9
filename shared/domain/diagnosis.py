"""Why an account may be missing. It never claims more than its evidence, which it names."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.connection import Connection
from shared.domain.status import ConnectionStatus, NextStep, connection_status


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
    """`answer`: can accounts be added to the connection? `evidence` holds codes, some with a value after a colon."""

    answer: DiagnosisAnswer
    reason: DiagnosisReason
    evidence: tuple[str, ...]
    next_step: NextStep
    retry_at: datetime | None = None


def can_add_accounts(connection: Connection, now: datetime) -> Diagnosis:
    """What can be said from what is held alone, without asking Powens.

    That every known account is enabled does not mean that the bank has no other: then the answer is `unknown`, and the
    Powens space is the place to look.
    """
    status, reason = connection_status(connection, now)
    state = (f"status:{reason.code}",) if reason is not None else ()
    unticked = sum(not account.wanted and account.closed_at is None for account in connection.accounts)
    if status is ConnectionStatus.ACTION_REQUIRED:
        return Diagnosis(
            answer=DiagnosisAnswer.UNKNOWN,
            reason=DiagnosisReason.NEEDS_USER_ACTION,
            evidence=state,
            next_step=NextStep.RECONNECT,
        )
    if unticked:
        return Diagnosis(
            answer=DiagnosisAnswer.YES,
            reason=DiagnosisReason.HIDDEN_BY_USER,
            evidence=(f"unticked_accounts:{unticked}", *state),
            next_step=NextStep.MANAGE,
        )
    if status in (ConnectionStatus.WAITING, ConnectionStatus.SYNCING):
        return Diagnosis(
            answer=DiagnosisAnswer.UNKNOWN,
            reason=DiagnosisReason.TEMPORARY_PROBLEM,
            evidence=state,
            next_step=NextStep.WAIT,
            retry_at=connection.next_try,
        )
    return Diagnosis(
        answer=DiagnosisAnswer.UNKNOWN,
        reason=DiagnosisReason.UNKNOWN,
        evidence=("no_unticked_account", *state),
        next_step=NextStep.MANAGE,
    )
