"""The short form of `make chaos`: nothing is lost, doubled or revived while everything around it breaks."""

import pytest

from tests.e2e.chaos import FAULTS, VICTIMS, Chaos, Plan, name_of
from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

PLAN = Plan(seed=20260305, seconds=12, people=3, quiet_seconds=75, visibility=5, every=0.4)


def test_every_promise_holds_after_the_chaos(system: System) -> None:
    report = Chaos(system, PLAN).run()
    print("\n".join(report.lines()))

    assert report.violations == []
    assert report.events.expected
    # A run that met no trouble would prove nothing.
    struck = report.tally.of("fault ")
    assert {name_of(f) for f in FAULTS if f["target"] != "webview"} <= struck.keys()
    assert report.tally.of("killed Function ").keys() == set(VICTIMS)
    assert report.tally["killed at work"] >= len(VICTIMS)
