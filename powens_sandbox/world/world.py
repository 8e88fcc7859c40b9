"""The state of the sandbox, and everything that can happen to it, by subject. No HTTP here and no waiting."""

from powens_sandbox.settings import Settings
from powens_sandbox.world.access import Access
from powens_sandbox.world.choices import Choices
from powens_sandbox.world.clock import Clock
from powens_sandbox.world.connecting import Connecting
from powens_sandbox.world.discovery import Discovery
from powens_sandbox.world.state import State
from powens_sandbox.world.synchronisation import Synchronisation


class World(State):
    """Methods of its parts raise ApiError, and cause the events of what they do."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.access = Access(self)
        self.discovery = Discovery(self)
        self.syncs = Synchronisation(self, self.discovery)
        self.choices = Choices(self, self.syncs)
        self.connecting = Connecting(self, self.discovery, self.syncs)

    def reset(self) -> None:
        self.clear()
        self.syncs.clear()

    def pass_time(self) -> None:
        """What time does by itself: temporary users and codes end, every connection is synchronised now and then."""
        self.access.end_what_is_temporary()
        self.syncs.run_regular()
