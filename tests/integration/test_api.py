"""The HTTP API: who is who, what is unknown, what a body may be, and what is said when things go wrong."""

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.bootstrap import Container
from shared.domain.connection import connection_id
from tests.integration.api_steps import PATH, refused
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.powens.wire import Answer
from tests.worlds.triggers import event_file


def test_the_event_files_of_the_api_are_answered(world: World) -> None:
    from functions.accounts_api import app

    expected = {
        "health": 200,
        "list-connections": 200,
        "put-selection": 404,
        "open-webview": 404,
        "webview-return": 303,
        "add-account": 201,
        "join-accounts": 404,
        "add-wish": 422,
    }
    for name, status in expected.items():
        assert world.invoke(app.lambda_handler, event_file(f"accounts_api/{name}"))["statusCode"] == status


def test_health_needs_nothing(world: World) -> None:
    assert world.api("GET", "/health", user=None).json == {"status": "ok"}
    assert world.aws.calls == []


def test_a_container_makes_real_clients_and_names_missing_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.domain.errors import Misconfigured

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.delenv("TABLE_NAME", raising=False)
    with pytest.raises(Misconfigured, match="TABLE_NAME"):
        Container.from_env()


def test_nothing_of_another_user_is_found(world: World) -> None:
    connection = world.connect(1, 2)
    [account, *_] = world.ids(connection).values()
    confirmed = world.choose(connection, 1)
    world.settle()
    world.forget()
    for method, path, body, code in (
        ("GET", PATH, None, "connection_not_found"),
        ("PUT", f"{PATH}/selection", {"enabled_account_ids": []}, "connection_not_found"),
        ("DELETE", PATH, {"confirm": "Banque du Test"}, "connection_not_found"),
        ("POST", f"{PATH}/refresh", None, "connection_not_found"),
        ("GET", f"/v1/accounts/{account}", None, "account_not_found"),
        ("PATCH", f"/v1/accounts/{account}", {"enabled": False}, "account_not_found"),
        ("PATCH", f"/v1/accounts/{account}", {"name": "Mine"}, "account_not_found"),
        ("GET", f"/v1/operations/{confirmed.json['id']}", None, "operation_not_found"),
        ("POST", f"/v1/operations/{confirmed.json['id']}/undo", None, "operation_not_found"),
    ):
        refused(world.api(method, path, body, user="bob"), 404, code)
    preview = world.api("PUT", f"{PATH}/selection", {"enabled_account_ids": []}, user="bob", query="dry_run=true")
    refused(preview, 404, "connection_not_found")
    for flow in ("manage", "reconnect"):
        refused(world.open_webview("bob", flow=flow, connection_id=connection_id(77)), 404, "connection_not_found")
    assert world.api("GET", "/v1/history", user="bob").json["entries"] == []
    assert world.api("GET", "/v1/connections", user="bob").json["connections"] == []
    world.settle()
    assert world.aws.bus == []
    assert world.powens.log == []


def test_a_token_without_a_subject_is_nobody(world: World) -> None:
    from functions.accounts_api import app
    from tests.worlds.triggers import api_event

    for claims in ({}, {"sub": ""}):
        event = api_event("GET", "/v1/connections")
        event["requestContext"]["authorizer"]["jwt"]["claims"] = claims
        answer = world.invoke(app.lambda_handler, event)
        assert answer["statusCode"] == 401
    assert world.aws.calls == []


def test_an_account_shows_the_last_digits_that_powens_shows_and_a_connection_since_when_it_is(world: World) -> None:
    connection = world.connect(1)
    connected = world.clock()
    savings = world.powens.add_account(connection, 2)
    savings.iban, savings.number = None, "3002 9000 1207"
    world.clock.advance(hours=1)
    world.webhook("CONNECTION_SYNCED", connection)
    world.settle()
    shown = world.held(connection)
    assert [(one["iban_last4"], one["number_last4"]) for one in shown["accounts"]] == [
        ("0100", None),
        (None, "1207"),
    ]
    told = datetime.fromisoformat(shown["connected_at"])
    assert connected - timedelta(minutes=5) < told <= connected


@pytest.mark.parametrize("ids", [["unknown"], ["1", "unknown"], [""]])
def test_an_unknown_account_in_a_selection_changes_nothing(world: World, ids: list[str]) -> None:
    connection = world.connect(1, 2)
    known = world.ids(connection)
    body = {"enabled_account_ids": [known[1] if wanted == "1" else wanted for wanted in ids]}
    world.forget()
    reply = world.api("PUT", f"{PATH}/selection", body)
    refused(reply, 422, "unknown_account")
    assert reply.json["field"] == "enabled_account_ids"
    refused(world.api("PUT", f"{PATH}/selection", body, query="dry_run=true"), 422, "unknown_account")
    world.settle()
    assert world.powens.log == []


def test_an_account_of_another_connection_is_unknown_in_a_selection(world: World) -> None:
    world.connect(1)
    other = world.connect(2, connection_id=78)
    [foreign] = world.ids(other).values()
    refused(world.api("PUT", f"{PATH}/selection", {"enabled_account_ids": [foreign]}), 422, "unknown_account")


