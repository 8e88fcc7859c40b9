"""What people do: users on several devices, and what happens to them at Powens and at their banks.

Each action is a method; a user's actions run as tasks of their own, so that they overlap with everything else.
"""

from collections.abc import Callable

from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.belongings import Belongings
from tests.simulation.people.choices import Choices
from tests.simulation.people.memory import Action
from tests.simulation.people.screens import Screens
from tests.simulation.people.troubles import Troubles
from tests.simulation.world.world import SimulatedWorld


class People(Choices, Screens, Belongings, Troubles):
    """Each public method of the bases is an action, by its name."""

    def __init__(self, world: SimulatedWorld, oracle: Oracle) -> None:
        super().__init__(world, oracle)
        self.done: dict[str, int] = {}

    def act(self, action: Action) -> None:
        """Begin an action, as a task."""
        method: Callable[[Action], None] = getattr(self, action.kind)
        self.done[action.kind] = self.done.get(action.kind, 0) + 1
        self.world.engine.start(f"{action.who}/{action.number}", lambda: method(action))
