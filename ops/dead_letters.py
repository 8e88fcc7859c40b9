"""Dead letters of a deployed system: what lies there and why, and the way back once it is mended.

Nothing of a letter is shown but ids, times and codes. Sending one back is always allowed: commands and hints only say
"look again", and events carry an id that consumers know repetitions by.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ops.system import System
from shared.adapters.outbox import is_entry

SHOWN = (
    "operation_id",
    "erasure_id",
    "connection_id",
    "user_id",
    "powens_user_id",
    "powens_connection_id",
    "event_id",
    "detail-type",
    "reason",
    "shardId",
    "startSequenceNumber",
    "batchSize",
    "correlation_id",
)
"""The members of a letter that are ids or words of ours, wherever they stand in it."""
_PLAIN = re.compile(r"[\w.:=+/-]{1,120}")
HELD_SECONDS = 60
"""How long a look hides what it has found: longer than a look takes."""
BATCH = 10
_STREAM_PAGES = 200


class CannotReplay(RuntimeError):
    """One line for the person who typed the command."""


@dataclass(frozen=True)
class Place:
    """Outputs of the stack: where letters end; the queue they go back to, or the function that is invoked anew."""

    letters: str
    source: str = ""
    function: str = ""


PLACES = {
    "commands": Place("CommandsDeadLetterQueueUrl", source="CommandsQueueUrl"),
    "refresh": Place("RefreshDeadLetterQueueUrl", source="RefreshQueueUrl"),
    "outbox": Place("OutboxFailuresQueueUrl", function="OutboxPublisherFunctionName"),
    "housekeeping": Place("HousekeepingFailuresQueueUrl", function="HousekeepingFunctionName"),
    "orphan-check": Place("OrphanCheckFailuresQueueUrl", function="OrphanCheckFunctionName"),
    "institution-catalogue": Place("InstitutionCatalogueFailuresQueueUrl", function="InstitutionCatalogueFunctionName"),
    "live-updates": Place("LiveUpdatesFailuresQueueUrl", function="LiveUpdatesFunctionName"),
}


@dataclass(frozen=True)
class Letter:
    """`age` in seconds, since it was sent to where it lies now."""

    queue: str
    age: int
    why: str
    ids: Mapping[str, str]

    def __str__(self) -> str:
        known = "  ".join(f"{name}={value}" for name, value in self.ids.items())
        return f"{self.queue:<13}{_duration(self.age):>8}  {self.why:<24}  {known}"


def look(system: System) -> tuple[list[Letter], int]:
    """All letters that can be seen, and how many more wait behind them in their group. Nothing is taken away."""
    found: list[Letter] = []
    behind = 0
    sqs = system.client("sqs")
    for name, place in PLACES.items():
        url = system.outputs[place.letters]
        count = _count(sqs, url)
        messages = list(_receive(sqs, url))
        _release(sqs, url, messages)
        found += [_letter(name, message) for message in messages]
        behind += max(0, count - len(messages))
    return found, behind


def replay(system: System, name: str) -> int:
    """Send what lies in one place back, and say how many letters that were. What does not go through stays there.

    Killed in between, a letter is sent twice, never lost. Raises CannotReplay.
    """
    place = PLACES[name]
    sqs = system.client("sqs")
    url = system.outputs[place.letters]
    left = _count(sqs, url)
    done = 0
    # Not until it is empty: what fails again at once comes back while this runs.
    while left > 0:
        messages = _some(sqs, url, min(BATCH, left))
        if not messages:
            break
        left -= len(messages)
        try:
            while messages:
                if place.source:
                    _send_back(sqs, system.outputs[place.source], messages[0])
                else:
                    _invoke_again(system, place, messages[0])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=messages.pop(0)["ReceiptHandle"])
                done += 1
        finally:
            _release(sqs, url, messages)
    return done


def _send_back(sqs: Any, url: str, message: Mapping[str, Any]) -> None:
    sqs.send_message(
        QueueUrl=url,
        MessageBody=message["Body"],
        MessageGroupId=message["Attributes"]["MessageGroupId"],
        # Fresh: the queue would drop what it has seen within five minutes.
        MessageDeduplicationId=uuid4().hex,
    )


def _invoke_again(system: System, place: Place, message: Mapping[str, Any]) -> None:
    noted = _read(message["Body"])
    if not isinstance(noted, dict):
        raise CannotReplay("a letter is not readable; nothing of it can be repeated")
    if "DDBStreamBatchInfo" in noted:
        event = {"Records": list(_records(system, noted["DDBStreamBatchInfo"]))}
        if not event["Records"]:
            return
    else:
        # A function's own failure comes with what it was given; a rule's or schedule's letter is just that.
        event = noted.get("requestPayload", noted)
    answer = system.client("lambda").invoke(
        FunctionName=system.outputs[place.function], Payload=json.dumps(event, default=str).encode()
    )
    if "FunctionError" in answer:
        raise CannotReplay(f"{system.outputs[place.function]} fails again; its log says why")


def _records(system: System, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The outbox entries of the stream from the first to the last one that the letter names."""
    streams = system.client("dynamodbstreams")
    try:
        position = streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
    except streams.exceptions.TrimmedDataAccessException:
        raise CannotReplay("the stream keeps a day; take the entries from the table, as operating.md says") from None
    last = int(batch["endSequenceNumber"])
    for _ in range(_STREAM_PAGES):
        page = streams.get_records(ShardIterator=position, Limit=1000)
        for record in page["Records"]:
            change = record["dynamodb"]
            if int(change["SequenceNumber"]) > last:
                return
            if record["eventName"] == "INSERT" and is_entry(change["NewImage"]):
                yield {"eventName": "INSERT", "dynamodb": {"NewImage": _texts(change["NewImage"])}}
            if int(change["SequenceNumber"]) == last:
                return
        position = page.get("NextShardIterator")
        if not position:
            return


