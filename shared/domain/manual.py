"""Manual accounts, which a user keeps because no bank connection gives them: the aggregate and how it changes.

Like a connection, a manual account has a `revision`, and each change is published; it is the only account in its
events. Functions here are pure. When nothing changes, they return the same account and no fact.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.connection import AccountType
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType
from shared.domain.money import check_balance, check_currency
from shared.domain.unknown import Stored

CHUNK = 20
"""Most balances in the account itself, which the list reads; older ones are stored in chunks of this size."""
CHUNKS_KEPT = 49
"""With the newest ones up to 1000 balances; few enough items to be deleted with the account in one transaction."""
MOST_MANUAL_ACCOUNTS = 100
MOST_DISMISSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePoint(Stored):
    """A balance that the user entered, and when."""

    at: datetime
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAccount(Stored):
    """`linked_account_id`: the synchronised account that is the same, as the user decided.

    Whether the manual account counts then follows from the connections (`shared.domain.joins`); `announced` is whether
    it counts by the last event. `recent`: the newest balances, the current one last. `chunks`: how many chunks of older
    ones there are. Items from before there was a history have no `recent` and revision 0.
    """

    id: str
    user_id: str
    name: str
    type: AccountType
    currency: str
    balance: Decimal
    institution_name: str | None = None
    linked_account_id: str | None = None
    not_the_same: tuple[str, ...] = ()
    recent: tuple[BalancePoint, ...] = ()
    chunks: int = 0
    announced: bool = True
    created_at: datetime
    revision: int = 0
    version: int = 0

    @property
    def points(self) -> tuple[BalancePoint, ...]:
        """The newest balances, oldest first."""
        return self.recent or (BalancePoint(at=self.created_at, balance=self.balance),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOutcome:
    """The next state (None: deleted), the facts to publish with it, and the balances that left `recent` as a chunk."""

    account: ManualAccount | None
    facts: tuple[Fact, ...] = ()
    outgrown: tuple[BalancePoint, ...] = ()


def add(
    *,
    id: str,  # noqa: A002 - the field's own name
    user_id: str,
    name: str,
    kind: AccountType,
    currency: str,
    balance: Decimal,
    institution_name: str | None,
    now: datetime,
) -> ManualOutcome:
    """A new account. Raises InvalidInput as `check_currency` and `check_balance` do."""
    check_currency(currency, kind)
    check_balance(balance, kind)
    account = ManualAccount(
        id=id,
        user_id=user_id,
        name=name,
        type=kind,
        currency=currency,
        balance=balance,
        institution_name=institution_name,
        recent=(BalancePoint(at=now, balance=balance),),
        created_at=now,
    )
    return publish(account, Change.ADDED)


def rename(account: ManualAccount, name: str) -> ManualOutcome:
    if account.name == name:
        return ManualOutcome(account=account)
    return publish(replace(account, name=name), Change.RENAMED)


def set_balance(account: ManualAccount, balance: Decimal, now: datetime) -> ManualOutcome:
    """Enter a new balance. Raises InvalidInput as `check_balance` does."""
    check_balance(balance, account.type)
    if account.balance == balance:
        return ManualOutcome(account=account)
    points, outgrown, chunks = account.points, (), account.chunks
    if len(points) >= CHUNK:
        points, outgrown, chunks = (), points, chunks + 1
    recent = (*points, BalancePoint(at=now, balance=balance))
    changed = publish(replace(account, balance=balance, recent=recent, chunks=chunks), Change.REFRESHED)
    return replace(changed, outgrown=outgrown)


def delete(account: ManualAccount) -> ManualOutcome:
    """With its history. It needs no tombstone: nothing can create the same id again."""
    deleted = publish(replace(account, announced=False), Change.REMOVED)
    return ManualOutcome(account=None, facts=deleted.facts)


def dismiss(account: ManualAccount, account_id: str) -> ManualOutcome:
    """Record that a synchronised account is not the same one. Only the user's screens show it, so there is no fact."""
    if account_id in account.not_the_same:
        return ManualOutcome(account=account)
    return ManualOutcome(account=replace(account, not_the_same=(*account.not_the_same, account_id)[-MOST_DISMISSED:]))


def publish(account: ManualAccount, change: Change, *, cause: Cause = Cause.USER) -> ManualOutcome:
    """The account with its next revision, and the fact of the change."""
    account = replace(account, revision=account.revision + 1)
    line = AccountChange(
        account_id=account.id,
        change=change,
        enabled=account.announced,
        type=account.type,
        currency=account.currency,
    )
    fact = Fact(
        type=FactType.ACCOUNTS_UPDATED,
        user_id=account.user_id,
        connection_id=None,
        revision=account.revision,
        cause=cause,
        accounts=(line,),
    )
    return ManualOutcome(account=account, facts=(fact,))
