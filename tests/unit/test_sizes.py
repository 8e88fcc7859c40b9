"""Files and functions stay small enough to be read at once."""

import pytest

from tests.sizes import LIMITS, complaints, measured


def test_nothing_is_larger_than_it_may_be() -> None:
    sizes = measured()
    assert {kind for kind, _ in sizes} == LIMITS.keys()
    assert complaints(sizes) == []


@pytest.mark.parametrize(("kind", "limit"), [("lines", 400), ("function", 70), ("complexity", 20), ("columns", 120)])
def test_a_size_is_held_to_its_limit(kind: str, limit: int) -> None:
    where = "shared/large.py:function"
    assert complaints({(kind, where): limit}) == []
    assert complaints({(kind, where): limit + 1}) == [f"{where}: {kind} {limit + 1}, at most {limit}"]
