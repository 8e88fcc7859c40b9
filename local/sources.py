"""Event source mappings: reads queues and the table's stream as Lambda's own pollers do, with the function's role.

The AWS double has pollers too, but they look once a second, run one FIFO batch at a time, and know neither partial
failures nor retry limits of a stream. These read the mappings that the template deployed and do what they ask for. Not
played: batching windows, parallelization factors, tumbling windows and the longest age of a record; a mapping that sets
one of the last three is refused.
"""

import asyncio
import base64
import contextlib
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.patterns import matches
from local.runtime_api import Answer

log = logging.getLogger(__name__)

# Lambda runs five pollers per queue to begin with; a FIFO queue keeps the order of each group by itself.
QUEUE_CONCURRENCY = 5
# What is worth a processor each on Lambda shares those of one machine here.
SCALED_DOWN = 10
# Each look costs processor time that taps would have: soon after something may have come, else seldom.
_SOONEST_SECONDS, _RECENT_SECONDS, _IDLE_SECONDS = 0.02, 0.1, 0.25
# Longer than the delay of a queue.
_RECENT_FOR = 2.0
_LONGEST_BACKOFF = 10.0


@dataclass(frozen=True)
class SourceMapping:
    """One event source mapping, as the deployed stack has it. `id` stays when an update changes it."""

    source_arn: str
    function: str
    batch_size: int
    filters: tuple[Mapping[str, Any], ...] = ()
    partial_failures: bool = False
    retries: int = -1
    longest_age: float = math.inf
    """Seconds after which a record of the stream is given up."""
    bisect: bool = False
    failures_arn: str | None = None
    concurrency: int = QUEUE_CONCURRENCY
    starts_at: str = "TRIM_HORIZON"
    id: str = ""

    @property
    def is_queue(self) -> bool:
        return self.source_arn.split(":")[2] == "sqs"


