"""Open screens: their sockets, and the rule on the bus that tells them of changes."""

from collections.abc import Callable, Collection
from typing import Any

from functions.live_updates import app as live_updates
from tests.simulation.engine import Chance, Task
from tests.simulation.world.processes import Processes
from tests.worlds.deployment import resources


class Sockets(Processes):
    """Open screens, and the rule that tells them of changes."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        rule = resources()["LiveUpdatesFunction"]["Properties"]["Events"]["Changes"]["Properties"]
        self.told_of: frozenset[str] = frozenset(rule["Pattern"]["detail-type"])
        self.aws.on_event = self._tell_screens

    def _tell_screens(self, event: dict[str, Any]) -> None:
        """The rule on the bus invokes the function, whose invocation is repeated as the template says."""
        if event["detail-type"] not in self.told_of:
            return
        repeats = resources()["LiveUpdatesFunction"]["Properties"]["EventInvokeConfig"]["MaximumRetryAttempts"]

        def begin(attempt: int) -> None:
            def ended(task: Task) -> None:
                if (not task.finished or task.error is not None) and attempt < repeats:
                    self.engine.after(60, lambda: begin(attempt + 1))

            self.invoke("live_updates", event, event["detail-type"], ended)

        self.engine.after(self.chance.between(0.05, 0.6, "rule", self.engine.at), lambda: begin(0))

    def open_socket(self, socket_id: str, user: str, until: int, hear: Callable[[str | None], None]) -> bool:
        """From a user's task: a screen opens a socket with a token that is good until then; whether it is open."""
        token = f"{user}.{until}"
        event = {
            "requestContext": {"routeKey": "$connect", "connectionId": socket_id},
            "headers": {"Sec-WebSocket-Protocol": f"{live_updates.PROTOCOL}, bearer.{token}"},
        }
        task = self.invoke("live_updates", event, f"open/{socket_id}")
        self.engine.wait_for(task)
        opened = task.finished and task.error is None and task.result["statusCode"] == 200
        if opened:
            # Mobile networks: what happens meanwhile finds a socket that is stored and not open yet.
            slow = self.chance.roll("slow handshake", socket_id) < 0.2
            self.engine.wait(self.chance.between(0.01, 20 if slow else 0.8, "handshake", socket_id))
            self.aws.sockets[socket_id] = hear
        return opened

    def close_socket(self, socket_id: str) -> None:
        """A screen is left. API Gateway says so with its best effort."""
        self.aws.sockets.pop(socket_id, None)
        if self.chance.roll("best effort", socket_id) < 0.7:
            event = {"requestContext": {"routeKey": "$disconnect", "connectionId": socket_id}, "headers": {}}
            self.invoke("live_updates", event, f"close/{socket_id}")
