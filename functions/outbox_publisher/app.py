"""Sends what the outbox holds: events to the bus, commands and hints to their queues. Trigger: the table's stream.

Guarantee: each entry is sent at least once, or lands in the stream's dead-letter queue. Entries that a call refused are
repeated alone; when some still fail, the invocation fails and the stream delivers the batch again (ADR 0007). What only
a newer release can send goes to that queue at once.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bootstrap import Container
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logged


@cache
def container() -> Container:
    return Container.from_env()


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    # Each reader of the stream brings one kind only (ADR 0025), an operator who sends dead letters back brings both: a
    # failure of one way out must not keep the other from being tried.
    try:
        queued = container().queues.put(images)
    finally:
        published = container().bus.put(images)
    count(Metric.EVENTS_PUBLISHED, published)
    count(Metric.COMMANDS_QUEUED, queued)
