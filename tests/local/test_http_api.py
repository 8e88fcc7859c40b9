"""The front plays API Gateway's HTTP API: what AWS documents is what these tests ask for."""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local import http_api
from local.http_api import Call, Request, Response
from local.identity import AUDIENCE, Issuer
from local.template import Api, Authorizer, Cors, Route

NOW = dt.datetime(2026, 3, 5, 9, 41, 7, tzinfo=dt.UTC)
ISSUER = "http://localhost:8080"
PAGE = "http://localhost:8080"

API = Api(
    routes=(
        Route("GET", "/health", "Api"),
        Route("GET", "/v1/webview-return", "Api"),
        Route("GET", "/v1/{proxy+}", "Api", "Jwt"),
        Route("PUT", "/v1/{proxy+}", "Api", "Jwt"),
        Route("POST", "/webhooks/powens/{event}", "Webhook"),
        Route("GET", "/scoped", "Api", "Jwt", ("accounts:read",)),
    ),
    authorizers={"Jwt": Authorizer(ISSUER, (AUDIENCE,))},
    cors=Cors((PAGE,), ("GET", "PUT"), ("authorization", "if-match"), ("etag",), 600),
)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(ISSUER, tmp_path_factory.mktemp("keys") / "issuer.pem")


def admit(request: Request, issuer: Issuer, api: Api = API) -> Call | Response:
    def key_set(asked: str) -> Mapping[str, Any]:
        return issuer.key_set if asked == ISSUER else {"keys": []}

    return http_api.admit(api, request, key_set, domain="localhost", now=NOW)


def signed_in(issuer: Issuer, path: str = "/v1/connections", **claims: Any) -> Request:
    token, _ = issuer.token("alice", now=NOW, **claims)
    return Request("GET", path, headers=[("authorization", f"Bearer {token}")])


def status(answer: Call | Response) -> int:
    assert isinstance(answer, Response), answer
    return answer.status


# --- routes


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/health", "GET /health"),
        ("GET", "/v1/webview-return", "GET /v1/webview-return"),
        ("GET", "/v1/connections", "GET /v1/{proxy+}"),
        ("GET", "/v1/connections/1/missing-accounts", "GET /v1/{proxy+}"),
        ("POST", "/webhooks/powens/account-enabled", "POST /webhooks/powens/{event}"),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, route: str) -> None:
    found = http_api.match(API.routes, method, path)
    assert found is not None
    assert found.route.key == route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/health"),
        ("GET", "/v1"),
        ("GET", "/webhooks/powens/x"),
        ("POST", "/webhooks/powens/a/b"),
        ("GET", "/x"),
    ],
)
def test_an_unknown_method_or_path_has_no_route(method: str, path: str, issuer: Issuer) -> None:
    assert http_api.match(API.routes, method, path) is None
    answer = admit(Request(method, path), issuer)
    assert isinstance(answer, Response)
    assert (answer.status, json.loads(answer.body)) == (404, {"message": "Not Found"})


def test_a_method_of_its_own_comes_before_any_and_any_before_default() -> None:
    routes = (Route("ANY", "$default", "D"), Route("ANY", "/a/{x}", "Any"), Route("GET", "/a/{x}", "Get"))
    chosen = [
        http_api.match(routes, method, path) for method, path in (("GET", "/a/1"), ("PUT", "/a/1"), ("GET", "/b"))
    ]
    assert [found.route.function for found in chosen if found] == ["Get", "Any", "D"]


def test_path_parameters_are_decoded() -> None:
    found = http_api.match(API.routes, "GET", "/v1/accounts/a%20b/c%2Fd")
    assert found is not None
    assert found.parameters == {"proxy": "accounts/a b/c/d"}


# --- the JWT authorizer


def test_a_good_token_reaches_the_function_with_its_claims_as_strings(issuer: Issuer) -> None:
    call = admit(signed_in(issuer, roles=["a", "b"], vip=True), issuer)
    assert isinstance(call, Call)
    given = call.event["requestContext"]["authorizer"]["jwt"]
    assert given["scopes"] is None
    assert given["claims"]["sub"] == "alice"
    assert given["claims"]["exp"] == str(int(NOW.timestamp()) + 3600)
    assert (given["claims"]["roles"], given["claims"]["vip"]) == ("[a b]", "true")


def test_a_token_without_the_word_bearer_is_taken_too(issuer: Issuer) -> None:
    token, _ = issuer.token("alice", now=NOW)
    assert isinstance(admit(Request("GET", "/v1/x", headers=[("authorization", token)]), issuer), Call)


