"""Where the AWS double sends invocations it starts itself: schedules, bus rules, direct Invoke calls.

Also the management API of the WebSocket API, for the functions: `POST` and `DELETE /@connections/<id>`;
`POST /@deployments`, the next release, for who types `make run` while a system runs; and `GET /@workers`, the processes
that run functions now, for tests that end some of them.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from local.plane import Plane, TooLarge
from local.runtime_api import failure, read_requests
from local.sockets import SocketApi

type Deploy = Callable[[Mapping[str, Any]], Awaitable[tuple[bool, Mapping[str, Any]]]]
"""Takes what is wanted; whether it was done, and what there is to say."""


class InvokeEndpoint:
    """`POST /<logical id>` with an event; 200 with the function's answer, 500 with its error."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._server: asyncio.Server | None = None
        self.sockets: SocketApi | None = None
        self.deploy: Deploy | None = None
        self.url = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for method, path, body in read_requests(reader):
                if path.startswith("/@connections/"):
                    status, payload = await self._manage(method, unquote(path.removeprefix("/@connections/")), body)
                elif (method, path) == ("GET", "/@workers"):
                    status, payload = "200 OK", json.dumps(self._plane.workers()).encode()
                elif (method, path) == ("POST", "/@deployments") and self.deploy is not None:
                    done, said = await self.deploy(json.loads(body))
                    status, payload = "200 OK" if done else "409 Conflict", json.dumps(said).encode()
                else:
                    status, payload = await self._invoke(path.removeprefix("/"), body)
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
                writer.write(head.encode() + payload)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the double stopped waiting
        finally:
            writer.close()

    async def _manage(self, method: str, connection_id: str, body: bytes) -> tuple[str, bytes]:
        if self.sockets is None or method not in {"POST", "DELETE"}:
            return "404 Not Found", b"{}"
        answering = self.sockets.post(connection_id, body) if method == "POST" else self.sockets.close(connection_id)
        status = HTTPStatus(await answering)
        return f"{status.value} {status.phrase}", b"" if status == HTTPStatus.NO_CONTENT else b"{}"

    async def _invoke(self, function: str, event: bytes) -> tuple[str, bytes]:
        if function not in self._plane.names:
            return "404 Not Found", failure("ResourceNotFoundException", function)
        try:
            answer = await self._plane.invoke(function, event, patient=True)
        except TooLarge:
            return "413 Payload Too Large", failure("RequestTooLargeException", function)
        return ("500 Internal Server Error" if answer.error else "200 OK"), answer.payload
