"""What a webhook hinted at is read soon."""

from tests.simulation.checks.check import Check
from tests.simulation.engine import MICROSECONDS

TAKEN_IN = 600 * MICROSECONDS
"""Longer than a connection is read after its confirmation."""


class Hints(Check):
    """Accepted hints and what they were about."""

    def hinted(self) -> None:
        """What an accepted hint was about has been read, without waiting for a reconciliation."""
        world = self.world
        self.hold(world.unanswered_webhooks == 0, "a webhook is still being answered")
        for powens_id, emitted in world.hinted.items():
            self.hint(powens_id, emitted)

    def soon(self, powens_id: int, emitted: int) -> None:
        """While nothing goes wrong, a hint is answered within minutes."""
        if any(at >= emitted for at in self.world.chance.times):
            return
        if any(
            at >= emitted - 600 * MICROSECONDS and "flip" not in what for at, what, _ in self.world.powens.disturbances
        ):
            return
        self.hint(powens_id, emitted)

    def hint(self, powens_id: int, emitted: int) -> None:
        """What was said to have changed shows, unless more has changed since."""
        world, oracle = self.world, self.oracle
        connection = world.powens.connections.get(powens_id)
        changed = world.powens.changed.get(powens_id, 0)
        if connection is None or emitted < changed or world.powens.misread.get(connection.user, -1) >= emitted:
            return
        if connection.user in world.powens.erasing or self.unconfirmed(powens_id):
            return
        for real in world.powens.reals.values():
            there = oracle.living(real)
            if real.connection != powens_id or there is None or self.blurred(real) or oracle.namesake(real):
                continue
            _, held = oracle.held(real)
            self.hold(
                held is not None and (held["enabled"] is not there.disabled or "choice" in held),
                f"{real.name} of {powens_id} was never read: its webhook was accepted long ago",
            )

    def unconfirmed(self, powens_id: int) -> bool:
        """Whether nothing of it is to be kept, or was until a moment ago."""
        document = self.oracle.document(powens_id)
        lately = self.world.engine.at - self.oracle.confirmed_at.get(powens_id, -TAKEN_IN)
        return lately < TAKEN_IN or (document is not None and bool(document.get("unconfirmed")))
