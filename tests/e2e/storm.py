"""`make load`: the morning on which Powens synchronises everybody at once, on the system that `make run` starts.

A crowd has connected banks. Other people open the page one after the other, tap a few times and leave: first alone,
then while every connection of the crowd has news from its bank and is synchronised, each telling so with a handful of
webhooks. Nothing may be lost, and a tap must not take more than twice as long.

Two times are taken of each tap: until the API has written the choice down (202), and until its user knows that the
operation has ended, which is when Powens was told and read back: by the live update, as the page does it, or by a look
after each second without one. Both are held to the promise, against taps alone before the storm. Taps alone after it
are printed beside. What other programs take of the processors is measured beside: a measurement that they disturbed is
void and is made again, a few times; then the last one counts.
"""

import argparse
import itertools
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import System, started
from tests.e2e.crowd import published, secrets_found
from tests.e2e.listener import Listener, listening
from tests.e2e.operator import Operator
from tests.e2e.somebody import Somebody
from tests.e2e.tally import Tally
from tests.polling import eventually
from tests.worlds.events import Published, fold_is_the_state

MOST_RATIO = 2.0
"""How much longer a tap may take in the storm than alone, at the median and at the 95th percentile."""
LOOK_AFTER = 1.0
"""Seconds without a live update after which the app asks, as `Retry-After` says."""
MOST_FOREIGN = 0.3
"""Processors that other programs may take, on average, while it is measured."""
MEASUREMENTS = 3
MOST_SHARE = 0.5
"""Of the machine's processors, that the storm may take. On Lambda each process has one of its own; here a faster storm
would measure how slow the machine is."""
SAMPLE = 10
"""Connections of the crowd that are synchronised beforehand, to know what one takes."""
WARM_SECONDS = 2.0
TAPS_A_VISIT = 3


@dataclass(frozen=True)
class Plan:
    crowd: int
    """Users whose connections are synchronised in the storm."""
    tapping: int
    """People who tap at the same time."""
    visitors: int
    """People who take turns at it. The double reads all that it holds of a user to answer a Query (AWS reads the keys
    asked for), so a few people who tap for minutes would measure how much they have tapped."""
    alone_seconds: float
    """Before the storm; half as long after it."""
    storm_seconds: float
    """Time over which the synchronisations are spread; longer on a machine that cannot take them so fast."""
    quiet_seconds: float = 120
    seed: int = 1
    pause: float = 0.5
    """Seconds between two taps of one user, about."""


@dataclass
class Taps:
    each: list[tuple[float, float]] = field(default_factory=list)
    """Seconds until each was answered, and until it had ended."""

    @property
    def answered(self) -> list[float]:
        return [answered for answered, _ in self.each]

    @property
    def ended(self) -> list[float]:
        return [ended for _, ended in self.each]

    def line(self) -> str:
        return f"{len(self.each)} taps; answered {_percentiles(self.answered)}, ended {_percentiles(self.ended)}"


def percentile(seconds: Sequence[float], part: int) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[part - 1]


def _percentiles(seconds: Sequence[float]) -> str:
    return "/".join(f"{1000 * percentile(seconds, part):.0f}" for part in (50, 95, 99)) + " ms"


