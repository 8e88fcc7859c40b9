"""What a journey uses of AWS and Powens, in the units that AWS bills."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.accounts_api import app as accounts_api
from functions.powens_webhook import app as powens_webhook
from tests.integration.world import World
from tests.scale import Usage
from tests.worlds.deployment import TABLE

_WRITE_UNIT, _READ_UNIT = 1024, 4096
"""Bytes (DynamoDB developer guide, on-demand capacity)."""


def item_size(attributes: dict[str, Any]) -> int:
    """Bytes of an item without nested attributes, as DynamoDB counts them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in attributes.items())


def _value_size(value: dict[str, Any]) -> int:
    [(kind, inner)] = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "B":
            return len(bytes(inner))
        case "N":
            return math.ceil(len(inner) / 2) + 1
        case "NULL" | "BOOL":
            return 1
    raise AssertionError(f"nothing is stored as {kind}")


class Meter:
    """Adds up what the functions use."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.used = Usage()

    def call(self, service: str, operation: str, given: dict[str, Any], real: Callable[[], Any]) -> Any:
        match service:
            case "dynamodb":
                return self._dynamodb(operation, given, real)
            case "sqs":
                self.used += Usage(queue_requests=1)
            case "kms":
                self.used += Usage(key_calls=1)
            case "events":
                self.used += Usage(events=len(given["Entries"]))
        return real()

    def _dynamodb(self, operation: str, given: dict[str, Any], real: Callable[[], Any]) -> Any:
        if operation in {"GetItem", "Query"}:
            answer = real()
            found = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            units = max(1, math.ceil(sum(map(item_size, found)) / _READ_UNIT))
            self.used += Usage(read_units=units if given.get("ConsistentRead") else units / 2)
            return answer
        alone = operation != "TransactWriteItems"
        writes = [given] if alone else [next(iter(write.values())) for write in given["TransactItems"]]
        keys = [write.get("Key") or {name: write["Item"][name] for name in ("pk", "sk")} for write in writes]
        before = [self._item(key) for key in keys]
        answer = real()
        for key, was in zip(keys, before, strict=True):
            self._written(was, self._item(key), times=1 if alone else 2)
        return answer

    def _item(self, key: dict[str, Any]) -> dict[str, Any]:
        with self.world.looking():
            item: dict[str, Any] = self.world.dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get(
                "Item", {}
            )
        return item

    def _written(self, was: dict[str, Any], now: dict[str, Any], *, times: int) -> None:
        """The larger of both states counts; the index has all attributes, and another key is a delete and a put."""
        units = max(1, math.ceil(max(item_size(was), item_size(now)) / _WRITE_UNIT))
        places = {(item["due_pk"]["S"], item["due_sk"]["S"]) for item in (was, now) if "due_pk" in item}
        self.used += Usage(write_units=times * units + len(places) * units * (was != now))


@contextmanager
def metering(patch: pytest.MonkeyPatch, world: World) -> Iterator[Meter]:
    """Whatever runs within it is added up: what the functions call, and what calls them."""
    meter = Meter(world)
    call, invoke, asked = world.aws.call, world.invoke, len(world.powens.log)

    def metered(real: Any, client: Any, operation: str, given: Any) -> Any:
        answer: Callable[[], Any] = lambda: call(real, client, operation, given)  # noqa: E731
        if world.aws.outside:
            return answer()
        return meter.call(client.meta.service_model.service_name, operation, given, answer)

    def invoked(handler: Any, event: dict[str, Any]) -> Any:
        request = handler is accounts_api.lambda_handler
        name = "accounts_api" if request else handler.__module__.split(".")[1]
        # What polls a queue takes a batch with one request, and deletes what was done with another.
        polled = 2 if any("receiptHandle" in record for record in event.get("Records", ())) else 0
        meter.used += Usage(requests=int(request), invocations={name: 1}, queue_requests=polled)
        return invoke(handler, event)

    received = powens_webhook.lambda_handler

    def webhook(event: dict[str, Any], context: Any) -> Any:
        meter.used += Usage(requests=1, invocations={"powens_webhook": 1})
        return received(event, context)

    with patch.context() as within:
        within.setattr(world.aws, "call", metered)
        within.setattr(world, "invoke", invoked)
        within.setattr(powens_webhook, "lambda_handler", webhook)
        yield meter
    meter.used += Usage(powens_calls=len(world.powens.log) - asked)
