"""What people do: users on several devices, and what happens to them at Powens and at their banks.

Each action is a method; a user's actions run as tasks of their own, so that they overlap with everything else. A user
repeats a request that was not answered, under the same `Idempotency-Key` if she gave one, as our app does.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from shared.domain.connection import connection_id
from tests.simulation.banks import BANKS, WISHED
from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle import Oracle, Screen
from tests.simulation.powens import Real, same, uuid_of
from tests.simulation.world import Reply, World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.model import Account, Connection
from tests.worlds.triggers import api_event

USERS = ("alice", "bruno")
DEVICES = 2
STATES = ("SCARequired", "wrongpass", "websiteUnavailable", "actionNeeded", "bug", "somethingNew")
ATTEMPTS = 4
WAYS_BACK = ("after a refusal", "without its state", "with an empty error", "twice", "late")
"""Uncommon ways in which a browser comes back from Powens."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that is going to be done: when (seconds), what and by whom. `number` names its dice."""

    number: int
    at: float
    kind: str
    who: str


@dataclass
class Manual:
    """An account that a user keeps by hand. `names`: what it may be called; `dropped` None: nobody knows."""

    name: str
    dropped: bool | None = False
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.names = {self.name}


@dataclass(frozen=True, slots=True)
class Wish:
    """To hear when a bank (by its connector) gives a type. In microseconds, when it was sent and when it was there."""

    bank: str
    kind: str
    asked: int
    recorded: int


@dataclass(eq=False)
class User:
    """What a user remembers. `screens`: the last list that each device showed."""

    name: str
    screens: dict[int, dict[str, Any]] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, dict[int, set[bool]]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    manual: dict[str, Manual] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    wishes: dict[str, Wish] = field(default_factory=dict)
    erased_from: int | None = None


