"""What reading by expectation costs and how late it notices, beside a read of everybody twice a day: `make staleness`.

A model of users, their connections at Powens, webhooks that get lost, and housekeeping. When a connection is due is the
product's own answer (`shared/domain/expectation.py`); Powens and the rule of before are a few lines here. Stale is how
long after a synchronisation a read showed it.
"""

import heapq
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from shared.application.budget import CALLS_OF_A_READ
from shared.domain.connection import Connection
from shared.domain.expectation import all_due_at, asked_again_at, due_at, learned
from shared.domain.facts import Cause
from shared.domain.observation import Institution

START = datetime(2026, 3, 5, tzinfo=UTC)
DAY = timedelta(days=1)
WEBHOOK_AFTER = timedelta(seconds=5)
PASS = timedelta(minutes=1)
READ_TWICE_A_DAY = timedelta(hours=12)
"""What housekeeping did before: at most, and up to a tenth earlier."""
LOST = (0.0, 0.01, 0.1, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Powens:
    """How Powens might be. `late`: hours after its plan; `told`: `next_try` as it shows it of (plan, now).

    `zone`: how far its dates are from what we take them for. `frozen`: the share of connections that end in their first
    week, without a word.
    """

    name: str
    late: Callable[[random.Random], float] = lambda dice: dice.expovariate(20)
    told: Callable[[datetime, datetime], datetime | None] = lambda plan, now: plan
    zone: timedelta = timedelta()
    frozen: float = 0.0


AS_DOCUMENTED = Powens(name="as documented")
WORLDS = (
    AS_DOCUMENTED,
    Powens(name="two hours late each time", late=lambda dice: 2 + dice.expovariate(20)),
    Powens(name="up to three hours late", late=lambda dice: dice.uniform(0, 3)),
    Powens(name="dates in UTC, not in Paris'", zone=-timedelta(hours=2)),
    Powens(name="dates an hour ahead", zone=timedelta(hours=1)),
    Powens(name="no next_try", told=lambda plan, now: None),
    Powens(name="next_try long past", told=lambda plan, now: START - 400 * DAY),
    Powens(name="next_try far ahead", told=lambda plan, now: now + 400 * DAY),
    Powens(name="next_try always in a moment", told=lambda plan, now: now + timedelta(minutes=5)),
    Powens(name="one connection in ten freezes", frozen=0.1),
)


@dataclass(slots=True)
class AtPowens:
    """One connection at Powens. `unseen`: when it was synchronised without a read that showed it, oldest first."""

    held: Connection
    plan: datetime
    done: datetime = START
    frozen_at: datetime | None = None
    unseen: list[datetime] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """`reads` that nobody hinted at, by when; `stale` in seconds, one for each synchronisation."""

    users: int
    days: int
    reads: list[datetime] = field(default_factory=list)
    stale: list[float] = field(default_factory=list)

    @property
    def calls(self) -> float:
        """To Powens, for each user on each day, that no hint asked for."""
        return len(self.reads) * CALLS_OF_A_READ / self.users / self.days

    def percentile(self, percent: float) -> timedelta:
        ordered = sorted(self.stale)
        return timedelta(seconds=ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))])

    @property
    def busiest_minute(self) -> int:
        """The most users who were read in one minute."""
        minutes: dict[datetime, int] = {}
        for at in self.reads:
            minute = at.replace(second=0, microsecond=0)
            minutes[minute] = minutes.get(minute, 0) + 1
        return max(minutes.values(), default=0)


class Model:
    """Some users for some days, as `powens` is, with this share of the webhooks lost.

    `by_expectation` False: everybody is read twice a day. `together`: all connections are planned for one minute.
    """

    def __init__(
        self,
        powens: Powens,
        lost: float,
        *,
        by_expectation: bool = True,
        users: int = 150,
        days: int = 42,
        together: bool = False,
        warm_up: int = 14,
    ) -> None:
        self.powens, self.lost, self.by_expectation = powens, lost, by_expectation
        self.end = START + days * DAY
        self.measured_from = START + warm_up * DAY
        self.measured = Measured(users, days - warm_up)
        self._queue: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = 0
        for number in range(users):
            _User(self, f"user-{number}", random.Random(f"{powens.name} {number}"), together=together)

    def run(self) -> Measured:
        while self._queue:
            at, _, act = heapq.heappop(self._queue)
            act(at)
        return self.measured

    def at(self, when: datetime, act: Callable[[datetime], None]) -> None:
        if when < self.end:
            self._order += 1
            heapq.heappush(self._queue, (when, self._order, act))


