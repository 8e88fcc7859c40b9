"""The HTTP API and the WebSocket API: routes, who may call them, and what their logs hold."""

import json
import re
from typing import Any

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


def test_only_the_health_check_the_description_the_webview_return_and_the_webhooks_are_public(deployed: Stack) -> None:
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
    assert _stage(deployed, "HttpApi")["StageName"] == "$default"


def _stage(stack: Stack, api: str) -> dict[str, Any]:
    (stage,) = [stage for _, stage in stack.of("AWS::ApiGatewayV2::Stage") if target(stage["ApiId"]) == api]
    return stage


def test_browsers_may_send_and_read_the_headers_of_the_api(deployed: Stack) -> None:
    condition, cors, without = deployed.properties("HttpApi")["Body"]["x-amazon-apigateway-cors"]["Fn::If"]

    assert (condition, without) == ("HasCorsOrigins", {"Ref": "AWS::NoValue"})
    assert cors["allowOrigins"] == {"Fn::Split": [",", PARAMETERS["CorsOrigins"]]}
    assert {"authorization", "idempotency-key", "if-match", "if-none-match"} <= set(cors["allowHeaders"])
    assert {"etag", "location", "retry-after"} <= set(cors["exposeHeaders"])
    assert "OPTIONS" not in cors["allowMethods"]


def test_the_access_log_holds_no_address_and_no_path(deployed: Stack) -> None:
    stage = _stage(deployed, "HttpApi")
    logged = set(re.findall(r"\$context\.([\w.]+)", stage["AccessLogSettings"]["Format"]))

    assert "requestId" in logged
    assert not logged & {"path", "domainName", "identity.sourceIp", "authorizer.claims.sub"}
    assert json.loads(stage["AccessLogSettings"]["Format"])


# --- live updates --------------------------------------------------------------------------------------------------


def test_sockets_open_close_and_speak_to_one_function(deployed: Stack) -> None:
    routes = {route["RouteKey"]: route for _, route in deployed.of("AWS::ApiGatewayV2::Route")}

    assert set(routes) == {"$connect", "$disconnect", "$default"}
    for route in routes.values():
        assert target(route["ApiId"]) == "LiveApi"
        assert target(route["Target"]) == "LiveIntegration"
    assert deployed.properties("LiveApi")["ProtocolType"] == "WEBSOCKET"
    uri = deployed.properties("LiveIntegration")["IntegrationUri"]["Fn::Sub"]
    assert "functions/${LiveUpdatesFunction.Arn}/invocations" in uri
    # Without it API Gateway may not call the function, and every socket is refused.
    permission = deployed.properties("LivePermission")
    assert target(permission["FunctionName"]) == "LiveUpdatesFunction"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${LiveApi}/${LiveStage}/*")


def test_the_function_writes_to_sockets_of_the_stage_it_is_behind(deployed: Stack) -> None:
    address = "https://${LiveApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${LiveStage}"
    variables = deployed.properties("LiveUpdatesFunction")["Environment"]["Variables"]

    assert variables["LIVE_ENDPOINT"] == {"Fn::Sub": address}
    assert (variables["JWT_ISSUER"], variables["JWT_AUDIENCE"]) == ({"Ref": "JwtIssuer"}, {"Ref": "JwtAudience"})
    given = deployed.template["Outputs"]["LiveUrl"]["Value"]
    assert given == {"Fn::Sub": address.replace("https:", "wss:")}
    assert target(_stage(deployed, "LiveApi")["ApiId"]) == "LiveApi"


def test_every_event_that_we_publish_is_told_to_open_screens(deployed: Stack) -> None:
    pattern = deployed.properties("LiveUpdatesFunctionChanges")["EventPattern"]

    assert set(pattern["detail-type"]) == {path.stem for path in (ROOT / "events" / "schemas").glob("*.json")}


def test_the_log_of_the_sockets_holds_no_header_and_is_written_only_when_asked_for(deployed: Stack) -> None:
    condition, settings, without = _stage(deployed, "LiveApi")["AccessLogSettings"]["Fn::If"]
    logged = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))

    assert (condition, without) == ("HasLiveAccessLogs", {"Ref": "AWS::NoValue"})
    assert "requestId" in logged
    assert not {name for name in logged if name.startswith(("identity", "authorizer"))}
    assert "header" not in settings["Format"]
    assert json.loads(settings["Format"])


def test_only_the_rule_may_put_what_it_could_not_hand_over_into_the_failures_queue(deployed: Stack) -> None:
    policy = deployed.properties("LiveUpdatesFailuresPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert [target(queue) for queue in policy["Queues"]] == ["LiveUpdatesFailuresQueue"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == "LiveUpdatesFunctionChanges"