class People:
    def __init__(self, world: World, oracle: Oracle) -> None:
        self.world = world
        self.oracle = oracle
        self.users = {name: User(name) for name in USERS}
        self.powens_users: dict[str, list[int]] = {name: [] for name in USERS}
        self.done: dict[str, int] = {}
        self.problems: list[str] = []
        self.screens: list[Screen] = []
        self.last: dict[str, int] = {}
        """When a user last asked for something."""
        self.removed: dict[str, int] = {}

    def act(self, action: Action) -> None:
        """Begin an action, as a task."""
        method: Callable[[Action], None] = getattr(self, action.kind)
        self.done[action.kind] = self.done.get(action.kind, 0) + 1
        self.world.engine.start(f"{action.who}/{action.number}", lambda: method(action))

    def roll(self, action: Action, *names: object) -> float:
        return self.world.chance.roll("act", action.number, *names)

    def pick[T](self, action: Action, name: str, among: list[T]) -> T | None:
        return among[int(self.roll(action, name) * len(among))] if among else None

    def tell(self, action: Action, text: str) -> None:
        self.world.engine.tell(f"{action.who}: {text}")

    # --- requests

    def ask(
        self, action: Action, method: str, path: str, body: object = None, *, query: str = "", **headers: str
    ) -> tuple[Reply | None, bool]:
        """The answer, and whether it may have been carried out besides without being answered."""
        key = headers.get("idempotency_key")
        doubt = False
        if key is not None:
            self.oracle.keyed.add(f"request-{action.number}")
        for attempt in range(ATTEMPTS):
            user = None if path == "/v1/webview-return" else action.who
            event = api_event(method, path, body, user=user, query=query, **headers)
            event["requestContext"]["requestId"] = f"request-{action.number}-{attempt}"
            reply = self.world.request(event, f"{action.who}/{action.number}/{method}")
            self.last[action.who] = self.world.engine.at
            if reply is not None and reply.status >= 400:
                self.problems.append(reply.body)
            if reply is not None and reply.status < 500:
                self._once(action, key, reply)
                return reply, doubt or (reply.doubled and key is None)
            if key is None and method != "GET":
                return reply, True
            doubt = True
            self.world.engine.wait(1 + 3 * attempt)
        return None, doubt

    def _once(self, action: Action, key: str | None, reply: Reply) -> None:
        """One key, one answer."""
        if key is None or reply.status >= 300:
            return
        known = self.users[action.who].keys.setdefault(key, reply.body)
        self.world.invariant(known == reply.body, f"the key {key} was answered in two ways")

    def look(self, action: Action) -> dict[str, Any] | None:
        """The list, as a device of the user shows it."""
        began = self.world.engine.at
        user = self.users[action.who]
        known = dict(user.revisions)
        removed = {c for c in self.removed if self.removed[c] < began}
        reply, _ = self.ask(action, "GET", "/v1/connections")
        if reply is None or reply.status != 200:
            return None
        listed: dict[str, Any] = reply.json
        for connection in listed["connections"]:
            name, revision = connection["id"], connection["revision"]
            self.world.invariant(
                revision >= known.get(name, 0),
                f"{action.who} sees revision {revision} of a connection after {known.get(name)}",
            )
            self.world.invariant(name not in removed, f"{action.who} sees a connection again that she had removed")
            user.revisions[name] = max(revision, user.revisions.get(name, 0))
        user.screens[self._device(action)] = listed
        return listed

    def _device(self, action: Action) -> int:
        return int(self.roll(action, "device") * DEVICES)

    def _screen(self, action: Action) -> dict[str, Any] | None:
        """What is on the device: often just loaded, sometimes old."""
        screen = self.users[action.who].screens.get(self._device(action))
        if screen is None or self.roll(action, "fresh") < 0.7:
            return self.look(action)
        return screen

    def _connection(self, action: Action) -> dict[str, Any] | None:
        screen = self._screen(action)
        return self.pick(action, "which", screen["connections"]) if screen else None

    def _key(self, action: Action) -> dict[str, str]:
        return {"idempotency_key": f"key-{action.number}"} if self.roll(action, "key") < 0.8 else {}

    # --- users

    def open_screen(self, action: Action) -> None:
        self.look(action)

    def select(self, action: Action) -> None:
        """Tick and untick on the screen, and confirm; most devices send the revision that they show."""
        connection = self._connection(action)
        if connection is None:
            return
        ticks = {a["id"]: a["enabled"] for a in connection["accounts"] if a["status"] != "closed_at_bank"}
        if not ticks:
            return
        changed = {name: not on for name, on in ticks.items() if self.roll(action, "tick", name) < 0.4}
        if not changed:
            name = next(iter(ticks))
            changed = {name: not ticks[name]}
        careful = self.roll(action, "if-match") < 0.7
        headers = self._key(action)
        if careful:
            headers["if_match"] = f'"{connection["revision"]}"'
        chosen = {**ticks, **changed}
        # Without If-Match the whole screen is what she wants; with it, what she changed.
        said = self._reals(changed if careful else chosen)
        reals = self.world.powens.reals
        for real in [
            reals[real_id] for real_id in said if connection_id(reals[real_id].connection) != connection["id"]
        ]:
            # It has moved: a list without its id says nothing about it in its old place.
            self.oracle.two_ways(real)
            del said[real.id]
        self.tell(action, f"wants {self._words(said)}{'' if careful else ', on an unguarded screen'}")
        body = {"enabled_account_ids": [name for name, on in chosen.items() if on]}
        others = [] if careful else self._unseen(connection["id"], set(ticks))
        for real in others:
            self.oracle.expected[real.id].ordered.add(False)
            self.oracle.expected[real.id].allowed = {True, False}
        self._choose(action, "PUT", f"/v1/connections/{connection['id']}/selection", body, said, headers)

    def _unseen(self, our_id: str, seen: set[str]) -> "list[Real]":
        powens = self.world.powens
        held = [real for real in powens.reals.values() if connection_id(real.connection) == our_id]
        known = {real.id for name in seen if (real := self.oracle.real(name)) is not None}
        return [real for real in held if real.id not in known]

    def patch(self, action: Action) -> None:
        """One switch of one account."""
        connection = self._connection(action)
        account = self.pick(action, "account", connection["accounts"]) if connection else None
        if account is None:
            return
        wanted = not account["enabled"] if self.roll(action, "flip") < 0.85 else account["enabled"]
        said = self._reals({account["id"]: wanted})
        self.tell(action, f"switches {self._words(said)}")
        self._choose(action, "PATCH", f"/v1/accounts/{account['id']}", {"enabled": wanted}, said, self._key(action))

    def undo(self, action: Action) -> None:
        user = self.users[action.who]
        operation = user.operations[-1] if user.operations else None
        if operation is None or operation["id"] not in user.before:
            return
        before = user.before[operation["id"]]
        said = {real_id: next(iter(values)) for real_id, values in before.items() if len(values) == 1}
        unclear = {real_id for real_id in before if real_id not in said}
        for real_id in unclear:
            self.oracle.expected[real_id].ordered |= {True, False}
            self.oracle.expected[real_id].allowed = {True, False}
        self.tell(action, f"undoes: back to {self._words(said)}")
        self._choose(action, "POST", f"/v1/operations/{operation['id']}/undo", None, said, self._key(action))

    def _choose(
        self, action: Action, method: str, path: str, body: object, said: dict[int, bool], headers: dict[str, str]
    ) -> None:
        before = {real_id: set(self.oracle.expected[real_id].allowed) for real_id in said}
        asked = self.oracle.ask(said)
        reply, doubt = self.ask(action, method, path, body, **headers)
        if reply is None or reply.status >= 500:
            self.tell(action, "does not know whether that went through")
            self.oracle.answered(asked, None)
        elif reply.status == 202:
            operation = reply.json
            self.tell(action, f"operation {operation['id'][-6:]} is recorded")
            user = self.users[action.who]
            user.operations.append(operation)
            reals = [self.oracle.real(a["account_id"]) for a in operation["accounts"]]
            user.before[operation["id"]] = {
                # The ledger may not have known what she did in the Webview: it then goes back to what it showed.
                real.id: {True, False}
                if real.id in asked.also
                else before.get(real.id, {True, False}) | ({not said[real.id]} if real.id in said else set())
                for real in reals
                if real is not None
            }
            # It may have failed, and said so, before this answer came through.
            failed = operation["id"] in self.oracle.ended and self.oracle.ended[operation["id"]].failed
            self.oracle.answered(
                asked, None if failed else True, [] if failed else [real.id for real in reals if real is not None]
            )
        else:
            self.tell(action, f"is refused: {json.loads(reply.body)['code']}")
            # A first attempt without an answer may have been the one that changed the revision.
            self.oracle.answered(asked, None if doubt and "idempotency_key" not in headers else False)

    def _reals(self, changed: dict[str, bool]) -> dict[int, bool]:
        said: dict[int, bool] = {}
        for name, on in changed.items():
            real = self.oracle.real(name)
            if real is not None and said.setdefault(real.id, on) is not on:
                self.oracle.two_ways(real)  # shown under its old and its new id
        return said

    def _words(self, said: dict[int, bool]) -> str:
        reals = self.world.powens.reals
        return ", ".join(
            f"{reals[real_id].name} of {reals[real_id].connection} {'on' if on else 'off'}"
            for real_id, on in said.items()
        )

    def rename(self, action: Action) -> None:
        connection = self._connection(action)
        account = self.pick(action, "account", connection["accounts"]) if connection else None
        if account is not None:
            name = f"Renamed {action.number}"
            self.tell(action, "renames an account")
            real = self.oracle.real(account["id"])
            reply, doubt = self.ask(
                action, "PATCH", f"/v1/accounts/{account['id']}", {"name": name}, **self._key(action)
            )
            if real is not None and (reply is None or reply.status == 200 or reply.status >= 500 or doubt):
                certain = reply is not None and reply.status == 200 and not doubt
                self.oracle.renamed(real, name, certain=certain)

    def refresh(self, action: Action) -> None:
        connection = self._connection(action)
        if connection is not None:
            self.tell(action, "asks for a refresh")
            self._begin(action, "POST", f"/v1/connections/{connection['id']}/refresh", None)

    def end(self, action: Action) -> None:
        """Delete a connection."""
        connection = self._connection(action)
        if connection is not None:
            self.tell(action, f"ends the connection to {connection['institution']['name']}")
            body = {"confirm": connection["institution"]["name"]}
            self._begin(action, "DELETE", f"/v1/connections/{connection['id']}", body)

    def _begin(self, action: Action, method: str, path: str, body: object) -> None:
        reply, _ = self.ask(action, method, path, body, **self._key(action))
        if reply is not None and reply.status == 202:
            self.users[action.who].operations.append(reply.json)

    def history(self, action: Action) -> None:
        self.ask(action, "GET", "/v1/history")

    def operation(self, action: Action) -> None:
        user = self.users[action.who]
        operation = self.pick(action, "operation", user.operations)
        if operation is not None:
            self.ask(action, "GET", f"/v1/operations/{operation['id']}")

    # --- open screens

    def watch(self, action: Action) -> None:
        """A screen stays open, is told of changes, and asks what they are; now and then it opens another socket."""
        world = self.world
        leaves = world.engine.at + round(4 * 3600 * self.roll(action, "leaves") * MICROSECONDS)
        token_until = world.engine.at + round((600 + 7200 * self.roll(action, "token")) * MICROSECONDS)
        socket_id = f"socket-{action.number}-{world.engine.at}"
        screen = Screen(socket_id, action.who, world.engine.at, token_until)

        def hear(message: str | None) -> None:
            if message is None:
                screen.closed_at = world.engine.at
                return
            self.oracle.heard(screen, json.loads(message))
            world.engine.start(f"{action.who}/{action.number}/told", lambda: self.told(action, json.loads(message)))

        if not world.open_socket(socket_id, action.who, token_until, hear):
            return
        screen.opened_at = world.engine.at
        self.screens.append(screen)
        self.tell(action, "opens a screen")
        # API Gateway closes a socket after two hours, whatever its token says.
        ends = min(leaves, screen.opened_at + 7200 * MICROSECONDS)
        world.engine.wait((ends - world.engine.at) / MICROSECONDS)
        if screen.closed_at is None:
            screen.closed_at = world.engine.at
            world.close_socket(socket_id)

    def told(self, action: Action, message: dict[str, Any]) -> None:
        """Read-your-writes: what a screen is told of is in the list that it asks for next."""
        listed = self.look(action)
        for connection in listed["connections"] if listed else []:
            if connection["id"] == message["connection_id"]:
                self.world.invariant(
                    connection["revision"] >= message["revision"],
                    f"{action.who} is told of revision {message['revision']} and shown {connection['revision']}",
                )

    # --- accounts by hand, wishes, and the end

    def add_manual(self, action: Action) -> None:
        body = {"name": f"By hand {action.number}", "type": "savings", "currency": "EUR", "balance": "1523.07"}
        self.tell(action, "adds an account by hand")
        reply, doubt = self.ask(action, "POST", "/v1/accounts", body, **self._key(action))
        user = self.users[action.who]
        if reply is not None and reply.status == 201:
            user.manual[reply.json["id"]] = Manual(body["name"])
        if reply is None or reply.status >= 500 or doubt:
            user.unclear.add(body["name"])

    def _manual(self, action: Action) -> tuple[str, "Manual"] | None:
        kept = self.users[action.who].manual
        return self.pick(action, "manual", list(kept.items()))

    def change_manual(self, action: Action) -> None:
        """A name, or a join with a synchronised account."""
        found = self._manual(action)
        if found is None:
            return
        manual_id, manual = found
        if self.roll(action, "what") < 0.5:
            name = f"Renamed by hand {action.number}"
            body = {"name": name}
            reply, doubt = self.ask(action, "PATCH", f"/v1/accounts/{manual_id}", body, **self._key(action))
            sure = reply is not None and reply.status == 200 and not doubt
            manual.names = {name} if sure else {*manual.names, name}
            return
        connection = self._connection(action)
        account = self.pick(action, "account", connection["accounts"]) if connection else None
        if account is not None:
            self.tell(action, "joins an account by hand with a synchronised one")
            body = {"account_id": account["id"]}
            self.ask(action, "PUT", f"/v1/accounts/{manual_id}/link", body, **self._key(action))

    def drop_manual(self, action: Action) -> None:
        found = self._manual(action)
        if found is None:
            return
        manual_id, manual = found
        self.tell(action, "drops an account kept by hand")
        manual.dropped = None  # on its way
        reply, _ = self.ask(action, "DELETE", f"/v1/accounts/{manual_id}", **self._key(action))
        if reply is not None and reply.status == 204:
            manual.dropped = True

    def wish(self, action: Action) -> None:
        bank = uuid_of(int(self.roll(action, "bank") * len(BANKS)))
        kind = [*WISHED][int(self.roll(action, "kind") * len(WISHED))]
        asked = self.world.engine.at
        self.tell(action, f"wishes for {WISHED[kind]} at {bank[-1]}")
        body = {"institution_id": bank, "type": WISHED[kind]}
        reply, doubt = self.ask(action, "POST", "/v1/wishes", body, **self._key(action))
        if reply is not None and reply.status == 201 and not doubt:
            wish = Wish(bank, kind, asked, self.world.engine.at)
            self.users[action.who].wishes[reply.json["id"]] = wish

    def dismiss(self, action: Action) -> None:
        """Of what she wished for, she wants to hear no more."""
        wishes = self.users[action.who].wishes
        wish_id = self.pick(action, "wish", [*wishes])
        if wish_id is not None:
            self.tell(action, "dismisses a wish")
            wishes.pop(wish_id)
            self.ask(action, "DELETE", f"/v1/wishes/{wish_id}", **self._key(action))

    def give_more(self, action: Action) -> None:
        """Powens begins to handle savings and investments at a bank; the catalogue shows it within the hour."""
        bank = uuid_of(int(self.roll(action, "bank") * len(BANKS)))
        powens = self.world.powens
        if bank not in powens.news:
            self.tell(action, f"Powens begins to give savings at {bank[-1]}")
            powens.connectors[bank].give_savings()
            powens.news[bank] = self.world.engine.at
            self.world.engine.after(3600 * self.roll(action, "hour"), self.world.renew_catalogue)

    def export(self, action: Action) -> None:
        self.ask(action, "GET", "/v1/me/export")

    def erase(self, action: Action) -> None:
        """Everything about the user ends; afterwards she may begin anew."""
        self.tell(action, "wants everything about her erased")
        user = self.users[action.who]
        reply, _ = self.ask(action, "DELETE", "/v1/me", **self._key(action))
        if reply is not None and reply.status == 202:
            user.erased_from = self.world.engine.at
        user.wishes.clear()
        for manual in user.manual.values():
            manual.dropped = True if reply is not None and reply.status == 202 else None

    # --- the Webview

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

    def _return(self, action: Action, state: str, connections: list[int], query: str = "") -> None:
        """Back to our app; some never come."""
        if self.roll(action, "return") < 0.2:
            self.tell(action, "leaves the Webview without coming back")
            return
        how = self.pick(action, "way back", [*WAYS_BACK, *["once"] * 6])
        self.world.powens.drawn[f"return {how}"] += 1
        known = f"state={state}"
        match how:
            case "after a refusal":
                self._come_back(action, f"{known}&error=access_denied", connections)
            case "without its state":
                self._come_back(action, query.removeprefix("&"), [])
                return
            case "with an empty error":
                query += "&error=&error_description="
            case "twice":
                self._come_back(action, known + query, connections)
            case "late":
                self.world.engine.wait(2400)
                self._come_back(action, known + query, [])
                return
        self._come_back(action, known + query, connections)

    def _come_back(self, action: Action, query: str, connections: list[int]) -> None:
        """A browser comes from Powens: its user always lands in the app, and a visit that is known is a hint."""
        world = self.world
        emitted = world.engine.at
        reply, _ = self.ask(action, "GET", "/v1/webview-return", query=query)
        if reply is None or reply.status >= 500:
            return
        world.invariant(reply.status == 303, f"who comes back from Powens is shown a {reply.status}")
        noted = "result=" in reply.location  # without, it says that it was not
        erased = any(user in world.powens.erasing for user in self.powens_users[action.who])
        undisturbed = not erased and not any(at >= emitted for at in world.chance.times)
        world.invariant(noted or not undisturbed or not connections, "a return from Powens is thrown away")
        for powens_id in connections if noted else []:
            world.hinted[powens_id] = max(world.hinted.get(powens_id, 0), emitted)

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
        self.world.powens.emit("connection-synced", made)
        for account in made.accounts.values():
            self.world.powens.emit("account-found", made, account)
        self._return(action, state, [made.id], f"&connection_id={made.id}")

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

    # --- Powens and the banks

    def _some(self, action: Action) -> Connection | None:
        mine = [c for c in self.world.powens.connections.values() if c.user in self.powens_users[action.who]]
        return self.pick(action, "which", mine)

    def sync(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            self.tell(action, f"connection {connection.id} is synchronised by Powens")
            self.world.powens.synchronise(connection)

    def renumber(self, action: Action) -> None:
        connection = self._some(action)
        if connection is None:
            return
        powens = self.world.powens
        living = [a for a in connection.accounts.values() if not a.deleted]
        listed = "vanishing id" not in powens.kinds or self.roll(action, "listed") < 0.5
        for account in living:
            if self.roll(action, "all") < 0.4 or account is self.pick(action, "account", living):
                real = powens.real_of[account.id]
                self.tell(action, f"Powens makes {real.name} of connection {connection.id} anew, under another id")
                self.oracle.unread([real])
                made = powens.renumber(connection, account, listed=listed)
                powens.drawn["vanishing id"] += not listed
                if powens.real_of[made.id] is not real:
                    self.oracle.know(powens.real_of[made.id], action.who, enabled=False)
                self.oracle.recreated(real)

    def open_account(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None and len(connection.accounts) < 12:
            account = self.world.powens.open_account(connection)
            real = self.world.powens.real_of[account.id]
            self.oracle.know(real, action.who, enabled=False)
            self.tell(action, f"the bank shows {real.name} of connection {connection.id}")

    def close_account(self, action: Action) -> None:
        connection = self._some(action)
        account = self.pick(action, "account", list(connection.accounts.values())) if connection else None
        if connection is None or account is None:
            return
        real = self.world.powens.real_of[account.id]
        if real.ids[-1] != account.id:
            return
        closed = not account.deleted
        self.tell(action, f"the bank {'closes' if closed else 'shows again'} {real.name} of {connection.id}")
        self.oracle.unread([real])
        self.oracle.returned.add(real.id)
        self.world.powens.close_account(connection, account, closed)

    def state(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            connection.state = None if connection.state else self.pick(action, "state", list(STATES))
            self.tell(action, f"connection {connection.id} is in state {connection.state}")
            self.world.powens.disturb("state", connection.id)
            self.world.powens.touch(connection, "connection-synced")

    def consent(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            hours = 48 * self.roll(action, "hours")
            self.world.powens.expiries[connection.id] = self.world.engine.now + timedelta(hours=hours)
            self.tell(action, f"the consent of connection {connection.id} ends in {hours:.0f} hours")
            self.world.powens.disturb("consent", connection.id)
            self.world.powens.touch(connection, "connection-synced")

    # --- what banks and Powens do besides

    def _account(self, action: Action) -> tuple[Connection, Account] | None:
        """Some account that the bank shows."""
        connection = self._some(action)
        living = [a for a in connection.accounts.values() if not a.deleted] if connection else []
        account = self.pick(action, "account", living)
        return None if connection is None or account is None else (connection, account)

    def connect_again(self, action: Action) -> None:
        """A bank whose connection has died in one of many ways is connected anew, beside the old one."""
        old = self._some(action)
        if old is None:
            return
        powens = self.world.powens
        match self.pick(action, "how", ["frozen", "inactive", "wrongpass", "consent", "alive"]):
            case "frozen":
                powens.frozen.add(old.id)
            case "inactive":
                old.active = False
            case "wrongpass":
                old.state = "wrongpass"
            case "consent":
                powens.expiries[old.id] = self.world.engine.now
            case how:
                assert how == "alive"
        powens.disturb("state", old.id)
        powens.touch(old, "connection-synced")
        self.world.engine.wait(3600 * self.roll(action, "later"))
        state = self._open(action, "connect")
        if state is None:
            return
        self.world.engine.wait(20 + 60 * self.roll(action, "thinks"))
        user = self.powens_users[action.who][-1]
        if user in powens.users and user == old.user:
            self.tell(action, f"connects the bank of connection {old.id} again")
            self._connect(action, state, user, BANKS.index(old.bank))

    def move(self, action: Action) -> None:
        """An account shows through another connection of its owner from now on."""
        found = self._account(action)
        if found is None:
            return
        source, account = found
        powens = self.world.powens
        real = powens.real_of[account.id]
        others = [
            other
            for other in powens.connections.values()
            if other.user == source.user
            and other is not source
            and real.ids[-1] == account.id
            and not real.shared
            and not any(same(real, powens.real_of[name]) for name in other.accounts)
        ]
        target = self.pick(action, "target", others)
        if target is not None:
            self.tell(action, f"{real.name} of connection {source.id} shows through connection {target.id}")
            self.oracle.unread([real])
            if self.oracle.doubled(real) or not self.oracle.caught_up(real):
                self.oracle.good.discard(real.id)  # what was known of it is under an id that nothing brings along
            powens.move(source, target, account)

    def account_error(self, action: Action) -> None:
        found = self._account(action)
        if found is not None:
            connection, account = found
            word = None if account.error else self.pick(action, "word", ["websiteUnavailable", "bug", "somethingNew"])
            name = self.world.powens.real_of[account.id].name
            self.tell(action, f"{name} of connection {connection.id} {'fails with ' + word if word else 'recovers'}")
            self.world.powens.fail_account(connection, account, word)

    def odd_field(self, action: Action) -> None:
        found = self._account(action)
        if found is not None:
            connection, account = found
            whole = self.roll(action, "which") < 0.3
            said = self.world.powens.spoil(connection, None if whole else account, "act", action.number)
            self.tell(action, f"from now on, of {'connection' if whole else account.id} of {connection.id}, {said}")

    def unreadable(self, action: Action) -> None:
        """The selection of an account, or its id, cannot be read until further notice."""
        found = self._account(action)
        if found is None:
            return
        connection, account = found
        powens = self.world.powens
        real = powens.real_of[account.id]
        self.oracle.blurred(real)
        if account.id in powens.unreadable or account.id in powens.nameless:
            self.tell(action, f"{real.name} of connection {connection.id} can be read again")
            powens.clear(account.id)
            return
        whole = self.roll(action, "whole") < 0.4
        self.tell(action, f"{'the id' if whole else 'the choice'} of {real.name} of {connection.id} cannot be read")
        powens.blur(connection, account, "act", action.number, whole=whole)

    def forbid(self, action: Action) -> None:
        for user in self.powens_users[action.who]:
            seconds = 60 + 900 * self.roll(action, "seconds")
            self.tell(action, f"Powens forbids updates of her accounts for {seconds:.0f} s")
            self.world.powens.forbidden[user] = self.world.aws.seconds() + seconds
            for passed in range(0, int(seconds), 300):
                self.world.engine.after(passed, lambda: self.world.powens.disturb("forbidden"))
            self.world.engine.after(seconds, lambda: self.world.powens.disturb("allowed again"))

    def user_gone(self, action: Action) -> None:
        """Powens' support deletes the user, and tells nobody."""
        for user in self.powens_users[action.who]:
            if user in self.world.powens.users:
                self.tell(action, f"user {user} is deleted at Powens")
                self.world.powens.delete_user(user)

    def revoke(self, action: Action) -> None:
        for user in self.powens_users[action.who]:
            if user in self.world.powens.users:
                self.tell(action, "Powens revokes her tokens")
                self.world.powens.revoke_tokens(user)
                self.world.powens.disturb("tokens revoked")

    def lock(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            seconds = 20 + 300 * self.roll(action, "seconds")
            self.tell(action, f"Powens locks connection {connection.id} for {seconds:.0f} s")
            self.world.powens.locked[connection.id] = self.world.aws.seconds() + seconds
            self.world.powens.disturb("locked", connection.id)
            self.world.engine.after(seconds, lambda: self.world.powens.disturb("unlocked", connection.id))

    def outage(self, action: Action) -> None:
        seconds = 20 + 400 * self.roll(action, "seconds")
        self.tell(action, f"Powens is down for {seconds:.0f} s")
        self._outage(seconds)

    def long_outage(self, action: Action) -> None:
        """Longer than queues keep repeating: there are dead letters, which an operator sends back afterwards."""
        seconds = 3600 * (1 + 4 * self.roll(action, "hours"))
        self.tell(action, f"Powens is down for {seconds / 3600:.1f} hours")
        self.world.dead_letters_expected = True
        self._outage(seconds)

    def _outage(self, seconds: float) -> None:
        powens = self.world.powens
        powens.outage_until = max(powens.outage_until, self.world.aws.seconds() + seconds)

        def goes_on() -> None:
            powens.disturb("outage")
            if powens.outage_until > self.world.aws.seconds():
                self.world.engine.after(min(300, seconds), goes_on)

        goes_on()

    def stray(self, action: Action) -> None:
        """Somebody makes a user at Powens by hand, whom nobody here owns."""
        user = self.world.powens.add_stray()
        self.tell(action, f"user {user} is made at Powens by hand")

    def throttle(self, action: Action) -> None:
        seconds = 20 + 200 * self.roll(action, "seconds")
        self.tell(action, f"Powens throttles for {seconds:.0f} s")
        self.world.powens.throttled_until = self.world.aws.seconds() + seconds
        self.world.powens.disturb("throttled")
        self.world.engine.after(seconds, lambda: self.world.powens.disturb("throttling over"))

    def gone(self, action: Action) -> None:
        """Powens' support deletes a connection."""
        connection = self._some(action)
        if connection is not None:
            self.tell(action, f"connection {connection.id} is deleted at Powens")
            self.world.powens.remove(connection)

    def restart(self, action: Action) -> None:
        """All environments are replaced, as by a deployment."""
        self.tell(action, "a deployment replaces all processes")
        for idle in self.world.idle.values():
            idle.clear()
