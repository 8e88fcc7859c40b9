"""Event source mappings: what Lambda's pollers do with batches, partial failures and retries."""

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from local import sources
from local.patterns import matches
from local.runtime_api import Answer
from local.sources import Activity, Poller, SourceMapping, feeds, read_mapping
from tests.local.loops import run

QUEUE = "arn:aws:sqs:us-east-1:000000000000:refresh.fifo"
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026"
OUTBOX = {
    "eventName": ["INSERT"],
    "dynamodb": {"NewImage": {"sk": {"S": [{"prefix": "EVENT#"}, {"prefix": "COMMAND#"}]}}},
}


# --- filter patterns


@pytest.mark.parametrize(
    ("record", "passes"),
    [
        ({"eventName": "INSERT", "dynamodb": {"NewImage": {"sk": {"S": "EVENT#1"}}}}, True),
        ({"eventName": "INSERT", "dynamodb": {"NewImage": {"sk": {"S": "COMMAND#1"}}}}, True),
        ({"eventName": "INSERT", "dynamodb": {"NewImage": {"sk": {"S": "CONNECTION#1"}}}}, False),
        ({"eventName": "MODIFY", "dynamodb": {"NewImage": {"sk": {"S": "EVENT#1"}}}}, False),
        ({"eventName": "REMOVE", "dynamodb": {}}, False),
    ],
)
def test_the_outbox_filter_lets_new_entries_through(record: dict[str, Any], *, passes: bool) -> None:
    assert matches(OUTBOX, record) is passes


@pytest.mark.parametrize(
    ("pattern", "value", "passes"),
    [
        ({"a": [1]}, {"a": 1}, True),
        ({"a": [1]}, {"a": [2, 1]}, True),
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a": [{"exists": False}]}, {"b": 1}, True),
        ({"a": [{"suffix": ".fr"}]}, {"a": "x.fr"}, True),
        ({"a": [{"equals-ignore-case": "YES"}]}, {"a": "yes"}, True),
        ({"a": [{"anything-but": ["x"]}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"$or": [{"a": [1]}, {"b": [1]}]}, {"b": 1}, True),
        ({"$or": [{"a": [1]}, {"b": [1]}], "c": [1]}, {"b": 1}, False),
        ({"a": {"b": [1]}}, {"a": "text"}, False),
    ],
)
def test_filter_operators(pattern: dict[str, Any], value: dict[str, Any], *, passes: bool) -> None:
    assert matches(pattern, value) is passes


def test_an_unknown_filter_operator_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="cidr"):
        matches({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "10.0.0.1"})


@pytest.mark.parametrize(("most", "here"), [(50, 5), (20, 2), (2, 2), (None, 5)])
def test_a_queue_gets_its_part_of_the_machine(most: int | None, here: int) -> None:
    raw = {"EventSourceArn": "arn:aws:sqs:us-east-1:0:q", "ScalingConfig": {"MaximumConcurrency": most} if most else {}}
    assert read_mapping(raw, "F").concurrency == here


# --- queues


class FakeSqs:
    """Holds messages; a received one stays away until it is deleted."""

    class meta:  # noqa: N801 - boto3's name
        endpoint_url = "http://127.0.0.1:1"

    def __init__(self, bodies: Sequence[str]) -> None:
        self.waiting = [{"MessageId": f"m{n}", "ReceiptHandle": f"r{n}", "Body": body} for n, body in enumerate(bodies)]
        self.deleted: list[str] = []
        self.sent: list[dict[str, Any]] = []

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        taken, self.waiting = self.waiting[:MaxNumberOfMessages], self.waiting[MaxNumberOfMessages:]
        return {"Messages": taken} if taken else {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        assert QueueUrl == "http://127.0.0.1:1/000000000000/refresh.fifo"
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        self.sent.append({"url": QueueUrl, **json.loads(MessageBody)})


def answering(*answers: Any) -> tuple[Callable[[str, bytes], Any], list[list[Any]]]:
    """A function that gives these answers in turn, then None; an exception type stands for a failure."""
    left = list(answers)
    batches: list[list[Any]] = []

    async def invoke(_: str, event: bytes) -> Answer:
        batches.append(json.loads(event)["Records"])
        answer = left.pop(0) if left else None
        return Answer(json.dumps(answer).encode(), error=answer == "error")

    return invoke, batches


def until(poller: Poller, done: Callable[[], bool]) -> None:
    async def whole() -> None:
        running = asyncio.create_task(poller.run())
        async with asyncio.timeout(5):
            while not done():  # noqa: ASYNC110 - the fakes tell nobody
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(whole())


def queue_mapping(**changes: Any) -> SourceMapping:
    return SourceMapping(QUEUE, "F", **{"batch_size": 10, "partial_failures": True, **changes})


def failed(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in ids]}


