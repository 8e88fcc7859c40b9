"""Erasing a user: everything held here, the user at Powens, and whatever points to either.

Level-triggered like the rest: a mark on the user comes first, and everything after follows from it, so the work may be
killed anywhere, repeated and doubled. From the mark on nothing is read back, carried out or created for the user, and
Powens is asked one thing only: to delete the user. The mark goes last, together with the receipt and the event, so each
erasure ends exactly once (ADR 0020).
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.application.access import Access
from shared.application.budget import Budget
from shared.application.ports import Answer, Clock, NewId, StaleWriteError, Store
from shared.domain.erasure import QUIET_FOR, Erasure
from shared.domain.errors import ErasureUnfinished, Unavailable

SECONDS_LEFT = 5.0
"""The work stops while there is time to say that it has to go on."""
PATIENCE = 130.0
"""Seconds between two attempts while Powens is away: so that thirty of them last longer than `LATE_AFTER`."""


@dataclass(frozen=True, slots=True)
class BeginErasure:
    store: Store
    clock: Clock
    new_id: NewId

    def __call__(self, user_id: str, *, correlation_id: str, keep: Callable[[Erasure], Answer | None]) -> Erasure:
        """The erasure that now is under way: a new one, or the one that was begun before."""
        for _ in range(2):
            access = self.store.access(user_id)
            if access is not None and access.erasure is not None:
                return access.erasure
            erasure = Erasure(id=self.new_id(), requested_at=self.clock(), correlation_id=correlation_id)
            try:
                self.store.begin_erasure(user_id, erasure, answer=keep(erasure))
            except StaleWriteError:
                continue  # begun on another device at the same time
            return erasure
        raise Unavailable("erasures of one user keep beginning and ending", retry_after=1)


@dataclass(frozen=True, slots=True)
class Erase:
    store: Store
    access: Access
    clock: Clock
    remaining_seconds: Callable[[], float]
    budget: Budget

    def __call__(self, user_id: str, erasure_id: str) -> None:
        """Raises Unavailable while it has to go on; returns once it has ended, whoever ended it."""
        access = self.store.access(user_id)
        if access is None or access.erasure is None or access.erasure.id != erasure_id:
            return
        self._erase_items(user_id)
        quiet = (access.erasure.requested_at + QUIET_FOR - self.clock()).total_seconds()
        if quiet > 0:
            # What began before the mark may still write, or call Powens. What it writes is erased below.
            raise ErasureUnfinished("waiting for what began before", retry_after=quiet)
        try:
            if access.powens_user_id is not None:
                self.budget.admit(1, sweep=False)
                self.access.delete_powens_user(access)
        except Unavailable as error:
            raise ErasureUnfinished("Powens is not available", retry_after=error.retry_after or PATIENCE) from error
        self._erase_items(user_id)
        try:
            self.store.end_erasure(access, ended_at=self.clock())
        except StaleWriteError:
            return

    def _erase_items(self, user_id: str) -> None:
        if not self.store.erase_items(user_id, in_time=lambda: self.remaining_seconds() > SECONDS_LEFT):
            raise ErasureUnfinished("there is more than fits one run", retry_after=1)
