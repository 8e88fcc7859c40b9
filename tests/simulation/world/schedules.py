"""What comes by by itself: schedules, and DynamoDB's late deletions."""

from collections.abc import Collection
from datetime import datetime

from tests.simulation.engine import MICROSECONDS, START, Chance, Task
from tests.simulation.world.processes import Processes

EXPIRE_EVERY = 6 * 3600
LATEST_EXPIRY = 48 * 3600
"""Seconds after which DynamoDB has deleted nearly everything that is expired."""
ORPHANS_FIRST = 18 * 3600
CATALOGUE_FIRST = 0.5
CATALOGUE_EVERY = 24 * 3600
"""Seldomer than in the template: in hours in which nothing has changed at Powens it would find nothing."""
DUE = ("OPERATION#", "RECONCILE#", "ERASURE#")
"""What waits for housekeeping in the index; the rest of it is only counted there."""


class Schedules(Processes):
    """Housekeeping every minute that has something due, expiry, the check for orphans, the catalogue."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        self.housekeeping_done: list[int] = []
        self.catalogue_renewed: list[int] = []
        self._house_at: int | None = None
        self.expired = 0
        """Items that DynamoDB deleted for their `ttl`, late as ever."""
        self.engine.after(EXPIRE_EVERY, self._expire)
        self.engine.after(ORPHANS_FIRST, self._check_orphans)
        self.engine.after(CATALOGUE_FIRST, self._renew_catalogue)

    def _plan_housekeeping(self) -> None:
        due = self.table.next_due(DUE)
        if due is None:
            return
        at = round((datetime.fromisoformat(due.split("#")[0]) - START).total_seconds() * MICROSECONDS)
        minute = 60 * MICROSECONDS
        planned = (max(at, self.engine.at) // minute + 1) * minute
        if self._house_at is not None and self.engine.at < self._house_at <= planned:
            return
        self._house_at = planned

        def tick() -> None:
            if self._house_at == planned:
                self._house_at = None
                self._keep_house()

        self.engine.after((planned - self.engine.at) / MICROSECONDS, tick)

    def _keep_house(self) -> None:
        def ended(task: Task) -> None:
            if task.finished and task.error is None:
                self.housekeeping_done.append(self.engine.at)

        if self.chance.happens("scheduler misses a minute", f"minute/{self.engine.at}"):
            self.engine.tell("the scheduler misses a minute")
        else:
            self.invoke("housekeeping", {"version": "0", "source": "aws.scheduler"}, "minute", ended)
        self._plan_housekeeping()

    def _expire(self) -> None:
        late = self.chance.between(0, LATEST_EXPIRY, "expiry", self.engine.at)
        self.expired += self.table.expire(START.timestamp() + self.engine.at / MICROSECONDS - late)
        self.engine.after(EXPIRE_EVERY, self._expire)

    def _check_orphans(self) -> None:
        self.invoke("orphan_check", {"version": "0", "source": "aws.scheduler"}, "day")
        self.engine.after(24 * 3600, self._check_orphans)

    def renew_catalogue(self) -> None:
        """As at the full hour; repeated as an asynchronous invocation is, then left to the next hour."""

        def ended(task: Task, attempt: int) -> None:
            if task.finished and task.error is None:
                self.catalogue_renewed.append(self.engine.at)
            else:
                self.engine.after(60 if attempt < 3 else 3600, lambda: begin(attempt + 1))

        def begin(attempt: int) -> None:
            event = {"version": "0", "source": "aws.scheduler"}
            self.invoke("institution_catalogue", event, "hour", lambda task: ended(task, attempt))

        begin(1)

    def _renew_catalogue(self) -> None:
        self.renew_catalogue()
        self.engine.after(CATALOGUE_EVERY, self._renew_catalogue)
