"""One logger and one way to count for all functions. Nothing that a user, Powens or a bank wrote is logged."""

import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from shared.domain.users import user_key
from shared.entrypoints.metrics import Metric
from shared.entrypoints.quiet import silence_libraries

if TYPE_CHECKING:
    from shared.domain.connection import Operation

FAILED_ENDS = frozenset({"failed", "timed_out"})
TAPS = frozenset({"selection", "deletion"})
"""Kinds of operations that somebody waits for who has just tapped. A refresh waits for the bank."""
TROUBLES = frozenset({"connection.state", "connection.error", "source.state", "account.error"})
"""Fields of Powens whose unknown values users read as a problem that we look into."""

MOST_VALUES = 50
"""In a line. CloudWatch reads a hundred, at which powertools writes it by itself."""

# Lambda reads level and time of a line that it did not write only if the time is one of RFC 3339.
logger = Logger(use_rfc3339=True)

silence_libraries()


def logged[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """A decorator of each handler: what is logged has the invocation's id and, from then on, no key of the one before.

    Never the event, which has tokens in it, whatever an environment variable of powertools says.
    """
    decorated: Callable[P, R] = logger.inject_lambda_context(handler, clear_state=True, log_event=False)
    return decorated


def trace(
    door: str, *, user_id: str | None, outcome: int | str, correlation_id: str, source_ip: str | None, about: str = ""
) -> None:
    """The line that says who did what, and holds nothing of what was read or changed.

    `outcome` is the status, or the code of a refusal; `about` are ids of ours, apart by spaces. The user is keyed: only
    who has the key finds the lines of somebody (`make user-key`).
    """
    key = os.environ.get("TRACES_KEY")
    logger.info(
        "audit",
        extra={
            "door": door,
            "user": user_key(user_id, key) if user_id is not None and key else None,
            "about": about,
            "outcome": outcome,
            "source_ip": source_ip,
            "correlation_id": correlation_id,
        },
    )


def count(metric: Metric, value: int = 1) -> None:
    """Add to a metric that counts."""
    _write(metric, MetricUnit.Count, value)


def measure(metric: Metric, *lengths: timedelta) -> None:
    """Add to a metric in seconds."""
    _write(metric, MetricUnit.Seconds, *(length.total_seconds() for length in lengths))


def count_unreadable(field: str) -> None:
    """A field of Powens' answers that could not be read, or whose word has no meaning here. `field` is our name for it;
    its value is not ours to log.
    """
    logger.warning("unreadable field", extra={"field": field})
    count(Metric.UNREADABLE_FIELDS)
    if field in TROUBLES:
        count(Metric.UNKNOWN_STATES)


def count_refused(what: str, status: int, code: str | None) -> None:
    """Powens says no. `what` is our name for the request; of what Powens says, only its one-word code is logged."""
    logger.warning("refused by Powens", extra={"request": what, "status": status, "powens_code": code})
    count(Metric.POWENS_REFUSALS)
    if status == 403:
        count(Metric.POWENS_FORBIDDEN)


def count_ended(operation: "Operation") -> None:
    """An operation has ended: of all, and of its kind with its end. The average of the failed ones is their share."""
    kind, end = operation.kind.value, operation.status.value
    logger.info("operation ended", extra={"operation_id": operation.id, "kind": kind, "end": end})
    count(Metric.ENDED_OPERATIONS)
    count(Metric.FAILED_OPERATIONS, int(end in FAILED_ENDS))
    if kind in TAPS and operation.ended_at is not None:
        measure(Metric.TAP_SECONDS, operation.ended_at - operation.created_at)
    with single_metric(name=Metric.ENDED_OPERATIONS.value, unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("kind", kind)
        metric.add_dimension("end", end)


@cache
def _metrics() -> Metrics:
    """Made when the first metric is written: the import of a handler reads no environment."""
    return Metrics()


def _write(metric: Metric, unit: MetricUnit, *values: float) -> None:
    """Write at once and not at the end of the invocation: what was counted before a time-out stays counted."""
    for some in batched(values, MOST_VALUES, strict=False):
        for value in some:
            _metrics().add_metric(name=metric.value, unit=unit, value=value)
        _metrics().flush_metrics()
