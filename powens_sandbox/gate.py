"""Stands before every request: keeps the log, plays the faults, limits the rate, and turns refusals into answers."""

import asyncio
import itertools
import math
import re
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from powens_sandbox.errors import ApiError
from powens_sandbox.faults import Fault, Faults
from powens_sandbox.logbook import Logbook
from powens_sandbox.params import MAX_BODY, bearer, replay
from powens_sandbox.settings import Settings
from powens_sandbox.webview.entry import FLOWS
from powens_sandbox.webview.pages import error_page
from powens_sandbox.webview.texts import LANGUAGES
from powens_sandbox.world.world import World

_LOGGED_BODY = 20_000
_SECRET = re.compile(r'("?(?:client_secret|password|otp|code)"?\s*[:=]\s*"?)[^"&,}\s]+', re.IGNORECASE)
_PAGE = re.compile(
    rf"(?:/(?:{'|'.join(LANGUAGES)}))?/(?:{'|'.join(FLOWS)})"
    rf"|/(?:{'|'.join(LANGUAGES)})/(?:{'|'.join(FLOWS)}|webauth)/[^/]+|/2\.0/webauth"
)
_CODES = {403: "forbidden", 404: "notFound", 405: "methodNotAllowed", 409: "conflict"}


@dataclass
class Received:
    """A line of the log of requests. Secrets in query and body are masked."""

    id: int
    at: datetime
    area: str
    method: str
    path: str
    query: str
    user_id: int | None
    agent: str
    body: str | None = None
    status: int | None = None
    milliseconds: float = 0.0
    fault: int | None = None


def area_of(path: str) -> str:
    """webview: a page that there is; sandbox: what is neither logged nor ever faulty; api: everything else."""
    if path in {"/sandbox", "/favicon.ico"} or path.startswith(("/sandbox/", "/assets/")):
        return "sandbox"
    return "webview" if _PAGE.fullmatch(path) else "api"


