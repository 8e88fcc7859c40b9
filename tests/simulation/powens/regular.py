"""Synchronisations that nobody asks for, and what Powens says of the next one: the truth, nothing, or nonsense."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from tests.simulation.engine import Engine
from tests.simulation.powens.banks import TEMPORARY_STATES, Banks
from tests.worlds.powens.model import Account, Connection

SELDOMEST_HOURS = 24
OFTENEST_HOURS = 12


class Regular(Banks):
    """Each connection is synchronised once in an interval of its own, until Powens is `resting`.

    `came` hears of each synchronisation that no webhook tells of, `made` of each connection that somebody makes.
    """

    def __init__(self, engine: Engine, kinds: Collection[str] = ()) -> None:
        super().__init__(engine, kinds)
        self.came: Callable[[Connection], None] = lambda connection: None
        self.made: Callable[[Connection], None] = lambda connection: None
        self.resting = False
        self._hushed = False

    def connect(self, user: int, bank: int, ticked: Callable[[int], bool]) -> Connection:
        made = super().connect(user, bank, ticked)
        self._plan(made)
        self.made(made)
        return made

    def synchronise(self, connection: Connection) -> None:
        super().synchronise(connection)
        self._plan(connection)

    def emit(self, event: str, connection: Connection, account: Account | None = None) -> None:
        if not self._hushed:
            super().emit(event, connection, account)

    def _plan(self, connection: Connection) -> None:
        hours = self.engine.chance.between(OFTENEST_HOURS, SELDOMEST_HOURS, "interval", connection.id)
        # Powens writes whole seconds.
        planned = (self.engine.now + timedelta(hours=hours)).replace(microsecond=0)
        connection.next_try = planned
        self.engine.after((planned - self.engine.now).total_seconds(), partial(self._due, connection, planned))

    def _due(self, connection: Connection, planned: datetime) -> None:
        gone = self.connections.get(connection.id) is not connection
        if gone or self.resting or connection.next_try != planned:
            return
        if connection.id in self.frozen or not (self.works(connection) or connection.state in TEMPORARY_STATES):
            self._plan(connection)  # for when it works again
            return
        self.drawn["regular synchronisation"] += 1
        self._hushed = "silent synchronisation" in self.kinds
        if self._hushed:
            self.drawn["silent synchronisation"] += 1
            self.engine.tell(f"connection {connection.id} is synchronised as planned, and nobody is told")
            self.came(connection)
        try:
            self.synchronise(connection)
        finally:
            self._hushed = False

    def told_plan(self, connection: Connection) -> datetime | None:
        """The `next_try` that Powens shows."""
        roll, now = self.engine.chance.roll, self.engine.now
        if connection.id in self.frozen or not (self.works(connection) or connection.state in TEMPORARY_STATES):
            return None
        if "no next_try" in self.kinds:
            self.drawn["no next_try"] += 1
            return None
        if "wrong next_try" in self.kinds and connection.next_try is not None:
            self.drawn["wrong next_try"] += 1
            hours = 48 * roll("plan", connection.id) - 24
            wrong = (now - timedelta(days=500), now + timedelta(days=500), connection.next_try + timedelta(hours=hours))
            return wrong[int(roll("wrong", connection.id) * len(wrong))]
        return connection.next_try
