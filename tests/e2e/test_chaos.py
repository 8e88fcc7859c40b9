"""The short form of `make chaos`: nothing is lost, doubled or revived while everything around it breaks."""

import pytest

from tests.e2e.chaos import Chaos, Plan
from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

PLAN = Plan(seed=20260305, seconds=12, people=3, quiet_seconds=75, visibility=5, every=0.4)


def test_every_promise_holds_after_the_chaos(system: System) -> None:
    report = Chaos(system, PLAN).run()
    print("\n".join(report.lines()))

    # Among them that the run met every kind of trouble: else it would prove nothing.
    assert report.violations == []
    assert report.events.once
