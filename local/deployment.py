"""Deploys the processed template into the double as CloudFormation does, and reads back what it made."""

import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.double import Double
from local.runtime_api import Function
from local.sources import SourceMapping, read_mapping
from local.template import CODE_BUCKET, Processed

_EXECUTE_API = re.compile(r"https://[^/]+\.execute-api\.")
STACK = "synced-accounts-dev"
DEPLOY_SECONDS = 60.0


class DeploymentFailed(RuntimeError):
    """The stack could not be created; the message names the resources and their reasons."""


@dataclass(frozen=True)
class Deployment:
    """`functions` and `mappings` name functions by logical id; `outputs` are the stack's."""

    outputs: Mapping[str, str]
    functions: tuple[Function, ...]
    mappings: tuple[SourceMapping, ...]


def create_secrets(double: Double, secrets: Mapping[str, Mapping[str, str]]) -> None:
    """As an operator does before the first deployment: `secrets` maps names to JSON objects."""
    client = double.client("secretsmanager")
    for name, value in secrets.items():
        client.create_secret(Name=name, SecretString=json.dumps(value))


def deploy(double: Double, processed: Processed, logs: Path, *, management_url: str) -> Deployment:
    """`management_url` is where functions write to sockets. Raises DeploymentFailed."""
    storage = double.client("s3")
    storage.create_bucket(Bucket=CODE_BUCKET)
    storage.put_object(Bucket=CODE_BUCKET, Key="placeholder.zip", Body=_placeholder())
    storage.put_object(Bucket=CODE_BUCKET, Key="template.json", Body=json.dumps(processed.template).encode())
    client = double.client("cloudformation")
    client.create_stack(
        StackName=STACK,
        # By address: a template given with the call may have 51,200 bytes, for CloudFormation and for the double.
        TemplateURL=f"{double.endpoint}/{CODE_BUCKET}/template.json",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in processed.parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    outputs = _wait(client)
    return Deployment(outputs, *_read(double, client, processed, logs, management_url))


def _placeholder() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README", "The launcher runs the functions from the build folder.\n")
    return buffer.getvalue()


def _wait(client: Any) -> dict[str, str]:
    deadline = time.monotonic() + DEPLOY_SECONDS
    while True:
        stack = client.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            events = client.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
                for event in reversed(events)
                if event["ResourceStatus"].endswith("_FAILED")
            ]
            raise DeploymentFailed("; ".join(reasons) or stack.get("StackStatusReason") or status)
        time.sleep(0.05)


def _read(
    double: Double, client: Any, processed: Processed, logs: Path, management_url: str
) -> tuple[tuple[Function, ...], tuple[SourceMapping, ...]]:
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in client.describe_stack_resources(StackName=STACK)["StackResources"]
    }
    lambdas = double.client("lambda")
    functions = []
    logical: dict[str, str] = {}
    for built in processed.functions:
        name = physical[built.logical_id].rpartition(":")[2]
        logical[name] = built.logical_id
        deployed = lambdas.get_function_configuration(FunctionName=name)
        # The double leaves a number a number; Lambda makes text of each.
        variables = {key: str(value) for key, value in deployed.get("Environment", {}).get("Variables", {}).items()}
        variables.pop("MINISTACK_LAMBDA_PROXY_URL")
        # An address below execute-api exists on AWS only; what functions use of it is the management API of sockets.
        variables = {key: management_url if _EXECUTE_API.match(value) else value for key, value in variables.items()}
        functions.append(
            Function(
                logical_id=built.logical_id,
                name=name,
                arn=deployed["FunctionArn"],
                handler=built.handler,
                path=built.folders,
                environment={**variables, "AWS_ENDPOINT_URL": double.endpoint},
                timeout=float(deployed["Timeout"]),
                memory_mb=int(deployed["MemorySize"]),
                log=logs / f"{built.logical_id}.log",
                credentials=_credentials(double, deployed["Role"], name),
            )
        )
    mappings = []
    for raw in lambdas.list_event_source_mappings().get("EventSourceMappings", []):
        name = raw["FunctionArn"].split(":function:")[1].partition(":")[0]
        mappings.append(read_mapping(raw, logical[name]))
    return tuple(functions), tuple(mappings)


def _credentials(double: Double, role: str, session: str) -> Callable[[], Mapping[str, str]]:
    return lambda: double.role_credentials(role, session)
