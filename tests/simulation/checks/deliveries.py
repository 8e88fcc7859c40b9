"""What was sent arrived: messages, events, and what screens were told. Nothing failed in an unknown way."""

import json
from typing import Any

from shared.domain.connection import connection_id
from tests.simulation.checks.check import Check
from tests.simulation.engine import MICROSECONDS
from tests.simulation.world.schedules import EXPIRE_EVERY, LATEST_EXPIRY

TOLD_SECONDS = 30
"""Within which a screen hears of what was published."""


class Deliveries(Check):
    """Logs, queues, the bus and open screens."""

    def bugs(self) -> None:
        """Nothing that our code does not know is ever caught at its edge."""
        revoked = any(what == "tokens revoked" for _, what, _ in self.world.powens.disturbances)
        for line in self.world.logs.getvalue().splitlines():
            for said in ("message failed", "unexpected error", "poison message"):
                if f'"message":"{said}"' not in line:
                    continue
                known = json.loads(line)
                # Revoked between its renewal and its use: nothing tells that from a client that may not renew.
                if revoked and "refuses the token that it just renewed" in known.get("exception", ""):
                    continue
                self.hold(False, f"{said}: {known.get('exception_name')} {known.get('exception', '')[-300:]}")

    def queues(self) -> None:
        world = self.world
        for queue in world.queues.values():
            self.hold(not queue.messages, f"{len(queue.messages)} messages are still in {queue.name}")
            self.hold(
                queue.sent == queue.done + len(queue.dead), f"{queue.name}: {queue.sent} sent, {queue.done} handled"
            )
            bodies = [message.body for message in queue.dead]
            self.hold(not bodies, f"dead letters in {queue.name}: {bodies[:1]}")
        self.hold(not world.outbox_dead, "outbox entries were given up")

    def events(self) -> None:
        """Each event at least once; without repeats exactly once, and the revisions of a connection without holes."""
        world, oracle = self.world, self.oracle
        seen: dict[str, dict[str, Any]] = {}
        for event in world.aws.bus:
            name = event["detail"]["metadata"]["event_id"]
            known = seen.setdefault(name, event)
            self.hold(known == event, f"event {name} was published with two contents")
        lost = sorted(set(oracle.events) - set(seen))
        self.hold(not lost, f"event {lost[:1]} was never published")
        self.hold(set(seen) <= set(oracle.events), "an event was published that was never written")
        revisions: dict[str, list[int]] = {}
        ended: list[str] = []
        for event in seen.values():
            data = event["detail"]["data"]
            if event["detail-type"] == "OperationEnded":
                ended.append(data["operation_id"])
            elif "connection_id" in data:
                revisions.setdefault(data["connection_id"], []).append(data["revision"])
        for found in revisions.values():
            self.hold(sorted(found) == list(range(1, len(found) + 1)), f"revisions {sorted(found)} of a connection")
        self.hold(sorted(ended) == sorted(set(ended)), "an operation ended twice")
        confirmed = {connection_id(powens_id) for powens_id in oracle.confirmed_at}
        told = {operation.id for operation in oracle.ended.values() if operation.connection in confirmed}
        self.hold(set(ended) == told, "the ends of operations and their events differ")

    def screens(self) -> None:
        """What is published while nothing goes wrong is heard by every open screen of its user.

        Of closed screens nothing is left in the table.
        """
        world = self.world
        patience = TOLD_SECONDS * MICROSECONDS
        trouble = max(world.chance.times, default=0)
        for screen in self.people.screens:
            begins = max(trouble, screen.opened_at) + patience
            ends = min(screen.token_until, screen.closed_at or world.engine.at) - patience
            heard = {(m["event"], m["connection_id"], m["revision"]): at for at, m in reversed(screen.told)}
            for at, event in world.aws.published:
                data = event["detail"]["data"]
                if begins < at < ends and data["user_id"] == screen.user and event["detail-type"] in world.told_of:
                    world.powens.drawn["event heard by a screen"] += 1
                    told_at = heard.get((event["detail-type"], data.get("connection_id"), data["revision"]))
                    self.hold(
                        told_at is not None and told_at < at + patience,
                        f"a screen of {screen.user} was not told of {event['detail-type']}",
                    )
        old = world.engine.now.timestamp() - LATEST_EXPIRY - EXPIRE_EVERY
        for item in world.table.items():
            socket = "SOCKET#" in item["pk"]["S"] + item["sk"]["S"]
            self.hold(not socket or int(item["ttl"]["N"]) > old, "a screen that is closed for long is still known")
