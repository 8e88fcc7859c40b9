"""One run: a plan carried out, its verdict, and a failing plan made small."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.simulation.checks.checks import Checks
from tests.simulation.engine import MICROSECONDS, Chance, Fault
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.memory import Action
from tests.simulation.people.people import People
from tests.simulation.plan import Plan, plan_of
from tests.simulation.world.installed import installed, running
from tests.simulation.world.processes import Violated
from tests.simulation.world.releases import Kept


@dataclass
class Verdict:
    """How a run went. `violation` None is a good run."""

    plan: Plan
    violation: str | None
    trace: str
    story: list[tuple[int, str]]
    faults: list[Fault]
    acted: dict[str, int] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    certain: int = 0
    uncertain: int = 0
    events: int = 0
    invocations: int = 0
    expired: int = 0
    days: float = 0.0

    def words(self) -> str:
        lines = [f"seed {self.plan.seed}: {self.violation}", ""]
        for at, text in self.story:
            day = timedelta(seconds=at // MICROSECONDS)
            lines.append(f"  {day}.{at % MICROSECONDS // 1000:03d}  {text}")
        return "\n".join(lines)


def run(plan: Plan) -> Verdict:
    """Carry a plan out, inside of `installed`."""
    chance = Chance(plan.seed, plan.rates, plan.only)
    chance.skewed = plan.skewed
    chance.two_releases = plan.two_releases
    with running(chance, plan.calls_per_minute, plan.kinds) as world:
        oracle = Oracle(world)
        people = People(world, oracle)
        checks = Checks(world, oracle, people)
        Kept(world)
        violation = None
        try:
            for action in plan.actions:
                world.engine.after(action.at, lambda action=action: people.act(action))  # type: ignore[misc]
            world.run_for(plan.actions[-1].at + 120 if plan.actions else 0)
            checks.come_to_rest()
        except Violated as violated:
            violation = str(violated)
        return Verdict(
            plan=plan,
            violation=violation,
            trace=world.engine.trace.hexdigest(),
            story=world.engine.story,
            faults=chance.happened,
            acted=people.done,
            drawn=dict(world.powens.drawn),
            certain=oracle.certain,
            uncertain=oracle.uncertain,
            events=len(oracle.events),
            invocations=world.invocations,
            expired=world.expired,
            days=world.engine.at / MICROSECONDS / 86400,
        )


def simulate(seeds: Iterable[int]) -> Iterable[Verdict]:
    with installed():
        for seed in seeds:
            yield run(plan_of(seed))


def shrink(verdict: Verdict, *, most: int = 400) -> Verdict:
    """A smaller plan that breaks the same promise, greedily: without actions, then without faults. In `installed`."""
    best = run(_replay(verdict.plan, verdict.plan.actions, verdict.faults))
    if best.violation is None:
        return verdict
    shrinking = _Shrinking(verdict, best, most)
    for what in ("actions", "faults", "actions"):
        shrinking.without(what)
    return shrinking.best


class _Shrinking:
    """`best`: the smallest failure so far; `left`: how many more plans may be tried."""

    def __init__(self, verdict: Verdict, best: Verdict, left: int) -> None:
        self.verdict, self.best, self.left = verdict, best, left

    def without(self, what: str) -> None:
        """Leave out "actions" or "faults": halves at first, then smaller parts, and single ones as long as it helps."""
        size = max(1, len(self._parts()[what]) // 2)
        while size and self.left > 0:
            removed = self._sweep(what, size)
            size = size if removed and size == 1 else size // 2

    def _sweep(self, what: str, size: int) -> bool:
        """Leave out each part of this size, once; whether one of them was not needed."""
        at, removed = 0, False
        while self.left > 0:
            parts = self._parts()
            if at >= len(parts[what]):
                break
            del parts[what][at : at + size]
            if self._attempt(parts["actions"], parts["faults"]):
                removed = True
            else:
                at += size
        return removed

    def _parts(self) -> dict[str, list[Any]]:
        return {"actions": list(self.best.plan.actions), "faults": list(self.best.plan.only or ())}

    def _attempt(self, actions: Sequence[Action], faults: Sequence[Fault]) -> bool:
        self.left -= 1
        tried = run(_replay(self.verdict.plan, actions, faults))
        if tried.violation is None or _kind(tried.violation) != _kind(self.verdict.violation or ""):
            return False
        self.best = tried
        return True


def _kind(violation: str) -> str:
    """The promise that was broken, without names and numbers."""
    return " ".join(word for word in violation.split(":", maxsplit=1)[0].split() if word.isalpha())


def _replay(plan: Plan, actions: Sequence[Action], faults: Iterable[Fault]) -> Plan:
    return replace(plan, actions=tuple(actions), only=tuple(faults))
