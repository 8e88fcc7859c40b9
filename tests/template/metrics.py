"""The metrics that alarms and dashboards may show, and those that they do show."""

import json
from collections.abc import Iterator, Mapping, Sequence

from tests.template.cloudformation import Stack

OWN_NAMESPACE = "SyncedAccounts"
# Namespace and metric -> the sets of dimensions under which the service publishes it (CloudWatch shows nothing else).
KNOWN: Mapping[tuple[str, str], Sequence[frozenset[str]]] = {
    **{
        ("AWS/Lambda", metric): (frozenset({"FunctionName"}), frozenset({"FunctionName", "Resource"}))
        for metric in ("ConcurrentExecutions", "Duration", "Errors", "Invocations", "IteratorAge", "Throttles")
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
        for metric in ("FailedInvocations", "Invocations", "InvocationsSentToDlq")
    },
}
DIMENSION_TYPES: Mapping[str, frozenset[str]] = {
    "FunctionName": frozenset({"AWS::Lambda::Function"}),
    "QueueName": frozenset({"AWS::SQS::Queue"}),
    "ApiId": frozenset({"AWS::ApiGatewayV2::Api"}),
    "TableName": frozenset({"AWS::DynamoDB::Table"}),
    "RuleName": frozenset({"AWS::Events::Rule"}),
    "EventBusName": frozenset({"AWS::Events::EventBus"}),
}


def shown(stack: Stack) -> Iterator[tuple[str, str, str, list[tuple[str, object]]]]:
    """Where, namespace, metric, dimensions: of alarms and of dashboards."""
    for name, alarm in stack.of("AWS::CloudWatch::Alarm"):
        dimensions = [(d["Name"], d["Value"]) for d in alarm.get("Dimensions", [])]
        yield name, alarm["Namespace"], alarm["MetricName"], dimensions
    for name, dashboard in stack.of("AWS::CloudWatch::Dashboard"):
        for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]:
            for namespace, metric, *rest in widget["properties"]["metrics"]:
                texts = [part for part in rest if isinstance(part, str)]
                pairs = zip(texts[::2], texts[1::2], strict=True)
                yield name, namespace, metric, [(k, {"Fn::Sub": v} if "${" in v else v) for k, v in pairs]