@pytest.mark.parametrize(
    ("answer", "deleted"),
    [
        (None, {"r0", "r1"}),
        (failed(), {"r0", "r1"}),
        (failed("m1"), {"r0"}),
        (failed("unknown"), set()),
        (failed(""), set()),
        ("nonsense", set()),
        ("error", set()),
    ],
)
def test_only_messages_that_did_not_fail_are_deleted(answer: Any, deleted: set[str]) -> None:
    sqs = FakeSqs(["a", "b"])
    invoke, batches = answering(answer)
    poller = Poller(queue_mapping(), invoke, lambda _: sqs, Activity())
    until(poller, lambda: bool(batches) and set(sqs.deleted) == deleted)
    assert [record["body"] for record in batches[0]] == ["a", "b"]
    assert batches[0][0]["eventSourceARN"] == QUEUE
    assert len(batches) == 1


@pytest.mark.parametrize(
    ("value", "feeds_the_queue", "feeds_the_stream"),
    [
        ("http://127.0.0.1:4566/000000000000/refresh.fifo", True, False),
        ("http://127.0.0.1:4566/000000000000/commands.fifo", False, False),
        ("t", False, True),
        ("table", False, False),
    ],
)
def test_a_function_feeds_the_sources_whose_names_its_environment_holds(
    value: str, feeds_the_queue: bool, feeds_the_stream: bool
) -> None:
    environment = {"STAGE": "dev", "ONE": value}
    assert feeds(environment, queue_mapping()) is feeds_the_queue
    assert feeds(environment, stream_mapping()) is feeds_the_stream


def test_without_partial_failures_the_answer_is_not_looked_at() -> None:
    sqs = FakeSqs(["a"])
    invoke, _ = answering(failed("m0"))
    poller = Poller(queue_mapping(partial_failures=False), invoke, lambda _: sqs, Activity())
    until(poller, lambda: sqs.deleted == ["r0"])


def test_a_message_that_no_filter_wants_is_deleted_unseen() -> None:
    sqs = FakeSqs(['{"kind": "x"}', '{"kind": "y"}', "no json"])
    invoke, batches = answering()
    poller = Poller(queue_mapping(filters=({"body": {"kind": ["y"]}},)), invoke, lambda _: sqs, Activity())
    until(poller, lambda: len(sqs.deleted) == 3)
    assert [record["body"] for batch in batches for record in batch] == ['{"kind": "y"}']


def test_a_poller_outlives_an_unreachable_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = FakeSqs(["a"])
    receive = sqs.receive_message
    trouble = [ConnectionError("refused")]

    def sometimes(**arguments: Any) -> dict[str, Any]:
        if trouble:
            raise trouble.pop()
        return receive(**arguments)

    monkeypatch.setattr(sqs, "receive_message", sometimes)
    invoke, _ = answering()
    until(Poller(queue_mapping(), invoke, lambda _: sqs, Activity()), lambda: sqs.deleted == ["r0"])


# --- streams


class FakeStream:
    def __init__(self, keys: Sequence[str]) -> None:
        self.records: list[dict[str, Any]] = [
            {
                "eventID": key,
                "eventName": "INSERT",
                "dynamodb": {
                    "SequenceNumber": str(100 + n),
                    "NewImage": {"sk": {"S": key}, "raw": {"B": b"\x01"}, "set": {"NS": ["1"]}},
                    "ApproximateCreationDateTime": dt.datetime(2026, 3, 5, tzinfo=dt.UTC),
                },
            }
            for n, key in enumerate(keys)
        ]
        self.read = 0

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": "s"}]}}

    def get_shard_iterator(self, **_: Any) -> dict[str, str]:
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 - boto3's names
        start = int(ShardIterator)
        taken = self.records[start : start + Limit]
        self.read = start + len(taken)
        return {"Records": taken, "NextShardIterator": str(self.read)}


def stream_mapping(**changes: Any) -> SourceMapping:
    given = {"batch_size": 100, "partial_failures": False, "retries": 2, "failures_arn": f"{QUEUE}-failures"}
    return SourceMapping(STREAM, "F", **{**given, **changes})


def run_stream(mapping: SourceMapping, keys: Sequence[str], answers: Sequence[Any], calls: int) -> tuple[Any, FakeSqs]:
    stream, sqs = FakeStream(keys), FakeSqs([])
    invoke, batches = answering(*answers)
    poller = Poller(mapping, invoke, lambda service: sqs if service == "sqs" else stream, Activity())
    until(poller, lambda: len(batches) >= calls and stream.read == len(keys))
    return [[record["eventID"] for record in batch] for batch in batches], sqs


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_LONGEST_BACKOFF", 0.0)


