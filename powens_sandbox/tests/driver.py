"""What the suite drives: a sandbox process, people of its API, a browser without scripts, a consumer of webhooks."""

import asyncio
import contextlib
import gzip
import html
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx

from powens_sandbox.tests.polling import eventually
from powens_sandbox.webhooks.signature import sign

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venvs" / "local" / "bin" / "python"
CLIENT = {"client_id": "10000001", "client_secret": "sandbox-client-secret"}
RETURN = "http://localhost:9/back"
SECRET = "conformance-secret"


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end in a thread of its own: a browser that was driven in this one leaves a loop behind."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Delivery:
    """One webhook call as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def event(self) -> str:
        return urlsplit(self.path).path.rsplit("/", 1)[-1].replace("-", "_").upper()

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def data(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass
class Consumer:
    """Plays the integrator: keeps every delivery, and answers with the next scripted status, else 200."""

    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    hanging: bool = False
    tokens: int = 0

    def clear(self) -> None:
        self.deliveries.clear()
        self.statuses.clear()
        self.hanging = False
        self.tokens = 0

    def of(self, *events: str) -> list[Delivery]:
        return [delivery for delivery in list(self.deliveries) if delivery.event in events]

    def names(self) -> list[str]:
        return [delivery.event for delivery in list(self.deliveries)]

    def wait_for(self, event: str, count: int = 1, seconds: float = 20) -> list[Delivery]:
        """The deliveries of this event, once there are at least `count`."""
        eventually(lambda: len(self.of(event)) >= count, seconds=seconds)
        return self.of(event)


class ConsumerServer(ThreadingHTTPServer):
    daemon_threads = True
    # Shuffled deliveries come all at once; the five that wait by default are not enough on a busy machine.
    request_queue_size = 128


def consumer_handler(consumer: Consumer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == "/token":
                consumer.tokens += 1
                self._answer(
                    200, json.dumps({"access_token": f"issued-{consumer.tokens}", "expires_in": 3600}).encode()
                )
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = consumer.statuses.pop(0) if consumer.statuses else 200
            consumer.deliveries.append(Delivery("POST", self.path, headers, raw))
            if consumer.hanging:
                consumer.hang.wait(2)
            self._answer(status, b"")

        def _answer(self, status: int, body: bytes) -> None:
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Quiet."""

    return Handler


class Person:
    """A user of the API with its token."""

    def __init__(self, sandbox: "Sandbox", user_id: int, token: str) -> None:
        self.sandbox = sandbox
        self.id = user_id
        self.token = token

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.sandbox.http.request(method, f"/2.0{path}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET that has to succeed."""
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def connect(self, connector: str = "revolut", **options: Any) -> dict[str, Any]:
        """A connection made without the Webview."""
        made = self.sandbox.admin("POST", "/connections", {"id_user": self.id, "connector": connector, **options})
        return cast(dict[str, Any], made)

    def accounts(self) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in self.get("/users/me/accounts?all")["accounts"]}

    def code(self, kind: str = "singleAccess") -> str:
        return str(self.get(f"/auth/token/code?type={kind}")["code"])


