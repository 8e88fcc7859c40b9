"""What a newer release may have left: members, attributes and values that today's code does not know."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.integration.world import World
from tests.worlds.deployment import TABLE
from tests.worlds.documents import content_of, with_content

NEWER = {"plan": "B", "levels": [1, {"é": None}]}
"""As one member."""


def put_item(world: World, item: dict[str, Any]) -> None:
    with world.looking():
        world.dynamodb.put_item(TableName=TABLE, Item=item)


def stored(world: World, sort: str) -> Iterator[dict[str, Any]]:
    """The items whose sort key begins so."""
    return (item for item in world.items() if item["sk"]["S"].startswith(sort))


def document(world: World, sort: str) -> Any:
    [item] = stored(world, sort)
    return content_of(item)


def rewrite(world: World, sort: str, change: Callable[[Any], object], **attributes: dict[str, Any]) -> None:
    """A newer release writes the documents of these items anew, and gives the items `attributes`."""
    for item in list(stored(world, sort)):
        content = content_of(item)
        change(content)
        put_item(world, with_content(item, content) | attributes)


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(child)


def mark(content: Any) -> None:
    for part in list(parts(content)):
        part["newer"] = NEWER


def marked(node: Any) -> bool:
    """Whether every object still has its mark."""
    if isinstance(node, dict):
        return node.get("newer") == NEWER and all(marked(child) for name, child in node.items() if name != "newer")
    return not isinstance(node, list) or all(map(marked, node))
