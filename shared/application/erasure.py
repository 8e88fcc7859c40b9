"""Erasing a user: everything held here, the user at Powens, and whatever points to either.

Level-triggered like the rest: a mark on the user comes first, and everything after follows from it, so the work may be
killed anywhere, repeated and doubled. From the mark on nothing is read back, carried out or created for the user, and
Powens is asked one thing only: to delete the user. The mark goes last, together with the receipt and the event, so each
erasure ends exactly once (ADR 0020).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.application.access import Access
from shared.application.budget import Budget
from shared.application.ports import Answer, Clock, NewId, PowensAccess, PowensUsers, StaleWriteError
from shared.application.request import Request
from shared.application.writing import Draft
from shared.domain.erasure import QUIET_FOR, Erasure
from shared.domain.errors import ErasureUnfinished, Unavailable

SECONDS_LEFT = 5.0
"""The work stops while there is time to say that it has to go on."""
PATIENCE = 130.0
"""Seconds between two attempts while Powens is away: so that thirty of them last longer than `LATE_AFTER`."""


class ErasureStore(Protocol):
    """What an erasure writes. Every method may raise StoreUnavailable."""

    def begin_erasure(self, user_id: str, erasure: Erasure, *, answer: Answer | None = None) -> None:
        """Mark the user, keep the receipt-to-be and queue the work, in one transaction.

        From then on `access` shows the erasure, and nothing new can be written for the user. Raises StaleWriteError
        when an erasure is under way, TakenError when `answer`'s key is taken.
        """

    def erase_items(self, user_id: str, *, in_time: Callable[[], bool]) -> bool:
        """Delete all that is held of the user and all that points to it, but the mark; connections first.

        False when `in_time` said no before it was done: call again. Harmless to repeat.
        """

    def end_erasure(self, access: PowensAccess, *, ended_at: datetime) -> None:
        """Delete the mark, write the receipt and publish `UserErased`, in one transaction, once.

        Raises StaleWriteError when that has happened before.
        """


@dataclass(frozen=True, slots=True)
class BeginErasure:
    store: ErasureStore
    users: PowensUsers
    clock: Clock
    new_id: NewId

    def run(self, request: Request) -> Draft[Erasure]:
        """The erasure that is then under way: a new one, or the one that was begun before, which writes nothing."""
        access = self.users.access(request.user_id)
        if access is not None and access.erasure is not None:
            return Draft(access.erasure, lambda _: None)
        erasure = Erasure(id=self.new_id(), requested_at=self.clock(), correlation_id=request.correlation_id)

        def begin(answer: Answer | None) -> None:
            self.store.begin_erasure(request.user_id, erasure, answer=answer)

        return Draft(erasure, begin)


@dataclass(frozen=True, slots=True)
class Erase:
    store: ErasureStore
    users: PowensUsers
    access: Access
    clock: Clock
    remaining_seconds: Callable[[], float]
    budget: Budget

    def run(self, user_id: str, erasure_id: str) -> None:
        """Raises Unavailable while it has to go on; returns once it has ended, whoever ended it."""
        access = self.users.access(user_id)
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
