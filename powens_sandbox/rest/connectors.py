"""`/connectors` and reference data, which need no token but the operator's where something is changed."""

import re
from collections.abc import Sequence

from starlette.responses import Response

from powens_sandbox.banks.catalogue import ACCOUNT_TYPES, CURRENCIES, Connector
from powens_sandbox.errors import not_found
from powens_sandbox.params import Call, Params, parse_expand
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import MAX_LIMIT, page
from powens_sandbox.routing import Row, answer
from powens_sandbox.views.formats import account_type, currency
from powens_sandbox.views.logos import logo
from powens_sandbox.world.world import World

# As in former days, institutions also answer as banks and as providers.
_ALIASES = ("connectors", "banks", "providers")


class Connectors:
    """Institutions, their sources, fields and logos; types of accounts; currencies."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        rows: list[Row] = [("PATCH", "/connectors", self.connectors_update)]
        for alias in _ALIASES:
            rows += [
                ("GET", f"/{alias}", self.connectors_list),
                ("GET", f"/{alias}/{{id}}", self.connectors_read),
                ("PUT POST PATCH", f"/{alias}/{{id}}", self.connectors_update),
                ("GET", f"/{alias}/{{id}}/sources", self.connector_sources),
                ("GET", f"/{alias}/{{id}}/sources/{{s}}", self.connector_source),
                ("GET", f"/{alias}/{{id}}/fields", self.connector_fields),
            ]
        return [
            *rows,
            *self.logo_rows(),
            ("GET", "/account_types", self.types_list),
            ("GET", "/account_types/{id}", self.type_read),
            ("GET", "/currencies", self.currencies_list),
            ("GET", "/currencies/{id}", self.currency_read),
        ]

    def logo_rows(self) -> list[Row]:
        return [("GET", "/logos/{file}", self.logo)]

    def connectors_list(self, call: Call) -> Response:
        expand, _ = parse_expand(call.params.get("expand"))
        countries = {
            code.strip().upper() for code in str(call.params.get("country_codes") or "").split(",") if code.strip()
        }
        shown = [
            item
            for item in self.world.institutions.all()
            if not item.hidden and (not countries or item.country in countries)
        ]
        return page(
            call, self.world.settings, _alias(call), shown, lambda item: self.world.views.connector(item, expand)
        )

    def _named_connectors(self, call: Call) -> list[Connector]:
        """Those of a path such as `/connectors/40,revolut`. One that is not there makes it 404."""
        return [self.world.institutions.get(reference) for reference in call.path("id").split(",")[:MAX_LIMIT]]

    def _show_connectors(self, call: Call, found: Sequence[Connector]) -> Response:
        expand, _ = parse_expand(call.params.get("expand"))
        items = [self.world.views.connector(item, expand) for item in found]
        one = len(items) == 1 and "id" in call.request.path_params
        return answer(items[0] if one else {_alias(call): items, "total": len(items)})

    def connectors_read(self, call: Call) -> Response:
        return self._show_connectors(call, self._named_connectors(call))

    def connectors_update(self, call: Call) -> Response:
        """The operator hides institutions from lists and from the Webview, or shows them again: those of the path, or
        all."""
        self.callers.check_config(call)
        named = "id" in call.request.path_params
        found = self._named_connectors(call) if named else self.world.institutions.all()
        if "hidden" in call.params:
            hidden = Params({"hidden": call.params.boolean("hidden")})
            found = [self.world.change_connector(item, hidden) for item in found]
        return self._show_connectors(call, found)

    def connector_sources(self, call: Call) -> Response:
        connector = self.world.institutions.get(call.path("id"))
        return page(
            call,
            self.world.settings,
            "sources",
            connector.sources,
            lambda item: self.world.views.connector_source(connector, item),
        )

    def connector_source(self, call: Call) -> Response:
        connector = self.world.institutions.find(call.path("id"))
        wanted = call.path_id("s", "source")
        source = next((item for item in connector.sources if item.id == wanted), None) if connector else None
        if connector is None or source is None:
            raise not_found("source")
        return answer(self.world.views.connector_source(connector, source))

    def connector_fields(self, call: Call) -> Response:
        connector = self.world.institutions.get(call.path("id"))
        return page(call, self.world.settings, "fields", connector.fields, self.world.views.field)

    def logo(self, call: Call) -> Response:
        match = re.fullmatch(r"([0-9a-f-]{36})-thumbnail(@2x)?\.(png|webp)", call.path("file"))
        connector = self.world.institutions.find(match[1]) if match and match[3] == "png" else None
        if connector is None:
            raise not_found("logo")
        return Response(
            logo(connector.color, connector.name),
            media_type="image/png",
            headers={"cache-control": "public, max-age=86400"},
        )

    def types_list(self, call: Call) -> Response:
        return page(call, self.world.settings, "accounttypes", list(ACCOUNT_TYPES), account_type)

    def type_read(self, call: Call) -> Response:
        wanted = call.path("id")
        for name, (identifier, *_) in ACCOUNT_TYPES.items():
            if wanted in {name, str(identifier)}:
                return answer(account_type(name))
        raise not_found("account type")

    def currencies_list(self, call: Call) -> Response:
        return page(call, self.world.settings, "currencies", list(CURRENCIES), currency)

    def currency_read(self, call: Call) -> Response:
        if call.path("id") not in CURRENCIES:
            raise not_found("currency")
        return answer(currency(call.path("id")))


def _alias(call: Call) -> str:
    """The list's name is the path's own: connectors, or banks or providers as in former days."""
    return call.request.url.path.removeprefix("/2.0/").split("/")[0]
