"""When a manual account is the same as a synchronised one: suggesting it, joining the two, and parting them.

Only the user joins. What is stored is one id (`linked_account_id`). Whether the manual account counts follows from it
and from the current connections:

| the synchronised account, or the same one through another connection (rule 6), is | the manual account |
| --- | --- |
| enabled, and the bank shows it | does not count: it shows as disabled |
| unticked, or closed at the bank | counts again; the join stays |
| gone with its connection, with no copy elsewhere | counts, shows no join, and may be joined with another one |

So exactly one of the two counts at any time, also when the synchronised account comes back.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from shared.domain.connection import Account, AccountType, Connection
from shared.domain.copies import Holding, by_place, identity, real_accounts
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Change
from shared.domain.manual import ManualAccount, ManualOutcome, publish
from shared.domain.names import plain_name

MOST_JOINED = 8
"""Manual accounts joined with one connection: all that a read of it changes must fit one transaction of 100 writes."""
MOST_SUGGESTED = 3

_SIGN_UNCERTAIN = {AccountType.CARD, AccountType.LOAN}
"""Powens does not document the sign of an amount that is owed (Powens, bank accounts reference)."""
_COMMON_WORDS = {"banque", "bank", "la", "le", "les", "du", "de", "des", "et", "l", "d", "the", "and", "sa", "plc"}


type Connections = Iterable[Connection] | Synchronised


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A synchronised account that may be the same, and the codes of the evidence."""

    account_id: str
    evidence: tuple[str, ...]


def counting(account: Account) -> bool:
    return account.enabled and account.closed_at is None


def standing(connection: Connection | None) -> frozenset[tuple[object, ...]]:
    """Everything about a connection that decides what counts.

    While it stays equal, no join changes.
    """
    if connection is None or connection.removed_at is not None:
        return frozenset()
    return frozenset(
        (a.id, identity(a, connection), a.number_key, a.name, counting(a), a.missing_since is None, a.closed_at is None)
        for a in connection.accounts
    )


class Synchronised:
    """An index of the accounts of living connections, by id and by real account.

    Built once for many look-ups.
    """

    def __init__(self, connections: Iterable[Connection]) -> None:
        self.connections = tuple(c for c in connections if c.removed_at is None)
        self._by_id: dict[str, Holding] = {}
        for connection in self.connections:
            for account in connection.accounts:
                self._by_id |= dict.fromkeys(known_as(account), (account, connection))
        self._copies: dict[str, list[Holding]] = {}
        for holdings in real_accounts(self.connections):
            places = by_place(holdings)
            for place in places:
                elsewhere = [holding for other in places if other is not place for holding in other]
                self._copies |= {account.id: elsewhere for account, _ in place}
            for account, connection in holdings:
                if account.closed_at is not None:
                    # No copy itself, but what another connection still shows is the same account.
                    self._copies[account.id] = [h for place in places for h in place if h[1].id != connection.id]

    def same(self, account_id: str) -> list[Holding]:
        """The account and its copies (rule 6); empty when no living connection has it."""
        holding = self._by_id.get(account_id)
        if holding is None:
            return []
        return [holding, *self._copies.get(holding[0].id, ())]


def _synchronised(connections: Connections) -> Synchronised:
    return connections if isinstance(connections, Synchronised) else Synchronised(connections)


def same_account(account_id: str, connections: Connections) -> list[Holding]:
    """The account and its copies (rule 6); empty when no living connection has it."""
    return _synchronised(connections).same(account_id)


def known_as(account: Account) -> tuple[str, ...]:
    """Its id and its former ids."""
    return (account.id, *account.former_ids)


def joined_with(account: ManualAccount, connections: Connections) -> Account | None:
    """The synchronised account of a join; None without a join, and when its connection is removed."""
    if account.linked_account_id is None:
        return None
    same = same_account(account.linked_account_id, connections)
    return same[0][0] if same else None


def counts(account: ManualAccount, connections: Connections) -> bool:
    """Whether a manual account counts, as no synchronised account counts instead of it."""
    return taken_over_by(account, connections) is None


def taken_over_by(
    account: ManualAccount, connections: Connections, duplicate_ids: Container[str] = frozenset()
) -> Account | None:
    """The synchronised account that counts instead of a manual one, preferably none of `duplicate_ids`."""
    if account.linked_account_id is None:
        return None
    counted = [a for a, _ in same_account(account.linked_account_id, connections) if counting(a)]
    return min(counted, key=lambda a: a.id in duplicate_ids, default=None)


def join(
    account: ManualAccount, account_id: str, others: Iterable[ManualAccount], connections: Connections
) -> ManualOutcome:
    """Join with an account of a living connection.

    Raises Conflict `account_already_joined`, `too_many_joined_accounts`, `types_differ`,
    `currencies_differ` or `account_closed_at_bank`.
    """
    connections = _synchronised(connections)
    current = joined_with(account, connections)
    if current is not None and account_id in known_as(current):
        return ManualOutcome(account=account)
    if current is not None:
        raise Conflict("joined with another one", code="account_already_joined")
    same = same_account(account_id, connections)
    target = same[0][0]
    elsewhere = [
        same_account(other.linked_account_id, connections)
        for other in others
        if other.id != account.id and other.linked_account_id is not None
    ]
    wanted = {a.id for a, _ in same}
    if any(not wanted.isdisjoint(a.id for a, _ in joined) for joined in elsewhere):
        raise Conflict("another manual account is joined with it", code="account_already_joined")
    here = {c.id for _, c in same}
    if sum(any(c.id in here for _, c in joined) for joined in elsewhere) >= MOST_JOINED:
        raise Conflict("too many joined accounts", code="too_many_joined_accounts")
    if target.type is not account.type:
        raise Conflict(f"{target.type.value} and {account.type.value}", code="types_differ")
    if target.currency != account.currency:
        raise Conflict("two currencies", code="currencies_differ")
    if target.closed_at is not None:
        raise Conflict("closed", code="account_closed_at_bank")
    return _publish_join(replace(account, linked_account_id=target.id), connections)


