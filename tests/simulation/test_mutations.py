"""The simulation notices faults: each of `mutations.py` is put into the product, and some seed must fail.

`Mutation.seeds` says how many seeds from 0 it took when the mutation was written. The last of them is tried first;
after a change of the product or of the plan another one may be it, so up to 1,000 are tried then.
"""

from itertools import chain

import pytest

from tests.simulation import mutations_of_visits  # noqa: F401 - registers some of them
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.plan import plan_of
from tests.simulation.run import run, shrink
from tests.simulation.world.installed import installed

MOST_SEEDS = 1000


def test_at_least_ten_faults_are_tried() -> None:
    assert len(MUTATIONS) >= 10
    assert len({one.name for one in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.parametrize("one", MUTATIONS, ids=lambda one: one.name)
def test_it_is_noticed(one: Mutation) -> None:
    first = one.seeds - 1
    with installed():
        assert run(plan_of(first)).violation is None, "without the fault the seed is fine"
        with one.apply():
            caught = next(
                (seed for seed in chain([first], range(MOST_SEEDS)) if run(plan_of(seed)).violation is not None),
                None,
            )
    assert caught is not None, f"{one.name} goes unnoticed in {MOST_SEEDS} seeds"


def test_a_failing_seed_becomes_a_short_story() -> None:
    one = next(one for one in MUTATIONS if one.name == "an_undo_restores_what_was_chosen")
    with installed(), one.apply():
        failed = run(plan_of(one.seeds - 1))
        small = shrink(failed, most=80)
    assert small.violation is not None
    assert len(small.plan.actions) <= len(failed.plan.actions) / 3
    assert len(small.faults) <= len(failed.faults)
    assert [text for _, text in small.story if "undoes" in text]
    assert small.words().splitlines()[-1].endswith(f"VIOLATED: {small.violation}")
