"""Counts of a chaos or load run."""

import threading
from collections import Counter


class Tally:
    """Counts, from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    def of(self, prefix: str) -> dict[str, int]:
        """The counts whose names begin so, without the prefix."""
        found = {name.removeprefix(prefix): n for name, n in self._counts.items() if name.startswith(prefix)}
        return dict(sorted(found.items()))
