"""What the launcher does to the template before the AWS double deploys it: as little as possible."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import template
from local.intrinsics import Resolver, Unresolvable, load
from local.template import CODE_BUCKET, DROPPED, Authorizer, Cors, process

FUNCTION_ARN = "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/${%s}/invocations"
ALIAS = {"FunctionName": {"Ref": "F"}, "Name": "live"}


def built(folder: Path, resources: dict[str, Any], **sections: Any) -> Path:
    """A build folder whose template is plain CloudFormation already, so that no translation is needed."""
    text = yaml.safe_dump({"Resources": resources, **sections}, sort_keys=False)
    (folder / "template.yaml").write_text(text, "utf-8")
    return folder


@pytest.fixture(autouse=True)
def _without_sam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "translate", lambda source, _: json.loads(json.dumps(source)))


def processed(
    folder: Path, resources: dict[str, Any], parameters: dict[str, str] | None = None, **sections: Any
) -> Any:
    return process(built(folder, resources, **sections), parameters or {}, invoke_url="http://plane")


def role() -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": ["sqs:SendMessage", "kms:Decrypt"], "Resource": "arn:x"}
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [statement]}}],
        },
    }


def test_resources_the_double_cannot_make_are_dropped_by_name_and_nothing_waits_for_them(tmp_path: Path) -> None:
    resources = {
        "Archive": {"Type": "AWS::Events::Archive", "Properties": {}},
        "Queue": {"Type": "AWS::SQS::Queue", "DependsOn": ["Archive", "Other"], "Properties": {}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {}},
            "Properties": ALIAS,
        },
    }
    result = processed(tmp_path, resources)
    assert result.dropped == (f"Archive: AWS::Events::Archive ({DROPPED['AWS::Events::Archive']})",)
    assert result.template["Resources"] == {
        "Queue": {"Type": "AWS::SQS::Queue", "DependsOn": ["Other"], "Properties": {}},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": ALIAS},
    }


def test_functions_are_forwarded_to_the_plane_and_mappings_left_to_the_launcher(tmp_path: Path) -> None:
    resources = {
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {"STAGE": "dev"}}}},
        "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"BatchSize": 5}},
    }
    made = processed(tmp_path, resources).template["Resources"]
    variables = made["F"]["Properties"]["Environment"]["Variables"]
    assert variables == {"STAGE": "dev", "MINISTACK_LAMBDA_PROXY_URL": "http://plane/F"}
    assert made["M"]["Properties"] == {"BatchSize": 5, "Enabled": False}


def test_a_role_also_trusts_the_account_and_may_do_in_batches_what_it_may_do_singly(tmp_path: Path) -> None:
    properties = processed(tmp_path, {"R": role()}).template["Resources"]["R"]["Properties"]
    trusted = [statement["Principal"] for statement in properties["AssumeRolePolicyDocument"]["Statement"]]
    assert trusted == [{"Service": "lambda.amazonaws.com"}, {"AWS": "arn:aws:iam::000000000000:root"}]
    actions = properties["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"]
    assert actions == ["sqs:SendMessage", "kms:Decrypt", "sqs:SendMessageBatch"]


def test_parameters_the_template_does_not_know_are_left_out_and_a_missing_one_is_named(tmp_path: Path) -> None:
    known = {"Known": {"Type": "String"}}
    assert processed(tmp_path, {}, {"Known": "1", "Unknown": "2"}, Parameters=known).parameters == {"Known": "1"}
    with pytest.raises(Unresolvable, match="Known"):
        processed(tmp_path, {}, Parameters=known)


def test_code_stays_in_the_build_folder_and_is_named_after_what_it_holds(tmp_path: Path) -> None:
    resources = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "Layer"}},
        "F": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "F"}},
    }

    def named(code: str, bytecode: bytes) -> dict[Path, str]:
        for folder in ("F", "Layer"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "F" / "app.py").write_text(code, "utf-8")
        (tmp_path / "F" / "app.pyc").write_bytes(bytecode)
        result = processed(tmp_path, resources)
        made = result.template["Resources"]
        uris = [made["Layer"]["Properties"]["ContentUri"], made["F"]["Properties"]["CodeUri"]]
        assert uris == [f"s3://{CODE_BUCKET}/{key}" for key in result.code]
        return {folder: key for key, folder in result.code.items()}

    first, compiled, other = named("1", b"1"), named("1", b"2"), named("2", b"2")
    assert set(first) == {tmp_path / "F", tmp_path / "Layer"}
    assert compiled == first
    assert other[tmp_path / "Layer"] == first[tmp_path / "Layer"]
    assert other[tmp_path / "F"] != first[tmp_path / "F"]


def test_calls_go_through_the_alias_of_a_function_that_has_one(tmp_path: Path) -> None:
    resources = {
        "F": {"Type": "AWS::Lambda::Function"},
        "G": {"Type": "AWS::Lambda::Function"},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": ALIAS},
    }
    assert processed(tmp_path, resources).functions == {"F": "live", "G": None}


def test_routes_authorizers_and_cors_are_read_from_the_api(tmp_path: Path) -> None:
    def operation(target: str, security: list[dict[str, list[str]]]) -> dict[str, Any]:
        uri = {"Fn::Sub": FUNCTION_ARN % target}
        return {"x-amazon-apigateway-integration": {"uri": uri}, "security": security}

    body = {
        "paths": {
            "/health": {"get": operation("F.Arn", [{"NONE": []}])},
            "/v1/{proxy+}": {"x-amazon-apigateway-any-method": operation("FAlias", [{"Jwt": ["read"]}])},
            "/$default": {"x-amazon-apigateway-any-method": operation("F.Arn", [])},
        },
        "components": {
            "securitySchemes": {
                "Jwt": {
                    "x-amazon-apigateway-authorizer": {
                        "identitySource": "$request.header.Authorization",
                        "jwtConfiguration": {"issuer": {"Ref": "Issuer"}, "audience": ["app"]},
                    }
                }
            }
        },
        "x-amazon-apigateway-cors": {
            "allowOrigins": {"Ref": "Origins"},
            "allowMethods": ["get"],
            "allowHeaders": ["If-Match"],
            "maxAge": "600",
        },
    }
    resources = {
        "F": {"Type": "AWS::Lambda::Function"},
        "FAlias": {"Type": "AWS::Lambda::Alias", "Properties": ALIAS},
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}},
    }
    declared = {"Issuer": {"Type": "String"}, "Origins": {"Type": "CommaDelimitedList"}}
    given = {"Issuer": "https://id.example", "Origins": "https://a.example, https://b.example"}
    api = processed(tmp_path, resources, given, Parameters=declared).api
    assert [(route.key, route.function, route.authorizer, route.scopes) for route in api.routes] == [
        ("GET /health", "F", None, ()),
        ("ANY /v1/{proxy+}", "F", "Jwt", ("read",)),
        ("$default", "F", None, ()),
    ]
    assert api.authorizers == {"Jwt": Authorizer("https://id.example", ("app",), "authorization")}
    assert api.cors == Cors(("https://a.example", "https://b.example"), ("GET",), ("if-match",), (), 600)


def test_of_the_projects_own_template_only_saved_queries_and_a_secret_are_dropped() -> None:
    """Texts for people in CloudWatch's console, and what the launcher makes: nothing that runs is missing offline."""
    source = load((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))
    assert {resource["Type"] for resource in source["Resources"].values()} & set(DROPPED) == {
        "AWS::Logs::QueryDefinition",
        "AWS::SecretsManager::Secret",
    }


