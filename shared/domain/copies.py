"""Rule 6: one real account counts once, however many copies of it the connections have.

Users connect a bank again when its connection is broken, so the oldest copy is often the dead one. The copy that counts
is decided by the first of these criteria in which two copies differ:

1. it is enabled;
2. the last read of its connection showed it;
3. its connection works (state, activity and consent), and neither the account nor its source has an error;
4. its last success is newer;
5. it was discovered earlier.

Copies are in two connections, or in one that shows an account under a new Powens id before the old id is gone (rule 3):
until then the old account, absent from the last read, and its successor are copies.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from shared.domain.connection import Account, Connection
from shared.domain.names import plain_name
from shared.domain.status import ConnectionStatus, Freshness, account_trouble, freshness, status_at_rest

type Holding = tuple[Account, Connection]
"""An account and the connection that has it."""
type Identity = tuple[object, ...]

_NEVER = datetime.min.replace(tzinfo=UTC)
_WORKING = {ConnectionStatus.OK, ConnectionStatus.SYNCING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Why a copy does not count: the account that counts instead, its connection, and a reason code."""

    account_id: str
    connection_id: str
    reason: str


def identity(account: Account, connection: Connection) -> Identity | None:
    """The key that all copies of one real account share; None without an IBAN or number.

    A card and a vault may have the IBAN of their account, so the type is part of the key. Several
    pockets of one account have the same key; `real_accounts` separates them by their names.
    """
    if account.iban_key is not None:
        return ("iban", account.iban_key, account.currency, account.type)
    if account.number_key is not None:
        return ("number", connection.institution.id, account.number_key, account.currency, account.type)
    return None


def real_accounts(connections: Iterable[Connection]) -> Iterator[list[Holding]]:
    """The real accounts that several accounts of living connections may be, each with its holdings, closed ones too."""
    alike: dict[Identity, list[Holding]] = {}
    for connection in connections:
        if connection.removed_at is not None:
            continue
        for account in connection.accounts:
            key = identity(account, connection)
            if key is not None:
                alike.setdefault(key, []).append((account, connection))
    for members in alike.values():
        if len(members) > 1:
            yield from _separate(members)


def by_place(holdings: list[Holding]) -> list[list[Holding]]:
    """The copies of one real account, for each place those that it has.

    A place is a connection. Accounts that the last read no longer shows, but has successors of, are
    another place. Closed accounts are no copies: they only show how many pockets there were.
    """
    copies = [holding for holding in holdings if holding[0].closed_at is None]

    def place(holding: Holding) -> tuple[str, bool]:
        return holding[1].id, _succeeded(holding, copies)

    return [list(group) for _, group in groupby(sorted(copies, key=place), key=place)]


def _succeeded(holding: Holding, members: list[Holding]) -> bool:
    """Whether the last read seems to show another account instead of this one."""
    account, connection = holding
    since = account.missing_since
    return since is not None and any(
        other.missing_since is None and other.closed_at is None and other.discovered_at >= since
        for other, place in members
        if place.id == connection.id
    )


def _separate(members: list[Holding]) -> list[list[Holding]]:
    """Separate the holdings of one identity into real accounts.

    Several in one place are pockets: the number, then the name matches them with those of another
    place. If neither matches any of them, they are treated as one real account.
    """
    sizes = Counter((connection.id, _succeeded((account, connection), members)) for account, connection in members)
    if max(sizes.values()) == 1:
        return [members]
    accounts = []
    rest = members
    by_number: Callable[[Holding], str | None] = lambda holding: holding[0].number_key  # noqa: E731
    by_name: Callable[[Holding], str | None] = lambda holding: plain_name(holding[0].name)  # noqa: E731
    for trait in (by_number, by_name):
        shared: dict[str, list[Holding]] = {}
        for holding in rest:
            if (value := trait(holding)) is not None:
                shared.setdefault(value, []).append(holding)
        separate = [group for group in shared.values() if _one_per_place(group)]
        accounts += separate
        taken = {account.id for group in separate for account, _ in group}
        rest = [holding for holding in rest if holding[0].id not in taken]
    # Nothing shows which of several successors an absent account has: it counts until it is gone.
    rest = [holding for holding in rest if not _succeeded(holding, members)]
    # If some names match, accounts with other names are other accounts; if none does, names are no
    # evidence.
    return accounts or [rest]


def _one_per_place(group: list[Holding]) -> bool:
    places = [(connection.id, _succeeded((account, connection), group)) for account, connection in group]
    return len(group) > 1 and len(set(places)) == len(places)


def duplicates(connections: Iterable[Connection], now: datetime) -> dict[str, Duplicate]:
    """For each copy that does not count, by account id, the one that counts instead."""
    connections = tuple(connections)
    working = {c.id: works(c, now) for c in connections}
    duplicate_of: dict[str, Duplicate] = {}
    for holdings in real_accounts(connections):
        places = by_place(holdings)
        if len(places) < 2:
            continue
        ranked = sorted((holding for place in places for holding in place), key=lambda holding: _rank(holding, working))
        first = ranked[0]
        here = next(place for place in places if any(account is first[0] for account, _ in place))
        inside = {account.id for account, _ in here}
        for account, connection in ranked:
            if account.id not in inside:
                duplicate_of[account.id] = Duplicate(
                    account_id=first[0].id,
                    connection_id=first[1].id,
                    reason=_reason((account, connection), first, working),
                )
    return duplicate_of


def works(connection: Connection, now: datetime) -> bool:
    """Whether Powens still synchronises the connection, as far as its state shows."""
    return status_at_rest(connection, now)[0] in _WORKING


_REASONS = ("copy_not_enabled", "copy_not_shown", "copy_connection_not_working", "copy_older", "copy_known_later")


def _rank(holding: Holding, working: dict[str, bool]) -> tuple[bool, bool, bool, float, datetime, str]:
    account, connection = holding
    failing = account_trouble(account, connection) is not None
    # A success of the connection is none of an account that fails in it.
    newest = account.last_success_at or (None if failing else connection.last_success_at) or _NEVER
    return (
        not account.enabled,
        account.missing_since is not None,
        failing or not working[connection.id],
        -newest.timestamp(),
        account.discovered_at,
        account.id,
    )


def _reason(holding: Holding, first: Holding, working: dict[str, bool]) -> str:
    pairs = zip(_REASONS, _rank(holding, working), _rank(first, working), strict=False)
    return next((reason for reason, own, other in pairs if own != other), _REASONS[-1])


def superseded(
    connections: Iterable[Connection], duplicate_of: Mapping[str, Duplicate], now: datetime
) -> dict[str, str]:
    """For each dead connection, by its id, the id of one that counts instead.

    Dead: it does not work, or its data is stale, and each of its enabled accounts counts through
    another connection, one that works. `duplicate_of`: the result of `duplicates`.
    """
    connections = tuple(connections)
    working = {c.id for c in connections if works(c, now)}
    superseded_by: dict[str, str] = {}
    for connection in connections:
        if connection.id in working and freshness(connection.last_success_at, now) is not Freshness.STALE:
            continue
        enabled = [a for a in connection.accounts if a.enabled and a.closed_at is None]
        instead = [duplicate_of[a.id].connection_id if a.id in duplicate_of else connection.id for a in enabled]
        if instead and (working - {connection.id}).issuperset(instead):
            superseded_by[connection.id] = instead[0]
    return superseded_by
