"""Which calls of AWS a function's role in the template allows, so that every test notices one that it lacks."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tests.worlds.deployment import resources

type Action = tuple[str, str]
"""IAM's name of an action, and for DynamoDB what it is about: `table` or `index`; else empty."""

_BATCHES = {"SendMessageBatch": "SendMessage", "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}


def actions(service: str, operation: str, given: Mapping[str, Any]) -> set[Action]:
    """What a call needs; DynamoDB looks at each part of a transaction by itself."""
    match service, operation:
        case "dynamodb", "TransactWriteItems":
            kinds = {kind for part in given["TransactItems"] for kind in part}
            return {(f"dynamodb:{kind}Item", "table") for kind in kinds}
        case "dynamodb", _:
            return {(f"dynamodb:{operation}", "index" if "IndexName" in given else "table")}
        case "apigatewaymanagementapi", _:
            return {("execute-api:ManageConnections", "")}
    return {(f"{service}:{_BATCHES.get(operation, operation)}", "")}


@cache
def allowed(function: str) -> frozenset[Action]:
    """What the role of `functions/<function>` may do."""
    (properties,) = (
        resource["Properties"]
        for resource in resources().values()
        if resource["Type"] == "AWS::Serverless::Function"
        and resource["Properties"]["CodeUri"] == f"functions/{function}/"
    )
    role = resources()[properties["Role"]["Fn::GetAtt"][0]]["Properties"]
    return frozenset(_granted(role))


def _granted(role: Mapping[str, Any]) -> Iterator[Action]:
    for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
        given = statement["Action"]
        for action in [given] if isinstance(given, str) else given:
            about = "index" if "/index/" in str(statement["Resource"]) else "table"
            yield action, about if action.startswith("dynamodb:") else ""
