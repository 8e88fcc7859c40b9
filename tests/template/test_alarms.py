"""What each alarm means: which numbers it looks at, and when it speaks."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from shared.domain.expectation import FIRST_RETRY
from shared.domain.ledger import OPERATION_DEADLINE
from shared.entrypoints.metrics import Metric
from shared.entrypoints.sqs import (
    FIRST_DELAY_OF_NEWER_SECONDS,
    LONGEST_DELAY_OF_NEWER_SECONDS,
    LONGEST_DELAY_SECONDS,
)
from tests.template.cloudformation import Stack, target, translate

ROOT = Path(__file__).parents[2]
FELT = [
    "TapSeconds",
    "Staleness",
    "FailedOperations",
    "ApproximateNumberOfMessagesNotVisible",
    "RefusedSignatures",
    "PowensForbidden",
]
"""What users feel, in the order of the dashboard."""
LOOKED_INTO = {"unknown_problem": Metric.UNKNOWN_STATES, "forbidden_by_powens": Metric.POWENS_FORBIDDEN}
"""What users read that we look into, and what makes somebody do so."""


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


def test_what_waits_for_a_newer_release_is_heard_of_within_the_hour_and_a_deployment_is_not(deployed: Stack) -> None:
    alarm = deployed.properties("NewerVersionsAlarm")
    period, needed = alarm["Period"], alarm["DatapointsToAlarm"]
    waits = [min(LONGEST_DELAY_OF_NEWER_SECONDS, FIRST_DELAY_OF_NEWER_SECONDS << times) for times in range(30)]
    counted = {int(at // period) for at in accumulate(waits, initial=0)}

    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 1)
    # One message is enough, wherever it has come to in its waits.
    windows = [set(range(first, first + alarm["EvaluationPeriods"])) for first in range(max(counted) - needed)]
    assert all(len(window & counted) >= needed for window in windows)
    assert alarm["EvaluationPeriods"] * period <= timedelta(hours=1).total_seconds()
    # Five minutes of two versions, and as long for all the rest, fall into two periods at most.
    assert needed > 2 > timedelta(minutes=10).total_seconds() / period


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


def _shown(widget: Mapping[str, Any]) -> set[str]:
    return {name for _, name, *_ in widget["properties"]["metrics"]}


def test_the_dashboard_begins_with_what_users_feel_and_not_with_what_machines_do(deployed: Stack) -> None:
    widgets = json.loads(deployed.properties("Dashboard")["DashboardBody"]["Fn::Sub"])["widgets"]
    first = sorted(widgets, key=lambda widget: (widget["y"], widget["x"]))[:6]

    assert [next(iter(_shown(widget).intersection(FELT)), None) for widget in first] == FELT
    # The share of the choices that show within ten seconds.
    assert first[0]["properties"]["stat"] == "PR(:10)"
    machines = {"Errors", "ConsumedReadCapacityUnits", "IteratorAge", "ConnectCount", "Invocations"}
    assert not [widget["properties"]["title"] for widget in first if _shown(widget) & machines]


def test_no_graph_lies_over_another(deployed: Stack) -> None:
    widgets = json.loads(deployed.properties("Dashboard")["DashboardBody"]["Fn::Sub"])["widgets"]
    cells = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("language", ["fr", "en"])
def test_users_read_that_somebody_looks_into_it_only_where_an_alarm_makes_somebody(
    language: str, deployed: Stack
) -> None:
    texts = json.loads((ROOT / "shared" / "contracts" / "locales" / f"{language}.json").read_text("utf-8"))
    said = {key for key, text in texts.items() if re.search(r"examinons|cherchons|looking into", str(text))}

    assert {key.rpartition(".")[2] for key in said} == set(LOOKED_INTO)
    for metric in LOOKED_INTO.values():
        [alarm] = [alarm for _, alarm in deployed.of("AWS::CloudWatch::Alarm") if alarm["MetricName"] == metric]
        assert (alarm["Threshold"], alarm["Statistic"], alarm["EvaluationPeriods"]) == (1, "Sum", 1)


def test_a_choice_that_takes_longer_than_people_wait_is_heard_of(deployed: Stack) -> None:
    alarm = deployed.properties("SlowTapsAlarm")

    assert (alarm["MetricName"], alarm["ExtendedStatistic"], alarm["Threshold"]) == (Metric.TAP_SECONDS, "p90", 10)


def test_a_failure_that_could_not_even_be_noted_is_heard_of(deployed: Stack) -> None:
    """Each function that fails without a caller notes it in a queue: by itself, or its stream's mapping does."""
    noting = {
        deployed.function_behind(given["FunctionName"])
        for kind in ("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping")
        for _, given in deployed.of(kind)
        if given.get("DestinationConfig", {}).get("OnFailure")
    }
    watched = {
        target(alarm["Dimensions"][0]["Value"])
        for _, alarm in deployed.of("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "DestinationDeliveryFailures"
    }

    assert len(noting) == 5
    assert watched == noting
    rules = {
        target(dimension["Value"])
        for _, alarm in deployed.of("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "InvocationsFailedToBeSentToDlq"
        for dimension in alarm["Dimensions"]
    }
    assert rules == {"EventBus", *(name for name, _ in deployed.of("AWS::Events::Rule"))}


# --- what is saved for people and for other stacks -------------------------------------------------------------------


def test_a_saved_query_reads_the_logs_of_all_functions_and_finds_by_what_we_write(deployed: Stack) -> None:
    logs = {target(function["LoggingConfig"]["LogGroup"]) for _, function in deployed.of("AWS::Lambda::Function")}
    queries = dict(deployed.of("AWS::Logs::QueryDefinition"))
    read = {name: {target(group) for group in query["LogGroupNames"]} for name, query in queries.items()}

    # Who did what is written at the two doors that know the user; from which address, also by the gateway.
    assert (read.pop("UserQuery"), read.pop("ThingQuery")) == ({"AccountsApiLog", "LiveUpdatesLog"},) * 2
    assert (read.pop("AddressQuery"), read["CorrelationQuery"] - logs) == ({"ApiAccessLog"},) * 2
    assert all(groups >= logs for groups in read.values())
    assert "correlation_id" in queries["CorrelationQuery"]["QueryString"]
    written = (ROOT / "shared" / "entrypoints" / "observability.py").read_text("utf-8")
    for message in re.findall(r'message = "(.+?)"', "".join(query["QueryString"] for query in queries.values())):
        assert f'"{message}"' in written


def test_other_stacks_find_the_bus_by_a_name_that_they_know(deployed: Stack) -> None:
    found = {given["Name"]["Fn::Sub"]: given["Value"] for _, given in deployed.of("AWS::SSM::Parameter")}

    assert found == {
        "/synced-accounts/${Stage}/event-bus-name": {"Ref": "EventBus"},
        "/synced-accounts/${Stage}/event-bus-arn": {"Fn::GetAtt": ["EventBus", "Arn"]},
        "/synced-accounts/${Stage}/api-url": {"Ref": "PublicUrl"},
    }
    said = (ROOT / "docs" / "events.md").read_text("utf-8")
    assert all(f"{name.rpartition('/')[2]}`" in said for name in found)


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
