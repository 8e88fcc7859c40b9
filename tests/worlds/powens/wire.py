"""The wire of the Powens client, scripted: what each request is answered with, and what each request was."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
from pydantic import SecretStr
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from shared.adapters.powens.answers import account_from, connection_from
from shared.adapters.powens.client import PowensClient
from shared.adapters.powens.transport import Transport
from shared.adapters.powens.values import JsonObject, as_object, parse_json
from shared.domain.observation import ObservedAccount, ObservedConnection
from tests.ibans import iban

API = "https://acme.biapi.pro/2.0"
NOW = datetime(2026, 3, 5, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Sent:
    """One request as it left."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: object
    timeout: tuple[float, float]

    @property
    def line(self) -> str:
        """`METHOD path?query`, the path from the API's root when it lies there."""
        return f"{self.method} {self.url.removeprefix(API)}"

    @property
    def token(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass(frozen=True)
class Answer:
    """`body`: bytes as they are, anything else as JSON."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def response_to(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    """The answer as a session of `requests` reads it."""
    response = requests.Response()
    response.status_code = answer.status
    response.url = request.url or ""
    response.request = request
    response.headers.update(answer.headers)
    response.raw = HTTPResponse(body=io.BytesIO(answer.content), headers=dict(answer.headers), preload_content=False)
    return response


class ScriptedWire(BaseAdapter):
    """Answers the requests one after the other; an exception in the script is raised instead of an answer."""

    def __init__(self, *script: Answer | Exception) -> None:
        super().__init__()
        self.script = list(script)
        self.sent: list[Sent] = []
        self.on_send: Callable[[], None] = lambda: None

    def send(  # type: ignore[override]  # the base class has the same parameters with looser types
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] = (0, 0),
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        assert request.method is not None
        assert request.url is not None
        assert not proxies
        body = json.loads(request.body) if request.body else None
        self.sent.append(Sent(request.method, request.url, dict(request.headers), body, timeout))
        self.on_send()
        assert self.script, f"one request too many: {self.sent[-1].line}"
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return response_to(request, step)

    def close(self) -> None:
        """Nothing to close."""

    @property
    def lines(self) -> list[str]:
        return [sent.line for sent in self.sent]


@dataclass
class Powens:
    """A client on a scripted wire, with time that only moves when the client sleeps or a test says so."""

    wire: ScriptedWire
    session: requests.Session = field(default_factory=requests.Session)
    remaining: float = 60.0
    now: datetime = NOW
    jitter: float = 0.5
    slept: list[float] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    api_url: str = API
    client: PowensClient = field(init=False)

    def __post_init__(self) -> None:
        self.session.mount("https://", self.wire)
        transport = Transport(
            self.session,
            api_url=self.api_url,
            remaining_seconds=lambda: self.remaining,
            clock=lambda: self.now,
            sleep=self._sleep,
            jitter=lambda: self.jitter,
        )
        self.client = PowensClient(
            transport,
            webview_url="https://webview.powens.com/",
            domain="acme.biapi.pro",
            client_id="12345",
            client_secret=SecretStr("s3cret"),
            identity=lambda text: f"key({text})",
            on_unreadable=self.unreadable.append,
        )
        self.user = self.client.as_user(41, "tok_A", self.renewed.append)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.remaining -= seconds


def powens(*script: Answer | Exception, remaining: float = 60.0, api_url: str = API) -> Powens:
    return Powens(ScriptedWire(*script), remaining=remaining, api_url=api_url)


def connection_json(**changes: object) -> dict[str, object]:
    """The documented example of a connection, with connector and sources expanded."""
    return {
        "id": 77,
        "id_user": 41,
        "id_connector": 40,
        "connector_uuid": "338178e6-3d01-564f-9a7b-52ca442459bf",
        "state": None,
        "error": None,
        "error_message": None,
        "last_update": "2026-03-05 10:40:58",
        "created": "2026-03-01 10:23:02",
        "active": True,
        "next_try": "2026-03-06 08:12:00",
        "connector": {
            "id": 40,
            "uuid": "338178e6-3d01-564f-9a7b-52ca442459bf",
            "name": "Connecteur de test",
            "color": "0044AA",
            "capabilities": ["bank", "bankwealth"],
        },
        "sources": [{"id": 81, "id_connection": 77, "name": "openapi", "state": None, "disabled": None}],
    } | changes


def account_json(**changes: object) -> dict[str, object]:
    """The documented example of an enabled account."""
    return {
        "id": 912,
        "id_connection": 77,
        "id_user": 41,
        "id_source": 81,
        "number": "3002900000",
        "iban": iban(112),
        "original_name": "COMPTE COURANT",
        "name": "Compte courant",
        "balance": 1523.07,
        "currency": {"id": "EUR", "name": "Euro", "symbol": "€", "precision": 2},
        "type": "checking",
        "bookmarked": 0,
        "disabled": None,
        "deleted": None,
        "last_update": "2026-03-05 10:40:55",
        "error": None,
    } | changes


def accounts_json(*accounts: object, **changes: object) -> dict[str, object]:
    return {"accounts": list(accounts), "balances": {"EUR": 1523.07}, "total": len(accounts)} | changes


OK_CONNECTION = Answer(body=connection_json())
OK_ACCOUNTS = Answer(body=accounts_json(account_json()))
RENEWED = Answer(body={"access_token": "tok_B", "token_type": "Bearer"})
REFUSED_TOKEN = Answer(401, {"code": "unauthorized", "description": "revoked"})


def read(scene: Powens) -> ObservedConnection:
    """One connection, with two requests when all goes well."""
    return scene.user.read_connection(77)


def parsed(item: object) -> JsonObject:
    """As the client gets it."""
    return as_object(parse_json(json.dumps(item).encode()), "item")


def observed_account(**changes: object) -> ObservedAccount:
    return account_from(parsed(account_json(**changes)), lambda text: f"key({text})")


def observed_connection(**changes: object) -> ObservedConnection:
    return connection_from(parsed(connection_json(**changes)), (), read_started_at=NOW, logos=f"{API}/logos")
