"""What follows a lost race: read again, decide again, write again, a bounded number of times."""

from collections.abc import Callable
from contextlib import suppress

from shared.application.ports import StaleWriteError
from shared.domain.errors import StoreUnavailable

ATTEMPTS = 6


def retry_lost_race[Written](attempt: Callable[[], Written], *, what: str) -> Written:
    """What `attempt` returns, which reads, decides and writes; called again while somebody else writes first.

    Raises StoreUnavailable when others were faster each time; `what` names in its text what all of them write.
    """
    for _ in range(ATTEMPTS):
        with suppress(StaleWriteError):
            return attempt()
    raise StoreUnavailable(f"too many writers of {what}", retry_after=1)
