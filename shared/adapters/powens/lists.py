"""Powens' lists over their pages.

Powens documents links for some lists and answers `total` without links for others, so both are followed.
"""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from shared.adapters.powens.transport import unusable
from shared.adapters.powens.values import JsonObject, Malformed, as_list, as_object
from shared.domain.errors import PowensUnavailable

MOST_PAGES = 50

_UUID_LENGTH = 36
_TOTAL = re.compile(r"[0-9]{1,19}")


def whole_list(
    what: str, first_page: str, key: str, get: Callable[[str, str], JsonObject], *, limit: int | None = None
) -> list[object]:
    """All items of a list, over its pages, each once. `get(what, url)` makes one GET. Raises what `get` does.

    `first_page` is a URL, `key` the name of the list in a page. `limit` is how many a page was asked to have: a full
    one of a list that has neither links nor a total is not taken for the last.
    Raises PowensUnavailable for a list that ends before its total.
    """
    items: dict[str, object] = {}
    received = 0
    url: str | None = first_page
    seen: set[str] = set()
    while url is not None:
        if url in seen or len(seen) == MOST_PAGES:
            raise PowensUnavailable(f"{what}: the pages do not end")
        seen.add(url)
        page = get(what, url)
        try:
            listed = as_list(page.get(key), key)
            link = _next_page(page, url)
            total = _total_of(page)
        except Malformed as error:
            raise unusable(what, error) from error
        known = len(items)
        # A list that grows while its pages are read shows an item twice.
        for item in listed:
            items.setdefault(_item_key(item), item)
        received += len(listed)
        more = len(items) < total if total is not None else len(listed) == limit and not page.get("_links")
        if link is None and more:
            if len(items) == known:
                raise PowensUnavailable(f"{what}: the list ends before its total")
            link = _offset_page(first_page, received)
        url = link
    return list(items.values())


def _next_page(page: JsonObject, current_url: str) -> str | None:
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


def _offset_page(url: str, offset: int) -> str:
    """The same list from its item number `offset` on, for lists that come without links."""
    return f"{url}{'&' if '?' in url else '?'}offset={offset}"


def _total_of(page: JsonObject) -> int | None:
    """How many items the whole list has; None when the page does not say."""
    total = page.get("total")
    if isinstance(total, str) and _TOTAL.fullmatch(total):
        total = int(total)
    return total if isinstance(total, int) and not isinstance(total, bool) else None


def _item_key(item: object) -> str:
    """What is equal for two appearances of one item of a list, and for no others: several may have an unusable id."""
    if isinstance(item, dict):
        number, uuid = item.get("id"), item.get("uuid")
        if (type(number) is int and number > 0) or (isinstance(uuid, str) and len(uuid) == _UUID_LENGTH):
            return repr((number, uuid))
    return repr(item)
