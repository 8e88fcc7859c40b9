"""Waiting for what the sandbox's process does. A copy of its own: this folder needs nothing of the others."""

import threading
import time
from collections.abc import Callable


def eventually[T](check: Callable[[], T | None], *, seconds: float = 10.0) -> T:
    """Call `check` until it returns something truthy, and return that. Raises AssertionError after `seconds`."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"not so within {seconds} s; last seen: {value!r}"
        pause.wait(0.05)
    return value
