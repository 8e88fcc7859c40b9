"""One run: a plan carried out, its verdict, and a failing plan made small."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.simulation.checks.checks import Checks
from tests.simulation.engine import MICROSECONDS, Chance, Fault
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.memory import Action
from tests.simulation.people.people import People
from tests.simulation.plan import Plan, plan_of
from tests.simulation.world.installed import installed, running
from tests.simulation.world.processes import Violated


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
    with running(chance, plan.calls_per_minute, plan.kinds) as world:
        oracle = Oracle(world)
        people = People(world, oracle)
        checks = Checks(world, oracle, people)
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
    left = most

    def attempt(actions: Sequence[Action], faults: Sequence[Fault]) -> bool:
        nonlocal best, left
        left -= 1
        tried = run(_replay(verdict.plan, actions, faults))
        if tried.violation is None or _kind(tried.violation) != _kind(verdict.violation or ""):
            return False
        best = tried
        return True

    for what in ("actions", "faults", "actions"):
        size = max(1, len(getattr(best.plan, "actions" if what == "actions" else "only") or ()) // 2)
        while size and left > 0:
            at, removed = 0, False
            while left > 0:
                actions, faults = list(best.plan.actions), list(best.plan.only or ())
                part = actions if what == "actions" else faults
                if at >= len(part):
                    break
                del part[at : at + size]
                if attempt(actions, faults):
                    removed = True
                else:
                    at += size
            size = size if removed and size == 1 else size // 2
    return best


def _kind(violation: str) -> str:
    """The promise that was broken, without names and numbers."""
    return " ".join(word for word in violation.split(":", maxsplit=1)[0].split() if word.isalpha())


def _replay(plan: Plan, actions: Sequence[Action], faults: Iterable[Fault]) -> Plan:
    return replace(plan, actions=tuple(actions), only=tuple(faults))
