"""Renews the catalogue of institutions, and counts what users get at each. Trigger: EventBridge Scheduler; an operator.

Guarantee: when Powens fails, or answers with what cannot be its catalogue, the last good copy stays in force and the
invocation fails, which is an alarm; what users get is counted all the same. An operator who knows that the institutions
did shrink invokes it with `{"believe": true}`.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bootstrap import Container
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, count_unreadable, logged


@cache
def container() -> Container:
    return Container.from_env(on_unreadable=count_unreadable)


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    container().remaining_seconds = lambda: context.get_remaining_time_in_millis() / 1000
    done = container().refresh_catalogue.run(believe=event.get("believe") is True)
    count(Metric.INSTITUTIONS, done.institutions)
    count(Metric.UNREADABLE_INSTITUTIONS, done.unreadable)
    count(Metric.WISHES_GRANTED, done.granted)
    return {
        "institutions": done.institutions,
        "unreadable": done.unreadable,
        "newly_given": done.newly_given,
        "granted": done.granted,
        "kept": done.kept,
    }
