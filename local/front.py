"""The server at http://localhost:8080: the page, the HTTP API in front of the functions, and the demo's sign-in.

One origin for all of them. On AWS the page is on a static host and the identity provider is the company's own.
"""

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Incoming
from starlette.responses import JSONResponse
from starlette.responses import Response as Outgoing
from starlette.routing import Route as Address
from starlette.routing import WebSocketRoute

from local import http_api
from local.identity import DEMO_USERS, Issuer
from local.plane import TooLarge
from local.runtime_api import Answer
from local.sockets import SocketApi
from local.static_site import StaticSite
from local.template import Api

log = logging.getLogger(__name__)

LIVE_PATH = "/live"
INTEGRATION_SECONDS = 30.0  # how long an HTTP API waits for a function
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Front:
    """An ASGI application. `invoke` runs a function by logical id; `config` is what /config.json shows the page.

    `api` may be put in the place of another one at any time.
    """

    def __init__(
        self,
        api: Api,
        invoke: Callable[[str, bytes], Awaitable[Answer]],
        issuer: Issuer,
        site: Path,
        *,
        config: Mapping[str, Any] | None = None,
        sockets: SocketApi | None = None,
        integration_seconds: float = INTEGRATION_SECONDS,
    ) -> None:
        self.api = api
        self._invoke = invoke
        self._issuer = issuer
        self._site = StaticSite(site)
        self._config = {"api_base": "", "demo": True, "live_url": None, **(config or {})}
        self._integration_seconds = integration_seconds
        self.app = Starlette(
            routes=[
                Address("/.well-known/openid-configuration", self._openid),
                Address("/.well-known/jwks.json", self._keys),
                Address("/config.json", self._page_config),
                Address("/demo/users", self._users),
                Address("/demo/token", self._token, methods=["POST"]),
                *([WebSocketRoute(LIVE_PATH, sockets.serve)] if sockets else []),
                Address("/{path:path}", self._other, methods=_METHODS),
            ]
        )

    # --- demo ------------------------------------------------------------------------------------------------------

    async def _openid(self, _: Incoming) -> Outgoing:
        return JSONResponse(self._issuer.configuration)

    async def _keys(self, _: Incoming) -> Outgoing:
        return JSONResponse(self._issuer.key_set)

    async def _page_config(self, _: Incoming) -> Outgoing:
        return JSONResponse(self._config, headers={"cache-control": "no-store"})

    async def _users(self, _: Incoming) -> Outgoing:
        users = [{"id": user, "name": name} for user, name in DEMO_USERS.items()]
        return JSONResponse(users, headers={"cache-control": "no-store"})

    async def _token(self, incoming: Incoming) -> Outgoing:
        try:
            asked = json.loads(await incoming.body())
        except ValueError:
            return JSONResponse({"message": "JSON expected"}, 400)
        user = asked.get("user") if isinstance(asked, dict) else None
        if user not in DEMO_USERS:
            return JSONResponse({"message": "no such demo user"}, 404)
        token, expires = self._issuer.token(str(user))
        body = {"token": token, "expires_at": expires.isoformat().replace("+00:00", "Z")}
        return JSONResponse(body, headers={"cache-control": "no-store"})

    # --- API, then page --------------------------------------------------------------------------------------------

    async def _other(self, incoming: Incoming) -> Outgoing:
        raw = cast(bytes, incoming.scope.get("raw_path") or incoming.url.path.encode()).decode("latin-1")
        path = raw.partition("?")[0]
        if http_api.match(self.api.routes, incoming.method, path) is None and incoming.method in {"GET", "HEAD"}:
            page = self._site.get(
                unquote(path),
                etag=incoming.headers.get("if-none-match"),
                compress="gzip" in incoming.headers.get("accept-encoding", ""),
            )
            if page is not None:
                return _outgoing(http_api.Response(page.status, page.headers, page.body))
        try:
            body = await _body(incoming)
        except ClientDisconnect:
            return Outgoing(status_code=400)
        request = http_api.Request(
            incoming.method,
            path,
            incoming.scope["query_string"].decode("latin-1"),
            [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in incoming.headers.raw],
            body,
            incoming.client.host if incoming.client else "127.0.0.1",
        )
        domain = (incoming.headers.get("host") or "localhost").partition(":")[0]
        found = http_api.admit(self.api, request, self._key_set, domain=domain, now=dt.datetime.now(dt.UTC))
        if isinstance(found, http_api.Response):
            return _outgoing(found)
        answer = await self._integrate(found)
        headers = (*answer.headers, ("apigw-requestid", found.event["requestContext"]["requestId"]))
        return _outgoing(
            http_api.with_cors(request, http_api.Response(answer.status, headers, answer.body), self.api.cors)
        )

    async def _integrate(self, call: http_api.Call) -> http_api.Response:
        try:
            # Not cancelled with the request: on AWS too the function goes on when nobody waits for it any more.
            running = asyncio.ensure_future(self._invoke(call.function, json.dumps(call.event).encode()))
            answer = await asyncio.wait_for(asyncio.shield(running), self._integration_seconds)
        except TimeoutError:
            return http_api.TIMED_OUT
        except TooLarge:
            return http_api.TOO_LARGE
        if answer.error:
            log.warning("%s failed: %s", call.function, _error_type(answer))
            return http_api.FUNCTION_ERROR
        try:
            return http_api.response(answer.json())
        except ValueError as error:
            log.warning("%s gave no HTTP answer: %s", call.function, error)
            return http_api.FUNCTION_ERROR

    def _key_set(self, issuer: str) -> Mapping[str, Any]:
        """API Gateway would fetch it from the issuer's address; here the issuer is this very server."""
        return self._issuer.key_set if issuer == self._issuer.url else {"keys": []}


async def _body(incoming: Incoming) -> bytes:
    """The body, cut just above the limit: what is larger is refused whatever it holds."""
    kept = bytearray()
    async for part in incoming.stream():
        kept += part[: http_api.REQUEST_LIMIT + 1 - len(kept)]
    return bytes(kept)


def _error_type(answer: Answer) -> str:
    try:
        return str(answer.json().get("errorType"))
    except (ValueError, AttributeError):
        return "unknown"


def _outgoing(answer: http_api.Response) -> Outgoing:
    outgoing = Outgoing(answer.body, answer.status)
    for name, value in answer.headers:
        # The server counts the bytes itself.
        if name not in {"content-length", "connection", "transfer-encoding"}:
            outgoing.headers.append(name, value)
    return outgoing
