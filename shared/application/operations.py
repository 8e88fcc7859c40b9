"""Recording what a user asks for. The answer is an operation; the work is done by `carry_out`, told by the outbox."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.application.changes import Changes
from shared.application.institutions import folded
from shared.application.ports import Answer, Clock, Connections, NewId
from shared.domain import ledger
from shared.domain.connection import Connection, Operation, OperationKind
from shared.domain.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from shared.domain.ledger import Outcome

type Wants = Callable[[Connection], dict[str, bool]]
type Keep = Callable[[Operation], Answer | None]
"""Turns the operation into the answer to keep for the request's idempotency key, if it has one."""


class _MovedError(Exception):
    """An account of the operation is no longer in its connection. Never leaves this module."""


class OperationStore(Protocol):
    def operation(self, user_id: str, operation_id: str) -> Operation | None:
        """May raise StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class RecordOperation:
    """Raises NotFound for a connection, account or operation that is not this user's."""

    store: OperationStore
    connections: Connections
    changes: Changes
    clock: Clock
    new_id: NewId

    def choose(
        self,
        user_id: str,
        connection_id: str,
        wants: Wants,
        *,
        allowed: Callable[[Connection], bool] = lambda _: True,
        insist: bool = False,
        correlation_id: str,
        keep: Keep,
    ) -> Operation:
        """Raises PreconditionFailed when the connection is not, or no longer, `allowed`; InvalidInput as the ledger."""
        operation_id = self.new_id()

        def decide(held: Connection) -> Outcome:
            if not allowed(held):
                raise PreconditionFailed("the connection has changed")
            return ledger.choose(
                held,
                wants(held),
                operation_id=operation_id,
                correlation_id=correlation_id,
                now=self.clock(),
                insist=insist,
            )

        return self._record(user_id, connection_id, operation_id, decide, correlation_id, keep)

    def begin(
        self,
        user_id: str,
        connection_id: str,
        kind: OperationKind,
        *,
        correlation_id: str,
        keep: Keep,
        confirmed: Callable[[Connection], bool] = lambda _: False,
    ) -> Operation:
        """A refresh, or the end of the connection, which must be `confirmed`: by its institution's name."""
        operation_id = self.new_id()

        def decide(held: Connection) -> Outcome:
            if kind is OperationKind.DELETION and not confirmed(held):
                raise InvalidInput("not the institution's name", code="confirmation_mismatch", field="confirm")
            return ledger.begin(held, kind, operation_id=operation_id, correlation_id=correlation_id, now=self.clock())

        return self._record(user_id, connection_id, operation_id, decide, correlation_id, keep)

    def undo(self, user_id: str, operation_id: str, *, correlation_id: str, keep: Keep) -> Operation:
        """A new operation that restores the selection before `operation_id`.

        Raises Conflict when it is too late, or when its accounts have moved to several connections since.
        """
        undone = self.store.operation(user_id, operation_id)
        if undone is None:
            raise NotFound("no such operation", code="operation_not_found")
        before = ledger.undo(undone, self.clock())

        def all_here(held: Connection) -> dict[str, bool]:
            if any(held.account(wanted_id) is None for wanted_id in before):
                raise _MovedError
            return before

        def here(held: Connection) -> dict[str, bool]:
            return {wanted_id: wanted for wanted_id, wanted in before.items() if held.account(wanted_id) is not None}

        try:
            return self.choose(user_id, undone.connection_id, all_here, correlation_id=correlation_id, keep=keep)
        except _MovedError:
            listed = self.connections.listed(user_id)
            places = {found.id for wanted_id in before if (found := listed.having(wanted_id)) is not None}
            if len(places) > 1:
                raise Conflict("the accounts have moved apart", code="not_undoable") from None
            place = next(iter(places), undone.connection_id)
            return self.choose(user_id, place, here, correlation_id=correlation_id, keep=keep)
        except NotFound as error:
            # The operation is there; what it was about is not.
            raise Conflict("the connection is ended", code="connection_removed") from error

    def rename(
        self,
        user_id: str,
        connection_id: str,
        account_id: str,
        name: str,
        *,
        correlation_id: str,
        keep: Callable[[Connection], Answer | None],
    ) -> Connection:
        """The connection with the account's new name."""
        return self.changes.apply(
            user_id,
            connection_id,
            lambda held, _: ledger.rename(_present(held), account_id, name),
            correlation_id=correlation_id,
            answer=lambda outcome: keep(outcome.connection),
        ).connection

    def _record(
        self,
        user_id: str,
        connection_id: str,
        operation_id: str,
        decide: Callable[[Connection], Outcome],
        correlation_id: str,
        keep: Keep,
    ) -> Operation:
        def recorded(outcome: Outcome) -> Operation:
            own = [operation for operation in outcome.operations if operation.id == operation_id]
            return (own or list(outcome.operations))[0]

        outcome = self.changes.apply(
            user_id,
            connection_id,
            lambda held, _: decide(_present(held)),
            correlation_id=correlation_id,
            answer=lambda outcome: keep(recorded(outcome)),
        )
        return recorded(outcome)


def confirms(typed: str, name: str) -> bool:
    """Whether `typed` is the name, by its words: keyboards differ in signs, spaces, accents and case.

    A name without a word must be equal, and an empty one is confirmed by nothing.
    """
    words = folded(name)
    return folded(typed) == words if words else bool(name.strip()) and typed.strip() == name.strip()


def _present(held: Connection | None) -> Connection:
    """A connection that is ended is there no more, for a change as for a look."""
    if held is None or held.removed_at is not None:
        raise NotFound("no such connection", code="connection_not_found")
    return held
