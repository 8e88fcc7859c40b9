"""Visits of the Webview: users connect, tick and repair there, and come back in every way."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from shared.domain.connection import connection_id
from tests.simulation.banks import BANKS
from tests.simulation.people.devices import Devices
from tests.simulation.people.memory import USERS, Action
from tests.simulation.world.http_api import Reply
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.model import Account, Connection

WAYS_BACK = ("after a refusal", "without its state", "with an empty error", "twice", "late")
"""Uncommon ways in which a browser comes back from Powens."""


class Visits(Devices):
    def _open(self, action: Action, flow: str, our_id: str | None = None) -> str | None:
        """The `state` of an opened Webview."""
        body = {"flow": flow, "return_to": f"{ORIGIN}/accounts"} | ({"connection_id": our_id} if our_id else {})
        reply, _ = self.ask(action, "POST", "/v1/webview-sessions", body, **self._key(action))
        if reply is None or reply.status != 201:
            self.tell(action, "cannot open the Webview")
            return None
        query: dict[str, str] = dict(parse_qsl(reply.json["url"].partition("?")[2]))
        # The code opens Powens for the user whom it was made for.
        powens_user = int(query["code"].split("=")[1].split("-")[0])
        known = self.powens_users[action.who]
        if powens_user not in known:
            self.world.invariant(
                all(earlier in self.world.powens.deleted_users for earlier in known),
                f"{action.who} is two users at Powens: {[*known, powens_user]}",
            )
            known.append(powens_user)
        return query["state"]

    def _return(self, action: Action, state: str, connections: list[int], query: str = "") -> str | None:
        """Back to our app, with the return code if there is one; some never come."""
        if self.roll(action, "return") < 0.2:
            self.tell(action, "leaves the Webview without coming back")
            return None
        how = self.pick(action, "way back", [*WAYS_BACK, *["once"] * 6])
        self.world.powens.drawn[f"return {how}"] += 1
        known = f"state={state}"
        code = None
        match how:
            case "after a refusal":
                self._come_back(action, f"{known}&error=access_denied{query}", connections)
            case "without its state":
                return self._come_back(action, query.removeprefix("&"), [])
            case "with an empty error":
                query += "&error=&error_description="
            case "twice":
                code = self._come_back(action, known + query, connections)
            case "late":
                self.world.engine.wait(2400)
                return self._come_back(action, known + query, [])
        return self._come_back(action, known + query, connections) or code

    def _come_back(self, action: Action, query: str, connections: list[int]) -> str | None:
        """A browser comes from Powens: its user always lands in the app, and a visit that is known is a hint."""
        world = self.world
        emitted = world.engine.at
        reply, _ = self.ask(action, "GET", "/v1/webview-return", query=query)
        if reply is None or reply.status >= 500:
            return None
        world.invariant(reply.status == 303, f"who comes back from Powens is shown a {reply.status}")
        noted = "result=" in reply.location  # without, it says that it was not
        erased = any(user in world.powens.erasing for user in self.powens_users[action.who])
        undisturbed = not erased and not any(at >= emitted for at in world.chance.times)
        world.invariant(noted or not undisturbed or not connections, "a return from Powens is thrown away")
        for powens_id in connections if noted else []:
            world.hinted[powens_id] = max(world.hinted.get(powens_id, 0), emitted)
        code = dict(parse_qsl(reply.location.partition("?")[2])).get("return_code")
        world.invariant(code is None or "connection_id=" in query, "a return that names no connection gets a code")
        return code

    def connect(self, action: Action) -> None:
        """A bank is connected, with some of its accounts ticked."""
        state = self._open(action, "connect")
        if state is None:
            return
        self.world.engine.wait(20 + 60 * self.roll(action, "thinks"))
        user = self.powens_users[action.who][-1]
        if user not in self.world.powens.users:
            return
        self._connect(action, state, user, int(self.roll(action, "bank") * len(BANKS)))

    def _connect(self, action: Action, state: str, user: int, bank: int) -> None:
        made = self.world.powens.connect(user, bank, lambda nth: self.roll(action, "tick", nth) < 0.7 or nth == 0)
        for account in made.accounts.values():
            self.oracle.know(self.world.powens.real_of[account.id], action.who, enabled=not account.disabled)
        ticked = [self.world.powens.real_of[a.id].name for a in made.accounts.values() if not a.disabled]
        self.tell(action, f"connects {made.bank} as connection {made.id}, ticking {', '.join(ticked)}")
        if self.roll(action, "unheard") < 0.05:
            self.tell(action, f"leaves the Webview for good, and nobody is told of connection {made.id}")
            self.world.powens.drawn["made unheard"] += 1
            return
        self.world.powens.emit("connection-synced", made)
        for account in made.accounts.values():
            self.world.powens.emit("account-found", made, account)
        self._confirm(action, made, self._return(action, state, [made.id], f"&connection_id={made.id}"))

    def _confirm(self, action: Action, made: Connection, code: str | None) -> None:
        """Most say that it is theirs: with the code, or by an IBAN. Of some it was a stranger who followed the link."""
        dice = self.roll(action, "confirms")
        if dice < 0.06:
            self.tell(action, f"never confirms connection {made.id}")
            self.world.powens.drawn["never confirmed"] += 1
            return
        if dice < 0.14 and code is not None:
            self.tell(action, f"is not who made connection {made.id}: a stranger comes back from it")
            self.world.powens.drawn["confirmed by a stranger"] += 1
            stranger = next(name for name in USERS if name != action.who)
            reply = self._send_code(replace(action, who=stranger), code)
            self.world.invariant(reply is None or reply.status != 200, "a stranger confirms a connection")
            return
        self.confirmed.add(connection_id(made.id))
        reply = self._send_code(action, code) if code is not None else None
        if reply is None or reply.status != 200:
            self.world.powens.drawn["confirmed by an account"] += 1
            self._name_an_account(action, made)

    def _send_code(self, action: Action, code: str) -> Reply | None:
        """The last answer. The app asks again until the connection has been read."""
        reply = None
        for attempt in range(14):
            key = f"key-{action.number}-{action.who}-code-{attempt}"
            body = {"return_code": code}
            reply, _ = self.ask(action, "POST", "/v1/webview-confirmations", body, idempotency_key=key)
            if reply is not None and reply.status != 202:
                break
            self.world.engine.wait(1 + 4 * attempt)
        return reply

    def _name_an_account(self, action: Action, made: Connection) -> None:
        for attempt in range(6):
            self.world.engine.wait(20 + 60 * attempt)
            known = [account.iban for account in made.accounts.values() if account.iban]
            if not known:
                return
            body = {"iban_last4": known[0][-4:]}
            path = f"/v1/connections/{connection_id(made.id)}/confirmation"
            key = f"key-{action.number}-account-{attempt}"
            reply, _ = self.ask(action, "POST", path, body, idempotency_key=key)
            if reply is not None and reply.status in (200, 409, 422):
                return

    def manage(self, action: Action) -> None:
        """Tick and untick in the Webview."""
        connection = self._connection(action)
        there = self._at_powens(connection)
        if connection is None or there is None:
            return
        state = self._open(action, "manage", connection["id"])
        if state is None:
            return
        changed: list[int] = []
        for visit in range(1 + int(self.roll(action, "visits") * 3)):
            self.world.engine.wait(2 + 20 * self.roll(action, "thinks", visit))
            if there.id not in self.world.powens.connections:
                return
            living = [a for a in there.accounts.values() if not a.deleted]
            account = self.pick(action, f"account{visit}", living)
            if account is not None:
                self._flip(action, there, account)
                changed = [there.id]
        self._return(action, state, changed)

    def _flip(self, action: Action, connection: Connection, account: Account) -> None:
        real = self.world.powens.real_of[account.id]
        enabled = account.disabled
        self.tell(action, f"{'ticks' if enabled else 'unticks'} {self._words({real.id: enabled})} in the Webview")
        self.oracle.webview(real, enabled)
        self.world.powens.flip(connection, account, enabled)

    def _at_powens(self, connection: dict[str, Any] | None) -> Connection | None:
        if connection is None:
            return None
        powens = self.world.powens
        return next((c for c in powens.connections.values() if connection_id(c.id) == connection["id"]), None)

    def reconnect(self, action: Action) -> None:
        connection = self._connection(action)
        there = self._at_powens(connection)
        if connection is None or there is None:
            return
        state = self._open(action, "reconnect", connection["id"])
        if state is None:
            return
        self.world.engine.wait(30)
        if there.id in self.world.powens.connections:
            there.state, there.active = None, True
            self.world.powens.expiries.pop(there.id, None)
            self.world.powens.frozen.discard(there.id)
            self.tell(action, f"repairs connection {there.id}")
            self.world.powens.synchronise(there)
        self._return(action, state, [there.id])
