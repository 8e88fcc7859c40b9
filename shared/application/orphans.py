"""Users at Powens whom nobody here owns: found, listed for an operator, and never deleted by us (ADR 0022).

The reverse, and connections in both directions, is what every reconciliation does: `read_back` takes in what is new at
Powens, removes what Powens denies, and lets a user whom Powens has deleted start again.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.budget import Budget
from shared.application.ports import Clock
from shared.domain.errors import PowensBusy

MOST_CHECKED = 20_000
"""Users looked up in one check; the next one goes on behind the last of them."""
MOST_LISTED = 1_000
CONFIRMED_AFTER = timedelta(hours=20)
"""Between two checks, less some grace: by then who was being made is owned, and who was being erased is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a check leaves. `suspects`: when each id was first seen without an owner. `last`: where it stopped."""

    checked_at: datetime
    suspects: Mapping[int, datetime] = field(default_factory=dict)
    last: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`orphans` None: not checked, for want of the users token or because Powens is not to be asked now."""

    orphans: tuple[int, ...] | None = None
    users: int = 0


class OrphanStore(Protocol):
    """Every method may raise StoreUnavailable."""

    def owned(self, powens_user_ids: Sequence[int]) -> set[int]:
        """Those of them that are a user of ours."""

    def orphan_listing(self) -> Listing | None: ...

    def save_orphan_listing(self, listing: Listing) -> None: ...


@dataclass(frozen=True, slots=True)
class CheckOrphans:
    """`user_ids` asks Powens for all users of the domain, and gives None when there is no token that allows it."""

    store: OrphanStore
    user_ids: Callable[[], Sequence[int] | None]
    clock: Clock
    budget: Budget

    def run(self) -> Checked:
        """Two sightings make an orphan: one could be somebody whose creation or erasure is under way."""
        try:
            self.budget.admit(1, sweep=True)
        except PowensBusy:
            return Checked()
        found = self.user_ids()
        if found is None:
            return Checked()
        now = self.clock()
        before = self.store.orphan_listing() or Listing(checked_at=now)
        ids = sorted(set(found))
        looked_at = _slice(ids, before.last)
        unowned = set(looked_at) - self.store.owned(looked_at)
        elsewhere = set(ids) - set(looked_at)
        suspects = {known: since for known, since in before.suspects.items() if known in unowned or known in elsewhere}
        for known in sorted(unowned - suspects.keys())[: max(0, MOST_LISTED - len(suspects))]:
            suspects[known] = now
        last = looked_at[-1] if looked_at else 0
        self.store.save_orphan_listing(Listing(checked_at=now, suspects=suspects, last=last))
        orphans = tuple(sorted(known for known, since in suspects.items() if now - since >= CONFIRMED_AFTER))
        return Checked(orphans=orphans, users=len(ids))


def _slice(ids: list[int], last: int) -> list[int]:
    """At most `MOST_CHECKED` of the ids, from behind `last` on and around the end."""
    start = bisect_right(ids, last)
    return (ids[start:] + ids[:start])[:MOST_CHECKED]
