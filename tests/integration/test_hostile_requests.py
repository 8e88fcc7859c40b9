"""What is sent to do harm: giants, nests, and tokens that name nobody. Each is refused, and costs little."""

import base64
import json
from types import SimpleNamespace

import pytest

from functions.accounts_api import app
from functions.accounts_api.routes import openapi_json
from shared.domain.connection import connection_id
from shared.domain.users import LONGEST_USER_ID
from shared.entrypoints import json_text
from shared.entrypoints.json_text import LARGEST_BODY_BYTES
from tests.integration.api_steps import refused
from tests.integration.world import Reply, World
from tests.worlds.triggers import api_event

CONNECTION = f"/v1/connections/{connection_id(77)}"
ROUTES = [
    (method.upper(), path.replace("{", "").replace("}", ""))
    for path, methods in json.loads(openapi_json())["paths"].items()
    for method in methods
    if path not in {"/health", "/v1/openapi.json"}
]
BODIES: dict[str, object] = {
    "PUT /v1/connections/connection_id/selection": {"enabled_account_ids": []},
    "POST /v1/connections/connection_id/selection/preview": {"enabled_account_ids": []},
    "PUT /v1/accounts/account_id/enabled": {"enabled": True},
    "DELETE /v1/connections/connection_id": {"confirm": "x"},
    "POST /v1/accounts": {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "1"},
    "PATCH /v1/accounts/account_id": {"name": "Livret"},
    "PUT /v1/accounts/account_id/link": {"account_id": "x"},
    "POST /v1/wishes": {"institution_id": "x", "type": "savings"},
    "POST /v1/webview-confirmations": {"return_code": "x"},
    "POST /v1/connections/connection_id/confirmation": {"iban_last4": "0100"},
    "POST /v1/webview-sessions": {"flow": "connect", "return_to": "https://app.example.com/"},
}


def of_claims(world: World, method: str, path: str, claims: dict[str, object]) -> Reply:
    event = api_event(method, path, BODIES.get(f"{method} {path}"))
    event["requestContext"]["authorizer"]["jwt"]["claims"] = claims
    answer = world.invoke(app.lambda_handler, event)
    return Reply(answer["statusCode"], {k.lower(): v for k, v in answer["headers"].items()}, answer["body"])


# --- bodies


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "a"}], ids=["no key", "with a key"])
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] != "GET"])
def test_a_body_over_the_limit_is_refused_before_it_is_parsed(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, key: dict[str, str]
) -> None:
    monkeypatch.setattr(json_text, "json", SimpleNamespace(loads=lambda _: pytest.fail("parsed")))
    raw = json.dumps({"enabled_account_ids": ["é" * 45_000] * 2}, ensure_ascii=False)
    raw += " " * (LARGEST_BODY_BYTES + 1 - len(raw.encode()))
    answer = world.invoke(app.lambda_handler, api_event(method, path, raw=raw, **key))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (413, "body_too_large")
    assert world.aws.calls == []


def test_a_large_body_is_refused_in_base64_as_well(world: World) -> None:
    event = api_event("POST", "/v1/accounts", raw=base64.b64encode(bytes(LARGEST_BODY_BYTES + 1)).decode())
    event["isBase64Encoded"] = True
    assert world.invoke(app.lambda_handler, event)["statusCode"] == 413


def test_a_body_as_large_as_the_limit_is_read(world: World) -> None:
    body = json.dumps({"enabled_account_ids": []}).ljust(LARGEST_BODY_BYTES)
    refused(world.api("PUT", f"{CONNECTION}/selection", raw=body), 404, "connection_not_found")


@pytest.mark.parametrize("depth", [10, 900, 5_000, 20_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), ["[]", ('{"a":', "}"), ('{"enabled_account_ids":[', "]}")])
def test_however_deeply_a_body_is_nested_it_is_refused_as_one(
    world: World, depth: int, opening: str, closing: str
) -> None:
    depth = min(depth, LARGEST_BODY_BYTES // len(opening + closing) - 1)
    for key in ({}, {"idempotency_key": "a"}):
        reply = world.api("PUT", f"{CONNECTION}/selection", raw=opening * depth + "1" + closing * depth, **key)
        assert (reply.status, reply.json["code"]) in ((400, "invalid_json"), (422, "invalid_request"))


# --- ids in paths


@pytest.mark.parametrize("length", [1_025, 8_000])
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "_id" in route[1]])
def test_an_id_longer_than_any_is_not_found_and_not_looked_for(
    world: World, method: str, path: str, length: int
) -> None:
    asked: list[int] = []
    world.aws.fault("GetItem", lambda given: asked.append(max(len(v["S"]) for v in given["Key"].values())), times=9)
    parts = ["x" * length if part.endswith("_id") else part for part in path.split("/")]
    target = "/".join("checking" if part == "type" else part for part in parts)
    reply = world.api(method, target, BODIES.get(f"{method} {path}"))
    assert reply.status == 404
    assert reply.json["code"].endswith("not_found")
    assert all(size <= 1024 for size in asked)


# --- subjects

NOBODIES = {
    "empty": "",
    "blank": " ",
    "invisible": "\u200b",
    "with NUL": "alice\x00",
    "with a control character": "alice\x1f",
    "with a line break": "alice\nbob",
    "with half a character": "alice\ud800",
    "a character too long": "x" * (LONGEST_USER_ID + 1),
    "huge": "x" * 1_000_000,
    "a number": 5,
    "a list": ["alice"],
}


@pytest.mark.parametrize("subject", [None, *NOBODIES.values()], ids=["none", *NOBODIES])
def test_who_is_nobody_is_refused_on_every_route(world: World, subject: object) -> None:
    for method, path in ROUTES:
        refused(of_claims(world, method, path, {} if subject is None else {"sub": subject}), 401, "unauthenticated")
    refused(of_claims(world, "GET", "/v1/institutions/x/logo", {"sub": subject}), 401, "unauthenticated")
    assert world.aws.calls == []


@pytest.mark.parametrize("subject", ["x" * LONGEST_USER_ID, "auth0|5f7c8ec7c33c6c004bbafe82", "é@example.com", "a#b"])
def test_a_subject_of_any_issuer_is_a_user(world: World, subject: str) -> None:
    added = of_claims(world, "POST", "/v1/accounts", {"sub": subject})
    assert added.status == 201
    listed = of_claims(world, "GET", "/v1/connections", {"sub": subject})
    assert [account["id"] for account in listed.json["manual_accounts"]] == [added.json["id"]]


@pytest.mark.parametrize(
    ("claims", "header", "good"),
    [
        ({}, {}, True),
        ({"token_use": "access"}, {}, True),
        ({"token_use": "id"}, {}, False),
        ({"typ": "ID"}, {}, False),
        ({}, {"typ": "at+jwt"}, True),
        ({}, {"typ": "logout+jwt"}, False),
        ({}, [], True),
    ],
)
@pytest.mark.parametrize("path", ["/v1/connections", "/v1/institutions"])
def test_a_token_that_says_it_is_no_access_token_is_refused(
    world: World, path: str, claims: dict[str, str], header: object, good: bool
) -> None:
    event = api_event("GET", path)
    event["requestContext"]["authorizer"]["jwt"]["claims"] |= claims
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    event["headers"]["authorization"] = f"Bearer {head}.e30.c2lnbmF0dXJl"
    assert world.invoke(app.lambda_handler, event)["statusCode"] == (200 if good else 401)
