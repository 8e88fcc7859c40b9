"""What users look at, and what else they do with the connections that they see."""

import json
from typing import Any

from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle.memory import Screen
from tests.simulation.people.devices import Devices
from tests.simulation.people.memory import Action


class Screens(Devices):
    def open_screen(self, action: Action) -> None:
        self.look(action)

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
