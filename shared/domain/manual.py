"""Accounts that a user keeps by hand, because no bank connection gives them: the aggregate and how it changes.

Like a connection it has a `revision`, and each change is published; it is the only account in its events. Functions
here are pure. One that finds nothing to do returns the account as it is, and no fact.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.connection import AccountType
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType
from shared.domain.money import check_balance, check_currency

CHUNK = 20
"""Balances that lie in the account itself, which the list reads; older ones are kept in chunks of this size."""
CHUNKS_KEPT = 49
"""With the newest ones that is up to 1000 balances, and few enough items to go with the account in one transaction."""
MOST_MANUAL_ACCOUNTS = 100
MOST_DISMISSED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancePoint:
    """A balance that the user wrote down, and when."""

    at: datetime
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAccount:
    """`linked_account_id` is the synchronised account that the user has said is the same.

    Whether the account counts beside that one follows from the connections (`shared.domain.joins`); `announced` is what
    the last event said of it. `recent` holds the newest balances, the current one last; `chunks` is how many chunks of
    older ones there have been. Documents from before there was a history have no `recent` and revision 0.
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
    """What was decided: the next state (None: dropped), the fact to publish with it, and a chunk that left `recent`."""

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
    """Raises InvalidInput for a currency or balance that such an account cannot have."""
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
    return told(account, Change.ADDED)


def rename(account: ManualAccount, name: str) -> ManualOutcome:
    if account.name == name:
        return ManualOutcome(account=account)
    return told(replace(account, name=name), Change.RENAMED)


def set_balance(account: ManualAccount, balance: Decimal, now: datetime) -> ManualOutcome:
    """Raises InvalidInput for a balance that such an account cannot have."""
    check_balance(balance, account.type)
    if account.balance == balance:
        return ManualOutcome(account=account)
    points, outgrown, chunks = account.points, (), account.chunks
    if len(points) >= CHUNK:
        points, outgrown, chunks = (), points, chunks + 1
    recent = (*points, BalancePoint(at=now, balance=balance))
    changed = told(replace(account, balance=balance, recent=recent, chunks=chunks), Change.REFRESHED)
    return replace(changed, outgrown=outgrown)


def drop(account: ManualAccount) -> ManualOutcome:
    """The account goes with its history. No tombstone: its id is never used again, and nothing else could revive it."""
    dropped = told(replace(account, announced=False), Change.REMOVED)
    return ManualOutcome(account=None, facts=dropped.facts)


def dismiss(account: ManualAccount, account_id: str) -> ManualOutcome:
    """Note that a synchronised account is another one. Nobody but the user's own screens has to know."""
    if account_id in account.not_the_same:
        return ManualOutcome(account=account)
    return ManualOutcome(account=replace(account, not_the_same=(*account.not_the_same, account_id)[-MOST_DISMISSED:]))


def told(account: ManualAccount, change: Change, *, cause: Cause = Cause.USER) -> ManualOutcome:
    """The account one revision on, with the fact that says so."""
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
