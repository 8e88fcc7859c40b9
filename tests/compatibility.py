"""What a new description of an API, or of an event, takes away from the one that was released.

A schema means two things. What was *accepted*, an old client's request, must go on being accepted; what was *promised*,
an answer or an event that an old client reads, must go on being kept. Members and values may come anywhere and go
nowhere: whoever reads passes over what is new.

Each break is a line: where, and what. Titles and descriptions may change; a keyword that is not known here must stay.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

type Schema = Mapping[str, Any]

_SAY_NOTHING = {"title", "description", "examples", "deprecated", "$schema", "$defs", "$id"}
_LOOKED_AT = {"type", "anyOf", "oneOf", "$ref", "enum", "const", "properties", "required", "items"}
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_FORMS = {"pattern", "format"}
_WITHOUT_BODY = {"204", "304"}
"""HTTP allows them none, whatever a document says."""


class Direction(Enum):
    """Who writes what the schema describes: a client (`ACCEPTED`), or we (`PROMISED`)."""

    ACCEPTED = "accepted"
    PROMISED = "promised"


def api_breaks(released: Schema, current: Schema) -> list[str]:
    """What clients of the released OpenAPI document can no longer rely on."""
    return list(_Comparison(released, current).paths())


def schema_breaks(released: Schema, current: Schema, direction: Direction) -> list[str]:
    """The same of one JSON Schema, with its definitions in `$defs`."""
    return list(_Comparison(released, current).schemas("", released, current, direction))


@dataclass
class _Comparison:
    """Of two whole documents. `_compared`: pairs of references, so that a schema may contain itself."""

    released: Schema
    current: Schema
    _compared: set[tuple[str, str, Direction]] = field(default_factory=set)

    # --- an API

    def paths(self) -> Iterator[str]:
        for path, operations in self.released["paths"].items():
            for method, old in operations.items():
                where = f"{method.upper()} {path}"
                new = self.current["paths"].get(path, {}).get(method)
                if new is None:
                    yield f"{where}: is gone"
                else:
                    yield from self._operation(where, old, new)

    def _operation(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if _callers(self.released, old) not in (None, _callers(self.current, new)):
            yield f"{where}: who may call it has changed"
        yield from self._parameters(where, old.get("parameters", ()), new.get("parameters", ()))
        yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            at = f"{where} -> {status}"
            # A range, such as 2XX, is said of each of its statuses that is not named.
            given = new["responses"].get(status, new["responses"].get(f"{status[0]}XX"))
            if given is None:
                yield f"{at}: is gone"
                continue
            yield from _gone(f"{at} header", answer.get("headers", ()), given.get("headers", ()))
            if status not in _WITHOUT_BODY:
                yield from self._contents(at, answer, given, Direction.PROMISED)

    def _parameters(self, where: str, old: Iterable[Schema], new: Iterable[Schema]) -> Iterator[str]:
        before = {(p["in"], p["name"]): p for p in old}
        after = {(p["in"], p["name"]): p for p in new}
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{where} {key[0]} {key[1]}: is required now"
        for key, parameter in before.items():
            at = f"{where} {key[0]} {key[1]}"
            if key in after:
                yield from self.schemas(at, parameter["schema"], after[key]["schema"], Direction.ACCEPTED)
            else:
                yield f"{at}: is gone"

    def _body(self, where: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        at = f"{where} body"
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{at}: is required now"
        if old is not None and new is None:
            yield f"{at}: is gone"
        if old is not None and new is not None:
            yield from self._contents(at, old, new, Direction.ACCEPTED)

    def _contents(self, at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        after = new.get("content", {})
        for kind, content in old.get("content", {}).items():
            if kind not in after:
                yield f"{at} {kind}: is gone"
            elif "schema" in content:
                yield from self.schemas(at, content["schema"], after[kind].get("schema", {}), direction)

    # --- a schema

    def schemas(self, at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"], direction)
            if pair in self._compared:
                return
            self._compared.add(pair)
        before, after = _alternatives(old, self.released), _alternatives(new, self.current)
        if len(before) == len(after) == 1:
            yield from self._single(at, before[0], after[0], direction)
            return
        yield from self._each_has_its_like(at, before, after, direction)

    def _each_has_its_like(
        self, at: str, before: list[Schema], after: list[Schema], direction: Direction
    ) -> Iterator[str]:
        """Every alternative must stay; one more may be promised by nobody, as who reads it would not expect it."""
        for old in before:
            attempts = [list(self._single(at, old, new, direction)) for new in after if _alike(old, new)]
            if not attempts:
                yield f"{at}: an alternative is gone: {_told(old)}"
            elif all(attempts):
                yield from min(attempts, key=len)
        if direction is Direction.PROMISED:
            for new in after:
                if not any(_alike(old, new) for old in before):
                    yield f"{at}: may be something else now: {_told(new)}"

    def _single(self, at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        if old.get("type") != new.get("type"):
            yield f"{at}: was {_told(old)}, is {_told(new)}"
            return
        yield from _values(at, old, new)
        if direction is Direction.ACCEPTED and old.get("default") != new.get("default"):
            yield f"{at}: the default was {old.get('default')}, is {new.get('default')}"
        yield from _gone(f"{at} property", old.get("properties", ()), new.get("properties", ()))
        for name, member in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self.schemas(f"{at}.{name}".lstrip("."), member, new["properties"][name], direction)
        yield from _required(at, old, new, direction)
        if "items" in old or "items" in new:
            yield from self.schemas(f"{at}[]", old.get("items", {}), new.get("items", {}), direction)
        yield from self._other_members(at, old, new, direction)
        yield from _bounds(at, old, new, direction)
        known = _SAY_NOTHING | _LOOKED_AT | _LOWER_BOUNDS | _UPPER_BOUNDS | _FORMS | {"additionalProperties", "default"}
        for keyword in sorted((old.keys() | new.keys()) - known):
            if old.get(keyword) != new.get(keyword):
                yield f"{at}: {keyword} has changed"

    def _other_members(self, at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        """`additionalProperties`: a schema of members whose names are not known, or whether there may be any."""
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from self.schemas(f"{at}.*", before, after, direction)
        elif isinstance(before, Mapping) or (direction is Direction.ACCEPTED and before and after is not True):
            yield f"{at}: other members are no longer {direction.value}"


def _callers(document: Schema, operation: Schema) -> Any:
    """Who may call an operation, as far as its document says anything about that: else None."""
    return operation.get("security", document.get("security"))


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    """One schema for each type that it may be, without references at their top."""
    if "$ref" in schema:
        target: Schema = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _alternatives({**target, **_without(schema, "$ref")}, document)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            beside = _without(schema, keyword)
            return [found for each in schema[keyword] for found in _alternatives({**each, **beside}, document)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": each} for each in schema["type"]]
    return [schema]


def _without(schema: Schema, keyword: str) -> Schema:
    return {name: value for name, value in schema.items() if name != keyword}


def _alike(old: Schema, new: Schema) -> bool:
    return bool(old.get("type") == new.get("type"))


def _told(schema: Schema) -> str:
    return str(schema.get("type", "anything"))


def _gone(at: str, old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    yield from (f"{at} {name}: is gone" for name in sorted(set(old) - set(new)))


def _values(at: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = _enumerated(old), _enumerated(new)
    if before is None and after is not None:
        yield f"{at}: only some values are left"
    if before is not None and after is not None:
        yield from (f"{at} value {value}: is gone" for value in before if value not in after)


def _enumerated(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _required(at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    if direction is Direction.ACCEPTED:
        yield from (f"{at} property {name}: is required now" for name in sorted(after - before))
    else:
        kept = new.get("properties", {}).keys()
        yield from (f"{at} property {name}: may be absent now" for name in sorted((before - after) & kept))


def _bounds(at: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
    """Tighter is a break of what was accepted, looser of what was promised."""
    wide, narrow = (old, new) if direction is Direction.ACCEPTED else (new, old)
    for keyword in sorted(_LOWER_BOUNDS | _UPPER_BOUNDS):
        sign = 1 if keyword in _LOWER_BOUNDS else -1
        outer, inner = wide.get(keyword), narrow.get(keyword)
        if inner is not None and (outer is None or sign * inner > sign * outer):
            yield f"{at}: {keyword} was {old.get(keyword)}, is {new.get(keyword)}"
    for keyword in sorted(_FORMS):
        if narrow.get(keyword) not in (None, wide.get(keyword)):
            yield f"{at}: {keyword} was {old.get(keyword)}, is {new.get(keyword)}"
