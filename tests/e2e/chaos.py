"""`make chaos`: everything goes wrong for some minutes on the system that `make run` starts; then nothing may be lost.

People tap, undo, refresh, end connections and go through the Webview. Meanwhile function processes are killed at work,
Powens answers with every fault that the sandbox has, webhooks get lost, doubled, late and out of order, tokens are
revoked, connections are locked and renumbered. Afterwards the faults end, twelve hours pass, and within a deadline
every promise of `tests/worlds/invariants.py` and `events.py` must hold. The same seed gives the same people, faults
and victims; what meets what is up to the machine.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import System, started
from tests.e2e.crowd import acting, published, secrets_found
from tests.e2e.faults import CALLS, FAULTS, MOST_WAITING, VICTIMS, name_of
from tests.e2e.operator import DEAD, Operator
from tests.e2e.somebody import Somebody
from tests.e2e.tally import Tally
from tests.polling import eventually
from tests.worlds.events import Published, erased_for_good, fold_is_the_state

BESIDE = (
    "choices in the Webview",
    "visits of the Powens space",
    "visits of the Powens space that failed",
    "erasures",
    "connections ended in the Webview",
    "connections renumbered",
    "connections locked",
    "tokens revoked",
    "changes at the bank",
)


@dataclass(frozen=True)
class Plan:
    """`visibility`: seconds after which a queue hands out again what a killed worker held; the template says 180."""

    seed: int
    seconds: float
    people: int
    """One more has everything erased half-way."""
    quiet_seconds: float
    visibility: int
    every: float = 0.6
    """Seconds between two kills, and between two new faults."""


@dataclass
class Report:
    plan: Plan
    tally: Tally = field(default_factory=Tally)
    webhooks: int = 0
    events: Published = field(default_factory=lambda: Published((), ()))
    longest: float = 0.0
    """Seconds from a choice until everybody agreed, at most, faults included."""
    quiet: float = 0.0
    """Seconds from the end of the faults until every promise held."""
    dead: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        answers = ", ".join(f"{n} x {status}" for status, n in self.tally.of("answer ").items())
        refused = ", ".join(f"{code} {n}" for code, n in self.tally.of("refused ").items()) or "none"
        faults = ", ".join(f"{kind} {n}" for kind, n in self.tally.of("fault ").items())
        killed = self.tally.of("killed Function ")
        kills = ", ".join(f"{function} {n}" for function, n in killed.items())
        written = {detail["metadata"]["event_id"] for _, detail in self.events.expected}
        return [
            f"seed {self.plan.seed}, {self.plan.seconds:.0f} s, {self.plan.people} people",
            f"requests          {self.tally['requests']} ({answers})",
            f"  refused         {refused}",
            f"beside the app    {', '.join(f'{what} {self.tally[what]}' for what in BESIDE)}",
            f"webhooks          {self.webhooks} attempts to deliver",
            f"faults injected   {sum(self.tally.of('fault ').values())}: {faults}",
            f"kills             {sum(killed.values())} ({self.tally['killed at work']} at work): {kills}",
            f"events            {len(written)} expected, {len(self.events.once)} seen, lost {len(self.events.lost)}",
            f"                  {self.events.repeats} repeats, doubled effects {len(self.events.doubled)}",
            f"dead letters      {self.dead or 'none'}",
            f"longest staleness {self.longest:.1f} s; quiet {self.quiet:.1f} s after the faults",
            *(f"VIOLATED          {line}" for line in self.violations),
        ]


class Chaos:
    def __init__(self, system: System, plan: Plan) -> None:
        self.system, self.plan = system, plan
        self.report = Report(plan)
        self.tally = self.report.tally
        self.operator = Operator(system)
        self.stop, self._pause = threading.Event(), threading.Event()
        self.random = random.Random(f"{plan.seed}")
        self.since = system.mark()
        self.sandbox = httpx.Client(base_url=system.sandbox_url, timeout=30)
        self.people = [
            Somebody(system, self.operator, self.tally, f"{plan.seed} {n}", "chaos") for n in range(plan.people)
        ]
        self.leaving = Somebody(system, self.operator, self.tally, f"{plan.seed} leaving", "leaving")
        self.locked: set[int] = set()

    def run(self) -> Report:
        self.operator.hurry(self.plan.visibility)
        before = self._powens_users()
        first_webhook = self._newest_webhook()
        try:
            self._arrive()
            self._rage()
            self._calm()
            self.report.webhooks = self._newest_webhook() - first_webhook
            self.report.violations += self._once_at_powens(before)
        finally:
            self.stop.set()
            self.sandbox.delete("/sandbox/faults")
            self.operator.hurry(180)
            for one in [*self.people, self.leaving]:
                one.close()
            self.sandbox.close()
        self.report.longest = max(one.longest for one in self.people)
        return self.report

    # --- before ----------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        def arrive(one: Somebody) -> None:
            twice = one is self.people[0]
            one.arrive()
            first = one.connect("revolut")
            second = one.connect("revolut" if twice else "banque-horizon")
            if twice:
                one.twins(first, second)
            eventually(one.settled, seconds=60, every=0.2)

        everybody = [*self.people, self.leaving]
        for thread in acting(everybody, arrive):
            thread.join()
        troubles = [line for one in everybody for line in one.broken]
        assert not troubles, troubles

    def _powens_users(self) -> set[int]:
        users = self.sandbox.get("/sandbox/users", params={"limit": 500}).raise_for_status().json()["users"]
        return {user["id"] for user in users if user["permanent"]}

    def _newest_webhook(self) -> int:
        newest = self.sandbox.get("/sandbox/webhooks", params={"limit": 1}).raise_for_status().json()["webhooks"]
        return int(newest[0]["id"]) if newest else 0

    # --- while -----------------------------------------------------------------------------------------------------

    def _rage(self) -> None:
        chaos = [
            threading.Thread(target=self._until_stopped, args=(work,), daemon=True)
            for work in (self._kill_one, self._spoil_something, self._touch_a_connection)
        ]
        acts = acting([*self.people, self.leaving], self._act)
        for thread in chaos:
            thread.start()
        began = time.monotonic()
        self.stop.wait(self.plan.seconds)
        # A run is worth what it met: up to twice as long when some kind of fault has found no victim yet.
        while (unmet := self._unmet()) and time.monotonic() < began + 2 * self.plan.seconds:
            self.stop.wait(self.plan.every)
        self.report.violations += [f"the run proves too little: no {what}" for what in unmet]
        # First everybody puts the finger down, then the machines stop breaking.
        self.stop.set()
        for thread in [*acts, *chaos]:
            thread.join(timeout=150)
            if thread.is_alive():
                self.report.violations.append(f"{thread.name} got no answer")

    def _unmet(self) -> list[str]:
        struck, killed = self.tally.of("fault "), self.tally.of("killed Function ")
        faults = {name_of(fault) for fault in FAULTS if fault["target"] != "webview"}
        missing = [f"fault {name}" for name in sorted(faults - struck.keys())]
        missing += [f"{function} was killed" for function in sorted(set(VICTIMS) - killed.keys())]
        if self.leaving.erasure is None:
            missing.append("erasure was asked for")
        return missing + (["five kills at work"] if self.tally["killed at work"] < len(VICTIMS) else [])

    def _act(self, one: Somebody) -> None:
        acts: dict[Callable[[], Any], int] = {
            one.tap: 30, one.select: 15, one.undo: 10, one.refresh: 8, one.flip: 15, one.visit: 15, one.bank_news: 8,
            one.renumber: 6, one.end: 1, one.leave_a_bank_in_the_webview: 1,
        }  # fmt: skip
        half = time.monotonic() + self.plan.seconds / 2
        while not self.stop.is_set():
            if one is self.leaving and time.monotonic() > half:
                one.leave()
                return
            (act,) = one.random.choices(list(acts), list(acts.values()))
            act()
            one.settled()
            self.stop.wait(one.random.uniform(0.05, 0.4))

    def _until_stopped(self, work: Callable[[], None]) -> None:
        while not self.stop.wait(self.plan.every):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a run that broke nothing proves nothing
                self.report.violations.append(f"the chaos itself failed: {type(error).__name__}: {error}")
                return

    def _kill_one(self) -> None:
        """At work if one of this function is, within a moment; else an idle one."""
        victim = VICTIMS[sum(self.tally.of("killed Function ").values()) % len(VICTIMS)]
        patience = time.monotonic() + 1.0
        while True:
            there = [w for w in self.operator.workers() if w["function"] == victim]
            busy = [w for w in there if w["busy"]]
            if busy or (there and time.monotonic() > patience) or self.stop.is_set():
                break
        if not (busy or there):
            return
        worker = self.random.choice(busy or there)
        if _kill(worker["pid"], self.system.launcher):
            self.tally.add(f"killed Function {victim}")
            self.tally.add("killed at work" if busy else "killed idle")

    def _spoil_something(self) -> None:
        """One more fault, of a kind that has struck least; those that nothing has met yet stay."""
        faults = self.sandbox.get("/sandbox/faults").raise_for_status().json()["faults"]
        waiting = [f for f in faults if f["hits"] < f["times"]]
        for fault in faults:
            if fault not in waiting:
                self._count(fault)
        struck = self.tally.of("fault ")
        for target in ("api", "webview", "webhook"):
            if sum(f["target"] == target for f in waiting) >= MOST_WAITING[target]:
                continue
            kinds = [f for f in FAULTS if f["target"] == target]
            self.random.shuffle(kinds)
            there = {name_of(f) for f in waiting}
            fault = min(kinds, key=lambda f: (name_of(f) in there, struck.get(name_of(f), 0)))
            match = self.random.choice(fault.get("calls", CALLS)) if target == "api" else ""
            fault = {name: value for name, value in fault.items() if name != "calls"}
            self.sandbox.post("/sandbox/faults", json={**fault, "match": match, "times": 1}).raise_for_status()

    def _count(self, fault: dict[str, Any]) -> None:
        if fault["hits"]:
            self.tally.add(f"fault {name_of(fault)}", fault["hits"])
        self.sandbox.delete(f"/sandbox/faults/{fault['id']}")

    def _touch_a_connection(self) -> None:
        """Lock one or unlock it, or revoke somebody's tokens."""
        one = self.random.choice([*self.people, self.leaving])
        if self.locked and self.random.random() < 0.7:
            self._unlock(self.locked.pop())
        elif self.random.random() < 0.3:
            # The user may be erased by now.
            if self.sandbox.post(f"/sandbox/users/{one.powens_user}/revoke-tokens").is_success:
                self.tally.add("tokens revoked")
        else:
            found = self.sandbox.get("/sandbox/connections", params={"id_user": one.powens_user}).json()["connections"]
            if found:
                number = self.random.choice(found)["id"]
                if self.sandbox.patch(f"/sandbox/connections/{number}", json={"locked": True}).is_success:
                    self.locked.add(number)
                    self.tally.add("connections locked")

    def _unlock(self, number: int) -> None:
        # Its user may have ended it meanwhile.
        self.sandbox.patch(f"/sandbox/connections/{number}", json={"locked": False})

    # --- after -----------------------------------------------------------------------------------------------------

    def _calm(self) -> None:
        for fault in self.sandbox.get("/sandbox/faults").raise_for_status().json()["faults"]:
            self._count(fault)
        for number in self.locked:
            self._unlock(number)
        began = time.monotonic()
        deadline = began + self.plan.quiet_seconds
        eventually(self._nothing_to_deliver, seconds=self.plan.quiet_seconds, every=0.3)
        # Webhooks that got lost are made up for by the reconciliation alone.
        self.operator.twelve_hours_later([one.id for one in self.people])
        while troubles := self._troubles(last=time.monotonic() > deadline):
            if time.monotonic() > deadline:
                break
            self._pause.wait(0.5)
        self.report.quiet = time.monotonic() - began
        for one in self.people:
            one.settled()
        self.report.violations += troubles
        letters = self._dead_letters()
        self.report.violations += secrets_found(
            self.operator, [*self.people, self.leaving], self.report.events, letters=letters
        )

    def _nothing_to_deliver(self) -> bool:
        return int(self.sandbox.get("/sandbox/webhooks", params={"limit": 1}).json()["waiting"]) == 0

    def _troubles(self, *, last: bool) -> list[str]:
        """What is not as it must be; until the `last` look the dear questions wait for the cheap ones."""
        waiting = self.operator.waiting()
        for name in DEAD:
            if (number := self.operator.dead().get(name)) is not None:
                # Explained by what was done to the workers; healed as docs/operating.md says.
                self.report.dead[name] = self.report.dead.get(name, 0) + number
                self.operator.replay(name)
        troubles = [f"{number} {name} wait" for name, number in waiting.items()]
        if troubles and not last:
            return troubles
        troubles += [line for one in self.people for line in one.troubles()]
        troubles += self.leaving.broken + self.leaving.traces()
        self.report.events = events = published(self.system, self.operator, self.people, self.since)
        troubles += events.violations()
        for one in self.people:
            troubles += fold_is_the_state(events, one.connections(), one.gone)
        seen = [(event["detail-type"], event["detail"]) for event in self.system.events(self.since)]
        return troubles + erased_for_good(seen, self.leaving.id)

    def _dead_letters(self) -> str:
        left = self.operator.dead()
        for name, number in left.items():
            self.report.dead[name] = self.report.dead.get(name, 0) + number
        if "outbox" in left:
            self.report.violations.append(f"{left['outbox']} batches of the outbox were given up")
        return "".join(letter["Body"] for name in left for letter in self.operator.take(name))

    def _once_at_powens(self, before: set[int]) -> list[str]:
        made = self._powens_users() - before
        wanted = {one.powens_user for one in self.people}
        return [f"Powens has the users {sorted(made)}, wanted are {sorted(wanted)}"] if made != wanted else []


def _kill(pid: int, launcher: int) -> bool:
    """SIGKILL to a child of the launcher, as long as it is one."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[1])
        if parent != launcher:
            return False
        os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as system:
        plan = Plan(given.seed, given.seconds, given.people, quiet_seconds=240, visibility=35)
        report = Chaos(system, plan).run()
    print("\n".join(report.lines()))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
