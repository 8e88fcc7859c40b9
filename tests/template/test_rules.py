"""The rules of the deployment hold, and each of them notices the fault it is there for."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tests.template import alarm_rules, rules
from tests.template.cloudformation import Stack

type Rule = Callable[[Stack], list[str]]
type Fault = Callable[[Stack], None]

EVERY_RULE: dict[str, Rule] = {
    name: function
    for module in (rules, alarm_rules)
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if list(inspect.signature(function).parameters) == ["stack"] and not name.startswith("_")
}


def _without(resource: str, *path: str) -> Fault:
    """Takes a property away."""

    def fault(stack: Stack) -> None:
        place: Any = stack.properties(resource)
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    fault.__name__ = f"{resource}_without_{path[-1]}"
    return fault


def _with(resource: str, value: object, *path: str | int) -> Fault:
    """Sets a property."""

    def fault(stack: Stack) -> None:
        place: Any = stack.properties(resource)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    fault.__name__ = f"{resource}_with_other_{path[-1]}"
    return fault


def _gone(resource: str) -> Fault:
    def fault(stack: Stack) -> None:
        del stack.template["Resources"][resource]

    fault.__name__ = f"no_{resource}"
    return fault


def _added(resource_type: str, **properties: object) -> Fault:
    def fault(stack: Stack) -> None:
        stack.template["Resources"]["Added"] = {"Type": resource_type, "Properties": properties}

    fault.__name__ = f"another_{resource_type.rsplit('::', 1)[-1]}"
    return fault


def _not_retained(stack: Stack) -> None:
    del stack.template["Resources"]["Table"]["UpdateReplacePolicy"]


def _retained_by_a_failed_creation(stack: Stack) -> None:
    stack.template["Resources"]["RefreshDeadLetterQueue"]["DeletionPolicy"] = "Retain"


def _dashboard_of_nothing(stack: Stack) -> None:
    body = stack.properties("Dashboard")["DashboardBody"]
    body["Fn::Sub"] = body["Fn::Sub"].replace('"5xx", "ApiId"', '"5XXError", "ApiName"')


def _statement(**changes: object) -> Fault:
    def fault(stack: Stack) -> None:
        stack.properties("AccountsApiRole")["Policies"][0]["PolicyDocument"]["Statement"][1].update(changes)

    fault.__name__ = "_".join(["statement_with_other", *changes])
    return fault


_QUEUE_ARN = {"Fn::GetAtt": ["RefreshQueue", "Arn"]}
EVENTS_READER = "OutboxPublisherFunctionOutboxEvents"
COMMANDS_WAITING = {"Fn::Sub": "${AWS::StackName}-commands-waiting"}
_RULE_OK = {"source": ["synced-accounts"], "detail-type": ["AccountsUpdated"]}

FAULTS: list[tuple[Rule, Fault]] = [
    (rules.async_consumers_have_dead_letters_and_an_alarm, _without("RefreshQueue", "RedrivePolicy")),
    (rules.async_consumers_have_dead_letters_and_an_alarm, _gone("CommandsDeadLettersAlarm")),
    (rules.async_consumers_have_dead_letters_and_an_alarm, _with("OutboxFailuresAlarm", 50, "Threshold")),
    (
        rules.async_consumers_have_dead_letters_and_an_alarm,
        _without(EVENTS_READER, "DestinationConfig"),
    ),
    (rules.async_consumers_have_dead_letters_and_an_alarm, _gone("HousekeepingFunctionEventInvokeConfig")),
    (
        rules.async_consumers_have_dead_letters_and_an_alarm,
        _without("HousekeepingFunctionEveryMinute", "Target", "DeadLetterConfig"),
    ),
    (
        rules.async_consumers_have_dead_letters_and_an_alarm,
        _added(
            "AWS::Events::Rule",
            EventPattern=_RULE_OK,
            Targets=[{"Id": "it", "Arn": {"Fn::GetAtt": ["HousekeepingFunction", "Arn"]}}],
        ),
    ),
    (rules.stream_mappings_give_up_by_age, _without(EVENTS_READER, "MaximumRecordAgeInSeconds")),
    (rules.stream_mappings_give_up_by_age, _with(EVENTS_READER, 10, "MaximumRetryAttempts")),
    (
        rules.queue_triggers_report_each_failure,
        _without("AccountCommandsFunctionCommands", "FunctionResponseTypes"),
    ),
    (rules.messages_stay_hidden_for_six_timeouts, _with("ConnectionRefreshFunction", 31, "Timeout")),
    (rules.messages_stay_hidden_for_six_timeouts, _without("CommandsQueue", "VisibilityTimeout")),
    (rules.dead_letters_outlive_and_match_their_queue, _without("RefreshDeadLetterQueue", "FifoQueue")),
    (
        rules.dead_letters_outlive_and_match_their_queue,
        _without("CommandsDeadLetterQueue", "MessageRetentionPeriod"),
    ),
    (rules.fifo_queues_are_set_up_for_throughput, _without("RefreshQueue", "FifoThroughputLimit")),
    (rules.fifo_queues_are_set_up_for_throughput, _with("CommandsQueue", True, "ContentBasedDeduplication")),
    (alarm_rules.shown_metrics_exist, _with("ApiServerErrorsAlarm", "5XXError", "MetricName")),
    (alarm_rules.shown_metrics_exist, _with("OutboxAgeAlarm", "TableName", "Dimensions", 0, "Name")),
    (alarm_rules.shown_metrics_exist, _with("OutboxAgeAlarm", {"Ref": "Table"}, "Dimensions", 0, "Value")),
    (alarm_rules.shown_metrics_exist, _with("RefusedSignaturesAlarm", "synced_accounts", "Dimensions", 0, "Value")),
    (alarm_rules.shown_metrics_exist, _with("RefusedSignaturesAlarm", "SyncedAccounts", "Namespace")),
    (alarm_rules.shown_metrics_exist, _dashboard_of_nothing),
    (alarm_rules.alarms_reach_somebody, _without("OutboxAgeAlarm", "AlarmActions")),
    (alarm_rules.alarms_are_told_apart, _with("RefreshQueueAgeAlarm", COMMANDS_WAITING, "AlarmName")),
    (alarm_rules.functions_have_an_alarm_on_errors, _gone("AccountsApiErrorsAlarm")),
    (rules.roles_name_their_resources, _statement(Resource="*")),
    (rules.roles_name_their_resources, _statement(Resource={"Fn::Sub": "arn:${AWS::Partition}:dynamodb:*:*:table/*"})),
    (rules.roles_name_their_resources, _statement(Action="dynamodb:*")),
    (
        rules.roles_name_their_resources,
        _with("HousekeepingRole", ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"], "ManagedPolicyArns"),
    ),
    (
        rules.functions_have_a_role_each,
        _with("HousekeepingFunction", {"Fn::GetAtt": ["AccountsApiRole", "Arn"]}, "Role"),
    ),
    (rules.logs_end, _without("ApiAccessLog", "RetentionInDays")),
    (rules.logs_end, _without("HousekeepingFunction", "LoggingConfig", "LogGroup")),
    (rules.data_outlives_the_stack, _not_retained),
    (rules.data_outlives_the_stack, _retained_by_a_failed_creation),
    (rules.data_outlives_the_stack, _without("Table", "PointInTimeRecoverySpecification")),
    (rules.data_outlives_the_stack, _without("Table", "SSESpecification")),
    (rules.nothing_is_stored_in_the_clear, _without("OutboxFailuresQueue", "SqsManagedSseEnabled")),
    (
        rules.event_patterns_are_sound,
        _with(EVENTS_READER, '{"eventName": "INSERT"}', "FilterCriteria", "Filters", 0, "Pattern"),
    ),
    (
        rules.event_patterns_are_sound,
        _with(
            EVENTS_READER,
            '{"eventName": [{"begins-with": "I"}]}',
            "FilterCriteria",
            "Filters",
            0,
            "Pattern",
        ),
    ),
    (
        rules.event_patterns_are_sound,
        _with(EVENTS_READER, '{"eventName": ["INSERT"]', "FilterCriteria", "Filters", 0, "Pattern"),
    ),
    (
        rules.event_patterns_are_sound,
        _added(
            "AWS::Events::Rule",
            EventBusName={"Ref": "EventBus"},
            EventPattern={**_RULE_OK, "detail-type": ["AccountUpdated"]},
            Targets=[],
        ),
    ),
    (rules.event_patterns_are_sound, _added("AWS::Events::Rule", EventPattern=_RULE_OK, Targets=[])),
    (
        rules.fifo_targets_have_a_group,
        _added("AWS::Events::Rule", EventPattern=_RULE_OK, Targets=[{"Id": "it", "Arn": _QUEUE_ARN}]),
    ),
    (
        rules.schedules_follow_the_grammar,
        _with("HousekeepingFunctionEveryMinute", "rate(1 minutes)", "ScheduleExpression"),
    ),
    (rules.answers_come_before_the_gateway_gives_up, _with("AccountsApiFunction", 30, "Timeout")),
    (rules.references_resolve, _with("OutboxAgeAlarm", {"Ref": "AlarmTopics"}, "AlarmActions", 0)),
]


@pytest.mark.parametrize("rule", EVERY_RULE.values(), ids=EVERY_RULE)
def test_the_rule_holds(rule: Rule, deployed: Stack) -> None:
    assert rule(deployed) == []


@pytest.mark.parametrize("rule", EVERY_RULE.values(), ids=EVERY_RULE)
def test_the_rule_holds_in_production_too(rule: Rule, in_production: Stack) -> None:
    assert rule(in_production) == []


@pytest.mark.parametrize(
    ("rule", "fault"), FAULTS, ids=[f"{rule.__name__}-{fault.__name__.strip('_')}" for rule, fault in FAULTS]
)
def test_the_rule_notices(rule: Rule, fault: Fault, altered: Stack) -> None:
    fault(altered)

    assert rule(altered) != []


def test_no_rule_is_without_a_fault_that_it_notices() -> None:
    assert {rule.__name__ for rule, _ in FAULTS} == set(EVERY_RULE)
