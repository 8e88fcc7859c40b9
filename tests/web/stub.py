"""The public API as its contract has it, scripted: what the page is tested against.

Served by uvicorn together with the files of web/ and their headers. A scenario is posted to `/stub/reset`; everything
under `/stub/` belongs to the tests, everything else is what a static host and the API would answer. State is per user,
in memory. Shape of a scenario: `{"users": {user: {...}}, "settings": {...}}`, each user as `scenarios.user` makes one;
the settings and their meaning are in `DEFAULTS`.
"""

import asyncio
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

WEB = Path(__file__).resolve().parents[2] / "web"

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
    "host_user": None,  # outside the demo: who the host application's session belongs to
    "webview_enables": [],  # account ids ticked by a visit that ends with "done"
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


def connection_of(data: Json, connection_id: str) -> Json | None:
    return next((c for c in data["connections"] if c["id"] == connection_id), None)


@api
async def connections(request: Request, data: Json, user: str) -> Response:
    body = {name: data[name] for name in ("connections", "manual_accounts", "wishes")}
    etag = '"' + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16] + '"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return JSONResponse(body, headers={"ETag": etag})


async def changed(user: str, connection: Json) -> None:
    for socket in list(state.sockets.get(user, ())):
        message = {
            "type": "changed",
            "connection_id": connection["id"],
            "revision": connection["revision"],
            "event": "AccountsUpdated",
        }
        await socket.send_json(message)


def start(user: str, operation: Json, effect: Callable[[], None]) -> JSONResponse:
    state.operations[operation["id"]] = operation | {"user": user}
    work = state.settings["work"]

    async def run() -> None:
        await asyncio.sleep(work)
        effect()
        stored = state.operations[operation["id"]]
        stored["status"] = state.settings["outcome"]
        stored["status_reason"] = state.settings["status_reason"]
        stored["ended_at"] = now()
        for line in stored["accounts"]:
            if line["status"] == "pending":
                line["status"] = "done" if stored["status"] == "completed" else "failed"
        connection = connection_of(state.users[user], operation["connection_id"])
        if connection is not None:
            connection["revision"] += 1
        await changed(user, connection or {"id": operation["connection_id"], "revision": 0})

    if work is not None:
        task = asyncio.create_task(run())
        state.tasks.add(task)
        task.add_done_callback(state.tasks.discard)
    return answer_operation(operation["id"], 202)


def answer_operation(operation_id: str, status: int = 200) -> JSONResponse:
    operation = {key: value for key, value in state.operations[operation_id].items() if key not in ("user", "before")}
    headers = {"Location": f"/v1/operations/{operation_id}"} if status == 202 else {}
    if operation["status"] in ("pending", "running"):
        headers["Retry-After"] = "1"
    return JSONResponse(operation, status, headers)


def new_operation(kind: str, connection_id: str, lines: list[Json]) -> Json:
    undo = state.settings["undo_seconds"] if kind == "selection" else None
    return {
        "id": f"op-{state.generation}-{len(state.operations) + 1}",
        "kind": kind,
        "connection_id": connection_id,
        "status": "pending",
        "status_reason": None,
        "created_at": now(),
        "deadline_at": now(120),
        "ended_at": None,
        "accounts": lines,
        "undo_until": now(undo) if undo is not None else None,
    }


def select(user: str, connection: Json, wanted: set[str]) -> JSONResponse:
    lines = []
    for account in connection["accounts"]:
        if account["enabled"] != (account["id"] in wanted):
            target = "enabled" if account["id"] in wanted else "disabled"
            lines.append({"account_id": account["id"], "wanted": target, "status": "pending", "reason": None})
    before = [a["id"] for a in connection["accounts"] if a["enabled"]]
    operation = new_operation("selection", connection["id"], lines) | {"before": before}
    by_id = {a["id"]: a for a in connection["accounts"]}
    for line in lines:
        by_id[line["account_id"]]["status"] = "enabling" if line["wanted"] == "enabled" else "disabling"
        by_id[line["account_id"]]["operation_id"] = operation["id"]

    def effect() -> None:
        for line in lines:
            account = by_id[line["account_id"]]
            outcome = state.settings["outcomes"].get(account["id"])
            if outcome is not None:
                line.update(outcome)
            elif state.settings["outcome"] in ("completed", "partially_completed", "needs_user"):
                line["status"] = "done"
                account["enabled"] = line["wanted"] == "enabled"
            account["status"] = "enabled" if account["enabled"] else "disabled"

    return start(user, operation, effect)


