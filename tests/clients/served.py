"""The API of an in-process world at an address, for clients that speak HTTP."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.integration.world import Reply, World

TOKEN = "token-of-alice"
_PASSED_ON = ("accept-language", "idempotency-key", "if-match", "if-none-match")


class Served(HTTPServer):
    """Each look at an operation lets the world go on afterwards, so a client finds it open once and ended then."""

    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world = world
        self.asked: list[tuple[str, Reply]] = []
        """Each request, as method and path, with its answer."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Served

    def _answer(self) -> None:
        world = self.server.world
        assert self.headers["authorization"] == f"Bearer {TOKEN}"
        raw = self.rfile.read(int(self.headers.get("content-length", 0))).decode() or None
        path, _, query = self.path.partition("?")
        headers = {name.replace("-", "_"): self.headers[name] for name in _PASSED_ON if name in self.headers}
        reply = world.api(self.command, path, raw=raw, query=query, **headers)
        self.server.asked.append((f"{self.command} {path}", reply))
        if path.startswith("/v1/operations/") and self.command == "GET":
            world.settle()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body.encode())))
        self.end_headers()
        self.wfile.write(reply.body.encode())

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - as the base class looks for them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the parameter that it overrides
        """Standard output is the world's log."""


@contextlib.contextmanager
def served(world: World) -> Iterator[Served]:
    """One request after the other, in a thread: the test waits for its client meanwhile."""
    with Served(world) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