class Gate:
    """ASGI middleware. `settle` is called after every request, to send off what the request caused."""

    def __init__(
        self, app: ASGIApp, world: World, faults: Faults, log: Logbook[Received], settle: Callable[[], None]
    ) -> None:
        self.app = app
        self.world = world
        self.faults = faults
        self.clock = world.clock
        self.settle = settle
        self.log = log
        self._ids = itertools.count(881_234)
        self._recent: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = next(self._ids)
        # Starlette's routes raise their refusals, instead of answering them, only inside an application.
        scope["app"] = self.app
        area = area_of(scope["path"])
        if area == "sandbox":
            await self._guarded(scope, receive, send, request_id, area)
            return
        request = Request(scope)
        token = self.world.access.token(bearer(request) or "")
        query = scope["query_string"].decode("latin-1")
        line = Received(
            request_id, self.clock.now(), area, scope["method"], scope["path"], _SECRET.sub(r"\1***", query),
            token.user_id if token else None, request.headers.get("user-agent", "")[:200],
        )  # fmt: skip
        started = time.perf_counter()
        body = bytearray()

        async def recorded_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(body) < _LOGGED_BODY:
                body.extend(message.get("body", b"")[: _LOGGED_BODY - len(body)])
            return message

        async def recorded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                line.status = message["status"]
            await send(message)

        try:
            fault = self.faults.strike(area, f"{scope['path']}{'?' + query if query else ''}", scope["method"])
            if fault is not None:
                line.fault = fault.id
                await self._faulty(fault, scope, recorded_receive, recorded_send, request_id, area)
            elif area == "api" and (wait := self._too_many()):
                error = ApiError(429, self.world.settings.rate_limit_code, "Too many requests", retry_after=wait)
                await self._envelope(error, request_id)(scope, receive, recorded_send)
            else:
                await self._guarded(scope, recorded_receive, recorded_send, request_id, area)
        finally:
            line.milliseconds = round(1000 * (time.perf_counter() - started), 2)
            line.body = _SECRET.sub(r"\1***", body.decode("utf-8", "replace"))
            self.log.add(line)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, request_id: int, area: str) -> None:
        started = False

        async def numbered_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message.setdefault("headers", []).append((b"x-request-id", str(request_id).encode()))
            await send(message)

        try:
            await self.app(scope, receive, numbered_send)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                raise
            await self._refusal(error, request_id, area)(scope, receive, numbered_send)
        finally:
            self.settle()

    def _refusal(self, error: Exception, request_id: int, area: str) -> Response:
        if isinstance(error, HTTPException):
            code = _CODES.get(error.status_code, "invalidValue" if error.status_code < 500 else "bug")
            error = ApiError(error.status_code, code, HTTPStatus(error.status_code).phrase)
        elif not isinstance(error, ApiError):
            traceback.print_exception(error)
            error = ApiError(500, "bug", "Something went wrong in the sandbox itself")
        if area == "webview":
            return HTMLResponse(error_page("en", "error.request"), error.status)
        return self._envelope(error, request_id)

    def _envelope(self, error: ApiError, request_id: int) -> Response:
        headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        body: dict[str, object] = {"code": error.code, "description": error.description}
        if error.status != HTTPStatus.UNAUTHORIZED:
            body["message"] = error.message
        body["request_id"] = request_id
        return JSONResponse(body, error.status, headers)

    def _too_many(self) -> int:
        """Seconds to wait before the next call; 0 when this one is within the limit, and counted."""
        limit = self.world.settings.rate_limit
        if not limit:
            self._recent.clear()
            return 0
        now = time.monotonic()
        window = self.world.settings.rate_limit_seconds
        while self._recent and self._recent[0] <= now - window:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return max(1, math.ceil(self._recent[0] + window - now))
        self._recent.append(now)
        return 0

    # Faults

    def _code_of(self, status: int) -> str:
        settings = self.world.settings
        return {429: settings.rate_limit_code, 401: settings.bad_token_code, **_CODES}.get(status, "bug")

    async def _faulty(
        self, fault: Fault, scope: Scope, receive: Receive, send: Send, request_id: int, area: str
    ) -> None:
        async def carry_out() -> None:
            await self._guarded(scope, receive, _nowhere, request_id, area)

        if fault.kind in {"latency", "delay"}:
            await asyncio.sleep(fault.seconds)
            await self._guarded(scope, receive, send, request_id, area)
            return
        if fault.kind == "duplicate":
            body = await _whole_body(receive)
            await self._guarded(scope, replay(body), _nowhere, request_id, area)
            await self._guarded(scope, replay(body), send, request_id, area)
            return
        if fault.kind == "drop":
            await carry_out()
            await _cut_off(send)
            return
        if fault.after:
            await carry_out()
        match fault.kind:
            case "timeout":
                await asyncio.sleep(fault.seconds)
                await _cut_off(send)
            case "garbage":
                await HTMLResponse('<html><body>{"almost": json')(scope, receive, send)
            case "empty":
                await Response(status_code=200, media_type="application/json")(scope, receive, send)
            case _:
                code = fault.code or self._code_of(fault.status)
                error = ApiError(fault.status, code, "A fault that was switched on", retry_after=fault.retry_after)
                if fault.status < 200 or fault.status in {204, 304}:
                    await Response(status_code=max(fault.status, 200))(scope, receive, send)
                elif area == "webview":
                    await HTMLResponse(error_page("en", "error.unavailable"), fault.status)(scope, receive, send)
                else:
                    await self._envelope(error, request_id)(scope, receive, send)


async def _nowhere(message: Message) -> None:
    """Takes an answer that nobody gets."""


async def _cut_off(send: Send) -> None:
    """Break the connection: the answer promises more than it brings, and the server closes it."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"', "more_body": True})


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while len(body) <= MAX_BODY:
        message = await receive()
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            break
    return bytes(body)


def request_log(settings: Settings) -> Logbook[Received]:
    return Logbook(settings.log_entries, settings.log_bytes, lambda line: len(line.body or ""), _strip)


def _strip(line: Received) -> None:
    line.body = None
