"""Coverage is not measured here: it doubles what a seed costs, and the tests beside the code reach each line anyway."""

from collections.abc import Iterator

import coverage
import pytest


@pytest.fixture(autouse=True)
def _uncovered() -> Iterator[None]:
    measuring = coverage.Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    yield
    measuring.start()
