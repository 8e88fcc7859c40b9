"""What a rule decides: the next state, the facts to publish with it, and the operations that changed or ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.connection import (
    Account,
    Choice,
    Connection,
    ItemStatus,
    Operation,
    OperationKind,
    OperationStatus,
)
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType, change_of
from shared.domain.status import announced

OPERATION_DEADLINE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rule decided: the next state, the facts to publish with it, and every operation whose record changed.

    `others`: what it means for other connections of the same user, each as it was and what becomes of it.
    """

    connection: Connection
    facts: tuple[Fact, ...] = ()
    operations: tuple[Operation, ...] = ()
    others: "tuple[tuple[Connection, Outcome], ...]" = ()


def then(first: Outcome, second: Outcome) -> Outcome:
    """Two decisions taken one after the other, as one."""
    operations = {operation.id: operation for operation in (*first.operations, *second.operations)}
    return Outcome(
        connection=second.connection,
        facts=(*first.facts, *second.facts),
        operations=tuple(operations.values()),
        others=(*first.others, *second.others),
    )


def conclude(connection: Connection, now: datetime, cause: Cause, lines: list[AccountChange]) -> Outcome:
    """End the operations that have nothing left to wait for, keep the open ones inside, and write the facts."""
    touched = [with_end(o, _verdict(o), now) if _all_items_ended(o) else o for o in connection.operations]
    ended = [operation for operation in touched if not operation.open]
    connection = replace(
        connection,
        operations=tuple(operation for operation in touched if operation.open),
        accounts=tuple(
            replace(a, synchronised_since=now) if a.enabled and a.synchronised_since is None else a
            for a in connection.accounts
        ),
    )
    return with_facts(connection, lines, cause, announced(connection, now), (*ended, *connection.operations))


def with_facts(
    connection: Connection, lines: list[AccountChange], cause: Cause, status: str, operations: tuple[Operation, ...]
) -> Outcome:
    facts = []
    if lines:
        connection = replace(connection, revision=connection.revision + 1)
        facts.append(_fact(connection, FactType.ACCOUNTS_UPDATED, cause, accounts=_one_each(lines)))
    if status and connection.removed_at is None and status != connection.announced_status:
        connection = replace(connection, revision=connection.revision + 1, announced_status=status)
        found = Cause.BANK if cause is Cause.USER else cause  # whoever asked for the read, the bank changed the status
        facts.append(_fact(connection, FactType.CONNECTION_UPDATED, found, status=status.partition(":")[0]))
    for operation in operations:
        if not operation.open:
            by = Cause.RECONCILIATION if operation.kind is OperationKind.RESTORATION else Cause.USER
            facts.append(
                _fact(
                    connection,
                    FactType.OPERATION_ENDED,
                    by,
                    status=operation.status.value,
                    operation_id=operation.id,
                )
            )
    return Outcome(connection=connection, facts=tuple(facts), operations=operations)


def _one_each(lines: list[AccountChange]) -> tuple[AccountChange, ...]:
    """One line for each account: as it is now, with the most telling of the changes."""
    ranks = list(Change)
    told: dict[str, AccountChange] = {}
    for line in lines:
        changes = [line.change] if line.account_id not in told else [told[line.account_id].change, line.change]
        told[line.account_id] = replace(line, change=min(changes, key=ranks.index))
    return tuple(told.values())


def _fact(
    connection: Connection,
    kind: FactType,
    cause: Cause,
    *,
    accounts: tuple[AccountChange, ...] = (),
    status: str | None = None,
    operation_id: str | None = None,
) -> Fact:
    return Fact(
        type=kind,
        user_id=connection.user_id,
        connection_id=connection.id,
        revision=connection.revision,
        cause=cause,
        accounts=accounts,
        status=status,
        operation_id=operation_id,
    )


def with_item_ends(operation: Operation, ends: Mapping[str, tuple[ItemStatus, str | None]]) -> Operation:
    """Give accounts of the operation their end; an end once reached stays."""
    items = tuple(
        replace(i, status=ends[i.account_id][0], reason=ends[i.account_id][1])
        if i.account_id in ends and i.status is ItemStatus.PENDING
        else i
        for i in operation.items
    )
    return replace(operation, items=items)


def with_end(operation: Operation, status: OperationStatus, now: datetime, reason: str | None = None) -> Operation:
    return replace(operation, status=status, ended_at=now, reason=reason)


def _verdict(operation: Operation) -> OperationStatus:
    """The end of an operation whose accounts have all ended. A choice that the user made anew is no failure."""
    ends = {item.status for item in operation.items}
    good = ends & {ItemStatus.DONE, ItemStatus.SUPERSEDED}
    if ItemStatus.NEEDS_USER in ends:
        return OperationStatus.NEEDS_USER
    if ItemStatus.FAILED not in ends:
        return OperationStatus.COMPLETED
    if good:
        return OperationStatus.PARTIALLY_COMPLETED
    reasons = {item.reason for item in operation.items if item.status is ItemStatus.FAILED}
    late = {"timed_out", "not_applied", "unreadable_at_powens"}
    return OperationStatus.TIMED_OUT if reasons <= late else OperationStatus.FAILED


def _all_items_ended(operation: Operation) -> bool:
    per_account = operation.kind in (OperationKind.SELECTION, OperationKind.RESTORATION)
    return operation.open and per_account and all(i.status is not ItemStatus.PENDING for i in operation.items)


def operation_of(connection: Connection, choice: Choice) -> Operation:
    """The open operation that carries a choice out: a choice is there exactly as long as an operation waits for it."""
    return next(o for o in connection.operations if o.id == choice.operation_id)


def flip_lines(before: Account, after: Account) -> list[AccountChange]:
    if before.enabled == after.enabled:
        return []
    return [change_of(after, Change.ENABLED if after.enabled else Change.DISABLED)]
