"""Rule 3: which account has another Powens id now, because Powens created it again.

Only an account whose old id is gone can have a new one: `deleted` at Powens, closed, or absent from
complete reads for `MISSING_FOR`. While it is only absent from an answer, an account that looks like
it is another one (a copy, rule 6).

The same account has the same IBAN and the same type of ours (Powens' finer type may change between
`loan` and `mortgage`), else the same identifying number, currency and type. If several are equal in
that, as the pockets of one account are, the number and then the name separate them. Those that are
still tied keep what is wanted of them if it is the same for all; otherwise only the user can
separate them, and is asked.
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
"""How long complete reads must lack an account that Powens does not mark `deleted` before it counts as gone."""
SIDE_BY_SIDE_FOR = timedelta(hours=48)
"""How long Powens may show an account under its old and its new id.

After that they are two accounts.
"""


class Keys(Protocol):
    """What identifies an account, both a stored one and an observed one."""

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
    """Which accounts are the same.

    `heir_of`: the new Powens id of each account that has one, by our id. `tied`: our ids of those
    that only the user can separate from others. `absorbed`: two stored accounts that are the same
    and neither of which the read shows, our id of the older one by our id of the newer one.
    `waiting`: our ids of accounts that are the same too, but the newest of which has been absent for
    too short a time to say that the bank closed it. `ambiguous`: the Powens ids left over, each of
    which may as well be that of an account which was matched with another of them.
    """

    heir_of: dict[str, int] = field(default_factory=dict)
    tied: set[str] = field(default_factory=set)
    absorbed: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    ambiguous: set[int] = field(default_factory=set)

    def match(self, older: Account, heir: Keys, *, sure: bool) -> None:
        """`sure`: the heir is this account's, or it does not matter whose of several it is."""
        first_id = self.absorbed.get(older.id, older.id)
        self.heir_of[first_id] = heir.powens_id
        if not sure or (isinstance(heir, Account) and heir.ambiguous):
            self.tied.add(first_id)


def gone(
    account: Account,
    observed: ObservedAccount | None,
    started_at: datetime,
    *,
    complete: bool,
    denied: Container[int] = frozenset(),
) -> bool:
    """Whether the account's Powens id is gone for good, after a read that began at `started_at`.

    `observed`: what the read showed under that id. `complete`: the answer has all accounts, so one
    that it lacks is absent. `denied`: Powens ids that Powens did not know when it was given an
    order about them; if they are absent too, they are gone.
    """
    if observed is not None and not observed.deleted:
        return False
    if observed is not None or account.closed_at is not None:
        return True
    since = account.missing_since
    long = since is not None and started_at - since >= MISSING_FOR
    return complete and (long or account.powens_id in denied)


def succession(
    accounts: Sequence[Account],
    observation: Sequence[ObservedAccount],
    started_at: datetime,
    *,
    complete: bool,
    denied: Container[int] = frozenset(),
) -> Succession:
    """Match the accounts whose Powens id is gone with new ones: not stored yet, or stored since a short time before.

    While an order for the newer of two stored accounts is open, the two are not matched: a later
    read does it.
    """
    by_powens_id = {account.powens_id: account for account in accounts}
    shown = [observed for observed in observation if not observed.deleted and not observed.unreadable]
    heirs: list[Keys] = [by_powens_id.get(observed.powens_id, observed) for observed in shown]
    observed_by_id = {observed.powens_id: observed for observed in observation}
    certain = {a.id for a in accounts if gone(a, observed_by_id.get(a.powens_id), started_at, complete=complete)}

    def alone(account: Account) -> bool:
        # The user could see such an account beside the denied one: it may be another account, or
        # the same one.
        return not any(isinstance(heir, Account) and same_keys(account, heir) for heir in heirs)

    lost = [
        a
        for a in accounts
        if a.id in certain
        or (gone(a, observed_by_id.get(a.powens_id), started_at, complete=complete, denied=denied) and alone(a))
    ]
    living = {observed.powens_id for observed in observation if not observed.deleted}
    hidden = [account for account in accounts if account.powens_id not in living]
    result = Succession()
    left = _absorb(lost, hidden, result)
    while left:
        # All accounts that equal keys connect, whichever of them is first.
        olders = [left[0]]
        candidates: list[Keys] = []
        size = 0
        while size < len(olders) + len(candidates):
            size = len(olders) + len(candidates)
            candidates = [h for h in heirs if any(_may_follow(older, h, started_at) for older in olders)]
            olders = [a for a in left if a in olders or any(_may_follow(a, h, started_at) for h in candidates)]
        left = [account for account in left if account not in olders]
        _decide(olders, candidates, started_at, result)
    _wait_for_the_newest(result, certain)
    return result


