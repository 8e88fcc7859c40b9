"""What Powens answers, turned into our own terms. An error here names a field and never shows a value.

Rules of the reading, where Powens' documentation leaves room (ADR 0026):
- an unknown field is ignored; a known field of the wrong shape is as if it were null, and is reported
  (`OnUnreadable`), so that it costs neither its account nor its bank nor the user's other banks;
- what says who or whether is not guessed: an account without an id is counted, one whose selection cannot be read is
  `unreadable`, a connection without an id is Malformed, and so is an answer that is no list;
- an id is a number or its digits; `type` and `currency` come as a word or as an object; `disabled` is a date when set;
- a date without an offset is Paris wall time; one that the clock change skips or doubles has the offset from before it;
- texts lose what nobody sees; texts that a bank or Powens wrote about an error are not read at all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.adapters.powens.values import (
    NOTHING,
    JsonObject,
    Malformed,
    as_account_type,
    as_amount,
    as_color,
    as_currency,
    as_id,
    as_list,
    as_moment,
    as_name,
    as_object,
    as_switch,
    as_text,
    as_uuid,
    as_word,
    as_words,
)
from shared.domain.catalogue import CatalogueEntry, CatalogueSource
from shared.domain.identifiers import identifying_number, last_signs, misshapen_iban, valid_iban
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource
from shared.domain.status import meaning_of_state

type OnUnreadable = Callable[[str], None]
"""Is called with the name of a field, ours, whose value is not as documented."""

CLOCK_SKEW = timedelta(minutes=10)
"""What happened later than this after a read began did not happen: a date that a bank or Powens got wrong."""


@contextmanager
def each_field_once(on_unreadable: OnUnreadable) -> Iterator[OnUnreadable]:
    """For the reading of one answer: `on_unreadable` gets each field once, however many items have it so."""
    fields: set[str] = set()
    yield fields.add
    for field in sorted(fields):
        on_unreadable(field)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one object, each of which can be wrong by itself. `what` names the object."""

    item: JsonObject
    what: str
    on_unreadable: OnUnreadable

    def read[T](self, name: str, convert: Callable[[object], T]) -> T | None:
        """None for a field that is null, missing, or not what `convert`, which raises Malformed, takes."""
        value = self.item.get(name)
        if value is None:
            return None
        try:
            return convert(value)
        except Malformed:
            self.on_unreadable(f"{self.what}.{name}")
            return None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.read(name, as_switch)
        return default if value is None else value

    def name(self, name: str) -> str:
        return self.read(name, as_name) or ""

    def trouble(self, name: str) -> str | None:
        """A state or an error: an open list of words. Something else that is not empty is trouble that is unknown.

        A word without a meaning here is reported, too: users are told that we look into it.
        """
        word = self.read(name, as_word)
        if word is not None and meaning_of_state(word)[1] == "unknown_problem":
            self.on_unreadable(f"{self.what}.{name}")
        value = self.item.get(name)
        blank = not value or (isinstance(value, str) and NOTHING.fullmatch(value))
        return word if word is not None or blank else "unknown"

    def past(self, name: str, read_started_at: datetime | None) -> datetime | None:
        """When something happened: unknown when it lies in the future of the read that shows it."""

        def not_ahead(value: object) -> datetime:
            moment = as_moment(value)
            if read_started_at is not None and moment > read_started_at + CLOCK_SKEW:
                raise Malformed(name)
            return moment

        return self.read(name, not_ahead)


def _ignore(_: str) -> None:
    """For a caller who does not count unreadable fields."""


def connection_from(
    item: JsonObject,
    accounts: tuple[ObservedAccount, ...],
    *,
    read_started_at: datetime,
    logos: str,
    unidentified: int = 0,
    on_unreadable: OnUnreadable = _ignore,
) -> ObservedConnection:
    """One connection, read with `expand=connector,sources`. Raises Malformed without an id.

    `logos`: where logos lie. `unidentified`: how many accounts may be of this connection and have no readable id.
    """
    fields = _Fields(item, "connection", on_unreadable)
    powens_id = as_id(item.get("id"), "connection.id")
    sources = fields.read("sources", lambda value: as_list(value, "connection.sources")) or []
    return ObservedConnection(
        powens_id=powens_id,
        institution=_institution_of(fields, powens_id, logos),
        # Old answers only have `error`, the deprecated copy of `state`.
        state=fields.trouble("state" if "state" in item else "error"),
        active=fields.flag("active", default=True),
        created=fields.read("created", as_moment),
        last_update=fields.past("last_update", read_started_at),
        next_try=fields.read("next_try", as_moment),
        sources=tuple(source for each in sources if (source := _source_from(each, on_unreadable)) is not None),
        accounts=accounts,
        unidentified=unidentified,
        read_started_at=read_started_at,
    )


