"""What the API refuses and how, and what it gives only once."""

import base64
import re
import threading
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.account_commands import app as account_commands
from shared.application.ports import TakenError
from shared.application.request import Request
from shared.application.writing import write
from shared.bootstrap import Container
from shared.domain.connection import connection_id
from shared.domain.ledger import Outcome
from tests.integration.aws import throttled
from tests.integration.world import Reply, World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.fake import error
from tests.worlds.powens.model import Connection
from tests.worlds.powens.wire import Answer
from tests.worlds.triggers import event_file

PATH = f"/v1/connections/{connection_id(77)}"


def refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.json["code"]) == (status, code), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["request_id"] == "ZkLmNoPqRsTuVwX="
    assert reply.json["detail"]


def key(number: int) -> str:
    return f"3f0c5a54-9f5b-4c55-8f3c-{number:012d}"


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


# --- what a request may say


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("dryRun=true", "unknown_parameter", "dryRun"),
        ("dry-run=true", "unknown_parameter", "dry-run"),
        ("DRY_RUN=true", "unknown_parameter", "DRY_RUN"),
        ("dry_run%20=true", "unknown_parameter", "dry_run "),
        ("dry_run=false&dryRun", "unknown_parameter", "dryRun"),
        ("dry_run=false&dry_run=true", "repeated_parameter", "dry_run"),
        ("dry_run=true&dry_run=true", "repeated_parameter", "dry_run"),
        ("=true", "unknown_parameter", ""),
        (f"{'x' * 500}=true", "unknown_parameter", "x" * 100),
        ("dry_run", "invalid_request", "dry_run"),
        ("dry_run=", "invalid_request", "dry_run"),
        ("dry_run=maybe", "invalid_request", "dry_run"),
        ("dry_run=true,false", "invalid_request", "dry_run"),
    ],
)
def test_a_misspelt_flag_is_refused_and_nothing_is_carried_out(world: World, query: str, code: str, field: str) -> None:
    connection = world.connect(1, 2)
    body = {"enabled_account_ids": [world.ids(connection)[2]]}
    answer = world.api("PUT", f"{PATH}/selection", body, query=query)
    refused(answer, 422, code)
    assert answer.json["field"] == field
    world.settle()
    assert world.at_powens(connection) == {1, 2}


@pytest.mark.parametrize("query", ["dry_run=true", "dry_run=True", "dry_run=1", "dry_run=yes"])
def test_a_flag_that_can_be_read_is_one(world: World, query: str) -> None:
    connection = world.connect(1, 2)
    body = {"enabled_account_ids": [world.ids(connection)[2]]}
    assert world.api("PUT", f"{PATH}/selection", body, query=query).json["disable"]
    world.settle()
    assert world.at_powens(connection) == {1, 2}


BODIES: dict[str, object] = {
    "PUT /v1/connections/{}/selection": {"enabled_account_ids": []},
    "DELETE /v1/connections/{}": {"confirm": "Banque du Test"},
    "PATCH /v1/accounts/{}": {"name": "x"},
    "POST /v1/accounts": {"name": "x", "type": "checking", "currency": "EUR", "balance": "1"},
    "PUT /v1/accounts/{}/link": {"account_id": "x"},
    "POST /v1/wishes": {"institution_id": "x", "type": "checking"},
    "POST /v1/webview-sessions": {"flow": "connect", "return_to": f"{ORIGIN}/"},
}


def test_no_mutation_takes_a_parameter_that_it_does_not_know(world: World) -> None:
    paths = world.api("GET", "/v1/openapi.json", user=None).json["paths"]
    mutations = [(method.upper(), path) for path in paths for method in paths[path] if method != "get"]
    assert len(mutations) > 10
    for method, path in mutations:
        path = re.sub(r"{\w+}", "{}", path)  # noqa: PLW2901
        body = BODIES.get(f"{method} {path}")
        refused(world.api(method, path.format("x", "x"), body, query="invented=1"), 422, "unknown_parameter")
    assert world.powens.log == []


def test_a_path_that_does_not_exist_is_not_found_whatever_its_query(world: World) -> None:
    refused(world.api("PUT", "/v1/nothing", {}, query="x=1"), 404, "route_not_found")


def test_a_query_may_say_more_than_its_route_knows(world: World) -> None:
    assert world.api("GET", "/v1/connections", query="_=1764307200&_=2").status == 200


