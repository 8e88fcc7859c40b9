"""How the texts for people are written."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.sentences import diagnosis_sentence, refused_refresh_sentence
from shared.contracts.texts import CODES, text
from shared.domain.connection import AccountType, OperationKind
from shared.domain.diagnosis import Diagnosis, DiagnosisAnswer, DiagnosisReason
from shared.domain.status import REASONS, NextStep
from tests.builders import NOW, operation

BREAKS = re.compile("« | [:;?!»]")


def test_every_reason_has_a_text() -> None:
    assert set(REASONS) - CODES == set()


@pytest.mark.parametrize(
    ("age", "french", "english"),
    [
        (timedelta(minutes=31, seconds=59), "31 minutes", "31 minutes"),
        (timedelta(minutes=60), "1 heure", "1 hour"),
        (timedelta(hours=8), "8 heures", "8 hours"),
        (timedelta(hours=47, minutes=59), "47 heures", "47 hours"),
        (timedelta(hours=48), "2 jours", "2 days"),
        (timedelta(days=90), "90 jours", "90 days"),
    ],
)
def test_a_refused_refresh_names_the_age_of_the_data(age: timedelta, french: str, english: str) -> None:
    refused = replace(operation(kind=OperationKind.REFRESH), ended_at=NOW, last_success_at=NOW - age)
    assert f"datent d'il y a {french}." in refused_refresh_sentence(refused, "fr")
    assert f"is {english} old." in refused_refresh_sentence(refused, "en")


def test_a_refused_refresh_of_data_that_never_came_names_no_age() -> None:
    refused = replace(operation(kind=OperationKind.REFRESH), ended_at=NOW)
    assert refused_refresh_sentence(refused, "en") == text("refresh_refused", "en")


def test_no_sign_of_a_french_text_can_begin_a_line() -> None:
    assert [code for code in CODES if BREAKS.search(text(code, "fr"))] == []


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "automatique\N{NO-BREAK SPACE}: le 24 novembre à 09:05"), ("en", "automatic: 24 November at 09:05")],
)
def test_a_time_in_a_sentence_stays_with_what_announces_it(language: str, said: str) -> None:
    diagnosis = Diagnosis(
        answer=DiagnosisAnswer.UNKNOWN,
        reason=DiagnosisReason.TEMPORARY_PROBLEM,
        evidence=(),
        next_step=NextStep.WAIT,
        retry_at=datetime(2025, 11, 24, 8, 5, tzinfo=UTC),
        cause="bank_unavailable",
    )
    sentence = diagnosis_sentence(
        diagnosis, institution="Revolut", kind=AccountType.SAVINGS, language="fr" if language == "fr" else "en"
    )
    assert said in sentence
    assert not BREAKS.search(sentence)