def test_a_stream_hands_over_what_the_filter_wants_in_order() -> None:
    batches, _ = run_stream(stream_mapping(filters=(OUTBOX,)), ["EVENT#1", "PROFILE", "COMMAND#2"], [], 1)
    assert batches == [["EVENT#1", "COMMAND#2"]]


def test_a_stream_goes_on_from_the_first_record_that_failed() -> None:
    mapping = stream_mapping(partial_failures=True)
    batches, _ = run_stream(mapping, ["a", "b", "c"], [failed("102", "101")], 2)
    assert batches == [["a", "b", "c"], ["b", "c"]]


def test_a_failing_batch_is_halved_until_the_bad_record_is_alone_and_given_up() -> None:
    stream, sqs = FakeStream(["a", "bad", "c"]), FakeSqs([])
    batches = []

    async def invoke(_: str, event: bytes) -> Answer:
        names = [record["eventID"] for record in json.loads(event)["Records"]]
        batches.append(names)
        return Answer(b"null", error="bad" in names)

    mapping = stream_mapping(bisect=True)
    poller = Poller(mapping, invoke, lambda service: sqs if service == "sqs" else stream, Activity())
    until(poller, lambda: bool(batches) and batches[-1] == ["c"])
    assert batches[0] == ["a", "bad", "c"]
    assert ["a"] in batches
    assert batches.count(["bad"]) == 3
    assert [note["DDBStreamBatchInfo"]["startSequenceNumber"] for note in sqs.sent] == ["101"]
    assert sqs.sent[0]["url"].endswith("/000000000000/refresh.fifo-failures")


def test_a_batch_is_given_up_after_the_mappings_retries() -> None:
    stream, sqs = FakeStream(["a"]), FakeSqs([])
    invoke, batches = answering(*["error"] * 9)
    poller = Poller(stream_mapping(), invoke, lambda service: sqs if service == "sqs" else stream, Activity())
    until(poller, lambda: bool(sqs.sent))
    assert [[record["eventID"] for record in batch] for batch in batches] == [["a"]] * 3
    assert sqs.sent[0]["requestContext"]["approximateInvokeCount"] == 3


def test_a_record_is_given_up_at_the_mappings_age_and_what_is_younger_goes_on() -> None:
    stream, sqs = FakeStream(["old", "new"]), FakeSqs([])
    stream.records[1]["dynamodb"]["ApproximateCreationDateTime"] = dt.datetime.now(dt.UTC)
    invoke, batches = answering(*["error"] * 3)
    mapping = stream_mapping(retries=-1, longest_age=3600.0)
    poller = Poller(mapping, invoke, lambda service: sqs if service == "sqs" else stream, Activity())
    until(poller, lambda: len(batches) >= 4 and bool(sqs.sent))
    assert [[record["eventID"] for record in batch] for batch in batches] == [["old", "new"], *[["new"]] * 3]
    assert [note["requestContext"]["condition"] for note in sqs.sent] == ["RecordAgeExceeded"]


def test_stream_records_have_the_form_of_a_lambda_event() -> None:
    poller = Poller(stream_mapping(), answering()[0], lambda _: None, Activity())
    record = poller._stream_record(FakeStream(["EVENT#1"]).records[0])
    assert json.loads(json.dumps(record)) == {
        "eventID": "EVENT#1",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "SequenceNumber": "100",
            "NewImage": {"sk": {"S": "EVENT#1"}, "raw": {"B": "AQ=="}, "set": {"NS": ["1"]}},
            "ApproximateCreationDateTime": 1772668800,
        },
        "eventSourceARN": STREAM,
    }


# --- reading a mapping


def test_a_mapping_is_read_as_deployed() -> None:
    mapping = read_mapping(
        {
            "EventSourceArn": STREAM,
            "BatchSize": 100,
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps(OUTBOX)}]},
            "MaximumRetryAttempts": 10,
            "MaximumRecordAgeInSeconds": 3600,
            "BisectBatchOnFunctionError": True,
            "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
            "StartingPosition": "TRIM_HORIZON",
        },
        "F",
    )
    assert mapping == SourceMapping(
        STREAM, "F", 100, (OUTBOX,), retries=10, longest_age=3600.0, bisect=True, failures_arn=QUEUE
    )


@pytest.mark.parametrize("setting", [{"TumblingWindowInSeconds": 5}, {"ParallelizationFactor": 2}])
def test_a_setting_that_is_not_played_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not played"):
        read_mapping({"EventSourceArn": STREAM, **setting}, "F")