@pytest.mark.parametrize("key", [None, key(1)])
@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("PATCH", "/v1/accounts/x", '{"name":"a\\ud83d"}'),
        ("PATCH", "/v1/accounts/x", '{"name":"a\ud83d"}'),
        ("PUT", f"{PATH}/selection", '{"enabled_account_ids":["\\ud83d"]}'),
        ("DELETE", PATH, '{"confirm":"\\udc00"}'),
        ("POST", "/v1/webview-sessions", '{"flow":"manage","connection_id":"\\ud83d","return_to":"https://x/"}'),
        ("POST", "/v1/wishes", '{"institution_id":"\\ud83d\\ud83d","type":"checking"}'),
        ("PUT", "/v1/accounts/x/link", '{"account_id":"\\uDFFF"}'),
        ("POST", "/v1/accounts", '{"\\ud83d":1}'),
    ],
)
def test_half_of_a_character_is_no_text(world: World, method: str, path: str, raw: str, key: str | None) -> None:
    world.connect(1)
    headers = {} if key is None else {"idempotency_key": key}
    refused(world.api(method, path, raw=raw, **headers), 400, "invalid_json")


def test_a_whole_character_written_in_two_halves_is_text(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    assert world.api("PATCH", path, raw='{"name":"\\ud83d\\ude00"}').json["name"] == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/institutions",
        "/v1/history",
        "/v1/me/export",
        "/v1/accounts/x/balances",
        f"{PATH}/missing-accounts",
        "/v1/accounts/\ud83d",
        "/v1/operations/\ud83d",
        "/v1/connections/\ud83d",
    ],
)
def test_half_of_a_character_in_an_address_is_no_bug_of_ours(world: World, path: str) -> None:
    world.connect(1)
    for name in ("search", "limit", "cursor", "connection_id", "type"):
        assert world.api("GET", path, query=f"{name}=\ud83d").status < 500


@pytest.mark.parametrize(
    "typed",
    [
        "Caisse d'Épargne - Île de France",
        "Caisse d\N{RIGHT SINGLE QUOTATION MARK}Épargne \N{EN DASH} Île de France",
        "Caisse d\N{MODIFIER LETTER APOSTROPHE}Épargne \N{NON-BREAKING HYPHEN} Île\N{NO-BREAK SPACE}de France",
        "caisse d'épargne - île de france",
        "CAISSE D'ÉPARGNE - ÎLE DE FRANCE",
        unicodedata.normalize("NFD", "Caisse d'Épargne - Île de France"),
        "  Caisse  d'Épargne -\tÎle de\N{NARROW NO-BREAK SPACE}France ",
    ],
)
def test_a_name_is_confirmed_as_keyboards_type_it(world: World, typed: str) -> None:
    connection = world.connect(1)
    connection.bank = "Caisse d'Épargne - Île de France"
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.api("DELETE", PATH, {"confirm": typed}).status == 202


@pytest.mark.parametrize("name", ["Banque du Test", "", "  ", "\N{BANK}", "'-'"])
def test_nothing_typed_confirms_nothing(world: World, name: str) -> None:
    connection = world.connect(1)
    named(world, connection, name)
    for typed in ("", " ", "'", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "Banque"):
        if typed.strip() != name.strip():
            refused(world.api("DELETE", PATH, {"confirm": typed}), 422, "confirmation_mismatch")
    sure = world.held(connection)["institution"]["name"]
    assert world.api("DELETE", PATH, {"confirm": sure}).status == 202


def named(world: World, connection: Connection, name: str) -> None:
    """The connection is held with an institution of this name."""
    with world.looking():
        container = account_commands.container()
        held = container.connection_store.connection("alice", connection_id(connection.id))
        assert held is not None
        container.changes.apply(
            "alice",
            held.id,
            lambda now, _: Outcome(connection=replace(now or held, institution=replace(held.institution, name=name))),
            correlation_id="c",
        )


# --- If-Match


def test_a_stale_or_foreign_if_match_is_refused_and_the_current_one_accepted(world: World) -> None:
    connection = world.connect(1, 2)
    held = world.api("GET", PATH)
    assert held.headers["etag"] == f'"{held.json["revision"]}"'
    for tag in ('"0"', '"999"', f'"{held.json["revision"]}.1"', 'W/"999"', '"a", W/"b"'):
        refused(world.choose(connection, 1, if_match=tag), 412, "revision_mismatch")
    for tag in ('"0", {}', 'W/"a,b" ,, {}', "W/{}", 'W/"0", W/{},', " * "):
        current = world.api("GET", PATH).headers["etag"]
        assert world.choose(connection, 1, if_match=tag.format(current)).status == 202
        world.settle()


