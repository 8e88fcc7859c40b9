"""A deployed system, on AWS or in the offline double: its stack's outputs and a client for each service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3


@dataclass(frozen=True)
class System:
    """`client` makes a client of an AWS service by its name; `outputs` and `parameters` are those of the stack."""

    client: Callable[[str], Any]
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @classmethod
    def of(cls, stack: str) -> "System":
        """The stack of this name, where the environment leads: credentials, region, `AWS_ENDPOINT_URL`.

        Raises botocore's ClientError when there is no such stack, BotoCoreError when AWS cannot be asked.
        """
        session = boto3.session.Session()

        def client(service: str) -> Any:
            return session.client(service)  # type: ignore[call-overload]

        [described] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return cls(
            client,
            {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]},
            {given["ParameterKey"]: given["ParameterValue"] for given in described.get("Parameters", [])},
            stack,
        )
