"""What the owner in the authorisation matrix has, and for each route a request of the owner's that is good."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.domain.connection import connection_id
from tests.ibans import iban
from tests.integration.doors import Asked
from tests.integration.world import Reply, World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.model import Connection

BANK = "338178e6-3d01-564f-9a7b-{:012d}"
VISIT = {"flow": "connect", "return_to": f"{ORIGIN}/accounts"}


@dataclass
class Belongings:
    """Ids of everything that a user has, by a name for it; `codes` are what only a browser of theirs was given."""

    user: str
    ids: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    iban_end: str = "0000"
    bank: str = BANK.format(1)

    def names_any(self, text: str) -> bool:
        return any(value in text for value in (*self.ids.values(), *self.codes.values()))


def belongings(world: World, user: str, *, first: int) -> Belongings:
    """Makes them: connections with Powens ids from `first`, and one of everything that a route can be about."""
    has = Belongings(user, bank=BANK.format(first))
    kept = world.connect(first, first + 1, user=user, connection_id=first)
    ended = world.connect(first + 2, user=user, connection_id=first + 1)
    has.ids |= {"connection": connection_id(kept.id), "ended": connection_id(ended.id)}
    for number, name in enumerate(("unknown", "denied", "returned"), start=2):
        made, returned = _visited(world, user, first + number, comes_back=name == "returned")
        has.ids[name] = connection_id(made.id)
        if name == "unknown":
            has.iban_end = iban(1000 + made.id)[-4:]
        if name == "returned":
            has.codes["return"] = dict(parse_qsl(urlsplit(returned.headers["location"]).query))["return_code"]
    shown = _said(world.api("GET", f"/v1/connections/{has.ids['connection']}", user=user))
    has.ids["account"], has.ids["other account"] = (account["id"] for account in shown["accounts"])
    for name in ("manual", "joined", "joining", "deleted", "suggested"):
        body = {"name": name, "type": "checking", "currency": "EUR", "balance": "1"}
        has.ids[name] = _said(world.api("POST", "/v1/accounts", body, user=user))["id"]
    link = {"account_id": has.ids["account"]}
    _said(world.api("PUT", f"/v1/accounts/{has.ids['joined']}/link", link, user=user))
    wished = {"institution_id": has.bank, "type": "savings"}
    has.ids["wish"] = _said(world.api("POST", "/v1/wishes", wished, user=user))["id"]
    selected = {"enabled_account_ids": [has.ids["account"]]}
    chosen = world.api("PUT", f"/v1/connections/{has.ids['connection']}/selection", selected, user=user)
    has.ids["operation"] = _said(chosen)["id"]
    world.settle()
    return has


def _visited(world: World, user: str, number: int, *, comes_back: bool) -> tuple[Connection, Reply]:
    """A bank that was connected in a visit, and that nobody has confirmed."""
    opened = world.open_webview(user)
    powens_user = world.powens_user(user)
    assert powens_user is not None
    made = world.powens.add_connection(powens_user, "Banque du Test", connection_id=number, uuid=BANK.format(number))
    world.powens.add_account(made, 1000 + number)
    returned = world.come_back(opened, f"&connection_id={number}" if comes_back else "")
    world.settle()
    return made, returned


def _said(reply: Reply) -> Any:
    assert reply.status in (200, 201, 202), reply.body
    return reply.json


def _asked(path: str, body: object = None, query: str = "") -> Asked:
    return Asked(path, "" if body is None else json.dumps(body), query)


def _connection(has: Belongings, name: str = "connection") -> str:
    return f"/v1/connections/{has.ids[name]}"


def _account(has: Belongings, name: str) -> str:
    return f"/v1/accounts/{has.ids[name]}"


GOOD: Mapping[str, Callable[[Belongings], Asked]] = {
    "GET /health": lambda _: _asked("/health"),
    "GET /v1/openapi.json": lambda _: _asked("/v1/openapi.json"),
    "GET /v1/webview-return": lambda _: _asked("/v1/webview-return", query="state=nobodys"),
    "GET /v1/institutions": lambda _: _asked("/v1/institutions"),
    "GET /v1/institutions/{institution_id}/logo": lambda _: _asked(f"/v1/institutions/{BANK.format(1)}/logo"),
    "GET /v1/incidents": lambda _: _asked("/v1/incidents"),
    "GET /v1/connections": lambda _: _asked("/v1/connections"),
    "GET /v1/connections/{connection_id}": lambda has: _asked(_connection(has)),
    "GET /v1/connections/{connection_id}/missing-accounts": lambda has: _asked(f"{_connection(has)}/missing-accounts"),
    "GET /v1/connections/{connection_id}/diagnoses": lambda has: _asked(f"{_connection(has)}/diagnoses"),
    "GET /v1/connections/{connection_id}/diagnoses/{type}": lambda has: _asked(f"{_connection(has)}/diagnoses/loan"),
    "GET /v1/accounts/{account_id}": lambda has: _asked(_account(has, "account")),
    "GET /v1/accounts/{account_id}/balances": lambda has: _asked(f"{_account(has, 'manual')}/balances"),
    "GET /v1/operations/{operation_id}": lambda has: _asked(f"/v1/operations/{has.ids['operation']}"),
    "GET /v1/history": lambda has: _asked("/v1/history", query=f"connection_id={has.ids['connection']}"),
    "GET /v1/me/export": lambda _: _asked("/v1/me/export"),
    "POST /v1/operations/{operation_id}/undo": lambda has: _asked(f"/v1/operations/{has.ids['operation']}/undo"),
    "PUT /v1/connections/{connection_id}/selection": lambda has: _asked(
        f"{_connection(has)}/selection", {"enabled_account_ids": [has.ids["account"], has.ids["other account"]]}
    ),
    "POST /v1/connections/{connection_id}/selection/preview": lambda has: _asked(
        f"{_connection(has)}/selection/preview", {"enabled_account_ids": [has.ids["account"]]}
    ),
    "PUT /v1/accounts/{account_id}/enabled": lambda has: _asked(
        f"{_account(has, 'account')}/enabled", {"enabled": True}
    ),
    "POST /v1/connections/{connection_id}/refresh": lambda has: _asked(f"{_connection(has)}/refresh"),
    "POST /v1/connections/{connection_id}/confirmation": lambda has: _asked(
        f"{_connection(has, 'unknown')}/confirmation", {"iban_last4": has.iban_end}
    ),
    "DELETE /v1/connections/{connection_id}/confirmation": lambda has: _asked(
        f"{_connection(has, 'denied')}/confirmation"
    ),
    "POST /v1/webview-confirmations": lambda has: _asked(
        "/v1/webview-confirmations", {"return_code": has.codes["return"]}
    ),
    "POST /v1/webview-sessions": lambda has: _asked(
        "/v1/webview-sessions", VISIT | {"flow": "manage", "connection_id": has.ids["connection"]}
    ),
    "POST /v1/accounts": lambda _: _asked(
        "/v1/accounts", {"name": "Livret", "type": "savings", "currency": "EUR", "balance": "1"}
    ),
    "PATCH /v1/accounts/{account_id}": lambda has: _asked(_account(has, "manual"), {"name": "Livret"}),
    "PUT /v1/accounts/{account_id}/link": lambda has: _asked(
        f"{_account(has, 'joining')}/link", {"account_id": has.ids["other account"]}
    ),
    "DELETE /v1/accounts/{account_id}/link": lambda has: _asked(f"{_account(has, 'joined')}/link"),
    "DELETE /v1/accounts/{account_id}/link-suggestions/{suggested_id}": lambda has: _asked(
        f"{_account(has, 'suggested')}/link-suggestions/{has.ids['account']}"
    ),
    "DELETE /v1/accounts/{account_id}": lambda has: _asked(_account(has, "deleted")),
    "POST /v1/wishes": lambda has: _asked("/v1/wishes", {"institution_id": has.bank, "type": "loan"}),
    "DELETE /v1/wishes/{wish_id}": lambda has: _asked(f"/v1/wishes/{has.ids['wish']}"),
    "DELETE /v1/connections/{connection_id}": lambda has: _asked(
        _connection(has, "ended"), {"confirm": "Banque du Test"}
    ),
    "DELETE /v1/me": lambda _: _asked("/v1/me"),
}
"""A request that its owner may make, for each route, in an order in which one leaves the next its things."""


CROSSED: Mapping[str, tuple[str, Callable[[Belongings, Belongings], Asked]]] = {
    "accounts of another chosen in an own connection": (
        "PUT",
        lambda own, other: _asked(f"{_connection(own)}/selection", {"enabled_account_ids": [other.ids["account"]]}),
    ),
    "an own account joined with one of another": (
        "PUT",
        lambda own, other: _asked(f"{_account(own, 'joining')}/link", {"account_id": other.ids["other account"]}),
    ),
    "an account of another dismissed as a suggestion": (
        "DELETE",
        lambda own, other: _asked(f"{_account(own, 'suggested')}/link-suggestions/{other.ids['account']}"),
    ),
    "a visit to a connection of another": (
        "POST",
        lambda own, other: _asked(
            "/v1/webview-sessions", VISIT | {"flow": "reconnect", "connection_id": other.ids["connection"]}
        ),
    ),
}
"""A method, and a request of one user that names something of another."""
