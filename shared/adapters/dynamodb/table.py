"""One DynamoDB table in plain Python values, and writes that carry what their refusal means.

Values are str, int and bytes. Read back, numbers are `Decimal`: take them by `int()`.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shared.adapters.dynamodb.errors import translated
from shared.application.ports import StaleWriteError, TakenError
from shared.domain.errors import NewerVersion, StoreUnavailable, UserBeingErased

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Value = str | int | bytes
type Key = dict[str, str]
type Item = dict[str, Any]
type Refusal = type[StaleWriteError | TakenError | NoRoomError | UserBeingErased]

SCHEMA_VERSION = 1
"""The newest `schema_version` of items that this release reads; an item without one has 1 (ADR 0044)."""
_LONGEST_KEY_BYTES = 1024
"""Of a sort key; a partition key may be longer, and none of ours is (AWS limit)."""
_MOST_KEYS = 100
"""Of one BatchGetItem (AWS limit)."""
_ATTEMPTS = 6
_PAUSE_SECONDS = 0.05
"""Before the second attempt, twice as long before each following one."""


def _serialize(value: Any) -> Item:
    """Of what is written, and of what was read, for whoever copies an item."""
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case int() | Decimal() if not isinstance(value, bool):
            return {"N": str(value)}
        case dict():
            return value
    raise TypeError(f"no {type(value).__name__} is stored")


def _deserialize(attribute: Item) -> Any:
    """What is of another kind, which only a newer release stores, is left in DynamoDB's form."""
    match attribute:
        case {"S": value} | {"B": value}:
            return value
        case {"N": number}:
            return Decimal(number)
    return attribute


def _wire(values: Item) -> Item:
    return {name: _serialize(value) for name, value in values.items()}


def _plain(item: Item) -> Item:
    if _is_newer(item):
        raise NewerVersion("an item")
    return {name: _deserialize(value) for name, value in item.items()}


