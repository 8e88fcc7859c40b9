"""Many seeds, and what they came to."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.simulation.plan import FAULTS, plan_of
from tests.simulation.run import Verdict, run, shrink
from tests.simulation.world.installed import installed

CHUNK = 25
MOST_STORIES = 3


@dataclass
class Tally:
    """What some seeds came to."""

    seeds: int = 0
    calm: int = 0
    """Of them, those without any fault."""
    times: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    acted: Counter[str] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)
    certain: int = 0
    uncertain: int = 0
    events: int = 0
    invocations: int = 0
    expired: int = 0
    days: float = 0.0
    failed: list[tuple[int, str]] = field(default_factory=list)

    def count(self, verdict: Verdict) -> None:
        found = Counter(fault.kind for fault in verdict.faults)
        self.seeds += 1
        self.calm += not verdict.faults
        self.times.update(found)
        self.runs.update(found.keys())
        self.acted.update(verdict.acted)
        self.drawn.update(verdict.drawn)
        self.certain += verdict.certain
        self.uncertain += verdict.uncertain
        self.events += verdict.events
        self.invocations += verdict.invocations
        self.expired += verdict.expired
        self.days += verdict.days

    def add(self, other: "Tally") -> None:
        self.seeds += other.seeds
        self.calm += other.calm
        for mine, theirs in (
            (self.times, other.times),
            (self.runs, other.runs),
            (self.acted, other.acted),
            (self.drawn, other.drawn),
        ):
            mine.update(theirs)
        self.certain += other.certain
        self.uncertain += other.uncertain
        self.events += other.events
        self.invocations += other.invocations
        self.expired += other.expired
        self.days += other.days
        self.failed += other.failed

    def report(self) -> Iterator[str]:
        """What a green run has survived."""
        yield f"{'fault':40} {'times':>9} {'runs':>7}"
        for kind in sorted({*FAULTS, *self.times}):
            yield f"{kind:40} {self.times[kind]:9,} {self.runs[kind]:7,}"
        yield ""
        yield "actions: " + ", ".join(f"{kind} {times:,}" for kind, times in sorted(self.acted.items()))
        yield "met: " + ", ".join(f"{kind} {times:,}" for kind, times in sorted(self.drawn.items()))
        yield (
            f"{self.days:,.0f} simulated days, {self.invocations:,} invocations, {self.events:,} events, "
            f"{self.expired:,} items expired; of "
            f"{self.certain + self.uncertain:,} accounts at the end {self.certain:,} had one allowed state"
        )


def some(seeds: range) -> Tally:
    """Run some seeds in this process; of those that fail, the stories are told small."""
    tally = Tally()
    with installed():
        for seed in seeds:
            verdict = run(plan_of(seed))
            tally.count(verdict)
            if verdict.violation is not None:
                small = shrink(verdict) if len(tally.failed) < MOST_STORIES else verdict
                tally.failed.append((seed, small.words()))
    return tally


def many(seeds: range, processes: int) -> Iterator[Tally]:
    """Run seeds on several processes; a part of them at a time, as they get done."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(some, chunk) for chunk in chunks]):
            yield done.result()
