"""The institutions as Powens describes them, and which account types each of them can give by that description.

Powens has no list of account types per institution. Its documentation has (Connectors, Bank account types):
- the product `bank` (capability `bank`) covers current accounts and cards; everything else needs the product `wealth`
  (capability `bankwealth`);
- a source `openapi` is the bank's PSD2 interface, which carries payment accounts; the rest needs `directaccess`;
- in some examples, not in the reference, a source has `account_types`: they can prove a type, not disprove one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.connection import AccountType, account_type
from shared.domain.errors import CatalogueRefused
from shared.domain.observation import Institution

PAYMENT_TYPES = frozenset({AccountType.CHECKING, AccountType.CARD})
CATALOGUE_STALE_AFTER = timedelta(days=3)
"""Older than this, a catalogue denies nothing: it is renewed several times a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSource:
    """A way in which Powens reaches the institution. `account_types`: Powens' words, empty when unknown."""

    name: str
    disabled: bool = False
    account_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One connector of the domain. `hidden`: Powens does not offer it. No `sources`: unknown."""

    institution: Institution
    hidden: bool = False
    sources: tuple[CatalogueSource, ...] = ()
    countries: tuple[str, ...] = ()

    @property
    def restricted(self) -> bool:
        return self.institution.restricted

    @property
    def account_types(self) -> frozenset[str]:
        """All of Powens' words that the sources list."""
        return frozenset(word for source in self.sources for word in source.account_types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All institutions as of one read of Powens, which began at `read_at`; `given_to_others` counts since then.

    `given_to_others`: the types that enough other users of an institution get there (ADR 0015).
    """

    read_at: datetime
    entries: Mapping[str, CatalogueEntry] = field(default_factory=dict)
    given_to_others: Mapping[str, frozenset[AccountType]] = field(default_factory=dict)

    def stale(self, now: datetime) -> bool:
        return now - self.read_at > CATALOGUE_STALE_AFTER


class Support(StrEnum):
    """How far Powens' description of an institution supports one account type, strongest first."""

    GIVEN = "given"
    """The type itself is named."""
    POSSIBLE = "possible"
    """The family that the type belongs to is handled."""
    DOUBTED = "doubted"
    """The statements contradict each other, only one denies the type, or the source is switched off."""
    LACKING = "lacking"
    """Two statements deny the type and none allows it."""
    UNKNOWN = "unknown"
    """The description has no usable statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The statements of descriptions of one institution about one type: codes, some with a value after a colon."""

    named: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()

    def __or__(self, other: "Statements") -> "Statements":
        return Statements(
            named=self.named | other.named,
            allowed=self.allowed | other.allowed,
            denied=self.denied | other.denied,
            blocked=self.blocked | other.blocked,
        )

    @property
    def support(self) -> Support:
        if self.named and not self.blocked:
            return Support.GIVEN  # a statement about the type itself is stronger than one about its family
        if self.allowed or self.named:
            return Support.DOUBTED if self.denied or self.blocked else Support.POSSIBLE
        if len(self.denied) >= 2 and not self.blocked:
            return Support.LACKING
        return Support.DOUBTED if self.denied or self.blocked else Support.UNKNOWN

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(sorted(self.named | self.allowed | self.denied | self.blocked))


NO_STATEMENTS = Statements()


def _family(kind: AccountType) -> tuple[str, str]:
    """The capability and the product that a type needs."""
    return ("bank", "bank") if kind in PAYMENT_TYPES else ("bankwealth", "wealth")


def described(institution: Institution, kind: AccountType, *, current: bool = True) -> Statements:
    """The statements of an institution's capabilities and products. If not `current`, they deny nothing."""
    capability, product = _family(kind)
    named: set[str] = set()
    allowed: set[str] = set()
    denied: set[str] = set()
    if capability in institution.capabilities:
        # Every bank has current accounts; cards or a certain investment do not follow.
        (named if kind is AccountType.CHECKING else allowed).add(f"capability:{capability}")
    elif institution.capabilities:
        denied.add(f"no_capability:{capability}")
    if product in institution.products:
        allowed.add(f"product:{product}")
    elif institution.products:
        denied.add(f"no_product:{product}")
    return Statements(
        named=frozenset(named), allowed=frozenset(allowed), denied=frozenset(denied) if current else frozenset()
    )


def carriers(entry: CatalogueEntry, kind: AccountType) -> frozenset[str]:
    """Names of the sources in use that can carry a type: those that list it, else those of its family."""
    usable = [source for source in entry.sources if not source.disabled]
    listing = frozenset(s.name for s in usable if kind in {account_type(word) for word in s.account_types})
    return listing or frozenset(s.name for s in usable if kind in PAYMENT_TYPES or s.name != "openapi")


def stated(entry: CatalogueEntry | None, kind: AccountType, *, current: bool = True) -> Statements:
    """The statements of the catalogue about one type at one institution. If not `current`, they deny nothing."""
    if entry is None or entry.hidden:
        return NO_STATEMENTS
    statements = described(entry.institution, kind, current=current)
    listing = [s for s in entry.sources if kind in {account_type(word) for word in s.account_types}]
    named = {f"source_lists_it:{source.name}" for source in listing if not source.disabled}
    denied, blocked = set(), set()
    if kind not in PAYMENT_TYPES and entry.sources and not listing:
        if all(source.name == "openapi" for source in entry.sources):
            denied.add("only_source:openapi")
        elif not carriers(entry, kind):
            blocked |= {f"source_disabled:{source.name}" for source in entry.sources if source.name != "openapi"}
    if entry.sources and all(source.disabled for source in entry.sources):
        blocked |= {f"source_disabled:{source.name}" for source in entry.sources}
    own = Statements(
        named=frozenset(named), denied=frozenset(denied) if current else frozenset(), blocked=frozenset(blocked)
    )
    return statements | own


def can_give(entry: CatalogueEntry | None) -> frozenset[AccountType]:
    """The types that the institution gives, or may give, by the catalogue alone."""
    return frozenset(k for k in AccountType if stated(entry, k).support in (Support.GIVEN, Support.POSSIBLE))


def newly_given(before: Catalogue | None, after: Catalogue) -> dict[str, frozenset[AccountType]]:
    """The types that each institution starts to give, by institution id; empty for a first catalogue."""
    if before is None:
        return {}
    new = {}
    for identifier, entry in after.entries.items():
        earlier = can_give(before.entries.get(identifier)) | before.given_to_others.get(identifier, frozenset())
        given = can_give(entry) | after.given_to_others.get(identifier, frozenset())
        if given - earlier:
            new[identifier] = given - earlier
    return new


LEAST_SHARE = 0.7
"""A new catalogue must keep this share of the last good one, and this share of its own entries must be readable."""


def check_catalogue(entries: Iterable[CatalogueEntry], unreadable: int, last_good: Catalogue | None) -> None:
    """Raises CatalogueRefused for an answer that is empty or mostly unreadable, or that lacks too much of the last one.

    `unreadable`: how many entries could not be read.
    """
    named = {entry.institution.id: entry for entry in entries if entry.institution.name}
    if not named:
        raise CatalogueRefused("the catalogue is empty")
    if len(named) < LEAST_SHARE * (len(named) + unreadable):
        raise CatalogueRefused("the catalogue is unreadable")
    if last_good is None:
        return
    if len(named) < LEAST_SHARE * len(last_good.entries):
        raise CatalogueRefused("the catalogue is shrunk")
    # Missing fields are as suspect as missing institutions.
    before = sum(bool(entry.institution.capabilities) for entry in last_good.entries.values())
    after = sum(bool(entry.institution.capabilities) for entry in named.values())
    if after < LEAST_SHARE * before:
        raise CatalogueRefused("the catalogue is silent")
