"""The release before reads what today's code writes: its frozen reader, on the newest samples (ADR 0044)."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.dynamodb.connection_item import document_of
from shared.domain.facts import FactType
from tests.integration.event_schemas import FOLDER as SCHEMAS
from tests.integration.released import FOLDER, TABLES, by_kind, recorded_items
from tests.integration.released import read as recorded
from tests.integration.released_reader import (
    READERS,
    breaks,
    complaints,
    missed_items,
    read,
    todays_reader,
)

NEWEST = by_kind(recorded_items(TABLES[-1]))
"""What today's code leaves: `test_released_items.py` holds it to that."""
EXAMPLES = SCHEMAS.parent / "examples"
EACH_READER = pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
EACH_EVENT = pytest.mark.parametrize("path", sorted((FOLDER / "events").glob("*.json")), ids=lambda path: path.stem)


def documents(kind: str) -> list[Any]:
    """Of all items of a kind, packed ones too."""
    return [
        json.loads(document_of({name: next(iter(v.values())) for name, v in item.items()})) for item in NEWEST[kind]
    ]


@EACH_READER
def test_it_finds_every_attribute_that_it_needs(path: Path) -> None:
    assert list(missed_items(read(path), NEWEST)) == []


@EACH_READER
def test_it_reads_every_document(path: Path) -> None:
    schemas = read(path)["documents"]
    assert schemas
    for kind, schema in schemas.items():
        assert documents(kind), kind
        assert [line for document in documents(kind) for line in complaints(schema, document)] == [], kind


@EACH_READER
def test_it_reads_every_message(path: Path) -> None:
    for queue, schemas in read(path)["messages"].items():
        bodies = [json.loads(message["body"]) for message in recorded(TABLES[-1], f"messages/{queue}")]
        bodies += [json.loads(i["body"]["S"]) for i in NEWEST["user-command"] if i["queue"]["S"] == queue]
        assert bodies
        for body in bodies:
            assert [] in [complaints(schema, body) for schema in schemas.values()], body


@EACH_READER
def test_it_will_read_what_no_sample_shows(path: Path) -> None:
    assert list(breaks(read(path), todays_reader())) == []


@EACH_EVENT
def test_a_listener_to_the_released_event_reads_the_newest_ones(path: Path) -> None:
    """One that passes over what it does not know, as docs/events.md asks."""
    schema = read(path)
    details = [json.loads((EXAMPLES / path.name).read_text("utf-8"))["detail"]]
    details += [
        json.loads(item["detail"]["S"])
        for kind in ("user-event", "erased-event")
        for item in NEWEST[kind]
        if item["detail_type"]["S"] == path.stem
    ]
    assert [line for detail in details for line in complaints(schema, detail)] == []


@EACH_EVENT
def test_what_a_listener_must_know_all_values_of_has_no_new_ones(path: Path) -> None:
    """`change` decides what the fold does, and `schema_version` whether it may be read at all: they are closed."""
    released, current = read(path), read(SCHEMAS / path.name)
    assert current["$defs"]["Change"]["enum"] == released["$defs"]["Change"]["enum"]
    versions = [of["$defs"]["Metadata"]["properties"]["schema_version"]["const"] for of in (released, current)]
    assert versions == [1, 1]


@pytest.mark.parametrize("kind", FactType, ids=lambda kind: kind.value)
def test_the_guide_for_listeners_says_which_values_are_closed_and_which_may_grow(kind: FactType) -> None:
    guide = (SCHEMAS.parents[1] / "docs" / "events.md").read_text("utf-8")
    section = guide.partition("## What may be added")[2]
    closed, _, open_ones = section.partition("**Closed**")[2].partition("**Open**")
    assert {"`change`", "`schema_version`"} <= set(closed.split())
    definitions = read(SCHEMAS / f"{kind.value}.json")["$defs"]
    listed = {"Change": "`change`", "Cause": "`cause`", "AccountType": "`type`"}
    assert {name for name, of in definitions.items() if "enum" in of} <= listed.keys(), "closed or open?"
    assert {"`cause`", "`type`", "`status`"} <= set(open_ones.replace(",", " ").split())


# --- the reader itself


def _account(reader: Any) -> Any:
    return reader["documents"]["user-list-connection"]["$defs"]["Account"]


CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a member goes": (lambda r: _account(r)["properties"].pop("wanted"), "property wanted: is gone"),
    "one is renamed": (
        lambda r: _account(r)["properties"].update(chosen=_account(r)["properties"].pop("wanted")),
        "property wanted: is gone",
    ),
    "one may be absent": (lambda r: _account(r)["required"].remove("wanted"), "property wanted: may be absent now"),
    "one has another type": (
        lambda r: _account(r)["properties"]["powens_id"].update(type="string"),
        "was integer, is string",
    ),
    "one may be null": (
        lambda r: _account(r)["properties"].update(wanted={"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        "may be something else now: null",
    ),
    "a value goes": (
        lambda r: r["documents"]["user-operation"]["$defs"]["OperationKind"]["enum"].remove("refresh"),
        "value refresh: is gone",
    ),
    "a document goes": (lambda r: r["documents"].pop("user-operation"), "user-operation: is gone"),
    "a message has another version": (
        lambda r: r["messages"]["commands"]["Command"]["properties"]["version"].update(const=2),
        "commands Command: version value 1: is gone",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_needs_two_releases_is_a_break(name: str) -> None:
    change, said = CHANGES[name]
    changed = copy.deepcopy(dict(todays_reader()))
    change(changed)
    assert said in "\n".join(breaks(todays_reader(), changed))


def test_what_one_release_may_add_is_none() -> None:
    grown = copy.deepcopy(dict(todays_reader()))
    _account(grown)["properties"]["newer"] = {"type": "string"}
    _account(grown)["required"].append("newer")
    grown["documents"]["user-operation"]["$defs"]["OperationKind"]["enum"].append("split")
    grown["documents"]["user-list-goal"] = {"type": "object"}
    assert list(breaks(todays_reader(), grown)) == []


def test_a_sample_without_what_is_needed_is_noticed() -> None:
    schema = todays_reader()["documents"]["user-operation"]
    [known, *_] = documents("user-operation")
    grown = known | {"kind": "split", "newer": {"a": [1]}}
    assert complaints(schema, grown) == []
    assert complaints(schema, {name: value for name, value in known.items() if name != "deadline_at"})
    assert complaints(schema, known | {"deadline_at": None})
    item = NEWEST["user-operation"][0]
    assert list(missed_items(todays_reader(), NEWEST | {"user-operation": [item | {"ttl": {"S": "1"}}]}))
    assert list(missed_items(todays_reader(), {k: v for k, v in NEWEST.items() if k != "user-operation"}))
    assert not list(missed_items(todays_reader(), NEWEST | {"user-goal": [item]}))
