"""One read of Powens, in our own terms. Raw IBANs and account numbers do not leave the adapter."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.unknown import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution(Stored):
    """A bank as Powens' connector describes it; `id` is the connector's `uuid`, the only stable one.

    `restricted`: no new connection can be made. Items that are older than a field have its default.
    """

    id: str
    name: str
    logo_url: str | None = None
    color: str | None = None
    capabilities: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    restricted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSource(Stored):
    """One way in which Powens reaches the bank (`openapi`, `directaccess`, `fallback`); sources fail separately."""

    id: int
    name: str
    state: str | None = None
    disabled: bool = False
    access_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedAccount:
    """One account at Powens, read with `?all`.

    `disabled` (nobody ticked it) and `deleted` (the bank no longer shows it) are different things. `iban_key` and
    `number_key` are keyed hashes, equal exactly when the IBAN or number is. `unreadable`: Powens' answer about the
    selection cannot be read, so `disabled` has no meaning; an account that is `deleted` needs none.
    """

    powens_id: int
    name: str
    provider_type: str
    currency: str | None = None
    balance: Decimal | None = None
    disabled: bool
    deleted: bool = False
    iban_key: str | None = None
    iban_last4: str | None = None
    number_key: str | None = None
    number_last4: str | None = None
    source_id: int | None = None
    error: str | None = None
    last_update: datetime | None = None
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedConnection:
    """One connection with all of its accounts, from one read that began at `read_started_at` (our clock, UTC).

    `state` and the sources' states are Powens' own words, None when the last synchronisation went well. `next_try` None
    with an old `last_update`: Powens no longer synchronises it, without an error. `unidentified`: how many accounts of
    the answer have an unreadable id; they may be any of those that `accounts` lacks.
    """

    powens_id: int
    institution: Institution
    state: str | None
    active: bool = True
    created: datetime | None = None
    last_update: datetime | None = None
    next_try: datetime | None = None
    sources: tuple[ObservedSource, ...] = ()
    accounts: tuple[ObservedAccount, ...] = ()
    unidentified: int = 0
    read_started_at: datetime
