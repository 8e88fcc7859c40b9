"""docs/diagnosis.md is the truth about `decide`: complete, sound, and the same as the code for every combination."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.catalogue import Support
from shared.domain.diagnosis_rules import (
    RULES,
    Carrier,
    DiagnosisAnswer,
    DiagnosisReason,
    Evidence,
    Health,
    Precedent,
    Presence,
    Rule,
    Verdict,
    decide,
)
from shared.domain.status import NextStep

DOCUMENT = Path(__file__).parents[3] / "docs" / "diagnosis.md"
COLUMNS = ("presence", "health", "incident", "support", "carrier", "precedent")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables() -> list[list[list[str]]]:
    """Every table of the document, header first."""
    found = re.findall(r"(?:^\|.*\n)+", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return [[cells(line) for line in table.splitlines() if not re.match(r"^[| -]+$", line)] for table in found]


HEADER, *ROWS = tables()[0]


def shown(evidence: Evidence) -> dict[str, str]:
    return {
        "presence": evidence.presence,
        "health": evidence.health,
        "incident": "yes" if evidence.incident else "no",
        "support": evidence.support,
        "carrier": evidence.carrier,
        "precedent": evidence.precedent,
    }


def fits(row: list[str], evidence: Evidence) -> bool:
    levels = shown(evidence)
    return all(
        cell == "*" or levels[column] in [level.strip() for level in cell.split(",")]
        for column, cell in zip(COLUMNS, row, strict=False)
    )


def everything() -> Iterator[Evidence]:
    names = [field.name for field in fields(Evidence)]
    for levels in itertools.product(Presence, Health, (True, False), Support, Carrier, Precedent):
        yield Evidence(**dict(zip(names, levels, strict=True)))  # type: ignore[arg-type]


def verdict_of(row: list[str]) -> Verdict:
    answer, reason, step = row[len(COLUMNS) :]
    return Verdict(DiagnosisAnswer(answer), DiagnosisReason(reason), NextStep(step))


def test_the_document_has_the_table_with_its_columns() -> None:
    assert [*COLUMNS, "answer", "reason", "next step"] == HEADER
    assert len(ROWS) > 10


def row_of(rule: Rule) -> list[str]:
    incident = {None: "*", True: "yes", False: "no"}[rule.incident]
    levels = (rule.presence, ", ".join(rule.health), incident, rule.support, rule.carrier, rule.precedent)
    return [*(level or "*" for level in levels), rule.verdict.answer, rule.verdict.reason, rule.verdict.next_step]


def test_the_code_has_the_rows_of_the_document_in_their_order() -> None:
    assert [row_of(rule) for rule in RULES] == ROWS


def test_every_combination_of_evidence_gets_the_answer_of_the_first_row_that_fits() -> None:
    for evidence in everything():
        fitting = [row for row in ROWS if fits(row, evidence)]
        assert fitting, evidence
        assert decide(evidence) == verdict_of(fitting[0]), evidence


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_every_row_decides_something(number: int) -> None:
    assert any(
        fits(ROWS[number], evidence) and not any(fits(row, evidence) for row in ROWS[:number])
        for evidence in everything()
    )


def test_every_level_is_explained_and_none_that_does_not_exist() -> None:
    explained: dict[str, set[str]] = {}
    column = ""
    for first, level, _ in tables()[1][1:]:
        column = first or column
        explained.setdefault(column, set()).add(level)

    assert explained == {
        "presence": set(Presence),
        "health": set(Health),
        "incident": {"yes"},
        "support": set(Support),
        "carrier": set(Carrier),
        "precedent": set(Precedent),
    }


# --- soundness -------------------------------------------------------------------------------------------------------

evidences = st.builds(
    Evidence,
    presence=st.sampled_from(Presence),
    health=st.sampled_from(Health),
    incident=st.booleans(),
    support=st.sampled_from(Support),
    carrier=st.sampled_from(Carrier),
    precedent=st.sampled_from(Precedent),
)


@given(evidences)
def test_no_is_only_said_with_every_witness_and_without_a_contradiction(evidence: Evidence) -> None:
    if decide(evidence).answer is DiagnosisAnswer.NO:
        assert evidence.support is Support.LACKING
        assert evidence.precedent is Precedent.TOO_FEW
        assert evidence.presence is Presence.NONE
        assert evidence.health in (Health.HEALTHY, Health.UNSUPPORTED)
        assert not evidence.incident


@given(evidences)
def test_yes_is_only_said_of_what_is_there_or_known_to_come(evidence: Evidence) -> None:
    if decide(evidence).answer is DiagnosisAnswer.YES:
        there = evidence.presence in (Presence.UNTICKED, Presence.ADDED)
        known = evidence.support is Support.GIVEN or evidence.precedent is Precedent.GIVEN
        assert there or (known and evidence.carrier is Carrier.NOT_ADDED and evidence.health is Health.HEALTHY)


@given(evidences)
def test_an_answer_its_reason_and_its_next_step_belong_together(evidence: Evidence) -> None:
    verdict = decide(evidence)
    assert (verdict.answer is DiagnosisAnswer.NO) == (verdict.reason is DiagnosisReason.TYPE_NOT_SUPPORTED)
    if verdict.reason is DiagnosisReason.TYPE_NOT_SUPPORTED:
        assert verdict.next_step is NextStep.ADD_MANUALLY
    if verdict.reason is DiagnosisReason.TEMPORARY_PROBLEM:
        assert verdict.next_step is NextStep.WAIT
        assert evidence.incident or evidence.health is Health.TEMPORARY
    if verdict.next_step is NextStep.RECONNECT:
        assert verdict.reason is DiagnosisReason.NEEDS_USER_ACTION


_STRENGTH = {DiagnosisAnswer.NO: 0, DiagnosisAnswer.UNKNOWN: 1, DiagnosisAnswer.YES: 2}


@given(evidences)
def test_somebody_who_gets_the_type_never_makes_the_answer_more_negative(evidence: Evidence) -> None:
    def strength(precedent: Precedent) -> int:
        changed = Evidence(
            presence=evidence.presence,
            health=evidence.health,
            incident=evidence.incident,
            support=evidence.support,
            carrier=evidence.carrier,
            precedent=precedent,
        )
        return _STRENGTH[decide(changed).answer]

    assert strength(Precedent.GIVEN) >= strength(Precedent.UNKNOWN) >= strength(Precedent.TOO_FEW)


@given(evidences)
def test_a_better_description_never_makes_the_answer_more_negative(evidence: Evidence) -> None:
    def strength(support: Support) -> int:
        changed = Evidence(
            presence=evidence.presence,
            health=evidence.health,
            incident=evidence.incident,
            support=support,
            carrier=evidence.carrier,
            precedent=evidence.precedent,
        )
        return _STRENGTH[decide(changed).answer]

    order = (Support.GIVEN, Support.POSSIBLE, Support.DOUBTED, Support.UNKNOWN, Support.LACKING)
    strengths = [strength(support) for support in order]
    assert strengths == sorted(strengths, reverse=True)
