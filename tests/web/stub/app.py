"""The public API as its contract has it, scripted: what the page is tested against.

Served by uvicorn together with the files of web/ and their headers. A scenario is posted to `/stub/reset`; everything
under `/stub/` belongs to the tests, everything else is what a static host and the API would answer. State is per user,
in memory. Shape of a scenario: `{"users": {user: {...}}, "settings": {...}}`, each user as `scenarios.user` makes one;
the settings and their meaning are in `state.DEFAULTS`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from tests.web.stub.accounts import (
    account,
    accounts,
    balances,
    export,
    incidents,
    institutions,
    link,
    missing_accounts,
    suggestion,
    wish,
    wishes,
)
from tests.web.stub.connections import (
    connection_confirmation,
    connection_end,
    connections,
    erase,
    history,
    operation,
    refresh,
    selection,
    undo,
    webview_confirmation,
    webview_session,
)
from tests.web.stub.controls import cut, expire, requests, reset, set_user, settings, sockets, users
from tests.web.stub.host import WEB, Pages, config, demo_token, demo_users, host_end, host_token, live, powens
from tests.web.stub.state import state


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
        Route("/v1/me", erase, methods=["DELETE"]),
        Route("/v1/me/export", export),
        Route("/v1/webview-confirmations", webview_confirmation, methods=["POST"]),
        Route("/v1/connections/{id}/confirmation", connection_confirmation, methods=["POST", "DELETE"]),
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
        Route("/session/end", host_end, methods=["POST"]),
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
