"""Deploys the processed template into the double as CloudFormation does, and reads back what runs."""

import base64
import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from local.double import Double
from local.runtime_api import Function
from local.sources import SourceMapping, read_mapping
from local.template import CODE_BUCKET, Processed

_EXECUTE_API = re.compile(r"https://[^/]+\.execute-api\.")
STACK = "synced-accounts-dev"
DEPLOY_SECONDS = 60.0


class DeploymentFailed(RuntimeError):
    """The stack could not be created or updated; the message names the resources and their reasons."""


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


class Deployer:
    """Deploys releases into one double, one after the other."""

    def __init__(self, double: Double, logs: Path) -> None:
        self._double, self._logs = double, logs
        self._stacks = double.client("cloudformation")
        self._lambda = double.client("lambda")
        self._uploaded: dict[str, Path] = {}
        """The folder that an archive stands for, by the checksum that Lambda gives it."""
        self._created = False

    def deploy(self, processed: Processed, *, management_url: str) -> Deployment:
        """The first one creates the stack, each other one updates it. Functions write to sockets at `management_url`.

        Raises DeploymentFailed; what ran before an update then runs on.
        """
        self._upload(processed)
        token = uuid4().hex
        change = self._stacks.update_stack if self._created else self._stacks.create_stack
        try:
            change(
                StackName=STACK,
                # By address: a template given with the call may have 51,200 bytes, for CloudFormation and the double.
                TemplateURL=f"{self._double.endpoint}/{CODE_BUCKET}/template.json",
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value} for name, value in processed.parameters.items()
                ],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                ClientRequestToken=token,
            )
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise DeploymentFailed(str(error)) from error
        outputs = self._wait(token)
        self._created = True
        return Deployment(outputs, *self._read(processed, management_url))

    def _upload(self, processed: Processed) -> None:
        storage = self._double.client("s3")
        storage.create_bucket(Bucket=CODE_BUCKET)
        for key, folder in processed.code.items():
            archive = _archive(key)
            storage.put_object(Bucket=CODE_BUCKET, Key=key, Body=archive)
            # The same content is the same code, wherever it was built.
            self._uploaded.setdefault(base64.b64encode(hashlib.sha256(archive).digest()).decode(), folder)
        storage.put_object(Bucket=CODE_BUCKET, Key="template.json", Body=json.dumps(processed.template).encode())

    def _wait(self, token: str) -> dict[str, str]:
        deadline = time.monotonic() + DEPLOY_SECONDS
        while True:
            stack = self._stacks.describe_stacks(StackName=STACK)["Stacks"][0]
            status = stack["StackStatus"]
            if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
                return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
            if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                events = self._stacks.describe_stack_events(StackName=STACK)["StackEvents"]
                reasons = [
                    f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
                    for event in reversed(events)
                    if event["ResourceStatus"].endswith("_FAILED") and event.get("ClientRequestToken", token) == token
                ]
                raise DeploymentFailed("; ".join(reasons) or stack.get("StackStatusReason") or status)
            time.sleep(0.05)

    def _read(
        self, processed: Processed, management_url: str
    ) -> tuple[tuple[Function, ...], tuple[SourceMapping, ...]]:
        physical = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in self._stacks.describe_stack_resources(StackName=STACK)["StackResources"]
        }
        logical = {physical[logical_id].rpartition(":")[2]: logical_id for logical_id in processed.functions}
        functions = tuple(
            self._function(logical_id, name, processed.functions[logical_id], management_url)
            for name, logical_id in logical.items()
        )
        mappings = []
        for raw in self._lambda.list_event_source_mappings().get("EventSourceMappings", []):
            name = raw["FunctionArn"].split(":function:")[1].partition(":")[0]
            mappings.append(read_mapping(raw, logical[name]))
        return functions, tuple(mappings)

    def _function(self, logical_id: str, name: str, alias: str | None, management_url: str) -> Function:
        """What a call gets: the published version that the alias points at, frozen as it was published."""
        qualified = {"Qualifier": alias} if alias else {}
        deployed = self._lambda.get_function_configuration(FunctionName=name, **qualified)
        # The double leaves a number a number; Lambda makes text of each.
        variables = {key: str(value) for key, value in deployed.get("Environment", {}).get("Variables", {}).items()}
        variables.pop("MINISTACK_LAMBDA_PROXY_URL")
        # An address below execute-api exists on AWS only; what functions use of it is the management API of sockets.
        variables = {key: management_url if _EXECUTE_API.match(value) else value for key, value in variables.items()}
        arn = deployed["FunctionArn"].split(":function:")[0] + f":function:{name}"
        return Function(
            logical_id=logical_id,
            name=name,
            arn=f"{arn}:{alias}" if alias else arn,
            handler=deployed["Handler"],
            path=self._path(deployed),
            environment={**variables, "AWS_ENDPOINT_URL": self._double.endpoint},
            timeout=float(deployed["Timeout"]),
            memory_mb=int(deployed["MemorySize"]),
            version=deployed["Version"],
            log=self._logs / f"{logical_id}.log",
            credentials=self._credentials(deployed["Role"], name),
        )

    def _path(self, deployed: Mapping[str, Any]) -> tuple[Path, ...]:
        layers = [self._lambda.get_layer_version_by_arn(Arn=layer["Arn"]) for layer in deployed.get("Layers", [])]
        checksums = [layer["Content"]["CodeSha256"] for layer in layers]
        return self._uploaded[deployed["CodeSha256"]], *(self._uploaded[one] / "python" for one in checksums)

    def _credentials(self, role: str, session: str) -> Callable[[], Mapping[str, str]]:
        return lambda: self._double.role_credentials(role, session)


def _archive(key: str) -> bytes:
    """Nothing but a name, always the same bytes for it: the launcher runs functions from the folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("content"), key)
    return buffer.getvalue()
