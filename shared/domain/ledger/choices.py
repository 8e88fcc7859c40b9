"""Choices that a user makes in our app: their effect before and after the confirm, and how to undo them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.connection import (
    Account,
    Choice,
    Connection,
    ItemStatus,
    Operation,
    OperationItem,
    OperationKind,
)
from shared.domain.errors import Conflict, InvalidInput
from shared.domain.facts import Cause, Change, change_of
from shared.domain.ledger.outcome import OPERATION_DEADLINE, Outcome, conclude, flip_lines, with_facts, with_item_ends

UNDO_FOR = timedelta(hours=24)
MOST_OPEN_OPERATIONS = 20
"""Operations of one connection that may be open at once; all their ends must fit one transaction of 100 writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effect that a selection would have."""

    enable: tuple[str, ...]
    disable: tuple[str, ...]
    unchanged: tuple[str, ...]
    enabled_total: int


def _by_current_id(connection: Connection, wants: Mapping[str, bool]) -> dict[str, bool]:
    """`wants` with the current id of each account. Raises InvalidInput `unknown_account`."""
    current = {}
    for account_id, wanted in wants.items():
        account = connection.account(account_id)
        if account is None:
            raise InvalidInput(f"no account {account_id} here", code="unknown_account", field="enabled_account_ids")
        current[account.id] = wanted
    return current


def _changes(connection: Connection, wants: Mapping[str, bool], *, insist: bool = False) -> list[Account]:
    """The accounts for which `wants` is a new choice.

    Repeating the current choice is none, unless `insist`.

    Raises InvalidInput `account_closed_at_bank` for enabling an account that the bank closed.
    """
    changed = []
    for account in connection.accounts:
        if account.id not in wants:
            continue
        wanted = wants[account.id]
        no_new_order = account.choice is not None or account.closed_at is not None or not insist
        if account.wanted == wanted and no_new_order and not (account.problem and account.enabled != wanted):
            continue
        if wanted and account.closed_at is not None:
            raise InvalidInput(
                f"account {account.id} is closed", code="account_closed_at_bank", field="enabled_account_ids"
            )
        changed.append(account)
    return changed


def selection(connection: Connection, enabled_ids: Iterable[str]) -> dict[str, bool]:
    """The wanted state of each account, from the ids of all accounts that shall be enabled.

    An account that the bank closed and that is left out is not among them: nobody can tick it, so
    leaving it out is no choice. Raises InvalidInput `unknown_account`.
    """
    ids = _by_current_id(connection, dict.fromkeys(enabled_ids, True))
    return {a.id: a.id in ids for a in connection.accounts if a.closed_at is None or a.id in ids}


def preview(connection: Connection, wants: Mapping[str, bool]) -> Preview:
    """The effect that `choose` would have. Raises InvalidInput as `choose` does."""
    wants = _by_current_id(connection, wants)
    changed = {account.id for account in _changes(connection, wants)}
    total = sum(wants[a.id] if a.id in changed else a.wanted for a in connection.accounts if a.closed_at is None)
    return Preview(
        enable=tuple(a.id for a in connection.accounts if a.id in changed and wants[a.id]),
        disable=tuple(a.id for a in connection.accounts if a.id in changed and not wants[a.id]),
        unchanged=tuple(a.id for a in connection.accounts if a.id not in changed),
        enabled_total=total,
    )


def choose(
    connection: Connection,
    wants: Mapping[str, bool],
    *,
    operation_id: str,
    correlation_id: str,
    now: datetime,
    insist: bool = False,
) -> Outcome:
    """Record a user's choices as one operation, which has only the accounts that change.

    A choice of the current state is done at once, unless an earlier opposite order may still take
    effect: then the order is given again (`Choice.doubt`). In earlier operations the items of the
    same accounts are superseded.

    `insist`: the user named these very accounts, so an order is given even where nothing seems to
    change: the account may have changed at Powens since the last read. Raises Conflict
    `connection_removed` or `too_many_open_operations`, and InvalidInput `unknown_account` or
    `account_closed_at_bank`.
    """
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    if len(connection.operations) >= MOST_OPEN_OPERATIONS:
        raise Conflict("too many choices are still being carried out", code="too_many_open_operations")
    operation = Operation(
        id=operation_id,
        user_id=connection.user_id,
        connection_id=connection.id,
        kind=OperationKind.SELECTION,
        created_at=now,
        deadline_at=now + OPERATION_DEADLINE,
        correlation_id=correlation_id,
        undo_until=now + UNDO_FOR,
    )
    wants = _by_current_id(connection, wants)
    items = []
    lines = []
    for account in _changes(connection, wants, insist=insist):
        chosen, item = _choose_account(account, wants[account.id], operation_id=operation_id, now=now, insist=insist)
        connection = connection.with_account(chosen)
        items.append(item)
        lines += flip_lines(account, chosen)
    superseded = {item.account_id: (ItemStatus.SUPERSEDED, "newer_choice") for item in items}
    earlier = tuple(with_item_ends(o, superseded) for o in connection.operations)
    connection = replace(connection, operations=(*earlier, replace(operation, items=tuple(items))))
    return conclude(connection, now, Cause.USER, lines)


def _choose_account(
    account: Account, wanted: bool, *, operation_id: str, now: datetime, insist: bool
) -> tuple[Account, OperationItem]:
    """The account with its new choice, and its item of the operation."""
    doubt = account.choice is not None or (insist and account.wanted == wanted)
    closed = account.closed_at is not None  # no order is possible; `wanted` decides if it comes back
    settled = closed or (account.enabled == wanted and not doubt)
    chosen = replace(
        account,
        wanted=wanted,
        enabled=wanted if closed else account.enabled,
        choice=None if settled else Choice(operation_id=operation_id, doubt=doubt),
        problem=None,
        chosen_at=now,
        repairs=(),
    )
    item = OperationItem(
        account_id=account.id,
        wanted=wanted,
        before=account.enabled if account.problem else account.wanted,
        status=ItemStatus.DONE if settled else ItemStatus.PENDING,
    )
    return chosen, item


def begin(
    connection: Connection, kind: OperationKind, *, operation_id: str, correlation_id: str, now: datetime
) -> Outcome:
    """Open a refresh or a deletion, which are about the whole connection.

    An open operation of that kind is reused.

    Raises Conflict `connection_removed`.
    """
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    under_way = next((o for o in connection.operations if o.kind is kind), None)
    if under_way is not None:
        return Outcome(connection=connection, operations=(under_way,))
    operation = Operation(
        id=operation_id,
        user_id=connection.user_id,
        connection_id=connection.id,
        kind=kind,
        created_at=now,
        deadline_at=now + OPERATION_DEADLINE,
        correlation_id=correlation_id,
        last_success_at=connection.last_success_at if kind is OperationKind.REFRESH else None,
    )
    return Outcome(
        connection=replace(connection, operations=(*connection.operations, operation)), operations=(operation,)
    )


def rename(connection: Connection, account_id: str, name: str) -> Outcome:
    """Give an account the user's own name, which Powens does not get.

    Raises Conflict `connection_removed`.
    """
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    account = connection.account(account_id)
    assert account is not None  # noqa: S101 - callers look the account up in this very connection
    if account.custom_name == name:
        return Outcome(connection=connection)
    renamed = replace(account, custom_name=name)
    return with_facts(connection.with_account(renamed), [change_of(renamed, Change.RENAMED)], Cause.USER, "", ())


def undo(operation: Operation, now: datetime) -> dict[str, bool]:
    """The choices that restore the selection before `operation`.

    Raises Conflict `not_undoable` or `undo_expired`.
    """
    if operation.kind is not OperationKind.SELECTION or operation.undo_until is None:
        raise Conflict("only a selection can be undone", code="not_undoable")
    if now > operation.undo_until:
        raise Conflict("too late to undo", code="undo_expired")
    return {item.account_id: item.before for item in operation.items}
