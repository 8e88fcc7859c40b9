"""Two releases at once: in some runs half of the workers are of the release before, until nothing goes wrong any more.

Both run today's code; what they read and write differs. The newer one gives every object of a document, and every
message, one member more. The older one knows neither that nor what is in `_NOT_YET`: it meets them under other names,
so that it is the product itself that does not know them, keeps them, and leaves them alone.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from shared.adapters.dynamodb.documents import Documents
from shared.contracts.messages import Message
from shared.domain.errors import NewerVersion
from shared.entrypoints.sqs import FifoBatch
from tests.simulation.world.processes import Worker
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.documents import content_of

type Node = dict[str, Any]

ADDED = {"newer": {"since": "this release"}}
_NOT_YET = {"unseen_since"}
"""Members of a document that the release before does not know."""
_NO_KIND_YET = "restoration"
_HIDDEN = "~"


def _newer(node: Node) -> Node:
    return node if node.keys() == ADDED["newer"].keys() else node | ADDED


def _hidden(node: Node) -> Node:
    """What is stored, as the release before meets it."""
    shown = {_HIDDEN + name if name in _NOT_YET else name: value for name, value in node.items()}
    if shown.get("kind") == _NO_KIND_YET:
        shown["kind"] = _HIDDEN + _NO_KIND_YET
    return shown


def _shown(node: Node) -> Node:
    """What the release before writes, as it is stored. It has no values of its own for what it does not know."""
    stored = {name.removeprefix(_HIDDEN): value for name, value in node.items() if name not in _NOT_YET}
    if isinstance(stored.get("kind"), str):
        stored["kind"] = stored["kind"].removeprefix(_HIDDEN)
    return stored


def _through(document: str | bytes, change: Callable[[Node], Node]) -> bytes:
    return json.dumps(json.loads(document, object_hook=change), ensure_ascii=False).encode()


@contextlib.contextmanager
def two_releases(current: Callable[[], SimulatedWorld]) -> Iterator[None]:
    """What documents and messages go through, by the worker that is running in the `current` world."""
    read, write, dump, delay = Documents.read, Documents.write, Message.model_dump_json, FifoBatch._delay

    def worker() -> Worker | None:
        """None where there is only one release."""
        task = current().engine.current
        return task.worker if current().chance.two_releases and task is not None else None

    def reading(self: Any, document: str | bytes) -> Any:
        by = worker()
        return read(self, _through(document, _hidden) if by is not None and by.older else document)

    def writing(self: Any, value: Any) -> bytes:
        by = worker()
        document = write(self, value)
        return document if by is None else _through(document, _shown if by.older else _newer)

    def sending(self: Any) -> str:
        by = worker()
        return dump(self) if by is None or by.older else json.dumps(json.loads(dump(self)) | ADDED)

    def putting_off(self: Any, error: Exception, receive_count: int) -> int:
        task = current().engine.current
        if isinstance(error, NewerVersion) and task is not None:
            current().chance.note("left to a newer worker", task.key)
        return delay(self, error, receive_count)

    with (
        mock.patch.object(Documents, "read", reading),
        mock.patch.object(Documents, "write", writing),
        mock.patch.object(Message, "model_dump_json", sending),
        mock.patch.object(FifoBatch, "_delay", putting_off),
    ):
        yield


class Kept:
    """Watches that no write takes away what only the newer release knows."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        world.watchers.append(self._written)

    def _written(self, before: Node | None, after: Node | None) -> None:
        if before is None or after is None or not after["sk"]["S"].startswith(("LIST#", "OPERATION#")):
            return
        known, now = (_by_id(content_of(item)) for item in (before, after))
        lost = [
            f"{name} of {after['sk']['S']}"
            for name in known.keys() & now.keys()
            if ADDED.items() <= known[name].items() and not ADDED.items() <= now[name].items()
        ]
        self._world.invariant(not lost, f"what only a newer release knows is lost: {sorted(lost)}")


def _by_id(document: Node) -> dict[str, Node]:
    """The document, its accounts, its operations and their items."""
    operations = document.get("operations", [])
    parts = (document, *document.get("accounts", []), *operations)
    found = {part["id"]: part for part in parts}
    for operation in (document, *operations):
        found |= {f"{item['account_id']} in {operation['id']}": item for item in operation.get("items", [])}
    return found