class Sandbox:
    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def admin(self, method: str, path: str, body: object = None) -> Any:
        answer = self.http.request(method, f"/sandbox{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settings(self, **changes: object) -> None:
        self.admin("PATCH", "/settings", changes)

    def fault(self, **fault: object) -> int:
        return int(self.admin("POST", "/faults", fault)["id"])

    def person(self) -> Person:
        found = self.http.post("/2.0/auth/init", json=CLIENT).json()
        return Person(self, found["id_user"], found["auth_token"])

    def webview(self, flow: str, person: Person | None = None, *, language: str = "fr", **query: str) -> "Browser":
        """A visit that is opened as an integrator opens it."""
        parameters = {"domain": "acme.biapi.pro", "client_id": CLIENT["client_id"], "redirect_uri": RETURN, **query}
        if person is not None and "code" not in query:
            parameters["code"] = person.code()
        return Browser(self, f"/{language}/{flow}", {name: value for name, value in parameters.items() if value != ""})


class Browser:
    """A browser without scripts: follows redirects inside the sandbox, sends the forms that it was shown."""

    def __init__(
        self, sandbox: Sandbox, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        self.sandbox = sandbox
        self.callback: dict[str, str] | None = None
        self.page = self._follow(sandbox.http.get(path, params=query or None, headers=headers))

    def _follow(self, answer: httpx.Response) -> httpx.Response:
        while answer.is_redirect:
            location = answer.headers["location"]
            if location.startswith(RETURN):
                self.callback = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
                return answer
            self.address = location
            answer = self.sandbox.http.get(location)
        return answer

    @property
    def text(self) -> str:
        return self.page.text

    @property
    def step(self) -> str:
        found = re.search(r'data-step="(\w+)"', self.text)
        return found[1] if found else ""

    def has(self, testid: str) -> bool:
        return f'data-testid="{testid}"' in self.text

    @property
    def boxes(self) -> dict[str, tuple[str, bool]]:
        """Name of each account on offer, with its id and whether it is ticked."""
        found = re.findall(r'name="account" value="(\d+)"( checked)?[^>]*aria-label="([^"]*)"', self.text)
        return {html.unescape(name): (number, bool(checked)) for number, checked, name in found}

    def press(self, action: str, tick: list[str] | None = None, **values: str) -> "Browser":
        """Send the page's form with one of its buttons. `tick`: names of accounts, else as the page has them."""
        boxes = self.boxes
        chosen = [number for name, (number, ticked) in boxes.items() if (ticked if tick is None else name in tick)]
        data: dict[str, Any] = {"step": self.step, "action": action, "account": chosen, **values}
        self.page = self._follow(self.sandbox.http.post(self.address, data=data))
        return self

    def pick(self, slug: str) -> "Browser":
        found = re.search(rf'value="(pick:[0-9a-f-]+)"[^>]*data-slug="{slug}"', self.text)
        assert found, f"{slug} is not on offer"
        return self.press(found[1])


def connected(browser: Browser, slug: str = "banque-horizon") -> Browser:
    """On to the tick-boxes of a bank with a redirect."""
    assert browser.step == "terms"
    return browser.press("accept").pick(slug).press("approve")


def verified(delivery: Delivery, secret: str = SECRET) -> bool:
    expected = sign(
        secret, "POST", delivery.path.partition("?")[0], delivery.headers["bi-signature-date"], delivery.raw
    )
    return expected == delivery.headers["bi-signature"]


def told(sandbox: Sandbox, consumer: Consumer, event: str, count: int = 1) -> list[Delivery]:
    """The deliveries of this event, once everything that belongs to it has arrived, on whatever webhook."""
    consumer.wait_for(event, count)
    eventually(lambda: sandbox.admin("GET", "/webhooks?limit=1")["waiting"] == 0)
    return consumer.of(event)


@contextlib.contextmanager
def running(**settings: object) -> Iterator[Sandbox]:
    """A sandbox process under these settings."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POWENS_SANDBOX_")}
    environment |= {f"POWENS_SANDBOX_{name.upper()}": str(value) for name, value in settings.items()}
    environment["POWENS_SANDBOX_PORT"] = str(port)
    process = subprocess.Popen(
        [PYTHON, "-m", "powens_sandbox"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    sandbox = Sandbox(f"http://127.0.0.1:{port}", process.pid)
    try:

        def healthy() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return sandbox.http.get("/sandbox/health").status_code == 200
            return False

        eventually(healthy, seconds=20)
        yield sandbox
    finally:
        sandbox.http.close()
        process.terminate()
        _, errors = process.communicate(timeout=10)
    # A refusal is an answer; a stack trace is a fault of the sandbox, whatever the test looked at.
    assert "Traceback" not in errors, errors
