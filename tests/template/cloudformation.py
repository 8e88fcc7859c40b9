"""Questions to a template: its expansion by SAM, and who refers to whom."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.paths import SAM_BIN

type Properties = dict[str, Any]

# What a deployment must say; everything else has a default.
PARAMETERS: Mapping[str, str] = {
    "PublicUrl": "https://accounts.example.com",
    "JwtIssuer": "https://login.example.com",
    "JwtAudience": "synced-accounts",
    "CorsOrigins": "https://app.example.com",
    "ReturnToAllowed": "https://app.example.com,wealthapp://",
    "PowensApiUrl": "https://acme.biapi.pro/2.0",
    "PowensDomain": "acme.biapi.pro",
    "PowensSecretName": "synced-accounts/dev/powens",
    "WebhookSecretName": "synced-accounts/dev/webhook",
}


def tool_environment() -> dict[str, str]:
    """For SAM's tools: no telemetry, no account, and the Python that has pip first on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return environment | {
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "PATH": f"{SAM_BIN}{os.pathsep}{environment.get('PATH', '')}",
    }


def translate(text: str, *, layer: str = "s3://bucket/layer", **parameters: str) -> dict[str, Any]:
    """The plain CloudFormation that `text` expands to. Raises AssertionError with the translator's message."""
    (translated,) = translate_each(text, [parameters], layer=layer)
    return translated


def translate_each(
    text: str, deployments: Sequence[Mapping[str, str]], *, layer: str = "s3://bucket/layer"
) -> list[dict[str, Any]]:
    """As `translate`, for several sets of parameters with one start of the translator."""
    script = Path(__file__).with_name("translate_with_sam.py")
    given = [{**PARAMETERS, **parameters} for parameters in deployments]
    request = {"template": text, "parameters": given, "layer": layer}
    done = subprocess.run(
        [SAM_BIN / "python", script],
        input=json.dumps(request),
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    translated = json.loads(done.stdout)
    assert isinstance(translated, list)
    return translated


@dataclass(frozen=True)
class Stack:
    """An expanded template with the questions that the rules ask of it."""

    template: Mapping[str, Any]

    @property
    def resources(self) -> Mapping[str, Properties]:
        resources: Mapping[str, Properties] = self.template["Resources"]
        return resources

    def of(self, *types: str) -> Iterator[tuple[str, Properties]]:
        """Logical id and properties of every resource of these types."""
        for name, resource in self.resources.items():
            if resource["Type"] in types:
                yield name, resource.get("Properties", {})

    def type_of(self, name: str | None) -> str | None:
        return self.resources[name]["Type"] if name is not None and name in self.resources else None

    def properties(self, name: str) -> Properties:
        properties: Properties = self.resources[name].get("Properties", {})
        return properties

    def stage(self, api: str) -> Properties:
        """The only stage of an API."""
        (stage,) = [stage for _, stage in self.of("AWS::ApiGatewayV2::Stage") if target(stage["ApiId"]) == api]
        return stage

    def function_behind(self, value: object) -> str | None:
        """The function that a Ref, GetAtt or alias leads to."""
        name = target(value)
        if self.type_of(name) in {"AWS::Lambda::Alias", "AWS::Lambda::Version"}:
            assert name is not None
            return self.function_behind(self.properties(name)["FunctionName"])
        return name if self.type_of(name) == "AWS::Lambda::Function" else None


def target(value: object) -> str | None:
    """The logical id that a single Ref, GetAtt or Sub names, if it names exactly one."""
    names = set(references(value))
    return names.pop() if len(names) == 1 else None


def references(value: object) -> Iterator[str]:
    """Every logical id or parameter that appears in `value`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _references_under(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def _references_under(key: str, inner: Any) -> Iterator[str]:
    match key:
        case "Ref" if isinstance(inner, str):
            yield inner
        case "Fn::GetAtt":
            yield (inner if isinstance(inner, str) else inner[0]).split(".")[0]
        case "Fn::Sub":
            text, given = (inner, {}) if isinstance(inner, str) else inner
            names = re.findall(r"\$\{([^!}][^}]*)\}", text)
            yield from (name.split(".")[0] for name in names if name not in given)
            yield from references(given)
        case _:
            yield from references(inner)
