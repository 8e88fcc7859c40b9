"""The readers of the table's stream, as the template declares them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from tests.worlds.deployment import resources


@dataclass(frozen=True)
class StreamReader:
    """One event source mapping of the outbox publisher, as the template has it."""

    name: str
    batch: int
    patience: timedelta
    events: tuple[str, ...]
    prefixes: tuple[str, ...]

    def lets_through(self, record: dict[str, Any]) -> bool:
        key = record["dynamodb"]["Keys"]["sk"]["S"]
        return record["eventName"] in self.events and key.startswith(self.prefixes)


@cache
def stream_readers() -> tuple[StreamReader, ...]:
    readers = []
    for name, source in resources()["OutboxPublisherFunction"]["Properties"]["Events"].items():
        properties = source["Properties"]
        [pattern] = [json.loads(entry["Pattern"]) for entry in properties["FilterCriteria"]["Filters"]]
        prefixes = tuple(rule["prefix"] for rule in pattern["dynamodb"]["NewImage"]["sk"]["S"])
        batch, patience = properties["BatchSize"], timedelta(seconds=properties["MaximumRecordAgeInSeconds"])
        readers.append(StreamReader(name, batch, patience, tuple(pattern["eventName"]), prefixes))
    return tuple(readers)
