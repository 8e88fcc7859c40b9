"""The server in front: page, demo sign-in and API on one origin."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.front import Front
from local.http_api import REQUEST_LIMIT
from local.identity import AUDIENCE, Issuer
from local.plane import TooLarge
from local.runtime_api import Answer
from local.template import Api, Authorizer, Cors, Route
from tests.local.loops import run

URL = "http://localhost:8080"
API = Api(
    (
        Route("GET", "/v1/{proxy+}", "Api", "Jwt"),
        Route("GET", "/health", "Api"),
        Route("POST", "/webhooks/powens/{event}", "Webhook"),
    ),
    {"Jwt": Authorizer(URL, (AUDIENCE,))},
    Cors(("https://app.example",), ("GET",)),
)

type Invoke = Callable[[str, bytes], Awaitable[Answer]]


async def echo(function: str, event: bytes) -> Answer:
    body = json.dumps({"function": function, "path": json.loads(event)["rawPath"]})
    return Answer(json.dumps({"statusCode": 200, "headers": {"etag": '"1"'}, "body": body}).encode())


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(URL, tmp_path_factory.mktemp("keys") / "issuer.pem")


class Client:
    """Asks the application without a network."""

    def __init__(self, front: Front) -> None:
        self._app = front.app

    def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                return await client.request(method, path, **given)

        return run(ask())

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.request("POST", path, **given)


@pytest.fixture
def client_of(tmp_path: Path, issuer: Issuer) -> Callable[..., Client]:
    (tmp_path / "index.html").write_text("<!doctype html>", "utf-8")

    def make(invoke: Invoke = echo, **settings: Any) -> Client:
        return Client(Front(API, invoke, issuer, tmp_path, **settings))

    return make


def test_signing_in_as_a_demo_user_opens_the_api(client_of: Callable[..., Client]) -> None:
    client = client_of()
    assert [user["id"] for user in client.get("/demo/users").json()] == ["alice", "bob", "carol"]
    given = client.post("/demo/token", json={"user": "alice"}).json()
    assert given["expires_at"].endswith("Z")
    answer = client.get("/v1/connections", headers={"authorization": f"Bearer {given['token']}"})
    assert answer.json() == {"function": "Api", "path": "/v1/connections"}
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["apigw-requestid"]


@pytest.mark.parametrize(("body", "status"), [('{"user": "mallory"}', 404), ("[]", 404), ("?", 400)])
def test_nobody_else_can_sign_in(body: str, status: int, client_of: Callable[..., Client]) -> None:
    assert client_of().post("/demo/token", content=body).status_code == status


def test_the_page_and_its_configuration_are_served(client_of: Callable[..., Client]) -> None:
    client = client_of(config={"live_url": "ws://localhost:1"})
    assert client.get("/").text == "<!doctype html>"
    assert client.get("/config.json").json() == {"api_base": "", "demo": True, "live_url": "ws://localhost:1"}
    assert client.get("/.well-known/jwks.json").json()["keys"]
    assert client.get("/.well-known/openid-configuration").json()["issuer"] == URL
    assert client.get("/nothing").json() == {"message": "Not Found"}


def test_the_api_comes_before_the_page(client_of: Callable[..., Client]) -> None:
    assert client_of().get("/health").json()["function"] == "Api"


def answering(answer: Answer) -> Invoke:
    async def invoke(_: str, __: bytes) -> Answer:
        return answer

    return invoke


@pytest.mark.parametrize(
    "answer", [Answer(b'{"errorType": "ValueError"}', error=True), Answer(b'{"statusCode": "x"}'), Answer(b"not json")]
)
def test_a_failing_function_is_a_500_without_its_words(answer: Answer, client_of: Callable[..., Client]) -> None:
    response = client_of(answering(answer)).get("/health")
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})


def test_a_function_that_takes_too_long_is_a_503_and_goes_on(client_of: Callable[..., Client]) -> None:
    async def slow(_: str, __: bytes) -> Answer:
        await asyncio.sleep(60)
        return Answer(b"")

    response = client_of(slow, integration_seconds=0.05).get("/health")
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})


def test_bodies_that_api_gateway_or_lambda_refuse_are_413(client_of: Callable[..., Client]) -> None:
    async def too_large(function: str, _: bytes) -> Answer:
        raise TooLarge(function)

    refused = {"message": "Request Entity Too Large"}
    for invoke, size in ((echo, REQUEST_LIMIT + 1), (too_large, 10)):
        response = client_of(invoke).post("/webhooks/powens/account-enabled", content=b"x" * size)
        assert (response.status_code, response.json()) == (413, refused)


def test_cookies_and_several_headers_of_one_name_survive(client_of: Callable[..., Client]) -> None:
    payload = {"statusCode": 303, "headers": {"location": "/x"}, "cookies": ["a=1", "b=2"]}
    response = client_of(answering(Answer(json.dumps(payload).encode()))).get("/health")
    assert (response.status_code, response.headers["location"]) == (303, "/x")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_preflight_from_the_list_is_let_through(client_of: Callable[..., Client]) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "GET"}
    response = client_of().request("OPTIONS", "/v1/connections", headers=asked)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (204, "https://app.example")
