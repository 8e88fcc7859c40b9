"""Rule 3: which account lives on under another Powens id, because Powens made it anew.

Only an account whose old id is gone can live on: called `deleted`, closed, or absent from full reads for `MISSING_FOR`.
While it is merely absent from an answer, what looks like it is another account (and its copy, rule 6).

The same account has the same IBAN and our coarse type (Powens' finer one flips between `loan` and `mortgage`), else the
same identifying number, currency and type. Where several are equal in that, as the pockets of one account are, the
number and then the name tell them apart. What is still tied: one wish that all of them share carries over; otherwise
nobody but the user can say which is which, and is asked.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Protocol

from shared.domain.connection import Account, account_type
from shared.domain.names import plain_name
from shared.domain.observation import ObservedAccount

MISSING_FOR = timedelta(hours=24)
"""How long reads must go on missing an account that Powens does not call `deleted` before it counts as gone."""
SIDE_BY_SIDE_FOR = timedelta(hours=48)
"""How long an account and what Powens made anew of it may both be shown. Longer: they are two."""


class Keys(Protocol):
    """What tells accounts apart, of an account that is held as of one that was seen."""

    @property
    def powens_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def provider_type(self) -> str: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def iban_key(self) -> str | None: ...
    @property
    def number_key(self) -> str | None: ...


@dataclass(slots=True)
class Succession:
    """`heir_of`: for our id of each account that lives on, the Powens id under which. `tied`: those of them that nobody
    can tell from another, though not all of the tied were wanted alike. `absorbed`: for our id of each account that
    came while another was absent, and no longer shows either, our id of that other one: they were the same.
    """

    heir_of: dict[str, int] = field(default_factory=dict)
    tied: set[str] = field(default_factory=set)
    absorbed: dict[str, str] = field(default_factory=dict)


def gone(
    account: Account,
    seen: ObservedAccount | None,
    started_at: datetime,
    *,
    complete: bool,
    denied: Container[int] = frozenset(),
) -> bool:
    """Whether the account's Powens id is gone for good, after a read that began at `started_at`.

    `seen`: what the read showed under that id. `complete`: the answer has all accounts, so that what it lacks is
    absent. `denied`: Powens ids which Powens said it does not know when it was told what the user wants of them; absent
    as well, they are gone.
    """
    if seen is not None and not seen.deleted:
        return False
    if seen is not None or account.closed_at is not None:
        return True
    since = account.missing_since
    long = since is not None and started_at - since >= MISSING_FOR
    return complete and (long or account.powens_id in denied)


def succession(
    held: Sequence[Account],
    seen: Sequence[ObservedAccount],
    started_at: datetime,
    *,
    complete: bool,
    denied: Container[int] = frozenset(),
) -> Succession:
    """Pair what is gone with what came instead: seen for the first time, or known since a short while before.

    While a choice about the newer of two that are both known is being carried out, they wait; nothing is lost by it.
    """
    known = {account.powens_id: account for account in held}
    shown = [observed for observed in seen if not observed.deleted and not observed.unreadable]
    heirs: list[Keys] = [known.get(observed.powens_id, observed) for observed in shown]
    by_id = {observed.powens_id: observed for observed in seen}
    surely = {a.id for a in held if gone(a, by_id.get(a.powens_id), started_at, complete=complete)}

    def alone(account: Account) -> bool:
        # What was on the user's screen beside the denied one could have been ticked there, or be what it lives on as.
        return not any(isinstance(heir, Account) and same_keys(account, heir) for heir in heirs)

    lost = [
        a
        for a in held
        if a.id in surely
        or (gone(a, by_id.get(a.powens_id), started_at, complete=complete, denied=denied) and alone(a))
    ]
    living = {observed.powens_id for observed in seen if not observed.deleted}
    hidden = [account for account in held if account.powens_id not in living]
    found = Succession()
    left = _absorbing(lost, surely, hidden, found)
    while left:
        # All that are linked by equal keys, whichever of them begins.
        olders = [left[0]]
        candidates: list[Keys] = []
        size = 0
        while size < len(olders) + len(candidates):
            size = len(olders) + len(candidates)
            candidates = [h for h in heirs if any(_may_follow(older, h, started_at) for older in olders)]
            olders = [a for a in left if a in olders or any(_may_follow(a, h, started_at) for h in candidates)]
        left = [account for account in left if account not in olders]
        _decide(olders, candidates, started_at, found)
    return found


def _absorbing(lost: list[Account], surely: set[str], hidden: list[Account], found: Succession) -> list[Account]:
    """What is gone, without what an account that came instead, and no longer shows either, goes on with."""
    left = sorted(lost, key=lambda account: account.discovered_at)
    for older in tuple(left):
        later = _came_instead(older, hidden, left)
        if later is not None and older.id in surely and later.id not in found.absorbed:
            found.absorbed[later.id] = found.absorbed.get(older.id, older.id)
            left.remove(older)
            if later not in left:
                left.append(later)
    return left


def _may_follow(older: Account, heir: Keys, started_at: datetime) -> bool:
    if older.powens_id == heir.powens_id or not same_keys(older, heir):
        return False
    if not isinstance(heir, Account):
        return True
    last_shown = older.missing_since or older.closed_at or started_at
    return (
        heir.choice is None
        and older.discovered_at < heir.discovered_at
        and heir.discovered_at >= last_shown - SIDE_BY_SIDE_FOR
    )


def same_keys(one: Keys, other: Keys) -> bool:
    """Whether two accounts of one institution are equal in all that can identify an account."""
    if account_type(one.provider_type) is not account_type(other.provider_type):
        return False  # a card, a vault or savings may carry the IBAN of the current account
    if one.currency and other.currency and one.currency != other.currency:
        return False  # one IBAN may serve an account in several currencies
    if one.iban_key and other.iban_key:
        return one.iban_key == other.iban_key
    return one.number_key is not None and one.number_key == other.number_key and one.currency == other.currency


def _decide(olders: list[Account], heirs: list[Keys], started_at: datetime, found: Succession) -> None:
    """Of accounts that are equal in their strong keys: who follows whom."""
    for same in (_same_number, _same_name):
        for older in tuple(olders):
            mine = [h for h in heirs if same(older, h) and _may_follow(older, h, started_at)]
            rivals = [a for a in olders if mine and same(a, mine[0])]
            if len(mine) == 1 and len(rivals) == 1:
                found.heir_of[found.absorbed.get(older.id, older.id)] = mine[0].powens_id
                olders.remove(older)
                heirs.remove(mine[0])
    # In the order of their ids; those with a name of the user's own first, so that no such name is lost.
    olders.sort(key=lambda a: (a.custom_name is None, a.powens_id))
    heirs.sort(key=lambda h: h.powens_id)
    pairs = [(o, h) for o, h in zip_longest(olders, heirs) if o is not None and h is not None]
    agreed = len({older.wanted for older in olders}) == 1 and len(heirs) <= len(olders)
    for older, heir in pairs:
        if not _may_follow(older, heir, started_at):
            continue
        found.heir_of[found.absorbed.get(older.id, older.id)] = heir.powens_id
        if not agreed:
            found.tied.add(found.absorbed.get(older.id, older.id))


def _came_instead(older: Account, hidden: list[Account], lost: list[Account]) -> Account | None:
    """What came when `older` had become absent and looks the same: by its name, else by its number.

    The number is that of all pockets of one account; so it says nothing of one that has the name of another lost one.
    """
    went = older.missing_since
    if went is None:
        return None
    alike = [
        later
        for later in hidden
        if later.id != older.id and later.discovered_at >= went and later.choice is None and same_keys(older, later)
    ]
    named = [later for later in alike if _same_name(older, later)]
    numbered = [
        later
        for later in alike
        if _same_number(older, later) and not any(_same_name(other, later) for other in lost if other is not later)
    ]
    return next(iter([*named, *numbered]), None)


def _same_number(one: Keys, other: Keys) -> bool:
    return one.number_key is not None and one.number_key == other.number_key


def _same_name(one: Keys, other: Keys) -> bool:
    return plain_name(one.name) == plain_name(other.name)
