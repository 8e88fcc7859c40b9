"""What a release needs in order to read what another one has written, as a document that is frozen with the release.

`tests/released/reader-<number>.json` has, of one release: JSON Schemas of the documents and of the messages that it
reads, and the attributes, with their types in DynamoDB, that every item of a kind had. With each release
`python -m tests.integration.released_reader <number>` writes the next one (docs/releasing.md). It is a document, and no
copy of the code, which would follow Python, pydantic and the linters for ever and say nowhere what it needs (ADR 0044).
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
from pydantic import TypeAdapter

from shared.application.orphans import Listing
from shared.contracts.messages import Command, EraseUser, HintMessage
from shared.domain.connection import Connection, Operation
from shared.domain.incidents import Incident
from shared.domain.manual import BalancePoint, ManualAccount
from shared.domain.wishes import Wish
from tests.compatibility import Direction, schema_breaks
from tests.integration.released import FOLDER, TABLES, Item, by_kind, recorded_items

type Reader = Mapping[str, Any]

DOCUMENTS: dict[str, Any] = {
    "user-list-connection": Connection,
    "user-list-manual": ManualAccount,
    "user-list-wish": Wish,
    "user-operation": Operation,
    "user-balances": tuple[BalancePoint, ...],
    "institutions-incidents": tuple[Incident, ...],
    "orphans-listing": Listing,
}
"""What the documents are, by the kind of their items."""
MESSAGES: dict[str, tuple[type, ...]] = {"commands": (Command, EraseUser), "refresh": (HintMessage,)}
READERS = sorted(FOLDER.glob("reader-*.json"), key=lambda path: int(path.stem.partition("-")[2]))
"""Oldest first."""


def todays_reader() -> Reader:
    return {
        "documents": {kind: _schema(of) for kind, of in DOCUMENTS.items()},
        "messages": {queue: {of.__name__: _schema(of) for of in kinds} for queue, kinds in MESSAGES.items()},
        "attributes": {kind: _attributes(items) for kind, items in by_kind(recorded_items(TABLES[-1])).items()},
    }


def _schema(of: Any) -> Any:
    return _only_said(TypeAdapter(of).json_schema())


def _only_said(node: Any) -> Any:
    """Without texts for people, and without the field in which a release keeps what it does not know."""
    if isinstance(node, list):
        return [_only_said(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        node = node | {"properties": {name: of for name, of in node["properties"].items() if name != "unknown"}}
    return {name: _only_said(of) for name, of in node.items() if name not in ("title", "description")}


def _attributes(items: Iterable[Item]) -> dict[str, str]:
    """Those that every item has, and always in one type."""
    each = [{name: next(iter(value)) for name, value in item.items()} for item in items]
    return dict(sorted(set.intersection(*(set(attributes.items()) for attributes in each))))


def read(path: Path) -> Reader:
    reader: Reader = json.loads(path.read_text("utf-8"))
    return reader


# --- reading with it -------------------------------------------------------------------------------------------------


def opened(schema: Any) -> Any:
    """A schema for who passes over members and values that came later."""
    if isinstance(schema, list):
        return [opened(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: opened(of) for name, of in schema.items() if name != "enum" and of is not False}


def complaints(schema: Any, value: Any) -> list[str]:
    """What a reader misses in a value."""
    found = jsonschema.Draft202012Validator(opened(schema)).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def missed_items(reader: Reader, kinds: Mapping[str, Iterable[Item]]) -> Iterator[str]:
    """What a reader misses in the attributes of items, by their kinds."""
    for kind, attributes in reader["attributes"].items():
        if kind not in kinds:
            yield f"{kind}: is gone"
        for item in kinds.get(kind, ()):
            for name, of in attributes.items():
                if of not in item.get(name, {}):
                    yield f"{kind}: {name} was {of}, is {'/'.join(item.get(name, ['gone']))}"


def breaks(older: Reader, newer: Reader) -> Iterator[str]:
    """What the newer one may write, by its schemas, that the older one cannot read, in no sample perhaps."""
    for kind, schema in older["documents"].items():
        yield from _breaks(kind, schema, newer["documents"].get(kind))
    for queue, messages in older["messages"].items():
        for name, schema in messages.items():
            yield from _breaks(f"{queue} {name}", schema, newer["messages"].get(queue, {}).get(name))


def _breaks(what: str, older: Any, newer: Any) -> Iterator[str]:
    if newer is None:
        yield f"{what}: is gone"
    else:
        yield from (f"{what}: {line}" for line in schema_breaks(older, newer, Direction.PROMISED))


def main(number: int) -> None:
    text = json.dumps(todays_reader(), indent=1, ensure_ascii=False)
    (FOLDER / f"reader-{number}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]))