def test_client_id_stands_in_for_a_missing_audience(issuer: Issuer) -> None:
    assert isinstance(admit(signed_in(issuer, aud=None, client_id=AUDIENCE), issuer), Response)
    key = issuer._key
    claims = {"iss": ISSUER, "sub": "a", "client_id": AUDIENCE, "exp": int(NOW.timestamp()) + 9}
    token = jwt.encode(claims, key, "RS256", {"kid": issuer.key_id})
    assert isinstance(admit(Request("GET", "/v1/x", headers=[("authorization", token)]), issuer), Call)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-app"},
        {"aud": ["x", "y"]},
        {"exp": NOW},
        {"exp": "soon"},
        {"exp": True},
        {"nbf": NOW + dt.timedelta(seconds=5)},
        {"iat": NOW + dt.timedelta(seconds=5)},
    ],
)
def test_a_token_for_another_place_or_time_is_refused(claims: dict[str, Any], issuer: Issuer) -> None:
    key = issuer._key
    good = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + dt.timedelta(hours=1)}
    payload = {
        name: int(value.timestamp()) if isinstance(value, dt.datetime) else value
        for name, value in {**good, **claims}.items()
    }
    # jwt.encode refuses claims of a wrong kind, a forger does not.
    token = jwt.PyJWS().encode(json.dumps(payload).encode(), key, "RS256", {"kid": issuer.key_id})
    answer = admit(Request("GET", "/v1/x", headers=[("authorization", f"Bearer {token}")]), issuer)
    assert status(answer) == 401


def test_a_token_signed_by_somebody_else_is_refused(issuer: Issuer) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": int(NOW.timestamp()) + 60}
    for kid in (issuer.key_id, "unknown"):
        token = jwt.encode(claims, key, "RS256", {"kid": kid})
        assert status(admit(Request("GET", "/v1/x", headers=[("authorization", f"Bearer {token}")]), issuer)) == 401


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_only_rsa_signatures_count(algorithm: str, issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": int(NOW.timestamp()) + 60}
    key = "k" * 32 if algorithm == "HS256" else None
    token = jwt.encode(claims, key, algorithm, {"kid": issuer.key_id})  # type: ignore[arg-type]
    assert status(admit(Request("GET", "/v1/x", headers=[("authorization", f"Bearer {token}")]), issuer)) == 401


@pytest.mark.parametrize("headers", [[], [("authorization", "")], [("authorization", "Bearer nonsense")]])
def test_no_token_is_401_with_a_challenge(headers: list[tuple[str, str]], issuer: Issuer) -> None:
    answer = admit(Request("GET", "/v1/connections", headers=headers), issuer)
    assert isinstance(answer, Response)
    assert (answer.status, json.loads(answer.body)) == (401, {"message": "Unauthorized"})
    assert ("www-authenticate", "Bearer") in answer.headers


def test_a_token_without_the_scope_of_the_route_is_403(issuer: Issuer) -> None:
    assert status(admit(signed_in(issuer, "/scoped", scope="other"), issuer)) == 403
    call = admit(signed_in(issuer, "/scoped", scope="other accounts:read"), issuer)
    assert isinstance(call, Call)
    assert call.event["requestContext"]["authorizer"]["jwt"]["scopes"] == ["other", "accounts:read"]


# --- payload format 2.0


def webhook(issuer: Issuer, body: bytes, *headers: tuple[str, str]) -> dict[str, Any]:
    call = admit(Request("POST", "/webhooks/powens/account-enabled", "", headers, body), issuer)
    assert isinstance(call, Call)
    return call.event


def test_the_event_has_the_form_of_payload_format_2(issuer: Issuer) -> None:
    request = Request(
        "GET",
        "/v1/webview-return",
        "state=a%2Bb&x=1&x=2&empty=",
        [("host", "localhost:8080"), ("accept", "a"), ("accept", "b"), ("cookie", "c=1; d=2"), ("user-agent", "test")],
        source_ip="127.0.0.9",
    )
    call = admit(request, issuer)
    assert isinstance(call, Call)
    event = call.event
    assert (event["version"], event["routeKey"]) == ("2.0", "GET /v1/webview-return")
    assert (event["rawPath"], event["rawQueryString"]) == ("/v1/webview-return", "state=a%2Bb&x=1&x=2&empty=")
    assert event["queryStringParameters"] == {"state": "a+b", "x": "1,2", "empty": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["accept"] == "a,b"
    assert "cookie" not in event["headers"]
    assert event["isBase64Encoded"] is False
    assert "body" not in event
    context = event["requestContext"]
    assert "authorizer" not in context
    assert (context["stage"], context["routeKey"], context["domainName"]) == (
        "$default",
        event["routeKey"],
        "localhost",
    )
    assert context["http"] == {
        "method": "GET",
        "path": "/v1/webview-return",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.9",
        "userAgent": "test",
    }
    assert (context["time"], context["timeEpoch"]) == ("05/Mar/2026:09:41:07 +0000", 1772703667000)
    assert context["requestId"]


def test_json_and_text_bodies_come_as_they_are(issuer: Issuer) -> None:
    for kind in ("application/json", "application/problem+json; charset=utf-8", "text/plain", "application/xml"):
        event = webhook(issuer, '{"é": 1}'.encode(), ("content-type", kind))
        assert (event["body"], event["isBase64Encoded"]) == ('{"é": 1}', False)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x1f\x8b\x08", [("content-type", "application/json"), ("content-encoding", "gzip")]),
        (b"\xff\xfe", [("content-type", "application/json")]),
        (b"a=1", [("content-type", "application/x-www-form-urlencoded")]),
        (b"x", []),
    ],
)
def test_other_bodies_come_in_base64(body: bytes, headers: list[tuple[str, str]], issuer: Issuer) -> None:
    event = webhook(issuer, body, *headers)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_a_body_above_ten_megabytes_never_reaches_the_function(issuer: Issuer) -> None:
    request = Request("POST", "/webhooks/powens/x", body=b"x" * (10 * 1024 * 1024 + 1))
    answer = admit(request, issuer)
    assert isinstance(answer, Response)
    assert (answer.status, json.loads(answer.body)) == (413, {"message": "Request Entity Too Large"})


