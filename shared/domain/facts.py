"""The facts that the ledger emits, which become the events of the bus."""

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
    ACCOUNT_NOW_AVAILABLE = "AccountNowAvailable"
    USER_ERASED = "UserErased"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """One line of a fact: what another service must know about an account, without other bank data."""

    account_id: str
    change: Change
    enabled: bool
    type: AccountType
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to a connection, or to a manual account, which has no connection.

    Facts of one connection, or of one manual account, are ordered by `revision`. `AccountsUpdated`, `ConnectionUpdated`
    and `ConnectionRemoved` each raise it by one; `OperationEnded` changes nothing and carries the revision it ended at.
    `status` is the connection's or the operation's. `AccountNowAvailable` is about a wish.
    """

    type: FactType
    user_id: str
    connection_id: str | None
    revision: int
    cause: Cause
    accounts: tuple[AccountChange, ...] = ()
    status: str | None = None
    operation_id: str | None = None
    wish_id: str | None = None
    institution_id: str | None = None
    account_type: AccountType | None = None


def change_of(account: Account, change: Change) -> AccountChange:
    return AccountChange(
        account_id=account.id,
        change=change,
        enabled=account.enabled,
        type=account.type,
        currency=account.currency,
    )
