"""Waiting in tests for something another thread or process does."""

import threading
import time
from collections.abc import Callable


def eventually[T](check: Callable[[], T | None], *, seconds: float = 10.0, every: float = 0.05) -> T:
    """Call `check` until it returns something truthy, and return that.

    Raises AssertionError with the last value once `seconds` have passed. An exception of `check` is not swallowed: a
    check that may fail at first says so by returning something falsy.
    """
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not so within {seconds} s; last seen: {value!r}")
        pause.wait(every)
