"""The benchmark measures every function, by events that go the usual way, and fails above the limits."""

import re

import pytest

from local.bench.__main__ import Samples, report
from local.bench.cases import CASES
from local.bench.peers import PEERS
from local.intrinsics import load
from local.paths import ROOT


def samples(**cold: float) -> dict[str, Samples]:
    """`cold` in milliseconds by function, 100 for whoever is not named; bare handlers take 100."""
    names = [case.name for case in CASES] + [f"bare {case.client}" for case in CASES]
    return {name: Samples([cold.get(name, 100.0)] * 3, [50.0], [1.0]) for name in names}


def test_every_function_is_measured() -> None:
    folders = {folder.parent.name for folder in (ROOT / "functions").glob("*/app.py")}
    assert {case.function for case in CASES} == folders


def test_a_function_is_measured_as_it_is_built() -> None:
    """`sam build` names the folder of a function after its logical id."""
    resources = load((ROOT / "template.yaml").read_text("utf-8"))["Resources"]
    assert {case.function: resources[case.logical_id]["Properties"]["Handler"] for case in CASES} == {
        case.function: case.handler for case in CASES
    }


@pytest.mark.parametrize(
    ("cold", "code"),
    [
        ({}, 0),
        ({"powens_webhook": 120.0, "accounts_api": 165.0, "housekeeping": 170.0}, 0),
        ({"powens_webhook": 121.0}, 1),
        ({"accounts_api": 166.0}, 1),
        ({"housekeeping": 171.0}, 1),
    ],
)
def test_a_function_above_its_limit_fails_the_run(
    cold: dict[str, float], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(samples(**cold)) == code
    printed = capsys.readouterr()
    assert all(case.name in printed.out for case in CASES)
    assert ("slower than allowed" in printed.err) is bool(code)


def test_what_others_would_take_is_measured_beside_and_has_no_limit(capsys: pytest.CaptureFixture[str]) -> None:
    measured = samples() | {PEERS[0].name: Samples([900.0] * 3, [50.0], [1.0])}
    assert report(measured) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"{PEERS[0].name} .* 9\.00 ", printed)
    assert f"{PEERS[1].name}: not measured" in printed
