"""How entries of the outbox are put together into calls."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.adapters.outbox import BATCH, BATCH_BYTES, EventBus, Image, Queues
from shared.domain.errors import PublishFailed


class Takes:
    """An AWS client that takes everything and notes each call's entries."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.calls.append(Entries)
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append(Entries)
        return {}


def event(letter: str, size: int) -> dict[str, dict[str, str]]:
    """The image of an event whose entry has `size` bytes."""
    detail_type = "AccountsUpdated"
    return {"detail_type": {"S": detail_type}, "detail": {"S": letter * (size - len("synced-accounts" + detail_type))}}


def published(*images: dict[str, dict[str, str]]) -> list[int]:
    """How many events went out with each call."""
    taking: Any = Takes()
    assert EventBus(taking, "bus").put(images) == len(images)
    details = [entry["Detail"] for call in taking.calls for entry in call]
    assert details == [image["detail"]["S"] for image in images]
    return [len(call) for call in taking.calls]


def test_ten_events_go_out_with_a_call() -> None:
    assert published(*[event("x", 100)] * (BATCH + 1)) == [BATCH, 1]


def test_no_call_has_more_bytes_than_one_may_have() -> None:
    third = BATCH_BYTES // 3
    assert published(*[event("x", third)] * 4) == [3, 1]
    assert published(*[event("x", third + 1)] * 4) == [2, 2]


def test_bytes_are_counted_and_not_letters() -> None:
    euros = {"detail_type": {"S": "AccountsUpdated"}, "detail": {"S": "€" * (BATCH_BYTES // 6)}}
    assert published(euros, euros) == [1, 1]


def test_what_is_too_large_by_itself_keeps_nothing_else_from_going() -> None:
    assert published(event("x", 10), event("x", BATCH_BYTES + 1), event("x", 10)) == [1, 1, 1]


@pytest.mark.parametrize(("size", "calls"), [(100, [10, 2]), (BATCH_BYTES // 4, [4, 4, 4])])
def test_messages_are_put_together_the_same_way(size: int, calls: list[int]) -> None:
    taking: Any = Takes()
    image = {"queue": {"S": "commands"}, "group": {"S": "g"}, "sk": {"S": "COMMAND#1"}, "body": {"S": "x" * size}}

    assert Queues(lambda: taking, {"commands": "url"}).put([image] * 12) == 12
    assert [len(call) for call in taking.calls] == calls


# --- an entry that this release cannot send


class Sqs(Takes):
    """Notes what is sent alone, too; refuses it while `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[tuple[str, Any]] = []
        self.broken = False

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if self.broken:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")
        self.letters.append((QueueUrl, json.loads(MessageBody)))


def message(queue: str, number: int) -> Image:
    return {"queue": {"S": queue}, "group": {"S": "g"}, "sk": {"S": f"COMMAND#{number}"}, "body": {"S": "{}"}}


def test_what_is_for_a_queue_of_a_newer_release_is_set_aside_and_keeps_nothing_else_from_going() -> None:
    sqs: Any = Sqs()
    images = [message("commands", 1), message("of a newer release", 2), message("commands", 3)]

    assert Queues(lambda: sqs, {"commands": "url"}, failures_url="failures").put(images) == 2

    assert [entry["MessageDeduplicationId"] for call in sqs.calls for entry in call] == ["COMMAND#1", "COMMAND#3"]
    [(url, letter)] = sqs.letters
    assert url == "failures"
    # What `make replay-dlq` invokes the publisher with, once that one knows the queue.
    again = [record["dynamodb"]["NewImage"] for record in letter["requestPayload"]["Records"]]
    assert Queues(lambda: sqs, {"of a newer release": "other"}, failures_url="failures").put(again) == 1
    assert sqs.calls[-1][0]["MessageDeduplicationId"] == "COMMAND#2"


def test_what_cannot_even_be_set_aside_is_tried_again_by_the_stream() -> None:
    sqs: Any = Sqs()
    sqs.broken = True

    with pytest.raises(PublishFailed):
        Queues(lambda: sqs, {"commands": "url"}, failures_url="failures").put(
            [message("other", 1), message("commands", 2)]
        )

    assert [entry["MessageDeduplicationId"] for call in sqs.calls for entry in call] == ["COMMAND#2"]
