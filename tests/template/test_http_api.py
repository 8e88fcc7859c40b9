"""Which routes the HTTP API has, who may call them, and under which address."""

import json
import re
from typing import Any

import pytest

from local.paths import ROOT
from tests.template.cloudformation import PARAMETERS, Stack, target

PUBLIC = {"GET /health", "GET /v1/openapi.json", "GET /v1/webview-return", "POST /webhooks/powens/{event}"}
SIGNED_IN = {f"{method} /v1/{{proxy+}}" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")}


def _routes(stack: Stack) -> dict[str, list[Any]]:
    body = stack.properties("HttpApi")["Body"]
    return {
        f"{method.upper()} {path}": operation["security"]
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    }


def test_only_the_health_check_the_webview_return_and_the_webhooks_are_public(deployed: Stack) -> None:
    routes = _routes(deployed)

    assert set(routes) == PUBLIC | SIGNED_IN
    assert {route for route, security in routes.items() if security == [{"NONE": []}]} == PUBLIC
    assert {route for route, security in routes.items() if security == [{"Jwt": []}]} == SIGNED_IN


_CODE_ROUTE = re.compile(r'^@(?:app|router)\.(get|post|put|patch|delete)\(\s*"([^"]+)"', re.MULTILINE)


def test_the_template_routes_what_the_api_answers_and_nothing_else() -> None:
    code = "".join(path.read_text() for path in (ROOT / "functions" / "accounts_api").glob("*.py"))
    answered = {f"{method.upper()} {path}" for method, path in _CODE_ROUTE.findall(code)}
    routed = {}
    for route in answered:
        method, path = route.split()
        routed[route] = route if route in PUBLIC else f"{method} {re.sub(r'^/v1/.+', '/v1/{proxy+}', path)}"

    assert len(answered) > 10
    assert set(routed.values()) <= PUBLIC | SIGNED_IN
    # Everything routed is answered: each public route by itself, each method by at least one route.
    assert set(routed.values()) == (PUBLIC | SIGNED_IN) - {"POST /webhooks/powens/{event}"}


def test_the_authorizer_wants_the_configured_issuer_and_audience(deployed: Stack) -> None:
    schemes = deployed.properties("HttpApi")["Body"]["components"]["securitySchemes"]

    assert schemes["Jwt"]["x-amazon-apigateway-authorizer"] == {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": {"Ref": "JwtIssuer"}, "audience": [{"Ref": "JwtAudience"}]},
    }


def test_the_path_that_powens_signs_has_no_stage_in_it(deployed: Stack) -> None:
    assert deployed.stage("HttpApi")["StageName"] == "$default"


def test_browsers_may_send_and_read_the_headers_of_the_api(deployed: Stack) -> None:
    condition, cors, without = deployed.properties("HttpApi")["Body"]["x-amazon-apigateway-cors"]["Fn::If"]

    assert (condition, without) == ("HasCorsOrigins", {"Ref": "AWS::NoValue"})
    assert cors["allowOrigins"] == {"Fn::Split": [",", PARAMETERS["CorsOrigins"]]}
    assert {"authorization", "idempotency-key", "if-match", "if-none-match"} <= set(cors["allowHeaders"])
    assert {"etag", "location", "retry-after", "apigw-requestid"} <= set(cors["exposeHeaders"])
    assert "OPTIONS" not in cors["allowMethods"]


def test_the_access_log_says_from_where_and_holds_no_path(deployed: Stack) -> None:
    stage = deployed.stage("HttpApi")
    logged = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))

    assert {"requestId", "identity.sourceIp"} <= logged
    assert not logged & {"path", "domainName", "authorizer.claims.sub"}
    assert json.loads(stage["AccessLogSettings"]["Format"])


def test_an_import_with_a_warning_fails_rather_than_leaving_routes_out(deployed: Stack) -> None:
    """Of an issuer that cannot be reached, API Gateway leaves out the authorizer and every route behind it."""
    assert deployed.properties("HttpApi")["FailOnWarnings"] is True


def test_the_custom_domain_leads_to_the_stage_once_there_is_one(deployed: Stack) -> None:
    """By its name alone, CloudFormation does not know that the mapping needs the stage, and may make it too early."""
    mapping = deployed.properties("ApiDomainMapping")

    assert target(mapping["ApiId"]) == "HttpApi"
    assert deployed.type_of(target(mapping["Stage"])) == "AWS::ApiGatewayV2::Stage"
    assert deployed.stage("HttpApi") == deployed.properties(target(mapping["Stage"]) or "")


def test_the_gateways_own_address_is_closed_once_there_is_a_domain(deployed: Stack) -> None:
    (server,) = deployed.properties("HttpApi")["Body"]["servers"]

    assert server["x-amazon-apigateway-endpoint-configuration"] == {
        "disableExecuteApiEndpoint": {"Fn::If": ["HasCustomDomain", True, False]}
    }


ADDRESSES = ("PublicUrl", "JwtIssuer", "CorsOrigins", "ReturnToAllowed", "PowensApiUrl", "PowensWebviewUrl")


@pytest.mark.parametrize("parameter", ADDRESSES)
@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("https://accounts.example.com", True),
        ("http://localhost:8080", True),
        ("http://localhost", True),
        ("http://accounts.example.com", False),
        ("http://localhost.example.com", False),
        ("http://localhost:8080@example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("ftp://accounts.example.com", False),
    ],
)
def test_no_address_is_without_tls_but_on_the_machine_itself(
    source: dict[str, Any], parameter: str, host: str, good: bool
) -> None:
    pattern = source["Parameters"][parameter]["AllowedPattern"]
    if parameter == "ReturnToAllowed" and host.startswith("ftp"):
        return  # as good a scheme of an app as any
    assert bool(re.fullmatch(pattern, host)) == good
    if parameter in ("CorsOrigins", "ReturnToAllowed"):
        assert bool(re.fullmatch(pattern, f"https://app.example.com,{host}")) == good
        assert bool(re.fullmatch(pattern, f"{host},https://app.example.com")) == good


@pytest.mark.parametrize(
    "value", ["wealthapp://", "https://app.example.com, wealthapp://", "http://localhost:8080,x://"]
)
def test_apps_and_several_origins_may_be_returned_to(source: dict[str, Any], value: str) -> None:
    assert re.fullmatch(source["Parameters"]["ReturnToAllowed"]["AllowedPattern"], value)


def test_each_address_that_a_stage_is_deployed_with_is_one_of_these(source: dict[str, Any]) -> None:
    taken = {name for name, one in source["Parameters"].items() if "http" in one.get("AllowedPattern", "")}
    assert taken == set(ADDRESSES)
