"""What Powens answers, turned into our own terms. Written by hand: an error here names a field and never shows a value.

Rules of the reading, where Powens' documentation leaves room:
- an unknown field is ignored; a known field of the wrong shape makes the whole answer unusable. A part that is left out
  would look like an account that the bank removed;
- `type` and `currency` come as a word or as an object; `disabled` is a date when set;
- a date without an offset is Paris wall time; one that the clock change skips or doubles has the offset from before it;
- texts lose their control characters; texts that a bank or Powens wrote about an error are not read at all.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from shared.domain.catalogue import CatalogueEntry, CatalogueSource
from shared.domain.observation import Institution, ObservedAccount, ObservedConnection, ObservedSource

type JsonObject = Mapping[str, object]

PARIS = ZoneInfo("Europe/Paris")
LONGEST_TEXT = 200

_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")
_CODE = re.compile(r"[A-Za-z]{1,40}")
_CURRENCY = re.compile(r"[A-Za-z0-9]{2,10}")
_COLOR = re.compile(r"#?([0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})")
_UUID = re.compile(r"[A-Za-z0-9-]{1,64}")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_MOST_DIGITS = 38  # what a DynamoDB number holds


class Malformed(ValueError):
    """The answer is not what Powens documents. The message names the field, never its value."""


def parse_json(body: bytes) -> object:
    """JSON with exact decimals. Raises Malformed."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # The parser's error carries the document with it.
        raise Malformed("not JSON") from None


def _no_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


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
    """A Powens id: an integer from 1. Raises Malformed."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
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


def connection_from(
    item: JsonObject, accounts: tuple[ObservedAccount, ...], *, read_started_at: datetime, logos: str
) -> ObservedConnection:
    """One connection, read with `expand=connector,sources`. `logos`: where logos lie. Raises Malformed."""
    sources = item.get("sources")
    return ObservedConnection(
        powens_id=as_id(item.get("id"), "connection.id"),
        institution=_institution_of(item, logos),
        # Old answers only have `error`, the deprecated copy of `state`.
        state=_word_or_none(item.get("state", item.get("error")), "connection.state"),
        active=_flag(item.get("active"), "connection.active", default=True),
        created=_moment(item.get("created"), "connection.created"),
        last_update=_moment(item.get("last_update"), "connection.last_update"),
        next_try=_moment(item.get("next_try"), "connection.next_try"),
        sources=tuple(_source_from(as_object(source, "source")) for source in as_list(sources, "connection.sources"))
        if sources is not None
        else (),
        accounts=accounts,
        read_started_at=read_started_at,
    )


def account_from(item: JsonObject, identity: Callable[[str], str]) -> ObservedAccount:
    """One account, read with `?all`. `identity` is the keyed hash of an IBAN or a number. Raises Malformed."""
    iban, number = _iban(item.get("iban")), _number(item.get("number"))
    return ObservedAccount(
        powens_id=as_id(item.get("id"), "account.id"),
        name=_text(item.get("name"), "account.name") or _text(item.get("original_name"), "account.original_name"),
        provider_type=_account_type(item.get("type")),
        currency=_currency(item.get("currency")),
        balance=_amount(item.get("balance"), "account.balance"),
        disabled=_disabled(item),
        deleted=_is_set(item.get("deleted"), "account.deleted"),
        iban_key=identity(iban) if iban else None,
        iban_last4=iban[-4:] if iban else None,
        number_key=identity(number) if number else None,
        source_id=None if (source := item.get("id_source")) is None else as_id(source, "account.id_source"),
        error=_word_or_none(item.get("error"), "account.error"),
        last_update=_moment(item.get("last_update"), "account.last_update"),
    )


def catalogue_entry_from(item: JsonObject, logos: str) -> CatalogueEntry:
    """One connector, read with `expand=sources,countries`. Raises Malformed."""
    countries = as_list(item.get("countries") or [], "connector.countries")
    ids = [country.get("id") if isinstance(country, dict) else country for country in countries]
    return CatalogueEntry(
        institution=_institution(item, _uuid(item.get("uuid"), "connector.uuid"), logos),
        hidden=_flag(item.get("hidden"), "connector.hidden", default=False),
        sources=tuple(_catalogue_source(source) for source in as_list(item.get("sources") or [], "connector.sources")),
        countries=tuple(sorted(_words(ids, "connector.countries"))),
    )


def _catalogue_source(value: object) -> CatalogueSource:
    source = as_object(value, "source")
    return CatalogueSource(
        name=_text(source.get("name"), "source.name") or "unknown",
        disabled=_is_set(source.get("disabled"), "source.disabled"),
        account_types=_words(source.get("account_types"), "source.account_types"),
    )


def _institution_of(connection: JsonObject, logos: str) -> Institution:
    expanded = connection.get("connector")
    connector = as_object(expanded, "connection.connector") if expanded is not None else {}
    uuid = connector.get("uuid") or connection.get("connector_uuid")
    if uuid is None:
        # Not stable across domains, but a connection without its bank would be worse.
        return _institution(connector, str(as_id(connection.get("id_connector"), "connection.id_connector")), None)
    return _institution(connector, _uuid(uuid, "connection.connector_uuid"), logos)


def _institution(connector: JsonObject, identifier: str, logos: str | None) -> Institution:
    color = connector.get("color")
    hexadecimal = _COLOR.fullmatch(color) if isinstance(color, str) else None
    return Institution(
        id=identifier,
        name=_text(connector.get("name"), "connector.name"),
        logo_url=f"{logos}/{identifier}-thumbnail@2x.png" if logos else None,
        color=f"#{hexadecimal[1].lower()}" if hexadecimal else None,
        capabilities=_words(connector.get("capabilities"), "connector.capabilities"),
        products=_words(connector.get("products"), "connector.products"),
        restricted=_flag(connector.get("restricted"), "connector.restricted", default=False),
    )


def _source_from(item: JsonObject) -> ObservedSource:
    nested = item.get("source")
    name = item.get("name") if nested is None else as_object(nested, "source.source").get("name")
    return ObservedSource(
        id=as_id(item.get("id"), "source.id"),
        name=_text(name, "source.name"),
        state=_word_or_none(item.get("state"), "source.state"),
        disabled=_is_set(item.get("disabled"), "source.disabled"),
        access_expires_at=_moment(item.get("access_expire"), "source.access_expire"),
    )


def _disabled(account: JsonObject) -> bool:
    if "disabled" not in account:
        # Read as null it would say that the user ticked the account.
        raise Malformed("account.disabled is missing")
    return _is_set(account["disabled"], "account.disabled")


def _is_set(value: object, what: str) -> bool:
    """A DateTime or null, as documented; a boolean as in the updates. The date itself does not matter."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{what} is neither a date nor null")
    return True


