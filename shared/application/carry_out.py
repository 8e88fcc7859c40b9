"""Carrying an operation out at Powens: the enable/disable worker.

Everything it does follows from the ledger, so a repeated, late or doubled command finds nothing left to do. It may be
killed anywhere: what Powens was told but we did not write down is seen by the next read.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.application.access import Access
from shared.application.budget import CALLS_OF_A_READ, Budget
from shared.application.changes import Changes
from shared.application.ports import Clock, Connections, PowensUser
from shared.application.removal import Removal
from shared.domain import ledger
from shared.domain.connection import Connection, Operation, OperationKind, OperationStatus
from shared.domain.errors import (
    AnswerLost,
    AppError,
    NewerVersion,
    NotFound,
    NotYetVisible,
    PowensForbidden,
    PowensNotFound,
    PowensRefused,
    PowensUserGone,
    Unavailable,
    UserBeingErased,
)
from shared.domain.facts import Cause
from shared.domain.ledger import Order, OrderResult, Outcome
from shared.domain.observation import ObservedConnection
from shared.domain.status import just_refreshed

type Others = tuple[Connection, ...]

_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Raises Unavailable while the operation has to go on; returns once it has ended, whoever ended it."""

    store: Connections
    access: Access
    changes: Changes
    removal: Removal
    clock: Clock
    budget: Budget

    def run(self, user_id: str, connection_id: str, operation_id: str, *, first_attempt: bool) -> None:
        held = self.store.connection(user_id, connection_id)
        operation = _open_operation(held, operation_id)
        if held is None or operation is None:
            return
        try:
            self._carry_out(held, operation, first_attempt=first_attempt)
        except UserBeingErased:
            return  # with everything that there was to do

    def _carry_out(self, held: Connection, operation: Operation, *, first_attempt: bool) -> None:
        if self.clock() >= operation.deadline_at:
            self._change(operation, self._expire)
            return
        # Restorations can come in thousands, when Powens re-creates a bank's accounts: nobody has tapped for them.
        calls = len(ledger.orders(held)) + CALLS_OF_A_READ * (1 if first_attempt else 2)
        self.budget.admit(calls, sweep=operation.kind is OperationKind.RESTORATION)
        asked = self.clock()
        try:
            powens = self.access.of(held.user_id)
        except NotFound:
            # The Powens user of this connection went while the command was on its way.
            self.removal.connection(held, cause=Cause.BANK, at=asked, correlation_id=operation.correlation_id)
            return
        try:
            match operation.kind:
                case OperationKind.DELETION:
                    self._delete(powens, held, operation)
                case OperationKind.REFRESH:
                    self._refresh(powens, held, operation, first_attempt=first_attempt)
                case OperationKind.SELECTION | OperationKind.RESTORATION:
                    self._select(powens, held, operation, first_attempt=first_attempt)
                case _:
                    raise NewerVersion("an operation of another kind")
        except PowensUserGone:
            self.removal.powens_user(
                held.user_id,
                held.powens_user_id,
                cause=Cause.BANK,
                at=asked,
                correlation_id=operation.correlation_id,
            )
        except PowensForbidden as error:
            self._forbidden(operation, error)

    def _forbidden(self, operation: Operation, error: PowensForbidden) -> None:
        """End what waiting cannot help. What Powens has acknowledged before may still be seen: that goes on."""
        if not operation.of_choices:
            self._change(operation, lambda c: self._end(c, operation, OperationStatus.FAILED, error.code))
            return
        at = self.clock()

        def refuse(now_held: Connection) -> Outcome:
            refused = [OrderResult(order=order, refusal=error.code) for order in ledger.orders(now_held)]
            return ledger.record(now_held, refused, operation_id=operation.id, at=at, now=self.clock())

        held = self._change(operation, refuse).connection
        if _open_operation(held, operation.id) is not None:
            raise error

    def _select(self, powens: PowensUser, held: Connection, operation: Operation, *, first_attempt: bool) -> None:
        """At most one update per changed account, one read-back, one write."""
        if not first_attempt:
            # An earlier attempt may have told Powens more than it could write down: look before ordering again.
            before = self._read(powens, held, operation)
            if before is None:
                return
            held = self._learn(operation, lambda c, others: self._reconcile(c, before, operation, others)).connection
            if _open_operation(held, operation.id) is None:
                return
        results, lost, trouble = _order(powens, ledger.orders(held))
        at = self.clock()

        def note(now_held: Connection) -> Outcome:
            return ledger.record(now_held, results, operation_id=operation.id, at=at, now=self.clock())

        if trouble is not None:
            self._change(operation, note)
            raise trouble
        if results or lost or first_attempt:
            try:
                seen = self._read(powens, held, operation)
            except AppError:
                self._change(operation, note)  # what Powens acknowledged is not asked twice
                raise
            if seen is None:
                return

            def note_and_read(now_held: Connection, others: Others) -> Outcome:
                noted = note(now_held)
                denied = frozenset(order.order.powens_id for order in lost)
                read = ledger.then(noted, self._reconcile(noted.connection, seen, operation, others, denied))
                # Last: an account that was only renumbered has its new id now, and is ordered under that.
                missed = ledger.record(read.connection, lost, operation_id=operation.id, at=at, now=self.clock())
                return ledger.then(read, missed)

            held = self._learn(operation, note_and_read).connection
        if _open_operation(held, operation.id) is not None:
            raise NotYetVisible

    def _refresh(self, powens: PowensUser, held: Connection, operation: Operation, *, first_attempt: bool) -> None:
        """Ask once, then read until the data is newer.

        A conflict says that Powens has synchronised lately, or is at it. When an earlier attempt may have asked, this
        may be its very synchronisation: then it is no answer, nor is one that was lost on its way. Nor is it one when
        SQS has delivered the command twice at once and Powens took the other request, which has marked the operation.
        """
        refused = False
        if operation.status is OperationStatus.PENDING:
            try:
                powens.force_sync(held.powens_id)
            except AnswerLost:
                pass
            except (PowensUserGone, PowensForbidden):
                raise
            except PowensRefused as error:
                if error.status not in (_CONFLICT, _NOT_FOUND):
                    self._change(
                        operation, lambda c: self._end(c, operation, OperationStatus.FAILED, "refresh_refused")
                    )
                    return
                refused = first_attempt
            if not refused:
                at = self.clock()
                self._change(
                    operation, lambda c: ledger.record(c, (), operation_id=operation.id, at=at, now=self.clock())
                )
        seen = self._read(powens, held, operation)
        if seen is None:
            return
        held = self._learn(operation, lambda c, others: self._reconcile(c, seen, operation, others)).connection
        still = _open_operation(held, operation.id)
        if still is None:
            return
        if refused and still.status is OperationStatus.PENDING:
            recent = just_refreshed(held.last_success_at, self.clock())
            status = OperationStatus.COMPLETED if recent else OperationStatus.FAILED
            reason = "just_refreshed" if recent else "refresh_refused"
            self._change(operation, lambda c: self._end(c, operation, status, reason))
            return
        raise NotYetVisible

    def _delete(self, powens: PowensUser, held: Connection, operation: Operation) -> None:
        try:
            powens.delete_connection(held.powens_id)
        except (PowensUserGone, PowensForbidden):
            raise
        except PowensRefused:
            self._change(operation, lambda c: self._end(c, operation, OperationStatus.FAILED, "refused_by_powens"))
            return
        at = self.clock()
        self._change(operation, lambda c: ledger.remove(c, cause=Cause.USER, at=at, now=self.clock()))

    def _read(self, powens: PowensUser, held: Connection, operation: Operation) -> ObservedConnection | None:
        """The connection, or None when Powens has it no more: then it is removed, which ends its operations.

        As in `read_back`, a 404 counts once a list that works lacks the connection too.
        """
        try:
            return powens.read_connection(held.powens_id)
        except PowensNotFound:
            asked = self.clock()
            if any(other.powens_id == held.powens_id for other in powens.read_all()):
                raise NotYetVisible from None
            self.removal.connection(held, cause=Cause.BANK, at=asked, correlation_id=operation.correlation_id)
            return None

    def _reconcile(
        self,
        held: Connection,
        seen: ObservedConnection,
        operation: Operation,
        others: Others,
        denied: frozenset[int] = frozenset(),
    ) -> Outcome:
        return ledger.reconcile(
            held,
            seen,
            user_id=held.user_id,
            powens_user_id=held.powens_user_id,
            trigger=Cause.RECONCILIATION if operation.kind is OperationKind.RESTORATION else Cause.USER,
            correlation_id=operation.correlation_id,
            now=self.clock(),
            others=others,
            denied=denied,
        )

    def _end(self, held: Connection, operation: Operation, status: OperationStatus, reason: str) -> Outcome:
        return ledger.end_operation(held, operation.id, status, reason, self.clock())

    def _expire(self, held: Connection) -> Outcome:
        return ledger.expire(held, self.clock())

    def _change(self, operation: Operation, decide: Callable[[Connection], Outcome]) -> Outcome:
        return self._learn(operation, lambda held, _: decide(held))

    def _learn(self, operation: Operation, decide: Callable[[Connection, Others], Outcome]) -> Outcome:
        """Change the connection by what was read, which may bring an account from another connection."""

        def on_newest(held: Connection | None, others: Others) -> Outcome:
            if held is None:
                raise UserBeingErased  # nothing else deletes a connection that has an operation
            return decide(held, others)

        return self.changes.apply(
            operation.user_id, operation.connection_id, on_newest, correlation_id=operation.correlation_id
        )


def _open_operation(held: Connection | None, operation_id: str) -> Operation | None:
    if held is None:
        return None
    return next((operation for operation in held.operations if operation.id == operation_id), None)


def _order(
    powens: PowensUser, orders: tuple[Order, ...]
) -> tuple[list[OrderResult], list[OrderResult], Unavailable | None]:
    """Tell Powens, account by account; what one account is refused does not stop the others, trouble does.

    Returns the answers, the accounts to enable that Powens does not know under their id, and the trouble.
    """
    results: list[OrderResult] = []
    lost: list[OrderResult] = []
    for order in orders:
        try:
            powens.set_account_enabled(order.powens_id, order.enabled)
        except PowensNotFound:
            (lost if order.enabled else results).append(OrderResult(order=order, refusal="not_found_at_powens"))
        except PowensUserGone:
            raise
        except PowensRefused as error:
            results.append(OrderResult(order=order, refusal=error.code))
        except Unavailable as error:
            return results, lost, error
        else:
            results.append(OrderResult(order=order))
    return results, lost, None
