"""What each alarm means: which numbers it looks at, and when it speaks."""

from datetime import timedelta

from shared.application.access import RECONCILE_EVERY
from shared.domain.ledger import OPERATION_DEADLINE
from shared.entrypoints.sqs import LONGEST_DELAY_SECONDS
from tests.template.cloudformation import Stack


def test_the_alarm_on_staleness_leaves_the_plan_an_hour_and_no_more(deployed: Stack) -> None:
    threshold = timedelta(seconds=deployed.properties("StalenessAlarm")["Threshold"])

    assert threshold == RECONCILE_EVERY + timedelta(hours=1)


def test_a_screen_whose_token_is_refused_is_no_error_of_the_sockets(deployed: Stack) -> None:
    """`IntegrationError` counts every answer of 400 or more, and a refused token is answered 401."""
    assert deployed.properties("LiveApiErrorsAlarm")["MetricName"] == "ExecutionError"


def test_one_slow_refresh_is_no_slow_queue(deployed: Stack) -> None:
    """It waits in the queue until its deadline, and for one more delivery."""
    alarm, queue = deployed.properties("CommandsQueueAgeAlarm"), deployed.properties("CommandsQueue")
    slowest = OPERATION_DEADLINE.total_seconds() + LONGEST_DELAY_SECONDS + queue["VisibilityTimeout"]

    assert alarm["Threshold"] > slowest


def test_each_stage_counts_for_itself(deployed: Stack) -> None:
    namespace = {"Fn::Sub": "SyncedAccounts/${Stage}"}
    for _, function in deployed.of("AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == namespace
