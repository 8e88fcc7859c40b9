"""The sandbox's time: the machine's, moved by as much as somebody asked."""

from datetime import UTC, datetime, timedelta


class Clock:
    """`now()` is aware UTC and only ever differs from the machine's by a constant that `move` changes."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move(self, by: timedelta) -> None:
        self.offset += by

    def set(self, to: datetime) -> None:
        self.offset = to - datetime.now(UTC)

    def reset(self) -> None:
        self.offset = timedelta()
