"""What `live_updates` talks to, on one loopback server: the token issuer, and the management API of the sockets."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from local.identity import Issuer


@dataclass
class Wire:
    """`url` is the issuer; `endpoint` manages the sockets.

    `open` holds what each open socket has heard, by id; `broken` are sockets that cannot be reached, whose closing
    neither. With `keys_up` False the issuer answers nothing but 503.
    """

    issuer: Issuer
    open: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    keys_up: bool = True

    @property
    def url(self) -> str:
        return self.issuer.url

    @property
    def endpoint(self) -> str:
        return f"{self.url}/live"

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        socket = unquote(path.removeprefix("/live/@connections/"))
        match method, path:
            case "GET", "/.well-known/openid-configuration" if self.keys_up:
                return 200, self.issuer.configuration
            case "GET", "/.well-known/jwks.json" if self.keys_up:
                return 200, self.issuer.key_set
            case "GET", _:
                return 503, {}
            case _ if socket in self.broken:
                return 403, {"message": "Forbidden"}
            case _ if socket not in self.open:
                return 410, {"message": "Gone"}
            case "POST", _:
                self.open[socket].append(json.loads(body))
                return 200, {}
            case _:
                del self.open[socket]
                self.closed.append(socket)
                return 204, None


@contextmanager
def wire(folder: Path) -> Iterator[Wire]:
    """`folder` is where the issuer's key is kept."""
    made: list[Wire] = []

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            status, answer = made[0].answer(self.command, self.path, body)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            # What boto3 tells errors apart by.
            self.send_header("x-amzn-ErrorType", {410: "GoneException", 403: "ForbiddenException"}.get(status, ""))
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that the server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Not on the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.append(Wire(Issuer(f"http://127.0.0.1:{server.server_port}", folder / "issuer.pem")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