def _is_newer(item: Item) -> bool:
    return "schema_version" in item and int(item["schema_version"]["N"]) > SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write, or a condition on an item that is not written.

    `content` is the whole item of a Put, else the key. `values` stand in the expressions with a `:` before their name;
    an attribute with a `#` before its name is one that is a reserved word of DynamoDB. `otherwise` is raised when the
    condition does not hold.
    """

    kind: Literal["Put", "Update", "Delete", "ConditionCheck"]
    content: Item
    update: str = ""
    condition: str = ""
    values: dict[str, Value] = field(default_factory=dict)
    otherwise: Refusal = StaleWriteError


def put(item: Item, condition: str = "", *, otherwise: Refusal = StaleWriteError, **values: Value) -> Write:
    return Write(kind="Put", content=item, condition=condition, values=values, otherwise=otherwise)


def store(item: Item, optional: Iterable[str] = (), condition: str = "", **values: Value) -> Write:
    """Like a Put, but attributes that only a newer release knows stay. `optional`: those that an item may lack."""
    key = {name: item[name] for name in ("pk", "sk")}
    attributes = {name: value for name, value in item.items() if name not in key}
    change = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
    if absent := [f"#{name}" for name in optional if name not in item]:
        change += " REMOVE " + ", ".join(absent)
    return update(key, change, condition, **attributes, **values)


def update(key: Key, change: str, condition: str = "", **values: Value) -> Write:
    return Write(kind="Update", content=key, update=change, condition=condition, values=values)


def delete(key: Key, condition: str = "", **values: Value) -> Write:
    return Write(kind="Delete", content=key, condition=condition, values=values)


def check(key: Key, condition: str, *, otherwise: Refusal, **values: Value) -> Write:
    return Write(kind="ConditionCheck", content=key, condition=condition, values=values, otherwise=otherwise)


def unchanged(version: int | None) -> dict[str, Any]:
    """The condition that an item still has this version: None is no item, 0 one from before there were versions."""
    if version is None:
        return {"condition": "attribute_not_exists(pk)"}
    if version == 0:
        return {"condition": "attribute_exists(pk) AND attribute_not_exists(version)"}
    return {"condition": "version = :seen", "seen": version}


class NoRoomError(Exception):
    """As many as a user may have, or the user is being erased: `limits.py` finds out. Never leaves the adapter."""


_FINAL_FIRST: tuple[Refusal, ...] = (UserBeingErased, TakenError, NoRoomError, StaleWriteError)
"""Which refusal of a transaction counts when there are several: one that another attempt would meet again."""


class Page(NamedTuple):
    """What one Query read. `last` is the key behind which the next page begins; None at the end."""

    items: list[Item]
    last: Item | None


class Table:
    """Every method may raise StoreUnavailable; those that read raise NewerVersion for an item of a newer version."""

    def __init__(self, client: "DynamoDBClient", name: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self.name = name
        self._pause = pause

    def get(self, key: Key, *, consistent: bool = True) -> Item | None:
        if any(len(value.encode()) > _LONGEST_KEY_BYTES for value in key.values()):
            return None  # DynamoDB refuses to look for what it would not have stored
        how: Any = {"ConsistentRead": True} if consistent else {}
        with translated():
            found = self.client.get_item(TableName=self.name, Key=_wire(key), **how)
        return _plain(found["Item"]) if "Item" in found else None

    def get_many(self, keys: Sequence[Key], projection: str) -> list[Item]:
        """Those that exist, in no order, as of the last write; of each the attributes of `projection`."""
        found: list[Item] = []
        for start in range(0, len(keys), _MOST_KEYS):
            some = [_wire(key) for key in keys[start : start + _MOST_KEYS]]
            wanted: Any = {self.name: {"Keys": some, "ProjectionExpression": projection, "ConsistentRead": True}}
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._pause(_PAUSE_SECONDS * 2 ** (attempt - 1))
                with translated():
                    answer = self.client.batch_get_item(RequestItems=wanted)
                found += map(_plain, answer["Responses"].get(self.name, []))
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    break
            else:
                raise StoreUnavailable("keys are left over each time")
        return found

    def query(self, keys: str, options: Item | None = None, **values: Value) -> Page:
        """One page of what the condition `keys` selects; `options` are Query's other parameters, as AWS names them.

        An index has items of everybody: one of a newer version is left out there, and holds nobody else up.
        """
        answer = self._query(keys, options, values)
        of_many = options is not None and "IndexName" in options
        last = answer.get("LastEvaluatedKey")
        items = [_plain(item) for item in answer["Items"] if not (of_many and _is_newer(item))]
        return Page(items, _plain(last) if last is not None else None)

    def pages(self, keys: str, options: Item | None = None, **values: Value) -> Iterator[list[Item]]:
        """All pages, each read when it is asked for."""
        asked = dict(options or {})
        while True:
            page = self.query(keys, asked, **values)
            yield page.items
            if page.last is None:
                return
            asked["ExclusiveStartKey"] = _wire(page.last)

    def count(self, keys: str, options: Item, **values: Value) -> int:
        """How many items of one page of a query pass its filter."""
        return int(self._query(keys, {**options, "Select": "COUNT"}, values)["Count"])

    def _query(self, keys: str, options: Item | None, values: dict[str, Value]) -> Any:
        request: Any = {"TableName": self.name, "KeyConditionExpression": keys, **(options or {})}
        with translated():
            return self.client.query(**request, **_placeholders(keys + request.get("FilterExpression", ""), values))

    def write(self, write: Write) -> None:
        """One write by itself. Raises what its refusal means."""
        calls: dict[str, Any] = {
            "Put": self.client.put_item,
            "Update": self.client.update_item,
            "Delete": self.client.delete_item,
        }
        try:
            with translated():
                calls[write.kind](**self._request(write))
        except self.client.exceptions.ConditionalCheckFailedException as error:
            raise write.otherwise from error

    def attempt(self, write: Write) -> bool:
        """Whether the condition of a write by itself held, so that it was written."""
        try:
            self.write(write)
        except StaleWriteError:
            return False
        return True

    def transact(self, writes: Iterable[Write], *, contested: bool = False) -> None:
        """All writes or none; one alone costs half as much outside a transaction. Raises what a refusal means.

        `contested`: another transaction on one of the items at this very moment counts as a write that came first.
        """
        writes = list(writes)
        if len(writes) == 1 and writes[0].kind != "ConditionCheck":
            return self._write_alone(writes[0], contested=contested)
        request: Any = [{write.kind: self._request(write)} for write in writes]
        try:
            with translated():
                self.client.transact_write_items(TransactItems=request)
        except self.client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            refused = [w.otherwise for w, code in zip(writes, codes, strict=True) if code == "ConditionalCheckFailed"]
            if refused:
                raise min(refused, key=_FINAL_FIRST.index) from error
            if contested and "TransactionConflict" in codes:
                raise StaleWriteError from error
            raise StoreUnavailable(",".join(sorted({code for code in codes if code and code != "None"}))) from error

    def _write_alone(self, write: Write, *, contested: bool) -> None:
        try:
            self.write(write)
        except StoreUnavailable as error:
            if contested and str(error) == "TransactionConflictException":
                raise StaleWriteError from error
            raise

    def _request(self, write: Write) -> Item:
        request: Item = {"TableName": self.name, "Item" if write.kind == "Put" else "Key": _wire(write.content)}
        if write.update:
            request["UpdateExpression"] = write.update
        if write.condition:
            request["ConditionExpression"] = write.condition
        return request | _placeholders(f"{write.update} {write.condition}", write.values)


def _placeholders(expressions: str, values: dict[str, Value]) -> Item:
    """The parameters that give the `#names` and `:values` of expressions, where there are any."""
    placeholders: Item = {}
    if names := {f"#{name}": name for name in re.findall(r"#(\w+)", expressions)}:
        placeholders["ExpressionAttributeNames"] = names
    if values:
        placeholders["ExpressionAttributeValues"] = {f":{name}": _serialize(value) for name, value in values.items()}
    return placeholders
