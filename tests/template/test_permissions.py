"""What each role may do, and on what."""

import json
import re

import pytest

from tests.template.cloudformation import Stack, target
from tests.template.rules import as_list, statements

_STATE = {f"dynamodb:{action} Table" for action in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")}
# For what is new about a user, which must not appear while the user is being erased.
_CHECK = {"dynamodb:ConditionCheckItem Table"}
_TOKENS = {"kms:Encrypt TokenKey", "kms:Decrypt TokenKey", "secretsmanager:GetSecretValue PowensSecretName"}


def _logs(group: str) -> set[str]:
    return {f"logs:CreateLogStream {group}", f"logs:PutLogEvents {group}"}


def _consume(queue: str) -> set[str]:
    return {
        f"sqs:{action} {queue}"
        for action in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    }


# Everything that each function may do, and nothing else.
ALLOWED = {
    "AccountsApiRole": _logs("AccountsApiLog") | _STATE | _CHECK | _TOKENS,
    "PowensWebhookRole": _logs("PowensWebhookLog") | {"sqs:SendMessage RefreshQueue", "kms:Decrypt TokenKey"},
    "AccountCommandsRole": _logs("AccountCommandsLog") | _consume("CommandsQueue") | _STATE | _CHECK | _TOKENS,
    "ConnectionRefreshRole": _logs("ConnectionRefreshLog") | _consume("RefreshQueue") | _STATE | _CHECK | _TOKENS,
    "OutboxPublisherRole": _logs("OutboxPublisherLog")
    | {f"dynamodb:{action} Table" for action in ("DescribeStream", "GetRecords", "GetShardIterator")}
    | {"dynamodb:ListStreams *"}
    | {"events:PutEvents EventBus"}
    | {f"sqs:SendMessage {queue}" for queue in ("CommandsQueue", "RefreshQueue", "OutboxFailuresQueue")},
    "HousekeepingRole": _logs("HousekeepingLog")
    | {f"dynamodb:{action} Table" for action in ("GetItem", "PutItem", "Query", "UpdateItem")}
    | {f"sqs:SendMessage {queue}" for queue in ("RefreshQueue", "HousekeepingFailuresQueue")},
    "HousekeepingScheduleRole": {
        "lambda:InvokeFunction HousekeepingFunction",
        "sqs:SendMessage HousekeepingFailuresQueue",
    },
    "InstitutionCatalogueRole": _logs("InstitutionCatalogueLog")
    | {f"dynamodb:{action} Table" for action in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")}
    | {"secretsmanager:GetSecretValue PowensSecretName", "sqs:SendMessage InstitutionCatalogueFailuresQueue"},
    "InstitutionCatalogueScheduleRole": {
        "lambda:InvokeFunction InstitutionCatalogueFunction",
        "sqs:SendMessage InstitutionCatalogueFailuresQueue",
    },
    "OrphanCheckRole": _logs("OrphanCheckLog")
    | {f"dynamodb:{action} Table" for action in ("BatchGetItem", "GetItem", "PutItem", "UpdateItem")}
    | {"secretsmanager:GetSecretValue PowensSecretName", "sqs:SendMessage OrphanCheckFailuresQueue"},
    "OrphanCheckScheduleRole": {
        "lambda:InvokeFunction OrphanCheckFunction",
        "sqs:SendMessage OrphanCheckFailuresQueue",
    },
    "LiveUpdatesRole": _logs("LiveUpdatesLog")
    | {f"dynamodb:{action} Table" for action in ("DeleteItem", "GetItem", "PutItem", "Query")}
    | {"execute-api:ManageConnections LiveApi", "sqs:SendMessage LiveUpdatesFailuresQueue", "kms:Decrypt TokenKey"},
}


def _named(resource: object) -> str:
    if resource == "*":
        return "*"
    return target(resource) or next(name for name in _referenced(resource) if not name.startswith("AWS::"))


def _referenced(resource: object) -> list[str]:
    return re.findall(r"\$\{([\w:]+)", json.dumps(resource))


def test_each_role_may_do_what_its_function_does_and_nothing_else(deployed: Stack) -> None:
    allowed = {
        name: {
            f"{action} {_named(resource)}"
            for statement in statements(role)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }
        for name, role in deployed.of("AWS::IAM::Role")
    }

    assert allowed == ALLOWED


def test_tokens_are_only_encrypted_and_decrypted_for_a_named_user(deployed: Stack) -> None:
    for _, role in deployed.of("AWS::IAM::Role"):
        for statement in statements(role):
            kms = any(action.startswith("kms:") for action in as_list(statement["Action"]))
            if kms and statement["Sid"] != "OwnEnvironment":
                assert statement["Condition"] == {
                    "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["user_id"]}
                }
    refusal = deployed.properties("TokenKey")["KeyPolicy"]["Statement"][1]
    assert (refusal["Effect"], refusal["Principal"], set(refusal["Action"])) == (
        "Deny",
        "*",
        {"kms:Encrypt", "kms:Decrypt"},
    )
    assert refusal["Condition"]["Null"]["kms:EncryptionContext:user_id"] == "true"


KEYED = {"PowensWebhook": "powens-webhook", "AccountsApi": "accounts-api", "LiveUpdates": "live-updates"}
"""Functions with a secret in their environment, and their names."""


@pytest.mark.parametrize(("function", "name"), KEYED.items())
def test_who_has_a_secret_in_its_environment_decrypts_that_and_no_others(
    deployed: Stack, function: str, name: str
) -> None:
    (statement,) = [
        one for one in statements(deployed.properties(f"{function}Role")) if one.get("Sid") == "OwnEnvironment"
    ]
    whole = f"function:${{AWS::StackName}}-{name}"

    assert statement["Action"] == "kms:Decrypt"
    assert statement["Condition"]["ForAllValues:StringEquals"] == {
        "kms:EncryptionContextKeys": ["aws:lambda:FunctionArn"]
    }
    whose = statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:lambda:FunctionArn"]
    assert [one["Fn::Sub"].rpartition(":${AWS::AccountId}:")[2] for one in whose] == [whole, f"{whole}:*"]
    assert deployed.properties(f"{function}Function")["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}


def test_live_updates_reach_sockets_and_users_and_nothing_that_is_everybodys(deployed: Stack) -> None:
    """A user's sockets are in the user's partition, and IAM knows no condition on the rest of a key."""
    (statement,) = [one for one in statements(deployed.properties("LiveUpdatesRole")) if one["Sid"] == "Sockets"]

    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["SOCKET#*", "USER#*"]}}


def test_housekeeping_finds_what_is_due_and_looks_into_one_user_at_a_time(deployed: Stack) -> None:
    queried = [
        (one["Resource"], one.get("Condition"))
        for one in statements(deployed.properties("HousekeepingRole"))
        if "dynamodb:Query" in as_list(one["Action"])
    ]

    assert queried == [
        ({"Fn::Sub": "${Table.Arn}/index/due"}, None),
        ({"Fn::GetAtt": ["Table", "Arn"]}, {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}}),
    ]


