"""The institutions: keeping Powens' catalogue, searching it, and what is known beside a connection.

The catalogue is read by every question about an account and written a few times a day, so each process keeps the copy
that it read last and looks once a minute whether there is a newer one.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.ports import Clock, StaleWriteError
from shared.domain.catalogue import Catalogue, CatalogueEntry, check_catalogue, newly_given
from shared.domain.connection import AccountType, Connection
from shared.domain.diagnosis import PEERS_FLOOR, DiagnosisContext
from shared.domain.errors import AppError, PowensBusy
from shared.domain.incidents import Failing, Incident, Kind, evolve_all
from shared.domain.observation import Institution

LOOK_AGAIN_AFTER = timedelta(minutes=1)
MOST_RECOUNTS = 200
"""Institutions' types, of those that others get, whose users are counted anew in one refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How far counting what others get has come: all discoveries until `until`, and all recounts up to `recounted`."""

    until: datetime | None = None
    recounted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discoveries:
    """The (institution, type) pairs that users discovered since a moment; all of those until `until`."""

    pairs: frozenset[tuple[str, AccountType]]
    until: datetime


class CatalogueStore(Protocol):
    """The catalogue as it is kept. Every method may raise StoreUnavailable."""

    def catalogue(self, held: "Copy | None" = None) -> "Copy | None":
        """The copy in force, at the price of one small read when it is `held`; None before the first refresh."""

    def keep(self, copy: "Copy") -> None:
        """Raises StaleWriteError when a copy of a later read is in force."""

    def discoveries(self, since: datetime | None, now: datetime) -> Discoveries: ...

    def users_of(self, institution_id: str, kind: AccountType, *, most: int) -> int:
        """How many different users hold such an account there, counted up to `most`."""


class IncidentStore(Protocol):
    def incidents(self) -> tuple[tuple[Incident, ...], int]:
        """All that are remembered, and their version."""

    def keep_incidents(self, incidents: tuple[Incident, ...], *, version: int) -> None:
        """Raises StaleWriteError when `version` is no longer the current one."""

    def failing(self, now: datetime) -> Mapping[Kind, Failing]:
        """Who fails where, from a bounded number of reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A catalogue with what belongs to its keeping. `version` tells its content."""

    catalogue: Catalogue
    counted: Counted = Counted()
    version: str = ""


