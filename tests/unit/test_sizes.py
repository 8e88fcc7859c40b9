"""Files and functions stay small enough to be read at once; what is larger today may only shrink."""

import pytest

from tests.sizes import ceilings, complaints, lowered, measured

KEY = ("lines", "shared/large.py")


def test_nothing_is_larger_than_it_may_be_and_the_list_of_exceptions_is_not_longer_than_needed() -> None:
    assert complaints(measured(), ceilings()) == []


@pytest.mark.parametrize(
    ("size", "allowed", "told"),
    [
        (400, {}, None),
        (401, {}, "at most 400"),
        (500, {KEY: 500}, None),
        (501, {KEY: 500}, "at most 500"),
        (450, {KEY: 500}, None),
        (449, {KEY: 500}, "the list says 500"),
        (400, {KEY: 440}, "the list says 440"),
    ],
)
def test_a_size_is_held_to_its_ceiling_and_the_ceiling_to_the_size(
    size: int, allowed: dict[tuple[str, str], int], told: str | None
) -> None:
    found = complaints({KEY: size}, allowed)
    assert len(found) == (told is not None)
    assert all(told is not None and told in line for line in found)


def test_a_file_that_is_gone_has_no_place_in_the_list() -> None:
    assert len(complaints({}, {KEY: 500})) == 1
    assert lowered({}, {KEY: 500}) == {}


def test_the_list_is_only_ever_lowered() -> None:
    assert lowered({KEY: 480}, {KEY: 500}) == {KEY: 480}
    assert lowered({KEY: 520}, {KEY: 500}) == {KEY: 500}
    assert lowered({KEY: 400}, {KEY: 500}) == {}
    assert lowered({KEY: 900}, {}) == {}
