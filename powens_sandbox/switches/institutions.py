"""The institutions, and the people whose accounts they hold."""

from powens_sandbox.banks.catalogue import Connector
from powens_sandbox.banks.institutions import OUTAGES
from powens_sandbox.banks.people import PERSONAS
from powens_sandbox.params import Call
from powens_sandbox.routing import Row
from powens_sandbox.switches.values import only
from powens_sandbox.views.formats import Json
from powens_sandbox.world.world import World


class InstitutionSwitches:
    """Connections notice a change at their next synchronisation."""

    def __init__(self, world: World) -> None:
        self.world = world

    def rows(self) -> list[Row]:
        return [
            ("GET", "/connectors", self.connectors),
            ("PATCH", "/connectors/{id}", self.connector_change),
            ("GET", "/personas", self.personas),
        ]

    def connectors(self, _call: Call) -> Json:
        return {
            "connectors": [self._show_connector(item) for item in self.world.institutions.all()],
            "outages": list(OUTAGES),
        }

    def _show_connector(self, item: Connector) -> Json:
        held = (*item.accounts, *item.later)
        return {
            "id": item.id,
            "uuid": item.uuid,
            "slug": item.slug,
            "name": item.name,
            "country": item.country,
            "capabilities": list(item.capabilities),
            "products": list(item.products),
            "hidden": bool(item.hidden),
            "restricted": item.restricted,
            "outage": self.world.institutions.outages.get(item.uuid),
            "sources": {source.name: list(source.account_types) for source in item.sources},
            "disabled_sources": [source.name for source in item.sources if source.disabled],
            "accounts": [spec.name for spec in held if item.shows(spec)],
            "not_shared": [spec.name for spec in held if not item.shows(spec)],
        }

    def connector_change(self, call: Call) -> Json:
        """By id, uuid or slug: `capabilities`, `products`, `hidden`, `restricted`, `sources` (by name `account_types`
        and `disabled`), `outage` (a state that ends by itself, or null). Connections notice at their next sync."""
        only(call.params, "capabilities", "products", "hidden", "restricted", "sources", "outage")
        connector = self.world.institutions.get(call.path("id"))
        return self._show_connector(self.world.change_connector(connector, call.params))

    def personas(self, _call: Call) -> Json:
        return {
            "personas": [
                {
                    "id": persona.id,
                    "description": persona.description,
                    "banks": {slug: [account.name for account in accounts] for slug, accounts in persona.banks.items()},
                }
                for persona in PERSONAS.values()
            ]
        }
