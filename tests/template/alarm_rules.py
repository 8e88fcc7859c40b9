"""What must be true of alarms and graphs. As in `rules.py`, each rule returns its violations in words."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from shared.entrypoints.metrics import Metric
from tests.template.cloudformation import Stack, target

# Namespace and metric -> the sets of dimensions under which the service publishes it (CloudWatch shows nothing else).
_KNOWN_METRICS: Mapping[tuple[str, str], Sequence[frozenset[str]]] = {
    **{
        ("AWS/Lambda", metric): (frozenset({"FunctionName"}), frozenset({"FunctionName", "Resource"}))
        for metric in (
            "ConcurrentExecutions",
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "Invocations",
            "IteratorAge",
            "Throttles",
        )
    },
    **{
        ("AWS/SQS", metric): (frozenset({"QueueName"}),)
        for metric in (
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfMessagesSent",
        )
    },
    **{
        ("AWS/ApiGateway", metric): (frozenset({"ApiId"}), frozenset({"ApiId", "Stage"}))
        for metric in ("4xx", "5xx", "Count", "DataProcessed", "IntegrationLatency", "Latency")
    },
    # WebSocket APIs publish under other names than HTTP APIs.
    **{
        ("AWS/ApiGateway", metric): (frozenset({"ApiId"}), frozenset({"ApiId", "Stage"}))
        for metric in ("ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "MessageCount")
    },
    **{
        ("AWS/DynamoDB", metric): (frozenset({"TableName"}),)
        for metric in (
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        )
    },
    **{
        ("AWS/Events", metric): (frozenset({"EventBusName", "RuleName"}), frozenset({"RuleName"}))
        for metric in ("FailedInvocations", "Invocations", "InvocationsFailedToBeSentToDlq", "InvocationsSentToDlq")
    },
}
_DIMENSION_TYPES: Mapping[str, frozenset[str]] = {
    "FunctionName": frozenset({"AWS::Lambda::Function"}),
    "QueueName": frozenset({"AWS::SQS::Queue"}),
    "ApiId": frozenset({"AWS::ApiGatewayV2::Api"}),
    "TableName": frozenset({"AWS::DynamoDB::Table"}),
    "RuleName": frozenset({"AWS::Events::Rule"}),
    "EventBusName": frozenset({"AWS::Events::EventBus"}),
}
OWN_NAMESPACE = "SyncedAccounts/${Stage}"


def _metrics_shown(stack: Stack) -> Iterator[tuple[str, str, str, list[tuple[str, object]]]]:
    """Where, namespace, metric, dimensions: of alarms and of dashboards."""
    for name, alarm in stack.of("AWS::CloudWatch::Alarm"):
        dimensions = [(d["Name"], d["Value"]) for d in alarm.get("Dimensions", [])]
        namespace = alarm["Namespace"]
        yield name, namespace if isinstance(namespace, str) else namespace["Fn::Sub"], alarm["MetricName"], dimensions
    for name, dashboard in stack.of("AWS::CloudWatch::Dashboard"):
        for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]:
            for namespace, metric, *rest in widget["properties"]["metrics"]:
                texts = [part for part in rest if isinstance(part, str)]
                pairs = zip(texts[::2], texts[1::2], strict=True)
                yield name, namespace, metric, [(k, {"Fn::Sub": v} if "${" in v else v) for k, v in pairs]


def shown_metrics_exist(stack: Stack) -> list[str]:
    found = []
    for where, namespace, metric, dimensions in _metrics_shown(stack):
        if namespace == OWN_NAMESPACE:
            if metric not in set(Metric) or dimensions != [("service", "synced-accounts")]:
                found.append(f"{where}: the code publishes no {metric} {dimensions}")
            continue
        if frozenset(name for name, _ in dimensions) not in _KNOWN_METRICS.get((namespace, metric), ()):
            found.append(f"{where}: {namespace} publishes no {metric} by {[name for name, _ in dimensions]}")
        for name, value in dimensions:
            if name in _DIMENSION_TYPES and stack.type_of(target(value)) not in _DIMENSION_TYPES[name]:
                found.append(f"{where}: {value} is no {name}")
    return found


def alarms_reach_somebody(stack: Stack) -> list[str]:
    return [
        f"{name} tells nobody"
        for name, alarm in stack.of("AWS::CloudWatch::Alarm")
        if [stack.type_of(target(action)) for action in alarm.get("AlarmActions", [])] != ["AWS::SNS::Topic"]
    ]


def alarms_are_told_apart(stack: Stack) -> list[str]:
    """An alarm takes from another what it does not say itself, and must not take what tells it from the other."""
    told = [
        (name, str([alarm.get(part) for part in parts]))
        for parts in (
            ("AlarmName",),
            ("AlarmDescription",),
            ("Namespace", "MetricName", "Dimensions", "ExtendedStatistic"),
        )
        for name, alarm in stack.of("AWS::CloudWatch::Alarm")
    ]
    counts = Counter(what for _, what in told)
    return [f"{name} shares {what} with another alarm" for name, what in told if counts[what] > 1]


def functions_have_an_alarm_on_errors(stack: Stack) -> list[str]:
    watched = {
        target(alarm["Dimensions"][0]["Value"])
        for _, alarm in stack.of("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "Errors"
    }
    return [f"nobody hears of {name}'s errors" for name, _ in stack.of("AWS::Lambda::Function") if name not in watched]
