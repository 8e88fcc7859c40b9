"""A user becomes one at Powens once, and one worker at a time may create, renew or plan."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.ports import PowensAccess, StaleWriteError
from tests.builders import NOW, POWENS_USER, USER, after
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.users import at_powens, marked


def access(stores: Stores) -> PowensAccess:
    found = stores.users.access(USER)
    assert found is not None
    return found


def claim(stores: Stores, by: str, *, seconds: float = 0) -> bool:
    now = after(seconds=seconds)
    return stores.users.claim_access(USER, by=by, now=now, until=now + timedelta(seconds=30))


def renewal(stores: Stores, *, seconds: float = 0, powens_user_id: int = POWENS_USER) -> bool:
    now = after(seconds=seconds)
    return stores.users.claim_renewal(
        USER,
        powens_user_id=powens_user_id,
        now=now,
        until=now + timedelta(seconds=30),
        since=now - timedelta(hours=1),
    )


def test_somebody_who_was_never_at_powens_is_nobody_there(stores: Stores) -> None:
    assert stores.users.access(USER) is None
    assert stores.users.user_of(POWENS_USER) is None


def test_a_user_is_known_under_both_ids_and_planned(stores: Stores) -> None:
    at_powens(stores)
    assert access(stores) == PowensAccess(
        user_id=USER, powens_user_id=POWENS_USER, sealed_token=b"sealed", reconcile_at=after(hours=12)
    )
    assert stores.users.user_of(POWENS_USER) == USER


def test_one_device_at_a_time_creates_until_it_is_done_gives_up_or_takes_too_long(stores: Stores) -> None:
    assert claim(stores, "phone")
    assert not claim(stores, "laptop")
    assert not claim(stores, "laptop", seconds=30)
    assert claim(stores, "laptop", seconds=31)
    writes: tuple[Callable[[], None], ...] = (
        lambda: stores.users.note_powens_user(USER, POWENS_USER, by="phone"),
        lambda: stores.users.release_access(USER, by="phone"),
        lambda: stores.users.complete_access(USER, b"sealed", by="phone", reconcile_at=NOW),
    )
    for late in writes:
        with pytest.raises(StaleWriteError):
            late()
    stores.users.release_access(USER, by="laptop")
    assert claim(stores, "tablet", seconds=31)


def test_a_user_who_is_complete_or_being_erased_is_not_created(stores: Stores) -> None:
    at_powens(stores)
    assert not claim(stores, "phone", seconds=3600)
    marked(stores)
    assert not claim(stores, "phone", seconds=3600)


def test_a_powens_user_is_replaced_only_by_who_saw_it(stores: Stores) -> None:
    assert claim(stores, "phone")
    stores.users.note_powens_user(USER, 41, by="phone")
    for instead_of in (None, 40):
        with pytest.raises(StaleWriteError):
            stores.users.note_powens_user(USER, 42, by="phone", instead_of=instead_of)
    stores.users.note_powens_user(USER, 42, by="phone", instead_of=41)
    assert (stores.users.user_of(41), stores.users.user_of(42)) == (None, USER)


def test_a_powens_user_that_is_gone_is_forgotten_under_both_ids_but_not_another_one(stores: Stores) -> None:
    at_powens(stores)
    with pytest.raises(StaleWriteError):
        stores.users.forget_access(replace(access(stores), powens_user_id=40))
    stores.users.forget_access(access(stores))
    assert (stores.users.access(USER), stores.users.user_of(POWENS_USER)) == (None, None)


def test_nobody_forgets_a_user_who_is_being_erased(stores: Stores) -> None:
    at_powens(stores)
    marked(stores)
    with pytest.raises(StaleWriteError):
        stores.users.forget_access(access(stores))


def test_a_token_is_replaced_for_the_same_powens_user_only(stores: Stores) -> None:
    at_powens(stores)
    with pytest.raises(StaleWriteError):
        stores.users.replace_token(USER, b"new", powens_user_id=40)
    stores.users.replace_token(USER, b"new", powens_user_id=POWENS_USER)
    assert access(stores).sealed_token == b"new"


def test_one_worker_at_a_time_renews_and_twice_an_hour_at_most(stores: Stores) -> None:
    at_powens(stores)
    assert not renewal(stores, powens_user_id=40)
    assert renewal(stores)
    assert access(stores).renewing_until == after(seconds=30)
    assert not renewal(stores, seconds=30)
    assert renewal(stores, seconds=31)
    stores.users.release_renewal(USER, until=after(seconds=30))  # somebody else's by now
    assert not renewal(stores, seconds=32)
    stores.users.release_renewal(USER, until=after(seconds=61))
    for seconds in (60, 120):
        assert renewal(stores, seconds=seconds)
        stores.clock.now = after(seconds=seconds)
        stores.users.replace_token(USER, b"new", powens_user_id=POWENS_USER)
    assert not renewal(stores, seconds=180)
    assert renewal(stores, seconds=60 + 3601)


def test_users_are_due_at_their_time_and_one_worker_plans_each_anew(stores: Stores) -> None:
    at_powens(stores)
    assert stores.users.due_accesses(after(hours=11), limit=100) == []
    [due] = stores.users.due_accesses(after(hours=12), limit=100)
    assert due == access(stores)
    assert stores.users.look_at(due, after(hours=24), listed_at=None)
    assert not stores.users.look_at(due, after(hours=36), listed_at=None)
    assert access(stores).reconcile_at == after(hours=24)


def test_a_look_is_told_from_a_read_and_keeps_when_all_was_last_listed(stores: Stores) -> None:
    at_powens(stores)
    assert (access(stores).only_look, access(stores).listed_at) == (False, None)
    assert stores.users.look_at(access(stores), after(hours=24), listed_at=after(hours=12))
    assert stores.users.look_at(access(stores), after(hours=48), listed_at=None)
    planned = access(stores)
    assert (planned.only_look, planned.reconcile_at, planned.listed_at) == (True, after(hours=48), after(hours=12))


def test_a_read_is_brought_forward_never_put_off(stores: Stores) -> None:
    at_powens(stores)
    stores.users.bring_forward(USER, after(hours=1))
    stores.users.bring_forward(USER, after(hours=2))
    stores.users.bring_forward("nobody", after(hours=1))
    assert access(stores).reconcile_at == after(hours=1)
    assert stores.users.access("nobody") is None


@pytest.mark.parametrize("hours", [1, 3])
def test_a_read_takes_the_place_of_a_look_whichever_was_to_come_first(stores: Stores, hours: int) -> None:
    at_powens(stores)
    stores.users.look_at(access(stores), after(hours=2), listed_at=NOW)
    stores.users.bring_forward(USER, after(hours=hours))
    planned = access(stores)
    assert (planned.only_look, planned.reconcile_at, planned.listed_at) == (False, after(hours=hours), NOW)


@pytest.mark.parametrize(("hours", "comes"), [(1, 1), (3, 2)])
def test_who_is_expected_back_is_looked_at_then_and_not_later_for_what_else_is_planned(
    stores: Stores, hours: int, comes: int
) -> None:
    at_powens(stores)
    stores.users.look_at(access(stores), after(hours=2), listed_at=NOW)
    stores.users.expect_back(USER, after(hours=hours))
    planned = access(stores)
    assert (planned.only_look, planned.reconcile_at) == (True, after(hours=comes))
    assert (planned.back_at, planned.listed_at) == (after(hours=hours), NOW)


def test_nobody_who_never_was_at_powens_is_expected_back(stores: Stores) -> None:
    stores.users.expect_back(USER, after(hours=1))
    assert stores.users.access(USER) is None


def test_nobody_who_is_being_erased_is_looked_at(stores: Stores) -> None:
    at_powens(stores)
    stores.users.look_at(access(stores), after(hours=2), listed_at=NOW)
    before = access(stores)
    marked(stores)
    assert not access(stores).only_look
    assert not stores.users.look_at(before, after(hours=3), listed_at=NOW)
    stores.users.bring_forward(USER, NOW)
    stores.users.expect_back(USER, NOW)
    assert access(stores).back_at is None
    assert stores.users.due_accesses(after(days=1), limit=100) == []
