"""From the built SAM template to what the AWS double can deploy, changing as little as possible.

The real SAM translator expands it. Then, and nothing else:
- resource types the double cannot create are dropped (`DROPPED`), and named when the system starts;
- code stays in the build folder: what is uploaded in its place is named after its content, as `sam package` does, so
  that other code makes another version; the double forwards invocations to the launcher's Lambda plane;
- event source mappings are created disabled: the launcher polls for them (`sources.py` says why);
- the execution roles also trust the account itself, so that the launcher can give each function its role's credentials;
- leave to send, delete or change a message of a queue is leave to do so in batches, which the double wants written.
"""

import copy
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.build import content
from local.intrinsics import Resolver, load

DROPPED: Mapping[str, str] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "no capacity to scale here",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "no capacity to scale here",
    "AWS::Budgets::Budget": "nothing costs anything here",
    "AWS::CloudWatch::CompositeAlarm": "unknown to the double",
    "AWS::CodeDeploy::Application": "unknown to the double: versions are shifted at once",
    "AWS::CodeDeploy::DeploymentGroup": "unknown to the double: versions are shifted at once",
    "AWS::Events::Archive": "unknown to the double",
    "AWS::Events::EventBusPolicy": "unknown to the double",
    "AWS::Logs::QueryDefinition": "unknown to the double: there is nobody to ask it",
    "AWS::SQS::QueueInlinePolicy": "unknown to the double",
    "AWS::SecretsManager::ResourcePolicy": "unknown to the double",
    "AWS::SecretsManager::Secret": "the launcher makes the secrets before the deployment",
    "AWS::SecretsManager::RotationSchedule": "unknown to the double",
    "AWS::XRay::Group": "unknown to the double",
}
CODE_BUCKET = "synced-accounts-artifacts"
_PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True)
class Route:
    """One route of the HTTP API. `path` is a template such as `/v1/{proxy+}`; `authorizer` None means public."""

    method: str
    path: str
    function: str
    authorizer: str | None = None
    scopes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return "$default" if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Authorizer:
    """A JWT authorizer: where the token is, who must have issued it, whom it must be for."""

    issuer: str
    audience: tuple[str, ...]
    header: str = "authorization"


@dataclass(frozen=True)
class Cors:
    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class Api:
    routes: tuple[Route, ...] = ()
    authorizers: Mapping[str, Authorizer] = field(default_factory=dict)
    cors: Cors | None = None


@dataclass(frozen=True)
class Processed:
    """`template` is plain CloudFormation; `dropped` lists "LogicalId: Type (reason)".

    `code` maps keys in the bucket to the folders that they stand for; `functions` maps logical ids to the alias that
    calls go through, or None. `sockets` maps the WebSocket API's route keys to logical ids of functions; empty without
    such an API.
    """

    template: dict[str, Any]
    parameters: Mapping[str, str]
    code: Mapping[str, Path]
    functions: Mapping[str, str | None]
    api: Api
    dropped: tuple[str, ...]
    sockets: Mapping[str, str] = field(default_factory=dict)


def process(built: Path, parameters: Mapping[str, str], *, invoke_url: str) -> Processed:
    """Read `built`/template.yaml and prepare it for the double.

    Parameters the template does not declare are left out.
    Raises local.intrinsics.Unresolvable when the template asks for a parameter without a value.
    """
    source = load((built / "template.yaml").read_text("utf-8"))
    declared = source.get("Parameters", {})
    given = {name: value for name, value in parameters.items() if name in declared}
    resolver = Resolver(source, given, _PSEUDO)

    code = _local_code(source, built)
    template = translate(source, resolver.parameters)
    resources: dict[str, Any] = template["Resources"]

    dropped = []
    for logical_id, resource in list(resources.items()):
        kind = resource["Type"]
        if kind in DROPPED:
            dropped.append(f"{logical_id}: {kind} ({DROPPED[kind]})")
            del resources[logical_id]
    gone = {line.partition(":")[0] for line in dropped}
    for logical_id, resource in resources.items():
        # CodeDeploy shifts aliases by an update policy; without it the alias just points at the new version.
        resource.pop("UpdatePolicy", None)
        _forget(resource, gone)
        properties = resource.setdefault("Properties", {})
        match resource["Type"]:
            case "AWS::Lambda::Function":
                variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
                variables["MINISTACK_LAMBDA_PROXY_URL"] = f"{invoke_url}/{logical_id}"
            case "AWS::Lambda::EventSourceMapping":
                properties["Enabled"] = False
            case "AWS::IAM::Role":
                _trust_the_account(properties)
                for policy in properties.get("Policies", []):
                    _allow_batches(policy["PolicyDocument"])
            case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
                _allow_batches(properties["PolicyDocument"])
    api, sockets = _api(template, resolver), _sockets(template)
    return Processed(template, given, code, _functions(resources), api, tuple(sorted(dropped)), sockets)


