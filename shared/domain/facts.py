"""The facts that the ledger emits, and the fold that turns them back into state. They become the events of the bus."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.connection import Account, AccountType


class Cause(StrEnum):
    """Who caused a fact: our user in our app, somebody in the Webview, the bank, or one of our scheduled reads."""

    USER = "user"
    WEBVIEW = "webview"
    BANK = "bank"
    RECONCILIATION = "reconciliation"
    ERASURE = "erasure"


class Change(StrEnum):
    """What happened to one account, the most telling first when several things did."""

    ADDED = "added"
    ENABLED = "enabled"
    DISABLED = "disabled"
    CLOSED = "closed"
    RENAMED = "renamed"
    REFRESHED = "refreshed"
    REMOVED = "removed"


class FactType(StrEnum):
    """The detail types of the bus."""

    ACCOUNTS_UPDATED = "AccountsUpdated"
    CONNECTION_UPDATED = "ConnectionUpdated"
    CONNECTION_REMOVED = "ConnectionRemoved"
    OPERATION_ENDED = "OperationEnded"
    USER_ERASED = "UserErased"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """One line of a fact: what another service needs to know of an account, and no bank data beyond it."""

    account_id: str
    change: Change
    enabled: bool
    type: AccountType
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to a connection. Facts of one connection are ordered by `revision`.

    `AccountsUpdated`, `ConnectionUpdated` and `ConnectionRemoved` each raise the revision by one; `OperationEnded`
    changes nothing and carries the revision it ended at. `status` is the connection's or the operation's.
    """

    type: FactType
    user_id: str
    connection_id: str | None
    revision: int
    cause: Cause
    accounts: tuple[AccountChange, ...] = ()
    status: str | None = None
    operation_id: str | None = None


def change_of(account: Account, change: Change) -> AccountChange:
    return AccountChange(
        account_id=account.id,
        change=change,
        enabled=account.enabled,
        type=account.type,
        currency=account.currency,
    )


type Folded = dict[str, tuple[bool, AccountType, str | None]]
"""What a consumer knows of a connection: for each account id, (enabled, type, currency)."""


def fold(facts: Iterable[Fact]) -> Folded:
    """The state that a consumer of one connection's facts arrives at, in whatever order and however often they came."""
    state: Folded = {}
    applied = 0
    for fact in sorted(facts, key=lambda fact: fact.revision):
        if fact.type is FactType.OPERATION_ENDED or fact.revision <= applied:
            continue
        applied = fact.revision
        for line in fact.accounts:
            if line.change is Change.REMOVED:
                state.pop(line.account_id, None)
            else:
                state[line.account_id] = (line.enabled, line.type, line.currency)
    return state
