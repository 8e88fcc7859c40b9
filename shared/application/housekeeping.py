"""What must happen even when nobody calls: operations end, and what was expected and did not come is read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.application.budget import Budget
from shared.application.changes import Changes
from shared.application.institutions import WatchIncidents
from shared.application.operations import OperationStore
from shared.application.ports import Appointments, Clock, Connections, NewId, PowensAccess
from shared.domain import ledger
from shared.domain.connection import Connection
from shared.domain.erasure import LATE_AFTER
from shared.domain.errors import AppError, NotFound
from shared.domain.expectation import all_due_at, asked_again_at
from shared.domain.hints import Hint, HintOrigin
from shared.domain.ledger import Outcome

MOST_OPERATIONS = 200
MOST_OPEN = 2000
"""Looked at per run, those that are nearest to their deadline first."""
MOST_ERASURES = 100
MOST_USERS = 400
"""Read per run, so in a minute, where no limit of calls says how many: who is left waits for later ones."""
MOST_LOOKS = 1000
"""At a time; a run goes on until nobody is left or `LONGEST_PLANNING` is over (docs/scale.md)."""
LONGEST_PLANNING = timedelta(seconds=40)
"""Of the minute that a run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How many operations were ended, users are going to be read back, erasures were found unfinished, incidents open.
    And how many `unconfirmed` connections are going to be ended.

    `ages` is for how long each open operation has been open. `lag_seconds` is for how long the user who has waited for
    longest had been due to be looked at or read back.
    """

    ended: int
    ages: tuple[timedelta, ...]
    unconfirmed: int
    planned: int
    late_erasures: int
    lag_seconds: int
    incidents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOperation:
    """`deadline_at` says its age, too: each gets `OPERATION_DEADLINE`."""

    user_id: str
    connection_id: str
    operation_id: str
    deadline_at: datetime


class OpenOperations(OperationStore, Protocol):
    """Every method may raise StoreUnavailable."""

    def open_operations(self, until: datetime, *, limit: int) -> list[OpenOperation]:
        """Those whose deadline is before `until`; of more than `limit`, about those with the nearest ones."""


class ReconciliationPlan(Appointments, Protocol):
    """When each user is looked at or read back next. Every method may raise StoreUnavailable."""

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...


class LateErasures(Protocol):
    """Erasures that have not ended in time. Every method may raise StoreUnavailable."""

    def due_erasures(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...

    def queue_erasure_again(self, access: PowensAccess, at: datetime) -> bool:
        """Queue the work of an erasure anew and look again `at`; False when somebody else did, or it has ended."""


class UnconfirmedConnections(Protocol):
    """Connections that nobody has confirmed in time. Every method may raise StoreUnavailable."""

    def due_unconfirmed(self, now: datetime, *, limit: int) -> list[tuple[str, str]]:
        """(user id, connection id) of those whose end has to be asked for now."""


class HintQueue(Protocol):
    def send(self, hints: Sequence[Hint]) -> None:
        """Queue hints for the read-back. Raises Unavailable when any was not queued."""


@dataclass(frozen=True, slots=True)
class KeepHouse:
    operations: OpenOperations
    connections: Connections
    plan: ReconciliationPlan
    erasures: LateErasures
    unconfirmed: UnconfirmedConnections
    changes: Changes
    queue: HintQueue
    clock: Clock
    new_id: NewId
    watch: WatchIncidents
    budget: Budget

    def run(self) -> Done:
        troubles: list[Exception] = []
        done: dict[str, Any] = {}
        for work in (
            self._end_overdue,
            self._end_unconfirmed,
            self._queue_erasures,
            self._watch_incidents,
            self._plan_reconciliation,
        ):
            try:
                done |= work()
            except (AppError, ExceptionGroup) as trouble:
                troubles.append(trouble)  # the other work must not wait for what ails this one
        if troubles:
            raise ExceptionGroup("housekeeping is not done", troubles)
        return Done(**done)

    def _end_overdue(self) -> dict[str, Any]:
        now = self.clock()
        found = self.operations.open_operations(now + ledger.OPERATION_DEADLINE, limit=MOST_OPEN)
        found.sort(key=lambda operation: operation.deadline_at)
        due = [operation for operation in found if operation.deadline_at < now][:MOST_OPERATIONS]
        troubles: list[AppError] = []
        for operation in due:
            try:
                self.changes.apply(
                    operation.user_id, operation.connection_id, self._expire, correlation_id=operation.operation_id
                )
            except NotFound as trouble:
                # The index lags behind: an erasure may have taken both meanwhile.
                if self.operations.operation(operation.user_id, operation.operation_id) is not None:
                    troubles.append(trouble)
            except AppError as trouble:
                troubles.append(trouble)  # one stuck operation must not keep the others open
        if troubles:
            raise ExceptionGroup(f"{len(troubles)} of {len(due)} operations could not be ended", troubles)
        ages = (now - operation.deadline_at + ledger.OPERATION_DEADLINE for operation in found)
        return {"ended": len(due), "ages": tuple(ages)}

    def _expire(self, held: Connection | None, _: tuple[Connection, ...]) -> Outcome:
        if held is None:
            raise NotFound("an operation without its connection", code="connection_not_found")
        return ledger.expire(held, self.clock())

    def _end_unconfirmed(self) -> dict[str, int]:
        """What a visit connected and nobody has confirmed is ended at Powens (ADR 0043)."""
        due = self.unconfirmed.due_unconfirmed(self.clock(), limit=MOST_OPERATIONS)
        troubles: list[AppError] = []
        for user_id, connection_id in due:
            operation_id = self.new_id()

            def decide(held: Connection | None, _: tuple[Connection, ...], operation_id: str = operation_id) -> Outcome:
                return ledger.end_unconfirmed(
                    held, self.clock(), operation_id=operation_id, correlation_id=operation_id
                )

            try:
                self.changes.apply(user_id, connection_id, decide, correlation_id=operation_id)
            except NotFound:
                continue  # the index lags behind: it is gone
            except AppError as trouble:
                troubles.append(trouble)
        if troubles:
            raise ExceptionGroup(f"{len(troubles)} of {len(due)} connections could not be ended", troubles)
        return {"unconfirmed": len(due)}

    def _plan_reconciliation(self) -> dict[str, int]:
        """Queue a read-only hint for each user of whom something is due, and look at the others when it will be."""
        began = self.clock()
        most = self.budget.users_per_pass(MOST_USERS)
        seen: set[str] = set()
        planned, lag = 0, timedelta()
        while True:
            found = self.plan.due_accesses(began, limit=MOST_LOOKS)
            found.sort(key=lambda access: access.reconcile_at or began)
            # The index lags behind: it may show again what has just been looked at.
            users = [access for access in found if access.powens_user_id is not None and access.user_id not in seen]
            seen |= {access.user_id for access in users}
            lag = max(lag, *(began - access.reconcile_at for access in users if access.reconcile_at), timedelta())
            planned += self._plan(users, most - planned)
            late = self.clock() - began > LONGEST_PLANNING
            if late or not users or planned == most or len(found) < MOST_LOOKS:
                return {"planned": planned, "lag_seconds": round(lag.total_seconds())}

    def _plan(self, users: list[PowensAccess], most: int) -> int:
        """Look at users, and queue hints for `most` of them at most. Returns for how many."""
        now = self.clock()
        due: list[tuple[PowensAccess, datetime]] = []
        for access in users:
            if len(due) == most:
                break  # nobody behind them may be read, so there is no use in a look
            at = self._due_at(access, now)
            if at <= now:
                due.append((access, at))
            else:
                self.plan.look_at(access, at, listed_at=None)
        # Queued first: killed in between, it is queued twice.
        self.queue.send([self._hint(access, now) for access, _ in due])
        for access, at in due:
            self.plan.look_at(access, asked_again_at(at, now, access.back_at), listed_at=now)
        return len(due)

    def _due_at(self, access: PowensAccess, now: datetime) -> datetime:
        if not access.only_look:
            return now
        held = self.connections.listed(access.user_id).connections
        return all_due_at(access.user_id, held, access.listed_at, access.back_at) or now

    def _hint(self, access: PowensAccess, now: datetime) -> Hint:
        assert access.powens_user_id is not None  # noqa: S101 - the caller has looked
        return Hint(
            powens_user_id=access.powens_user_id,
            powens_connection_id=None,
            origin=HintOrigin.SCHEDULE,
            reason="reconciliation",
            received_at=now,
            correlation_id=self.new_id(),
        )

    def _queue_erasures(self) -> dict[str, int]:
        """An erasure that its own command has not brought to an end in time is queued anew, until it ends."""
        now = self.clock()
        due = self.erasures.due_erasures(now, limit=MOST_ERASURES)
        return {"late_erasures": sum(self.erasures.queue_erasure_again(access, now + LATE_AFTER) for access in due)}

    def _watch_incidents(self) -> dict[str, int]:
        return {"incidents": len(self.watch.run())}