# --- intrinsic functions

DECLARED = {
    "Parameters": {
        "Stage": {"Type": "String", "Default": "dev"},
        "Origins": {"Type": "CommaDelimitedList", "Default": "a, b"},
    },
    "Conditions": {
        "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
        "Never": {"Fn::And": [{"Condition": "IsDev"}, {"Fn::Not": [{"Condition": "IsDev"}]}]},
        "Always": {"Fn::Or": [{"Condition": "Never"}, {"Condition": "IsDev"}]},
    },
    "Mappings": {"Sizes": {"dev": {"memory": 128}}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Stage", "dev"),
        ("!Ref Origins", ["a", "b"]),
        ("!Sub 'x-${Stage}-${!literal}-${AWS::Region}'", "x-dev-${literal}-here"),
        ("!Sub ['${A}${Stage}', {A: !Ref Stage}]", "devdev"),
        ("!Join ['-', [a, !Ref Stage]]", "a-dev"),
        ("!Split ['-', a-b]", ["a", "b"]),
        ("!Select [1, !Ref Origins]", "b"),
        ("!If [Always, yes, no]", True),
        ("!If [Never, 1, 2]", 2),
        ("!FindInMap [Sizes, !Ref Stage, memory]", 128),
        ("{a: !If [Never, 1, !Ref 'AWS::NoValue'], b: [1, !Ref 'AWS::NoValue']}", {"b": [1]}),
    ],
)
def test_values_known_before_a_deployment_are_computed(text: str, value: object) -> None:
    resolver = Resolver(DECLARED, {}, {"AWS::Region": "here"})
    assert resolver(load(f"value: {text}")["value"]) == value


@pytest.mark.parametrize("text", ["!Ref Table", "!GetAtt Table.Arn", "!Sub '${Table}'", "!ImportValue x"])
def test_values_only_a_deployment_knows_are_not_guessed(text: str) -> None:
    with pytest.raises(Unresolvable):
        Resolver(DECLARED, {}, {})(load(f"value: {text}")["value"])


def test_dates_of_policies_stay_text() -> None:
    assert load("Version: 2012-10-17") == {"Version": "2012-10-17"}


def test_the_routes_of_a_websocket_api_are_read(tmp_path: Path) -> None:
    integration = {"ApiId": {"Ref": "Live"}, "IntegrationUri": {"Fn::Sub": FUNCTION_ARN % "F.Arn"}}
    resources: dict[str, Any] = {
        "F": {"Type": "AWS::Lambda::Function"},
        "Live": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "WEBSOCKET"}},
        "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": integration},
    }
    joined: dict[str, Any] = {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}
    for name, key, target in (
        ("Connect", "$connect", joined),
        ("Disconnect", "$disconnect", {"Fn::Sub": "integrations/${Integration}"}),
    ):
        properties = {"ApiId": {"Ref": "Live"}, "RouteKey": key, "Target": target}
        resources[name] = {"Type": "AWS::ApiGatewayV2::Route", "Properties": properties}
    result = processed(tmp_path, resources)
    assert result.sockets == {"$connect": "F", "$disconnect": "F"}
    assert result.api.routes == ()
