"""Reading back: however many hints come, Powens is read once, and what it shows is what is held."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.read_back import READ_AGAIN_AFTER, Reading
from shared.application.writing import write
from shared.domain.connection import Connection, account_id, connection_id
from shared.domain.errors import PowensBusy, PowensNotFound, PowensUnavailable, ReadRecently
from shared.domain.facts import FactType
from shared.domain.hints import HintOrigin
from tests.builders import NOW, POWENS_CONNECTION, POWENS_USER, USER, after, observed, observed_account
from tests.unit.application.world import ALICE, ID, World


def webhook(world: World) -> Reading:
    """A hint long after the last read."""
    world.clock.advance(minutes=1)
    return world.hint(HintOrigin.WEBHOOK, POWENS_CONNECTION)


def test_what_powens_shows_is_held_and_told(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.shows(77, observed_account(1, disabled=True), observed_account(2))
    webhook(world)
    assert world.enabled() == {2}
    assert world.told() == [FactType.ACCOUNTS_UPDATED]


def test_all_hints_of_a_batch_cost_one_read_and_those_it_covers_cost_none(world: World) -> None:
    world.connect(observed_account(1))
    world.clock.advance(minutes=1)
    hints = [world.a_hint(HintOrigin.WEBHOOK, POWENS_CONNECTION) for _ in range(5)]
    world.read_back.run(hints)
    assert world.powens.calls == ["read 77"]
    world.read_back.run(hints)
    assert world.powens.calls == ["read 77"]


def test_a_webhook_right_after_a_read_waits_for_those_that_are_still_to_come(world: World) -> None:
    world.connect(observed_account(1))
    with pytest.raises(ReadRecently) as refused:
        world.hint(HintOrigin.WEBHOOK, POWENS_CONNECTION)
    assert 0 < (refused.value.retry_after or 0) <= READ_AGAIN_AFTER.total_seconds()
    assert world.powens.calls == []


def test_a_user_of_powens_who_is_not_ours_is_not_read(world: World) -> None:
    assert world.hint() == Reading(known_user=False)
    assert world.powens.calls == []


def test_a_connection_goes_only_when_powens_denies_it_twice(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.troubles["read"] = [PowensNotFound(status=404)]
    webhook(world)
    assert world.held().removed_at is None
    world.powens.connections.clear()
    webhook(world)
    assert world.held().removed_at is not None
    assert world.told() == [FactType.CONNECTION_REMOVED]


def test_a_list_that_lacks_a_connection_which_powens_still_has_removes_nothing(world: World) -> None:
    world.connect(observed_account(1))
    shown = world.powens.connections.pop(POWENS_CONNECTION)
    world.powens.meanwhile["read"] = [lambda: world.powens.connections.update({POWENS_CONNECTION: shown})]
    world.hint(HintOrigin.SCHEDULE)
    assert world.powens.calls == ["read_all", "read 77"]
    assert world.held().removed_at is None


def test_what_is_wrong_with_one_connection_stops_no_other_and_its_hint_comes_back(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.connections[78] = observed(observed_account(3), powens_id=78)
    world.clock.advance(minutes=1)
    world.powens.troubles["read"] = [PowensUnavailable()]
    with pytest.raises(PowensUnavailable):
        world.read_back.run([world.a_hint(HintOrigin.WEBHOOK, powens_id) for powens_id in (77, 78)])
    assert {c.powens_id for c in world.connections.listed(USER).all_connections} == {77, 78}


def test_an_account_that_moved_and_was_made_anew_at_once_is_known_in_its_new_place(world: World) -> None:
    world.connect(observed_account(1, iban_key="k"), observed_account(3))
    world.powens.shows(77, observed_account(3))
    world.powens.connections[78] = observed(
        observed_account(1, iban_key="k", deleted=True),
        observed_account(4, iban_key="k", disabled=True),
        at=after(minutes=1),
        powens_id=78,
    )
    world.clock.advance(minutes=1)
    world.hint(HintOrigin.WEBHOOK, 78)
    held = {c.powens_id: [(a.id, a.powens_id) for a in c.accounts] for c in world.connections.listed(USER).connections}
    assert held == {77: [(account_id(3), 3)], 78: [(account_id(1), 4)]}


def test_a_read_that_somebody_overtook_does_not_speak(world: World) -> None:
    world.connect(observed_account(1))
    old = world.powens.connections[77]

    def newer() -> None:
        world.powens.shows(77, observed_account(1, disabled=True))
        world.hint()
        world.powens.connections[77] = replace(old)

    world.powens.meanwhile["read"] = [newer]
    webhook(world)
    assert world.enabled() == set()


def test_a_lost_race_is_decided_again_and_tells_once(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.shows(77, observed_account(1), observed_account(2))
    world.just_before_the_next_write(
        lambda: write(lambda: world.record.rename(ALICE, ID, account_id(1), "Mine")), world.hint
    )
    webhook(world)
    assert (world.enabled(), world.held().accounts[0].custom_name) == ({1, 2}, "Mine")
    told = [line.account_id for fact in world.memory.facts for line in fact.accounts]
    assert told == [account_id(1), account_id(2)]


def test_when_powens_is_not_to_be_asked_a_sweep_is_planned_anew_and_a_person_waits() -> None:
    world = World(calls_per_minute=2)
    world.connect(observed_account(1))
    assert world.hint(HintOrigin.SCHEDULE) == Reading(put_off=True)
    access = world.users.access(USER)
    assert access is not None
    assert access.reconcile_at is not None
    assert access.reconcile_at - NOW <= timedelta(minutes=1, seconds=1)
    with pytest.raises(PowensBusy):
        world.hint(HintOrigin.WEBVIEW)
    assert world.powens.calls == []


def test_a_user_whom_powens_does_not_know_any_more_loses_the_connections_and_can_start_again(world: World) -> None:
    world.connect(observed_account(1))
    world.powens.users.clear()
    assert world.hint() == Reading(user_gone=True)
    assert world.held().removed_at is not None
    assert (world.users.access(USER), world.users.user_of(POWENS_USER)) == (None, None)


def test_the_end_of_a_powens_user_looks_at_no_connection_that_was_gone_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.powens.connections[78] = observed(observed_account(3), powens_id=78)
    world.connect(observed_account(1))
    del world.powens.connections[78]
    world.clock.advance(minutes=1)
    world.hint()
    looked_at: list[str] = []
    look = world.connections.connection

    def seen(user_id: str, known: str) -> Connection | None:
        looked_at.append(known)
        return look(user_id, known)

    monkeypatch.setattr(world.connections, "connection", seen)
    world.powens.users.clear()
    assert world.hint() == Reading(user_gone=True)
    assert looked_at == [connection_id(77)]


def test_nothing_is_written_for_a_user_whose_erasure_began_during_the_read(world: World) -> None:
    world.access.ensure(USER)
    world.powens.connections[77] = observed(observed_account(1))
    world.powens.meanwhile["read_all"] = [lambda: write(lambda: world.begin_erasure.run(ALICE))]
    assert world.hint() == Reading()
    assert world.memory.connections == {}
