"""Reads connections back from Powens. Trigger: the refresh queue (FIFO, one user at a time).

Guarantee: all hints about a user in one batch cost one read, and a hint older than the last read costs nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter

from shared.bootstrap import Container
from shared.contracts.messages import HintMessage
from shared.domain.errors import TooManyAccounts
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import (
    count,
    count_ended,
    count_refused,
    count_unreadable,
    logged,
    logger,
    measure,
)
from shared.entrypoints.sqs import FifoBatch, Received


@cache
def container() -> Container:
    return Container.from_env(on_unreadable=count_unreadable, on_refused=count_refused, on_ended=count_ended)


@cache
def contract() -> TypeAdapter[HintMessage]:
    return TypeAdapter(HintMessage)


def read_back(unit: Sequence[Received[HintMessage]]) -> None:
    hints = [received.message.hint() for received in unit]
    logger.append_keys(correlation_id=hints[-1].correlation_id)
    reading = container().read_back.run(hints)
    if not reading.known_user:
        count(Metric.UNKNOWN_POWENS_USERS)
    if reading.user_gone:
        count(Metric.POWENS_USERS_GONE)
    if reading.adopted or reading.lost:
        count(Metric.ADOPTED_CONNECTIONS, reading.adopted)
        count(Metric.LOST_CONNECTIONS, reading.lost)
    if reading.put_off:
        count(Metric.READS_PUT_OFF)
    if reading.staleness is not None:
        measure(Metric.STALENESS, reading.staleness)
    if reading.too_large:
        logger.error("connection too large", extra={"code": TooManyAccounts.code})
        count(Metric.TOO_LARGE_CONNECTIONS, reading.too_large)


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    url = container().settings.refresh_queue_url
    return FifoBatch(lambda: container().sqs, url, contract(), read_back, whole_groups=True)(event)
