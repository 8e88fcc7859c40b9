"""What Powens answers, turned into our own terms. Written by hand: an error here names a field and never shows a value.

Rules of the reading, where Powens' documentation leaves room (ADR 0026):
- an unknown field is ignored; a known field of the wrong shape is as if it were null, and is told of (`Told`), so that
  it costs neither its account nor its bank nor the user's other banks;
- what says who or whether is not guessed: an account without an id is counted, one whose selection cannot be read is
  `unreadable`, a connection without an id is Malformed, and so is an answer that is no list;
- an id is a number or its digits; `type` and `currency` come as a word or as an object; `disabled` is a date when set;
- a date without an offset is Paris wall time; one that the clock change skips or doubles has the offset from before it;
- texts lose what nobody sees; texts that a bank or Powens wrote about an error are not read at all.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from shared.domain.catalogue import CatalogueEntry, CatalogueSource
from shared.domain.identifiers import identifying_number, misshapen_iban, valid_iban
from shared.domain.names import clean_name, shortened
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource

type JsonObject = Mapping[str, object]
type Told = Callable[[str], None]
"""Is told the name of a field, ours, whose value is not as documented."""

PARIS = ZoneInfo("Europe/Paris")
CLOCK_SKEW = timedelta(minutes=10)
"""What happened later than this after a read began did not happen: a date that a bank or Powens got wrong."""

_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")
_NOTHING = re.compile(r"\s*(0|null|none|false)?\s*", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z]{1,40}")
_CURRENCY = re.compile(r"[A-Za-z0-9]{2,10}")
_COLOR = re.compile(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})")
_UUID = re.compile(r"[A-Za-z0-9-]{1,64}")
_ID = re.compile(r"[0-9]{1,19}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_YEARS = range(1970, 2200)  # the first and last ones are signs for "never", which nobody can add an hour to
_HIGHEST_ID = 2**63 - 1
_MOST_DIGITS = 38  # what a DynamoDB number holds
_NO_NUMBER = Decimal("NaN")


class Malformed(ValueError):
    """The answer is not what Powens documents. The message names the field, never its value."""


def parse_json(body: bytes) -> object:
    """JSON with exact decimals. What is no number, or one that no computer holds, is NaN. Raises Malformed."""
    # A byte that is not UTF-8 costs the text that it stands in, which is some bank's name of an account.
    text = body.decode("utf-8-sig", errors="replace")
    try:
        return json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=lambda _: _NO_NUMBER)
    except (ValueError, RecursionError):
        # The parser's error carries the document with it.
        raise Malformed("not JSON") from None


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return _NO_NUMBER


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MOST_DIGITS else _decimal(digits)


def as_object(value: object, what: str) -> JsonObject:
    """Raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is no object")
    return value


def as_list(value: object, what: str) -> list[object]:
    """Raises Malformed."""
    if not isinstance(value, list):
        raise Malformed(f"{what} is no list")
    return value


def as_id(value: object, what: str) -> int:
    """A Powens id: an integer from 1, or its digits. Raises Malformed."""
    if isinstance(value, str) and _ID.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _HIGHEST_ID:
        raise Malformed(f"{what} is no id")
    return value


