"""Endings that do not come from a read: a missed deadline, a refusal, a removed connection."""

from dataclasses import replace
from datetime import datetime

from shared.domain.connection import Account, Connection, ItemStatus, Operation, OperationKind, OperationStatus
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType, change_of
from shared.domain.ledger.order import give_up, question
from shared.domain.ledger.outcome import Outcome, conclude, flip_lines, with_end, with_item_ends


def expire(connection: Connection, now: datetime) -> Outcome:
    """End every operation past its deadline: items whose effect was seen are done, the others have failed."""
    overdue = {o.id: o for o in connection.operations if o.deadline_at <= now}
    if not overdue:
        return Outcome(connection=connection)
    lines: list[AccountChange] = []
    for account in connection.accounts:
        choice = account.choice
        if choice is None or choice.operation_id not in overdue:
            continue
        operation = overdue[choice.operation_id]
        if choice.visible:
            ended = replace(account, enabled=account.wanted, choice=None, problem=None)
            item: tuple[ItemStatus, str | None] = (ItemStatus.DONE, None)
        elif operation.kind is OperationKind.RESTORATION:
            ended = give_up(account, question(account))
            item = (ItemStatus.NEEDS_USER, question(account))
        else:
            problem = "timed_out" if choice.confirmed_at is None else _missing_effect(account)
            ended = give_up(account, problem)
            item = (ItemStatus.FAILED, problem)
        connection = connection.with_account(ended)
        lines += flip_lines(account, ended)
        overdue[operation.id] = with_item_ends(operation, {account.id: item})
    operations = []
    for open_operation in connection.operations:
        operation = overdue.get(open_operation.id, open_operation)
        if operation.open and operation.id in overdue and not operation.of_choices:
            operation = with_end(operation, OperationStatus.TIMED_OUT, now, "timed_out")
        operations.append(operation)
    return conclude(replace(connection, operations=tuple(operations)), now, Cause.USER, lines)


def _missing_effect(account: Account) -> str:
    """Reason code for an order that Powens acknowledged and that no read showed: ignored, or unreadable."""
    return "unreadable_at_powens" if account.unreadable else "not_applied"


def end_operation(
    connection: Connection, operation_id: str, status: OperationStatus, reason: str | None, now: datetime
) -> Outcome:
    """End a refresh or deletion because Powens refused it, or had nothing to refresh."""
    success = connection.last_success_at
    operations = tuple(
        replace(with_end(o, status, now, reason), last_success_at=success if o.kind is OperationKind.REFRESH else None)
        if o.id == operation_id and o.open
        else o
        for o in connection.operations
    )
    return conclude(replace(connection, operations=operations), now, Cause.USER, [])


def remove(connection: Connection, *, cause: Cause, at: datetime, now: datetime) -> Outcome:
    """Mark the connection as removed at Powens, after a write or read that ended at `at`.

    It stays as a tombstone, so that no read that began earlier can bring it back (rules 4 and 7).
    """
    if connection.removed_at is not None:
        return Outcome(connection=connection)
    if any(operation.kind is OperationKind.DELETION for operation in connection.operations):
        cause = Cause.USER
    operations = [_after_removal(operation, now) for operation in connection.operations]
    accounts = tuple(replace(a, choice=None, wanted=a.enabled) for a in connection.accounts)
    lines = tuple(change_of(replace(account, enabled=False), Change.REMOVED) for account in accounts)
    connection = replace(
        connection,
        accounts=accounts,
        operations=tuple(operations),
        removed_at=at,
        ended_by_user=cause is Cause.USER,
        announced_status="",
        revision=connection.revision + 1,
    )
    fact = Fact(
        type=FactType.CONNECTION_REMOVED,
        user_id=connection.user_id,
        connection_id=connection.id,
        revision=connection.revision,
        cause=cause,
        accounts=lines,
    )
    closed = conclude(connection, now, cause, [])
    if connection.unconfirmed is not None:
        return closed
    return replace(closed, facts=(fact, *closed.facts))


def _after_removal(operation: Operation, now: datetime) -> Operation:
    if operation.kind is OperationKind.DELETION:
        return with_end(operation, OperationStatus.COMPLETED, now)
    if not operation.of_choices:
        return with_end(operation, OperationStatus.FAILED, now, "connection_removed")
    return with_item_ends(operation, {i.account_id: (ItemStatus.FAILED, "connection_removed") for i in operation.items})
