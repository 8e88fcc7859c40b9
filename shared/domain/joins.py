"""When an account kept by hand is the same as a synchronised one: suggesting it, joining the two, and parting them.

The user joins; nothing is ever joined by itself. What is written down is one pointer (`linked_account_id`). Whether the
account kept by hand counts follows from it and from the connections as they are:

| the synchronised account, or the same one through another connection (rule 6), is | the account kept by hand |
| --- | --- |
| enabled, and the bank shows it | does not count: it shows as disabled |
| unticked, or closed at the bank | counts again; the join stays |
| gone with its connection, with no copy elsewhere | counts, shows no join, and may be joined with another one |

So between them exactly one counts at any time, and whatever comes back takes its place again.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from shared.domain.connection import Account, AccountType, Connection
from shared.domain.copies import Held, groups, identity
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Change
from shared.domain.manual import ManualAccount, ManualOutcome, told
from shared.domain.names import plain_name

MOST_JOINED = 8
"""Accounts joined with those of one connection: what a read of it changes must fit one transaction of 100 writes."""
MOST_SUGGESTED = 3

_SIGN_UNCERTAIN = {AccountType.CARD, AccountType.LOAN}
"""Powens does not say with which sign it shows what is owed (Powens, bank accounts reference)."""
_SAYS_NOTHING = {"banque", "bank", "la", "le", "les", "du", "de", "des", "et", "l", "d", "the", "and", "sa", "plc"}


type Connections = Iterable[Connection] | Synchronised


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A synchronised account that may be the same, and the signs of it."""

    account_id: str
    evidence: tuple[str, ...]


def counting(account: Account) -> bool:
    return account.enabled and account.closed_at is None


def standing(connection: Connection | None) -> frozenset[tuple[object, ...]]:
    """Whatever of a connection decides what counts. As long as it stays the same, no join is affected."""
    if connection is None or connection.removed_at is not None:
        return frozenset()
    return frozenset(
        (a.id, identity(a, connection), a.number_key, a.name, counting(a), a.missing_since is None, a.closed_at is None)
        for a in connection.accounts
    )


