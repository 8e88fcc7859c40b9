"""The API's own description, and whatever can be sent to it: never a server error, always a problem one can quote."""

import contextlib
import json
import re
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from functions.accounts_api import app
from shared.domain.connection import connection_id
from tests import openapi
from tests.integration.world import Reply, World
from tests.worlds.triggers import api_event

CONTRACT = {
    "GET /health",
    "GET /v1/connections",
    "GET /v1/connections/{connection_id}",
    "PUT /v1/connections/{connection_id}/selection",
    "POST /v1/connections/{connection_id}/selection/preview",
    "DELETE /v1/connections/{connection_id}",
    "POST /v1/connections/{connection_id}/refresh",
    "GET /v1/accounts/{account_id}",
    "PATCH /v1/accounts/{account_id}",
    "PUT /v1/accounts/{account_id}/enabled",
    "GET /v1/operations/{operation_id}",
    "POST /v1/operations/{operation_id}/undo",
    "POST /v1/webview-sessions",
    "GET /v1/history",
    "POST /v1/accounts",
    "DELETE /v1/accounts/{account_id}",
    "GET /v1/accounts/{account_id}/balances",
    "PUT /v1/accounts/{account_id}/link",
    "DELETE /v1/accounts/{account_id}/link",
    "DELETE /v1/accounts/{account_id}/link-suggestions/{suggested_id}",
    "POST /v1/wishes",
    "DELETE /v1/wishes/{wish_id}",
    "GET /v1/connections/{connection_id}/missing-accounts",
    "GET /v1/connections/{connection_id}/diagnoses",
    "GET /v1/connections/{connection_id}/diagnoses/{type}",
    "GET /v1/institutions",
    "GET /v1/incidents",
    "GET /v1/me/export",
    "DELETE /v1/me",
}
"""What must be described; routes of later are free to come."""


def document(world: World) -> dict[str, Any]:
    reply = world.api("GET", "/v1/openapi.json")
    assert reply.status == 200
    described: dict[str, Any] = reply.json
    return described


def test_the_description_is_valid_openapi_3_1_and_names_every_route(world: World) -> None:
    described = json.loads(world.api("GET", "/v1/openapi.json").body)
    assert described["openapi"].startswith("3.1")
    routes = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    assert routes >= CONTRACT
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    for reference in set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described))):
        assert reference in described["components"]["schemas"]
    schemathesis.openapi.from_dict(described).validate()
    assert world.aws.calls == []


