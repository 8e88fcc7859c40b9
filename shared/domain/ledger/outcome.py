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
from shared.domain.ledger.accounts import without_what_nobody_wants
from shared.domain.status import announced

OPERATION_DEADLINE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The next state, the facts to publish with it, and every operation whose record changed.

    `others`: other connections of the same user that change too, each as it was and what becomes of
    it.
    """

    connection: Connection
    facts: tuple[Fact, ...] = ()
    operations: tuple[Operation, ...] = ()
    others: "tuple[tuple[Connection, Outcome], ...]" = ()


def then(first: Outcome, second: Outcome) -> Outcome:
    """Two outcomes, the second of which starts where the first ends, as one."""
    operations = {operation.id: operation for operation in (*first.operations, *second.operations)}
    return Outcome(
        connection=second.connection,
        facts=(*first.facts, *second.facts),
        operations=tuple(operations.values()),
        others=(*first.others, *second.others),
    )


def conclude(connection: Connection, now: datetime, cause: Cause, lines: list[AccountChange]) -> Outcome:
    """End the operations that wait for nothing more, keep the open ones in the connection, and add the facts.

    `lines`: the account changes of the fact, caused by `cause`.
    """
    operations = [with_end(o, _final_status(o), now) if _all_items_ended(o) else o for o in connection.operations]
    closed = [operation for operation in operations if not operation.open]
    connection = replace(
        connection,
        operations=tuple(operation for operation in operations if operation.open),
        accounts=tuple(
            replace(a, synchronised_since=now) if a.enabled and a.synchronised_since is None else a
            for a in connection.accounts
        ),
    )
    connection = without_what_nobody_wants(connection)
    return with_facts(connection, lines, cause, announced(connection, now), (*closed, *connection.operations))


def with_facts(
    connection: Connection, lines: list[AccountChange], cause: Cause, status: str, operations: tuple[Operation, ...]
) -> Outcome:
    """The outcome with the facts that follow: account changes, a new status (`announced`), ended operations.

    Of an unconfirmed connection nobody hears anything.
    """
    if connection.unconfirmed is not None:
        return Outcome(connection=connection, operations=operations)
    facts = []
    if lines:
        connection = replace(connection, revision=connection.revision + 1)
        facts.append(_fact(connection, FactType.ACCOUNTS_UPDATED, cause, accounts=_one_line_each(lines)))
    if status and connection.removed_at is None and status != connection.announced_status:
        connection = replace(connection, revision=connection.revision + 1, announced_status=status)
        # A user may have asked for the read, but it is the bank that changed the status.
        status_cause = Cause.BANK if cause is Cause.USER else cause
        facts.append(_fact(connection, FactType.CONNECTION_UPDATED, status_cause, status=status.partition(":")[0]))
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


def _one_line_each(lines: list[AccountChange]) -> tuple[AccountChange, ...]:
    """One line for each account: its state after all changes, with the most important change (order of `Change`)."""
    ranks = list(Change)
    by_account: dict[str, AccountChange] = {}
    for line in lines:
        earlier = by_account.get(line.account_id, line)
        change = min(earlier.change, line.change, key=ranks.index)
        by_account[line.account_id] = replace(line, change=change)
    return tuple(by_account.values())


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
    """End items of the operation: status and reason code by account id.

    An item that has ended stays as it is.
    """
    items = tuple(
        replace(i, status=ends[i.account_id][0], reason=ends[i.account_id][1])
        if i.account_id in ends and i.status is ItemStatus.PENDING
        else i
        for i in operation.items
    )
    return replace(operation, items=items)


def with_end(operation: Operation, status: OperationStatus, now: datetime, reason: str | None = None) -> Operation:
    return replace(operation, status=status, ended_at=now, reason=reason)


def _final_status(operation: Operation) -> OperationStatus:
    """The status of an operation whose items have all ended.

    An item that a newer choice superseded is no failure.
    """
    statuses = {item.status for item in operation.items}
    good = statuses & {ItemStatus.DONE, ItemStatus.SUPERSEDED}
    if ItemStatus.NEEDS_USER in statuses:
        return OperationStatus.NEEDS_USER
    if ItemStatus.FAILED not in statuses:
        return OperationStatus.COMPLETED
    if good:
        return OperationStatus.PARTIALLY_COMPLETED
    reasons = {item.reason for item in operation.items if item.status is ItemStatus.FAILED}
    late = {"timed_out", "not_applied", "unreadable_at_powens"}
    return OperationStatus.TIMED_OUT if reasons <= late else OperationStatus.FAILED


def _all_items_ended(operation: Operation) -> bool:
    return operation.open and operation.of_choices and all(i.status is not ItemStatus.PENDING for i in operation.items)


def operation_of(connection: Connection, choice: Choice) -> Operation:
    """The open operation of a choice: a choice exists exactly as long as its operation is open."""
    return next(o for o in connection.operations if o.id == choice.operation_id)


def flip_lines(before: Account, after: Account) -> list[AccountChange]:
    """The line of an account that was enabled or disabled; empty when it was neither."""
    if before.enabled == after.enabled:
        return []
    return [change_of(after, Change.ENABLED if after.enabled else Change.DISABLED)]
