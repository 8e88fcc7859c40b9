"""Orders: the calls to make at Powens, and what Powens answered."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.connection import Account, Choice, Connection, ItemStatus, OperationKind, OperationStatus
from shared.domain.facts import AccountChange, Cause
from shared.domain.ledger.outcome import Outcome, conclude, flip_lines, operation_of, with_item_ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to make at Powens: set one account to `enabled`."""

    account_id: str
    powens_id: int
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What Powens answered to an order: acknowledged (`refusal` None), or refused for good with a reason code."""

    order: Order
    refusal: str | None = None


def orders(connection: Connection) -> tuple[Order, ...]:
    """The calls that are still to be made.

    They follow from what is wanted now, never from an old message (rule 4).
    """
    return tuple(
        Order(account_id=a.id, powens_id=a.powens_id, enabled=a.wanted)
        for a in connection.accounts
        if a.choice is not None and a.choice.confirmed_at is None and not a.choice.visible
    )


def record(
    connection: Connection, results: Iterable[OrderResult], *, operation_id: str, at: datetime, now: datetime
) -> Outcome:
    """Record Powens' answers to the orders of `operation_id`; the last one came at `at`.

    An answer to an order that a newer choice has replaced is ignored.
    """
    ended: dict[str, dict[str, tuple[ItemStatus, str | None]]] = {}
    lines: list[AccountChange] = []
    for result in results:
        connection = replace(connection, written_at=max(filter(None, (connection.written_at, at))))
        account = connection.account(result.order.account_id)
        if account is None or account.choice is None or account.wanted != result.order.enabled:
            continue
        if account.powens_id != result.order.powens_id:
            continue
        choice = account.choice
        if result.refusal is None:
            connection = connection.with_account(replace(account, choice=replace(choice, confirmed_at=at)))
        elif result.refusal == "not_found_at_powens" and not account.wanted:
            connection = connection.with_account(
                replace(account, choice=replace(choice, confirmed_at=at, visible=True))
            )
        else:
            status = _failure(connection, choice)
            problem = question(account) if status is ItemStatus.NEEDS_USER else result.refusal
            given_up = give_up(account, problem)
            connection = connection.with_account(given_up)
            lines += flip_lines(account, given_up)
            ended.setdefault(choice.operation_id, {})[account.id] = (status, problem)
    operations = tuple(
        replace(
            with_item_ends(o, ended.get(o.id, {})),
            status=OperationStatus.RUNNING if o.id == operation_id else o.status,
        )
        for o in connection.operations
    )
    return conclude(replace(connection, operations=operations), now, Cause.USER, lines)


def _failure(connection: Connection, choice: Choice) -> ItemStatus:
    restoring = operation_of(connection, choice).kind is OperationKind.RESTORATION
    return ItemStatus.NEEDS_USER if restoring else ItemStatus.FAILED


def question(account: Account) -> str:
    """Reason code of the question about an account that does not stay as wanted, however often we restore it."""
    return "recreated_by_powens" if account.wanted else "reenabled_by_powens"


def give_up(account: Account, problem: str) -> Account:
    """The account without its choice, which cannot be carried out: it keeps its state at Powens and gets a `problem`.

    `wanted` stays when Powens undid the choice by itself (rules 3 and 4), as then the user is
    asked. An account that is in the wanted state has no problem, though its operation failed.
    """
    shown = account.choice.seen if account.choice is not None else None
    enabled = account.enabled if shown is None else shown
    wanted = account.wanted if problem == question(account) else enabled
    return replace(
        account,
        choice=None,
        enabled=enabled,
        wanted=wanted,
        problem=problem if enabled != account.wanted else None,
    )
