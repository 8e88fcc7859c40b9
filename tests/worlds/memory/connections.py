"""Connections with what changes beside them, their operations, and the answers to idempotency keys."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from shared.application.changes import NOTHING_BESIDE, Beside, ConnectionStore
from shared.application.housekeeping import OpenOperation, OpenOperations, UnconfirmedConnections
from shared.application.ports import Answer, Answers, Listed
from shared.contracts.messages import Command, HintMessage
from shared.domain.connection import Connection, Operation
from shared.domain.hints import confirmed
from shared.domain.ledger import Outcome
from tests.worlds.memory.manual import put_manual
from tests.worlds.memory.state import Key, Memory, require, unchanged
from tests.worlds.memory.wishes import put_wish


class InMemoryConnections:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        return self.memory.connections.get((user_id, connection_id))

    def listed(self, user_id: str) -> Listed:
        return Listed(
            all_connections=tuple(_of(user_id, self.memory.connections)),
            manual_accounts=tuple(_of(user_id, self.memory.manual_accounts)),
            wishes=tuple(_of(user_id, self.memory.wishes)),
        )

    def due_unconfirmed(self, now: datetime, *, limit: int) -> list[tuple[str, str]]:
        waiting = (
            (c.unconfirmed.due_at, key) for key, c in self.memory.connections.items() if _waits(c) and c.unconfirmed
        )
        return [key for due, key in sorted(waiting) if due <= now][:limit]

    def save(
        self,
        before: Connection | None,
        outcome: Outcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        memory, after = self.memory, outcome.connection
        memory.before_write()
        changes = ((before, outcome), *outcome.others)
        require(
            *([memory.not_erased(after.user_id, after.powens_user_id)] if before is None else []),
            memory.free(after.user_id, answer),
            *(unchanged(memory.connections.get(_key(change.connection)), was) for was, change in changes),
            *(unchanged(memory.manual_accounts.get((was.user_id, was.id)), was) for was, _ in beside.manual),
            *(unchanged(memory.wishes.get((was.user_id, was.id)), was) for was, _ in beside.wishes),
        )
        memory.keep(after.user_id, answer)
        for was, change in changes:
            self._put(was, change, correlation_id)
        for account, changed in beside.manual:
            put_manual(memory, account, changed)
        for _, granted in beside.wishes:
            put_wish(memory, granted)

    def _put(self, before: Connection | None, outcome: Outcome, correlation_id: str) -> None:
        after = outcome.connection
        self.memory.connections[_key(after)] = replace(after.kept, version=after.version + 1)
        known = {operation.id for operation in before.operations} if before is not None else set()
        for operation in outcome.operations:
            self.memory.operations[operation.user_id, operation.id] = operation
            if operation.open and operation.id not in known:
                command = Command(
                    user_id=after.user_id,
                    connection_id=after.id,
                    operation_id=operation.id,
                    correlation_id=operation.correlation_id,
                )
                self.memory.messages.append(command)
        if before is not None and before.unconfirmed is not None and after.shown:
            hint = confirmed(after, self.memory.clock(), correlation_id)
            self.memory.messages.append(HintMessage.of(hint))
        self.memory.facts += outcome.facts


class InMemoryOperations:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def operation(self, user_id: str, operation_id: str) -> Operation | None:
        return self.memory.operations.get((user_id, operation_id))

    def open_operations(self, until: datetime, *, limit: int) -> list[OpenOperation]:
        found = [o for o in self.memory.operations.values() if o.open and o.deadline_at < until]
        found.sort(key=lambda operation: operation.deadline_at)
        return [
            OpenOperation(
                user_id=o.user_id, connection_id=o.connection_id, operation_id=o.id, deadline_at=o.deadline_at
            )
            for o in found[:limit]
        ]


class InMemoryAnswers:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def answer(self, user_id: str, key: str) -> Answer | None:
        return self.memory.answer(user_id, key)

    def add_answer(self, user_id: str, answer: Answer) -> None:
        self.memory.before_write()
        require(self.memory.free(user_id, answer))
        self.memory.keep(user_id, answer)


def _waits(connection: Connection) -> bool:
    return connection.unconfirmed is not None and connection.removed_at is None


def _key(connection: Connection) -> Key:
    return connection.user_id, connection.id


def _of[T](user_id: str, things: dict[Key, T]) -> Iterator[T]:
    """A user's own, by their ids."""
    return (things[key] for key in sorted(things) if key[0] == user_id)


_connections: type[ConnectionStore] = InMemoryConnections
_operations: type[OpenOperations] = InMemoryOperations
_answers: type[Answers] = InMemoryAnswers
_unconfirmed: type[UnconfirmedConnections] = InMemoryConnections
