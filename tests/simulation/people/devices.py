"""Users at their devices: they repeat a request that was not answered, and remember what each screen showed.

A request is repeated under the same `Idempotency-Key` if it had one, as our app does.
"""

from typing import Any

from tests.simulation.oracle.memory import Screen
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.memory import USERS, Action, User
from tests.simulation.world.http_api import Reply
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.triggers import api_event

DEVICES = 2
ATTEMPTS = 4


class Devices:
    """What all actions do: ask the API from a device, look at its screen, and throw the action's dice."""

    def __init__(self, world: SimulatedWorld, oracle: Oracle) -> None:
        self.world = world
        self.oracle = oracle
        self.users = {name: User(name) for name in USERS}
        self.powens_users: dict[str, list[int]] = {name: [] for name in USERS}
        self.problems: list[str] = []
        self.screens: list[Screen] = []
        self.last: dict[str, int] = {}
        """When a user last asked for something."""
        self.removed: dict[str, int] = {}
        self.confirmed: set[str] = set()
        """Our ids of the connections that their users have said to be theirs; it may not have gone through."""

    def roll(self, action: Action, *names: object) -> float:
        return self.world.chance.roll("act", action.number, *names)

    def pick[T](self, action: Action, name: str, among: list[T]) -> T | None:
        return among[int(self.roll(action, name) * len(among))] if among else None

    def tell(self, action: Action, text: str) -> None:
        self.world.engine.tell(f"{action.who}: {text}")

    def _words(self, said: dict[int, bool]) -> str:
        reals = self.world.powens.reals
        return ", ".join(
            f"{reals[real_id].name} of {reals[real_id].connection} {'on' if on else 'off'}"
            for real_id, on in said.items()
        )

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
            self.world.invariant(name in self.confirmed, f"{action.who} sees a connection that nobody has confirmed")
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
