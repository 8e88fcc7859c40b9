"""What each alarm means: which numbers it looks at, and when it speaks."""

from datetime import timedelta

from shared.domain.expectation import FIRST_RETRY
from shared.domain.ledger import OPERATION_DEADLINE
from shared.entrypoints.metrics import Metric
from shared.entrypoints.sqs import LONGEST_DELAY_SECONDS
from tests.template.cloudformation import Stack, target, translate


def test_the_alarm_on_staleness_leaves_time_to_ask_once_more_and_an_hour(deployed: Stack) -> None:
    threshold = timedelta(seconds=deployed.properties("StalenessAlarm")["Threshold"])

    assert threshold == FIRST_RETRY + timedelta(hours=1)


def test_a_screen_whose_token_is_refused_is_no_error_of_the_sockets(deployed: Stack) -> None:
    """`IntegrationError` counts every answer of 400 or more, and a refused token is answered 401."""
    assert deployed.properties("LiveApiErrorsAlarm")["MetricName"] == "ExecutionError"


def test_one_slow_refresh_is_no_slow_queue(deployed: Stack) -> None:
    """It waits in the queue until its deadline, and for one more delivery."""
    alarm, queue = deployed.properties("CommandsQueueAgeAlarm"), deployed.properties("CommandsQueue")
    slowest = OPERATION_DEADLINE.total_seconds() + LONGEST_DELAY_SECONDS + queue["VisibilityTimeout"]

    assert alarm["Threshold"] > slowest


def test_webhooks_that_are_lost_to_us_are_told_of(deployed: Stack) -> None:
    """Unusable ones are answered 200 and do not come again; unqueued ones do, and hold up those behind them."""
    for name, metric in (("UnusableWebhooksAlarm", "UnusableWebhooks"), ("UnqueuedWebhooksAlarm", "UnqueuedWebhooks")):
        alarm = deployed.properties(name)
        assert (alarm["MetricName"], alarm["Statistic"]) == (metric, "Sum")
        assert alarm["TreatMissingData"] == "notBreaching"


def test_no_webhook_for_hours_is_told_of_although_nothing_is_counted_then(deployed: Stack) -> None:
    alarm = deployed.properties("SilentWebhooksAlarm")

    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == ("QueuedWebhooks", "Sum", 3600)
    assert alarm["EvaluationPeriods"] == {"Ref": "WebhookSilenceHours"}
    assert "DatapointsToAlarm" not in alarm
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"


def test_a_stage_without_webhooks_needs_no_such_alarm(deployed: Stack, template_text: str) -> None:
    assert deployed.resources["SilentWebhooksAlarm"]["Condition"] == "HasWebhookSilenceHours"
    declared = translate(template_text)["Parameters"]["WebhookSilenceHours"]
    # CloudWatch looks back seven days at most.
    assert (declared["MinValue"], declared["MaxValue"]) == (0, 168)


def test_the_share_of_what_fails_is_watched_and_not_one_failure(deployed: Stack) -> None:
    alarm = deployed.properties("FailedOperationsAlarm")

    # 0 or 1 is written for each operation that ends.
    assert (alarm["MetricName"], alarm["Statistic"]) == (Metric.FAILED_OPERATIONS, "Average")
    assert alarm["Threshold"] <= 0.5
    assert alarm["DatapointsToAlarm"] == 2


def test_every_number_that_we_write_is_on_the_dashboard(deployed: Stack) -> None:
    body = deployed.properties("Dashboard")["DashboardBody"]["Fn::Sub"]

    assert {metric for metric in Metric if f'"{metric}"' not in body} == set()


def test_people_and_powens_do_not_wait_unseen(deployed: Stack) -> None:
    slow = [
        target(alarm["Dimensions"][0]["Value"])
        for _, alarm in deployed.of("AWS::CloudWatch::Alarm")
        if (alarm["MetricName"], alarm.get("ExtendedStatistic")) == ("Duration", "p99")
    ]
    throttled = [
        target(alarm["Dimensions"][0]["Value"])
        for _, alarm in deployed.of("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] in {"Throttles", "ReadThrottleEvents", "WriteThrottleEvents"}
    ]

    assert set(slow) == {"AccountsApiFunction", "PowensWebhookFunction"}
    assert set(throttled) == {"AccountsApiFunction", "PowensWebhookFunction", "AccountCommandsFunction", "Table"}


def test_each_stage_counts_for_itself(deployed: Stack) -> None:
    namespace = {"Fn::Sub": "SyncedAccounts/${Stage}"}
    for _, function in deployed.of("AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == namespace
