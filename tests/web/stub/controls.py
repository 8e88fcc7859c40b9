"""What tests do to the stub and ask of it, under `/stub/`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.web.stub.connections import changed
from tests.web.stub.state import state


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
