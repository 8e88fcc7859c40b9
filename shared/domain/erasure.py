"""The erasure of a user: everything stored here and at Powens. It begins once, and ends only when it is complete."""

from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET_FOR = timedelta(seconds=30)
"""How long an erasure waits for work on the user that began before it.

No function that works for a user runs longer (`template.yaml`), so none of it can write any more afterwards.
"""
LATE_AFTER = timedelta(hours=1)
"""An unfinished erasure is queued again, and counted as late, each time this has passed."""
DEADLINE = timedelta(days=30)
"""A month: how long the law gives us (GDPR, article 12). Alarms sound from `LATE_AFTER` on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """`ended_at` None: it is not complete. After its end it is the receipt, which does not identify the user.

    `correlation_id`: that of the request, for the event; a receipt has none.
    """

    id: str
    requested_at: datetime
    ended_at: datetime | None = None
    correlation_id: str = ""

    @property
    def deadline_at(self) -> datetime:
        return self.requested_at + DEADLINE
