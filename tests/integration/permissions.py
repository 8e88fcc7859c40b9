"""Which calls of AWS a function's role in the template allows, so that every test notices one that it lacks."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from tests.worlds.deployment import resources


class Action(NamedTuple):
    """`name` is IAM's. For DynamoDB, `about` is `table` or `index`, and `key` the partition key; else empty."""

    name: str
    about: str = ""
    key: str = ""


_BATCHES = {"SendMessageBatch": "SendMessage", "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}


def actions(service: str, operation: str, given: Mapping[str, Any]) -> set[Action]:
    """What a call needs; DynamoDB looks at each part of a transaction by itself."""
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            parts = [(kind, content) for part in given["TransactItems"] for kind, content in part.items()]
            return {Action(f"dynamodb:{kind}Item", "table", key) for kind, part in parts for key in _keys(part)}
        case "dynamodb", _:
            about = "index" if "IndexName" in given else "table"
            return {Action(f"dynamodb:{operation}", about, key) for key in _keys(given)}
        case "apigatewaymanagementapi", _:
            return {Action("execute-api:ManageConnections")}
    return {Action(f"{service}:{_BATCHES.get(operation, operation)}")}


def _keys(given: Mapping[str, Any]) -> Iterator[str]:
    """The partition keys that a call names, as conditions on `dynamodb:LeadingKeys` see them."""
    for key in ("Key", "Item"):
        if key in given:
            yield given[key]["pk"]["S"]
    for asked in given.get("RequestItems", {}).values():
        yield from (key["pk"]["S"] for key in asked["Keys"])
    if "KeyConditionExpression" in given:
        [name] = re.findall(r"^\w*pk = (:\w+)", given["KeyConditionExpression"])
        yield given["ExpressionAttributeValues"][name]["S"]


def allows(function: str, action: Action) -> bool:
    """Whether the role of `functions/<function>` lets it through."""
    return any(granted[:2] == action[:2] and fnmatchcase(action.key, granted.key) for granted in _granted_to(function))


@cache
def _granted_to(function: str) -> frozenset[Action]:
    (properties,) = (
        resource["Properties"]
        for resource in resources().values()
        if resource["Type"] == "AWS::Serverless::Function"
        and resource["Properties"]["CodeUri"] == f"functions/{function}/"
    )
    role = resources()[properties["Role"]["Fn::GetAtt"][0]]["Properties"]
    return frozenset(_granted(role))


def _granted(role: Mapping[str, Any]) -> Iterator[Action]:
    """With a pattern for a key."""
    for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
        given = statement["Action"]
        conditions = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
        for action in [given] if isinstance(given, str) else given:
            about = "index" if "/index/" in str(statement["Resource"]) else "table"
            for key in conditions.get("dynamodb:LeadingKeys", ["*"]):
                yield Action(action, about if action.startswith("dynamodb:") else "", key)