def _wait_for_the_newest(result: Succession, certain: set[str]) -> None:
    """One answer may leave out the newest of the accounts that are the same: that closes none of them."""
    for older_id in set(result.absorbed.values()) - set(result.heir_of):
        newer = {newer_id for newer_id, absorbing in result.absorbed.items() if absorbing == older_id}
        if not newer <= certain:
            result.waiting |= {older_id, *newer}
            for newer_id in newer:
                del result.absorbed[newer_id]


def _absorb(lost: list[Account], hidden: list[Account], result: Succession) -> list[Account]:
    """The accounts whose id is gone, without those that a stored account, which the read lacks too, has replaced."""
    left = sorted(lost, key=lambda account: account.discovered_at)
    chain = list(left)
    for older in chain:  # grows: what came instead of an account may have been replaced itself
        later = _came_instead(older, hidden, left)
        if later is not None and later.id not in result.absorbed:
            result.absorbed[later.id] = result.absorbed.get(older.id, older.id)
            left.remove(older)
            if later not in left:
                left.append(later)
                chain.append(later)
    return left


def _may_follow(older: Account, heir: Keys, started_at: datetime) -> bool:
    if older.powens_id == heir.powens_id or not same_keys(older, heir):
        return False
    if heir.powens_id < older.powens_id and not _same_name(older, heir):
        return False  # Powens counts upwards: a pocket that an earlier answer left out, not one made anew
    if not isinstance(heir, Account):
        return True
    last_shown = _went(older) or started_at
    # Two of one number that were shown together under two names are pockets, and neither is the other made anew.
    side_by_side = heir.discovered_at < last_shown
    return (
        heir.choice is None
        and older.discovered_at < heir.discovered_at
        and heir.discovered_at >= last_shown - SIDE_BY_SIDE_FOR
        and (not side_by_side or _same_name(older, heir))
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


def _decide(olders: list[Account], heirs: list[Keys], started_at: datetime, result: Succession) -> None:
    """Match older accounts and heirs that are all equal in IBAN or number, currency and type."""
    for same in (_same_number, _same_name):
        for older in tuple(olders):
            mine = [h for h in heirs if same(older, h) and _may_follow(older, h, started_at)]
            rivals = [a for a in olders if mine and same(a, mine[0])]
            if len(mine) == 1 and len(rivals) == 1:
                result.match(older, mine[0], sure=True)
                olders.remove(older)
                heirs.remove(mine[0])
    # In the order of their ids, accounts with a custom name first, so that no custom name is lost.
    olders.sort(key=lambda a: (a.custom_name is None, a.powens_id))
    heirs.sort(key=lambda h: h.powens_id)
    pairs = [(o, h) for o, h in zip_longest(olders, heirs) if o is not None and h is not None]
    agreed = len({older.wanted for older in olders}) == 1 and len(heirs) <= len(olders)
    for older, heir in pairs:
        if _may_follow(older, heir, started_at):
            result.match(older, heir, sure=agreed)
    if olders:
        result.ambiguous |= {heir.powens_id for heir in heirs[len(olders) :]}


def _came_instead(older: Account, hidden: list[Account], lost: list[Account]) -> Account | None:
    """The account that was discovered after `older` became absent and has its name, else its number.

    All pockets of one account share its number, so the number does not count for an account with
    the name of another lost one.
    """
    went = _went(older)
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


def _went(account: Account) -> datetime | None:
    """The first answer that lacked an account, or called it deleted, since it was last shown as living."""
    return account.unseen_since or account.missing_since or account.closed_at


def _same_number(one: Keys, other: Keys) -> bool:
    return one.number_key is not None and one.number_key == other.number_key


def _same_name(one: Keys, other: Keys) -> bool:
    return plain_name(one.name) == plain_name(other.name)