@dataclass
class Report:
    plan: Plan
    tally: Tally = field(default_factory=Tally)
    alone: Taps = field(default_factory=Taps)
    after: Taps = field(default_factory=Taps)
    storm: Taps = field(default_factory=Taps)
    storm_seconds: float = 0.0
    webhooks: int = 0
    events: Published = field(default_factory=lambda: Published((), ()))
    longest: float = 0.0
    """Seconds from the first synchronisation until all of the crowd was up to date."""
    foreign: float = 0.0
    """Processors that other programs took while it was measured: the larger of the two averages."""
    void: int = 0
    """Measurements made before the one that counts, and thrown away."""
    violations: list[str] = field(default_factory=list)

    def ratios(self) -> dict[str, float]:
        return {
            f"{what} p{part}": percentile(getattr(self.storm, what), part) / percentile(getattr(self.alone, what), part)
            for what in ("answered", "ended")
            for part in (50, 95, 99)
        }

    def lines(self) -> list[str]:
        written = {detail["metadata"]["event_id"] for _, detail in self.events.expected}
        return [
            f"{self.plan.crowd} users, {self.storm_seconds:.0f} s of storm",
            f"tapping           {self.plan.visitors} others in turns, {self.plan.tapping} at a time",
            f"machine           {os.cpu_count()} processors, others took {self.foreign:.2f}; void before: {self.void}",
            f"requests          {self.tally['requests']}",
            f"webhooks          {self.webhooks} attempts to deliver in the storm",
            f"events            {len(written)} expected, {len(self.events.once)} seen, lost {len(self.events.lost)}",
            f"                  {self.events.repeats} repeats, doubled effects {len(self.events.doubled)}",
            f"longest staleness {self.longest:.1f} s",
            f"alone             {self.alone.line()}   (p50/p95/p99)",
            f"in the storm      {self.storm.line()}",
            f"alone, after it   {self.after.line()}",
            "ratio             " + ", ".join(f"{what} {ratio:.2f}" for what, ratio in self.ratios().items()),
            *(f"VIOLATED          {line}" for line in self.violations),
        ]