def _flag(value: object, what: str, *, default: bool) -> bool:
    if value is None:
        return default
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise Malformed(f"{what} is no flag")


def _moment(value: object, what: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=PARIS)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"{what} is no date") from None
    raise Malformed(f"{what} is no date")


def _amount(value: object, what: str) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Malformed(f"{what} is no number")
    amount = Decimal(value)
    if len(amount.as_tuple().digits) > _MOST_DIGITS or abs(amount.adjusted()) > _MOST_DIGITS:
        raise Malformed(f"{what} is out of range")
    return amount


def _text(value: object, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{what} is no text")
    printable = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(printable.split())[:LONGEST_TEXT].rstrip()


def _word_or_none(value: object, what: str) -> str | None:
    """A state or an account's error: an open list of words. Anything that is not one word becomes `unknown`."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{what} is no text")
    return value if _WORD.fullmatch(value) else "unknown"


def _words(value: object, what: str) -> frozenset[str]:
    words = as_list(value, what) if value is not None else []
    return frozenset(word for word in words if isinstance(word, str) and _WORD.fullmatch(word))


def _account_type(value: object) -> str:
    named = value.get("name") if isinstance(value, dict) else value
    return _word_or_none(named, "account.type") or "unknown"


def _currency(value: object) -> str | None:
    code = value.get("id") if isinstance(value, dict) else value
    if code is None:
        return None
    if not isinstance(code, str):
        raise Malformed("account.currency is neither a code nor a currency")
    return code.upper() if _CURRENCY.fullmatch(code) else None


def _uuid(value: object, what: str) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Malformed(f"{what} is no identifier")
    return value


def _iban(value: object) -> str | None:
    """None for anything that is not shaped like an IBAN: a placeholder must not become an identity."""
    iban = "".join(_text(value, "account.iban").split()).upper()
    return iban if _IBAN.fullmatch(iban) else None


def _number(value: object) -> str | None:
    return "".join(_text(value, "account.number").split()) or None