def account_from(
    item: JsonObject,
    identity: Callable[[str], str],
    *,
    read_started_at: datetime | None = None,
    on_unreadable: OnUnreadable = _ignore,
) -> ObservedAccount:
    """One account, read with `?all`. Raises Malformed without an id.

    `identity` is the keyed hash of an IBAN or a number. Dates are not held against `read_started_at` when it is None.
    """
    powens_id = as_id(item.get("id"), "account.id")
    fields = _Fields(item, "account", on_unreadable)
    written_iban, written_number = fields.read("iban", as_text), fields.read("number", as_text)
    iban = valid_iban(written_iban) if written_iban else None
    number = identifying_number(written_number) if written_number else None
    if iban is None and number is None and written_iban:
        number = misshapen_iban(written_iban)
    selection = _selection(item, on_unreadable)
    # Only what clearly says so closes an account: "0", "null", a date of zeros do not.
    deleted = fields.flag("deleted", default=False)
    return ObservedAccount(
        powens_id=powens_id,
        name=fields.name("name") or fields.name("original_name"),
        provider_type=fields.read("type", as_account_type) or "unknown",
        currency=fields.read("currency", as_currency),
        balance=fields.read("balance", as_amount),
        disabled=True if selection is None else selection,
        deleted=deleted,
        iban_key=identity(iban) if iban else None,
        iban_last4=iban[-4:] if iban else None,
        number_key=identity(number) if number else None,
        number_last4=None if iban else last_signs(written_iban or written_number or ""),
        source_id=fields.read("id_source", lambda value: as_id(value, "account.id_source")),
        error=fields.trouble("error"),
        last_update=fields.past("last_update", read_started_at),
        unreadable=selection is None and not deleted,
    )


def catalogue_entry_from(item: JsonObject, logos: str, *, on_unreadable: OnUnreadable = _ignore) -> CatalogueEntry:
    """One connector, read with `expand=sources,countries`. Raises Malformed without a uuid."""
    fields = _Fields(item, "connector", on_unreadable)
    countries = fields.read("countries", lambda value: as_list(value, "connector.countries")) or []
    ids = [country.get("id") if isinstance(country, dict) else country for country in countries]
    sources = fields.read("sources", lambda value: as_list(value, "connector.sources")) or []
    return CatalogueEntry(
        institution=_institution(fields, as_uuid(item.get("uuid")), logos),
        hidden=fields.flag("hidden", default=False),
        sources=tuple(_catalogue_source(source, on_unreadable) for source in sources if isinstance(source, dict)),
        countries=tuple(sorted(as_words(ids))),
    )


def _catalogue_source(source: JsonObject, on_unreadable: OnUnreadable) -> CatalogueSource:
    fields = _Fields(source, "source", on_unreadable)
    return CatalogueSource(
        name=fields.name("name") or "unknown",
        disabled=fields.flag("disabled", default=False),
        account_types=fields.read("account_types", as_words) or frozenset(),
    )


def _institution_of(connection: _Fields, powens_id: int, logos: str) -> Institution:
    expanded = connection.read("connector", lambda value: as_object(value, "connection.connector")) or {}
    connector = _Fields(expanded, "connector", connection.on_unreadable)
    uuid = connector.read("uuid", as_uuid) or connection.read("connector_uuid", as_uuid)
    if uuid is not None:
        return _institution(connector, uuid, logos)
    number = connection.read("id_connector", lambda value: as_id(value, "connection.id_connector"))
    # Neither is a catalogue's; numbers are not stable across domains. A bank of its own is never taken for another.
    return _institution(connector, str(number) if number is not None else f"connection-{powens_id}", None)


def _institution(connector: _Fields, identifier: str, logos: str | None) -> Institution:
    return Institution(
        id=identifier,
        name=connector.name("name"),
        logo_url=f"{logos}/{identifier}-thumbnail@2x.png" if logos else None,
        color=connector.read("color", as_color),
        capabilities=connector.read("capabilities", as_words) or frozenset(),
        products=connector.read("products", as_words) or frozenset(),
        restricted=connector.flag("restricted", default=False),
    )


def _source_from(value: object, on_unreadable: OnUnreadable) -> ObservedSource | None:
    """None for a source without an id: no account can be of it."""
    item = value if isinstance(value, dict) else {}
    fields = _Fields(item, "source", on_unreadable)
    try:
        powens_id = as_id(item.get("id"), "source.id")
    except Malformed:
        on_unreadable("source.id")
        return None
    nested = fields.read("source", lambda inner: as_object(inner, "source.source"))
    return ObservedSource(
        id=powens_id,
        name=fields.name("name") if nested is None else _Fields(nested, "source.source", on_unreadable).name("name"),
        state=fields.trouble("state"),
        disabled=fields.flag("disabled", default=False),
        access_expires_at=fields.read("access_expire", as_moment),
    )


def _selection(account: JsonObject, on_unreadable: OnUnreadable) -> bool | None:
    """Whether the account is disabled; None when the answer does not say: to be silent is not to say null."""
    try:
        value = account["disabled"]
        return False if value is None else as_switch(value)
    except (KeyError, Malformed):
        on_unreadable("account.disabled")
        return None
