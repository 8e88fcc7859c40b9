"""The end of everything held about one user, here and at Powens. It is begun once and only ever ends by being done."""

from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET_FOR = timedelta(seconds=30)
"""What began before an erasure has ended by then: no function runs for longer (`template.yaml`)."""
LATE_AFTER = timedelta(hours=1)
"""How long after its beginning, and again after that, an unfinished erasure is queued anew and counted as late."""
DEADLINE = timedelta(days=30)
"""A month: how long the law gives us (GDPR, article 12). Alarms sound from `LATE_AFTER` on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """`ended_at` None while it is under way. Once ended it is the receipt, which says nothing of who was erased.

    `correlation_id` is the request's, for the event; a receipt has none.
    """

    id: str
    requested_at: datetime
    ended_at: datetime | None = None
    correlation_id: str = ""

    @property
    def deadline_at(self) -> datetime:
        return self.requested_at + DEADLINE
