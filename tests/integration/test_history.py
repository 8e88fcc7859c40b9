"""The history, when there is a lot of it and little of it is asked for."""

from typing import Any

import pytest

from shared.adapters.dynamodb import history
from shared.domain.connection import connection_id
from tests.integration.world import World

MINE = f"connection_id={connection_id(77)}"


def filled(world: World, before: int, after: int) -> None:
    """A user with one connection, and events of none of them before and after its own."""
    with world.looking():
        world.connect(1)
        [event, *_] = [item for item in world.items() if item["sk"]["S"].startswith("EVENT#")]
        other: dict[str, Any] = {name: value for name, value in event.items() if name != "connection_id"}
        numbers = [f"EVENT#{number:026d}" for number in range(before)]
        numbers += [f"EVENT#7ZZZZZZZZZZZZZZZZZZZ{number:06d}" for number in range(after)]
        for sort in numbers:
            world.dynamodb.put_item(TableName=world.environment["TABLE_NAME"], Item={**other, "sk": {"S": sort}})
    world.aws.calls.clear()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_FILTERED_AT_ONCE", 10)


def test_a_filter_that_nothing_passes_ends_after_a_few_reads_with_a_way_on(world: World) -> None:
    filled(world, before=0, after=200)
    page = world.api("GET", "/v1/history", query="connection_id=another").json
    assert world.aws.calls.count("Query") == history.MOST_READS
    assert page["entries"] == []
    assert page["next"] is not None


def test_whoever_goes_on_finds_each_entry_once_and_comes_to_an_end(world: World) -> None:
    filled(world, before=95, after=95)
    with world.looking():
        items = world.items()
    own = {item["sk"]["S"][6:] for item in items if item["sk"]["S"].startswith("EVENT#") and "connection_id" in item}
    assert own
    found: list[str] = []
    query, requests = MINE, 0
    while True:
        page = world.api("GET", "/v1/history", query=query).json
        found += [entry["id"] for entry in page["entries"]]
        requests += 1
        if page["next"] is None:
            break
        query = f"{MINE}&cursor={page['next']}"
    assert sorted(found) == sorted(own)
    assert 1 < requests <= 2 + 200 // (9 * history.MOST_READS)