def requests(folder: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [requests(each) for each in folder.get("item", ())]
    return [folder["request"]] if "request" in folder else [each for found in inner for each in found]


def test_each_request_of_the_collection_is_one_that_the_api_understands(world: World) -> None:
    asked = requests(json.loads(openapi.COLLECTION.read_text("utf-8")))
    assert len(asked) > 30
    for request in asked:
        url = request["url"]
        named = {f":{variable['key']}": variable["value"] for variable in url["variable"]}
        path = "/" + "/".join(named.get(step, step) for step in url["path"])
        query = "&".join(f"{each['key']}={each['value']}" for each in url["query"])
        headers = {each["key"].replace("-", "_"): each["value"] for each in request["header"]}
        reply = world.api(request["method"], path, raw=request.get("body", {}).get("raw"), query=query, **headers)
        assert reply.status != 400, reply.body
        code = None if reply.status < 400 else reply.json["code"]
        assert code not in {"route_not_found", "invalid_request", "unknown_parameter"}, reply.body


def sound(reply: Reply) -> None:
    assert reply.status < 500, reply.body
    assert "Traceback" not in reply.body
    assert 'File "' not in reply.body
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        problem = reply.json
        assert problem["request_id"]
        assert problem["status"] == reply.status
        assert re.fullmatch("[a-z_]+", problem["code"])
        assert problem["detail"]


FUZZ = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_requests_made_from_the_description_never_break_the_api(world: World) -> None:
    connection = world.connect(1, 2)
    confirmed = world.choose(connection, 1)
    world.settle()
    manual_account = {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "1"}
    kept = world.api("POST", "/v1/accounts", manual_account)
    institution = world.held(connection)["institution"]["id"]
    wished = world.api("POST", "/v1/wishes", {"institution_id": institution, "type": "savings"})
    known = {
        "connection_id": connection_id(77),
        "operation_id": confirmed.json["id"],
        "suggested_id": world.ids(connection)[2],
        "wish_id": wished.json["id"],
    }
    account_ids = [world.ids(connection)[1], kept.json["id"]]
    described = document(world)
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(described, default=str)))
    tried: set[str] = set()
    statuses: set[int] = set()

    def send(case: schemathesis.Case[Any], account_id: str | None) -> None:
        parameters = dict(case.path_parameters or {})
        if account_id is not None:
            real = known | {"account_id": account_id}
            parameters |= {name: real[name] for name in parameters if name in real}
        path = case.path.format(**{name: quote(str(value), safe="") for name, value in parameters.items()})
        query = "&".join(f"{quote(str(n))}={quote(str(v))}" for n, v in (case.query or {}).items())
        headers = {str(n).lower(): str(v) for n, v in (case.headers or {}).items()}
        body = case.body
        raw = None
        if not isinstance(body, schemathesis.core.NotSet):
            raw = body.decode(errors="replace") if isinstance(body, bytes) else json.dumps(body, default=str)
        tried.add(f"{case.method} {case.path}")
        reply = world.api(case.method, path, raw=raw, query=query, **headers)
        statuses.add(reply.status)
        sound(reply)
        assert openapi.promised(described["paths"][case.path][case.method.lower()], reply.status), reply.body

    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # the document was found valid
        if f"{operation.method.upper()} {operation.path}" not in CONTRACT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = operation.as_strategy(generation_mode=mode)

            @FUZZ
            @given(case=cases, account_id=st.none() | st.sampled_from(account_ids))
            def run(case: schemathesis.Case[Any], account_id: str | None) -> None:
                send(case, account_id)

            if mode is GenerationMode.NEGATIVE:
                # A route that takes nothing cannot be given something wrong.
                with contextlib.suppress(Unsatisfiable):
                    run()
            else:
                run()
    assert {line.upper().split(" ")[0] for line in tried} == {"GET", "PUT", "POST", "PATCH", "DELETE"}
    assert len(tried) == len(CONTRACT)
    assert {200, 202, 404, 422} <= statuses


anything = st.one_of(st.text(max_size=40), st.text(alphabet="#/%~ \x00\n{}\"'<>é\U0001f600", max_size=20))


@settings(FUZZ, max_examples=400)
@given(data=st.data())
def fuzz(world: World, data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]))
    segment = data.draw(anything)
    path = data.draw(
        st.sampled_from(
            [
                f"/v1/connections/{segment}",
                f"/v1/connections/{connection_id(77)}/{segment}",
                f"/v1/connections/{connection_id(77)}/selection",
                f"/v1/accounts/{segment}",
                f"/v1/operations/{segment}/undo",
                "/v1/webview-sessions",
                "/v1/history",
                "/v1/institutions",
                f"/v1/institutions/{segment}/logo",
                f"/v1/connections/{connection_id(77)}/missing-accounts",
                "/v1/incidents",
                "/v1/webview-return",
                f"/{segment}",
            ]
        )
    )
    members = st.dictionaries(
        st.sampled_from(["enabled_account_ids", "confirm", "enabled", "name", "flow", "return_to", "connection_id"]),
        st.recursive(anything | st.integers() | st.booleans() | st.none() | st.floats(), st.lists, max_leaves=4),
    )
    raw = data.draw(st.none() | anything | members.map(json.dumps))
    names = st.sampled_from(["if-match", "if-none-match", "idempotency-key", "accept-language", "content-type", "x"])
    headers = data.draw(st.dictionaries(names, anything, max_size=3))
    pairs = data.draw(
        st.dictionaries(
            st.sampled_from(["dry_run", "state", "error", "cursor", "connection_id", "type", "search", "limit"]),
            anything,
            max_size=2,
        )
    )
    query = "&".join(f"{name}={quote(value)}" for name, value in pairs.items())
    sound(world.api(method, path, raw=raw, query=query, **headers))


def test_whatever_else_is_sent_never_breaks_the_api(world: World) -> None:
    world.connect(1, 2)
    fuzz(world)


@pytest.mark.parametrize("member", ["body", "headers", "queryStringParameters"])
def test_an_event_without_an_optional_member_is_answered(world: World, member: str) -> None:
    event = api_event("GET", "/v1/connections")
    event.pop(member, None)
    assert world.invoke(app.lambda_handler, event)["statusCode"] == 200