@api
async def selection(request: Request, data: Json, user: str) -> Response:
    connection = connection_of(data, request.path_params["id"])
    if connection is None:
        return problem(404, "not_found")
    body = await request.json()
    wanted = set(body["enabled_account_ids"])
    if set(body) != {"enabled_account_ids"} or wanted - {a["id"] for a in connection["accounts"]}:
        return problem(422, "unknown_account")
    enable = [a["id"] for a in connection["accounts"] if a["id"] in wanted and not a["enabled"]]
    disable = [a["id"] for a in connection["accounts"] if a["id"] not in wanted and a["enabled"]]
    if request.query_params.get("dry_run") == "true":
        return JSONResponse(
            {
                "connection_id": connection["id"],
                "revision": connection["revision"],
                "enable": enable,
                "disable": disable,
                "unchanged": [a["id"] for a in connection["accounts"] if a["id"] not in {*enable, *disable}],
                "deleted_at_powens": disable if state.settings["deleted_at_powens"] else [],
                "enabled_total": len(wanted),
                "requires_consent": bool(enable),
            }
        )
    match = request.headers.get("if-match")
    if match is not None and match.strip('"').split(".")[0] != str(connection["revision"]):
        return problem(412, "revision_mismatch")
    return select(user, connection, wanted)


@api
async def connection_end(request: Request, data: Json, user: str) -> Response:
    connection = connection_of(data, request.path_params["id"])
    if connection is None:
        return problem(404, "not_found")
    if (await request.json()) != {"confirm": connection["institution"]["name"]}:
        return problem(422, "confirmation_mismatch")

    def effect() -> None:
        if state.settings["outcome"] == "completed":
            data["connections"].remove(connection)

    return start(user, new_operation("deletion", connection["id"], []), effect)


@api
async def refresh(request: Request, data: Json, user: str) -> Response:
    connection = connection_of(data, request.path_params["id"])
    if connection is None:
        return problem(404, "not_found")

    def effect() -> None:
        if state.settings["outcome"] == "completed":
            connection.update(last_success_at=now(), freshness="fresh")

    return start(user, new_operation("refresh", connection["id"], []), effect)


@api
async def operation(request: Request, data: Json, user: str) -> Response:
    found = state.operations.get(request.path_params["id"])
    if found is None or found["user"] != user:
        return problem(404, "not_found")
    return answer_operation(found["id"])


@api
async def undo(request: Request, data: Json, user: str) -> Response:
    found = state.operations.get(request.path_params["id"])
    if found is None or found["user"] != user:
        return problem(404, "not_found")
    connection = connection_of(data, found["connection_id"])
    if connection is None:
        return problem(409, "not_undoable")
    return select(user, connection, set(found["before"]))


@api
async def history(request: Request, data: Json, user: str) -> Response:
    wanted = request.query_params.get("connection_id")
    entries = [e for e in data["history"] if wanted in (None, e["connection_id"])]
    first = int(request.query_params.get("cursor", "0"))
    following = str(first + 20) if len(entries) > first + 20 else None
    return JSONResponse({"entries": entries[first : first + 20], "next": following})


@api
async def webview_session(request: Request, data: Json, user: str) -> Response:
    body = await request.json()
    if set(body) - {"flow", "connection_id", "language", "return_to"}:
        return problem(422, "unknown_field")
    url = state.settings["foreign_webview"] or (
        f"{request.base_url!s}powens?flow={body['flow']}&connection={body.get('connection_id', '')}"
        f"&language={body['language']}&user={user}&return_to={quote(body['return_to'], safe='')}"
    )
    return JSONResponse({"url": url, "expires_at": now(1800)}, 201)


@api
async def accounts(request: Request, data: Json, user: str) -> Response:
    body = await request.json()
    account = body | {
        "id": f"man-{len(data['manual_accounts']) + 1}",
        "kind": "manual",
        "connection_id": None,
        "iban_last4": None,
        "enabled": True,
        "status": "enabled",
        "status_reason": None,
        "last_success_at": None,
        "duplicate_of": None,
        "linked_account_id": None,
        "link_suggestions": [],
    }
    data["manual_accounts"].append(account)
    return JSONResponse(account, 201)


def manual_of(data: Json, account_id: str) -> Json:
    found: Json = next(a for a in data["manual_accounts"] if a["id"] == account_id)
    return found


@api
async def account(request: Request, data: Json, user: str) -> Response:
    if request.method == "PATCH":
        body = await request.json()
        if set(body) not in ({"name"}, {"balance"}):
            return problem(422, "invalid_request")
        found = manual_of(data, request.path_params["id"])
        found.update(body)
        return JSONResponse(found)
    data["manual_accounts"] = [a for a in data["manual_accounts"] if a["id"] != request.path_params["id"]]
    return Response(status_code=204)


