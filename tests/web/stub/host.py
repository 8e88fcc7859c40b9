"""What is around the API: Powens' pages, signing in, live updates, and the files of web/."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.web.stub.state import now, problem, state

WEB = Path(__file__).resolve().parents[3] / "web"


def return_code(end: str) -> str:
    code = state.settings["return_code"]
    return f"&return_code={code}" if code and end == "done" else ""


async def powens(request: Request) -> Response:
    """A Webview in three links. Every value in it comes from the page under test, on loopback."""
    query = request.query_params
    if query.get("end"):
        if query["end"] == "done":
            state.users[query["user"]]["connections"] += state.settings["webview_adds"]
            for connection in state.users[query["user"]]["connections"]:
                for account in connection["accounts"]:
                    if account["id"] in state.settings["webview_enables"]:
                        account.update(enabled=True, status="enabled")
                        connection["revision"] += 1
                    if account["id"] in state.settings["webview_disables"]:
                        account.update(enabled=False, status="disabled")
                        connection["revision"] += 1
        return RedirectResponse(f"{query['return_to']}?result={query['end']}{return_code(query['end'])}", 303)
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
    answer = {"api_base": "", "demo": state.settings["demo"], "live_url": live, "currency": state.settings["currency"]}
    if not state.settings["demo"]:
        answer |= {"token_url": "/session/token", "sign_in_url": "/login"}
        if state.settings["host_signs_out"]:
            answer["sign_out_url"] = "/session/end"
    return JSONResponse(answer)


async def demo_users(request: Request) -> Response:
    return JSONResponse([{"id": user, "name": user.title()} for user in state.users])


async def demo_token(request: Request) -> Response:
    user = (await request.json())["user"]
    return give_token(user) if user in state.users else problem(404, "not_found")


async def host_token(request: Request) -> Response:
    user = state.settings["host_user"]
    return give_token(user) if user else problem(401, "signed_out")


async def host_end(request: Request) -> Response:
    state.settings["host_user"] = None
    return Response(status_code=204)


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
