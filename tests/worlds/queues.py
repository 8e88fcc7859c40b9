"""A FIFO queue with groups, visibility, receive counts and dead letters, on a clock that tests move."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.worlds.deployment import default

DEDUPLICATED_SECONDS = 300


@dataclass(eq=False)
class Message:
    """One message of a FIFO queue. Times in seconds, of whatever clock."""

    id: str
    body: str
    group: str
    deduplication_id: str
    sent_at: float
    visible_at: float
    receives: int = 0

    def record(self) -> dict[str, Any]:
        """As the event source mapping hands it to a function."""
        return {
            "messageId": self.id,
            "receiptHandle": f"{self.id}/{self.receives}",
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


@dataclass(eq=False)
class FifoQueue:
    """A FIFO queue whose deduplication is by message group, and its dead-letter queue. Numbers as the template says.

    `returned` notes every change of visibility that was asked for: (message id, seconds). `changed` is called when
    there may be something to take.
    """

    name: str
    url: str
    delay: int
    visibility: int
    max_receives: int
    batch: int
    concurrency: int
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    returned: list[tuple[str, int]] = field(default_factory=list)
    deduplicated: dict[tuple[str, str], float] = field(default_factory=dict)
    sent: int = 0
    done: int = 0
    changed: Callable[["FifoQueue"], None] = lambda queue: None

    def put(self, body: str, group: str, deduplication_id: str, now: float) -> None:
        since = self.deduplicated.get((group, deduplication_id))
        if since is not None and now - since < DEDUPLICATED_SECONDS:
            return
        self.deduplicated[(group, deduplication_id)] = now
        self.sent += 1
        message = Message(f"{self.name}-{self.sent}", body, group, deduplication_id, now, now + self.delay)
        self.messages.append(message)
        self.changed(self)

    def take(self, now: float) -> list[Message]:
        """The next batch. A group waits behind its first message that is not visible."""
        blocked: set[str] = set()
        taken: list[Message] = []
        for message in list(self.messages):
            if message.group in blocked or len(taken) == self.batch:
                continue
            if message.visible_at > now:
                blocked.add(message.group)
                continue
            if message.receives >= self.max_receives:
                self.messages.remove(message)
                self.dead.append(message)
                continue
            message.receives += 1
            message.visible_at = now + self.visibility
            taken.append(message)
        return taken

    def change_visibility(self, receipt_handle: str, seconds: int, now: float) -> bool:
        """False for a message that is not, or no longer, in the hands of who asks."""
        name, _, receives = receipt_handle.partition("/")
        self.returned.append((name, seconds))
        message = next((m for m in self.messages if m.id == name), None)
        if message is None or message.visible_at <= now or str(message.receives) != receives:
            return False
        message.visible_at = now + seconds
        self.changed(self)
        return True

    def delete(self, message: Message) -> None:
        if message in self.messages:
            self.messages.remove(message)
            self.done += 1
            self.changed(self)

    def next_visible(self) -> float | None:
        """When the first group can go on: each waits for its first message."""
        first: dict[str, float] = {}
        for message in self.messages:
            first.setdefault(message.group, message.visible_at)
        return min(first.values(), default=None)

    def redrive(self, now: float) -> int:
        """Send the dead letters back, as SQS' own redrive does: as new messages."""
        dead, self.dead = self.dead, []
        for message in dead:
            message.receives = 0
            message.visible_at = now
            self.messages.append(message)
        if dead:
            self.changed(self)
        return len(dead)


def declared_queue(
    resources: Mapping[str, Any],
    name: str,
    queue: str,
    consumer: str,
    url: str,
    changed: Callable[[FifoQueue], None] = lambda queue: None,
) -> FifoQueue:
    """A queue and its consumer as the template declares them."""
    properties = resources[queue]["Properties"]
    assert properties["FifoQueue"] is True
    assert properties["DeduplicationScope"] == "messageGroup"
    [source] = resources[consumer]["Properties"]["Events"].values()
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    return FifoQueue(
        name=name,
        url=url,
        delay=properties.get("DelaySeconds", 0),
        visibility=properties["VisibilityTimeout"],
        max_receives=properties["RedrivePolicy"]["maxReceiveCount"],
        batch=source["Properties"]["BatchSize"],
        concurrency=default(source["Properties"]["ScalingConfig"]["MaximumConcurrency"]["Ref"]),
        changed=changed,
    )
