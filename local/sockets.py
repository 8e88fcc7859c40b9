"""What API Gateway's WebSocket API does: sockets of browsers on one side, one event per happening on the other.

`$connect` decides whether the socket opens, `$disconnect` is told when it has closed; functions write to a socket
through the management API (`POST /@connections/<id>`). Sockets end after two hours, or ten idle minutes, as on AWS.
"""

import asyncio
import base64
import datetime as dt
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from local.runtime_api import Answer

log = logging.getLogger(__name__)

LONGEST_SECONDS = 2 * 3600.0
IDLE_SECONDS = 600.0
MESSAGE_LIMIT = 128 * 1024  # bytes


@dataclass(frozen=True)
class _Open:
    id: str
    socket: WebSocket
    since: dt.datetime


class SocketApi:
    """`routes` maps route keys to functions, and may change; `invoke` runs one. Lives in one event loop."""

    def __init__(
        self,
        routes: Mapping[str, str],
        invoke: Callable[[str, bytes], Awaitable[Answer]],
        *,
        stage: str = "live",
        longest_seconds: float = LONGEST_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.routes = routes
        self._invoke = invoke
        self._stage = stage
        self._longest, self._idle = longest_seconds, idle_seconds
        self._open: dict[str, _Open] = {}

    async def serve(self, socket: WebSocket) -> None:
        """One socket from its handshake to its end."""
        connection = _Open(base64.b64encode(secrets.token_bytes(11)).decode(), socket, dt.datetime.now(dt.UTC))
        headers = {name: value for name, value in socket.headers.items() if not name.startswith("sec-websocket-key")}
        opening: dict[str, Any] = {
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
        }
        if socket.query_params:
            opening["queryStringParameters"] = dict(socket.query_params)
        answer = await self._tell(connection, "$connect", "CONNECT", **opening)
        status, protocol = _accepted(answer)
        if status >= 300:
            await socket.send_denial_response(Response(status_code=status))
            return
        await socket.accept(subprotocol=protocol)
        self._open[connection.id] = connection
        code = 1006
        try:
            async with asyncio.timeout(self._longest):
                code = await self._listen(connection)
        except TimeoutError:
            code = 1001
            await socket.close(code, "Going away")
        finally:
            self._open.pop(connection.id, None)
            ended = self._tell(connection, "$disconnect", "DISCONNECT", context={"disconnectStatusCode": code})
            await asyncio.shield(asyncio.ensure_future(ended))

    async def post(self, connection_id: str, data: bytes) -> int:
        """The management API's answer: 200, 410 when the socket is gone, 413 for a message that is too large."""
        connection = self._open.get(connection_id)
        if connection is None:
            return 410
        if len(data) > MESSAGE_LIMIT:
            return 413
        try:
            await connection.socket.send_text(data.decode())
        except (RuntimeError, WebSocketDisconnect):
            return 410
        return 200

    async def close(self, connection_id: str) -> int:
        connection = self._open.get(connection_id)
        if connection is None:
            return 410
        await connection.socket.close(1000, "Connection Closed Normally")
        return 204

    async def _listen(self, connection: _Open) -> int:
        """Until the socket ends; the code it ended with."""
        socket = connection.socket
        while True:
            try:
                async with asyncio.timeout(self._idle):
                    text = await socket.receive_text()
            except WebSocketDisconnect as end:
                return end.code
            except TimeoutError:
                await socket.close(1001, "Going away")
                return 1001
            except KeyError:
                await socket.close(1003, "binary messages are not taken")
                return 1003
            route = "$default" if "$default" in self.routes else None
            if route is None:
                refusal = {"message": "Forbidden", "connectionId": connection.id, "requestId": secrets.token_hex(8)}
                await socket.send_text(json.dumps(refusal))
                continue
            await self._tell(connection, route, "MESSAGE", body=text)

    async def _tell(
        self, connection: _Open, route: str, kind: str, *, context: Mapping[str, Any] | None = None, **rest: Any
    ) -> Answer | None:
        if route not in self.routes:
            return None
        now = dt.datetime.now(dt.UTC)
        event = {
            **rest,
            "requestContext": {
                "routeKey": route,
                "eventType": kind,
                "messageDirection": "IN",
                "stage": self._stage,
                "connectionId": connection.id,
                "connectedAt": int(connection.since.timestamp() * 1000),
                "requestId": secrets.token_hex(8),
                "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "requestTimeEpoch": int(now.timestamp() * 1000),
                "domainName": connection.socket.url.hostname,
                "apiId": "local",
                "identity": {"sourceIp": connection.socket.client.host if connection.socket.client else ""},
                **(context or {}),
            },
            "isBase64Encoded": False,
        }
        answer = await self._invoke(self.routes[route], json.dumps(event).encode())
        if answer.error:
            log.warning("%s failed on %s", self.routes[route], route)
        return answer


def _accepted(answer: Answer | None) -> tuple[int, str | None]:
    """The handshake's status and subprotocol. A route without a function lets everybody in."""
    if answer is None:
        return 200, None
    if answer.error:
        return 502, None
    try:
        said = answer.json()
        status = int(said["statusCode"])
    except (ValueError, TypeError, KeyError):
        return 502, None
    headers = {str(name).lower(): str(value) for name, value in (said.get("headers") or {}).items()}
    return status, headers.get("sec-websocket-protocol")
