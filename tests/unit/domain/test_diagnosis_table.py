"""docs/diagnosis.md is the truth about `decide`: complete, sound, and the same as the code for every combination."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.catalogue import Support
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
from shared.domain.status import NextStep

DOCUMENT = Path(__file__).parents[3] / "docs" / "diagnosis.md"
COLUMNS = ("held", "link", "incident", "support", "way", "seen")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables() -> list[list[list[str]]]:
    """Every table of the document, header first."""
    found = re.findall(r"(?:^\|.*\n)+", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return [[cells(line) for line in table.splitlines() if not re.match(r"^[| -]+$", line)] for table in found]


HEADER, *ROWS = tables()[0]


def shown(evidence: Evidence) -> dict[str, str]:
    return {
        "held": evidence.held,
        "link": evidence.link,
        "incident": "yes" if evidence.incident else "no",
        "support": evidence.support,
        "way": evidence.way,
        "seen": evidence.seen,
    }


def fits(row: list[str], evidence: Evidence) -> bool:
    levels = shown(evidence)
    return all(
        cell == "*" or levels[column] in [level.strip() for level in cell.split(",")]
        for column, cell in zip(COLUMNS, row, strict=False)
    )


def everything() -> Iterator[Evidence]:
    for held, link, incident, support, way, seen in itertools.product(Held, Link, (True, False), Support, Way, Seen):
        yield Evidence(held=held, link=link, incident=incident, support=support, way=way, seen=seen)


def verdict_of(row: list[str]) -> Verdict:
    answer, reason, step = row[len(COLUMNS) :]
    return Verdict(DiagnosisAnswer(answer), DiagnosisReason(reason), NextStep(step))


def test_the_document_has_the_table_with_its_columns() -> None:
    assert [*COLUMNS, "answer", "reason", "next step"] == HEADER
    assert len(ROWS) > 10


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
        "held": set(Held),
        "link": set(Link),
        "incident": {"yes"},
        "support": set(Support),
        "way": set(Way),
        "seen": set(Seen),
    }


# --- soundness -------------------------------------------------------------------------------------------------------

evidences = st.builds(
    Evidence,
    held=st.sampled_from(Held),
    link=st.sampled_from(Link),
    incident=st.booleans(),
    support=st.sampled_from(Support),
    way=st.sampled_from(Way),
    seen=st.sampled_from(Seen),
)


@given(evidences)
def test_no_is_only_said_with_every_witness_and_without_a_contradiction(evidence: Evidence) -> None:
    if decide(evidence).answer is DiagnosisAnswer.NO:
        assert evidence.support is Support.LACKING
        assert evidence.seen is Seen.NOT_SEEN
        assert evidence.held is Held.NONE
        assert evidence.link in (Link.HEALTHY, Link.UNSUPPORTED)
        assert not evidence.incident


@given(evidences)
def test_yes_is_only_said_of_what_is_there_or_known_to_come(evidence: Evidence) -> None:
    if decide(evidence).answer is DiagnosisAnswer.YES:
        there = evidence.held in (Held.UNTICKED, Held.ADDED)
        known = evidence.support is Support.GIVEN or evidence.seen is Seen.GIVEN
        assert there or (known and evidence.way is Way.NOT_ADDED and evidence.link is Link.HEALTHY)


@given(evidences)
def test_an_answer_its_reason_and_its_next_step_belong_together(evidence: Evidence) -> None:
    verdict = decide(evidence)
    assert (verdict.answer is DiagnosisAnswer.NO) == (verdict.reason is DiagnosisReason.TYPE_NOT_SUPPORTED)
    if verdict.reason is DiagnosisReason.TYPE_NOT_SUPPORTED:
        assert verdict.next_step is NextStep.ADD_MANUALLY
    if verdict.reason is DiagnosisReason.TEMPORARY_PROBLEM:
        assert verdict.next_step is NextStep.WAIT
        assert evidence.incident or evidence.link is Link.TEMPORARY
    if verdict.next_step is NextStep.RECONNECT:
        assert verdict.reason is DiagnosisReason.NEEDS_USER_ACTION


_STRENGTH = {DiagnosisAnswer.NO: 0, DiagnosisAnswer.UNKNOWN: 1, DiagnosisAnswer.YES: 2}


@given(evidences)
def test_somebody_who_gets_the_type_never_makes_the_answer_more_negative(evidence: Evidence) -> None:
    def strength(seen: Seen) -> int:
        changed = Evidence(
            held=evidence.held,
            link=evidence.link,
            incident=evidence.incident,
            support=evidence.support,
            way=evidence.way,
            seen=seen,
        )
        return _STRENGTH[decide(changed).answer]

    assert strength(Seen.GIVEN) >= strength(Seen.UNASKED) >= strength(Seen.NOT_SEEN)


@given(evidences)
def test_a_better_description_never_makes_the_answer_more_negative(evidence: Evidence) -> None:
    def strength(support: Support) -> int:
        changed = Evidence(
            held=evidence.held,
            link=evidence.link,
            incident=evidence.incident,
            support=support,
            way=evidence.way,
            seen=evidence.seen,
        )
        return _STRENGTH[decide(changed).answer]

    order = (Support.GIVEN, Support.POSSIBLE, Support.DOUBTED, Support.UNKNOWN, Support.LACKING)
    strengths = [strength(support) for support in order]
    assert strengths == sorted(strengths, reverse=True)
