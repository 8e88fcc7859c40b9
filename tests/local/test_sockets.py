"""The WebSocket API: who may open a socket, what its function hears, how messages get to it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from local.runtime_api import Answer
from local.sockets import MESSAGE_LIMIT, SocketApi
from tests.local.loops import run

ROUTES = {"$connect": "Live", "$disconnect": "Live"}


class Browser:
    """One socket, without a network: what the browser sends is put in, what it hears is read off."""

    def __init__(self, api: SocketApi, protocols: list[str]) -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []
        scope = {
            "type": "websocket",
            "path": "/live",
            "raw_path": b"/live",
            "query_string": b"",
            "headers": [(b"host", b"localhost:8080"), (b"sec-websocket-protocol", ", ".join(protocols).encode())],
            "subprotocols": protocols,
            "client": ("127.0.0.1", 5),
            "server": ("localhost", 8080),
            "scheme": "ws",
            "extensions": {"websocket.http.response": {}},
        }
        app = Starlette(routes=[WebSocketRoute("/live", api.serve)])
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.serving = asyncio.create_task(app(scope, self._incoming.get, self._hear))

    async def _hear(self, message: Any) -> None:
        self.heard.append(dict(message))

    def says(self, text: str) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def leaves(self, code: int = 1000) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": code})
        await self.serving

    async def hears(self, number: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            while len(self.heard) < number:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.005)
        return self.heard


class Live:
    """The function: keeps its events, answers the handshake as told."""

    def __init__(self, answer: Any = None, *, error: bool = False) -> None:
        self._answer = Answer(json.dumps(answer or {"statusCode": 200}).encode(), error=error)
        self.events: list[dict[str, Any]] = []

    async def __call__(self, _: str, event: bytes) -> Answer:
        self.events.append(json.loads(event))
        return self._answer


def play[T](work: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        return await work()

    return run(whole())


def test_a_socket_opens_with_the_functions_subprotocol_and_its_end_is_told() -> None:
    live = Live({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "synced-accounts"}})

    async def work() -> list[dict[str, Any]]:
        browser = Browser(SocketApi(ROUTES, live), ["synced-accounts", "bearer.token"])
        heard = await browser.hears(1)
        await browser.leaves(1001)
        return heard

    assert [(one["type"], one["subprotocol"]) for one in play(work)] == [("websocket.accept", "synced-accounts")]
    opened, closed = live.events
    assert opened["headers"]["sec-websocket-protocol"] == "synced-accounts, bearer.token"
    assert (opened["requestContext"]["routeKey"], closed["requestContext"]["routeKey"]) == ("$connect", "$disconnect")
    assert opened["requestContext"]["connectionId"] == closed["requestContext"]["connectionId"]
    assert closed["requestContext"]["disconnectStatusCode"] == 1001


@pytest.mark.parametrize(
    ("live", "status"),
    [
        (Live({"statusCode": 401}), 401),
        (Live(error=True), 502),
        (Live(["nonsense"]), 502),
        (Live({"statusCode": "x"}), 502),
    ],
)
def test_a_refused_handshake_opens_nothing(live: Live, status: int) -> None:
    async def work() -> list[dict[str, Any]]:
        browser = Browser(SocketApi(ROUTES, live), [])
        await browser.serving
        return browser.heard

    heard = play(work)
    assert (heard[0]["type"], heard[0]["status"]) == ("websocket.http.response.start", status)
    assert len(live.events) == 1


def test_a_function_writes_to_an_open_socket_and_learns_when_it_is_gone() -> None:
    live = Live()

    async def work() -> tuple[list[int], list[dict[str, Any]]]:
        api = SocketApi(ROUTES, live)
        browser = Browser(api, [])
        await browser.hears(1)
        name = live.events[0]["requestContext"]["connectionId"]
        statuses = [await api.post(name, b'{"type": "changed"}'), await api.post(name, b"x" * (MESSAGE_LIMIT + 1))]
        await browser.leaves()
        statuses += [await api.post(name, b"{}"), await api.close(name), await api.post("unknown", b"{}")]
        return statuses, browser.heard

    statuses, heard = play(work)
    assert statuses == [200, 413, 410, 410, 410]
    assert [one["text"] for one in heard if one["type"] == "websocket.send"] == ['{"type": "changed"}']


def test_a_message_that_no_route_takes_is_forbidden_and_default_takes_it() -> None:
    async def work(routes: dict[str, str], live: Live) -> list[dict[str, Any]]:
        browser = Browser(SocketApi(routes, live), [])
        await browser.hears(1)
        browser.says("hello")
        await asyncio.sleep(0.05)
        await browser.leaves()
        return browser.heard

    without, with_default = Live(), Live()
    heard = play(lambda: work(ROUTES, without))
    assert json.loads(heard[1]["text"])["message"] == "Forbidden"
    play(lambda: work({**ROUTES, "$default": "Live"}, with_default))
    assert [event.get("body") for event in with_default.events] == [None, "hello", None]


@pytest.mark.parametrize("limit", ["longest_seconds", "idle_seconds"])
def test_a_socket_does_not_stay_for_ever(limit: str) -> None:
    live = Live()

    async def work() -> list[dict[str, Any]]:
        longest, idle = (0.05, 60.0) if limit == "longest_seconds" else (60.0, 0.05)
        browser = Browser(SocketApi(ROUTES, live, longest_seconds=longest, idle_seconds=idle), [])
        await browser.serving
        return browser.heard

    assert [(one["type"], one.get("code")) for one in play(work)][1:] == [("websocket.close", 1001)]
    assert live.events[-1]["requestContext"]["disconnectStatusCode"] == 1001
