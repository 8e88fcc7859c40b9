"""What the stub holds, per scenario, and how its API handlers come to it."""

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

DEFAULTS: dict[str, Any] = {
    "latency": 0.0,  # seconds before each API answer
    "work": 0.2,  # seconds an operation takes; null: it stays open
    "outcome": "completed",  # the status every operation ends with
    "outcomes": {},  # account id -> {"status", "reason"} where it differs
    "status_reason": None,  # of the operations that end
    "undo_seconds": 60,  # null: nothing can be undone
    "deleted_at_powens": True,  # whether dropping an account deletes its data at Powens
    "fail": [],  # [{"method", "path", "status", "code", "detail", "field", "times", "retry_after"}], first match wins
    "incidents": [],  # as GET /v1/incidents has them
    "institutions": [],  # the catalogue, as GET /v1/institutions has it
    "diagnoses": {},  # "<connection id>/<type>" -> what is known beyond "unknown"
    "live": False,  # whether config.json offers a socket
    "live_accepts": True,
    "token_seconds": 3600,
    "demo": True,
    "currency": "EUR",  # the main one, as config.json says it
    "host_signs_out": True,  # outside the demo: whether the host application has an address for it
    "host_user": None,  # outside the demo: who the host application's session belongs to
    "reading": 0,  # how often a confirmation is answered that the new connection has not been read yet
    "return_code": None,  # what a visit that ends with "done" brings back
    "webview_enables": [],  # account ids ticked by a visit that ends with "done"
    "webview_disables": [],  # and those unticked
    "webview_adds": [],  # connections made by such a visit
    "foreign_webview": None,  # an address to answer instead of the stub's own Webview
}

Json = dict[str, Any]


class State:
    """Everything a test can see or set."""

    def __init__(self) -> None:
        self.users: dict[str, Json] = {}
        self.settings: Json = copy.deepcopy(DEFAULTS)
        self.operations: dict[str, Json] = {}
        self.sockets: dict[str, set[WebSocket]] = {}
        self.requests: list[Json] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.generation = 0
        self.valid_tokens: set[str] = set()

    def reset(self, scenario: Json) -> None:
        for task in self.tasks:
            task.cancel()
        self.users = scenario["users"]
        self.settings = copy.deepcopy(DEFAULTS) | scenario.get("settings", {})
        self.operations = {}
        self.requests = []
        self.valid_tokens = set()
        self.generation += 1


state = State()


def now(offset: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=offset)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def problem(
    status: int, code: str, detail: str = "", retry_after: int | None = None, field: str | None = None
) -> JSONResponse:
    headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    body = {
        "type": "about:blank",
        "title": code,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "req-1",
    } | ({"field": field} if field is not None else {})
    return JSONResponse(body, status, headers, media_type="application/problem+json")


# --- the API ---


def api(handler: Callable[[Request, Json, str], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Signs the caller in, records the request and plays the scripted failures."""

    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        body = json.loads(raw) if raw else None
        line = {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "body": body,
            "headers": dict(request.headers),
        }
        state.requests.append(line)
        await asyncio.sleep(state.settings["latency"])
        for failure in state.settings["fail"]:
            if (
                failure["method"] == request.method
                and request.url.path.startswith(failure["path"])
                and failure["times"]
            ):
                failure["times"] -= 1
                return problem(
                    failure["status"],
                    failure["code"],
                    failure.get("detail", ""),
                    failure.get("retry_after"),
                    failure.get("field"),
                )
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in state.valid_tokens:
            return JSONResponse({"message": "Unauthorized"}, 401)
        user = token.split(".")[0]
        if request.method in ("PUT", "POST", "PATCH", "DELETE") and "idempotency-key" not in request.headers:
            return problem(400, "idempotency_key_missing")
        return await handler(request, state.users[user], user)

    return endpoint
