"""Looks for users at Powens whom nobody here owns. Trigger: EventBridge Scheduler, once a day.

Guarantee: it only looks. What it found twice, a day apart, is counted and listed for an operator; nothing is deleted.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bootstrap import Container
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logged, logger


@cache
def container() -> Container:
    return Container.from_env()


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    checked = container().check_orphans.run()
    if checked.orphans is None:
        count(Metric.ORPHAN_CHECKS_SKIPPED)
        return
    count(Metric.ORPHAN_USERS, len(checked.orphans))
    logger.info("users checked", extra={"users": checked.users, "orphans": len(checked.orphans)})
