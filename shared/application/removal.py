"""Removing here what Powens no longer has: one connection, or a Powens user with all of them."""

from dataclasses import dataclass
from datetime import datetime

from shared.application.access import Access
from shared.application.changes import Changes
from shared.application.ports import Clock, Connections
from shared.domain import ledger
from shared.domain.connection import Connection
from shared.domain.facts import Cause
from shared.domain.ledger import Outcome


@dataclass(frozen=True, slots=True)
class Removal:
    """`at`, everywhere: when Powens was asked. What has been read since then is newer than its answer, and stays."""

    store: Connections
    access: Access
    changes: Changes
    clock: Clock

    def connection(self, held: Connection, *, cause: Cause, at: datetime, correlation_id: str) -> None:
        """Remove a connection that Powens does not have; its open operations end."""

        def decide(newest: Connection | None, _: tuple[Connection, ...]) -> Outcome:
            current = newest or held
            if current.read_started_at > at:
                return Outcome(connection=current)
            return ledger.remove(current, cause=cause, at=at, now=self.clock())

        self.changes.apply(held.user_id, held.id, decide, correlation_id=correlation_id)

    def powens_user(
        self, user_id: str, powens_user_id: int, *, cause: Cause, at: datetime, correlation_id: str
    ) -> None:
        """Remove all that a Powens user had and forget it, so that the next visit makes a new one.

        It is forgotten last: whoever comes after an interruption meets it again, and goes on.
        """
        for held in self.store.listed(user_id).connections:
            self.connection(held, cause=cause, at=at, correlation_id=correlation_id)
        self.access.forget(user_id, powens_user_id)
