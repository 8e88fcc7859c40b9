"""The short form of `make load`: a storm of synchronisations loses nothing and does not slow anybody's tap."""

import pytest

from tests.e2e.conftest import System
from tests.e2e.storm import MOST_RATIO, Plan, Storm

pytestmark = [pytest.mark.slow, pytest.mark.quiet]

PLAN = Plan(crowd=60, tapping=3, visitors=9, alone_seconds=10, storm_seconds=14)


def test_a_storm_loses_nothing_and_taps_keep_their_pace(system: System) -> None:
    report = Storm(system, PLAN).run()
    print("\n".join(report.lines()))

    assert report.violations == []
    assert report.webhooks >= 4 * PLAN.crowd
    # Some dozens of taps have no 99th percentile worth the name; the long form holds that too.
    slow = {what: ratio for what, ratio in report.ratios().items() if "p99" not in what and ratio > MOST_RATIO}
    assert slow == {}
