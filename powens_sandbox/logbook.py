"""Memory of what happened, bounded in entries and in bytes."""

from collections import deque
from collections.abc import Callable, Iterator


class Logbook[T]:
    """Keeps the newest entries. The oldest lose their bodies first, when those together exceed `max_bytes`."""

    def __init__(self, max_entries: int, max_bytes: int, size: Callable[[T], int], strip: Callable[[T], None]) -> None:
        self._entries: deque[T] = deque()
        self._heavy: deque[T] = deque()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size = size
        self._strip = strip
        self._bytes = 0

    def add(self, entry: T) -> None:
        self._entries.append(entry)
        self._heavy.append(entry)
        self._bytes += self._size(entry)
        while self._heavy and self._bytes > self._max_bytes:
            self._lighten(self._heavy.popleft())
        while len(self._entries) > self._max_entries:
            oldest = self._entries.popleft()
            if self._heavy and self._heavy[0] is oldest:
                self._lighten(self._heavy.popleft())

    def _lighten(self, entry: T) -> None:
        self._bytes -= self._size(entry)
        self._strip(entry)

    def clear(self) -> None:
        self._entries.clear()
        self._heavy.clear()
        self._bytes = 0

    def newest(self) -> Iterator[T]:
        return reversed(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        return self._bytes
