"""Which events go where."""

from typing import Any

from shared.domain.facts import FactType


def test_open_screens_hear_of_every_event_that_is_published(source: dict[str, Any]) -> None:
    changes = source["Resources"]["LiveUpdatesFunction"]["Properties"]["Events"]["Changes"]["Properties"]

    assert sorted(changes["Pattern"]["detail-type"]) == sorted(FactType)