def as_token(value: object, what: str) -> str:
    """A token or code: printable ASCII, so that it fits a header. Raises Malformed."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise Malformed(f"{what} is no token")
    return value


def error_code(body: bytes) -> str | None:
    """The `code` of an error envelope, letters only; None when there is none that can be trusted."""
    try:
        envelope = parse_json(body)
    except Malformed:
        return None
    code = envelope.get("code") if isinstance(envelope, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def next_page(page: JsonObject, current_url: str) -> str | None:
    """The absolute URL of the next page, None on the last one. Raises Malformed when it leaves the host."""
    links = page.get("_links") or page.get("_link")
    link = as_object(links, "_links").get("next") if links else None
    if not link:
        return None
    href = as_object(link, "_links.next").get("href")
    if not isinstance(href, str):
        raise Malformed("_links.next.href is no text")
    try:
        url = urljoin(current_url, href)
        here, there = urlsplit(current_url), urlsplit(url)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        raise Malformed("_links.next.href is no URL") from None
    if not same or there.username is not None:
        raise Malformed("_links.next.href leaves the host")
    return url


def offset_page(url: str, offset: int) -> str:
    """The same list from its item number `offset` on, for lists that come without links."""
    return f"{url}{'&' if '?' in url else '?'}offset={offset}"


def total_of(page: JsonObject) -> int | None:
    """How many items the whole list has; None when the page does not say."""
    total = page.get("total")
    if isinstance(total, str) and _ID.fullmatch(total):
        total = int(total)
    return total if isinstance(total, int) and not isinstance(total, bool) else None


_UUID_LENGTH = 36


def item_key(item: object) -> str:
    """What is equal for two appearances of one item of a list, and for no others: several may have an unusable id."""
    if isinstance(item, dict):
        number, uuid = item.get("id"), item.get("uuid")
        if (type(number) is int and number > 0) or (isinstance(uuid, str) and len(uuid) == _UUID_LENGTH):
            return repr((number, uuid))
    return repr(item)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one object, each of which can be wrong by itself: `told` hears of it. `what` names the object."""

    item: JsonObject
    what: str
    told: Told

    def read[T](self, name: str, convert: Callable[[object], T]) -> T | None:
        """None for a field that is null, missing, or not what `convert`, which raises Malformed, takes."""
        value = self.item.get(name)
        if value is None:
            return None
        try:
            return convert(value)
        except Malformed:
            self.told(f"{self.what}.{name}")
            return None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.read(name, _switch)
        return default if value is None else value

    def name(self, name: str) -> str:
        return self.read(name, _name) or ""

    def trouble(self, name: str) -> str | None:
        """A state or an error: an open list of words. Something else that is not empty is trouble that is unknown."""
        word = self.read(name, _word)
        value = self.item.get(name)
        blank = not value or (isinstance(value, str) and _NOTHING.fullmatch(value))
        return word if word is not None or blank else "unknown"

    def past(self, name: str, read_started_at: datetime | None) -> datetime | None:
        """When something happened: unknown when it lies in the future of the read that shows it."""

        def not_ahead(value: object) -> datetime:
            moment = _moment(value)
            if read_started_at is not None and moment > read_started_at + CLOCK_SKEW:
                raise Malformed(name)
            return moment

        return self.read(name, not_ahead)


def _told_to_nobody(_: str) -> None:
    """What a caller does who does not count."""


def connection_from(
    item: JsonObject,
    accounts: tuple[ObservedAccount, ...],
    *,
    read_started_at: datetime,
    logos: str,
    unidentified: int = 0,
    told: Told = _told_to_nobody,
) -> ObservedConnection:
    """One connection, read with `expand=connector,sources`. Raises Malformed without an id.

    `logos`: where logos lie. `unidentified`: how many accounts may be of this connection and have no readable id.
    """
    fields = _Fields(item, "connection", told)
    powens_id = as_id(item.get("id"), "connection.id")
    sources = fields.read("sources", lambda value: as_list(value, "connection.sources")) or []
    return ObservedConnection(
        powens_id=powens_id,
        institution=_institution_of(fields, powens_id, logos),
        # Old answers only have `error`, the deprecated copy of `state`.
        state=fields.trouble("state" if "state" in item else "error"),
        active=fields.flag("active", default=True),
        created=fields.read("created", _moment),
        last_update=fields.past("last_update", read_started_at),
        next_try=fields.read("next_try", _moment),
        sources=tuple(source for each in sources if (source := _source_from(each, told)) is not None),
        accounts=accounts,
        unidentified=unidentified,
        read_started_at=read_started_at,
    )


def account_from(
    item: JsonObject,
    identity: Callable[[str], str],
    *,
    read_started_at: datetime | None = None,
    told: Told = _told_to_nobody,
) -> ObservedAccount:
    """One account, read with `?all`. Raises Malformed without an id.

    `identity` is the keyed hash of an IBAN or a number. Dates are not held against `read_started_at` when it is None.
    """
    powens_id = as_id(item.get("id"), "account.id")
    fields = _Fields(item, "account", told)
    written_iban, written_number = fields.read("iban", _string), fields.read("number", _string)
    iban = valid_iban(written_iban) if written_iban else None
    number = identifying_number(written_number) if written_number else None
    if iban is None and number is None and written_iban:
        number = misshapen_iban(written_iban)
    selection = _selection(item, told)
    return ObservedAccount(
        powens_id=powens_id,
        name=fields.name("name") or fields.name("original_name"),
        provider_type=fields.read("type", _account_type) or "unknown",
        currency=fields.read("currency", _currency),
        balance=fields.read("balance", _amount),
        disabled=True if selection is None else selection,
        # Only what clearly says so closes an account: "0", "null", a date of zeros do not.
        deleted=fields.flag("deleted", default=False),
        iban_key=identity(iban) if iban else None,
        iban_last4=iban[-4:] if iban else None,
        number_key=identity(number) if number else None,
        source_id=fields.read("id_source", lambda value: as_id(value, "account.id_source")),
        error=fields.trouble("error"),
        last_update=fields.past("last_update", read_started_at),
        unreadable=selection is None,
    )