class Storm:
    def __init__(self, system: System, plan: Plan) -> None:
        self.system, self.plan = system, plan
        self.report = Report(plan)
        self.operator = Operator(system)
        self.sandbox = httpx.Client(base_url=system.sandbox_url, timeout=30)
        self.since = system.mark()
        visitors, self.crowd = (
            [Somebody(system, self.operator, self.report.tally, f"{plan.seed} {name} {n}", name) for n in range(number)]
            for name, number in (("visitor", plan.visitors), ("crowd", plan.crowd))
        )
        self.people = [*visitors, *self.crowd]
        self.turns = [itertools.cycle(visitors[n :: plan.tapping]) for n in range(plan.tapping)]

    def run(self) -> Report:
        try:
            self._arrive()
            # Not measured: the first taps start processes.
            self._tap_for(WARM_SECONDS, Taps())
            self.report.storm_seconds = self._long_enough()
            while True:
                self._measure()
                if self.report.foreign <= MOST_FOREIGN or self.report.void == MEASUREMENTS - 1:
                    break
                self.report.void += 1
            self._check()
        finally:
            for one in self.people:
                one.close()
            self.sandbox.close()
        return self.report

    def _measure(self) -> None:
        report, plan = self.report, self.plan
        report.alone, report.after, report.storm = Taps(), Taps(), Taps()
        foreign = [self._alone(report.alone, plan.alone_seconds)]
        before = Processors(self.system.launcher)
        first_webhook = self._newest_webhook()
        storm = threading.Thread(target=self._news_for, args=(self.crowd, report.storm_seconds), daemon=True)
        began = time.monotonic()
        storm.start()
        self._tap_for(report.storm_seconds, report.storm)
        foreign.append(Processors(self.system.launcher).foreign_since(before))
        storm.join()
        self._wait_until_quiet()
        report.longest = max(report.longest, time.monotonic() - began - report.storm_seconds)
        report.webhooks = self._newest_webhook() - first_webhook
        foreign.append(self._alone(report.after, plan.alone_seconds / 2))
        self._wait_until_quiet()
        report.foreign = max(foreign)

    def _alone(self, taps: Taps, seconds: float) -> float:
        """Taps alone; the processors that other programs took meanwhile."""
        before = Processors(self.system.launcher)
        self._tap_for(seconds, taps)
        return Processors(self.system.launcher).foreign_since(before)

    def _newest_webhook(self) -> int:
        newest = self.sandbox.get("/sandbox/webhooks", params={"limit": 1}).raise_for_status().json()["webhooks"]
        return int(newest[0]["id"]) if newest else 0

    def _arrive(self) -> None:
        # No webhook tells of the new connections: who comes back has them read, and a reconciliation has their data.
        self._lose_webhooks(1)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.arrive("revolut"), self.people))
        # Each of these is followed by a synchronisation.
        eventually(lambda: all(self._synchronised().values()), seconds=30)
        self._lose_webhooks(0)
        self.operator.twelve_hours_later([one.id for one in self.people])
        self._wait_until_quiet()

    def _lose_webhooks(self, probability: float) -> None:
        self.sandbox.patch("/sandbox/settings", json={"webhook_loss": probability}).raise_for_status()

    def _synchronised(self) -> dict[int, str | None]:
        """When each connection was last synchronised, by its id at Powens."""
        answer = self.sandbox.get("/sandbox/connections", params={"limit": len(self.people)}).raise_for_status()
        return {connection["id"]: connection["last_update"] for connection in answer.json()["connections"]}

    def _long_enough(self) -> float:
        """Seconds of storm, so that the synchronisations take no more than their share of the machine."""
        # The first ones start processes.
        self._processor_seconds(self.crowd[:SAMPLE])
        cost = self._processor_seconds(self.crowd[SAMPLE : 2 * SAMPLE]) / SAMPLE
        return max(self.plan.storm_seconds, self.plan.crowd * cost / (MOST_SHARE * (os.cpu_count() or 1)))

    def _processor_seconds(self, people: list[Somebody]) -> float:
        """What it takes to synchronise these people's connections, until all is quiet."""
        theirs = [connection["id"] for one in people for connection in one.at_powens().values()]
        earlier = self._synchronised()
        before = Processors(self.system.launcher)
        self._news_for(people, 0)

        def all_are_synchronised() -> bool:
            now = self._synchronised()
            return all(now[connection] != earlier[connection] for connection in theirs)

        eventually(all_are_synchronised, seconds=30, every=0.2)
        self._wait_until_quiet()
        return Processors(self.system.launcher).own - before.own

    # --- tapping ---------------------------------------------------------------------------------------------------

    def _tap_for(self, seconds: float, taps: Taps) -> None:
        stop = threading.Event()

        def take_turns(people: Iterator[Somebody]) -> None:
            while not stop.is_set():
                self._visit(next(people), taps, stop)

        with ThreadPoolExecutor(len(self.turns)) as pool:
            turns = [pool.submit(take_turns, people) for people in self.turns]
            stop.wait(seconds)
            stop.set()
        for turn in turns:
            turn.result()

    def _visit(self, one: Somebody, taps: Taps, stop: threading.Event) -> None:
        """Open the page, tap a few times and leave; sooner when it is time to stop."""
        with listening(self.system, one.id) as screen:
            shown = [(c["id"], a["id"]) for c in one.connections() for a in c["accounts"]]
            on = {a["id"]: a["enabled"] for c in one.shown for a in c["accounts"]}
            for _ in range(TAPS_A_VISIT):
                if stop.wait(one.random.uniform(0.5, 1.5) * self.plan.pause):
                    return
                connection, account = one.random.choice(shown)
                heard = len(screen.heard)
                began = time.monotonic()
                answer = one.ask("PATCH", f"/v1/accounts/{account}", json={"enabled": not on[account]})
                answered = time.monotonic() - began
                operation = answer.raise_for_status().json()
                self._wait_for_the_end(one, operation["id"], connection, screen, heard)
                taps.each.append((answered, time.monotonic() - began))
                one.chosen[account] = on[account] = not on[account]
                one.operations[operation["id"]] = operation

    @staticmethod
    def _wait_for_the_end(one: Somebody, operation: str, connection: str, screen: Listener, heard: int) -> None:
        def ended(said: dict[str, Any]) -> bool:
            return (said["event"], said["connection_id"]) == ("OperationEnded", connection)

        def once() -> bool:
            nonlocal heard
            screen.hears(ended, after=heard, seconds=LOOK_AFTER)
            heard = len(screen.heard)
            shown = one.ask("GET", f"/v1/operations/{operation}").raise_for_status().json()
            return shown["ended_at"] is not None

        eventually(once, seconds=60, every=0)

    # --- storm -----------------------------------------------------------------------------------------------------

    def _news_for(self, people: list[Somebody], seconds: float) -> None:
        """Each of their connections has a new balance, and Powens synchronises it; spread over the time."""
        accounts = []
        for one in people:
            (connection,) = one.at_powens().values()
            accounts.append(next(iter(connection["accounts"].values()))["id"])
        chance = random.Random(self.plan.seed + self.report.void)
        chance.shuffle(accounts)
        began = time.monotonic()
        for number, account in enumerate(accounts):
            # It waits for nothing: this is the pace at which the news come.
            time.sleep(max(0.0, began + number * seconds / len(accounts) - time.monotonic()))
            news = {"balance": chance.randint(1, 9999)}
            self.sandbox.patch(f"/sandbox/accounts/{account}", json=news).raise_for_status()

    def _wait_until_quiet(self) -> None:
        eventually(lambda: not self._under_way(), seconds=self.plan.quiet_seconds, every=0.3)

    def _under_way(self) -> list[str]:
        waiting = self.sandbox.get("/sandbox/webhooks", params={"limit": 1}).raise_for_status().json()["waiting"]
        if waiting:
            return [f"{waiting} webhooks wait"]
        return [f"{number} {name} wait" for name, number in self.operator.waiting().items()]

    def _check(self) -> None:
        deadline = time.monotonic() + self.plan.quiet_seconds
        troubles: list[str] = []
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda one: one.troubles(), self.people):
                troubles += found

        def all_came() -> bool:
            # What is lost at the deadline is reported with the rest, and not raised alone.
            self.report.events = published(self.system, self.operator, self.people, self.since)
            return not self.report.events.lost or time.monotonic() > deadline

        eventually(all_came, seconds=self.plan.quiet_seconds, every=0.3)
        events = self.report.events
        troubles += events.violations()
        for one in self.people:
            troubles += fold_is_the_state(events, one.shown, ())
        troubles += [f"{number} dead letters of {name}" for name, number in self.operator.dead().items()]
        troubles += secrets_found(self.operator, self.people, events)
        self.report.violations += troubles


