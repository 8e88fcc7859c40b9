"""The calls to make at Powens, and how they went."""

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
class Ordered:
    """How an order went: acknowledged (`refusal` None) or refused for good, with a reason code."""

    order: Order
    refusal: str | None = None


def orders(connection: Connection) -> tuple[Order, ...]:
    """The calls still to make at Powens. They follow from what is wanted now, never from an old message (rule 4)."""
    return tuple(
        Order(account_id=a.id, powens_id=a.powens_id, enabled=a.wanted)
        for a in connection.accounts
        if a.choice is not None and a.choice.confirmed_at is None and not a.choice.visible
    )


def record(
    connection: Connection, results: Iterable[Ordered], *, operation_id: str, at: datetime, now: datetime
) -> Outcome:
    """Note what Powens answered while `operation_id` was carried out, the last answer having come at `at`.

    An answer to an order that a newer choice has overtaken says nothing about the newer one.
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
    """What the user is asked about an account that does not stay as wanted, and that we could not put right."""
    return "recreated_by_powens" if account.wanted else "reenabled_by_powens"


def give_up(account: Account, problem: str) -> Account:
    """Drop a choice that cannot be carried out: what is there stays, and the account says why.

    A wish that Powens undid by itself (rules 3 and 4) stays on record: the user is asked instead. An account that is as
    it was wanted has no problem, though its operation could not be seen through.
    """
    seen = account.choice.seen if account.choice is not None else None
    enabled = account.enabled if seen is None else seen
    wanted = account.wanted if problem == question(account) else enabled
    left = problem if enabled != account.wanted else None
    return replace(account, choice=None, enabled=enabled, wanted=wanted, problem=left)
