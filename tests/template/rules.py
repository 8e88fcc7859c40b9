"""What must be true of the deployment. Each rule takes the expanded template and returns its violations in words."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.facts import FactType
from tests.template.cloudformation import Properties, Stack, references, target

_STREAM_KEEPS_SECONDS = 86_400
_WITHOUT_RESOURCE = frozenset({"dynamodb:ListStreams"})
"""Actions for which IAM knows no resource: granted on `*`, or not at all."""
_DETAIL_TYPES = frozenset(FactType)
_PATTERN_OPERATORS = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
)


def _queue_with_alarm(stack: Stack, value: object, whose: str) -> Iterator[str]:
    queue = target(value)
    if stack.type_of(queue) != "AWS::SQS::Queue":
        yield f"{whose} has no queue for what it could not consume"
        return
    for _, alarm in stack.of("AWS::CloudWatch::Alarm"):
        if (
            alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
            and [target(d["Value"]) for d in alarm["Dimensions"]] == [queue]
            and alarm["Threshold"] <= 1
            and alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        ):
            return
    yield f"{whose}: no alarm tells that {queue} is not empty"


def _on_failure(configuration: Mapping[str, Any]) -> object:
    return configuration.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")


def _asynchronously_invoked(stack: Stack) -> Iterator[tuple[str, str, object]]:
    """Trigger, function, and the trigger's own place for what it could not hand over."""
    for name, schedule in stack.of("AWS::Scheduler::Schedule"):
        function = stack.function_behind(schedule["Target"]["Arn"])
        if function:
            yield name, function, schedule["Target"].get("DeadLetterConfig", {}).get("Arn")
    for name, rule in stack.of("AWS::Events::Rule"):
        for aim in rule["Targets"]:
            function = stack.function_behind(aim["Arn"])
            if function:
                yield name, function, aim.get("DeadLetterConfig", {}).get("Arn")


def async_consumers_have_dead_letters_and_an_alarm(stack: Stack) -> list[str]:
    found: list[str] = []
    for name, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        source = target(mapping["EventSourceArn"])
        assert source is not None
        if stack.type_of(source) == "AWS::SQS::Queue":
            dead = stack.properties(source).get("RedrivePolicy", {}).get("deadLetterTargetArn")
        else:
            dead = _on_failure(mapping)
        found += _queue_with_alarm(stack, dead, name)
    for trigger, function, dead in _asynchronously_invoked(stack):
        found += _queue_with_alarm(stack, dead, trigger)
        configurations = [
            configuration
            for _, configuration in stack.of("AWS::Lambda::EventInvokeConfig")
            if stack.function_behind(configuration["FunctionName"]) == function
        ]
        found += _queue_with_alarm(stack, _on_failure(configurations[0]) if configurations else None, function)
    return found


def stream_mappings_give_up_by_age(stack: Stack) -> list[str]:
    """A bad record must not hold up its shard for ever, nor a short outage use up a number of attempts."""
    return [
        f"{name} gives up too soon, or never"
        for name, mapping in stack.of("AWS::Lambda::EventSourceMapping")
        if stack.type_of(target(mapping["EventSourceArn"])) == "AWS::DynamoDB::Table"
        and (
            not 0 < mapping.get("MaximumRecordAgeInSeconds", -1) < _STREAM_KEEPS_SECONDS
            or mapping.get("MaximumRetryAttempts", -1) >= 0
            or not mapping.get("BisectBatchOnFunctionError")
        )
    ]


def queue_triggers_report_each_failure(stack: Stack) -> list[str]:
    return [
        f"{name}: one failed message would bring back the whole batch"
        for name, mapping in stack.of("AWS::Lambda::EventSourceMapping")
        if stack.type_of(target(mapping["EventSourceArn"])) == "AWS::SQS::Queue"
        and mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]
    ]


def messages_stay_hidden_for_six_timeouts(stack: Stack) -> list[str]:
    found = []
    for name, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        queue = target(mapping["EventSourceArn"])
        function = stack.function_behind(mapping["FunctionName"])
        if queue is None or function is None or stack.type_of(queue) != "AWS::SQS::Queue":
            continue
        hidden = stack.properties(queue).get("VisibilityTimeout", 30)
        timeout = stack.properties(function)["Timeout"]
        if hidden < 6 * timeout:
            found.append(f"{name}: hidden for {hidden} s, {function} may take {timeout} s")
    return found


