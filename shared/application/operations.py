"""Recording what a user asks for. The answer is an operation; the work is done by `carry_out`, told by the outbox."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.application.changes import Changes
from shared.application.institutions import folded
from shared.application.ports import Clock, Connections, NewId
from shared.application.request import Request
from shared.application.writing import Draft
from shared.domain import ledger
from shared.domain.connection import Connection, Operation, OperationKind
from shared.domain.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from shared.domain.ledger import Outcome


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

    def select(
        self, request: Request, connection_id: str, enabled_ids: Collection[str], *, editions: Collection[str] | None
    ) -> Draft[Operation]:
        """Exactly these accounts of the connection shall be enabled.

        Raises PreconditionFailed as `require_edition`, InvalidInput as the ledger.
        """
        operation_id = self.new_id()

        def decide(held: Connection | None, _: tuple[Connection, ...]) -> Outcome:
            connection = _present(held)
            require_edition(connection, editions)
            return ledger.choose(
                connection,
                ledger.selection(connection, enabled_ids),
                operation_id=operation_id,
                correlation_id=request.correlation_id,
                now=self.clock(),
            )

        draft = self.changes.draft(request.user_id, connection_id, decide, correlation_id=request.correlation_id)
        return _of_operation(operation_id, draft)

    def set_enabled(self, request: Request, connection_id: str, account_id: str, enabled: bool) -> Draft[Operation]:
        """One account, of which Powens is told even what is thought to be so already. Raises as the ledger."""
        return self._choose(request, connection_id, lambda _: {account_id: enabled}, insist=True)

    def undo(self, request: Request, operation_id: str) -> Draft[Operation]:
        """A new operation that restores the selection before `operation_id`.

        Raises Conflict when it is too late, or when its accounts have moved to several connections since.
        """
        undone = self.store.operation(request.user_id, operation_id)
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
            return self._choose(request, undone.connection_id, all_here)
        except _MovedError:
            listed = self.connections.listed(request.user_id)
            places = {found.id for wanted_id in before if (found := listed.having(wanted_id)) is not None}
            if len(places) > 1:
                raise Conflict("the accounts have moved apart", code="not_undoable") from None
            return self._choose(request, next(iter(places), undone.connection_id), here)
        except NotFound as error:
            # The operation is there; what it was about is not.
            raise Conflict("the connection is ended", code="connection_removed") from error

    def refresh(self, request: Request, connection_id: str) -> Draft[Operation]:
        return self._begin(request, connection_id, OperationKind.REFRESH)

    def end(
        self, request: Request, connection_id: str, *, typed: str, names_if_unnamed: Collection[str]
    ) -> Draft[Operation]:
        """The end of the connection, confirmed by its institution's name; one without a name is called otherwise.

        Raises InvalidInput unless one of its names was typed.
        """

        def confirm(held: Connection) -> None:
            name = held.institution.name
            if not any(_confirms(typed, shown) for shown in ({name} if name.strip() else names_if_unnamed)):
                raise InvalidInput("not the institution's name", code="confirmation_mismatch", field="confirm")

        return self._begin(request, connection_id, OperationKind.DELETION, confirm)

    def rename(self, request: Request, connection_id: str, account_id: str, name: str) -> Draft[Connection]:
        """The connection with the account's new name."""
        draft = self.changes.draft(
            request.user_id,
            connection_id,
            lambda held, _: ledger.rename(_present(held), account_id, name),
            correlation_id=request.correlation_id,
        )
        return draft.of(draft.subject.connection)

    def _choose(
        self,
        request: Request,
        connection_id: str,
        wants: Callable[[Connection], Mapping[str, bool]],
        *,
        insist: bool = False,
    ) -> Draft[Operation]:
        operation_id = self.new_id()

        def decide(held: Connection | None, _: tuple[Connection, ...]) -> Outcome:
            connection = _present(held)
            return ledger.choose(
                connection,
                wants(connection),
                operation_id=operation_id,
                correlation_id=request.correlation_id,
                now=self.clock(),
                insist=insist,
            )

        draft = self.changes.draft(request.user_id, connection_id, decide, correlation_id=request.correlation_id)
        return _of_operation(operation_id, draft)

    def _begin(
        self,
        request: Request,
        connection_id: str,
        kind: OperationKind,
        check: Callable[[Connection], None] = lambda _: None,
    ) -> Draft[Operation]:
        operation_id = self.new_id()

        def decide(held: Connection | None, _: tuple[Connection, ...]) -> Outcome:
            connection = _present(held)
            check(connection)
            return ledger.begin(
                connection, kind, operation_id=operation_id, correlation_id=request.correlation_id, now=self.clock()
            )

        draft = self.changes.draft(request.user_id, connection_id, decide, correlation_id=request.correlation_id)
        return _of_operation(operation_id, draft)


def require_edition(connection: Connection, editions: Collection[str] | None) -> None:
    """Raises PreconditionFailed when `editions` are given, and the connection's as it is now is not among them."""
    if editions is not None and connection.edition not in editions:
        raise PreconditionFailed("the connection has changed")


def _of_operation(operation_id: str, draft: Draft[Outcome]) -> Draft[Operation]:
    """The operation of this id, or the one that was under way and is reused."""
    operations = draft.subject.operations
    return draft.of(next((operation for operation in operations if operation.id == operation_id), operations[0]))


def _confirms(typed: str, name: str) -> bool:
    """Whether `typed` is the name, by its words: keyboards differ in signs, spaces, accents and case.

    A name without a word must be equal, and an empty one is confirmed by nothing.
    """
    words = folded(name)
    return folded(typed) == words if words else bool(name.strip()) and typed.strip() == name.strip()


def _present(held: Connection | None) -> Connection:
    """A connection that is not shown is not there for a change either."""
    if held is None or not held.shown:
        raise NotFound("no such connection", code="connection_not_found")
    return held
