"""Rule 6: one real account that is held more than once counts once. Which copies there are, which counts, and why.

People connect a bank anew when its connection is broken, so the copy known for longest is often the dead one. The copy
that counts is the first of these that tells two apart:

1. it is enabled;
2. the last read of its connection showed it;
3. its connection works: state, activity and consent, and no trouble of its own or of its source;
4. its newest success;
5. it has been known for longest.

Copies come from two connections, or from one that shows an account under a new Powens id before the old id is gone
(rule 3): until then the old one, absent from the last read, and its successor are copies.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from shared.domain.connection import Account, Connection
from shared.domain.names import plain_name
from shared.domain.status import ConnectionStatus, Freshness, account_trouble, freshness, status_at_rest

type Held = tuple[Account, Connection]
type Identity = tuple[object, ...]

_NEVER = datetime.min.replace(tzinfo=UTC)
_WORKING = {ConnectionStatus.OK, ConnectionStatus.SYNCING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A copy that does not count: the account that does, the connection which has that, and why, as a reason code."""

    account_id: str
    connection_id: str
    reason: str


def identity(account: Account, connection: Connection) -> Identity | None:
    """What all copies of one real account share; None when nothing strong is known.

    An IBAN does not tell an account from its card or its vaults, so the type belongs to it. Equal for several pockets
    of one account: names tell those apart (`groups`).
    """
    if account.iban_key is not None:
        return ("iban", account.iban_key, account.currency, account.type)
    if account.number_key is not None:
        return ("number", connection.institution.id, account.number_key, account.currency, account.type)
    return None


def groups(connections: Iterable[Connection]) -> list[list[list[Held]]]:
    """The real accounts that are held more than once: for each its copies, those of one place together.

    A place is a connection; what the last read no longer shows, while a successor shows, is a place of its own.
    """
    alike: dict[Identity, list[Held]] = {}
    for connection in connections:
        if connection.removed_at is not None:
            continue
        for account in connection.accounts:
            key = identity(account, connection)
            if key is not None:
                alike.setdefault(key, []).append((account, connection))
    found = []
    for members in alike.values():
        if len(members) > 1:
            for copies in _told_apart(members):
                # The closed ones are no copies, but they tell how many pockets there were.
                places = _by_place([held for held in copies if held[0].closed_at is None])
                if len(places) > 1:
                    found.append(places)
    return found


def _by_place(members: list[Held]) -> list[list[Held]]:
    def place(held: Held) -> tuple[str, bool]:
        return held[1].id, _succeeded(held, members)

    ordered = sorted(members, key=place)
    return [list(group) for _, group in groupby(ordered, key=place)]


def _succeeded(held: Held, members: list[Held]) -> bool:
    """Whether the last read shows another account instead of this one, as it seems."""
    account, connection = held
    since = account.missing_since
    return since is not None and any(
        other.missing_since is None and other.closed_at is None and other.discovered_at >= since
        for other, place in members
        if place.id == connection.id
    )


def _told_apart(members: list[Held]) -> list[list[Held]]:
    """Members of one identity as the real accounts that they are.

    Where one place has several, they are pockets: the number, then the name says which is which of another place. If
    neither does for any of them, they count as a whole, by place.
    """
    sizes = Counter((connection.id, _succeeded((account, connection), members)) for account, connection in members)
    if max(sizes.values()) == 1:
        return [members]
    found = []
    rest = members
    by_number: Callable[[Held], str | None] = lambda held: held[0].number_key  # noqa: E731
    by_name: Callable[[Held], str | None] = lambda held: plain_name(held[0].name)  # noqa: E731
    for trait in (by_number, by_name):
        shared: dict[str, list[Held]] = {}
        for held in rest:
            if (value := trait(held)) is not None:
                shared.setdefault(value, []).append(held)
        told = [group for group in shared.values() if _one_each(group)]
        found += told
        taken = {account.id for group in told for account, _ in group}
        rest = [held for held in rest if held[0].id not in taken]
    # Nothing says which of several successors one that is absent has: it counts until it is gone.
    rest = [held for held in rest if not _succeeded(held, members)]
    # Where the places agree on some names, others are other accounts; where on none, names say nothing.
    return found or [rest]


def _one_each(group: list[Held]) -> bool:
    places = [(connection.id, _succeeded((account, connection), group)) for account, connection in group]
    return len(group) > 1 and len(set(places)) == len(places)


def duplicates(connections: Iterable[Connection], now: datetime) -> dict[str, Duplicate]:
    """For each copy that does not count, the one that does."""
    connections = tuple(connections)
    working = {c.id: works(c, now) for c in connections}
    found: dict[str, Duplicate] = {}
    for places in groups(connections):
        ranked = sorted((held for place in places for held in place), key=lambda held: _rank(held, working))
        first = ranked[0]
        here = next(place for place in places if any(account is first[0] for account, _ in place))
        inside = {account.id for account, _ in here}
        for account, connection in ranked:
            if account.id not in inside:
                found[account.id] = Duplicate(
                    account_id=first[0].id,
                    connection_id=first[1].id,
                    reason=_reason((account, connection), first, working),
                )
    return found


def works(connection: Connection, now: datetime) -> bool:
    """Whether Powens goes on synchronising the connection, as far as it says."""
    return status_at_rest(connection, now)[0] in _WORKING


_REASONS = ("copy_not_enabled", "copy_not_shown", "copy_connection_not_working", "copy_older", "copy_known_later")


def _rank(held: Held, working: dict[str, bool]) -> tuple[bool, bool, bool, float, datetime, str]:
    account, connection = held
    newest = account.last_success_at or connection.last_success_at or _NEVER
    return (
        not account.enabled,
        account.missing_since is not None,
        not working[connection.id] or account_trouble(account, connection) is not None,
        -newest.timestamp(),
        account.discovered_at,
        account.id,
    )


def _reason(held: Held, first: Held, working: dict[str, bool]) -> str:
    pairs = zip(_REASONS, _rank(held, working), _rank(first, working), strict=False)
    return next((reason for reason, own, other in pairs if own != other), _REASONS[-1])


def superseded_by(
    connection: Connection, connections: Iterable[Connection], doubled: dict[str, Duplicate], now: datetime
) -> str | None:
    """The connection that counts instead of a dead one, as a whole; None while the connection is of any use.

    Dead: it does not work, or has brought nothing for days, and whatever is enabled in it counts through a connection
    that works.
    """
    if works(connection, now) and freshness(connection.last_success_at, now) is not Freshness.STALE:
        return None
    enabled = [a for a in connection.accounts if a.enabled and a.closed_at is None]
    instead = [doubled[a.id].connection_id if a.id in doubled else connection.id for a in enabled]
    working = {c.id for c in connections if c.id != connection.id and works(c, now)}
    return instead[0] if instead and working.issuperset(instead) else None