def _texts(image: Mapping[str, Any]) -> dict[str, Any]:
    """Outbox entries consist of texts; what else is in an item is not the publisher's business."""
    return {name: value for name, value in image.items() if "S" in value}


# --- looking ---------------------------------------------------------------------------------------------------------


def _count(sqs: Any, url: str) -> int:
    """Those that somebody is looking at are counted too."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _release(sqs: Any, url: str, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def _receive(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    while messages := _some(sqs, url, BATCH):
        fresh = [message for message in messages if message["MessageId"] not in seen]
        if not fresh:
            return
        seen |= {message["MessageId"] for message in fresh}
        yield from fresh


def _some(sqs: Any, url: str, most: int) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=most,
        VisibilityTimeout=HELD_SECONDS,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    found: list[dict[str, Any]] = answer.get("Messages", [])
    return found


def _letter(name: str, message: Mapping[str, Any]) -> Letter:
    content = _read(message["Body"])
    ids: dict[str, str] = {}
    _gather(content, ids)
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    return Letter(name, max(0, round(time.time() - sent)), _why(content, message), ids)


def _read(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _gather(content: Any, into: dict[str, str]) -> None:
    members = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in members:
        if name in SHOWN and isinstance(value, str | int) and _PLAIN.fullmatch(str(value)):
            into.setdefault(str(name), str(value))
        else:
            _gather(value, into)


def _why(content: Any, message: Mapping[str, Any]) -> str:
    if not isinstance(content, dict):
        return "not readable"
    given = message.get("MessageAttributes", {}).get("ERROR_CODE", {}).get("StringValue")
    condition = content.get("requestContext", {}).get("condition") if "requestContext" in content else None
    error = content.get("responsePayload", {}).get("errorType") if "responsePayload" in content else None
    found = " ".join(str(part) for part in (given, condition, error) if part and _PLAIN.fullmatch(str(part)))
    # SQS does not say: it was received as often as is allowed, or refused outright. The log does, by correlation_id.
    return found or "receives ran out"


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"