class Connectors(Protocol):
    def institutions(self) -> tuple[tuple[CatalogueEntry, ...], int]:
        """All connectors, and how many could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """`kept` is false when another refresh, of a later read, was faster."""

    institutions: int
    unreadable: int
    newly_given: int
    granted: int
    kept: bool


@dataclass(frozen=True, slots=True)
class RefreshCatalogue:
    """Renews the catalogue and what others get. `told` hears which types an institution starts to give, and says how
    many wishes that grants.

    Told before it is kept: killed in between, it is told again at the next refresh, and never lost.
    """

    store: CatalogueStore
    powens: Callable[[], Connectors]
    clock: Clock
    told: Callable[[str, frozenset[AccountType]], int]

    def run(self, *, believe: bool = False) -> Refreshed:
        """Raises what kept the catalogue from being renewed, once what others get has been; `believe` takes any answer
        that is not empty.
        """
        held = self.store.catalogue()
        read_at = self.clock()
        trouble: AppError | None = None
        unreadable = 0
        try:
            entries, unreadable = self._read(held.catalogue if held and not believe else None)
        except AppError as error:
            if held is None:
                raise
            entries, read_at = held.catalogue.entries, held.catalogue.read_at
            # A pause is nobody's failure: the next hour asks again.
            trouble = None if isinstance(error, PowensBusy) else error
        given, counted = self._count(held)
        after = Catalogue(read_at=read_at, entries=entries, given_to_others=given)
        news = newly_given(held.catalogue if held else None, after)
        granted = sum(self.told(institution_id, kinds) for institution_id, kinds in news.items())
        kept = True
        try:
            self.store.keep(Copy(catalogue=after, counted=counted))
        except StaleWriteError:
            kept = False
        if trouble is not None:
            raise trouble
        return Refreshed(
            institutions=len(entries),
            unreadable=unreadable,
            newly_given=sum(len(kinds) for kinds in news.values()),
            granted=granted,
            kept=kept,
        )

    def _read(self, held: Catalogue | None) -> tuple[Mapping[str, CatalogueEntry], int]:
        entries, unreadable = self.powens().institutions()
        check_catalogue(entries, unreadable, held)
        return {e.institution.id: e for e in entries if e.institution.name}, unreadable

    def _count(self, held: Copy | None) -> tuple[Mapping[str, frozenset[AccountType]], Counted]:
        """Count the users of what was discovered since the last time, and of some of what was found before."""
        counted = held.counted if held else Counted()
        known = {
            (institution_id, kind)
            for institution_id, kinds in (held.catalogue.given_to_others.items() if held else ())
            for kind in kinds
        }
        found = self.store.discoveries(counted.until, self.clock())
        later = [pair for pair in sorted(known) if f"{pair[0]}#{pair[1]}" > counted.recounted]
        again = later[:MOST_RECOUNTS]
        recounted = f"{again[-1][0]}#{again[-1][1]}" if len(later) > MOST_RECOUNTS else ""
        for institution_id, kind in sorted((found.pairs - known) | set(again)):
            enough = self.store.users_of(institution_id, kind, most=PEERS_FLOOR) >= PEERS_FLOOR
            (known.add if enough else known.discard)((institution_id, kind))
        given: dict[str, frozenset[AccountType]] = {}
        for institution_id, kind in known:
            given[institution_id] = given.get(institution_id, frozenset()) | {kind}
        return given, Counted(until=found.until, recounted=recounted)


@dataclass(slots=True)
class Institutions:
    """The catalogue as this process knows it. Raises StoreUnavailable."""

    store: CatalogueStore
    incident_store: IncidentStore
    clock: Clock
    _copy: Copy | None = field(default=None, init=False)
    _looked_at: datetime | None = field(default=None, init=False)
    _index: "SearchIndex | None" = field(default=None, init=False)

    def catalogue(self) -> Catalogue | None:
        now = self.clock()
        if self._copy is None or self._looked_at is None or now - self._looked_at >= LOOK_AGAIN_AFTER:
            newest = self.store.catalogue(self._copy)
            if newest is None or self._copy is None or newest.version != self._copy.version:
                self._index = None
            self._copy, self._looked_at = newest, now
        return self._copy.catalogue if self._copy is not None else None

    def name(self, institution_id: str) -> str | None:
        """None for an institution that Powens does not offer."""
        entry = self._entry(institution_id)
        return entry.institution.name if entry is not None and not entry.hidden else None

    def institution(self, institution_id: str) -> Institution | None:
        """None for one that the catalogue lacks. Hidden ones can still be connected from before."""
        entry = self._entry(institution_id)
        return entry.institution if entry is not None else None

    def _entry(self, institution_id: str) -> CatalogueEntry | None:
        catalogue = self.catalogue()
        return catalogue.entries.get(institution_id) if catalogue is not None else None

    def incidents(self) -> tuple[Incident, ...]:
        """Those that are open."""
        return tuple(incident for incident in self.incident_store.incidents()[0] if incident.open)

    def known(self, connections: Iterable[Connection]) -> DiagnosisContext:
        """What is known beside one of a user's `connections`."""
        return DiagnosisContext(catalogue=self.catalogue(), connections=tuple(connections), incidents=self.incidents())

    def search(self, text: str, *, most: int) -> list[CatalogueEntry]:
        """What Powens offers, the best match first; for no text, in the order of the alphabet."""
        catalogue = self.catalogue()
        if catalogue is None:
            return []
        if self._index is None:
            self._index = SearchIndex(entry for entry in catalogue.entries.values() if not entry.hidden)
        return self._index.search(text, most=most)


# --- search ----------------------------------------------------------------------------------------------------------

