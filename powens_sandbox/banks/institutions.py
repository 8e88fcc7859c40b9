"""The institutions as they are at the moment: the catalogue, and what the operator changed in it since the start."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from powens_sandbox.banks.catalogue import (
    ACCOUNT_TYPES,
    DIRECTACCESS,
    LOGIN,
    OPENAPI,
    PASSWORD,
    AccountSpec,
    Connector,
    ConnectorSource,
)
from powens_sandbox.banks.connectors import CONNECTORS
from powens_sandbox.errors import invalid, not_found
from powens_sandbox.params import Params

# An outage ends by itself, so the states that a user has to end are none.
OUTAGES = ("websiteUnavailable", "bug", "rateLimiting", "validating")
_PRODUCTS = ("bank", "wealth", "bill", "pay")
_SOURCES: Mapping[str, str] = {OPENAPI: "webauth", DIRECTACCESS: "credentials", "fallback": "credentials"}


class Institutions:
    """One `Connector` object for each institution; a change puts another one in its place."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._by_uuid = {connector.uuid: connector for connector in CONNECTORS}
        # What every connection of an institution fails with, by uuid.
        self.outages: dict[str, str] = {}

    def all(self) -> list[Connector]:
        return list(self._by_uuid.values())

    def now(self, connector: Connector) -> Connector:
        """The institution behind an object that somebody kept."""
        return self._by_uuid[connector.uuid]

    def find(self, reference: object) -> Connector | None:
        """By id (number or digits), uuid or slug."""
        text = str(reference).strip()
        if (found := self._by_uuid.get(text.lower())) is not None:
            return found
        return next((item for item in self.all() if text in {str(item.id), item.slug}), None)

    def get(self, reference: object) -> Connector:
        """Raises ApiError 404."""
        connector = self.find(reference)
        if connector is None:
            raise not_found("connector")
        return connector

    def change(self, connector: Connector, params: Params, now: datetime) -> Connector:
        """`capabilities`, `products`, `hidden`, `restricted`; `sources`: by name `account_types` and `disabled`;
        `outage`: a state or null. Raises ApiError 400 and then changes nothing."""
        outage = params.optional_text("outage") if "outage" in params else self.outages.get(connector.uuid)
        if outage is not None and outage not in OUTAGES:
            raise invalid("outage", f"must be null or one of {', '.join(OUTAGES)}")
        changed = replace(
            connector,
            stable=outage is None,
            stability_update=connector.stability_update if connector.stable is (outage is None) else now,
            capabilities=_names(params, "capabilities") if "capabilities" in params else connector.capabilities,
            products=_names(params, "products", _PRODUCTS) if "products" in params else connector.products,
            hidden=params.boolean("hidden", bool(connector.hidden)),
            restricted=params.boolean("restricted", connector.restricted),
        )
        for name, wanted in _objects(params, "sources").items():
            changed = _with_source(changed, name, wanted, now)
        self._by_uuid[connector.uuid] = changed
        self.outages.pop(connector.uuid, None)
        if outage is not None:
            self.outages[connector.uuid] = outage
        return changed


def _names(params: Params, name: str, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    given = params[name]
    if not isinstance(given, list) or not all(
        isinstance(item, str) and (item in known if known else re.fullmatch(r"[a-z_]{1,30}", item)) for item in given
    ):
        raise invalid(name, f"must be a list of {', '.join(known) if known else 'names'}")
    return tuple(dict.fromkeys(given))


def _objects(params: Params, name: str) -> dict[str, Params]:
    given = params.get(name, {})
    if not isinstance(given, dict) or not all(isinstance(item, dict) for item in given.values()):
        raise invalid(name, "must be an object of objects")
    return {str(key): Params(item) for key, item in given.items()}


def _with_source(connector: Connector, name: str, wanted: Params, now: datetime) -> Connector:
    """The institution with that way in changed, or with one more. A type that it starts to share without holding an
    account of it gets one: everybody there has it from now on."""
    if name not in _SOURCES or set(wanted) - {"account_types", "disabled"}:
        raise invalid("sources", f"must have account_types or disabled by name, which is {', '.join(_SOURCES)}")
    source = connector.source(name)
    fields = connector.fields
    if source is None:
        priority = len(connector.sources)
        source = ConnectorSource(10_000 + 10 * connector.id + priority, name, _SOURCES[name], priority, ())
        if _SOURCES[name] == "credentials":
            fields = (*fields, *(replace(item, sources=(name,)) for item in (LOGIN, PASSWORD)))
    if "disabled" in wanted:
        source = replace(source, disabled=(source.disabled or now) if wanted.boolean("disabled") else None)
    later = connector.later
    if "account_types" in wanted:
        types = _names(wanted, "account_types", tuple(ACCOUNT_TYPES))
        withheld = tuple(kind for kind in dict.fromkeys(source.account_types + source.withheld) if kind not in types)
        source = replace(source, account_types=types, withheld=withheld)
        there = {spec.type for spec in (*connector.accounts, *later) if spec.source == name}
        later = (*later, *(_held(connector, kind, name) for kind in types if kind not in there))
    others = [item for item in connector.sources if item.name != name]
    sources = tuple(sorted((*others, source), key=lambda item: item.priority))
    return replace(connector, sources=sources, fields=fields, later=later)


def _held(connector: Connector, kind: str, source: str) -> AccountSpec:
    """An account of that type: the one that another way in withholds, or a usual one."""
    known = next((spec for spec in connector.later if spec.type == kind), None)
    spec = known or AccountSpec(kind, ACCOUNT_TYPES[kind][2], kind, Decimal("1000.00"))
    return replace(spec, key=f"{source}-{spec.key}", source=source)
