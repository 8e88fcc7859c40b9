"""Whatever is sent, the answer is Powens' envelope or a page: never a stack trace, never a 500."""

import json
import socket
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powens_sandbox.tests.driver import Person, Sandbox

PATHS = [
    "/auth/init",
    "/auth/token/code",
    "/auth/token/access",
    "/auth/renew",
    "/auth/token",
    "/users",
    "/users/me",
    "/users/me/token",
    "/clients",
    "/clients/10000001",
    "/config",
    "/connectors",
    "/connectors/40",
    "/account_types",
    "/currencies/EUR",
    "/users/me/connections",
    "/users/me/connections/1",
    "/users/me/connections/{c}",
    "/users/me/connections/{c}/sources",
    "/users/me/connections/{c}/logs",
    "/users/me/accounts",
    "/users/me/accounts/{a}",
    "/users/me/accounts/{a},2",
    "/users/me/transactions",
    "/users/me/investments",
    "/webauth-url",
    "/webhooks",
    "/webhooks/301",
    "/webhooks/auth",
    "/webhooks/auth/1",
    "/test/webhooks",
    "/logos/x.png",
    "/users/{x}/accounts/{x}",
]
ADMIN = [
    "/connections",
    "/connections/{c}",
    "/connections/{c}/accounts",
    "/connectors/revolut",
    "/accounts/{a}",
    "/faults",
    "/events",
    "/clock",
    "/settings",
    "/requests",
    "/webhooks",
]
NAMES = [
    "client_id",
    "client_secret",
    "code",
    "grant_type",
    "id_user",
    "revoke_previous",
    "type",
    "limit",
    "offset",
    "all",
    "expand",
    "disabled",
    "name",
    "usage",
    "display",
    "connector_uuid",
    "id_connector",
    "login",
    "password",
    "source",
    "otp",
    "resume",
    "active",
    "expire",
    "min_date",
    "max_date",
    "id_source",
    "redirect_uri",
    "state",
    "id_connection",
    "event",
    "url",
    "id_auth",
    "config",
    "redirect_uris",
    "country_codes",
    "target",
    "kind",
    "match",
    "seconds",
    "now",
    "balance",
    "enabled",
    "sources",
    "connector",
    "persona",
    "outage",
    "hidden",
    "restricted",
    "capabilities",
    "account_types",
    "openapi",
    "webhook_order",
    "background",
    "refresh_auth",
    "application",
]
TOKENS = ["", "sandbox-config-token", "sandbox-users-token", "sandbox-manage-token", "user"]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        [
            "singleAccess",
            "client_credentials",
            "hmac_signature",
            "USER_CREATED",
            "40",
            "-1",
            "0",
            "1" * 25,
            "2026-13-45",
            "9999-12-31",
            "0001-01-01",
            "2026-02",
            "all",
            "\ud800",
            "\x00",
            "[",
            "a[b",
            "api",
            "drop",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)