def part(account: ManualAccount, connections: Connections) -> ManualOutcome:
    """Remove a join: both accounts are as they were without it."""
    if account.linked_account_id is None:
        return ManualOutcome(account=account)
    return _publish_join(replace(account, linked_account_id=None), connections)


def _publish_join(account: ManualAccount, connections: Connections) -> ManualOutcome:
    followed = follow(account, connections, Cause.USER)
    return followed if followed.facts else publish(account, Change.REFRESHED)


def follow(account: ManualAccount, connections: Connections, cause: Cause) -> ManualOutcome:
    """Publish that the account counts, or no longer counts, unless the last event did."""
    now_counts = counts(account, connections)
    if now_counts == account.announced:
        return ManualOutcome(account=account)
    return publish(
        replace(account, announced=now_counts), Change.ENABLED if now_counts else Change.DISABLED, cause=cause
    )


def affected(
    accounts: Iterable[ManualAccount],
    before: Connection | None,
    changed: Connection,
    connections: Connections,
    cause: Cause,
) -> tuple[tuple[ManualAccount, ManualOutcome], ...]:
    """What a change of one connection means for manual accounts.

    `connections`: all of the user's, after the change.

    If the joined account goes and has a copy elsewhere, the copy takes its place in the join: else
    the manual account would count beside the copy. An account whose join may be concerned is
    returned even without a fact, so that it is written and two connections that change at the same
    time conflict.
    """
    connections = _synchronised(connections)
    changed_ids = {id_ for account in changed.accounts for id_ in known_as(account)}
    outcomes = []
    for account in accounts:
        if account.linked_account_id is None:
            continue
        ids = {a.id for a, _ in same_account(account.linked_account_id, connections)} | {account.linked_account_id}
        after = follow(_with_copy(account, before, connections), connections, cause)
        if after.facts or after.account != account or ids & changed_ids:
            outcomes.append((account, after))
    return tuple(outcomes)


def _with_copy(account: ManualAccount, before: Connection | None, connections: Synchronised) -> ManualAccount:
    """The account, joined with a copy if the account that it was joined with went with a change of `before`."""
    linked = account.linked_account_id
    if linked is None or before is None or before.account(linked) is None or same_account(linked, connections):
        return account
    others = [connection for connection in connections.connections if connection.id != before.id]
    copies = [a for a, _ in same_account(linked, [before, *others])[1:]]
    heir = min(copies, key=lambda a: not counting(a), default=None)
    return account if heir is None else replace(account, linked_account_id=heir.id)


def suggestions(
    accounts: Iterable[ManualAccount], connections: Connections, duplicate_ids: Container[str]
) -> dict[str, tuple[Suggestion, ...]]:
    """For each manual account, the synchronised accounts that may be the same, the most likely first.

    Type and currency must be equal, and the institution's name or the balance too: the account's
    name alone is no evidence (rule 3). Accounts that the user has denied or joined are left out.
    `duplicate_ids`: our ids of the copies that do not count.
    """
    accounts = list(accounts)
    if not accounts:
        return {}
    living = _synchronised(connections)
    taken = {
        a.id
        for other in accounts
        if other.linked_account_id is not None
        for a, _ in living.same(other.linked_account_id)
    }
    candidates: dict[tuple[object, ...], list[Holding]] = {}
    for c in living.connections:
        for a in c.accounts:
            if a.closed_at is None and a.id not in duplicate_ids and a.id not in taken:
                candidates.setdefault((a.type, a.currency), []).append((a, c))
    by_account = {}
    for account in accounts:
        if joined_with(account, living) is not None:
            continue
        named = {
            c.id
            for c in living.connections
            if account.institution_name is not None and _same_name(account.institution_name, c.institution.name)
        }
        denied = {id_ for a_id in account.not_the_same for a, _ in living.same(a_id) for id_ in known_as(a)}
        alike = [
            Suggestion(account_id=a.id, evidence=evidence)
            for a, c in candidates.get((account.type, account.currency), ())
            if (evidence := _evidence(account, a, same_institution=c.id in named)) and a.id not in denied
        ]
        if alike:
            ranked = sorted(alike, key=lambda suggestion: (-len(suggestion.evidence), suggestion.account_id))
            by_account[account.id] = tuple(ranked[:MOST_SUGGESTED])
    return by_account


def _evidence(account: ManualAccount, other: Account, *, same_institution: bool) -> tuple[str, ...]:
    """Codes of what two accounts of one type and currency have in common; empty when it is only their names."""
    signs = ["same_institution"] if same_institution else []
    if other.balance is not None and _same_balance(account.balance, other.balance, account.type):
        signs.append("same_balance")
    if not signs:
        return ()
    if _same_name(account.name, other.name):
        signs.append("same_name")
    return ("same_type", "same_currency", *signs)


def _same_balance(ours: Decimal, theirs: Decimal, kind: AccountType) -> bool:
    """Zero is the balance of many accounts, so it is no evidence."""
    return ours != 0 and (ours == theirs or (kind in _SIGN_UNCERTAIN and ours == -theirs))


def _same_name(ours: str, theirs: str) -> bool:
    """Whether one name has all words of the other, but for common words, accents and case."""
    first, second = _words(ours), _words(theirs)
    return bool(first) and bool(second) and (first <= second or second <= first)


@lru_cache(maxsize=1024)
def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", plain_name(name))) - _COMMON_WORDS
