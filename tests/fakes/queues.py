"""A FIFO queue with visibility, receive counts and dead letters, on a clock that tests move."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass
class Message:
    id: str
    body: str
    group: str
    deduplication_id: str
    visible_at: datetime
    receives: int = 0

    def record(self) -> dict[str, Any]:
        """As the event source mapping hands it to a function."""
        return {
            "messageId": self.id,
            "receiptHandle": f"handle-{self.id}-{self.receives}",
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receives),
                "MessageGroupId": self.group,
                "MessageDeduplicationId": self.deduplication_id,
                "SequenceNumber": "18870000000000000000",
                "SenderId": "AROAEXAMPLE",
                "SentTimestamp": "1772703667000",
                "ApproximateFirstReceiveTimestamp": "1772703667500",
            },
            "messageAttributes": {},
            "md5OfBody": "00000000000000000000000000000000",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-3:123456789012:queue.fifo",
            "awsRegion": "eu-west-3",
        }


@dataclass
class FifoQueue:
    """`returned` notes every change of visibility: (message id, seconds)."""

    url: str
    delay: int
    visibility: int
    max_receives: int
    batch: int
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    returned: list[tuple[str, int]] = field(default_factory=list)
    deduplicated: set[str] = field(default_factory=set)
    sent: int = 0

    def put(self, body: str, group: str, deduplication_id: str, now: datetime) -> None:
        if deduplication_id in self.deduplicated:
            return
        self.deduplicated.add(deduplication_id)
        self.sent += 1
        visible_at = now + timedelta(seconds=self.delay)
        self.messages.append(Message(f"m{self.sent}", body, group, deduplication_id, visible_at))

    def take(self, now: datetime) -> list[Message]:
        """The next batch; a group waits behind its first message that is not visible."""
        blocked: set[str] = set()
        taken: list[Message] = []
        for message in list(self.messages):
            if message.group in blocked or len(taken) == self.batch:
                continue
            if message.visible_at > now:
                blocked.add(message.group)
                continue
            if message.receives == self.max_receives:
                self.messages.remove(message)
                self.dead.append(message)
                continue
            message.receives += 1
            message.visible_at = now + timedelta(seconds=self.visibility)
            taken.append(message)
        return taken

    def change_visibility(self, receipt_handle: str, seconds: int, now: datetime) -> None:
        message_id = receipt_handle.split("-")[1]
        self.returned.append((message_id, seconds))
        for message in self.messages:
            if message.id == message_id:
                message.visible_at = now + timedelta(seconds=seconds)

    def delete(self, message_id: str) -> None:
        self.messages = [message for message in self.messages if message.id != message_id]

    @property
    def next_visible(self) -> datetime | None:
        """When the first group can go on: each waits for its first message."""
        first: dict[str, datetime] = {}
        for message in self.messages:
            first.setdefault(message.group, message.visible_at)
        return min(first.values(), default=None)
