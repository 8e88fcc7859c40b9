"""Manual accounts, and what an institution gives: search, diagnoses, wishes, incidents."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.web.stub.state import Json, api, now, problem, state


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
async def export(request: Request, data: Json, user: str) -> Response:
    """In pages of two things each."""
    held = [{"kind": kind, "content": {"name": one.get("name", "")}} for kind in data for one in data[kind]]
    first = int(request.query_params.get("cursor", "0"))
    following = str(first + 2) if len(held) > first + 2 else None
    page = {"user_id": user, "exported_at": now(), "items": held[first : first + 2], "next": following}
    return JSONResponse(page)


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
