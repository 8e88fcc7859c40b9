"""The REST API under `/2.0`, a file for each resource."""

from starlette.routing import Route

from powens_sandbox.rest.accounts import Accounts
from powens_sandbox.rest.auth import Auth
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.connections import Connections
from powens_sandbox.rest.connectors import Connectors
from powens_sandbox.rest.console import Console
from powens_sandbox.rest.sources import Sources
from powens_sandbox.rest.transactions import Transactions
from powens_sandbox.rest.wealth import Wealth
from powens_sandbox.rest.webhooks import Webhooks
from powens_sandbox.routing import routes
from powens_sandbox.webhooks.deliveries import Deliveries
from powens_sandbox.world.world import World


def rest_routes(world: World, deliveries: Deliveries) -> tuple[list[Route], list[Route]]:
    """The routes below the version, and the few that also answer without it."""
    callers = Callers(world)
    accounts = Accounts(world, callers)
    connectors = Connectors(world, callers)
    webhooks = Webhooks(world, callers, deliveries)
    resources = (
        Auth(world, callers),
        Console(world, callers),
        connectors,
        Connections(world, callers),
        Sources(world, callers),
        accounts,
        Transactions(world, accounts),
        Wealth(world, callers, accounts),
        webhooks,
    )
    versioned = routes(row for resource in resources for row in resource.rows())
    return versioned, routes([*webhooks.provider_rows(), *connectors.logo_rows()])
