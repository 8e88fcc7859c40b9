"""The short form of `make simulate`: every seed of a range, and what kind of a range it is.

A seed that fails prints its story, made as short as it gets. `python -m tests.simulation 1 <seed>` tells it again.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.many import Tally, many
from tests.simulation.people.visits import WAYS_BACK
from tests.simulation.plan import ACTIONS, FAULTS, KINDS, RARE, plan_of
from tests.simulation.run import run
from tests.simulation.world.installed import installed

# Alone, as it takes both processors.
pytestmark = pytest.mark.quiet

SEEDS = 300
FOLLOWING = ("timed out by Lambda", "Powens' budget is used up", "dead letter sent back", "left to a newer worker")
"""What goes wrong in consequence of something else."""
MET = (
    "regular synchronisation",
    "noticed in time",
    "noticed at last",
    "namesake",
    "copies",
    "worker of the release before",
    "wish granted",
    "wish open",
    "never confirmed",
    "made unheard",
    "confirmed by a stranger",
    "confirmed by an account",
    *(f"return {how}" for how in WAYS_BACK),
)
"""What a run comes to besides."""
ROOT = Path(__file__).parents[2]
HASHES = """
import sys
from tests.simulation.run import simulate
for verdict in simulate(map(int, sys.argv[1:])):
    print(verdict.trace, len(verdict.story), verdict.violation)
"""


@pytest.fixture(scope="module")
def tally() -> Tally:
    whole = Tally()
    for part in many(range(SEEDS), processes=2):
        whole.add(part)
    return whole


def test_whatever_goes_wrong_everything_ends_where_powens_and_the_newest_choice_are(tally: Tally) -> None:
    assert tally.seeds == SEEDS
    if tally.failed:
        pytest.fail("\n".join(story for _, story in tally.failed))


def test_every_kind_of_fault_and_of_action_really_happened(tally: Tally) -> None:
    assert not [kind for kind in FAULTS if tally.runs[kind] == 0]
    assert not [kind for kind in FOLLOWING if tally.times[kind] == 0]
    assert not [kind for kind in (*ACTIONS, *RARE) if tally.acted[kind] == 0]
    assert not [kind for kind in (*KINDS, *MET) if tally.drawn[kind] == 0]
    assert tally.expired > 0
    assert tally.calm >= SEEDS / 20, "runs without faults, in which nothing may fail"
    assert tally.certain > 3 * tally.uncertain, "most ends are known, or the oracle would see nothing"


def test_one_seed_is_one_run_in_every_process() -> None:
    seeds = range(4)
    with installed():
        verdicts = [run(plan_of(seed)) for seed in seeds]
    told = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", HASHES, *map(str, seeds)],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(ran.stdout.splitlines())
    assert told[0] == told[1]
    assert told[0] == [f"{v.trace} {len(v.story)} {v.violation}" for v in verdicts]
