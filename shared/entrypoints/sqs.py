"""Messages from a FIFO queue: which ones failed, and when to try them again.

A failed message keeps its group waiting, so each failure says itself how long: as long as Powens asks, else longer each
time, and not at all when repeating cannot help: then the receives run out at once, and the dead-letter queue has it.
What only a newer release understands waits so long each time that its receives last for hours (ADR 0044).
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from shared.contracts.messages import Message, is_newer
from shared.domain.errors import NewerVersion, PowensRefused, PowensThrottled, Rejected, Unavailable
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FIRST_DELAY_SECONDS = 1
LONGEST_DELAY_SECONDS = 60
FIRST_DELAY_OF_NEWER_SECONDS = 15
LONGEST_DELAY_OF_NEWER_SECONDS = 900
LONGEST_VISIBILITY_SECONDS = 43_200
"""AWS limit: twelve hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received[M: Message]:
    message: M
    receipt_handle: str
    message_id: str
    receive_count: int


@dataclass(frozen=True, slots=True)
class FifoBatch[M: Message]:
    """Works through one batch of what `contract` reads.

    `sqs` is called for a client when a message has failed. `whole_groups`: give `handle` all messages of a group at
    once, else one by one.
    """

    sqs: "Callable[[], SQSClient]"
    queue_url: str
    contract: TypeAdapter[M]
    handle: Callable[[Sequence[Received[M]]], None]
    whole_groups: bool = False

    def __call__(self, event: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
        """The partial batch response: `{"batchItemFailures": [{"itemIdentifier": message id}]}`."""
        failed: list[str] = []
        groups: dict[str, list[Received[M]]] = {}
        put_off: dict[str, int] = {}
        for record in event["Records"]:
            group = record["attributes"]["MessageGroupId"]
            received = None
            try:
                received = self._read(record)
            except NewerVersion as newer:
                put_off[group] = self._delay(newer, int(record["attributes"]["ApproximateReceiveCount"]))
            if group in put_off or received is None:
                failed.append(record["messageId"])
                self._return(record["receiptHandle"], put_off.get(group, 0))
            else:
                groups.setdefault(group, []).append(received)
        for group in groups.values():
            failed += self._work(group)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _read(self, record: dict[str, Any]) -> Received[M] | None:
        """None for poison. Raises NewerVersion."""
        try:
            message = self.contract.validate_json(record["body"])
        except ValidationError:
            if is_newer(record["body"]):
                raise NewerVersion("a message") from None
            logger.error("poison message", extra={"message_id": record["messageId"]})
            return None
        return Received(
            message=message,
            receipt_handle=record["receiptHandle"],
            message_id=record["messageId"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )

    def _work(self, group: Sequence[Received[M]]) -> Iterable[str]:
        """The ids that failed. What follows a failure in its group waits with it, or FIFO would be no order."""
        units = [group] if self.whole_groups else [[received] for received in group]
        for position, unit in enumerate(units):
            try:
                self.handle(unit)
            except Exception as error:  # noqa: BLE001 - every failure is reported to SQS, and logged
                delay = self._delay(error, max(received.receive_count for received in unit))
                rest = [received for later in units[position:] for received in later]
                for received in rest:
                    self._return(received.receipt_handle, delay)
                return [received.message_id for received in rest]
        return []

    def _delay(self, error: Exception, receive_count: int) -> int:
        back_off: int = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS << min(receive_count - 1, 10))
        if isinstance(error, PowensRefused):
            # Repeating will hardly help, but it is Powens who would be asked, as often as the queue hands it out.
            logger.error("message refused by Powens", extra={"code": error.code, "receive_count": receive_count})
        elif isinstance(error, Rejected):
            logger.error("message refused", extra={"code": error.code})
            return 0
        elif isinstance(error, Unavailable):
            logger.info("message postponed", extra={"code": error.code, "receive_count": receive_count})
            if isinstance(error, PowensThrottled):
                count(Metric.POWENS_THROTTLED)
            if isinstance(error, NewerVersion):
                count(Metric.NEWER_VERSIONS)
                doubled: int = FIRST_DELAY_OF_NEWER_SECONDS << min(receive_count - 1, 10)
                return min(LONGEST_DELAY_OF_NEWER_SECONDS, doubled)
            if error.retry_after is not None:
                return min(LONGEST_VISIBILITY_SECONDS, max(1, round(error.retry_after)))
        else:
            logger.exception("message failed", exc_info=error)
            count(Metric.UNEXPECTED_ERRORS)
        return max(1, round(back_off * (0.5 + random.random() / 2)))

    def _return(self, receipt_handle: str, seconds: int) -> None:
        try:
            self.sqs().change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except (ClientError, BotoCoreError) as error:
            # The message then comes back after the queue's own timeout: later, not never.
            logger.warning("visibility not changed", extra={"kind": type(error).__name__})
