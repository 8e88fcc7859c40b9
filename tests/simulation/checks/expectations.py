"""What Powens brings as planned and tells nobody of is noticed in time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.checks.check import Check
from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.people import People
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.powens.model import Connection

SOON = timedelta(hours=1, minutes=5)
"""The promise: an hour at most, and a few passes of housekeeping."""
HABITS = timedelta(hours=4)
"""Later than that where webhooks were late before, or what came of them: a habit of Powens, as far as anybody knows. So
is the next webhook, whatever it is about, after a synchronisation that nobody was told of.
"""
AT_LAST = timedelta(hours=36, minutes=5)
"""The promise where the plan that Powens showed was none."""
BACK = timedelta(hours=1, minutes=15)
"""Within which a connection is found that somebody went to make: a visit lasts an hour at most."""
HARMLESS = ("webhook lost", "webhook doubled", "webhook compressed", "webhook inflated on its way")


class Expectations(Check):
    """Listens to Powens, and looks at the ledger when the time is over."""

    def __init__(self, world: SimulatedWorld, oracle: Oracle, people: People) -> None:
        super().__init__(world, oracle, people)
        self.untold: set[int] = set()

    def came(self, connection: Connection) -> None:
        """A synchronisation begins of which no webhook will tell."""
        world, began = self.world, self.world.engine.at
        held = self._held(connection)
        if held is None:
            return
        troubled = any(kind not in HARMLESS for kind in world.chance.counts())
        habit = troubled or connection.id in self.untold
        self.untold.add(connection.id)
        wait = SOON + HABITS * habit if self._was_announced(held) else AT_LAST
        world.engine.after(wait.total_seconds(), lambda: self._noticed(connection, began, wait))

    def made(self, connection: Connection) -> None:
        """Somebody connects a bank, and may neither come back nor be told of."""
        began = self.world.engine.at
        self.world.engine.after(BACK.total_seconds(), lambda: self._found(connection, began))

    def _found(self, connection: Connection, began: int) -> None:
        powens = self.world.powens
        there = powens.connections.get(connection.id) is connection and connection.user in powens.users
        if there and connection.user not in powens.erasing and not self._disturbed(connection, began):
            found = connection.id in self.oracle.owner and self.oracle.document(connection.id) is not None
            self.world.invariant(found, f"nobody has found connection {connection.id} within {BACK}")

    def _disturbed(self, connection: Connection, since: int) -> bool:
        """Whether something went wrong since then that takes longer than a lost webhook."""
        faults = zip(self.world.chance.happened, self.world.chance.times, strict=True)
        return any(at >= since and fault.kind not in HARMLESS for fault, at in faults) or any(
            at >= since for at, _, about in self.world.powens.disturbances if about in (None, connection.id)
        )

    def _held(self, connection: Connection) -> Mapping[str, Any] | None:
        owner = self.oracle.owner.get(connection.id)
        held = self.oracle.document(connection.id) if owner is not None else None
        return held if held is not None and held.get("removed_at") is None else None

    def _was_announced(self, held: Mapping[str, Any]) -> bool:
        """Whether the ledger has read that it would come now."""
        return held.get("next_try") is not None and datetime.fromisoformat(held["next_try"]) == self.world.engine.now

    def _noticed(self, connection: Connection, began: int, wait: timedelta) -> None:
        world, powens = self.world, self.world.powens
        held = self._held(connection)
        if held is None or powens.connections.get(connection.id) is not connection or connection.user in powens.erasing:
            return
        if self._disturbed(connection, began - 3600 * MICROSECONDS):
            return
        powens.drawn["noticed in time" if wait < AT_LAST else "noticed at last"] += 1
        read = datetime.fromisoformat(held["read_started_at"])
        late = world.engine.now - wait > read
        world.invariant(not late, f"nobody noticed within {wait} that {connection.id} was synchronised")
