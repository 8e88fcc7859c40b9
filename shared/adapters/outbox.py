"""The ways out: SQS and EventBridge. Both take batches and may fail for a part of one; only that part is repeated."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from shared.contracts.events import SOURCE
from shared.contracts.messages import HintMessage
from shared.contracts.outgoing import OutgoingEvent, OutgoingMessage
from shared.domain.errors import Unavailable
from shared.domain.hints import Hint

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""Most entries of one PutEvents or SendMessageBatch call (AWS limit)."""
ATTEMPTS = 3
PAUSE_SECONDS = 0.1


class PublishFailedError(Unavailable):
    """Some entries were refused every time; the others are out."""

    code = "publish_failed"


def _in_batches[T](
    entries: Sequence[T], send: Callable[[Sequence[T]], list[int]], pause: Callable[[float], None]
) -> None:
    """Send `entries` by tens; `send` gives the positions that failed, and only those are sent again."""
    for start in range(0, len(entries), BATCH):
        left = entries[start : start + BATCH]
        for attempt in range(ATTEMPTS):
            if attempt:
                pause(PAUSE_SECONDS * 2**attempt)
            try:
                failed = send(left)
            except (ClientError, BotoCoreError) as error:
                if attempt == ATTEMPTS - 1:
                    raise PublishFailedError(f"{len(left)} entries not sent") from error
                continue
            left = [left[position] for position in failed]
            if not left:
                break
        if left:
            raise PublishFailedError(f"{len(left)} entries refused")


@dataclass(frozen=True, slots=True)
class EventBus:
    client: "EventBridgeClient"
    name: str
    pause: Callable[[float], None] = time.sleep

    def put(self, events: Sequence[OutgoingEvent]) -> None:
        """Raises PublishFailedError."""

        def send(batch: Sequence[OutgoingEvent]) -> list[int]:
            answer = self.client.put_events(
                Entries=[
                    {"EventBusName": self.name, "Source": SOURCE, "DetailType": e.detail_type, "Detail": e.detail}
                    for e in batch
                ]
            )
            if not answer["FailedEntryCount"]:
                return []
            return [position for position, entry in enumerate(answer["Entries"]) if entry.get("ErrorCode")]

        _in_batches(events, send, self.pause)


@dataclass(frozen=True, slots=True)
class Queues:
    """The FIFO queues by name (`commands`, `refresh`); also `shared.application.housekeeping.HintQueue`."""

    client: "SQSClient"
    urls: dict[str, str] = field(default_factory=dict)
    pause: Callable[[float], None] = time.sleep

    def put(self, messages: Sequence[OutgoingMessage]) -> None:
        """Raises PublishFailedError, KeyError for a queue that is not ours. The order within a group is kept."""
        for queue in dict.fromkeys(message.queue for message in messages):
            url = self.urls[queue]

            def send(batch: Sequence[OutgoingMessage], url: str = url) -> list[int]:
                entries: list[Any] = [
                    {
                        "Id": str(position),
                        "MessageBody": message.body,
                        "MessageGroupId": message.group,
                        "MessageDeduplicationId": message.deduplication_id,
                    }
                    for position, message in enumerate(batch)
                ]
                answer = self.client.send_message_batch(QueueUrl=url, Entries=entries)
                return sorted(int(failure["Id"]) for failure in answer.get("Failed", []))

            _in_batches([message for message in messages if message.queue == queue], send, self.pause)

    def send(self, hints: Sequence[Hint]) -> None:
        self.put(
            [
                OutgoingMessage(
                    queue=HintMessage.queue,
                    group=message.group,
                    deduplication_id=uuid4().hex,
                    body=message.model_dump_json(),
                )
                for message in map(HintMessage.of, hints)
            ]
        )