# --- answers


def test_an_answer_with_a_status_is_taken_apart() -> None:
    answer = http_api.response(
        {"statusCode": 303, "headers": {"Location": "/x", "Retry-After": 3}, "cookies": ["a=1", "b=2"], "body": ""}
    )
    assert (answer.status, answer.body) == (303, b"")
    assert list(answer.headers) == [
        ("location", "/x"),
        ("retry-after", "3"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_an_answer_without_a_status_is_a_json_200() -> None:
    assert http_api.response({"ok": True}) == Response(200, (("content-type", "application/json"),), b'{"ok": true}')


def test_a_base64_answer_is_decoded() -> None:
    given = {"statusCode": 200, "body": base64.b64encode(b"\x00\x01").decode(), "isBase64Encoded": True}
    assert http_api.response(given).body == b"\x00\x01"


@pytest.mark.parametrize(
    "payload",
    [
        {"statusCode": "x"},
        {"statusCode": None},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_is_none_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"status|body"):
        http_api.response(payload)


# --- CORS


def preflight(origin: str, method: str = "PUT", path: str = "/v1/connections/1/selection") -> Request:
    return Request("OPTIONS", path, headers=[("origin", origin), ("access-control-request-method", method)])


def test_a_preflight_is_answered_without_a_token_and_without_the_function(issuer: Issuer) -> None:
    answer = admit(preflight(PAGE), issuer)
    assert isinstance(answer, Response)
    assert answer.status == 204
    assert dict(answer.headers) == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "authorization,if-match",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize(("origin", "method"), [("https://evil.example", "PUT"), (PAGE, "DELETE")])
def test_a_preflight_from_elsewhere_or_for_another_method_gets_no_leave(
    origin: str, method: str, issuer: Issuer
) -> None:
    answer = admit(preflight(origin, method), issuer)
    assert isinstance(answer, Response)
    assert (answer.status, list(answer.headers)) == (204, [])


def test_a_route_for_any_method_with_an_authorizer_refuses_the_preflight(issuer: Issuer) -> None:
    api = Api((Route("ANY", "/v1/{proxy+}", "Api", "Jwt"),), API.authorizers, API.cors)
    assert status(admit(preflight(PAGE), issuer, api)) == 401


def test_the_gateways_cors_headers_replace_the_functions() -> None:
    request = Request("GET", "/health", headers=[("origin", PAGE)])
    own = Response(200, (("access-control-allow-origin", "*"), ("etag", '"1"')))
    assert dict(http_api.with_cors(request, own, API.cors).headers) == {
        "etag": '"1"',
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": "etag",
        "vary": "Origin",
    }
    elsewhere = Request("GET", "/health", headers=[("origin", "https://evil.example")])
    assert dict(http_api.with_cors(elsewhere, own, API.cors).headers) == {"etag": '"1"'}
    assert http_api.with_cors(request, own, None) == own


def test_refusals_carry_cors_headers_so_that_the_page_can_read_them(issuer: Issuer) -> None:
    answer = admit(Request("GET", "/v1/x", headers=[("origin", PAGE)]), issuer)
    assert isinstance(answer, Response)
    assert ("access-control-allow-origin", PAGE) in answer.headers