@pytest.mark.parametrize(
    "tag", ["{r}", "x", "", '"{r}', '{r}"', 'w/"{r}"', 'W/ "{r}"', "*, *", '* "{r}"', '"{r}", x', "'{r}'", "\ud83d"]
)
def test_an_if_match_that_is_none_names_no_revision(world: World, tag: str) -> None:
    connection = world.connect(1, 2)
    revision = world.held(connection)["revision"]
    refused(world.choose(connection, 1, if_match=tag.replace("{r}", str(revision))), 412, "revision_mismatch")
    assert world.at_powens(connection) == {1, 2}


def test_a_choice_that_is_still_being_carried_out_makes_an_older_if_match_stale(world: World) -> None:
    connection = world.connect(1, 2)
    seen = world.api("GET", PATH).headers["etag"]
    assert world.choose(connection, 1, if_match=seen).status == 202
    refused(world.choose(connection, 2, if_match=seen), 412, "revision_mismatch")
    now = world.api("GET", PATH).headers["etag"]
    assert world.choose(connection, 1, 2, if_match=now).status == 202
    world.settle()
    assert world.enabled(connection) == {1, 2}


# --- Idempotency-Key


def test_the_same_key_and_body_give_the_same_answer_and_one_operation(world: World) -> None:
    connection = world.connect(1, 2)
    first = world.choose(connection, 1, idempotency_key=key(1))
    world.settle()
    again = world.choose(connection, 1, idempotency_key=key(1))
    assert (again.status, again.body, again.headers["location"]) == (202, first.body, first.headers["location"])
    world.settle()
    assert len(world.events("OperationEnded")) == 1


def test_the_same_key_with_another_request_is_refused(world: World) -> None:
    connection = world.connect(1, 2)
    [account, *_] = world.ids(connection).values()
    world.choose(connection, 1, idempotency_key=key(1))
    refused(world.choose(connection, 2, idempotency_key=key(1)), 422, "idempotency_key_reused")
    refused(world.api("POST", f"{PATH}/refresh", idempotency_key=key(1)), 422, "idempotency_key_reused")
    refused(world.open_webview_with(key(1)), 422, "idempotency_key_reused")
    renamed = world.api("PATCH", f"/v1/accounts/{account}", {"name": "Vacances"}, idempotency_key=key(1))
    refused(renamed, 422, "idempotency_key_reused")
    refused(world.choose(connection, 1, idempotency_key="no spaces"), 422, "invalid_idempotency_key")
    refused(world.choose(connection, 1, idempotency_key=""), 422, "invalid_idempotency_key")


