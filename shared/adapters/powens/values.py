"""What one value of Powens' answers says. An error here names a field and never shows its value."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from shared.domain.names import clean_name, shortened

type JsonObject = Mapping[str, object]

PARIS = ZoneInfo("Europe/Paris")
NOTHING = re.compile(r"\s*(0|null|none|false)?\s*", re.IGNORECASE)

_WORD = re.compile(r"[A-Za-z0-9_]{1,40}")
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


# Fields of several subjects. Each raises Malformed for a value that says nothing.


def as_switch(value: object) -> bool:
    """A boolean, 0 or 1 as old answers have it, or a DateTime, which means set: the date itself does not matter."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    as_moment(value)
    return True


def as_text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("no text")
    return value


def as_name(value: object) -> str:
    return shortened(clean_name(as_text(value)))


def as_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(as_text(value).strip())
    except ValueError:
        raise Malformed("no date") from None
    if moment.year not in _YEARS:
        raise Malformed("out of range")
    return (moment if moment.tzinfo else moment.replace(tzinfo=PARIS)).astimezone(UTC)


def as_amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Malformed("no number")
    amount = Decimal(value)
    if not amount.is_finite() or len(amount.as_tuple().digits) > _MOST_DIGITS or abs(amount.adjusted()) > _MOST_DIGITS:
        raise Malformed("out of range")
    return amount


def as_word(value: object) -> str:
    """A text that is more than a word is written for people, and not read."""
    text = as_text(value)
    if NOTHING.fullmatch(text):
        raise Malformed("nothing")
    return text if _WORD.fullmatch(text) else "unknown"


def as_words(value: object) -> frozenset[str]:
    return frozenset(word for word in as_list(value, "words") if isinstance(word, str) and _WORD.fullmatch(word))


def as_account_type(value: object) -> str:
    word = as_text(value.get("name") if isinstance(value, dict) else value)
    if not _WORD.fullmatch(word):
        raise Malformed("no word")
    return word


def as_currency(value: object) -> str | None:
    code = value.get("id") if isinstance(value, dict) else value
    if code is None:
        return None
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise Malformed("no code")
    return code.upper()


def as_color(value: object) -> str:
    hexadecimal = _COLOR.fullmatch(as_text(value))
    if hexadecimal is None:
        raise Malformed("no color")
    return f"#{hexadecimal[1].lower()}"


def as_uuid(value: object) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Malformed("no identifier")
    return value
