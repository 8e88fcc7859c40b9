"""What every check does: it looks, and holds a promise."""

from typing import Any

from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.people import People
from tests.simulation.powens.reals import Real
from tests.simulation.world.processes import Violated
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.triggers import api_event


class Check:
    """A part of the promises, and what all parts look at."""

    def __init__(self, world: SimulatedWorld, oracle: Oracle, people: People) -> None:
        self.world = world
        self.oracle = oracle
        self.people = people

    def hold(self, holds: bool, otherwise: str) -> None:
        """Raises Violated at once: all of this runs outside of any task."""
        self.world.invariant(holds, otherwise)
        if not holds:
            raise Violated(otherwise)

    def blurred(self, real: Real) -> bool:
        """Whether nobody can read which accounts are chosen of those that it might be."""
        powens = self.world.powens
        mine = {name for other in powens.reals.values() if other.connection == real.connection for name in other.ids}
        return real.ids[-1] in powens.unreadable or not mine.isdisjoint(powens.nameless)

    def get(self, user: str, path: str) -> Any:
        world = self.world
        replies: list[Any] = []

        def ask() -> None:
            replies.append(world.request(api_event("GET", path, user=user), f"check/{user}"))

        world.engine.start(f"check/{user}", ask)
        world.run_for(60, until=lambda: bool(replies))
        assert replies
        assert replies[0].status == 200, replies[0].body
        return replies[0].json
