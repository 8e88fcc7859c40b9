"""The sandbox's time: the machine's, moved by as much as somebody asked."""

from datetime import UTC, datetime, timedelta

# Within these years, anything the sandbox adds to a moment is still a moment.
FIRST_YEAR, LAST_YEAR = 1971, 2999


class Clock:
    """`now()` is aware UTC and only ever differs from the machine's by a constant that `move` changes."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move(self, by: timedelta) -> None:
        """Raises ValueError or OverflowError when that leads out of the years that it knows."""
        self.set(self.now() + by)

    def set(self, to: datetime) -> None:
        """Raises ValueError out of the years that it knows."""
        if not FIRST_YEAR <= to.year <= LAST_YEAR:
            raise ValueError(to.year)
        self.offset = to - datetime.now(UTC)

    def reset(self) -> None:
        self.offset = timedelta()
