"""What `sam delete` leaves can be taken into a new stack, as docs/deploying.md says."""

from typing import Any

import pytest

from tests.template.cloudformation import Stack, references

# What the guide gives as the address of a resource to import.
_IDENTIFIED = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue"}


@pytest.fixture
def kept(deployed: Stack) -> dict[str, dict[str, Any]]:
    return {
        name: resource
        for name, resource in deployed.resources.items()
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate"
    }


def test_what_is_kept_can_be_imported_by_itself(kept: dict[str, dict[str, Any]]) -> None:
    """The import takes a template of these alone, with the one parameter and the one condition that they need."""
    named = {name for resource in kept.values() for name in references(resource)}

    assert {name for name in named if not name.startswith("AWS::")} - set(kept) == {"Stage"}
    assert _conditions(kept) == {"IsProduction"}


def test_of_everything_that_is_kept_the_guide_says_how_it_is_found(kept: dict[str, dict[str, Any]]) -> None:
    assert {resource["Type"] for resource in kept.values()} == _IDENTIFIED


def _conditions(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["Fn::If"][0]} if "Fn::If" in value else set[str]()
        return own.union(*(_conditions(inner) for inner in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(_conditions(inner) for inner in value))
    return set()