_SMALL_WORDS = frozenset(
    {"a", "and", "d", "de", "der", "des", "di", "du", "e", "et", "l", "la", "le", "les", "of", "the", "und", "y"}
)
_LEAST_LIKENESS = 75.0
"""Of 100; below it, two names that have letters in common begin to match."""


_SPELT_OUT = str.maketrans(
    {
        "œ": "oe",
        "æ": "ae",
        # Unicode takes these apostrophes for letters.
        "\N{MODIFIER LETTER APOSTROPHE}": "'",
        "\N{MODIFIER LETTER TURNED COMMA}": "'",
        "\N{MODIFIER LETTER PRIME}": "'",
    }
)


def folded(text: str) -> str:
    """Lower-case letters and digits in words, without accents: `Société  Générale!` is `societe generale`."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_SPELT_OUT))
    bare = "".join(c for c in apart if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return " ".join(re.findall(r"[^\W_]+", bare))


@dataclass(frozen=True, slots=True)
class _Name:
    entry: CatalogueEntry
    name: str
    words: tuple[str, ...]
    initials: frozenset[str]

    @classmethod
    def of(cls, entry: CatalogueEntry) -> "_Name":
        name = folded(entry.institution.name)
        words = tuple(name.split())
        weighty = [word for word in words if word not in _SMALL_WORDS]
        initials = frozenset("".join(word[0] for word in some) for some in (words, weighty) if len(some) > 1)
        return cls(entry, name, words, initials)


class SearchIndex:
    """Institutions by name: beginnings before initials before parts before what is spelt alike."""

    def __init__(self, entries: Iterable[CatalogueEntry]) -> None:
        self._names = sorted(
            (_Name.of(entry) for entry in entries), key=lambda name: (name.name, name.entry.institution.id)
        )

    def search(self, text: str, *, most: int) -> list[CatalogueEntry]:
        wanted = folded(text)
        if not wanted:
            # What holds no letter and no digit names nothing.
            return [] if text.strip() else [name.entry for name in self._names[:most]]
        scored = [(self._score(wanted, name), name) for name in self._names]
        found = [(score, name) for score, name in scored if score > 0]
        found.sort(key=lambda match: (-match[0], len(match[1].name), match[1].name))
        return [name.entry for _, name in found[:most]]

    def _score(self, wanted: str, name: _Name) -> float:
        """From 0 (something else) to 1000 (the very name)."""
        closed = wanted.replace(" ", "")
        if wanted == name.name or closed == name.name.replace(" ", ""):
            return 1000
        if wanted in name.words:
            return 900 if name.words[0] == wanted else 860
        if closed in name.initials:
            return 880
        if name.name.startswith(wanted):
            return 850
        if all(any(word.startswith(part) for word in name.words) for part in wanted.split()):
            return 800
        if len(closed) > 1 and any(initials.startswith(closed) for initials in name.initials):
            return 700
        if len(closed) > 2 and closed in name.name.replace(" ", ""):
            return 600
        return _likeness(wanted, name) if len(closed) > 3 else 0


def _likeness(wanted: str, name: _Name) -> float:
    """How alike `wanted` is spelt, from 0 to 500: as a whole, or each of its words to some word of the name."""
    from rapidfuzz.fuzz import ratio  # noqa: PLC0415 - a cold start that does not search need not pay for it

    whole = ratio(wanted.replace(" ", ""), name.name.replace(" ", ""))
    parts = wanted.split()
    likeness = sum(max(ratio(part, word) for word in name.words) for part in parts) / len(parts) if name.words else 0.0
    best = max(whole, likeness)
    return best * 5 if best >= _LEAST_LIKENESS else 0


# --- incidents -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WatchIncidents:
    """Opens and closes incidents; does nothing when nothing changed."""

    store: IncidentStore
    clock: Clock

    def run(self) -> Collection[Incident]:
        """Those that are open. When somebody else watches at the same time, theirs is as good."""
        now = self.clock()
        held, version = self.store.incidents()
        after = evolve_all(held, self.store.failing(now), now)
        if after != held:
            try:
                self.store.keep_incidents(after, version=version)
            except StaleWriteError:
                after = self.store.incidents()[0]
        return [incident for incident in after if incident.open]