def read_mapping(raw: Mapping[str, Any], function: str) -> SourceMapping:
    """From ListEventSourceMappings. Raises ValueError for a setting that is not played here."""
    for name in ("TumblingWindowInSeconds",):
        if raw.get(name):
            raise ValueError(f"{name} is not played offline")
    if (raw.get("ParallelizationFactor") or 1) > 1:
        raise ValueError("ParallelizationFactor is not played offline")
    filters = (raw.get("FilterCriteria") or {}).get("Filters") or []
    destination = ((raw.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    retries, seconds = raw.get("MaximumRetryAttempts"), raw.get("MaximumRecordAgeInSeconds") or -1
    return SourceMapping(
        source_arn=raw["EventSourceArn"],
        function=function,
        batch_size=int(raw.get("BatchSize") or 10),
        id=raw.get("UUID", ""),
        filters=tuple(json.loads(one["Pattern"]) for one in filters),
        partial_failures="ReportBatchItemFailures" in (raw.get("FunctionResponseTypes") or []),
        retries=-1 if retries is None else int(retries),
        longest_age=float(seconds) if seconds > 0 else math.inf,
        bisect=bool(raw.get("BisectBatchOnFunctionError")),
        failures_arn=destination,
        concurrency=_concurrency((raw.get("ScalingConfig") or {}).get("MaximumConcurrency")),
        starts_at=raw.get("StartingPosition") or "TRIM_HORIZON",
    )


def _concurrency(most: str | int | None) -> int:
    """What one machine takes of a template's MaximumConcurrency: the same part of each, so taps keep their lead."""
    return QUEUE_CONCURRENCY if most is None else max(2, int(most) // SCALED_DOWN)


def feeds(environment: Mapping[str, str], mapping: SourceMapping) -> bool:
    """Whether a function may put something into the source: it does so by the queue's URL or the table's name."""
    resource = mapping.source_arn.split(":", 5)[5]
    name = resource if mapping.is_queue else resource.split("/")[1]
    return any(value.rpartition("/")[2] == name for value in environment.values())


class Activity:
    """Says that one source may have got something, so that its poller looks at once instead of at its next turn."""

    def __init__(self) -> None:
        self._last = 0.0
        self._news = asyncio.Event()

    def happened(self) -> None:
        self._last = time.monotonic()
        self._news.set()

    async def pause(self) -> None:
        """Until it is worth looking again."""
        await asyncio.sleep(_SOONEST_SECONDS)
        recent = time.monotonic() - self._last < _RECENT_FOR
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RECENT_SECONDS if recent else _IDLE_SECONDS):
                await self._news.wait()
        self._news.clear()


@dataclass
class Poller:
    """Runs one mapping until cancelled. `client` makes a client of the double with the function's role."""

    mapping: SourceMapping
    invoke: Callable[[str, bytes], Awaitable[Answer]]
    client: Callable[[str], Any]
    activity: Activity
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        follow = self._follow_queue if self.mapping.is_queue else self._follow_stream
        while True:
            try:
                await follow()
            except Exception:  # a poller must outlive whatever goes wrong: it is logged, and starts again
                log.exception("poller of %s starts again", self.mapping.function)
                await asyncio.sleep(1)

    # --- queues ----------------------------------------------------------------------------------------------------

    async def _follow_queue(self) -> None:
        client = await asyncio.to_thread(self.client, "sqs")
        url = _queue_url(client, self.mapping.source_arn)
        free = asyncio.Semaphore(self.mapping.concurrency)
        while True:
            await free.acquire()
            try:
                answer = await asyncio.to_thread(
                    client.receive_message,
                    QueueUrl=url,
                    MaxNumberOfMessages=min(10, self.mapping.batch_size),
                    MessageSystemAttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
                messages = answer.get("Messages") or []
            except BaseException:  # also a cancellation; all of them go on
                free.release()
                raise
            if not messages:
                free.release()
                await self.activity.pause()
                continue
            task = asyncio.create_task(self._handle_messages(client, url, messages))
            self._running.add(task)
            task.add_done_callback(self._ended)
            task.add_done_callback(lambda _: free.release())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # The messages come back when their visibility ends, as on AWS when a poller is lost.
            log.error("a batch for %s was not finished", self.mapping.function, exc_info=error)

    async def _handle_messages(self, client: Any, url: str, messages: list[dict[str, Any]]) -> None:
        records = [self._queue_record(message) for message in messages]
        kept = [record for record in records if self._wanted(record)]
        failed: set[str] = set()
        if kept:
            answer = await self.invoke(self.mapping.function, json.dumps({"Records": kept}).encode())
            everything = {record["messageId"] for record in kept}
            failed = everything if answer.error else self._failures(answer, everything)
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(done)
            ]
            await asyncio.to_thread(client.delete_message_batch, QueueUrl=url, Entries=entries)
        self.activity.happened()

    def _queue_record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        attributes = {}
        for name, value in (message.get("MessageAttributes") or {}).items():
            attributes[name] = {key[0].lower() + key[1:]: item for key, item in value.items()}
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes") or {},
            "messageAttributes": attributes,
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping.source_arn,
            "awsRegion": self.mapping.source_arn.split(":")[3],
        }

    def _failures(self, answer: Answer, everything: set[str]) -> set[str]:
        """As documented: an answer that names no message, or an unknown one, fails the whole batch."""
        if not self.mapping.partial_failures:
            return set()
        try:
            said = answer.json()
            if said is None or said == {}:
                return set()
            named = {item["itemIdentifier"] for item in said.get("batchItemFailures") or []}
        except (ValueError, AttributeError, KeyError, TypeError):
            return everything
        return everything if named - everything else named

    # --- streams ---------------------------------------------------------------------------------------------------

    async def _follow_stream(self) -> None:
        client = await asyncio.to_thread(self.client, "dynamodbstreams")
        described = await asyncio.to_thread(client.describe_stream, StreamArn=self.mapping.source_arn)
        shards = [shard["ShardId"] for shard in described["StreamDescription"]["Shards"]]
        await asyncio.gather(*(self._follow_shard(client, shard) for shard in shards))

    async def _follow_shard(self, client: Any, shard: str) -> None:
        started = await asyncio.to_thread(
            client.get_shard_iterator,
            StreamArn=self.mapping.source_arn,
            ShardId=shard,
            ShardIteratorType=self.mapping.starts_at,
        )
        position = started["ShardIterator"]
        while position:
            answer = await asyncio.to_thread(
                client.get_records, ShardIterator=position, Limit=min(1000, self.mapping.batch_size)
            )
            records = [self._stream_record(record) for record in answer["Records"]]
            await self._handle_records(shard, [record for record in records if self._wanted(record)])
            position = answer.get("NextShardIterator")
            if records:
                self.activity.happened()
            else:
                await self.activity.pause()

    async def _handle_records(self, shard: str, records: list[dict[str, Any]]) -> None:
        """In order, until each is handled or given up: a stream waits for its failing record."""
        batches = [(records, 0)] if records else []
        while batches:
            batch, tried = batches.pop(0)
            answer = await self.invoke(self.mapping.function, json.dumps({"Records": batch}).encode())
            left = self._left(answer, batch)
            if not left:
                continue
            # Progress counts as a new batch, as the checkpoint has moved.
            tried = tried + 1 if len(left) == len(batch) else 1
            if self.mapping.retries >= 0 and tried > self.mapping.retries:
                await self._give_up(shard, left, tried, "RetryAttemptsExhausted")
                continue
            aged = [record for record in left if _age(record) > self.mapping.longest_age]
            if aged:
                await self._give_up(shard, aged, tried, "RecordAgeExceeded")
                left = left[len(aged) :]
                if not left:
                    continue
            await asyncio.sleep(min(_LONGEST_BACKOFF, 0.1 * 2 ** min(tried, 10)))
            if self.mapping.bisect and len(left) > 1:
                # A split does not count as a retry: the halves keep what was tried before it.
                middle = len(left) // 2
                batches[:0] = [(left[:middle], tried - 1), (left[middle:], tried - 1)]
            else:
                batches.insert(0, (left, tried))

    def _left(self, answer: Answer, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The records to hand over again: from the first one that failed."""
        if answer.error:
            return batch
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failed = self._failures(answer, set(numbers))
        first = min((numbers.index(number) for number in failed), default=len(batch))
        return batch[first:]

    async def _give_up(self, shard: str, records: list[dict[str, Any]], tried: int, condition: str) -> None:
        log.error("%s gives up %d stream records after %d attempts", self.mapping.function, len(records), tried)
        if self.mapping.failures_arn is None:
            return
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        note = {
            "version": "1.0",
            "requestContext": {
                "functionArn": self.mapping.function,
                "condition": condition,
                "approximateInvokeCount": tried,
            },
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(records),
                "streamArn": self.mapping.source_arn,
            },
        }
        client = await asyncio.to_thread(self.client, "sqs")
        url = _queue_url(client, self.mapping.failures_arn)
        await asyncio.to_thread(client.send_message, QueueUrl=url, MessageBody=json.dumps(note))

    def _stream_record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        change = record["dynamodb"]
        created = change.get("ApproximateCreationDateTime")
        return {
            "eventID": record["eventID"],
            "eventName": record["eventName"],
            "eventVersion": record.get("eventVersion", "1.1"),
            "eventSource": "aws:dynamodb",
            "awsRegion": record.get("awsRegion", "us-east-1"),
            "dynamodb": {
                **{name: _plain(value) for name, value in change.items() if name != "ApproximateCreationDateTime"},
                "ApproximateCreationDateTime": int(created.timestamp()) if created else int(time.time()),
            },
            "eventSourceARN": self.mapping.source_arn,
        }

    def _wanted(self, record: Mapping[str, Any]) -> bool:
        if not self.mapping.filters:
            return True
        seen: Any = record
        if self.mapping.is_queue:
            # A pattern looks into the body of a message that is JSON.
            try:
                seen = {**record, "body": json.loads(record["body"])}
            except ValueError:
                seen = record
        return any(matches(one, seen) for one in self.mapping.filters)


def _queue_url(client: Any, arn: str) -> str:
    """Put together, as the function's role need not be allowed to ask for it."""
    account, name = arn.split(":")[4:6]
    return f"{client.meta.endpoint_url}/{account}/{name}"


def _plain(value: Any) -> Any:
    """Attribute values as JSON: binary in base64, as in a real stream event."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | set):
        return [_plain(item) for item in value]
    return value


def _age(record: Mapping[str, Any]) -> float:
    """Seconds since a record came into the stream."""
    return time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"])
