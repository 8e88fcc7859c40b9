"""DynamoDB in memory: what our adapters use of it, with its conditions, transactions, stream, lag and late deletions.

Unknown operations, parameters and expression syntax are refused loudly: a store that guesses would prove nothing. Its
answers are compared with moto's in `test_dynamodb.py`. Items are never changed in place, so handing them out is safe.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Any

from tests.simulation.expressions import Item, Test, UnknownSyntax, attribute_name, condition, updated

KEPT_SECONDS = 60
"""How long former versions of an item are remembered, for reads that may see them."""
LARGEST_ITEM = 400_000
MOST_WRITES = 100
MOST_READS = 100


class Refused(Exception):
    """An error answer of the service: its code, message and, for transactions, reasons."""

    def __init__(self, code: str, message: str = "", reasons: list[dict[str, Any]] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reasons = reasons


def _only(parameters: dict[str, Any], *known: str) -> None:
    unknown = set(parameters) - set(known)
    if unknown:
        raise UnknownSyntax(f"parameters {sorted(unknown)}")


class SimulatedTable:
    """One table with its key (pk, sk), one sparse index and a stream of new images.

    `clock` gives simulated seconds; `lag` how many seconds old a read may be that does not ask for consistency.
    """

    def __init__(
        self,
        name: str,
        index: tuple[str, str, str],
        clock: Callable[[], float],
        lag: Callable[[], float],
        page: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.name = name
        self.index, self.index_pk, self.index_sk = index
        self.clock = clock
        self.lag = lag
        self.page = page
        self.stream: list[dict[str, Any]] = []
        self.watch: Callable[[Item | None, Item | None], None] = lambda before, after: None
        self._items: dict[tuple[str, str], Item] = {}
        self._sorted: dict[str, list[str]] = {}
        self._versions: dict[tuple[str, str], list[tuple[float, Item | None]]] = {}
        self._indexed: dict[tuple[str, str], None] = {}

    # --- what tests look at

    def items(self) -> list[Item]:
        return [self._items[(pk, sk)] for pk in sorted(self._sorted) for sk in self._sorted[pk]]

    def get(self, pk: str, sk: str) -> Item | None:
        return self._items.get((pk, sk))

    def next_due(self, kinds: tuple[str, ...]) -> str | None:
        """The first sort key of the index among the partitions whose names begin so."""
        found = [
            item[self.index_sk]["S"]
            for key in self._indexed
            if (item := self._items.get(key)) is not None
            and self.index_sk in item
            and item[self.index_pk]["S"].startswith(kinds)
        ]
        return min(found, default=None)

    def expire(self, before: float) -> int:
        """Delete what has been expired since `before` (epoch seconds), as DynamoDB does when it gets to it."""
        old = [key for key, item in self._items.items() if "ttl" in item and int(item["ttl"]["N"]) < before]
        for key in old:
            self._write(key, None)
        return len(old)

    # --- operations

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetItem":
                return self._get_item(parameters)
            case "BatchGetItem":
                return self._batch_get(parameters)
            case "Query":
                return self._query(parameters)
            case "PutItem" | "UpdateItem" | "DeleteItem":
                self._checked(operation.removesuffix("Item"), parameters)()
                return {}
            case "TransactWriteItems":
                self._transact(parameters)
                return {}
        raise UnknownSyntax(f"operation {operation}")

    def _get_item(self, parameters: dict[str, Any]) -> dict[str, Any]:
        _only(parameters, "TableName", "Key", "Keys", "ConsistentRead", "ProjectionExpression")
        self._mine(parameters)
        key = self._key(parameters["Key"])
        item = self._items.get(key) if parameters.get("ConsistentRead") else self._seen(key, self.clock() - self.lag())
        return {} if item is None else {"Item": item}

    def _batch_get(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Whole items whatever the projection; some keys may be left for another call."""
        _only(parameters, "RequestItems")
        [(name, wanted)] = parameters["RequestItems"].items()
        _only(wanted, "Keys", "ProjectionExpression", "ConsistentRead")
        self._mine({"TableName": name})
        keys = wanted["Keys"]
        if not 1 <= len(keys) <= MOST_READS:
            raise Refused("ValidationException", f"{len(keys)} keys")
        size = self.page() or len(keys)
        answers = [self._get_item({**wanted, "TableName": name, "Key": key}) for key in keys[:size]]
        answer: dict[str, Any] = {"Responses": {name: [one["Item"] for one in answers if one]}, "UnprocessedKeys": {}}
        if keys[size:]:
            answer["UnprocessedKeys"] = {name: {**wanted, "Keys": keys[size:]}}
        return answer

    def _mine(self, parameters: dict[str, Any]) -> None:
        if parameters["TableName"] != self.name:
            raise Refused("ResourceNotFoundException", parameters["TableName"])

    def _key(self, key: Item) -> tuple[str, str]:
        if set(key) != {"pk", "sk"} or not key["pk"]["S"] or not key["sk"]["S"]:
            raise Refused("ValidationException", "The provided key element does not match the schema")
        return key["pk"]["S"], key["sk"]["S"]

    def _seen(self, key: tuple[str, str], at: float) -> Item | None:
        for since, item in reversed(self._versions.get(key, [])):
            if since <= at:
                return item
        return None if key in self._versions else self._items.get(key)

    def _query(self, parameters: dict[str, Any]) -> dict[str, Any]:
        _only(
            parameters,
            "TableName",
            "IndexName",
            "KeyConditionExpression",
            "FilterExpression",
            "ExpressionAttributeValues",
            "ExpressionAttributeNames",
            "ConsistentRead",
            "Limit",
            "ScanIndexForward",
            "ExclusiveStartKey",
            "ProjectionExpression",
            "Select",
        )
        self._mine(parameters)
        names = parameters.get("ExpressionAttributeNames", {})
        values = parameters["ExpressionAttributeValues"]
        keys = condition(parameters["KeyConditionExpression"])
        kept = condition(parameters["FilterExpression"]) if "FilterExpression" in parameters else None
        found = self._found(parameters, keys, values, names)
        if not parameters.get("ScanIndexForward", True):
            found.reverse()
        start = parameters.get("ExclusiveStartKey")
        if start is not None:
            at = next((n for n, item in enumerate(found) if self._same_key(item, start)), None)
            found = found[at + 1 :] if at is not None else self._after(found, start, parameters)
        limit = parameters.get("Limit")
        cut = self.page()
        limits = [number for number in (limit, cut) if number is not None]
        answer: dict[str, Any] = {}
        if limits and len(found) > min(limits):
            found = found[: min(limits)]
            answer["LastEvaluatedKey"] = self._position(found[-1], parameters)
        elif limit is not None and len(found) == limit:
            answer["LastEvaluatedKey"] = self._position(found[-1], parameters)
        items = [item for item in found if kept is None or kept(item, values, names)]
        answer["Count"] = len(items)
        if parameters.get("Select", "COUNT") != "COUNT":
            raise UnknownSyntax(f"Select {parameters['Select']}")
        if "ProjectionExpression" in parameters:
            wanted = [attribute_name(name.strip())(names) for name in parameters["ProjectionExpression"].split(",")]
            items = [{name: item[name] for name in wanted if name in item} for item in items]
        if "Select" not in parameters:
            answer["Items"] = items
        answer["ScannedCount"] = len(found)
        return answer

    def _same_key(self, item: Item, key: Item) -> bool:
        return bool(item["pk"] == key["pk"] and item["sk"] == key["sk"])

    def _after(self, found: list[Item], start: Item, parameters: dict[str, Any]) -> list[Item]:
        """What lies behind a key that is there no more."""
        by = self.index_sk if "IndexName" in parameters else "sk"
        forward = parameters.get("ScanIndexForward", True)
        mark = start[by]["S"]
        return [item for item in found if (item[by]["S"] > mark if forward else item[by]["S"] < mark)]

    def _position(self, item: Item, parameters: dict[str, Any]) -> Item:
        names = ["pk", "sk"] + ([self.index_pk, self.index_sk] if "IndexName" in parameters else [])
        return {name: item[name] for name in names}

    def _found(
        self, parameters: dict[str, Any], keys: Test, values: dict[str, Any], names: dict[str, str]
    ) -> list[Item]:
        if "IndexName" in parameters:
            if parameters["IndexName"] != self.index or parameters.get("ConsistentRead"):
                raise Refused("ValidationException", "no such index, or a consistent read of one")
            at = self.clock() - self.lag()
            seen = [item for key in self._indexed if (item := self._seen(key, at)) is not None]
            found = [i for i in seen if self.index_pk in i and self.index_sk in i and keys(i, values, names)]
            return sorted(found, key=lambda item: (item[self.index_sk]["S"], item["pk"]["S"], item["sk"]["S"]))
        first = re.match(r"pk = (:\w+)", parameters["KeyConditionExpression"])
        if first is None:
            raise UnknownSyntax(parameters["KeyConditionExpression"])
        pk = values[first[1]]["S"]
        if parameters.get("ConsistentRead"):
            held = [self._items[(pk, sk)] for sk in self._sorted.get(pk, ())]
        else:
            at = self.clock() - self.lag()
            known = sorted(set(self._sorted.get(pk, ())) | {k[1] for k in self._versions if k[0] == pk})
            held = [item for sk in known if (item := self._seen((pk, sk), at)) is not None]
        return [item for item in held if keys(item, values, names)]

    # --- writes

    def _checked(self, kind: str, write: dict[str, Any]) -> Callable[[], None]:
        """Check a write's condition and give what carries it out. Raises Refused."""
        _only(
            write,
            "TableName",
            "Item",
            "Key",
            "UpdateExpression",
            "ConditionExpression",
            "ExpressionAttributeValues",
            "ExpressionAttributeNames",
        )
        self._mine(write)
        item = write.get("Item", {})
        key = self._key({"pk": item["pk"], "sk": item["sk"]} if kind == "Put" else write["Key"])
        held = self._items.get(key)
        values = write.get("ExpressionAttributeValues", {})
        names = write.get("ExpressionAttributeNames", {})
        wanted = write.get("ConditionExpression")
        if wanted is not None and not condition(wanted)(held or {}, values, names):
            raise Refused("ConditionalCheckFailedException", "The conditional request failed")
        match kind:
            case "Put":
                after: Item | None = item
            case "Update":
                after = updated(held or dict(write["Key"]), write["UpdateExpression"], values, names)
            case "Delete":
                after = None
            case "ConditionCheck":
                return lambda: None
            case _:
                raise UnknownSyntax(f"write {kind}")
        if after is not None and sum(len(name) + len(str(value)) for name, value in after.items()) > LARGEST_ITEM:
            raise Refused("ValidationException", "Item size has exceeded the maximum allowed size")
        return lambda: self._write(key, after)

    def _transact(self, parameters: dict[str, Any]) -> None:
        _only(parameters, "TransactItems", "ClientRequestToken")
        writes = [next(iter(write.items())) for write in parameters["TransactItems"]]
        if not 1 <= len(writes) <= MOST_WRITES:
            raise Refused("ValidationException", f"{len(writes)} writes")
        keys = [
            self._key(write["Key"] if "Key" in write else {"pk": write["Item"]["pk"], "sk": write["Item"]["sk"]})
            for _, write in writes
        ]
        if len(set(keys)) != len(keys):
            raise Refused("ValidationException", "Transaction request cannot include multiple operations on one item")
        acts, reasons = [], []
        for kind, write in writes:
            try:
                acts.append(self._checked(kind, write))
                reasons.append({"Code": "None"})
            except Refused as refused:
                if refused.code != "ConditionalCheckFailedException":
                    raise
                reasons.append({"Code": "ConditionalCheckFailed", "Message": refused.message})
        if len(acts) < len(writes):
            raise Refused("TransactionCanceledException", "Transaction cancelled", reasons)
        for act in acts:
            act()

    def _write(self, key: tuple[str, str], after: Item | None) -> None:
        before = self._items.get(key)
        if before == after:
            return
        now = self.clock()
        versions = self._versions.setdefault(key, [(float("-inf"), before)])
        versions.append((now, after))
        while len(versions) > 1 and versions[1][0] < now - KEPT_SECONDS:
            versions.pop(0)
        pk, sk = key
        if after is None:
            del self._items[key]
            keys = self._sorted[pk]
            keys.pop(bisect_left(keys, sk))
        else:
            self._items[key] = after
            if before is None:
                insort(self._sorted.setdefault(pk, []), sk)
            if self.index_pk in after:
                self._indexed[key] = None
        self.watch(before, after)
        name = "REMOVE" if after is None else "INSERT" if before is None else "MODIFY"
        image: dict[str, Any] = {"Keys": {"pk": {"S": pk}, "sk": {"S": sk}}, "StreamViewType": "NEW_IMAGE"}
        if after is not None:
            image["NewImage"] = after
        self.stream.append({"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": image})