@api
async def balances(request: Request, data: Json, user: str) -> Response:
    found = manual_of(data, request.path_params["id"])
    lines = [{"at": now(-86400 * n), "balance": f"{300 - n}.00", "currency": "EUR", "kind": "manual"} for n in range(3)]
    if request.query_params.get("cursor") is None:
        first = lines[0] | {"balance": found["balance"], "kind": "synced" if found["linked_account_id"] else "manual"}
        return JSONResponse({"balances": [first, lines[1]], "next": "c1"})
    return JSONResponse({"balances": lines[2:], "next": None})


@api
async def link(request: Request, data: Json, user: str) -> Response:
    found = manual_of(data, request.path_params["id"])
    other = (await request.json())["account_id"] if request.method == "PUT" else None
    for synchronised in (a for c in data["connections"] for a in c["accounts"]):
        if synchronised["id"] == other:
            synchronised["linked_account_id"] = found["id"]
        elif synchronised["linked_account_id"] == found["id"]:
            synchronised["linked_account_id"] = None
    found.update(
        enabled=other is None, status="disabled" if other else "enabled", linked_account_id=other, link_suggestions=[]
    )
    return JSONResponse(found)


@api
async def suggestion(request: Request, data: Json, user: str) -> Response:
    found = manual_of(data, request.path_params["id"])
    rejected = request.path_params["other"]
    found["link_suggestions"] = [one for one in found["link_suggestions"] if one["account_id"] != rejected]
    return Response(status_code=204)


@api
async def incidents(request: Request, data: Json, user: str) -> Response:
    return JSONResponse({"incidents": state.settings["incidents"]})


@api
async def institutions(request: Request, data: Json, user: str) -> Response:
    wanted = request.query_params["search"].lower()
    found = [one for one in state.settings["institutions"] if wanted in one["name"].lower()]
    return JSONResponse(
        {"institutions": found[: int(request.query_params["limit"])], "refreshed_at": now(), "stale": False}
    )


@api
async def missing_accounts(request: Request, data: Json, user: str) -> Response:
    connection_id, kind = request.path_params["id"], request.query_params["type"]
    unknown = {
        "answer": "unknown", "reason": "unknown", "evidence": ["connection_works"], "message": "On ne sait pas.",
        "next_step": "manage", "retry_at": None,
    }  # fmt: skip
    return JSONResponse({"type": kind} | unknown | state.settings["diagnoses"].get(f"{connection_id}/{kind}", {}))


@api
async def wishes(request: Request, data: Json, user: str) -> Response:
    body = await request.json()
    wish = body | {
        "id": f"wish-{len(data['wishes']) + 1}",
        "institution_name": "Revolut",
        "created_at": now(),
        "available_at": None,
    }
    data["wishes"].append(wish)
    return JSONResponse(wish, 201)


@api
async def wish(request: Request, data: Json, user: str) -> Response:
    data["wishes"] = [one for one in data["wishes"] if one["id"] != request.path_params["id"]]
    return Response(status_code=204)


async def powens(request: Request) -> Response:
    """A Webview in three links. Every value in it comes from the page under test, on loopback."""
    query = request.query_params
    if query.get("end"):
        if query["end"] == "done":
            for connection in state.users[query["user"]]["connections"]:
                for account in connection["accounts"]:
                    if account["id"] in state.settings["webview_enables"]:
                        account.update(enabled=True, status="enabled")
                        connection["revision"] += 1
        return RedirectResponse(f"{query['return_to']}?result={query['end']}", 303)
    links = "".join(
        f'<li><a data-testid="{end}" href="{request.url.include_query_params(end=end)}">{end}</a></li>'.replace(
            "&", "&amp;"
        )
        for end in ("done", "cancelled", "failed")
    )
    return HTMLResponse(f"<!doctype html><title>Powens</title><h1>{query['flow']}</h1><ul>{links}</ul>")


# --- signing in, live updates, static files ---


async def config(request: Request) -> Response:
    live = f"ws://{request.url.netloc}/live" if state.settings["live"] else None
    answer = {"api_base": "", "demo": state.settings["demo"], "live_url": live}
    if not state.settings["demo"]:
        answer |= {"token_url": "/session/token", "sign_in_url": "/login"}
    return JSONResponse(answer)


async def demo_users(request: Request) -> Response:
    return JSONResponse([{"id": user, "name": user.title()} for user in state.users])


async def demo_token(request: Request) -> Response:
    user = (await request.json())["user"]
    return give_token(user) if user in state.users else problem(404, "not_found")


