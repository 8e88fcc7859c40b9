"""Ends overdue operations and plans read-only reconciliation. Trigger: EventBridge Scheduler, once a minute.

Guarantee: no operation stays open for more than about a minute past its deadline, and no user goes unread for longer
than `RECONCILE_EVERY`, however many messages got lost.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bootstrap import Container
from shared.entrypoints.observability import logger, metrics


@cache
def container() -> Container:
    return Container.from_env()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(raise_on_empty_metrics=False)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    done = container().keep_house()
    metrics.add_metric(name="OverdueOperations", unit=MetricUnit.Count, value=done.ended)
    metrics.add_metric(name="UsersPlanned", unit=MetricUnit.Count, value=done.planned)