def test_a_name_is_given_once_per_key(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    first = world.api("PATCH", path, {"name": "Vacances"}, idempotency_key=key(1))
    assert world.api("PATCH", path, {"name": "Maison"}).status == 200
    again = world.api("PATCH", path, {"name": "Vacances"}, idempotency_key=key(1))
    assert (again.status, again.body) == (200, first.body)
    assert world.api("GET", path).json["name"] == "Maison"
    refused(world.api("PATCH", path, {"name": "Bureau"}, idempotency_key=key(1)), 422, "idempotency_key_reused")


def test_members_in_another_order_are_the_same_request(world: World) -> None:
    world.connect(1)
    body = f'{{"flow": "manage", "return_to": "{ORIGIN}/a"}}'
    swapped = f'{{ "return_to": "{ORIGIN}/a", "flow": "manage" }}'
    first = world.api("POST", "/v1/webview-sessions", raw=body, idempotency_key=key(1))
    again = world.api("POST", "/v1/webview-sessions", raw=swapped, idempotency_key=key(1))
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json


def test_a_key_of_another_user_or_of_another_day_means_nothing(world: World) -> None:
    connection = world.connect(1, 2)
    assert world.choose(connection, 1, idempotency_key=key(1)).status == 202
    assert world.open_webview_with(key(1), user="bob").status == 201
    world.settle()
    world.clock.advance(hours=25)
    assert world.choose(connection, 2, idempotency_key=key(1)).status == 202


def test_a_session_given_again_under_its_key_lies_sealed_in_the_table(world: World) -> None:
    first, again = world.open_webview_with(key(1)), world.open_webview_with(key(1))
    assert first.json == again.json
    assert world.powens.count("GET /auth/token/code") == 1
    stored = [item for item in world.items() if item["sk"]["S"].startswith("IDEMPOTENCY#")]
    assert len(stored) == 1
    assert "webview.powens.com" not in repr(stored)


def test_a_request_without_a_body_may_have_a_key_whatever_is_sent_along(world: World) -> None:
    world.connect(1)
    assert world.api("POST", f"{PATH}/refresh", raw="{not json", idempotency_key=key(1)).status == 202


def test_two_equal_requests_at_once_get_one_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = world.connect(1, 2)
    twin: list[Reply] = []
    world.aws.fault("TransactWriteItems", lambda _: twin.append(world.choose(connection, 1, idempotency_key=key(1))))
    first = world.choose(connection, 1, idempotency_key=key(1))
    assert first.status == 202
    assert first.json["id"] == twin[0].json["id"]
    world.settle()
    assert len(world.events("OperationEnded")) == 1


@pytest.mark.parametrize("made_impossible", ["by its If-Match", "as what it drops is gone"])
def test_a_request_that_its_own_twin_made_impossible_gets_the_answer_of_the_twin(
    world: World, made_impossible: str
) -> None:
    connection = world.connect(1, 2)
    tag = world.api("GET", PATH).headers["etag"]
    savings = {"institution_name": "Revolut", "name": "Livret", "type": "savings", "balance": "10", "currency": "EUR"}
    dropped = world.api("POST", "/v1/accounts", savings).json["id"]

    def request() -> Reply:
        if made_impossible == "by its If-Match":
            return world.choose(connection, 1, if_match=tag, idempotency_key=key(1))
        return world.api("DELETE", f"/v1/accounts/{dropped}", idempotency_key=key(1))

    twin: list[Reply] = []

    def answered_before_the_twin(_: object) -> dict[str, object]:
        twin.append(request())
        return {}

    world.aws.fault("GetItem", answered_before_the_twin)
    late = request()
    assert late.status in {202, 204}
    assert (late.status, late.body) == (twin[0].status, twin[0].body)


def test_a_refusal_under_a_key_costs_one_more_look_for_the_answer_of_a_twin(world: World) -> None:
    world.aws.calls.clear()
    refused(world.api("DELETE", f"/v1/connections/{key(9)}", {"confirm": "x"}), 404, "connection_not_found")
    plain = world.aws.calls.copy()
    world.aws.calls.clear()
    refusal = world.api("DELETE", f"/v1/connections/{key(9)}", {"confirm": "x"}, idempotency_key=key(1))
    refused(refusal, 404, "connection_not_found")
    assert world.aws.calls == ["GetItem", *plain, "GetItem"]


def test_a_request_whose_twin_never_gets_done_is_told_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.adapters.dynamodb.connections import DynamoDBConnections

    def taken(*_: object, **__: object) -> None:
        raise TakenError

    connection = world.connect(1, 2)
    monkeypatch.setattr(DynamoDBConnections, "save", taken)
    refused(world.choose(connection, 1, idempotency_key=key(1)), 503, "temporarily_unavailable")


# --- the Webview


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://user:password@app.example.com/",
        "https://evil.example\\@app.example.com/",
        "https://app.example.com\\.evil.example/",
        "https://app.example.com:444/",
        "https://app.example.com:99999999/",
        "http://app.example.com/",
        "http://localhost:8080.evil.example/",
        "http://localhost:8081/",
        "http://localhost/",
        "http://[::1",
        "//app.example.com/",
        "/accounts",
        "accounts",
        "javascript:alert(1)",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "https:app.example.com",
        "https:///app.example.com",
        "https://app.example.com /",
        "https://app.example.com/\r\nSet-Cookie: a=b",
        "https://app.exam\tple.com/",
        "ftp://app.example.com/",
        "wealthappx://back",
        'https://app.example.com/"onload="x',
    ],
)
def test_an_address_off_the_allow_list_is_nowhere_to_return_to(world: World, address: str) -> None:
    reply = world.open_webview(return_to=address)
    refused(reply, 422, "return_to_not_allowed")
    assert reply.json["field"] == "return_to"
    assert world.powens.log == []


