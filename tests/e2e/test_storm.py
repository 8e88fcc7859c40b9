"""The short form of `make load`: a storm of synchronisations loses nothing and does not slow anybody's tap."""

import pytest

from tests.e2e.conftest import System
from tests.e2e.storm import MOST_RATIO, Plan, Storm

pytestmark = [pytest.mark.slow, pytest.mark.quiet]

PLAN = Plan(crowd=100, tapping=3, alone_seconds=8, storm_seconds=16)


def test_a_storm_loses_nothing_and_taps_keep_their_pace(system: System) -> None:
    report = Storm(system, PLAN).run()
    print("\n".join(report.lines()))

    assert report.violations == []
    assert report.webhooks >= 4 * PLAN.crowd
    assert {what: ratio for what, ratio in report.ratios().items() if "p99" not in what and ratio > MOST_RATIO} == {}