def envelope(answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.json()["code"] == "dataError", answer.text
    if answer.status_code >= 400:
        message = set() if answer.status_code == 401 else {"message"}
        assert set(answer.json()) == {"code", "description", "request_id"} | message, answer.text


def inhabitant(sandbox: Sandbox, person: Person | None = None) -> tuple[Person, dict[str, str]]:
    """Somebody with a bank, and the ids that paths may name."""
    person = person or sandbox.person()
    made = person.connect("revolut")
    return person, {"c": str(made["id"]), "a": str(made["all_accounts"][0]["id"]), "x": "me"}


@pytest.fixture
def stage(sandbox: Sandbox, person: Person) -> tuple[Sandbox, Person, dict[str, str]]:
    return sandbox, *inhabitant(sandbox, person)


fuzzed = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@fuzzed
@given(data=st.data())
def test_any_json_anywhere_is_answered_with_the_envelope(
    stage: tuple[Sandbox, Person, dict[str, str]], data: st.DataObject
) -> None:
    sandbox = stage[0]
    # A new one each time: some of these requests delete their user or revoke its token.
    person, ids = inhabitant(sandbox)
    path = data.draw(st.sampled_from(PATHS)).format(**ids)
    token = data.draw(st.sampled_from(TOKENS))
    headers = {"Authorization": f"Bearer {person.token if token == 'user' else token}"} if token else {}
    headers["Content-Type"] = "application/json"
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    body = json.dumps(data.draw(bodies)).encode()
    envelope(sandbox.http.request(method, f"/2.0{path}", content=body, headers=headers))


@fuzzed
@given(data=st.data())
def test_any_query_anywhere_is_answered_with_the_envelope(
    stage: tuple[Sandbox, Person, dict[str, str]], data: st.DataObject
) -> None:
    person, ids = inhabitant(stage[0])
    path = data.draw(st.sampled_from(PATHS)).format(**ids)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    query = data.draw(st.dictionaries(st.sampled_from(NAMES), text, max_size=5))
    envelope(person.call(data.draw(st.sampled_from(["GET", "POST"])), path, params=query))


@fuzzed
@given(data=st.data())
def test_the_switches_too_refuse_what_makes_no_sense(
    stage: tuple[Sandbox, Person, dict[str, str]], data: st.DataObject
) -> None:
    sandbox, _, ids = stage
    path = data.draw(st.sampled_from(ADMIN)).format(**ids)
    body = json.dumps(data.draw(bodies)).encode()
    method = data.draw(st.sampled_from(["GET", "POST", "PATCH"]))
    answer = sandbox.http.request(method, f"/sandbox{path}", content=body, headers={"Content-Type": "application/json"})
    sandbox.http.delete("/sandbox/faults")
    envelope(answer)


@fuzzed
@given(
    segment=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/?#%."), min_size=1, max_size=30)
)
def test_any_id_in_a_path_is_simply_not_there(stage: tuple[Sandbox, Person, dict[str, str]], segment: str) -> None:
    _, person, ids = stage
    for path in (
        f"/users/{segment}/accounts",
        f"/users/me/accounts/{segment}",
        f"/users/me/connections/{segment}",
        f"/connectors/{segment}",
        f"/logos/{segment}",
        f"/account_types/{segment}",
    ):
        answer = person.call("GET", path)
        assert answer.status_code in {200, 404}, answer.text
        assert ids


@fuzzed
@given(data=st.data())
def test_any_form_on_any_page_is_answered_with_a_page(
    stage: tuple[Sandbox, Person, dict[str, str]], data: st.DataObject
) -> None:
    sandbox, person, ids = stage
    browser = sandbox.webview("manage", person, connection_id=ids["c"])
    steps = [
        "terms",
        "pick",
        "credentials",
        "bank",
        "otp",
        "decoupled",
        "failed",
        "accounts",
        "delete",
        "another",
        "connections",
    ]
    actions = [
        "accept",
        "pick:40",
        "search",
        "credentials",
        "approve",
        "refuse",
        "otp",
        "approved",
        "close",
        "more",
        "finish",
        "back",
        "repair",
        "delete",
        "done",
        "another",
        "open:1",
        "open:x",
        "add",
        "cancel",
        "",
    ]
    for _ in range(data.draw(st.integers(1, 4))):
        form = {
            "step": data.draw(st.sampled_from([browser.step, *steps])),
            "action": data.draw(
                st.sampled_from(actions) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
            ),
            "account": data.draw(st.lists(st.sampled_from([ids["a"], "0", "x", "9" * 30, "²"]), max_size=3)),
            "q": data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=10)),
        }
        answer = sandbox.http.post(browser.address, data=form)
        assert answer.status_code in {200, 303, 400}, answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/json; charset=latin-9",
        "\x80",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b"a=%ff&b=%",
        b"--x\r\n\r\n",
        b'{"a": 1e999}',
        b"\x00",
    ],
)
def test_unreadable_bodies_are_refused(sandbox: Sandbox, content_type: str, body: bytes) -> None:
    headers = {b"Content-Type": content_type.encode("latin-1")}
    envelope(sandbox.http.post("/2.0/auth/token/access", content=body, headers=headers))


def test_a_body_without_end_is_refused(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/2.0/auth/init", content=b"a" * 1_100_000)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /2.0/users/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /%ff%fe/connect HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /2.0/users/%00/accounts HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /2.0/connectors?limit=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /fr/connect?domain=%ff&code=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /2.0/auth/init HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
    ],
)
def test_bytes_that_no_client_sends_do_not_disturb_it(sandbox: Sandbox, raw: bytes) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert sandbox.http.get("/sandbox/health").status_code == 200


def test_a_client_that_hangs_up_does_not_disturb_it(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", match="/users/me$", kind="latency", seconds=0.3, times=1)
    with pytest.raises(httpx.ReadTimeout):
        person.call("GET", "/users/me", timeout=0.05)
    answers: list[Any] = [person.call("GET", "/users/me").status_code for _ in range(3)]
    assert answers == [200, 200, 200]