def test_an_account_that_the_bank_closed_cannot_be_ticked(world: World) -> None:
    connection = world.connect(1, 2, disabled=(2,))
    connection.accounts[2].deleted = True
    world.webhook("connection-synced", connection)
    world.settle()
    world.clock.advance(seconds=10)
    account = world.ids(connection)[2]
    refused(world.api("PATCH", f"/v1/accounts/{account}", {"enabled": True}), 422, "account_closed_at_bank")
    assert world.api("GET", f"/v1/accounts/{account}").json["status"] == "closed_at_bank"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field"),
    [
        ("PUT", f"{PATH}/selection", {}, 422, "invalid_request", "enabled_account_ids"),
        ("PUT", f"{PATH}/selection", {"enabled_account_ids": "all"}, 422, "invalid_request", "enabled_account_ids"),
        ("PUT", f"{PATH}/selection", {"enabled_account_ids": [1]}, 422, "invalid_request", "enabled_account_ids.0"),
        ("PUT", f"{PATH}/selection", {"enabled_account_ids": [], "all": 1}, 422, "invalid_request", "all"),
        (
            "PUT",
            f"{PATH}/selection",
            {"enabled_account_ids": ["x"] * 1001},
            422,
            "invalid_request",
            "enabled_account_ids",
        ),
        ("PATCH", "/v1/accounts/x", {"enabled": True, "name": "x"}, 422, "invalid_request", None),
        ("PATCH", "/v1/accounts/x", {}, 422, "invalid_request", None),
        ("PATCH", "/v1/accounts/x", {"enabled": "yes"}, 422, "invalid_request", "enabled"),
        ("PATCH", "/v1/accounts/x", {"name": ""}, 422, "invalid_request", "name"),
        ("DELETE", PATH, {}, 422, "invalid_request", "confirm"),
        ("POST", "/v1/webview-sessions", {"flow": "payment", "return_to": "x"}, 422, "invalid_request", "flow"),
        ("GET", "/v1/unknown", None, 404, "route_not_found", None),
        ("POST", "/v1/connections", {}, 404, "route_not_found", None),
    ],
)
def test_a_body_that_is_not_as_agreed_is_refused_with_the_part_at_fault(
    world: World, method: str, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    reply = world.api(method, path, body)
    refused(reply, status, code)
    if field is not None:
        assert reply.json["field"] == field
    assert world.aws.calls == []


@pytest.mark.parametrize("raw", ["{", "", "\x00", "[" * 100_000, "enabled_account_ids=a", "NaN", "\ud800"])
def test_a_body_that_is_no_usable_json_is_refused(world: World, raw: str) -> None:
    reply = world.api("PUT", f"{PATH}/selection", raw=raw)
    assert reply.status in (400, 422)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", ["application/octet-stream", "multipart/form-data; boundary=x", "text/plain", ""])
def test_a_body_is_json_whatever_it_is_called_and_however_it_is_passed_on(world: World, kind: str) -> None:
    from functions.accounts_api import app
    from tests.worlds.triggers import api_event

    for sent, status in ((b'{"enabled_account_ids": []}', 404), (b"\xff\xfe", 400), (b"a=b", 400)):
        event = api_event("PUT", f"{PATH}/selection", raw=base64.b64encode(sent).decode(), content_type=kind)
        event["isBase64Encoded"] = True
        event["headers"]["content-type"] = kind
        assert world.invoke(app.lambda_handler, event)["statusCode"] == status


def test_a_refusal_is_told_in_the_language_asked_for(world: World) -> None:
    french, english = (
        world.api("GET", PATH, accept_language=tags).json for tags in ("fr-FR, en;q=0.5", "de, en;q=0.8, fr;q=x")
    )
    assert french["detail"] != english["detail"]
    assert french["code"] == english["code"]


def test_powens_refusing_us_is_not_the_users_fault(world: World) -> None:
    world.connect(1)
    world.powens.fail("GET /auth/token/code", error(400, "x"))
    refused(world.open_webview(), 502, "refused_by_powens")
    world.powens.revoke_tokens(41)
    world.powens.fail("POST /auth/renew", error(401, "unauthorized"))
    refused(world.open_webview(), 500, "internal_error")


def test_a_bug_is_answered_without_a_word_about_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.adapters.dynamodb.connections import DynamoDBConnections

    def broken(*_: object) -> Any:
        raise ZeroDivisionError("a detail")

    monkeypatch.setattr(DynamoDBConnections, "listed", broken)
    reply = world.api("GET", "/v1/connections")
    refused(reply, 500, "internal_error")
    assert "a detail" not in reply.body
    assert any("ZeroDivisionError" in line.get("exception", "") for line in world.lines())


def test_a_logo_comes_from_the_api_itself(world: World) -> None:
    connection = world.connect(1)
    address = world.held(connection)["institution"]["logo_url"]
    public = "https://api.example.com"
    assert address.startswith(f"{public}/v1/institutions/")
    picture = b"\x89PNG\r\n\x1a\n" + b"picture"
    path = address.removeprefix(public)
    world.powens.fail(f"GET /logos/{path.split('/')[3]}-thumbnail@2x.png", Answer(200, picture))
    reply = world.api("GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert base64.b64decode(reply.body) == picture
    refused(world.api("GET", "/v1/institutions/..%2Fusers/logo"), 404, "not_found")
