"""How the texts of the API are written and found."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts.sentences import diagnosis_sentence, refused_refresh_sentence
from shared.contracts.texts import locale_texts, text
from shared.domain.connection import AccountType, OperationKind
from shared.domain.diagnosis import Diagnosis
from shared.domain.diagnosis_rules import DiagnosisAnswer, DiagnosisReason
from shared.domain.status import REASONS, NextStep
from tests.builders import NOW, operation

ROOT = Path(__file__).parents[2]

# Keys made at run time, by their beginning, and all their endings.
FAMILIES: dict[str, list[str]] = {
    "age.": ["days", "hours", "minutes"],
    "diagnosis.": list(DiagnosisReason),
    "month.": [str(month) for month in range(1, 13)],
    "page.webview_return": ["", ".title"],
    "type.": list(AccountType),
}


def test_every_reason_has_a_text() -> None:
    assert set(REASONS) - set(locale_texts("fr")) == set()


def test_every_text_is_for_something_that_the_product_says() -> None:
    source = "".join(path.read_text() for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py"))
    named = set(re.findall(r'"([a-z_.]+)"', source))
    made = {start + end for start, ends in FAMILIES.items() for end in ends}
    assert made <= set(locale_texts("fr"))
    sentences = re.compile(r"diagnosis\.of_type\.([a-z_]+)(?:\.([a-z_]+))?")
    for key in set(locale_texts("fr")) - made - named:
        sentence = sentences.fullmatch(key)
        if sentence:
            reason, cause = sentence.groups()
            assert reason in set(DiagnosisReason), key
            assert cause is None or cause in named, key
        else:
            assert key.removeprefix("problem.").removeprefix("field.") in named, key


def test_no_text_is_read_before_one_is_shown() -> None:
    code = (
        "import functions.accounts_api.routes; from shared.contracts.texts import locale_texts;"
        " assert locale_texts.cache_info().misses == 0"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("count", "french", "english"),
    [(0, "0 heure", "0 hours"), (1, "1 heure", "1 hour"), (2, "2 heures", "2 hours")],
)
def test_a_number_picks_the_form_of_its_language(count: int, french: str, english: str) -> None:
    assert text("age.hours", "fr", count=count) == french
    assert text("age.hours", "en", count=count) == english


def test_a_text_that_lacks_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        text("refresh_refused.age", "fr")


def test_what_is_filled_in_is_not_a_template() -> None:
    assert "is {at} old" in text("refresh_refused.age", "en", age="{at}")


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
    assert f"datent d’il y a {french}." in refused_refresh_sentence(refused, "fr")
    assert f"is {english} old." in refused_refresh_sentence(refused, "en")


def test_a_refused_refresh_of_data_that_never_came_names_no_age() -> None:
    refused = replace(operation(kind=OperationKind.REFRESH), ended_at=NOW)
    assert refused_refresh_sentence(refused, "en") == text("refresh_refused", "en")


@pytest.mark.parametrize(
    ("language", "said"),
    [("fr", "automatique\N{NO-BREAK SPACE}: le 24 novembre à 09:05"), ("en", "attempt: 24 November at 09:05")],
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
