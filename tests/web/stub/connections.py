"""Connections and their operations: the list, choices, ends, refreshes, history, visits to the Webview."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.web.stub.state import Json, api, now, problem, state


def connection_of(data: Json, connection_id: str) -> Json | None:
    return next((c for c in data["connections"] if c["id"] == connection_id), None)


@api
async def connections(request: Request, data: Json, user: str) -> Response:
    body = {name: data[name] for name in ("connections", "manual_accounts", "wishes")}
    body["unconfirmed"] = data.get("unconfirmed", [])
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


def start(user: str, operation: Json, effect: Callable[[], object]) -> JSONResponse:
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


def new_operation(kind: str, connection_id: str | None, lines: list[Json]) -> Json:
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
async def erase(request: Request, data: Json, user: str) -> Response:
    return start(user, new_operation("erasure", None, []), lambda: [held.clear() for held in data.values()])


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
async def webview_confirmation(request: Request, data: Json, user: str) -> Response:
    """The code is the name of the user who opened the visit."""
    opener = (await request.json())["return_code"]
    if opener != user:
        return problem(404, "visit_of_another_user", "Ce lien a été ouvert par une autre personne.")
    if state.settings["reading"] > 0:
        state.settings["reading"] -= 1
        return JSONResponse({"connection_id": "new", "confirmed": False}, 202, {"Retry-After": "0"})
    data["connections"] += data.pop("waiting", [])
    return JSONResponse({"connection_id": "new", "confirmed": True})


@api
async def connection_confirmation(request: Request, data: Json, user: str) -> Response:
    if request.method == "POST":
        if (await request.json())["iban_last4"] != "0112":
            return problem(422, "account_mismatch", "Aucun compte ne se termine ainsi.", field="iban_last4")
        data["connections"] += data.pop("waiting", [])
    data["unconfirmed"] = []
    return (
        JSONResponse({"connection_id": "new", "confirmed": True})
        if request.method == "POST"
        else Response(status_code=204)
    )