async def host_token(request: Request) -> Response:
    user = state.settings["host_user"]
    return give_token(user) if user else problem(401, "signed_out")


def give_token(user: str) -> Response:
    token = f"{user}.{len(state.valid_tokens) + 1}.{state.generation}"
    state.valid_tokens.add(token)
    return JSONResponse({"token": token, "expires_at": now(state.settings["token_seconds"]), "name": user.title()})


async def live(socket: WebSocket) -> None:
    token = next((p.removeprefix("bearer.") for p in socket.scope["subprotocols"] if p.startswith("bearer.")), "")
    if token not in state.valid_tokens or not state.settings["live_accepts"]:
        await socket.close(4401)
        return
    user = token.split(".")[0]
    await socket.accept(subprotocol="synced-accounts")
    state.sockets.setdefault(user, set()).add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        state.sockets[user].discard(socket)


class Pages(StaticFiles):
    """The files of web/ with the headers that web/_headers asks a static host to send."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        for line in (WEB / "_headers").read_text().splitlines():
            if line.startswith(" "):
                name, _, value = line.strip().partition(": ")
                response.headers[name] = value
        return response


# --- what tests do ---


async def reset(request: Request) -> Response:
    for sockets in state.sockets.values():
        for socket in list(sockets):
            await socket.close()
    state.sockets.clear()
    state.reset(await request.json())
    return Response(status_code=204)


async def settings(request: Request) -> Response:
    state.settings.update(await request.json())
    return Response(status_code=204)


async def users(request: Request) -> Response:
    return JSONResponse(state.users)


async def set_user(request: Request) -> Response:
    """Replaces what one user has, as another device or the bank would, and says so on the sockets."""
    user = request.path_params["user"]
    state.users[user] = await request.json()
    if request.query_params.get("quiet") is None:
        await changed(user, state.users[user]["connections"][0])
    return Response(status_code=204)


async def requests(request: Request) -> Response:
    return JSONResponse(state.requests)


async def cut(request: Request) -> Response:
    """Cuts every socket; `accept` says whether the next ones are let in."""
    state.settings["live_accepts"] = request.query_params.get("accept") == "true"
    for sockets in state.sockets.values():
        for socket in list(sockets):
            await socket.close()
    return Response(status_code=204)


async def sockets(request: Request) -> Response:
    return JSONResponse({user: len(open_ones) for user, open_ones in state.sockets.items()})


async def expire(request: Request) -> Response:
    state.valid_tokens = set()
    return Response(status_code=204)


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    state.reset({"users": {}})
    yield


app = Starlette(
    lifespan=lifespan,
    middleware=[Middleware(GZipMiddleware, minimum_size=500)],
    routes=[
        Route("/v1/connections", connections),
        Route("/v1/connections/{id}", connection_end, methods=["DELETE"]),
        Route("/v1/connections/{id}/selection", selection, methods=["PUT"]),
        Route("/v1/connections/{id}/refresh", refresh, methods=["POST"]),
        Route("/v1/operations/{id}", operation),
        Route("/v1/operations/{id}/undo", undo, methods=["POST"]),
        Route("/v1/history", history),
        Route("/v1/webview-sessions", webview_session, methods=["POST"]),
        Route("/v1/accounts", accounts, methods=["POST"]),
        Route("/v1/accounts/{id}", account, methods=["DELETE", "PATCH"]),
        Route("/v1/accounts/{id}/balances", balances),
        Route("/v1/accounts/{id}/link", link, methods=["PUT", "DELETE"]),
        Route("/v1/accounts/{id}/link-suggestions/{other}", suggestion, methods=["DELETE"]),
        Route("/v1/connections/{id}/missing-accounts", missing_accounts),
        Route("/v1/incidents", incidents),
        Route("/v1/institutions", institutions),
        Route("/v1/wishes", wishes, methods=["POST"]),
        Route("/v1/wishes/{id}", wish, methods=["DELETE"]),
        Route("/powens", powens),
        Route("/config.json", config),
        Route("/demo/users", demo_users),
        Route("/demo/token", demo_token, methods=["POST"]),
        Route("/session/token", host_token, methods=["POST"]),
        WebSocketRoute("/live", live),
        Route("/stub/reset", reset, methods=["POST"]),
        Route("/stub/settings", settings, methods=["POST"]),
        Route("/stub/users", users),
        Route("/stub/users/{user}", set_user, methods=["PUT"]),
        Route("/stub/requests", requests),
        Route("/stub/cut", cut, methods=["POST"]),
        Route("/stub/sockets", sockets),
        Route("/stub/expire", expire, methods=["POST"]),
        Mount("/", Pages(directory=WEB, html=True)),
    ],
)
