"""People of a test's own, who meet nobody else's accounts: made through the same doors as the demo users."""

from collections.abc import Callable
from typing import Any, Self
from uuid import uuid4

import httpx

from local.identity import Issuer
from local.paths import STATE
from local.seed import take_in
from tests.e2e.conftest import System
from tests.polling import eventually
from tests.worlds.events import STATE_EVENTS

ALL = {"Compte courant EUR": True, "Compte courant USD": True, "Compte courant GBP": True}
"""The accounts of the sandbox's Revolut, all ticked."""
EUR_ONLY = {"Compte courant EUR": True, "Compte courant USD": False, "Compte courant GBP": False}

type State = tuple[int, dict[str, tuple[bool, str, str]]]
"""A revision, and for each account id (enabled, type, currency)."""


class Person:
    """A signed-in user with one connection, seen through the public API, and through the sandbox as Powens' side."""

    def __init__(self, system: System, connector: str | None = "revolut") -> None:
        """Without a connector the person has been at Powens but has connected nothing."""
        self.system = system
        self.id = f"user-{uuid4().hex[:12]}"
        self.token, self.token_expires_at = Issuer(system.url, STATE / "issuer.pem").token(self.id)
        self.api = httpx.Client(base_url=system.url, headers={"authorization": f"Bearer {self.token}"}, timeout=30)
        self.powens = httpx.Client(base_url=system.sandbox_url, timeout=30)
        self.since = system.mark()
        self.webview("connect")
        self.powens_user: int = self.powens.get("/sandbox/users").json()["users"][0]["id"]
        if connector is not None:
            made = self.powens.post(
                "/sandbox/connections", json={"id_user": self.powens_user, "connector": connector, "enabled": "all"}
            )
            self.powens_connection: int = made.raise_for_status().json()["id"]
            self.take_in(self.powens_connection)
            eventually(lambda: self.connection["revision"] and self.at_rest(), seconds=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.powens.close()

    def webview(self, flow: str, **fields: str) -> str:
        """The address of the Powens space, opened for this person, who comes again when told to."""
        body = {"flow": flow, "return_to": f"{self.system.url}/", "language": "fr", **fields}

        def opened() -> httpx.Response | None:
            answer = self.api.post("/v1/webview-sessions", json=body)
            return None if answer.status_code == 503 and "retry-after" in answer.headers else answer

        return str(eventually(opened, seconds=30, every=0.5).raise_for_status().json()["url"])

    def take_in(self, powens_connection_id: int) -> None:
        """Come back to the app after this connection was made, and confirm it."""
        take_in(self.api, self.system.url, {}, powens_connection_id)

    def connections(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.api.get("/v1/connections").raise_for_status().json()["connections"]
        return shown

    @property
    def connection(self) -> dict[str, Any]:
        (connection,) = self.connections()
        return connection

    def account(self, name: str) -> dict[str, Any]:
        return next(a for a in self.connection["accounts"] if name in a["name"])

    def at_powens(self) -> dict[str, dict[str, Any]]:
        """The accounts as Powens has them, by name."""
        users = self.powens.get("/sandbox/users").json()["users"]
        user = next(u for u in users if u["id"] == self.powens_user)
        return {a["name"]: a for c in user["connections"] for a in c["accounts"] if not a["deleted"]}

    def flip(self, name: str, *, enabled: bool) -> None:
        """Tick or untick an account at Powens, as somebody in the Webview does."""
        account = next(a for label, a in self.at_powens().items() if name in label)
        self.powens.patch(f"/sandbox/accounts/{account['id']}", json={"disabled": not enabled}).raise_for_status()

    def select(self, *names: str, **headers: str) -> dict[str, Any]:
        """Confirm a selection of the accounts whose names contain one of `names`; the operation."""
        connection = self.connection
        ids = [a["id"] for a in connection["accounts"] if any(name in a["name"] for name in names)]
        answer = self.api.put(
            f"/v1/connections/{connection['id']}/selection", json={"enabled_account_ids": ids}, headers=headers
        )
        operation: dict[str, Any] = answer.raise_for_status().json()
        return operation

    def ended(self, operation: dict[str, Any], *, seconds: float = 30) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.api.get(f"/v1/operations/{operation['id']}").raise_for_status().json()
            return shown if shown["ended_at"] else None

        return eventually(look, seconds=seconds)

    def events(self, detail_type: str | None = None) -> list[dict[str, Any]]:
        """The details of this person's events."""
        return [
            event["detail"]
            for event in self.system.events(self.since)
            if event["detail"]["data"]["user_id"] == self.id and detail_type in (None, event["detail-type"])
        ]

    def shown(self) -> dict[str, bool]:
        return {account["name"]: account["enabled"] for account in self.connection["accounts"]}

    def agreed(self, wanted: dict[str, bool]) -> bool:
        """Whether our API and Powens show `wanted`, and nothing is under way."""
        at_powens = {name: account["enabled"] for name, account in self.at_powens().items()}
        return self.shown() == at_powens == wanted and self.at_rest()

    def at_rest(self) -> bool:
        return all(a["status"] in ("enabled", "disabled") for c in self.connections() for a in c["accounts"])

    def wait(self, check: Callable[[], bool], *, seconds: float = 20) -> None:
        eventually(check, seconds=seconds)


def folded(person: Person, connection_id: str) -> State:
    """What a consumer of the bus knows of a connection; its revision is -1 as long as one is missing in between."""
    details = {
        d["data"]["revision"]: d
        for kind in STATE_EVENTS
        for d in person.events(kind)
        if d["data"].get("connection_id") == connection_id
    }
    state = {}
    for _, detail in sorted(details.items()):
        for line in detail["data"]["accounts"]:
            state[line["account_id"]] = (line["enabled"], line["type"], line["currency"])
    gapless = sorted(details) == list(range(1, len(details) + 1))
    return len(details) if gapless else -1, state


def state_of(connection: dict[str, Any]) -> State:
    """The same of a connection as the API shows it."""
    return connection["revision"], {a["id"]: (a["enabled"], a["type"], a["currency"]) for a in connection["accounts"]}
