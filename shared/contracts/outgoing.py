"""What the outbox sends: an entry of the table as it leaves for the bus or for a queue."""

from collections.abc import Mapping
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


def outgoing(image: Mapping[str, Mapping[str, str]]) -> OutgoingEvent | OutgoingMessage | None:
    """What an item of the table sends when it is inserted; None when it is no entry of the outbox.

    `image` is in DynamoDB's form, as the stream brings it. Its members tell an entry, and its key is only an id here.
    """
    if "detail_type" in image:
        return OutgoingEvent(detail_type=image["detail_type"]["S"], detail=image["detail"]["S"])
    if "queue" in image:
        return OutgoingMessage(
            queue=image["queue"]["S"],
            group=image["group"]["S"],
            deduplication_id=image["sk"]["S"],
            body=image["body"]["S"],
        )
    return None