class Processors:
    """Processor seconds at this moment: of the whole machine, and of the system with this process."""

    def __init__(self, launcher: int) -> None:
        self.at = time.monotonic()
        tick = os.sysconf("SC_CLK_TCK")
        # user, nice, system; not idle, and not waiting for a disk.
        self.all = sum(map(int, Path("/proc/stat").read_text("ascii").split()[1:4])) / tick
        mine = os.times()
        self.own = mine.user + mine.system
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, _, rest = stat.read_text("utf-8", "replace").partition(" ")
            except OSError:
                continue
            fields = rest.rpartition(")")[2].split()
            if int(pid) == launcher:
                # With its children that have ended.
                self.own += sum(map(int, fields[11:15])) / tick
            elif int(fields[1]) == launcher:
                self.own += sum(map(int, fields[11:13])) / tick

    def foreign_since(self, before: "Processors") -> float:
        """How many processors other programs took on average."""
        return max(0.0, ((self.all - before.all) - (self.own - before.own)) / (self.at - before.at))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.storm", description=__doc__)
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--tapping", type=int, default=4, help="people who tap at the same time")
    parser.add_argument("--visitors", type=int, default=100, help="people who take turns at tapping")
    parser.add_argument("--seconds", type=float, default=120, help="of storm; half of it is measured alone before")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as system:
        plan = Plan(given.users, given.tapping, given.visitors, given.seconds / 2, given.seconds, seed=given.seed)
        report = Storm(system, plan).run()
    print("\n".join(report.lines()))
    slow = {what: ratio for what, ratio in report.ratios().items() if ratio > MOST_RATIO}
    return 1 if report.violations or slow else 0


if __name__ == "__main__":
    sys.exit(main())