@pytest.mark.parametrize(
    ("address", "back"),
    [
        (f"{ORIGIN}/accounts?tab=2#top", f"{ORIGIN}/accounts?tab=2&result=done#top"),
        ("http://localhost:8080/", "http://localhost:8080/?result=done"),
        ("wealthapp://accounts", "wealthapp://accounts?result=done"),
        (ORIGIN, f"{ORIGIN}?result=done"),
    ],
)
def test_the_browser_comes_back_to_where_it_was_allowed_to(world: World, address: str, back: str) -> None:
    returned = world.come_back(world.open_webview(return_to=address))
    assert (returned.status, returned.headers["location"]) == (303, back)
    assert returned.headers["referrer-policy"] == "no-referrer"
    assert returned.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("said", "result"),
    [("access_denied", "cancelled"), ("tos_declined", "cancelled"), ("server_error", "failed"), ("later", "failed")],
)
def test_a_visit_that_did_not_succeed_is_read_back_all_the_same(world: World, said: str, result: str) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    connection.accounts[2].disabled = True
    returned = world.come_back(opened, f"&error={said}&error_description=whatever")
    assert returned.headers["location"].endswith(f"?result={result}")
    world.settle()
    assert world.enabled(connection) == {1}


def coming_back(world: World, query: str, **headers: str) -> Reply:
    return world.api("GET", "/v1/webview-return", query=query, user=None, **headers)


@pytest.mark.parametrize("wait", [timedelta(), timedelta(minutes=31), timedelta(hours=23)], ids=str)
def test_a_browser_that_comes_back_twice_late_or_after_a_refusal_brings_a_success_in(
    world: World, wait: timedelta
) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    assert world.come_back(opened, "&error=server_error").headers["location"].endswith("?result=failed")
    world.settle()
    connection.accounts[2].disabled = True
    world.clock.now += wait
    for _ in range(2):
        assert world.come_back(opened).headers["location"] == f"{ORIGIN}/accounts?result=done"
    world.settle()
    assert world.enabled(connection) == {1}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=",
        "state=forged",
        "state=%FF%00%ED%A0%BD",
        f"state={'A' * 43}",
        f"state={'A' * 3000}",
        "connection_id=77",
        "error=access_denied",
        "error=&error_description=",
        "state=a&state=b&state=c",
        "&&=&;;%",
    ],
)
def test_who_comes_back_without_a_state_of_ours_lands_in_the_app_which_is_told_nothing(
    world: World, query: str
) -> None:
    back = coming_back(world, query)
    assert (back.status, back.headers["location"], back.body) == (303, ORIGIN, "")
    world.settle()
    assert world.powens.log == []


@pytest.mark.parametrize(
    ("query", "result"),
    [
        ("&error=", "done"),
        ("&error=&error_description=", "done"),
        ("&error=&error=access_denied", "cancelled"),
        ("&error=tos_declined&error=tos_declined", "cancelled"),
        ("&state=forged", "done"),
        ("&connection_id=77&connection_id=78&invented=1", "done"),
        (f"&error={'x' * 5000}", "failed"),
    ],
)
def test_what_powens_adds_to_the_address_never_keeps_anybody_out_of_the_app(
    world: World, query: str, result: str
) -> None:
    back = world.come_back(world.open_webview(), query)
    assert (back.status, back.headers["location"]) == (303, f"{ORIGIN}/accounts?result={result}")


def test_a_state_of_ours_is_found_beside_another_one(world: World) -> None:
    opened = world.open_webview()
    state = dict(parse_qsl(urlsplit(opened.json["url"]).query))["state"]
    assert coming_back(world, f"state={'A' * 43}&state={state}").headers["location"].endswith("?result=done")


def test_two_returns_at_once_both_land_and_are_read_back(world: World) -> None:
    opened = world.open_webview()
    twin: list[Reply] = []
    world.aws.fault("TransactWriteItems", lambda _: twin.append(world.come_back(opened)))
    assert world.come_back(opened).status == twin[0].status == 303
    world.settle()
    assert world.powens.reads >= 1


@pytest.mark.parametrize(("call", "address"), [("GetItem", ORIGIN), ("TransactWriteItems", f"{ORIGIN}/accounts")])
def test_a_table_that_is_down_keeps_nobody_out_and_what_was_done_comes_all_the_same(
    world: World, call: str, address: str
) -> None:
    connection = world.connect(1, 2)
    opened = world.open_webview(flow="manage")
    connection.accounts[2].disabled = True
    world.aws.raising(call, throttled(call), times=9)
    back = world.come_back(opened)
    assert (back.status, back.headers["location"]) == (303, address), "no result: it was not noted"
    assert world.metric("FailedRequests") == 1
    world.aws.faults.clear()
    world.webhook("account-disabled", connection, id=2)
    world.settle()
    assert world.enabled(connection) == {1}


