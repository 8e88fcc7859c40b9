"""The Swift client has what the journey of docs/clients calls. No compiler of Swift can be had, so no more is known."""

import re
from pathlib import Path

import pytest

from tests.clients.packages import ROOT

pytestmark = pytest.mark.slow

JOURNEY = (ROOT / "docs/clients/Journey.swift").read_text("utf-8")
CALLS = re.findall(r"(\w+API)\.(\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", JOURNEY)
READ = {
    "AccountView": ("enabled", "id", "name"),
    "ConnectionList": ("connections",),
    "ConnectionView": ("accounts", "id"),
    "OperationView": ("endedAt", "id", "status"),
    "PreviewView": ("deletedAtPowens", "entityTag"),
    "Problem": ("code", "detail", "requestId"),
}
"""The members of each model that the journey reads."""


@pytest.mark.parametrize(("group", "function", "given"), CALLS)
def test_each_call_of_the_journey_is_one_that_the_client_has(
    generated: Path, group: str, function: str, given: str
) -> None:
    source = (generated / f"swift/Sources/SyncedAccounts/APIs/{group}.swift").read_text("utf-8")
    [declared] = re.findall(rf"func {function}\((.*)\) (?:async|->)", source)
    labels = re.findall(r"(\w+): [^,]+", declared)
    needed = [label for label, default in re.findall(r"(\w+): ([^,]+)", declared) if "=" not in default]
    used = re.findall(r"(?:^|,)\s*(\w+):", given)
    assert len(used) > 0
    assert used == [label for label in labels if label in used], "in the order of the declaration"
    assert set(needed) <= set(used)


def test_the_journey_makes_all_of_its_calls() -> None:
    assert [function for _, function, _ in CALLS] == [
        "listConnections",
        "previewSelection",
        "selectAccounts",
        "undoOperation",
        "getOperationWithRequestBuilder",
    ]


@pytest.mark.parametrize(("model", "members"), READ.items())
def test_each_member_that_the_journey_reads_is_one_of_the_model(
    generated: Path, model: str, members: tuple[str, ...]
) -> None:
    source = (generated / f"swift/Sources/SyncedAccounts/Models/{model}.swift").read_text("utf-8")
    for member in members:
        assert re.search(rf"\b{member}\b", JOURNEY)
        assert f"    public var {member}: " in source


def test_what_a_choice_answers_is_an_operation_and_what_its_preview_does_is_not(generated: Path) -> None:
    source = (generated / "swift/Sources/SyncedAccounts/APIs/ConnectionsAPI.swift").read_text("utf-8")
    answers = dict(re.findall(r"func (\w+)\(.*\) async throws\(ErrorResponse\) -> (\w+)", source))
    assert (answers["selectAccounts"], answers["previewSelection"]) == ("OperationView", "PreviewView")
