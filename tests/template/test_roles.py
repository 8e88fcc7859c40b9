"""Each function's role in the AWS double, which enforces IAM: what it needs goes through, the rest is refused."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.double import Double
from local.template import DROPPED
from tests.polling import eventually
from tests.template.cloudformation import PARAMETERS, Stack, translate

pytestmark = pytest.mark.slow

STACK_NAME = "synced-accounts-dev"
_CODE = {"ZipFile": "def lambda_handler(event, context):\n    return None\n"}

type Outputs = Mapping[str, str]
type Clients = Callable[[str], Any]


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    started = Double(tmp_path_factory.mktemp("roles"))
    started.start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def outputs(double: Double, template_text: str) -> dict[str, str]:
    """Of the deployed template: real roles, empty functions, and nothing that wakes them."""
    secrets = double.client("secretsmanager")
    credentials = {"client_id": "1", "client_secret": "s", "identity_key": "k"}
    secrets.create_secret(Name=PARAMETERS["PowensSecretName"], SecretString=json.dumps(credentials))
    secrets.create_secret(Name=PARAMETERS["WebhookSecretName"], SecretString=json.dumps({"current": "c"}))
    secrets.create_secret(Name="synced-accounts/dev/traces", SecretString=json.dumps({"key": "t"}))
    bucket = double.client("s3")
    bucket.create_bucket(Bucket="templates")
    bucket.put_object(Bucket="templates", Key="it", Body=json.dumps(_without_code(translate(template_text))))
    formation = double.client("cloudformation")
    formation.create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{double.endpoint}/templates/it",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    def ended() -> Any:
        (stack,) = formation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    stack = eventually(ended, seconds=30)
    events = formation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    reasons = [e.get("ResourceStatusReason") for e in events if e["ResourceStatus"].endswith("FAILED")]
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _without_code(template: dict[str, Any]) -> dict[str, Any]:
    stack = Stack(template)
    for kind in ("AWS::Lambda::LayerVersion", *DROPPED):
        for name in [name for name, _ in stack.of(kind)]:
            del template["Resources"][name]
    for resource in template["Resources"].values():
        if resource.get("DependsOn") not in template["Resources"]:
            resource.pop("DependsOn", None)
    for _, function in stack.of("AWS::Lambda::Function"):
        function.update(Code=_CODE, Handler="index.lambda_handler")
        del function["Layers"]
    for _, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        mapping["Enabled"] = False
    for _, schedule in stack.of("AWS::Scheduler::Schedule"):
        schedule["State"] = "DISABLED"
    for _, role in stack.of("AWS::IAM::Role"):
        role["AssumeRolePolicyDocument"]["Statement"].append(
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}
        )
    plain: dict[str, Any] = json.loads(json.dumps(template))
    return plain


def _key(sort: str) -> dict[str, Any]:
    return {"pk": {"S": "USER#alice"}, "sk": {"S": sort}}


def _transact(clients: Clients, outputs: Outputs) -> None:
    table = outputs["TableName"]
    items: list[dict[str, Any]] = [
        {"Put": {"TableName": table, "Item": _key("EVENT#1")}},
        {
            "Update": {
                "TableName": table,
                "Key": _key("CONNECTION#1"),
                "UpdateExpression": "SET #n = :n",
                "ExpressionAttributeNames": {"#n": "n"},
                "ExpressionAttributeValues": {":n": {"N": "1"}},
            }
        },
    ]
    clients("dynamodb").transact_write_items(TransactItems=items)


def _check(clients: Clients, outputs: Outputs) -> None:
    check: dict[str, Any] = {
        "TableName": outputs["TableName"],
        "Key": _key("ABSENT"),
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    clients("dynamodb").transact_write_items(TransactItems=[{"ConditionCheck": check}])


def _query(clients: Clients, outputs: Outputs) -> None:
    clients("dynamodb").query(
        TableName=outputs["TableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "USER#alice"}},
    )


def _query_due(clients: Clients, outputs: Outputs) -> None:
    clients("dynamodb").query(
        TableName=outputs["TableName"],
        IndexName="due",
        KeyConditionExpression="due_pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "OPERATION"}},
    )


def _send(queue: str) -> Callable[[Clients, Outputs], None]:
    def send(clients: Clients, outputs: Outputs) -> None:
        group: dict[str, Any] = {}
        if outputs[queue].endswith(".fifo"):
            group = {"MessageGroupId": "1", "MessageDeduplicationId": "1"}
        clients("sqs").send_message(QueueUrl=outputs[queue], MessageBody="{}", **group)

    return send


def _receive(queue: str) -> Callable[[Clients, Outputs], None]:
    def receive(clients: Clients, outputs: Outputs) -> None:
        clients("sqs").receive_message(QueueUrl=outputs[queue], WaitTimeSeconds=0)

    return receive


def _encrypt(clients: Clients, outputs: Outputs) -> None:
    sealed = clients("kms").encrypt(
        KeyId=outputs["TokenKeyArn"], Plaintext=b"token", EncryptionContext={"user_id": "alice"}
    )["CiphertextBlob"]
    clients("kms").decrypt(KeyId=outputs["TokenKeyArn"], CiphertextBlob=sealed, EncryptionContext={"user_id": "alice"})


def _put_events(clients: Clients, outputs: Outputs) -> None:
    clients("events").put_events(
        Entries=[
            {
                "Source": "synced-accounts",
                "DetailType": "AccountsUpdated",
                "Detail": "{}",
                "EventBusName": outputs["EventBusName"],
            }
        ]
    )


def _sockets(clients: Clients, outputs: Outputs) -> Any:
    return clients(f"apigatewaymanagementapi {outputs['LiveUrl']}")


def _write_to_a_socket(clients: Clients, outputs: Outputs) -> None:
    _sockets(clients, outputs).post_to_connection(ConnectionId="gone", Data=b"{}")


# Reading the stream is left to test_permissions.py: the double does not show policies which stream is asked for.
PROBES: dict[str, Callable[[Clients, Outputs], object]] = {
    "read an item": lambda clients, outputs: clients("dynamodb").get_item(
        TableName=outputs["TableName"], Key=_key("PROFILE")
    ),
    "list a user": _query,
    "write a transaction": _transact,
    "check a condition": _check,
    "delete an item": lambda clients, outputs: clients("dynamodb").delete_item(
        TableName=outputs["TableName"], Key=_key("MANUAL#1")
    ),
    "find what is due": _query_due,
    "scan the table": lambda clients, outputs: clients("dynamodb").scan(TableName=outputs["TableName"]),
    "drop the table": lambda clients, outputs: clients("dynamodb").delete_table(TableName=outputs["TableName"]),
    "seal a token": _encrypt,
    "read Powens' credentials": lambda clients, outputs: clients("secretsmanager").get_secret_value(
        SecretId=PARAMETERS["PowensSecretName"]
    ),
    "read the webhook keys": lambda clients, outputs: clients("secretsmanager").get_secret_value(
        SecretId=PARAMETERS["WebhookSecretName"]
    ),
    "read the key of the traces": lambda clients, outputs: clients("secretsmanager").get_secret_value(
        SecretId="synced-accounts/dev/traces"
    ),
    "send a hint": _send("RefreshQueueUrl"),
    "send a command": _send("CommandsQueueUrl"),
    "take a hint": _receive("RefreshQueueUrl"),
    "take a command": _receive("CommandsQueueUrl"),
    "publish an event": _put_events,
    "note a failed publication": _send("OutboxFailuresQueueUrl"),
    "note a failed pass": _send("HousekeepingFailuresQueueUrl"),
    "note a stale catalogue": _send("InstitutionCatalogueFailuresQueueUrl"),
    "read what is about institutions": lambda clients, outputs: clients("dynamodb").get_item(
        TableName=outputs["TableName"], Key={"pk": {"S": "INSTITUTIONS"}, "sk": {"S": "CATALOGUE"}}
    ),
    "note a missed look for orphans": _send("OrphanCheckFailuresQueueUrl"),
    "look up owners": lambda clients, outputs: clients("dynamodb").batch_get_item(
        RequestItems={outputs["TableName"]: {"Keys": [{"pk": {"S": "POWENS#41"}, "sk": {"S": "USER"}}]}}
    ),
    "note an untold change": _send("LiveUpdatesFailuresQueueUrl"),
    "write to a socket": _write_to_a_socket,
    "cut a socket": lambda clients, outputs: _sockets(clients, outputs).delete_connection(ConnectionId="gone"),
}
_STATE = {"read an item", "read what is about institutions", "list a user", "write a transaction", "delete an item"}
_POWENS = {"seal a token", "read Powens' credentials"}
NEEDED = {
    "AccountsApiFunctionName": _STATE | _POWENS | {"check a condition"},
    "PowensWebhookFunctionName": {"send a hint"},
    "AccountCommandsFunctionName": _STATE | _POWENS | {"take a command", "check a condition"},
    "ConnectionRefreshFunctionName": _STATE | _POWENS | {"take a hint", "check a condition"},
    "OutboxPublisherFunctionName": {
        "publish an event",
        "send a hint",
        "send a command",
        "note a failed publication",
    },
    "HousekeepingFunctionName": {
        "read an item",
        "list a user",
        "read what is about institutions",
        "write a transaction",
        "find what is due",
        "send a hint",
        "note a failed pass",
    },
    # The double does not show policies which keys are asked for: that no user's are, is left to test_permissions.py.
    "InstitutionCatalogueFunctionName": {
        "read an item",
        "list a user",
        "write a transaction",
        "delete an item",
        "read what is about institutions",
        "find what is due",
        "read Powens' credentials",
        "note a stale catalogue",
    },
    # As above: that it reads no user's items is left to test_permissions.py.
    "OrphanCheckFunctionName": {
        "read an item",
        "write a transaction",
        "read what is about institutions",
        "look up owners",
        "read Powens' credentials",
        "note a missed look for orphans",
    },
    "LiveUpdatesFunctionName": {
        "read an item",
        "read what is about institutions",
        "list a user",
        "delete an item",
        "write to a socket",
        "cut a socket",
        "note an untold change",
    },
}


@pytest.mark.parametrize("function", NEEDED)
def test_a_role_lets_through_what_its_function_needs_and_refuses_the_rest(
    function: str, double: Double, outputs: dict[str, str]
) -> None:
    configuration = double.client("lambda").get_function_configuration(FunctionName=outputs[function])
    credentials = double.role_credentials(configuration["Role"], "probe")
    clients = cache(lambda service: _client(double, service, credentials))
    allowed = set()
    for name, probe in PROBES.items():
        try:
            probe(clients, outputs)
        except ClientError as error:
            if error.response["Error"]["Code"] == "GoneException":
                allowed.add(name)
            elif "AccessDenied" not in error.response["Error"]["Code"]:
                raise
        else:
            allowed.add(name)

    assert allowed == NEEDED[function]


def _client(double: Double, service: str, credentials: Mapping[str, str]) -> Any:
    """`service` is a name, or the name and the WebSocket address of the API whose sockets are managed."""
    name, _, address = service.partition(" ")
    if not address:
        return double.client(name, credentials)
    host, _, stage = address.removeprefix("wss://").partition("/")
    return double.client(name, credentials, path=f"/_aws/execute-api/{host.partition('.')[0]}/{stage}")
