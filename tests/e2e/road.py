"""The road that webhooks take from Powens to us: what passes is seen, and a delivery can be held up on it."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.e2e.conftest import System

QUERY = "tenant=acme&x=%2F"
OPERATOR = {"authorization": "Bearer sandbox-config-token"}


@dataclass
class Road:
    """`stalls` deliveries are held up for `stall_seconds`: before they reach us (they never do), or after.

    `tokens` are the credentials that another consumer was shown, which knows no signatures.
    """

    target: str
    stalls: int = 0
    stall_seconds: float = 0.0
    stall: str = "before"
    queries: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        parts = urlsplit(path)
        if parts.path == "/other-consumer":
            self.tokens.append(headers.get("authorization", "").removeprefix("Bearer "))
            return 200
        with self._lock:
            self.queries.add(parts.query)
            stalled = self.stalls > 0
            self.stalls -= stalled
        if stalled and self.stall == "before":
            self._closed.wait(self.stall_seconds)
            return 503
        passed = ("content-type", "content-encoding", "bi-signature", "bi-signature-date")
        answer = httpx.post(
            self.target + path,
            content=body,
            headers={name: headers[name] for name in passed if name in headers},
            timeout=30,
        )
        if stalled:
            self._closed.wait(self.stall_seconds)
        return answer.status_code

    def close(self) -> None:
        self._closed.set()


@contextlib.contextmanager
def road(system: System, powens: httpx.Client) -> Iterator[Road]:
    """Every webhook goes over it, to addresses with a query, for as long as this is open."""
    found = Road(system.url)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hooks: list[dict[str, Any]] = powens.get("/2.0/webhooks", headers=OPERATOR).raise_for_status().json()["webhooks"]
    try:
        for hook in hooks:
            _lead(powens, hook["id"], f"{found.url}{urlsplit(hook['url']).path}?{QUERY}")
        yield found
    finally:
        for hook in hooks:
            _lead(powens, hook["id"], hook["url"])
        found.close()
        server.shutdown()
        server.server_close()
        thread.join()


def _lead(powens: httpx.Client, hook_id: int, url: str) -> None:
    powens.put(f"/2.0/webhooks/{hook_id}", json={"url": url}, headers=OPERATOR).raise_for_status()


def _handler(found: Road) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status = found.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Quiet."""

    return Handler
