"""Every door into the product, and how one gets to it: through API Gateway's checks, to the real handlers.

The HTTP routes are those of the resolver and of `template.yaml`, the routes of sockets those of the template.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from functions.accounts_api import app as accounts_api
from functions.accounts_api import routes as api_routes
from functions.live_updates import app as live_updates
from local import http_api
from local.http_api import Call, Request
from local.identity import AUDIENCE
from local.template import Api, Authorizer, Route
from tests.integration.world import Reply, World
from tests.live_wire import Wire
from tests.worlds.deployment import resources

PUBLIC = {"GET /health", "GET /v1/openapi.json", "GET /v1/webview-return"}
"""What anybody may call. All else of the HTTP API is behind a token."""
_COMMON = ("/v1/institutions", "/v1/incidents")


@dataclass(frozen=True)
class Asked:
    """One request: the address with real ids in it, and a body that is good for it."""

    path: str
    body: str = ""
    query: str = ""

    @property
    def text(self) -> str:
        return f"{self.path} {self.query} {self.body}"


@cache
def answered() -> tuple[str, ...]:
    """Each route that the API answers, as `METHOD /path/{parameter}`: of the resolver itself, described or not."""
    resolver = api_routes.app
    found = [*resolver._static_routes, *resolver._dynamic_routes]
    return tuple(sorted(f"{route.method} {route.path.replace('<', '{').replace('>', '}')}" for route in found))


def kind(route: str) -> str:
    """What a door is, by its address: `public`, `common` (the same for every user) or `personal`."""
    if route in PUBLIC:
        return "public"
    return "common" if route.partition(" ")[2].startswith(_COMMON) else "personal"


@cache
def gateway(issuer: str) -> Api:
    """The routes of the HTTP API as the template has them, and their authorizer."""
    routes = []
    for name, resource in resources().items():
        for event in resource["Properties"].get("Events", {}).values() if "Function" in resource["Type"] else ():
            if event["Type"] == "HttpApi":
                given = event["Properties"]
                public = given.get("Auth", {}).get("Authorizer") == "NONE"
                routes.append(Route(given["Method"], given["Path"], name, None if public else "Jwt"))
    return Api(tuple(routes), {"Jwt": Authorizer(issuer, (AUDIENCE,))})


def socket_routes() -> set[str]:
    """The route keys of the WebSocket API."""
    return {
        resource["Properties"]["RouteKey"]
        for resource in resources().values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    }


def knock(world: World, wire: Wire, method: str, asked: Asked, authorization: str | None) -> Reply:
    """A request with this `Authorization`, through the gateway's checks and, if they let it through, the function."""
    headers = [("content-type", "application/json"), ("host", "api.example.com")]
    if authorization is not None:
        headers.append(("authorization", authorization))
    request = Request(method, asked.path, asked.query, headers, asked.body.encode())

    def keys(issuer: str) -> Mapping[str, Any]:
        return wire.issuer.key_set if issuer == wire.url else {"keys": []}

    admitted = http_api.admit(gateway(wire.url), request, keys, domain="api.example.com", now=dt.datetime.now(dt.UTC))
    if isinstance(admitted, Call):
        assert admitted.function == "AccountsApiFunction", f"{method} {asked.path} is of {admitted.function}"
        admitted = http_api.response(world.invoke(accounts_api.lambda_handler, admitted.event))
    return Reply(admitted.status, dict(admitted.headers), admitted.body.decode(errors="replace"))


def open_socket(world: World, authorization: str | None, socket: str = "L0SM9cOFvHc=") -> int:
    """The status of a handshake with the token of this `Authorization` among its sub-protocols."""
    headers = {} if authorization is None else {"Sec-WebSocket-Protocol": _offered(authorization)}
    answer: dict[str, Any] = on_socket(world, "$connect", socket, headers)
    return int(answer["statusCode"])


def on_socket(world: World, route: str, socket: str, headers: Mapping[str, str] | None = None) -> Any:
    """What API Gateway says of a socket; what a screen sends says nothing of who it is."""
    context = {"routeKey": route, "connectionId": socket}
    return world.invoke(live_updates.lambda_handler, {"headers": dict(headers or {}), "requestContext": context})


def _offered(authorization: str) -> str:
    return f"synced-accounts, bearer.{authorization.removeprefix('Bearer ')}"
