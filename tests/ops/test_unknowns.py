"""What the answers of Powens say about what nobody knows, and the document that says what is assumed meanwhile."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.first_contact import journey, unknowns
from ops.wire import Answer
from shared.adapters.powens.transport import READ_SECONDS

ROOT = Path(__file__).parents[2]


def said(status: int, body: object = None, seconds: float = 0.1, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body or {}).encode(), seconds)


WINTER, SUMMER = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 7, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "now", "text", "as_assumed"),
    [
        ("2026-01-05 13:01:00", WINTER, "Europe/Paris", True),
        ("2026-07-05 14:01:00", SUMMER, "Europe/Paris", True),
        ("2026-01-05 11:58:00", WINTER, "UTC", False),
        ("2026-01-05 04:00:00", WINTER, "-8.0 hours from UTC", False),
        ("2026-01-05T12:00:00+00:00", WINTER, "an offset of its own", None),
        ("0000-00-00 00:00:00", WINTER, "not a date", None),
        (None, WINTER, "no date", None),
    ],
)
def test_the_zone_of_a_date_of_just_now_shows(
    moment: object, now: datetime, text: str, as_assumed: bool | None
) -> None:
    assert unknowns.zone(moment, now) == unknowns.Seen(text, as_assumed)


def test_how_a_list_is_paged_shows_in_a_page_of_two() -> None:
    whole = {"connectors": [1] * 1000, "total": 1200}

    assert unknowns.paging({"total": 1200}, whole, "connectors") == unknowns.Seen(
        "no links, a total; 1000 without a limit of 1200", True
    )
    assert unknowns.paging({"_links": {"next": {}}}, {"connectors": [1]}, "connectors") == unknowns.Seen(
        "_links, no total; 1 without a limit", False
    )


def test_a_synchronisation_is_as_assumed_when_it_is_refused_or_answered_in_time() -> None:
    assert unknowns.synchronisation(said(409, {"code": "conflict"}), 10.0).as_assumed is True
    assert unknowns.synchronisation(said(200, seconds=4.0), 10.0).as_assumed is True
    assert unknowns.synchronisation(said(200, seconds=40.0), 10.0) == unknowns.Seen("200 after 40.0 s", False)
    assert unknowns.synchronisation(said(500), 10.0).as_assumed is False


def test_refusals_show_their_status_and_code_and_never_their_words() -> None:
    answer = said(403, {"code": "forbidden", "description": "Mme Durand", "message": "FR76"})

    assert unknowns.refusal(answer, 401) == unknowns.Seen("403 forbidden", False)
    assert unknowns.refusal(said(401, {"code": "tok_ABC123=="}), 401) == unknowns.Seen("401", True)


def test_what_powens_throttles_is_counted_with_how_long_it_says_to_wait() -> None:
    assert unknowns.throttling(40, []).as_assumed is None
    seen = unknowns.throttling(40, [Answer(429, {"retry-after": "7"}, b"", 0.1), Answer(429, {}, b"", 0.1)])
    assert seen == unknowns.Seen("2 of 40 calls were answered 429 (7, no Retry-After)", False)


def test_the_time_between_two_deliveries_is_the_shortest_that_was_seen() -> None:
    first = datetime(2026, 1, 5, 12, tzinfo=UTC)
    attempts = [first, first + timedelta(minutes=10), first + timedelta(minutes=13)]

    assert unknowns.repeats(attempts) == unknowns.Seen("again after 180 s (3 attempts)", True)
    assert unknowns.repeats([first]).as_assumed is None


def test_the_table_says_what_to_set_only_where_something_is_otherwise() -> None:
    rows = unknowns.table({"date-zone": unknowns.Seen("UTC", False), "bad-token": unknowns.Seen("401", True)})
    by_key = dict(zip(unknowns.unknowns(), rows.splitlines()[2:], strict=True))

    assert "| UTC | set `PARIS`" in by_key["date-zone"]
    assert by_key["bad-token"].endswith("| 401 | nothing |")
    assert "| not seen | as long as nobody knows: no limit was met |" in by_key["rate-limit"]


def test_what_the_document_tells_to_change_is_there() -> None:
    for unknown in unknowns.unknowns().values():
        for path in re.findall(r"`((?:docs|shared)/[\w./]+)`", unknown.answer):
            assert (ROOT / path).exists(), path
        for name, path in re.findall(r"`([A-Z_]{4,})` (?:in|to) .*?`(shared/[\w./]+)`", unknown.answer):
            assert name in (ROOT / path).read_text("utf-8"), name


def test_the_journey_waits_as_long_as_the_product_does() -> None:
    assert journey.PRODUCT_WAITS == READ_SECONDS
