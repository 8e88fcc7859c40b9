"""The ways out: SQS and EventBridge. Both take batches and may fail for a part of one; only that part is repeated.

An image is an item of the table in DynamoDB's form, as the stream brings it when it is inserted. Its members tell an
entry of the outbox, and its key is only an id here.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from shared.contracts.events import SOURCE
from shared.contracts.messages import HintMessage
from shared.domain.errors import PublishFailed
from shared.domain.hints import Hint

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

type Image = Mapping[str, Mapping[str, str]]

BATCH = 10
BATCH_BYTES = 256 * 1024
"""Most entries of one PutEvents or SendMessageBatch call, and most bytes of them together (AWS limits)."""
ATTEMPTS = 3
PAUSE_SECONDS = 0.1


def _in_batches[T](
    entries: Sequence[T],
    send: Callable[[Sequence[T]], list[int]],
    pause: Callable[[float], None],
    *,
    size: Callable[[T], int],
) -> None:
    """Send as many `entries` as a call takes; `send` gives the positions that failed, and only those are repeated."""
    for batch in _batches(entries, size):
        left = batch
        for attempt in range(ATTEMPTS):
            if attempt:
                pause(PAUSE_SECONDS * 2**attempt)
            try:
                failed = send(left)
            except (ClientError, BotoCoreError) as error:
                if attempt == ATTEMPTS - 1:
                    raise PublishFailed(f"{len(left)} entries not sent") from error
                continue
            left = [left[position] for position in failed]
            if not left:
                break
        if left:
            raise PublishFailed(f"{len(left)} entries refused")


def _batches[T](entries: Sequence[T], size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """In their order; an entry that is too large by itself is a batch by itself, for AWS to refuse."""
    batch: list[T] = []
    taken = 0
    for entry in entries:
        bytes_of_it = size(entry)
        if batch and (len(batch) == BATCH or taken + bytes_of_it > BATCH_BYTES):
            yield batch
            batch, taken = [], 0
        batch.append(entry)
        taken += bytes_of_it
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class EventBus:
    client: "EventBridgeClient"
    name: str
    pause: Callable[[float], None] = time.sleep

    def put(self, images: Sequence[Image]) -> int:
        """Publish the events among the images; how many there were. Raises PublishFailed."""
        events: list[PutEventsRequestEntryTypeDef] = [
            {
                "EventBusName": self.name,
                "Source": SOURCE,
                "DetailType": image["detail_type"]["S"],
                "Detail": image["detail"]["S"],
            }
            for image in images
            if _is_event(image)
        ]

        def send(batch: "Sequence[PutEventsRequestEntryTypeDef]") -> list[int]:
            answer = self.client.put_events(Entries=batch)
            if not answer["FailedEntryCount"]:
                return []
            return [position for position, entry in enumerate(answer["Entries"]) if entry.get("ErrorCode")]

        _in_batches(events, send, self.pause, size=_size_of_event)
        return len(events)


@dataclass(frozen=True, slots=True)
class Queues:
    """The FIFO queues by name (`commands`, `refresh`); also `shared.application.housekeeping.HintQueue`.

    `client` is called when there is something to send.
    """

    client: "Callable[[], SQSClient]"
    urls: dict[str, str] = field(default_factory=dict)
    failures_url: str = ""
    """Where the stream notes what it gives up."""
    pause: Callable[[float], None] = time.sleep

    def put(self, images: Sequence[Image]) -> int:
        """Send the commands and hints among the images; how many there were. The order within a group is kept.

        The key of an entry is the deduplication id: it stays the same when the stream delivers the entry again. One for
        a queue that is not ours is of a newer release: it is set aside, as it would hold up all that follows it in the
        stream for as long as the stream tries. Raises PublishFailed.
        """
        messages: dict[str, list[SendMessageBatchRequestEntryTypeDef]] = {}
        for image in images:
            if _is_message(image):
                message = _message(image["group"]["S"], image["sk"]["S"], image["body"]["S"])
                messages.setdefault(image["queue"]["S"], []).append(message)
        ours = {queue: of_queue for queue, of_queue in messages.items() if queue in self.urls}
        for queue, of_queue in ours.items():
            self._send(queue, of_queue)
        self._set_aside([image for image in images if _is_message(image) and image["queue"]["S"] not in ours])
        return sum(len(of_queue) for of_queue in ours.values())

    def send(self, hints: Sequence[Hint]) -> None:
        """Raises PublishFailed."""
        messages = [HintMessage.of(hint) for hint in hints]
        self._send(HintMessage.queue, [_message(m.group, uuid4().hex, m.model_dump_json()) for m in messages])

    def _set_aside(self, images: Sequence[Image]) -> None:
        """One letter each, in the form of a failed invocation: the alarm rings, and the way back is the usual one."""
        for image in images:
            records = [{"eventName": "INSERT", "dynamodb": {"NewImage": image}}]
            letter = {"requestContext": {"condition": "UnknownQueue"}, "requestPayload": {"Records": records}}
            try:
                self.client().send_message(QueueUrl=self.failures_url, MessageBody=json.dumps(letter))
            except (ClientError, BotoCoreError) as error:
                raise PublishFailed("an entry for an unknown queue was not set aside") from error

    def _send(self, queue: str, messages: "Sequence[SendMessageBatchRequestEntryTypeDef]") -> None:
        url = self.urls[queue]

        def send(batch: "Sequence[SendMessageBatchRequestEntryTypeDef]") -> list[int]:
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {**message, "Id": str(position)} for position, message in enumerate(batch)
            ]
            answer = self.client().send_message_batch(QueueUrl=url, Entries=entries)
            return sorted(int(failure["Id"]) for failure in answer.get("Failed", []))

        _in_batches(messages, send, self.pause, size=lambda message: len(message["MessageBody"].encode()))


def is_entry(image: Image) -> bool:
    """Whether an item of the table is an entry of the outbox."""
    return _is_event(image) or _is_message(image)


def _is_event(image: Image) -> bool:
    return "detail_type" in image


def _is_message(image: Image) -> bool:
    return "queue" in image


def _size_of_event(entry: "PutEventsRequestEntryTypeDef") -> int:
    """As EventBridge counts: without the name of the bus."""
    return sum(len(entry[part].encode()) for part in ("Source", "DetailType", "Detail"))


def _message(group: str, deduplication_id: str, body: str) -> "SendMessageBatchRequestEntryTypeDef":
    """`Id` is its position in a batch, which is not known yet."""
    return {"Id": "", "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": deduplication_id}
