"""What reading by expectation is for, on the model that `make staleness` prints: fewer calls, and newer news."""

from datetime import timedelta
from functools import cache

import pytest

from shared.domain.expectation import GRACE, LONGEST_UNREAD, SPREAD
from tests.staleness import AS_DOCUMENTED, WORLDS, Measured, Model, Powens, report

WORDS = {world.name: world for world in WORLDS}


@cache
def before(lost: float) -> Measured:
    """Everybody is read twice a day."""
    return Model(AS_DOCUMENTED, lost, by_expectation=False, users=80).run()


@cache
def now(lost: float, powens: Powens = AS_DOCUMENTED) -> Measured:
    return Model(powens, lost, users=80).run()


@pytest.mark.parametrize("lost", [0.0, 0.01, 0.1])
def test_planned_reads_cost_a_tenth_of_what_two_a_day_cost(lost: float) -> None:
    assert before(lost).calls >= 4
    assert now(lost).calls <= before(lost).calls / 10


def test_what_no_webhook_told_of_is_known_within_an_hour_or_so() -> None:
    assert now(0.1).percentile(99) <= timedelta(hours=2)
    assert now(1.0).percentile(99) <= GRACE + SPREAD + timedelta(minutes=10)
    assert now(1.0).percentile(100) <= timedelta(hours=2)
    assert before(0.1).percentile(99) >= timedelta(hours=9), "the rule of before, by the same measure"


def test_without_any_webhook_powens_is_asked_less_often_than_before() -> None:
    assert now(1.0).calls <= before(1.0).calls


@pytest.mark.parametrize(
    "name", ["two hours late each time", "dates in UTC, not in Paris'", "no next_try", "next_try far ahead"]
)
def test_what_documents_leave_open_changes_neither(name: str) -> None:
    """Late, in another zone, absent or nonsense: it is learned, or not believed."""
    measured = now(0.1, WORDS[name])
    assert measured.calls <= before(0.1).calls / 10
    assert measured.percentile(99) <= timedelta(hours=2)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_whatever_powens_is_like_it_is_asked_less_and_nothing_stays_unknown(world: Powens) -> None:
    assert now(0.01, world).calls <= before(0.01).calls
    assert now(1.0, world).percentile(100) <= LONGEST_UNREAD + timedelta(hours=2)


def test_a_bank_whose_users_are_all_due_at_once_is_read_bit_by_bit() -> None:
    herd = Model(AS_DOCUMENTED, 1.0, users=600, days=4, warm_up=2, together=True).run()
    assert herd.busiest_minute <= 600 * timedelta(minutes=3) / SPREAD


def test_the_report_has_a_line_for_each_world_and_loss() -> None:
    lines = list(report([AS_DOCUMENTED], [0.0, 0.1], users=20))
    assert len(lines) == 4
    assert all(line.startswith("as documented") for line in lines[1:3])
