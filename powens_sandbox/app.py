"""Puts the parts together into one ASGI application."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from powens_sandbox.errors import not_found
from powens_sandbox.faults import Faults
from powens_sandbox.gate import Gate, request_log
from powens_sandbox.rest import rest_routes
from powens_sandbox.settings import Settings
from powens_sandbox.switches import switch_routes
from powens_sandbox.views.logos import logo
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.webview.entry import PAGE_HEADERS, Webview
from powens_sandbox.world.clock import Clock
from powens_sandbox.world.world import World

_PASSES = timedelta(seconds=1)
_IDLE_SECONDS = 0.5
_STATIC = Path(__file__).parent / "static"
# The page of switches also talks to its own server, and nobody frames it.
_CONSOLE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


def _below(prefix: str, *groups: list[Route]) -> list[Route]:
    """The same routes under a prefix. Not a Mount, which would answer its own 404 and redirect slashes."""
    return [
        Route(prefix + route.path, route.endpoint, methods=list(route.methods or ()))
        for group in groups
        for route in group
    ]


class Timekeeper:
    """Does what is due, and sends off the events that it causes."""

    def __init__(self, world: World, deliveries: Deliveries) -> None:
        self.world = world
        self.deliveries = deliveries
        self._wake = asyncio.Event()

    def settle(self) -> None:
        """Hand over the events of what just happened."""
        events = list(self.world.events)
        self.world.events.clear()
        self.deliveries.dispatch(events)
        self._wake.set()

    async def run(self) -> None:
        """Does the jobs when their time comes, and once a second what time does by itself."""
        world, clock = self.world, self.world.clock
        passed = clock.now()
        while True:
            now = clock.now()
            while world.syncs.run_next():
                self.settle()
                await asyncio.sleep(0)
            if now - passed >= _PASSES or now < passed:
                world.pass_time()
                passed = now
            self.settle()
            self._wake.clear()
            due = world.syncs.next_due()
            pause = _IDLE_SECONDS if due is None else min(_IDLE_SECONDS, max(0.0, (due - clock.now()).total_seconds()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)


def create_app(settings: Settings) -> ASGIApp:
    """The sandbox under these settings. Background work starts and stops with the application's lifespan."""
    clock = Clock()
    world = World(settings, clock)
    faults = Faults(settings.seed)
    deliveries = Deliveries(world, faults, clock)
    versioned, unversioned = rest_routes(world, deliveries)
    webview = Webview(world)
    received = request_log(settings)
    timekeeper = Timekeeper(world, deliveries)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Router) -> AsyncIterator[None]:
        await deliveries.start()
        ticking = asyncio.create_task(timekeeper.run())
        ticking.add_done_callback(_report)
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await deliveries.stop()

    async def icon(_request: Request) -> Response:
        return Response(logo("2447c8", "sandbox"), media_type="image/png")

    async def console(_request: Request) -> Response:
        return FileResponse(
            _STATIC / "console.html", headers=PAGE_HEADERS | {"content-security-policy": _CONSOLE_POLICY}
        )

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise not_found("route")

    # A bare router, so that every refusal reaches the gate and none is answered on the way.
    app = Router(
        redirect_slashes=False,
        default=nothing,
        routes=[
            *_below("/sandbox", switch_routes(world, deliveries, faults, webview, received)),
            Route("/sandbox", console),
            Route("/assets/icon.png", icon),
            Route("/favicon.ico", icon),
            Mount("/assets", StaticFiles(directory=_STATIC)),
            *_below("/2.0", versioned, webview.api_routes()),
            *unversioned,
            *webview.routes(),
        ],
        lifespan=lifespan,
    )
    return Gate(app, world, faults, received, timekeeper.settle)


def _report(task: asyncio.Task[None]) -> None:
    # Without this, an error in the background would leave a sandbox that answers and never synchronises.
    if not task.cancelled() and (error := task.exception()) is not None:
        traceback.print_exception(error)