class _User:
    def __init__(self, model: Model, user_id: str, dice: random.Random, *, together: bool) -> None:
        self.model, self.user_id, self.dice = model, user_id, dice
        self.connections: list[AtPowens] = []
        for number in range(dice.choice((1, 1, 1, 2, 2, 3))):
            plan = START + DAY * (0.2 if together else dice.random())
            mine = AtPowens(_connected(user_id, number), plan)
            if dice.random() < model.powens.frozen:
                mine.frozen_at = START + 7 * DAY * dice.random()
            self.connections.append(mine)
            self._read(mine, START, Cause.WEBVIEW)
            model.at(plan, partial(self._synchronised, mine))
        self.look = START
        self.listed_at = START
        self._plan(START + timedelta(hours=1))

    # --- Powens

    def _synchronised(self, mine: AtPowens, at: datetime) -> None:
        if mine.frozen_at is not None and at >= mine.frozen_at:
            return
        mine.done, mine.plan = at, at + DAY
        mine.unseen.append(at)
        late = timedelta(hours=self.model.powens.late(self.dice))
        self.model.at(mine.plan + late, partial(self._synchronised, mine))
        if self.dice.random() >= self.model.lost:
            self.model.at(at + WEBHOOK_AFTER, lambda now: self._read(mine, now, Cause.BANK))

    def _read(self, mine: AtPowens, now: datetime, trigger: Cause) -> None:
        zone, frozen = self.model.powens.zone, mine.frozen_at is not None and now >= mine.frozen_at
        told = None if frozen else self.model.powens.told(mine.plan, now)
        shown = mine.done + zone
        after = replace(
            mine.held,
            # A date ahead of our clock is taken for none (`Fields.past`).
            last_success_at=shown if shown <= now else mine.held.last_success_at,
            next_try=None if told is None else told + zone,
            read_started_at=now,
        )
        mine.held = learned(mine.held, after, trigger)
        if now >= self.model.measured_from:
            self.model.measured.stale += [(now - at).total_seconds() for at in mine.unseen]
        mine.unseen.clear()
        if trigger is Cause.BANK and self.model.by_expectation and (due := due_at(mine.held)) < self.look:
            self._plan(due)

    # --- housekeeping

    def _plan(self, at: datetime) -> None:
        self.look = at
        self.model.at(at + PASS * self.dice.random(), lambda now: self._looked_at(at, now))

    def _looked_at(self, planned: datetime, now: datetime) -> None:
        if planned != self.look:
            return  # brought forward meanwhile
        if not self.model.by_expectation:
            self._read_all(now)
            self._plan(now + READ_TWICE_A_DAY * (1 - 0.1 * self.dice.random()))
            return
        due = all_due_at(self.user_id, [mine.held for mine in self.connections], self.listed_at, None)
        assert due is not None
        if due > now:
            self._plan(due)
            return
        self.listed_at = now
        self._plan(asked_again_at(due, now))
        self._read_all(now)

    def _read_all(self, now: datetime) -> None:
        if now >= self.model.measured_from:
            self.model.measured.reads.append(now)
        for mine in self.connections:
            self._read(mine, now, Cause.RECONCILIATION)


def _connected(user_id: str, number: int) -> Connection:
    return Connection(
        id=f"connection-{user_id}-{number}",
        user_id=user_id,
        powens_user_id=41,
        powens_id=77 + number,
        institution=Institution(id="bank", name="Banque du Test"),
        created_at=START,
        read_started_at=START,
    )


def report(worlds: Sequence[Powens] = WORLDS, lost: Sequence[float] = LOST, *, users: int = 150) -> Iterable[str]:
    yield f"{'Powens':30} {'lost':>5} {'calls per user and day':>28}  {'stale p50 / p99 / max: before':>32} {'now':>26}"
    for powens in worlds:
        for share in lost:
            before = Model(powens, share, by_expectation=False, users=users).run()
            now = Model(powens, share, users=users).run()
            calls = f"{before.calls:.2f} -> {now.calls:.2f} ({now.calls / before.calls:.0%})"
            yield f"{powens.name:30} {share:5.0%} {calls:>28}  {_spread(before):>32} {_spread(now):>26}"
    herd = Model(AS_DOCUMENTED, 1.0, users=5 * users, days=4, warm_up=2, together=True).run()
    yield f"{5 * users} users planned for one minute, no webhook: at most {herd.busiest_minute} are read in a minute"


def _spread(measured: Measured) -> str:
    return " / ".join(_words(measured.percentile(percent)) for percent in (50, 99, 100))


def _words(age: timedelta) -> str:
    seconds = age.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    for line in report():
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
