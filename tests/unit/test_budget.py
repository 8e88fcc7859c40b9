"""What all workers together may ask of Powens: the bounds, whatever order the work comes in."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.application.budget import LONGEST_PAUSE, USUAL_PAUSE, Budget
from shared.domain.errors import PowensBusy
from tests.builders import NOW, FixedClock
from tests.worlds.memory.sessions import InMemoryBudget


def admitted(budget: Budget, calls: int, *, sweep: bool) -> bool:
    try:
        budget.admit(calls, sweep=sweep)
    except PowensBusy:
        return False
    return True


work = st.tuples(st.booleans(), st.integers(1, 8), st.integers(0, 20))


@settings(derandomize=True, database=None, deadline=None)
@given(limit=st.integers(2, 40), pieces=st.lists(work, max_size=80))
def test_no_minute_has_more_than_the_limit_and_sweeps_never_keep_a_tap_from_its_half(
    limit: int, pieces: list[tuple[bool, int, int]]
) -> None:
    clock, store = FixedClock(), InMemoryBudget()
    budget = Budget(store, clock, limit)
    by_taps: Counter[datetime] = Counter()
    by_sweeps: Counter[datetime] = Counter()
    for sweep, calls, seconds in pieces:
        clock.advance(seconds=seconds)
        minute = clock.now.replace(second=0, microsecond=0)
        through = admitted(budget, calls, sweep=sweep)
        if sweep:
            by_sweeps[minute] += min(calls, limit // 2) if through else 0
        else:
            reserve = limit - limit // 2
            assert through or by_taps[minute] + calls > reserve, "a tap waited though taps had not used their half"
            by_taps[minute] += min(calls, limit) if through else 0
    assert all(by_taps[minute] + by_sweeps[minute] <= limit for minute in store.minutes)
    assert all(used <= limit // 2 for used in by_sweeps.values())


def test_work_that_is_larger_than_the_share_of_a_minute_begins_in_an_unused_one() -> None:
    clock = FixedClock(NOW)
    budget = Budget(InMemoryBudget(), clock, 4)
    assert admitted(budget, 9, sweep=False)
    assert not admitted(budget, 1, sweep=False)
    clock.advance(minutes=1)
    assert admitted(budget, 9, sweep=True)
    assert not admitted(budget, 1, sweep=True)


def test_who_is_refused_is_told_to_come_back_when_the_next_minute_begins() -> None:
    clock = FixedClock(NOW + timedelta(seconds=17.5))
    budget = Budget(InMemoryBudget(), clock, 2)
    budget.admit(2, sweep=False)
    with pytest.raises(PowensBusy) as busy:
        budget.admit(1, sweep=False)
    assert busy.value.retry_after == 43


@pytest.mark.parametrize("limit", [0, 100])
def test_one_refusal_by_powens_makes_everybody_wait_for_as_long_as_it_says(limit: int) -> None:
    clock = FixedClock()
    budget = Budget(InMemoryBudget(), clock, limit)
    assert admitted(budget, 1, sweep=True)
    budget.throttled(40)
    clock.advance(seconds=39.5)
    assert not admitted(budget, 1, sweep=False)
    assert not admitted(budget, 1, sweep=True)
    assert budget.users_per_pass(400) == 0
    clock.advance(seconds=1)
    assert admitted(budget, 1, sweep=False)


def test_a_pause_has_a_usual_length_and_a_longest_one_and_a_shorter_one_does_not_end_it() -> None:
    clock, store = FixedClock(), InMemoryBudget()
    budget = Budget(store, clock, 0)
    budget.throttled(None)
    assert store.until == clock.now + USUAL_PAUSE
    budget.throttled(86_400)
    assert store.until == clock.now + LONGEST_PAUSE
    budget.throttled(1)
    assert store.until == clock.now + LONGEST_PAUSE


def test_a_pause_of_days_lets_nobody_through_and_everybody_asks_again_within_a_quarter_of_an_hour() -> None:
    """An operator may end it before its time: what was put off has to notice."""
    clock, store = FixedClock(), InMemoryBudget()
    budget = Budget(store, clock, 0)
    store.pause(clock.now + timedelta(days=3))
    with pytest.raises(PowensBusy) as busy:
        budget.admit(1, sweep=False)
    assert busy.value.retry_after == LONGEST_PAUSE.total_seconds()
    clock.advance(minutes=20)
    assert not admitted(budget, 1, sweep=False)
    assert budget.users_per_pass(400) == 0


@pytest.mark.parametrize(("limit", "users"), [(0, 400), (1, 1), (3, 1), (100, 25), (100_000, 25_000)])
def test_a_pass_plans_no_more_users_than_the_sweeps_half_can_read(limit: int, users: int) -> None:
    assert Budget(InMemoryBudget(), FixedClock(), limit).users_per_pass(400) == users