def catalogue_entry_from(item: JsonObject, logos: str, *, told: Told = _told_to_nobody) -> CatalogueEntry:
    """One connector, read with `expand=sources,countries`. Raises Malformed without a uuid."""
    fields = _Fields(item, "connector", told)
    countries = fields.read("countries", lambda value: as_list(value, "connector.countries")) or []
    ids = [country.get("id") if isinstance(country, dict) else country for country in countries]
    sources = fields.read("sources", lambda value: as_list(value, "connector.sources")) or []
    return CatalogueEntry(
        institution=_institution(fields, _uuid(item.get("uuid")), logos),
        hidden=fields.flag("hidden", default=False),
        sources=tuple(_catalogue_source(source, told) for source in sources if isinstance(source, dict)),
        countries=tuple(sorted(_words(ids))),
    )


def _catalogue_source(source: JsonObject, told: Told) -> CatalogueSource:
    fields = _Fields(source, "source", told)
    return CatalogueSource(
        name=fields.name("name") or "unknown",
        disabled=fields.flag("disabled", default=False),
        account_types=fields.read("account_types", _words) or frozenset(),
    )


def _institution_of(connection: _Fields, powens_id: int, logos: str) -> Institution:
    expanded = connection.read("connector", lambda value: as_object(value, "connection.connector")) or {}
    connector = _Fields(expanded, "connector", connection.told)
    uuid = connector.read("uuid", _uuid) or connection.read("connector_uuid", _uuid)
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
        color=connector.read("color", _color),
        capabilities=connector.read("capabilities", _words) or frozenset(),
        products=connector.read("products", _words) or frozenset(),
        restricted=connector.flag("restricted", default=False),
    )


def _source_from(value: object, told: Told) -> ObservedSource | None:
    """None for a source without an id: no account can be of it."""
    item = value if isinstance(value, dict) else {}
    fields = _Fields(item, "source", told)
    try:
        powens_id = as_id(item.get("id"), "source.id")
    except Malformed:
        told("source.id")
        return None
    nested = fields.read("source", lambda inner: as_object(inner, "source.source"))
    return ObservedSource(
        id=powens_id,
        name=fields.name("name") if nested is None else _Fields(nested, "source.source", told).name("name"),
        state=fields.trouble("state"),
        disabled=fields.flag("disabled", default=False),
        access_expires_at=fields.read("access_expire", _moment),
    )


def _selection(account: JsonObject, told: Told) -> bool | None:
    """Whether the account is disabled; None when the answer does not say: to be silent is not to say null."""
    try:
        value = account["disabled"]
        return False if value is None else _switch(value)
    except (KeyError, Malformed):
        told("account.disabled")
        return None


# What one value says. Each raises Malformed for a value that says nothing.


def _switch(value: object) -> bool:
    """A boolean, 0 or 1 as old answers have it, or a DateTime, which means set: the date itself does not matter."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    _moment(value)
    return True


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("no text")
    return value


def _name(value: object) -> str:
    return shortened(clean_name(_string(value)))


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(_string(value).strip())
    except ValueError:
        raise Malformed("no date") from None
    if moment.year not in _YEARS:
        raise Malformed("out of range")
    return (moment if moment.tzinfo else moment.replace(tzinfo=PARIS)).astimezone(UTC)


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Malformed("no number")
    amount = Decimal(value)
    if not amount.is_finite() or len(amount.as_tuple().digits) > _MOST_DIGITS or abs(amount.adjusted()) > _MOST_DIGITS:
        raise Malformed("out of range")
    return amount


def _word(value: object) -> str:
    """A text that is more than a word is written for people, and not read."""
    text = _string(value)
    if _NOTHING.fullmatch(text):
        raise Malformed("nothing")
    return text if _WORD.fullmatch(text) else "unknown"


def _words(value: object) -> frozenset[str]:
    return frozenset(word for word in as_list(value, "words") if isinstance(word, str) and _WORD.fullmatch(word))


def _account_type(value: object) -> str:
    word = _string(value.get("name") if isinstance(value, dict) else value)
    if not _WORD.fullmatch(word):
        raise Malformed("no word")
    return word


def _currency(value: object) -> str | None:
    code = value.get("id") if isinstance(value, dict) else value
    if code is None:
        return None
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise Malformed("no code")
    return code.upper()


def _color(value: object) -> str:
    hexadecimal = _COLOR.fullmatch(_string(value))
    if hexadecimal is None:
        raise Malformed("no color")
    return f"#{hexadecimal[1].lower()}"


def _uuid(value: object) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Malformed("no identifier")
    return value
