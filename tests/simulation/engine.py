"""Simulated time, tasks that are handed over one at a time, and the one source of chance.

A task is a greenlet. It runs until it waits; every call to the outside waits, so that whatever is running elsewhere
goes on there. The engine resumes tasks in the order of simulated time. A killed task is simply never resumed: no
`except` and no `finally` of the product sees it, as when Lambda's process is taken away.

Chance is a hash of the seed and of a name for what is decided, not a stream of numbers: leaving one action or fault out
of a plan leaves the others as they were, which is what makes a failing run shrink.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from greenlet import GreenletExit, greenlet

START = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that went wrong: what, and at which step of which task."""

    kind: str
    key: str


class Chance:
    """Decisions of one run. `only`: the faults that may happen, when a run is replayed; else they are drawn."""

    def __init__(self, seed: int, rates: Mapping[str, float], only: Iterable[Fault] | None = None) -> None:
        self._prefix = f"{seed}|".encode()
        self._rates = rates
        self._only = None if only is None else frozenset(only)
        self.happened: list[Fault] = []
        self.times: list[int] = []
        self.clock: Callable[[], int] = lambda: 0
        self.quiet = False
        self.skewed = False
        self.two_releases = False

    def roll(self, *names: object) -> float:
        """From 0 to 1, 1 excluded."""
        text = "|".join(map(str, names))
        digest = hashlib.blake2b(self._prefix + text.encode(), digest_size=7).digest()
        return int.from_bytes(digest) / (1 << 56)

    def between(self, low: float, high: float, *names: object) -> float:
        return low + (high - low) * self.roll(*names)

    def happens(self, kind: str, key: str) -> bool:
        """Whether the fault `kind` strikes here. None does once it is quiet."""
        if self.quiet:
            return False
        if self._only is not None:
            hit = Fault(kind, key) in self._only
        else:
            rate = self._rates.get(kind, 0.0)
            hit = rate > 0 and self.roll("fault", kind, key) < rate
        if hit:
            self.note(kind, key)
        return hit

    def note(self, kind: str, key: str) -> None:
        """Remember that a fault happened."""
        self.happened.append(Fault(kind, key))
        self.times.append(self.clock())

    def counts(self) -> Counter[str]:
        return Counter(fault.kind for fault in self.happened)


@dataclass(eq=False)
class Task:
    """Something that runs for a while. `deadline`: when its process is stopped, in microseconds."""

    key: str
    run: Any
    deadline: int | None = None
    steps: int = 0
    alive: bool = True
    result: Any = None
    error: BaseException | None = None
    finished: bool = False
    worker: Any = None
    waiters: list["Task"] = field(default_factory=list)
    on_end: Callable[["Task"], None] = lambda task: None
    entered: Callable[[], Callable[[], None]] | None = None

    def step(self) -> str:
        """A name for the next thing that this task does."""
        self.steps += 1
        return f"{self.key}#{self.steps}"


class Engine:
    """The clock and whoever's turn it is."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.at = 0
        chance.clock = lambda: self.at
        self.current: Task | None = None
        self.closed = False
        self.bugs: list[BaseException] = []
        """Errors of the simulation itself."""
        self.story: list[tuple[int, str]] = []
        self.trace = hashlib.blake2b(digest_size=16)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._tasks: list[Task] = []
        self._names: Counter[str] = Counter()
        self._hub = greenlet.getcurrent()

    @property
    def now(self) -> datetime:
        return START + timedelta(microseconds=self.at)

    def tell(self, text: str) -> None:
        """Write a line of the story; the story is also what two runs of one seed are compared by."""
        self.story.append((self.at, text))
        self.trace.update(f"{self.at} {text}\n".encode())

    def note(self, text: str) -> None:
        """Part of the trace, but nothing to tell."""
        self.trace.update(f"{self.at} {text}\n".encode())

    # --- what happens when

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.at + max(0, round(seconds * MICROSECONDS)), self._order, act))

    def run_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, from the hub."""
        end = self.at + round(seconds * MICROSECONDS)
        while self._heap and self._heap[0][0] <= end:
            self.at, _, act = heapq.heappop(self._heap)
            act()
            if self.bugs:
                raise self.bugs[0]
            if until():
                return
        self.at = end

    # --- tasks

    def start(
        self,
        name: str,
        work: Callable[[], Any],
        *,
        seconds: float | None = None,
        on_end: Callable[[Task], None] = lambda task: None,
        entered: Callable[[], Callable[[], None]] | None = None,
        worker: Any = None,
    ) -> Task:
        """Start `work` as a task, now. `seconds`: after which its process is stopped.

        `entered` saves what belongs to the task whenever it is left, and returns what restores it.
        """
        self._names[name] += 1
        task = Task(
            key=f"{name}/{self._names[name]}",
            run=None,
            deadline=None if seconds is None else self.at + round(seconds * MICROSECONDS),
            on_end=on_end,
            entered=entered,
            worker=worker,
        )
        task.run = greenlet(lambda: self._body(task, work), parent=self._hub)
        self._tasks.append(task)
        self.after(0, lambda: self._resume(task))
        return task

    def _body(self, task: Task, work: Callable[[], Any]) -> None:
        try:
            task.result = work()
        except GreenletExit:
            return
        except Exception as error:  # noqa: BLE001 - whoever started the task decides what its failure means
            task.error = error
        task.finished = True
        if task.error is not None and task.worker is None:
            self.bugs.append(task.error)
        self._ended(task)

    def _ended(self, task: Task) -> None:
        task.alive = False
        self.after(0, lambda: task.on_end(task))
        for waiter in task.waiters:
            self.after(0, lambda waiter=waiter: self._resume(waiter))  # type: ignore[misc]

    def _resume(self, task: Task) -> None:
        if not task.alive:
            return
        before, self.current = self.current, task
        task.run.switch()
        self.current = before

    def _leave(self) -> None:
        """Give the turn back, until somebody resumes this task."""
        task = self.current
        assert task is not None
        restore = task.entered() if task.entered is not None else None
        self._hub.switch()
        if self.closed:
            raise GreenletExit
        if restore is not None:
            restore()

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass in the current task; the process may be stopped meanwhile."""
        task = self.current
        if self.closed:
            raise GreenletExit
        assert task is not None
        wake = self.at + max(0, round(seconds * MICROSECONDS))
        if task.deadline is not None and wake >= task.deadline:
            self.chance.note("timed out by Lambda", task.key)
            self.tell(f"{task.key} is out of time and stopped")
            self.after((task.deadline - self.at) / MICROSECONDS, lambda: self._kill(task))
        else:
            self.after(seconds, lambda: self._resume(task))
        self._leave()

    def wait_for(self, other: Task) -> None:
        """Until `other` has ended, however it ended."""
        task = self.current
        assert task is not None
        if other.alive:
            other.waiters.append(task)
            self._leave()

    def die(self) -> None:
        """The process of the current task is gone."""
        task = self.current
        assert task is not None
        self.after(0, lambda: self._kill(task))
        self._leave()

    def _kill(self, task: Task) -> None:
        if task.alive:
            self._ended(task)

    def close(self) -> None:
        """Let go of every task that was left in the middle."""
        self.closed = True
        self._heap.clear()
        for task in self._tasks:
            if task.run and not task.run.dead:
                task.run.throw(GreenletExit)
        self._tasks.clear()
