"""What the outbox sends: an entry of the table as it leaves for the bus or for a queue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """`detail` is the JSON of the event's detail."""

    detail_type: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """`deduplication_id` stays the same when the stream delivers the outbox entry again."""

    queue: str
    group: str
    deduplication_id: str
    body: str