@pytest.mark.parametrize(("language", "said"), [("fr", "revenir à votre application"), ("en", "go back to your app")])
def test_where_no_web_page_of_ours_is_known_a_person_reads_a_page_and_no_json(
    world: World, language: str, said: str
) -> None:
    from functions.accounts_api.container import container

    made = container()
    made.settings = made.settings.model_copy(update={"return_to_allowed": ("wealthapp://",)})
    back = coming_back(world, "state=forged", accept_language=language)
    assert (back.status, back.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in back.body
    assert said in back.body


def test_the_webview_is_opened_on_the_connection_that_is_to_be_changed(world: World) -> None:
    world.connect(1)
    for flow, language in (("manage", "en"), ("reconnect", "fr")):
        opened = world.open_webview(flow=flow, connection_id=connection_id(77), language=language)
        assert opened.json["url"].startswith(f"https://webview.powens.com/{language}/{flow}?")
        assert "connection_id=77" in opened.json["url"]
    refused(world.open_webview(flow="reconnect"), 422, "connection_required")
    refused(world.open_webview(flow="connect", connection_id=connection_id(77)), 422, "not_for_connect")
    world.powens.synchronise(world.powens.connections[77])
    world.powens.log.clear()
    world.come_back(opened)
    world.settle()
    assert world.powens.log[0] == "GET /users/41/connections/77"


# --- the first visit of a user


def test_two_devices_that_ask_for_the_first_session_at_once_share_one_powens_user(world: World) -> None:
    opened: list[str] = []
    barrier = threading.Barrier(4, timeout=60)
    pause = threading.Event()

    def device() -> None:
        # Each invocation at once is a process of its own in Lambda, with a container of its own.
        container = Container.from_env()
        world.prepare(container)
        container.sleep = lambda _: (pause.wait(0.01), None)[1]
        barrier.wait()
        open_webview = container.open_webview.run
        request = Request(user_id="alice", correlation_id="c-1", language="fr")
        visit = write(
            lambda: open_webview(request, flow="connect", connection_id=None, language=None, return_to=ORIGIN)
        )
        opened.append(visit.url)

    with world.invoking():
        threads = [threading.Thread(target=device) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert len(set(opened)) == 4
    assert [user.temporary for user in world.powens.users.values()] == [False]
    assert world.powens.count("POST /auth/init") == 1


def test_a_second_device_is_asked_to_come_back_when_the_first_one_takes_long(world: World) -> None:
    slow: list[Reply] = []
    world.powens.before("POST /auth/init", lambda: slow.append(world.open_webview()))
    assert world.open_webview().status == 201
    refused(slow[0], 503, "user_being_created")
    assert slow[0].headers["retry-after"] == "2"
    assert len(world.powens.users) == 1


@pytest.mark.parametrize("step", ["POST /auth/token/access", "Encrypt", "UpdateItem"])
def test_a_creation_that_is_cut_short_is_resumed_and_leaves_no_orphan(world: World, step: str) -> None:
    from tests.integration.aws import throttled

    if step.startswith("POST"):
        world.powens.fail(step, error(500), after=True)
    else:
        # The first UpdateItem is the claim.
        if step == "UpdateItem":
            world.aws.fault("UpdateItem", lambda _: None)
        world.aws.raising(step, throttled(step))
    assert world.open_webview().status == 503
    world.clock.advance(seconds=31)
    assert world.open_webview().status == 201
    assert list(world.powens.users) == [41]
    assert world.powens_user("alice") == 41


def test_a_temporary_user_that_powens_deleted_meanwhile_is_made_anew(world: World) -> None:
    world.powens.fail("POST /auth/token/access", error(500))
    assert world.open_webview().status == 503
    world.powens.users.clear()
    world.clock.advance(minutes=31)
    assert world.open_webview().status == 201
    assert list(world.powens.users) == [42]
    assert world.powens_user("alice") == 42


def test_a_device_whose_claim_ran_out_does_not_store_what_it_made(world: World) -> None:
    def overtaken() -> None:
        world.clock.advance(seconds=31)
        assert world.open_webview().status == 201

    world.powens.before("POST /auth/init", overtaken)
    refused(world.open_webview(), 503, "user_being_created")
    assert [user.id for user in world.powens.users.values() if not user.temporary] == [world.powens_user("alice")]


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
