"""All functions on a simulated AWS and Powens: who invokes whom, when, how often, and in which process.

Queues, their consumers, the stream's readers, the schedules and the timeouts are what `template.yaml` declares.
"""

from collections.abc import Collection
from typing import Any

from tests.simulation.engine import Chance
from tests.simulation.world.http_api import HttpApi
from tests.simulation.world.queues import Queues
from tests.simulation.world.schedules import Schedules
from tests.simulation.world.sockets import Sockets
from tests.simulation.world.stream import Stream


class SimulatedWorld(HttpApi, Queues, Stream, Sockets, Schedules):
    """One run's world. `engine` moves it; users and what happens at Powens are added by the plan."""

    def __init__(self, chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> None:
        super().__init__(chance, calls_per_minute, kinds)
        self.dead_letters_expected = False

    def _written(self, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        super()._written(before, after)
        if after is not None and "due_sk" in after:
            self._plan_housekeeping()
