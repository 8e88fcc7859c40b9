"""Stored documents: values as JSON. What this release does not know in them does not get lost (ADR 0044)."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from shared.domain.unknown import value_of

_UNKNOWN = "unknown"
"""The field of `Stored`: no document has a member of this name."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Documents[T]:
    """How values of one class are written down. `apart`: its fields that are attributes of the item."""

    def __init__(self, kind: Any, *, apart: set[str] | None = None) -> None:
        self._kind = kind
        self._apart = apart
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def read(self, document: str | bytes) -> T:
        """Raises ValidationError for a document in which something known is missing or has another type."""
        try:
            return self._adapter.validate_json(document, extra="forbid")
        except ValidationError:
            # Seldom: that costs several times as much.
            return self._adapter.validate_python(_with_unknown_apart(json.loads(document), self._kind))

    def write(self, value: T) -> bytes:
        document = self._adapter.dump_json(value, exclude_defaults=True, exclude=self._apart)
        if f'"{_UNKNOWN}":'.encode() not in document:
            return document
        content = json.loads(document, object_hook=_with_unknown)
        return _encode(content).encode()


def _with_unknown_apart(node: Any, kind: Any) -> Any:
    """A value of a document as pydantic takes it for the type `kind`: what is not known lies where it is kept."""
    if isinstance(node, list):
        return [_with_unknown_apart(each, get_args(kind)[0]) for each in node]
    if isinstance(node, str) and issubclass(kind, StrEnum):
        return value_of(kind, node)
    if isinstance(node, dict) and isinstance(kind, type) and is_dataclass(kind):
        names, growing = _members(kind)
        if unknown := {name: node.pop(name) for name in [name for name in node if name not in names]}:
            node[_UNKNOWN] = _encode(unknown)
        for name, inner in growing.items():
            if name in node:
                node[name] = _with_unknown_apart(node[name], inner)
    return node


@cache
def _members(kind: Any) -> tuple[AbstractSet[str], Mapping[str, Any]]:
    """The names of a dataclass's members, and the types of those in which there may be something unknown."""
    hints = get_type_hints(kind)
    inner = {name: get_args(hint)[0] if NoneType in get_args(hint) else hint for name, hint in hints.items()}
    return hints.keys(), {name: hint for name, hint in inner.items() if _grows(hint)}


def _grows(hint: Any) -> bool:
    return (
        is_dataclass(hint) or any(map(_grows, get_args(hint))) or (isinstance(hint, type) and issubclass(hint, StrEnum))
    )


def _with_unknown(part: dict[str, Any]) -> dict[str, Any]:
    unknown = part.pop(_UNKNOWN, None)
    return part if unknown is None else {**json.loads(unknown), **part}
