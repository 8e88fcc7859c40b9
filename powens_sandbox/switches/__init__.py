"""The switches under `/sandbox`: what Powens has no door for, as JSON. For tests and for people who show a fault."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Route

from powens_sandbox.errors import ApiError
from powens_sandbox.faults import Faults
from powens_sandbox.gate import Received
from powens_sandbox.logbook import Logbook
from powens_sandbox.routing import routes
from powens_sandbox.switches.accounts import AccountSwitches
from powens_sandbox.switches.connections import ConnectionSwitches
from powens_sandbox.switches.institutions import InstitutionSwitches
from powens_sandbox.switches.process import ProcessSwitches
from powens_sandbox.switches.traffic import TrafficSwitches
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.webview.entry import Webview
from powens_sandbox.world.world import World


def switch_routes(
    world: World, deliveries: Deliveries, faults: Faults, webview: Webview, request_log: Logbook[Received]
) -> list[Route]:
    """The routes below `/sandbox`."""
    groups = (
        ProcessSwitches(world, deliveries, faults, webview, request_log),
        InstitutionSwitches(world),
        ConnectionSwitches(world),
        AccountSwitches(world),
        TrafficSwitches(world, deliveries, faults, request_log),
    )
    return routes([row for group in groups for row in group.rows()], _refuse_other_sites)


def _refuse_other_sites(request: Request) -> None:
    """Raises ApiError 403 for a page of another site that would turn a switch."""
    origin = request.headers.get("origin")
    if request.method not in {"GET", "HEAD"} and origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise ApiError(403, "forbidden", "Pages of other sites may not turn the switches")