class Synchronised:
    """The accounts of living connections, found by id and by what they really are. Made once for many looks."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self.connections = tuple(c for c in connections if c.removed_at is None)
        self._by_id: dict[str, Held] = {}
        for connection in self.connections:
            for account in connection.accounts:
                self._by_id |= dict.fromkeys(known_as(account), (account, connection))
        self._copies: dict[str, list[Held]] = {}
        for places in groups(self.connections):
            for place in places:
                elsewhere = [held for other in places if other is not place for held in other]
                self._copies |= {account.id: elsewhere for account, _ in place}

    def same(self, account_id: str) -> list[Held]:
        """The account, and the same real one in other places (rule 6); empty when there is none."""
        found = self._by_id.get(account_id)
        if found is None:
            return []
        return [found, *self._copies.get(found[0].id, ())]


def _synchronised(connections: Connections) -> Synchronised:
    return connections if isinstance(connections, Synchronised) else Synchronised(connections)


def same_account(account_id: str, connections: Connections) -> list[Held]:
    """The account, and the same real one through other connections (rule 6); empty when no living one has it."""
    return _synchronised(connections).same(account_id)


def known_as(account: Account) -> tuple[str, ...]:
    """Its id, and those of what turned out to be this very account."""
    return (account.id, *account.former_ids)


def joined_with(account: ManualAccount, connections: Connections) -> Account | None:
    """The synchronised account of a join. None without one, and when its connection is gone."""
    if account.linked_account_id is None:
        return None
    same = same_account(account.linked_account_id, connections)
    return same[0][0] if same else None


def counts(account: ManualAccount, connections: Connections) -> bool:
    """Whether an account kept by hand counts by itself."""
    return taken_over_by(account, connections) is None


def taken_over_by(
    account: ManualAccount, connections: Connections, doubled: Container[str] = frozenset()
) -> Account | None:
    """The synchronised account that counts instead of one kept by hand; of its copies one that is not `doubled`."""
    if account.linked_account_id is None:
        return None
    counted = [a for a, _ in same_account(account.linked_account_id, connections) if counting(a)]
    return min(counted, key=lambda a: a.id in doubled, default=None)


def join(
    account: ManualAccount, account_id: str, others: Iterable[ManualAccount], connections: Connections
) -> ManualOutcome:
    """Join with an account that a living connection has. Raises Conflict when the two cannot be the same."""
    connections = _synchronised(connections)
    held = joined_with(account, connections)
    if held is not None and account_id in known_as(held):
        return ManualOutcome(account=account)
    if held is not None:
        raise Conflict("joined with another one", code="account_already_joined")
    same = same_account(account_id, connections)
    target = same[0][0]
    elsewhere = [
        same_account(other.linked_account_id, connections)
        for other in others
        if other.id != account.id and other.linked_account_id is not None
    ]
    if any(joined[0][0].id in {a.id for a, _ in same} for joined in elsewhere if joined):
        raise Conflict("another account kept by hand is joined with it", code="account_already_joined")
    here = {c.id for _, c in same}
    if sum(any(c.id in here for _, c in joined) for joined in elsewhere) >= MOST_JOINED:
        raise Conflict("too many joined accounts", code="too_many_joined_accounts")
    if target.type is not account.type:
        raise Conflict(f"{target.type.value} and {account.type.value}", code="types_differ")
    if target.currency != account.currency:
        raise Conflict("two currencies", code="currencies_differ")
    if target.closed_at is not None:
        raise Conflict("closed", code="account_closed_at_bank")
    return _retold(replace(account, linked_account_id=target.id), connections)


def part(account: ManualAccount, connections: Connections) -> ManualOutcome:
    """Take a join back: both accounts are as if there had been none."""
    if account.linked_account_id is None:
        return ManualOutcome(account=account)
    return _retold(replace(account, linked_account_id=None), connections)


def _retold(account: ManualAccount, connections: Connections) -> ManualOutcome:
    followed = follow(account, connections, Cause.USER)
    return followed if followed.facts else told(account, Change.REFRESHED)


def follow(account: ManualAccount, connections: Connections, cause: Cause) -> ManualOutcome:
    """Say that the account counts, or no longer does, unless the last event said so."""
    now_counts = counts(account, connections)
    if now_counts == account.announced:
        return ManualOutcome(account=account)
    return told(replace(account, announced=now_counts), Change.ENABLED if now_counts else Change.DISABLED, cause=cause)


def affected(
    accounts: Iterable[ManualAccount],
    before: Connection | None,
    changed: Connection,
    connections: Connections,
    cause: Cause,
) -> tuple[tuple[ManualAccount, ManualOutcome], ...]:
    """What a change of one connection does to accounts kept by hand. `connections` are all of them, after it.

    A join with an account that goes, but has a copy elsewhere, goes on with the copy: else the account kept by hand
    would count beside it. Each account whose join it may concern is among them even when nothing is to be said, so
    that it is written: two connections that change at once must see each other.
    """
    connections = _synchronised(connections)
    of_it = {known for account in changed.accounts for known in known_as(account)}
    found = []
    for account in accounts:
        if account.linked_account_id is None:
            continue
        ids = {a.id for a, _ in same_account(account.linked_account_id, connections)} | {account.linked_account_id}
        after = follow(_with_copy(account, before, connections), connections, cause)
        if after.facts or after.account != account or ids & of_it:
            found.append((account, after))
    return tuple(found)


def _with_copy(account: ManualAccount, before: Connection | None, connections: Synchronised) -> ManualAccount:
    """The account, joined with a copy of what it was joined with where that went with a change of `before`."""
    linked = account.linked_account_id
    if linked is None or before is None or before.account(linked) is None or same_account(linked, connections):
        return account
    others = [connection for connection in connections.connections if connection.id != before.id]
    copies = [a for a, _ in same_account(linked, [before, *others])[1:]]
    heir = min(copies, key=lambda a: not counting(a), default=None)
    return account if heir is None else replace(account, linked_account_id=heir.id)


def suggestions(
    accounts: Iterable[ManualAccount], connections: Connections, doubled: Container[str]
) -> dict[str, tuple[Suggestion, ...]]:
    """For each account kept by hand, the synchronised accounts that may be the same, the likeliest first.

    Type and currency must be the same, and so must the institution's name or the balance: an account's own name alone
    proves nothing (rule 3). Not again what the user has denied, and nothing that is joined already. `doubled`: copies
    that do not count, by id.
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
    candidates: dict[tuple[object, ...], list[Held]] = {}
    for c in living.connections:
        for a in c.accounts:
            if a.closed_at is None and a.id not in doubled and a.id not in taken:
                candidates.setdefault((a.type, a.currency), []).append((a, c))
    found = {}
    for account in accounts:
        if joined_with(account, living) is not None:
            continue
        named = {
            c.id
            for c in living.connections
            if account.institution_name is not None and _same_name(account.institution_name, c.institution.name)
        }
        denied = {known for a_id in account.not_the_same for a, _ in living.same(a_id) for known in known_as(a)}
        alike = [
            Suggestion(account_id=a.id, evidence=evidence)
            for a, c in candidates.get((account.type, account.currency), ())
            if (evidence := _evidence(account, a, same_institution=c.id in named)) and a.id not in denied
        ]
        if alike:
            ranked = sorted(alike, key=lambda suggestion: (-len(suggestion.evidence), suggestion.account_id))
            found[account.id] = tuple(ranked[:MOST_SUGGESTED])
    return found


def _evidence(account: ManualAccount, other: Account, *, same_institution: bool) -> tuple[str, ...]:
    """The signs that two accounts of one type and currency are the same; none when only their names are alike."""
    signs = ["same_institution"] if same_institution else []
    if other.balance is not None and _same_balance(account.balance, other.balance, account.type):
        signs.append("same_balance")
    if not signs:
        return ()
    if _same_name(account.name, other.name):
        signs.append("same_name")
    return ("same_type", "same_currency", *signs)


def _same_balance(ours: Decimal, theirs: Decimal, kind: AccountType) -> bool:
    """Zero is the balance of many an account, and so a sign of nothing."""
    return ours != 0 and (ours == theirs or (kind in _SIGN_UNCERTAIN and ours == -theirs))


def _same_name(ours: str, theirs: str) -> bool:
    """Whether one name has all the telling words of the other, accents and case aside."""
    first, second = _words(ours), _words(theirs)
    return bool(first) and bool(second) and (first <= second or second <= first)


@lru_cache(maxsize=1024)
def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", plain_name(name))) - _SAYS_NOTHING