def test_who_looks_for_orphans_sees_whether_somebody_is_ours_and_nothing_of_them(deployed: Stack) -> None:
    keys = {
        key
        for statement in statements(deployed.properties("OrphanCheckRole"))
        if statement["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
        for key in statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }

    assert keys == {"POWENS#*", "ORPHANS", "BUDGET", "BUDGET#*"}


def test_who_keeps_the_catalogue_reads_institutions_and_of_users_single_wishes_only(deployed: Stack) -> None:
    on_the_table = [
        statement
        for statement in statements(deployed.properties("InstitutionCatalogueRole"))
        if statement["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
    ]

    assert [(s["Action"], s["Condition"]["ForAllValues:StringLike"]) for s in on_the_table] == [
        (
            ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
            {"dynamodb:LeadingKeys": ["INSTITUTIONS", "INSTITUTION#*"]},
        ),
        (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], {"dynamodb:LeadingKeys": ["USER#*"]}),
        (["dynamodb:GetItem", "dynamodb:UpdateItem"], {"dynamodb:LeadingKeys": ["BUDGET", "BUDGET#*"]}),
    ]


def test_events_are_put_on_our_bus_under_our_name_only(deployed: Stack) -> None:
    (statement,) = [
        statement
        for _, role in deployed.of("AWS::IAM::Role")
        for statement in statements(role)
        if statement["Action"] == "events:PutEvents"
    ]
    assert target(statement["Resource"]) == "EventBus"
    assert statement["Condition"] == {"StringEqualsIfExists": {"events:source": "synced-accounts"}}
    assert deployed.properties("EventBus")["Name"] == {"Fn::Sub": "synced-accounts-${Stage}"}
