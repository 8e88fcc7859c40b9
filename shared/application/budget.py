"""What all workers together may ask of Powens, so that no sweep starves somebody who waits.

Two things are shared, in the table (ADR 0021): a pause, which begins for everybody when Powens answers 429 to anybody,
or when an operator wants one (ADR 0046); and, where a limit is set, what was asked in the current minute. Somebody's
tap may use all of the limit; reads that nobody waits for, and our own restorations, stop at half of it. So while taps
need no more than the other half, none waits.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.ports import Clock
from shared.domain.errors import PowensBusy

USUAL_PAUSE = timedelta(seconds=30)
"""When Powens does not say how long to wait."""
LONGEST_PAUSE = timedelta(minutes=15)
"""Who is told to wait for longer does; the others ask again after this long, one refusal each time."""
CALLS_OF_A_READ = 2
"""Connections and accounts; each further page is one more, which is not counted."""
MINUTE = timedelta(minutes=1)


class BudgetStore(Protocol):
    """What all workers share about asking Powens. Every method may raise StoreUnavailable."""

    def paused_until(self) -> datetime | None:
        """When Powens may be asked again; None when there is no pause."""

    def pause(self, until: datetime) -> None:
        """Nobody asks before `until`; a longer pause that is on stays."""

    def spend(self, minute: datetime, calls: int, *, most: int) -> bool:
        """Add to the calls of a minute, unless they would be more than `most`: then False, and nothing is added."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`calls_per_minute` 0 is no limit: then only the pause counts, at the price of one GetItem per piece of work."""

    store: BudgetStore
    clock: Clock
    calls_per_minute: int

    def admit(self, calls: int, *, sweep: bool) -> None:
        """Before a piece of work that makes about so many calls. Raises PowensBusy."""
        self.look_at_the_pause()
        if not self.calls_per_minute:
            return
        now = self.clock()
        most = self._sweep_calls if sweep else self.calls_per_minute
        minute = now.replace(second=0, microsecond=0)
        # Work that is larger than a minute's share has to begin some time: it takes the whole of an unused one.
        if not self.store.spend(minute, min(calls, most), most=most):
            raise PowensBusy("this minute's calls are used up", retry_after=_seconds(minute + MINUTE - now))

    def look_at_the_pause(self) -> None:
        """Before what is no call of the API, such as a public file. Raises PowensBusy."""
        now, paused_until = self.clock(), self.store.paused_until()
        if paused_until is not None and paused_until > now:
            # A pause may be ended before its time, and what was put off must notice.
            raise PowensBusy("Powens is not to be asked", retry_after=_seconds(min(paused_until - now, LONGEST_PAUSE)))

    def throttled(self, retry_after: float | None) -> None:
        """Powens answered 429: nobody asks before `retry_after` seconds are over."""
        pause = USUAL_PAUSE if retry_after is None else min(timedelta(seconds=retry_after), LONGEST_PAUSE)
        self.store.pause(self.clock() + pause)

    def users_per_pass(self, most: int) -> int:
        """How many users a pass of a minute may send to be read back; `most` where there is no limit of calls."""
        paused_until = self.store.paused_until()
        if paused_until is not None and paused_until > self.clock():
            return 0
        return max(1, self._sweep_calls // CALLS_OF_A_READ) if self.calls_per_minute else most

    @property
    def _sweep_calls(self) -> int:
        return max(1, self.calls_per_minute // 2)


def _seconds(wait: timedelta) -> float:
    """Whole seconds, upwards: queues know no smaller ones, and coming back too early is a wait more."""
    return float(math.ceil(wait.total_seconds()))
