"""How entries of the outbox are put together into calls."""

from typing import Any

import pytest

from shared.adapters.outbox import BATCH, BATCH_BYTES, EventBus, Queues


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
    message = {"queue": {"S": "commands"}, "group": {"S": "g"}, "sk": {"S": "COMMAND#1"}, "body": {"S": "x" * size}}

    assert Queues(taking, {"commands": "url"}).put([message] * 12) == 12
    assert [len(call) for call in taking.calls] == calls
