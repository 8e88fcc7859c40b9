"""How the texts for people are written."""

import re
from datetime import UTC, datetime

import pytest

from shared.contracts.sentences import diagnosis_sentence
from shared.contracts.texts import CODES, text
from shared.domain.connection import AccountType
from shared.domain.diagnosis import Diagnosis, DiagnosisAnswer, DiagnosisReason
from shared.domain.status import REASONS, NextStep

BREAKS = re.compile("« | [:;?!»]")


def test_every_reason_has_a_text() -> None:
    assert set(REASONS) - CODES == set()


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
