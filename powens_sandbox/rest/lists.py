"""What all lists have in common: pages, links to their neighbours, periods of time."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from powens_sandbox.errors import invalid
from powens_sandbox.params import Call
from powens_sandbox.routing import answer
from powens_sandbox.settings import Settings
from powens_sandbox.views.formats import PARIS, Json

MAX_LIMIT = 1000


def page[T](call: Call, settings: Settings, key: str, items: Sequence[T], show: Callable[[T], object]) -> Response:
    chosen, links = window(call, settings, items)
    return answer({key: [show(item) for item in chosen], "total": len(items)} | links)


def window[T](call: Call, settings: Settings, items: Sequence[T], *, documented: bool = False) -> tuple[list[T], Json]:
    """The part that `limit` and `offset` ask for, and the links to its neighbours on the caller's own host, where
    they are documented or wanted."""
    limit, offset = call.params.integer("limit"), call.params.integer("offset") or 0
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise invalid("limit", f"must be between 1 and {MAX_LIMIT}")
    if limit is None:
        limit = settings.list_cap or max(1, len(items))
    chosen = list(items[offset : offset + limit])
    if not documented and settings.linked_lists == "transactions":
        return chosen, {}

    def link(start: int) -> Json:
        query = [(k, v) for k, v in call.request.query_params.multi_items() if k not in {"limit", "offset"}]
        query += [("limit", str(limit)), ("offset", str(start))]
        return {"href": f"{origin(call.request)}{call.request.url.path}?{urlencode(query)}"}

    before, after = offset > 0, offset + limit < len(items)
    links = {
        "self": link(offset) if call.params.get("limit") is not None else {"href": _address(call.request)},
        "prev": link(max(0, offset - limit)) if before else None,
        "next": link(offset + limit) if after else None,
    }
    return chosen, {settings.links_key: links}


def period(call: Call) -> tuple[datetime, datetime]:
    """`min_date` and `max_date`: a date, a month or a year."""
    since, until = call.params.optional_text("min_date"), call.params.optional_text("max_date")
    first = day(since, "min_date") if since else datetime(1970, 1, 1, tzinfo=UTC)
    last = day(until, "max_date", end=True) if until else datetime(9000, 1, 1, tzinfo=UTC)
    return first, last


def day(text: str, name: str, *, end: bool = False) -> datetime:
    """Start of the date, month or year in Paris; with `end`, the start of what follows it."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T].*)?)?)?", text, re.ASCII)
    if match is None:
        raise invalid(name, "must be a date, a month or a year")
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    try:
        at = datetime(year, month, day, tzinfo=PARIS)
        if end:
            if match[3]:
                at += timedelta(days=1)
            elif match[2]:
                at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=PARIS)
            else:
                at = datetime(year + 1, 1, 1, tzinfo=PARIS)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a date") from error


def origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def _address(request: Request) -> str:
    query = request.url.query
    return f"{origin(request)}{request.url.path}{'?' + query if query else ''}"
