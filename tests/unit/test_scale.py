"""The model of costs and limits: what it says follows from its numbers."""

import pytest

from tests import scale
from tests.scale import (
    JOURNEYS,
    NAIVE,
    PLANNED_READ,
    TOLD_ONCE,
    TOLD_SEVEN_TIMES,
    TOLD_TWICE,
    Usage,
    dollars,
    parts,
    walls,
)


def test_what_is_paid_for_adds_up_to_the_whole() -> None:
    for usage in JOURNEYS.values():
        assert sum(parts(usage).values()) == pytest.approx(dollars(usage))


def test_a_dollar_and_a_quarter_is_what_two_million_write_units_cost() -> None:
    assert dollars(Usage(write_units=2e6)) == pytest.approx(1.25)


def test_memory_and_waits_for_powens_are_paid_for() -> None:
    alone, waiting = (dollars(Usage(invocations={"read_back": 1e6}, powens_calls=calls)) for calls in (0, 2e6))
    assert waiting - alone == pytest.approx(2e6 * 0.170 * 0.5 * 13.3334e-6)


def test_more_webhooks_cost_less_each_and_in_the_end_less_than_reading_for_each() -> None:
    each = [dollars(JOURNEYS[name]) / JOURNEYS[name].requests for name in (TOLD_ONCE, TOLD_TWICE, TOLD_SEVEN_TIMES)]
    assert each == sorted(each, reverse=True)
    assert dollars(JOURNEYS[TOLD_SEVEN_TIMES]) < dollars(NAIVE * 7)
    assert dollars(JOURNEYS[PLANNED_READ]) < dollars(JOURNEYS[TOLD_ONCE])


def test_a_limit_is_met_by_as_many_more_users_as_there_is_more_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def first() -> float:
        return next(wall.users for wall in walls() if wall.name == "ReadBackConcurrency")

    before = first()
    monkeypatch.setattr(scale, "default", lambda _: 200)
    assert first() == pytest.approx(10 * before)
    assert [wall.users for wall in walls()] == sorted(wall.users for wall in walls())


def test_a_report_names_every_limit_and_every_journey_of_a_month() -> None:
    report = "\n".join(scale.report(10_000_000))
    assert all(wall.name in report for wall in walls())
    assert all(name in report for name in scale.month())
