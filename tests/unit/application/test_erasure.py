"""Erasing a user: begun once, killed anywhere, ended once, and nothing is left here or at Powens."""

import pytest

from shared.application.erasure import PATIENCE
from shared.application.ports import Answer, StaleWriteError
from shared.application.writing import write
from shared.domain.erasure import QUIET_FOR, Erasure
from shared.domain.errors import ErasureUnfinished, Misconfigured, PowensUnavailable, UserBeingErased
from shared.domain.facts import FactType
from tests.builders import USER, observed_account
from tests.unit.application.world import ALICE, World


@pytest.fixture
def world() -> World:
    """Alice has a connection, and a choice on its way."""
    made = World()
    made.connect(observed_account(1))
    made.choose()
    made.forget()
    return made


def begin(world: World) -> Erasure:
    return write(lambda: world.begin_erasure.run(ALICE))


def nothing_is_left(world: World) -> None:
    memory = world.memory
    held = (memory.profiles, memory.owners, memory.connections, memory.operations, memory.sessions, memory.answers)
    assert held == ({},) * len(held)
    assert world.powens.users == set()
    assert world.told().count(FactType.USER_ERASED) == 1
    assert world.told()[-1] is FactType.USER_ERASED
    assert [receipt.ended_at is not None for receipt in memory.receipts.values()] == [True]


def test_everything_goes_and_powens_is_asked_one_thing_when_what_began_before_has_ended(world: World) -> None:
    begun = world.clock.now
    begin(world)
    world.work()
    nothing_is_left(world)
    assert world.powens.calls == ["delete_user"]
    assert world.clock.now - begun > QUIET_FOR


def test_two_devices_that_erase_at_the_same_moment_begin_one_erasure(world: World) -> None:
    begun: list[Erasure] = []
    world.just_before_the_next_write(lambda: begun.append(begin(world)))
    assert begin(world) == begun[0]
    assert len(world.memory.messages) == 1


def test_from_the_mark_on_nothing_is_begun_for_the_user(world: World) -> None:
    begin(world)
    with pytest.raises(UserBeingErased):
        world.access.ensure(USER)
    with pytest.raises(UserBeingErased):
        world.access.of(USER)


def test_what_is_written_after_the_mark_by_who_began_before_is_erased_too(world: World) -> None:
    begin(world)
    world.just_before_the_next_write(lambda: world.choose(1))
    world.work()
    nothing_is_left(world)


def test_what_is_written_while_powens_deletes_the_user_is_erased_too(world: World) -> None:
    answer = Answer(key="key-1", fingerprint="f", status=202, body="{}")
    world.powens.meanwhile["delete_user"] = [lambda: world.memory.keep(USER, answer)]
    begin(world)
    world.work()
    nothing_is_left(world)


def test_more_than_fits_one_run_takes_several(world: World) -> None:
    erasure = begin(world)
    world.seconds_left = 1
    with pytest.raises(ErasureUnfinished) as unfinished:
        world.erase.run(USER, erasure.id)
    assert unfinished.value.retry_after == 1
    world.seconds_left = 20
    world.work()
    nothing_is_left(world)


def test_while_powens_is_away_the_erasure_waits_patiently(world: World) -> None:
    erasure = begin(world)
    world.clock.now += QUIET_FOR
    world.powens.troubles["delete_user"] = [PowensUnavailable()]
    with pytest.raises(ErasureUnfinished) as unfinished:
        world.erase.run(USER, erasure.id)
    assert unfinished.value.retry_after == PATIENCE
    world.work()
    nothing_is_left(world)


def test_a_user_who_is_gone_at_powens_already_is_no_obstacle(world: World) -> None:
    world.powens.users.clear()
    begin(world)
    world.work()
    nothing_is_left(world)


def test_two_workers_at_once_end_it_once(world: World) -> None:
    erasure = begin(world)
    world.clock.now += QUIET_FOR
    world.powens.meanwhile["delete_user"] = [lambda: world.erase.run(USER, erasure.id)]
    world.erase.run(USER, erasure.id)
    world.erase.run(USER, erasure.id)
    nothing_is_left(world)


def test_a_mistake_of_ours_is_not_hidden_and_leaves_the_mark(world: World) -> None:
    erasure = begin(world)
    world.clock.now += QUIET_FOR
    world.powens.troubles["delete_user"] = [Misconfigured()]
    with pytest.raises(Misconfigured):
        world.erase.run(USER, erasure.id)
    access = world.users.access(USER)
    assert access is not None
    with pytest.raises(StaleWriteError):
        world.users.forget_access(access)
