"""Removing here what Powens no longer has, unless it was seen again since."""

import pytest

from shared.domain.connection import OperationStatus
from shared.domain.facts import Cause, FactType
from tests.builders import POWENS_USER, USER, observed_account
from tests.unit.application.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.connect(observed_account(1), observed_account(2))
    return made


def test_a_removed_connection_ends_its_operations_and_is_told_once(world: World) -> None:
    chosen, at = world.choose(1), world.clock()
    for _ in range(2):
        world.removal.connection(world.held(), cause=Cause.BANK, at=at, correlation_id="c")
    assert world.held().removed_at is not None
    assert world.operation(chosen).status is not OperationStatus.PENDING
    assert world.told().count(FactType.CONNECTION_REMOVED) == 1


def test_a_connection_that_was_read_since_powens_was_asked_stays(world: World) -> None:
    at = world.clock()
    world.just_before_the_next_write(world.hint)
    world.powens.shows(77, observed_account(1))
    held = world.held()
    world.hint()
    world.removal.connection(held, cause=Cause.BANK, at=at, correlation_id="c")
    assert world.held().removed_at is None


def test_a_read_that_comes_first_at_the_moment_of_the_removal_keeps_the_connection(world: World) -> None:
    at = world.clock()
    world.powens.shows(77, observed_account(1))
    world.just_before_the_next_write(world.hint)
    world.removal.connection(world.held(), cause=Cause.BANK, at=at, correlation_id="c")
    assert world.held().removed_at is None


def test_a_powens_user_is_forgotten_last_with_all_connections_gone(world: World) -> None:
    at = world.clock()
    world.removal.powens_user(USER, POWENS_USER, cause=Cause.BANK, at=at, correlation_id="c")
    assert world.held().removed_at is not None
    assert (world.users.access(USER), world.users.user_of(POWENS_USER)) == (None, None)


def test_another_powens_user_of_the_same_user_is_not_forgotten(world: World) -> None:
    world.removal.powens_user(USER, POWENS_USER - 1, cause=Cause.BANK, at=world.clock(), correlation_id="c")
    assert world.users.user_of(POWENS_USER) == USER
