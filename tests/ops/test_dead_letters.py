"""Looking at dead letters and sending them back, on moto's queues; functions and streams are noted."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.__main__ import main
from ops.dead_letters import PLACES, CannotReplay, look, replay
from ops.system import System

HINT = {
    "version": 1,
    "powens_user_id": 41,
    "powens_connection_id": 77,
    "origin": "webhook",
    "reason": "account-enabled",
    "received_at": "2026-03-05T09:00:00Z",
    "correlation_id": "c-1",
}


@dataclass
class Lambda:
    """`invoked` notes function and event; `fails` answers as a function that crashed."""

    invoked: list[tuple[str, Any]] = field(default_factory=list)
    fails: bool = False

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.invoked.append((FunctionName, json.loads(Payload)))
        return {"FunctionError": "Unhandled"} if self.fails else {"StatusCode": 200}


class Trimmed(Exception):
    pass


@dataclass
class Streams:
    """One shard, in two pages."""

    records: list[dict[str, Any]]
    trimmed: bool = False

    class exceptions:  # noqa: N801 - boto3's name
        TrimmedDataAccessException = Trimmed

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        if self.trimmed:
            raise Trimmed
        assert asked["ShardIteratorType"] == "AT_SEQUENCE_NUMBER"
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803
        start = int(ShardIterator)
        following = {"NextShardIterator": str(start + 2)} if start + 2 < len(self.records) else {}
        return {"Records": self.records[start : start + 2], **following}


@dataclass
class Doubles:
    sqs: Any
    functions: Lambda
    streams: Streams
    system: System

    def put(self, place: str, body: object, group: str = "g", **attributes: Any) -> None:
        url = self.system.outputs[PLACES[place].letters]
        text = body if isinstance(body, str) else json.dumps(body)
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": f"d-{time.monotonic_ns()}"}
        extra = fifo if url.endswith(".fifo") else {}
        self.sqs.send_message(QueueUrl=url, MessageBody=text, **extra, **attributes)

    def waiting(self, output: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.system.outputs[output],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doubles]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs: Any = boto3.Session("t", "t", region_name="eu-west-3").client("sqs")
        outputs: dict[str, str] = {}
        for place in PLACES.values():
            for output in filter(None, (place.letters, place.source)):
                fifo = bool(place.source)
                name = output.removesuffix("Url") + (".fifo" if fifo else "")
                made = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})
                outputs[output] = made["QueueUrl"]
            if place.function:
                outputs[place.function] = place.function.removesuffix("FunctionName")
        functions, streams = Lambda(), Streams([])
        clients = {"sqs": sqs, "lambda": functions, "dynamodbstreams": streams}
        yield Doubles(sqs, functions, streams, System(clients.__getitem__, outputs))


def test_a_look_shows_ids_and_reasons_of_all_places_takes_nothing_and_hides_nothing(doubles: Doubles) -> None:
    doubles.put("refresh", HINT, group="41")
    doubles.put("refresh", "not JSON of Mme Durand FR7612345")
    doubles.put("housekeeping", {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {}})
    event = {
        "detail-type": "AccountsUpdated",
        "detail": {"metadata": {"event_id": "01J"}, "data": {"user_id": "alice"}},
    }
    why = {"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}}
    doubles.put("live-updates", event, MessageAttributes=why)
    for _ in range(2):
        found, behind = look(doubles.system)
        assert behind == 0
        shown = {(letter.queue, letter.why): dict(letter.ids) for letter in found}
        assert shown == {
            ("refresh", "receives ran out"): {
                "powens_user_id": "41",
                "powens_connection_id": "77",
                "reason": "account-enabled",
                "correlation_id": "c-1",
            },
            ("refresh", "not readable"): {},
            ("housekeeping", "RetriesExhausted"): {},
            ("live-updates", "NO_PERMISSIONS"): {
                "detail-type": "AccountsUpdated",
                "event_id": "01J",
                "user_id": "alice",
            },
        }
        assert "Durand" not in "".join(map(str, found))
        assert all(letter.age < 60 for letter in found)


def test_a_name_or_text_in_the_place_of_an_id_is_not_shown(doubles: Doubles) -> None:
    doubles.put("commands", {"user_id": "Mme Durand, 75001 Paris", "operation_id": ["x"], "reason": None})
    [letter] = look(doubles.system)[0]
    assert letter.ids == {}


def test_letters_go_back_to_their_queue_in_their_group_and_may_be_sent_again_at_once(doubles: Doubles) -> None:
    for nth in range(23):
        doubles.put("refresh", HINT | {"correlation_id": f"c-{nth}"}, group=str(nth))
    assert replay(doubles.system, "refresh") == 23
    assert doubles.waiting("RefreshDeadLetterQueueUrl") == []
    back = []
    while messages := doubles.waiting("RefreshQueueUrl"):
        for message in messages:
            back.append((message["Attributes"]["MessageGroupId"], json.loads(message["Body"])["correlation_id"]))
            doubles.sqs.delete_message(
                QueueUrl=doubles.system.outputs["RefreshQueueUrl"], ReceiptHandle=message["ReceiptHandle"]
            )
    assert sorted(back) == sorted((str(nth), f"c-{nth}") for nth in range(23))
    # The same content once more: nothing drops it as a repetition.
    doubles.put("refresh", HINT | {"correlation_id": "c-1"}, group="1")
    assert replay(doubles.system, "refresh") == 1
    assert len(doubles.waiting("RefreshQueueUrl")) == 1


def test_a_replay_ends_though_what_it_sends_comes_back_at_once(
    doubles: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubles.put("commands", "poison")
    doubles.put("commands", "poison", group="h")
    real = doubles.sqs.send_message

    def straight_back(**message: Any) -> Any:
        dead = doubles.system.outputs["CommandsDeadLetterQueueUrl"]
        return real(**{**message, "QueueUrl": dead})

    monkeypatch.setattr(doubles.sqs, "send_message", straight_back)
    assert replay(doubles.system, "commands") == 2
    assert len(doubles.waiting("CommandsDeadLetterQueueUrl")) == 2


def _record(number: int, key: str, name: str = "INSERT") -> dict[str, Any]:
    kind = key.partition("#")[0]
    entries = {
        "EVENT": {"detail_type": "AccountsUpdated", "detail": "{}"},
        "COMMAND": {"queue": "commands", "group": "g", "body": "{}"},
    }
    texts = {"sk": key, **entries.get(kind, {"document": "{}"})}
    image: dict[str, Any] = {name: {"S": text} for name, text in texts.items()} | {"ttl": {"N": "1"}}
    return {"eventName": name, "dynamodb": {"SequenceNumber": str(number), "NewImage": image}}


LETTER = {
    "requestContext": {"condition": "RetryAttemptsExhausted"},
    "DDBStreamBatchInfo": {
        "streamArn": "arn",
        "shardId": "shard-1",
        "startSequenceNumber": "100",
        "endSequenceNumber": "103",
        "batchSize": 4,
    },
}


def test_unpublished_entries_are_taken_from_the_stream_and_nothing_else_is(doubles: Doubles) -> None:
    doubles.streams.records = [
        _record(100, "EVENT#1"),
        _record(101, "LIST#CONNECTION#1"),
        _record(102, "EVENT#1", "MODIFY"),
        _record(103, "COMMAND#2"),
        _record(104, "EVENT#3"),
    ]
    doubles.put("outbox", LETTER)
    [letter] = look(doubles.system)[0]
    assert (letter.why, letter.ids["startSequenceNumber"]) == ("RetryAttemptsExhausted", "100")
    assert replay(doubles.system, "outbox") == 1
    [(function, event)] = doubles.functions.invoked
    assert function == "OutboxPublisher"
    assert [record["dynamodb"]["NewImage"]["sk"]["S"] for record in event["Records"]] == ["EVENT#1", "COMMAND#2"]
    assert doubles.waiting("OutboxFailuresQueueUrl") == []


def test_a_batch_without_outbox_entries_needs_nothing(doubles: Doubles) -> None:
    doubles.streams.records = [_record(100, "LIST#CONNECTION#1")]
    doubles.put("outbox", LETTER)
    assert replay(doubles.system, "outbox") == 1
    assert doubles.functions.invoked == []


def test_what_the_stream_no_longer_has_stays_and_the_operator_is_told(doubles: Doubles) -> None:
    doubles.streams.trimmed = True
    doubles.put("outbox", LETTER)
    with pytest.raises(CannotReplay, match=r"operating\.md"):
        replay(doubles.system, "outbox")
    assert len(look(doubles.system)[0]) == 1


@pytest.mark.parametrize(
    ("place", "letter", "event"),
    [
        ("housekeeping", {"requestContext": {}, "requestPayload": {"time": "t"}}, {"time": "t"}),
        ("housekeeping", {"time": "t"}, {"time": "t"}),
        ("live-updates", {"detail-type": "UserErased", "detail": {}}, {"detail-type": "UserErased", "detail": {}}),
    ],
)
def test_a_function_is_invoked_again_with_what_it_was_given(
    doubles: Doubles, place: str, letter: dict[str, Any], event: dict[str, Any]
) -> None:
    doubles.put(place, letter)
    assert replay(doubles.system, place) == 1
    assert [given for _, given in doubles.functions.invoked] == [event]


def test_a_letter_whose_function_fails_again_or_that_nobody_can_read_stays(doubles: Doubles) -> None:
    doubles.put("housekeeping", {"time": "t"})
    doubles.functions.fails = True
    with pytest.raises(CannotReplay, match="fails again"):
        replay(doubles.system, "housekeeping")
    doubles.put("live-updates", "???")
    with pytest.raises(CannotReplay, match="not readable"):
        replay(doubles.system, "live-updates")
    assert sorted(letter.queue for letter in look(doubles.system)[0]) == ["housekeeping", "live-updates"]


def test_letters_that_wait_behind_others_of_their_group_are_counted(doubles: Doubles) -> None:
    for _ in range(14):
        doubles.put("commands", "poison", group="one")
    found, behind = look(doubles.system)
    assert len(found) + behind == 14
    assert replay(doubles.system, "commands") == 14


def test_the_commands_say_what_they_did_and_what_they_cannot_do(
    doubles: Doubles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(System, "of", lambda _: doubles.system)
    monkeypatch.setenv("STACK", "synced-accounts-test")
    assert main(["dead-letters"]) == 0
    assert capsys.readouterr().out == "no dead letters\n"
    doubles.put("refresh", HINT)
    assert main(["dead-letters"]) == 0
    assert "powens_user_id=41" in capsys.readouterr().out
    assert main(["replay-dlq", "refresh"]) == 0
    assert capsys.readouterr().out == "1 sent back from refresh\n"
    with pytest.raises(SystemExit, match="2"):
        main(["replay-dlq", "nonsense"])
    assert "'commands', 'refresh', 'outbox'" in capsys.readouterr().err
    doubles.put("housekeeping", {})
    doubles.functions.fails = True
    assert main(["replay-dlq", "housekeeping"]) == 1
    assert "fails again" in capsys.readouterr().err
