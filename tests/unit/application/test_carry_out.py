"""Carrying out: Powens is told what is wanted, once, and the operation ends as Powens then shows it."""

import pytest

from shared.application.writing import write
from shared.domain import ledger
from shared.domain.connection import ItemStatus, Operation, OperationStatus, account_id
from shared.domain.errors import NotYetVisible, PowensForbidden, PowensNotFound, PowensRefused, PowensUnavailable
from shared.domain.facts import FactType
from tests.builders import USER, observed_account
from tests.unit.application.world import ALICE, ID, World


def carry_out(world: World, operation: Operation, *, first_attempt: bool = True) -> None:
    world.carry_out.run(USER, ID, operation.id, first_attempt=first_attempt)


def renamed(world: World) -> object:
    return write(lambda: world.record.rename(ALICE, ID, account_id(1), "Mine"))


def erased(world: World) -> None:
    write(lambda: world.begin_erasure.run(ALICE))
    world.connections.memory.connections.clear()


def test_a_choice_is_one_call_an_account_one_read_and_one_event(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True), observed_account(3))
    chosen = world.choose(2, 3)
    world.work()
    assert world.powens.calls == ["disable 1", "enable 2", "read 77"]
    assert world.enabled() == {2, 3}
    assert world.operation(chosen).status is OperationStatus.COMPLETED
    assert world.told() == [FactType.ACCOUNTS_UPDATED, FactType.OPERATION_ENDED]


def test_a_command_that_comes_again_finds_nothing_to_do(world: World) -> None:
    world.connect(observed_account(1), observed_account(2))
    chosen = world.choose(1)
    world.work()
    world.forget()
    carry_out(world, chosen)
    assert (world.powens.calls, world.told()) == ([], [])


def test_an_account_that_powens_refuses_does_not_stop_the_others(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True))
    world.powens.troubles["enable"] = [PowensRefused(status=400)]
    chosen = world.choose(2)
    world.work()
    ends = {item.account_id: item.status for item in world.operation(chosen).items}
    assert ends == {account_id(1): ItemStatus.DONE, account_id(2): ItemStatus.FAILED}
    assert world.operation(chosen).status is OperationStatus.PARTIALLY_COMPLETED
    assert world.enabled() == set()


def test_what_powens_has_acknowledged_before_a_trouble_is_not_asked_again(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True))
    world.powens.troubles["enable"] = [PowensUnavailable()]
    chosen = world.choose(2)
    world.work()
    assert world.powens.calls == ["disable 1", "enable 2", "read 77", "enable 2", "read 77"]
    assert world.operation(chosen).status is OperationStatus.COMPLETED


def test_an_order_that_powens_does_not_show_yet_is_waited_for_and_not_repeated(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True))
    chosen = world.choose(1, 2)
    hidden = observed_account(1), observed_account(2, disabled=True)
    world.powens.meanwhile["read"] = [lambda: world.powens.shows(77, *hidden)]
    with pytest.raises(NotYetVisible):
        carry_out(world, chosen)
    world.powens.shows(77, observed_account(1), observed_account(2))
    carry_out(world, chosen, first_attempt=False)
    assert world.powens.calls.count("enable 2") == 1
    assert world.operation(chosen).status is OperationStatus.COMPLETED


def test_an_acknowledged_order_whose_read_back_failed_is_not_asked_again(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True))
    chosen = world.choose(1, 2)
    hidden = observed_account(1), observed_account(2, disabled=True)
    world.powens.meanwhile["read"] = [lambda: world.powens.shows(77, *hidden)]
    world.powens.troubles["read"] = [PowensUnavailable()]
    with pytest.raises(PowensUnavailable):
        carry_out(world, chosen)
    with pytest.raises(NotYetVisible):
        carry_out(world, chosen, first_attempt=False)
    assert world.powens.calls == ["enable 2", "read 77", "read 77"]


def test_a_lost_race_is_decided_again_and_nothing_of_either_is_lost(world: World) -> None:
    world.connect(observed_account(1), observed_account(2, disabled=True))
    chosen = world.choose(1, 2)
    world.just_before_the_next_write(lambda: renamed(world))
    world.work()
    assert world.operation(chosen).status is OperationStatus.COMPLETED
    assert (world.enabled(), world.held().accounts[0].custom_name) == ({1, 2}, "Mine")
    assert world.powens.calls.count("enable 2") == 1


def test_a_newer_choice_at_the_moment_of_the_write_wins(world: World) -> None:
    world.connect(observed_account(1), observed_account(2))
    world.choose(1)
    world.powens.meanwhile["read"] = [lambda: world.choose(1, 2)]
    world.work()
    world.work()
    assert world.enabled() == {1, 2}
    assert {operation.open for operation in world.memory.operations.values()} == {False}


def test_what_is_forbidden_ends_at_once(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.troubles["disable"] = [PowensForbidden(status=403)]
    chosen = world.choose()
    world.work(attempts=1)
    assert world.operation(chosen).status is OperationStatus.FAILED
    assert world.enabled() == {1}


def test_after_its_deadline_an_operation_ends_and_powens_is_not_asked(world: World) -> None:
    world.connect(observed_account(1))
    chosen = world.choose()
    world.clock.now += ledger.OPERATION_DEADLINE
    world.work(attempts=1)
    assert world.operation(chosen).status is OperationStatus.TIMED_OUT
    assert world.powens.calls == []


def test_a_connection_that_powens_denies_twice_is_removed_and_its_operation_ends(world: World) -> None:
    world.connect(observed_account(1))
    chosen = world.choose()
    world.powens.connections.clear()
    world.work()
    assert world.powens.calls == ["disable 1", "read 77", "read_all"]
    assert world.held().removed_at is not None
    assert not world.operation(chosen).open


def test_one_404_for_a_connection_that_is_listed_is_waited_out(world: World) -> None:
    world.connect(observed_account(1))
    chosen = world.choose()
    world.powens.troubles["read"] = [PowensNotFound(status=404)]
    world.work()
    assert world.held().removed_at is None
    assert world.operation(chosen).status is OperationStatus.COMPLETED


def test_a_refresh_is_asked_for_once_and_ends_with_newer_data(world: World) -> None:
    world.connect(observed_account(1))
    asked = write(lambda: world.record.refresh(ALICE, ID))
    world.work()
    assert world.powens.calls.count("force_sync 77") == 1
    assert world.operation(asked).status is OperationStatus.COMPLETED


def test_a_user_who_is_erased_meanwhile_has_nothing_carried_out(world: World) -> None:
    world.connect(observed_account(1))
    chosen = world.choose()
    world.memory.messages.clear()
    world.powens.meanwhile["read"] = [lambda: erased(world)]
    carry_out(world, chosen)
    assert world.memory.connections == {}
    write(lambda: world.begin_erasure.run(ALICE))
    world.forget()
    carry_out(world, chosen)
    assert world.powens.calls == []