def dead_letters_outlive_and_match_their_queue(stack: Stack) -> list[str]:
    found = []
    for name, queue in stack.of("AWS::SQS::Queue"):
        policy = queue.get("RedrivePolicy")
        if policy is None:
            continue
        dead = target(policy["deadLetterTargetArn"])
        assert dead is not None
        other = stack.properties(dead)
        if bool(queue.get("FifoQueue")) != bool(other.get("FifoQueue")):
            found.append(f"{name} and {dead} are not of the same kind")
        if other.get("MessageRetentionPeriod", 345600) <= queue.get("MessageRetentionPeriod", 345600):
            found.append(f"{dead} forgets before anybody has looked")
    return found


def fifo_queues_are_set_up_for_throughput(stack: Stack) -> list[str]:
    """Per group, so that one user's burst does not slow the others; deduplication ids are the sender's business."""
    consumed = {target(mapping["EventSourceArn"]) for _, mapping in stack.of("AWS::Lambda::EventSourceMapping")}
    return [
        f"{name} is limited as a whole"
        for name, queue in stack.of("AWS::SQS::Queue")
        if name in consumed
        and queue.get("FifoQueue")
        and (
            queue.get("DeduplicationScope") != "messageGroup"
            or queue.get("FifoThroughputLimit") != "perMessageGroupId"
            or queue.get("ContentBasedDeduplication")
        )
    ]


def statements(role: Properties) -> Iterator[Properties]:
    for policy in role.get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_wide(resource: object) -> bool:
    """True when nothing of ours narrows it down: `*`, or an ARN that ends in one and refers to nothing here."""
    if isinstance(resource, dict):
        text = resource.get("Fn::Sub", "")
        ours = [name for name in references(resource) if not name.startswith("AWS::")]
    else:
        text, ours = resource, []
    return not ours and isinstance(text, str) and bool(re.search(r"(^|[:/])\*$", text))


def roles_name_their_resources(stack: Stack) -> list[str]:
    found = []
    for name, role in stack.of("AWS::IAM::Role"):
        for statement in statements(role):
            narrow = set(as_list(statement["Action"])) - _WITHOUT_RESOURCE
            if narrow and any(_is_wide(resource) for resource in as_list(statement["Resource"])):
                found.append(f"{name} may {statement['Action']} on anything")
            if any("*" in action for action in as_list(statement["Action"])):
                found.append(f"{name} may {statement['Action']}")
        managed = [json.dumps(arn) for arn in role.get("ManagedPolicyArns", [])]
        if any("AWSCodeDeployRoleForLambda" not in arn for arn in managed):
            found.append(f"{name} takes a policy that is not written here: {managed}")
    return found


def functions_have_a_role_each(stack: Stack) -> list[str]:
    roles = [target(function["Role"]) for _, function in stack.of("AWS::Lambda::Function")]
    return [f"{role} is shared" for role in sorted({r for r in roles if r and roles.count(r) > 1})]


def logs_end(stack: Stack) -> list[str]:
    found = [
        f"{name} keeps its lines for ever"
        for name, group in stack.of("AWS::Logs::LogGroup")
        if "RetentionInDays" not in group
    ]
    for name, function in stack.of("AWS::Lambda::Function"):
        group = target(function.get("LoggingConfig", {}).get("LogGroup"))
        if stack.type_of(group) != "AWS::Logs::LogGroup":
            found.append(f"{name} logs to a group that Lambda makes, which never ends")
    return found


def data_outlives_the_stack(stack: Stack) -> list[str]:
    """Tables, keys, and the queues that hold what still has to be looked at."""
    keep = {name for name, _ in stack.of("AWS::DynamoDB::Table", "AWS::KMS::Key")}
    consumed = {target(mapping["EventSourceArn"]) for _, mapping in stack.of("AWS::Lambda::EventSourceMapping")}
    keep |= {name for name, _ in stack.of("AWS::SQS::Queue") if name not in consumed}
    # What a first deployment that failed leaves behind has the names that the second one wants.
    found = [
        f"{name} would be deleted with the stack, or kept by a stack that never came to be"
        for name in sorted(keep)
        if stack.resources[name].get("DeletionPolicy") != "RetainExceptOnCreate"
        or stack.resources[name].get("UpdateReplacePolicy") != "Retain"
    ]
    for name, table in stack.of("AWS::DynamoDB::Table"):
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            found.append(f"{name} cannot be restored")
        if not table.get("SSESpecification", {}).get("SSEEnabled"):
            found.append(f"{name} is not encrypted under a key in KMS")
    return found