def translate(source: dict[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What CloudFormation's SAM transform makes of a template whose code has been uploaded."""
    # Imported here: it takes half a second, and the front's tests need none of it.
    import boto3  # noqa: PLC0415
    from samtranslator.parser.parser import Parser  # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # noqa: PLC0415

    # It mentions feature toggles that only the service itself can have.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    session = boto3.session.Session(region_name=_PSEUDO["AWS::Region"])
    translated = Translator({}, Parser(), boto_session=session).translate(copy.deepcopy(source), dict(parameters))
    if not isinstance(translated, dict):
        raise TypeError("the SAM translator gave no template")
    # As text and back: the translator lets functions share one object for what they have in common.
    plain: dict[str, Any] = json.loads(json.dumps(translated))
    return plain


def _local_code(source: dict[str, Any], built: Path) -> dict[str, Path]:
    """Point code at what will be uploaded for it, and remember where the real code is."""
    kinds = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
    code = {}
    for resource in source["Resources"].values():
        if (place := kinds.get(resource["Type"])) is None:
            continue
        folder = (built / resource["Properties"][place]).resolve()
        key = content(folder)
        code[key] = folder
        resource["Properties"][place] = f"s3://{CODE_BUCKET}/{key}"
    return code


def _functions(resources: Mapping[str, Any]) -> dict[str, str | None]:
    aliases = {
        resource["Properties"]["FunctionName"]["Ref"]: str(resource["Properties"]["Name"])
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Alias"
    }
    return {name: aliases.get(name) for name, found in resources.items() if found["Type"] == "AWS::Lambda::Function"}


def _forget(resource: dict[str, Any], gone: set[str]) -> None:
    depends = resource.get("DependsOn")
    if isinstance(depends, str):
        depends = [depends]
    if depends:
        resource["DependsOn"] = [name for name in depends if name not in gone]


def _trust_the_account(role: dict[str, Any]) -> None:
    document = role["AssumeRolePolicyDocument"]
    statements = document["Statement"]
    document["Statement"] = [
        *(statements if isinstance(statements, list) else [statements]),
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{_PSEUDO['AWS::AccountId']}:root"},
            "Action": ["sts:AssumeRole"],
        },
    ]


_BATCHES = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}


def _allow_batches(document: dict[str, Any]) -> None:
    for statement in document["Statement"]:
        actions = statement.get("Action", [])
        listed = [actions] if isinstance(actions, str) else actions
        statement["Action"] = [*listed, *(_BATCHES[action] for action in listed if action in _BATCHES)]


def _api(template: Mapping[str, Any], resolver: Resolver) -> Api:
    resources = template["Resources"]
    bodies = [
        resource["Properties"]["Body"]
        for resource in resources.values()
        if resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in resource["Properties"]
    ]
    if not bodies:
        return Api()
    if len(bodies) > 1:
        raise ValueError("one HTTP API is expected")
    (body,) = bodies
    return Api(_routes(body, resources), _authorizers(body, resolver), _cors(body, resolver))


def _authorizers(body: Mapping[str, Any], resolver: Resolver) -> dict[str, Authorizer]:
    authorizers = {}
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        jwt = resolver(scheme["x-amazon-apigateway-authorizer"])
        configuration = jwt["jwtConfiguration"]
        header = str(jwt["identitySource"]).rpartition(".")[2].lower()
        authorizers[name] = Authorizer(configuration["issuer"], _words(configuration["audience"]), header)
    return authorizers


def _routes(body: Mapping[str, Any], resources: Mapping[str, Any]) -> tuple[Route, ...]:
    return tuple(
        _route(path, method, operation, resources)
        for path, methods in body.get("paths", {}).items()
        for method, operation in methods.items()
    )


def _route(path: str, method: str, operation: Mapping[str, Any], resources: Mapping[str, Any]) -> Route:
    security = operation.get("security") or []
    authorizer, scopes = next(iter(security[0].items())) if security else (None, [])
    return Route(
        "ANY" if method == "x-amazon-apigateway-any-method" else method.upper(),
        path.removeprefix("/") if path == "/$default" else path,
        _integration(operation["x-amazon-apigateway-integration"]["uri"], resources),
        None if authorizer == "NONE" else authorizer,
        tuple(scopes),
    )


def _sockets(template: Mapping[str, Any]) -> dict[str, str]:
    resources = template["Resources"]
    apis = {
        logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::ApiGatewayV2::Api" and resource["Properties"].get("ProtocolType") == "WEBSOCKET"
    }
    routes = {}
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] != "AWS::ApiGatewayV2::Route" or properties["ApiId"].get("Ref") not in apis:
            continue
        # "integrations/" and a reference, joined or substituted.
        named = re.findall(r"\w+", str(properties["Target"]))
        (target,) = (name for name in named if resources.get(name, {}).get("Type") == "AWS::ApiGatewayV2::Integration")
        uri = resources[target]["Properties"]["IntegrationUri"]
        routes[str(properties["RouteKey"])] = _integration(uri, resources)
    return routes


def _integration(uri: Any, resources: Mapping[str, Any]) -> str:
    """The logical id of the function behind an integration's URI, also through an alias."""
    found = re.findall(r"\$\{([A-Za-z0-9]+)(?:\.Arn)?\}", str(uri))
    for name in found:
        kind = resources.get(name, {}).get("Type")
        if kind == "AWS::Lambda::Function":
            return str(name)
        if kind == "AWS::Lambda::Alias":
            return str(resources[name]["Properties"]["FunctionName"]["Ref"])
    raise ValueError(f"no function behind {uri}")


def _cors(body: Mapping[str, Any], resolver: Resolver) -> Cors | None:
    raw = body.get("x-amazon-apigateway-cors")
    if raw is None:
        return None
    cors = resolver(raw)
    age = cors.get("maxAge")
    return Cors(
        _words(cors.get("allowOrigins")),
        tuple(method.upper() for method in _words(cors.get("allowMethods"))),
        tuple(name.lower() for name in _words(cors.get("allowHeaders"))),
        _words(cors.get("exposeHeaders")),
        None if age is None else int(age),
        bool(cors.get("allowCredentials")),
    )


def _words(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """A template may give a list of one word as the word itself."""
    return (value,) if isinstance(value, str) else tuple(value or ())
