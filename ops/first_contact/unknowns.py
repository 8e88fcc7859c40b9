"""What nobody knows about Powens before it is asked: the table of docs/unknowns.md, and what answers say about it.

Each function takes what Powens answered and says what it is, in words of ours: nothing of an answer is quoted but
codes, names of fields and counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.wire import Answer

DOCUMENT = Path(__file__).parents[2] / "docs" / "unknowns.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_PARIS = ZoneInfo("Europe/Paris")
# How far a date of just now may be from our clock: a synchronisation takes a while.
_JUST_NOW = timedelta(minutes=20)


@dataclass(frozen=True)
class Unknown:
    """A row of the document. `answer`: what to set, or to do, when it turns out to be otherwise."""

    key: str
    what: str
    assumed: str
    answer: str


@dataclass(frozen=True)
class Seen:
    """`as_assumed` None: it says neither."""

    text: str
    as_assumed: bool | None = None


def unknowns(text: str | None = None) -> dict[str, Unknown]:
    """By key, in the order of the document."""
    rows = _ROW.findall(DOCUMENT.read_text("utf-8") if text is None else text)
    return {key: Unknown(key, *parts) for key, *parts in rows}


def table(seen: Mapping[str, Seen]) -> str:
    """Assumed, seen, and what to set, as Markdown."""
    lines = ["| unknown | assumed | seen | what to set |", "| --- | --- | --- | --- |"]
    for unknown in unknowns().values():
        found = seen.get(unknown.key, Seen("not seen"))
        advice = {True: "nothing", None: f"as long as nobody knows: {unknown.assumed}"}.get(
            found.as_assumed, unknown.answer
        )
        lines.append(f"| {unknown.what} | {unknown.assumed} | {found.text} | {advice} |")
    return "\n".join(lines)


# --- lists and forms -------------------------------------------------------------------------------------------------


def paging(limited: Mapping[str, Any], whole: Mapping[str, Any], key: str) -> Seen:
    """Of a list that was asked for with `limit` and without."""
    links = next((name for name in ("_links", "_link") if limited.get(name)), None)
    total = limited.get("total")
    count = len(whole.get(key) or ())
    said = f"{links or 'no links'}, {'a total' if total is not None else 'no total'}; {count} without a limit"
    if isinstance(total, int) and total > count:
        said += f" of {total}"
    return Seen(said, links is None and total is not None)


def form_of(values: Sequence[object], assumed: type) -> Seen:
    """Of a field, over the items that have it."""
    names = {str: "text", dict: "object", int: "number", bool: "boolean"}
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return Seen("nowhere filled")
    return Seen(", ".join(sorted(names.get(kind, "something else") for kind in kinds)), kinds == {assumed})


def source_form(sources: Sequence[Mapping[str, Any]]) -> Seen:
    if not sources:
        return Seen("no source shown")
    nested = any(isinstance(source.get("source"), Mapping) for source in sources)
    return Seen("nested under `source`" if nested else "flat", not nested)


def filled(account: Mapping[str, Any] | None) -> Seen:
    """What is known of an account that nobody ticked yet."""
    if account is None:
        return Seen("no account was disabled")
    known = [
        name for name in ("name", "number", "iban", "type", "currency", "balance") if account.get(name) is not None
    ]
    return Seen(", ".join(known) or "nothing", "name" in known)


def has(items: Sequence[Mapping[str, Any]], name: str) -> Seen:
    with_it = sum(1 for item in items if item.get(name))
    return Seen(f"on {with_it} of {len(items)}", with_it > 0)


# --- time ------------------------------------------------------------------------------------------------------------


def zone(moment: object, now: datetime) -> Seen:
    """Of a date-time of just now. In winter Paris is an hour from UTC, which a slow synchronisation is not."""
    if not isinstance(moment, str):
        return Seen("no date")
    try:
        date = datetime.fromisoformat(moment.strip())
    except ValueError:
        return Seen("not a date")
    if date.tzinfo is not None:
        return Seen("an offset of its own")
    for name, tz in (("Europe/Paris", _PARIS), ("UTC", UTC)):
        if abs(date.replace(tzinfo=tz) - now) <= _JUST_NOW:
            return Seen(name, name == "Europe/Paris")
    hours = (date.replace(tzinfo=UTC) - now).total_seconds() / 3600
    return Seen(f"{hours:+.1f} hours from UTC", False)


def synchronisation(answer: Answer, patience: float) -> Seen:
    """The forced synchronisation, and how long its answer took. `patience`: how long the product waits, in seconds."""
    said = f"{answer.status} {_code(answer)}".rstrip() + f" after {answer.seconds:.1f} s"
    return Seen(said, answer.status == 409 or (answer.ok and answer.seconds < patience))


def repeats(attempts: Sequence[datetime]) -> Seen:
    """Of deliveries of one payload that were refused each time."""
    if len(attempts) < 2:
        return Seen(f"{len(attempts)} attempt within the time that was waited")
    gaps = [later - earlier for earlier, later in pairwise(attempts)]
    shortest = min(gaps).total_seconds()
    return Seen(
        f"again after {shortest:.0f} s ({len(attempts)} attempts)", shortest < timedelta(days=1).total_seconds()
    )


# --- refusals --------------------------------------------------------------------------------------------------------


def refusal(answer: Answer, *assumed: int) -> Seen:
    return Seen(f"{answer.status} {_code(answer)}".rstrip(), answer.status in assumed)


def throttling(calls: int, throttled: Sequence[Answer]) -> Seen:
    if not throttled:
        return Seen(f"none of {calls} calls was answered 429")
    waits = sorted({answer.headers.get("retry-after", "no Retry-After") for answer in throttled})
    return Seen(f"{len(throttled)} of {calls} calls were answered 429 ({', '.join(waits)})", False)


def events(seen: Mapping[str, int], expected: Sequence[str]) -> Seen:
    said = ", ".join(f"{event} {count}" for event, count in sorted(seen.items())) or "none"
    return Seen(said, set(expected) <= set(seen))


def _code(answer: Answer) -> str:
    code = answer.members().get("code")
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{1,40}", code) else ""
