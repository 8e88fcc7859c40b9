"""Incidents open when many fail, close when few do, and never flap."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.incidents import (
    CLOSES_AT,
    LEAST_OPEN,
    MOST_CHANGES_AN_HOUR,
    OPENS_AT,
    QUIET_FOR,
    REST_FOR,
    Failing,
    Incident,
    evolve,
    evolve_all,
    trouble_of,
)
from tests.builders import NOW, connection

KIND = ("u-1", "bank_unavailable")
MANY = Failing(OPENS_AT, OPENS_AT)
FEW = Failing(CLOSES_AT, CLOSES_AT)
OPEN = Incident(institution_id=KIND[0], reason=KIND[1], since=NOW)


def test_an_incident_opens_when_enough_different_users_fail_lately() -> None:
    assert evolve(None, MANY, KIND, NOW) == OPEN
    assert evolve(None, Failing(OPENS_AT - 1, 100), KIND, NOW) is None


def test_it_stays_open_while_more_than_a_few_still_fail() -> None:
    between = Failing(0, CLOSES_AT + 1)
    assert evolve(OPEN, between, KIND, NOW + timedelta(days=1)) == OPEN
    calm = replace(OPEN, calm_since=NOW)
    assert evolve(calm, between, KIND, NOW + QUIET_FOR) == OPEN


def test_it_closes_once_few_have_failed_for_a_while() -> None:
    calming = evolve(OPEN, FEW, KIND, NOW + LEAST_OPEN)
    assert calming is not None
    assert calming.open
    assert evolve(calming, FEW, KIND, NOW + LEAST_OPEN + QUIET_FOR - timedelta(seconds=1)) == calming
    ended = evolve(calming, FEW, KIND, NOW + LEAST_OPEN + QUIET_FOR)
    assert ended is not None
    assert not ended.open


def test_it_never_closes_right_after_it_opened() -> None:
    calming = replace(OPEN, calm_since=NOW)
    assert evolve(calming, FEW, KIND, NOW + LEAST_OPEN - timedelta(seconds=1)) == calming


def test_it_does_not_open_again_at_once_and_is_forgotten_later() -> None:
    ended = replace(OPEN, closed_at=NOW)
    soon = NOW + REST_FOR - timedelta(seconds=1)
    assert evolve(ended, MANY, KIND, soon) == ended
    reopened = evolve(ended, MANY, KIND, NOW + REST_FOR)
    assert reopened is not None
    assert reopened.open
    assert evolve(ended, FEW, KIND, NOW + REST_FOR) is None


def test_kinds_are_independent_of_each_other() -> None:
    other = ("u-2", "powens_problem")
    after = evolve_all([OPEN], {other: MANY}, NOW + timedelta(minutes=1))
    assert [(i.institution_id, i.calm_since is None) for i in after] == [("u-1", False), ("u-2", True)]


counts = st.integers(0, 2 * OPENS_AT)


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 1800), counts, counts).map(lambda s: (s[0], Failing(min(s[1], s[2]), s[2]))),
        min_size=1,
        max_size=120,
    )
)
def test_whatever_happens_it_changes_only_a_few_times_an_hour(steps: list[tuple[int, Failing]]) -> None:
    now, held, changes = NOW, None, []
    for seconds, failing in steps:
        now += timedelta(seconds=seconds)
        was_open = held is not None and held.open
        held = evolve(held, failing, KIND, now)
        if (held is not None and held.open) != was_open:
            changes.append(now)
    for at in changes:
        assert sum(at <= other < at + timedelta(hours=1) for other in changes) <= MOST_CHANGES_AN_HOUR


@given(st.lists(st.sampled_from([Failing(OPENS_AT, OPENS_AT), Failing(0, 0)]), min_size=60, max_size=200))
def test_what_alternates_each_minute_changes_only_a_few_times_an_hour(looks: list[Failing]) -> None:
    held, changes = None, 0
    for minute, failing in enumerate(looks):
        was_open = held is not None and held.open
        held = evolve(held, failing, KIND, NOW + timedelta(minutes=minute))
        changes += (held is not None and held.open) != was_open
    assert changes <= MOST_CHANGES_AN_HOUR * (len(looks) // 60 + 1)


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ("websiteUnavailable", "bank_unavailable"),
        ("rateLimiting", "bank_busy"),
        ("bug", "powens_problem"),
        ("inventedTomorrow", "unknown_problem"),
        ("SCARequired", None),
        ("validating", None),
        ("notSupported", None),
        (None, None),
    ],
)
def test_only_what_passes_without_the_user_can_be_an_incident(state: str | None, trouble: str | None) -> None:
    assert trouble_of(connection(state=state)) == trouble
    assert trouble_of(None) is None
    assert trouble_of(connection(state=state, removed_at=NOW)) is None
