"""What needs more than one text: a diagnosis, and the age of data."""

from datetime import datetime, timedelta

from shared.contracts.texts import Language, locale_texts, text
from shared.domain.connection import AccountType, Operation
from shared.domain.diagnosis import Diagnosis
from shared.domain.diagnosis_rules import DiagnosisReason
from shared.domain.status import REASONS


def diagnosis_sentence(diagnosis: Diagnosis, *, institution: str, kind: AccountType | None, language: Language) -> str:
    """What to tell the user; for `kind` None, about accounts in general."""
    reason, cause = diagnosis.reason, diagnosis.cause
    if kind is None:
        return text(f"diagnosis.{reason.value}", language)
    by_reason = f"diagnosis.of_type.{reason.value}"
    by_cause = f"{by_reason}.{cause}"
    sentence = text(
        by_cause if by_cause in locale_texts(language) else by_reason,
        language,
        institution=institution or text("diagnosis.institution", language),
        type=text(f"type.{kind.value}", language),
        because=text(cause, language) if cause in REASONS else "",
        retry=_retry(diagnosis.retry_at, language) if reason is DiagnosisReason.TEMPORARY_PROBLEM else "",
    )
    return sentence.strip()


def refused_refresh_sentence(operation: Operation, language: Language) -> str:
    """What to tell about a refresh that Powens declined, with the age of the data there is, when it is known."""
    if operation.last_success_at is None or operation.ended_at is None:
        return text("refresh_refused", language)
    age = _age(operation.ended_at - operation.last_success_at, language)
    return text("refresh_refused.age", language, age=age)


def _age(age: timedelta, language: Language) -> str:
    """Rounded down: 31 minutes, 1 hour, 25 hours, 2 days."""
    unit, name = timedelta(minutes=1), "minutes"
    if age >= timedelta(days=2):
        unit, name = timedelta(days=1), "days"
    elif age >= timedelta(hours=1):
        unit, name = timedelta(hours=1), "hours"
    return text(f"age.{name}", language, count=age // unit)


def _retry(at: datetime | None, language: Language) -> str:
    if at is None:
        return text("diagnosis.retry", language)
    return text("diagnosis.retry.at", language, at=_moment(at, language))


def _moment(at: datetime, language: Language) -> str:
    """In the wall time of France, where the banks are; `retry_at` beside it is exact."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - a cold start that tells no time need not read the zones

    here = at.astimezone(ZoneInfo("Europe/Paris"))
    return text(
        "moment",
        language,
        day=text("moment.first_day", language) if here.day == 1 else here.day,
        month=text(f"month.{here.month}", language),
        time=f"{here:%H:%M}",
    )
