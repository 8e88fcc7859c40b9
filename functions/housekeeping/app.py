"""Ends what is overdue or unconfirmed, has read what did not come, queues late erasures again, watches incidents.

Trigger: EventBridge Scheduler, each minute.

Guarantee: no operation stays open for more than about a minute past its deadline, and a synchronisation that nobody
told us of is read about an hour after it was expected (`shared/domain/expectation.py`), however many messages got lost.
"""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bootstrap import Container
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, count_ended, logged, measure


@cache
def container() -> Container:
    return Container.from_env(on_ended=count_ended)


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 - Lambda's signature
    done = container().keep_house.run()
    count(Metric.OVERDUE_OPERATIONS, done.ended)
    measure(Metric.OPEN_OPERATION_SECONDS, *done.ages)
    count(Metric.UNCONFIRMED_CONNECTIONS, done.unconfirmed)
    count(Metric.USERS_PLANNED, done.planned)
    count(Metric.LATE_ERASURES, done.late_erasures)
    measure(Metric.RECONCILIATION_LAG, timedelta(seconds=done.lag_seconds))
    count(Metric.OPEN_INCIDENTS, done.incidents)