def nothing_is_stored_in_the_clear(stack: Stack) -> list[str]:
    return [
        f"{name} is not encrypted"
        for name, queue in stack.of("AWS::SQS::Queue")
        if queue.get("SqsManagedSseEnabled") is not True and "KmsMasterKeyId" not in queue
    ]


def _pattern_faults(where: str, pattern: object) -> Iterator[str]:
    match pattern:
        case dict() if pattern:
            for key, inner in pattern.items():
                for alternative in inner if key == "$or" and isinstance(inner, list) else [inner]:
                    yield from _pattern_faults(where, alternative)
        case list() if pattern:
            for leaf in pattern:
                yield from _leaf_faults(where, leaf)
        case _:
            yield f"{where}: {pattern!r} must be a list of what is wanted"


def _leaf_faults(where: str, leaf: object) -> Iterator[str]:
    if isinstance(leaf, dict) and (len(leaf) != 1 or not set(leaf) <= _PATTERN_OPERATORS):
        yield f"{where}: {leaf} is no matcher"
    elif isinstance(leaf, list):
        yield f"{where}: {leaf} is a list in a list"


def event_patterns_are_sound(stack: Stack) -> list[str]:
    found: list[str] = []
    for name, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        for entry in mapping.get("FilterCriteria", {}).get("Filters", []):
            try:
                found += _pattern_faults(name, json.loads(entry["Pattern"]))
            except ValueError as error:
                found.append(f"{name}: {error}")
    for name, rule in stack.of("AWS::Events::Rule"):
        pattern = rule["EventPattern"]
        found += _pattern_faults(name, pattern)
        if pattern.get("source") != ["synced-accounts"]:
            found.append(f"{name} listens to somebody else: {pattern.get('source')}")
        if unknown := {kind for kind in pattern.get("detail-type", []) if isinstance(kind, str)} - _DETAIL_TYPES:
            found.append(f"{name} waits for what is never sent: {sorted(unknown)}")
        if stack.type_of(target(rule.get("EventBusName"))) != "AWS::Events::EventBus":
            found.append(f"{name} listens on the default bus")
    return found


def fifo_targets_have_a_group(stack: Stack) -> list[str]:
    aims = [(name, aim) for name, rule in stack.of("AWS::Events::Rule") for aim in rule["Targets"]]
    aims += [(name, schedule["Target"]) for name, schedule in stack.of("AWS::Scheduler::Schedule")]
    found = []
    for name, aim in aims:
        queue = target(aim["Arn"])
        if queue is None or stack.type_of(queue) != "AWS::SQS::Queue" or not stack.properties(queue).get("FifoQueue"):
            continue
        if "MessageGroupId" not in aim.get("SqsParameters", {}):
            found.append(f"{name} sends to {queue} without a group")
    return found


_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((\S+ ){5}\S+\)")
_AT = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")


def schedules_follow_the_grammar(stack: Stack) -> list[str]:
    expressions = [(name, s["ScheduleExpression"]) for name, s in stack.of("AWS::Scheduler::Schedule")]
    expressions += [
        (name, rule["ScheduleExpression"])
        for name, rule in stack.of("AWS::Events::Rule")
        if "ScheduleExpression" in rule
    ]
    return [
        f"{name}: {expression!r}"
        for name, expression in expressions
        if not any(grammar.fullmatch(expression) for grammar in (_RATE, _CRON, _AT))
    ]


def answers_come_before_the_gateway_gives_up(stack: Stack) -> list[str]:
    """API Gateway waits 30 seconds; a function that may take longer answers nobody."""
    called: set[str] = set()
    for _, permission in stack.of("AWS::Lambda::Permission"):
        if permission["Principal"] == "apigateway.amazonaws.com":
            function = stack.function_behind(permission["FunctionName"])
            if function:
                called.add(function)
    return [f"{name} may answer too late" for name in sorted(called) if stack.properties(name)["Timeout"] >= 30]


def references_resolve(stack: Stack) -> list[str]:
    known = set(stack.resources) | set(stack.template["Parameters"])
    return sorted(
        {
            f"{name} refers to {reference}, which is nowhere"
            for name, resource in stack.resources.items()
            for reference in references(resource.get("Properties", {}))
            if reference not in known and not reference.startswith("AWS::")
        }
    )
