"""Recording what a user asks for: written once, on the newest state, with the answer that is kept."""

import pytest

from shared.application.ports import Answer, StaleWriteError, TakenError
from shared.application.writing import ATTEMPTS, write, write_with_answer
from shared.contracts.messages import Command
from shared.domain import ledger
from shared.domain.connection import Operation, OperationStatus, account_id
from shared.domain.errors import Conflict, InvalidInput, NotFound, PreconditionFailed, StoreUnavailable
from tests.builders import BANK, USER, observed_account
from tests.unit.application.world import ALICE, ID, World

ANSWER = Answer(key="key-1", fingerprint="f", status=202, body="{}")


@pytest.fixture
def world() -> World:
    """Alice has a connection with two accounts; the second one is not enabled."""
    made = World()
    made.connect(observed_account(1), observed_account(2, disabled=True))
    return made


def answered(world: World) -> Operation:
    return write_with_answer(
        lambda: world.record.select(ALICE, ID, {account_id(2)}, editions=None), lambda operation: (operation, ANSWER)
    )


def test_a_draft_writes_nothing_until_it_is_written(world: World) -> None:
    draft = world.record.select(ALICE, ID, {account_id(2)}, editions=None)
    assert (world.memory.operations, world.memory.messages) == ({}, [])
    draft.write(ANSWER)
    assert [type(message) for message in world.memory.messages] == [Command]
    assert world.memory.answer(USER, ANSWER.key) == ANSWER
    with pytest.raises(StaleWriteError):
        draft.write(None)


def test_the_same_key_writes_one_operation(world: World) -> None:
    answered(world)
    with pytest.raises(TakenError):
        answered(world)
    assert len(world.memory.operations) == 1


def test_two_choices_at_the_same_moment_both_count_and_the_later_write_wins(world: World) -> None:
    world.just_before_the_next_write(world.choose)
    later = world.choose(1, 2)
    world.work()
    assert world.enabled() == {1, 2}
    assert world.operation(later).status is OperationStatus.COMPLETED
    assert len(world.memory.operations) == 2


def test_a_choice_is_made_again_on_what_a_faster_writer_left(world: World) -> None:
    editions = {world.held().edition}
    world.just_before_the_next_write(world.choose)
    with pytest.raises(PreconditionFailed):
        write(lambda: world.record.select(ALICE, ID, {account_id(2)}, editions=editions))


def test_a_writer_who_always_comes_second_is_asked_to_come_back(world: World) -> None:
    names = (f"Name {number}" for number in range(ATTEMPTS))

    def faster() -> None:
        write(lambda: world.record.rename(ALICE, ID, account_id(1), next(names)))

    world.just_before_the_next_write(*[faster] * ATTEMPTS)
    with pytest.raises(StoreUnavailable):
        world.choose(1, 2)
    assert world.memory.operations == {}


def test_undo_brings_the_selection_before_back(world: World) -> None:
    chosen = world.choose(2)
    world.work()
    write(lambda: world.record.undo(ALICE, chosen.id))
    world.work()
    assert world.enabled() == {1}


def test_what_is_too_late_or_gone_is_not_undone(world: World) -> None:
    chosen = world.choose(2)
    world.work()
    with pytest.raises(NotFound):
        world.record.undo(ALICE, "unknown")
    world.clock.now += ledger.UNDO_FOR
    with pytest.raises(Conflict):
        world.record.undo(ALICE, chosen.id)


def test_a_bank_is_ended_by_its_name_and_for_good(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.record.end(ALICE, ID, typed="another bank", names_if_unnamed=[])
    ended = write(lambda: world.record.end(ALICE, ID, typed=BANK.name.lower(), names_if_unnamed=[]))
    world.work()
    assert world.operation(ended).status is OperationStatus.COMPLETED
    assert world.powens.connections == {}
    with pytest.raises(NotFound):
        world.record.refresh(ALICE, ID)


def test_a_second_refresh_while_one_is_open_is_the_same_operation(world: World) -> None:
    first = write(lambda: world.record.refresh(ALICE, ID))
    assert write(lambda: world.record.refresh(ALICE, ID)) == first
    assert len(world.memory.messages) == 1


def test_nothing_of_another_user_is_there() -> None:
    with pytest.raises(NotFound):
        World().record.refresh(ALICE, ID)
