"""An erasure begins once, takes everything, and ends once with a receipt."""

from dataclasses import replace

import pytest

from shared.application.ports import Answer, Listed, PowensAccess, StaleWriteError, TakenError
from shared.domain.erasure import LATE_AFTER, Erasure
from tests.builders import NOW, POWENS_USER, USER, after, choose
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.test_manual_accounts import kept
from tests.integration.contracts.test_sessions import STATE, opened
from tests.integration.contracts.test_wishes import found, wished
from tests.integration.contracts.users import ANSWER, at_powens, connected, marked


def access(stores: Stores) -> PowensAccess:
    shown = stores.users.access(USER)
    assert shown is not None
    return shown


def test_an_erasure_marks_the_user_keeps_a_receipt_and_queues_the_work(stores: Stores) -> None:
    at_powens(stores)
    erasure = marked(stores)
    assert access(stores).erasure == erasure
    assert stores.erasures.erasure(USER, erasure.id) == Erasure(id=erasure.id, requested_at=NOW)
    assert stores.erasures.erasure("bob", erasure.id) is None
    [message] = stores.sent().messages
    assert (message["user_id"], message["erasure_id"]) == (USER, erasure.id)


def test_a_second_erasure_is_refused_and_so_is_one_under_a_key_that_is_taken(stores: Stores) -> None:
    stores.answers.add_answer(USER, ANSWER)
    with pytest.raises(TakenError):
        stores.erasures.begin_erasure(USER, Erasure(id="erasure-1", requested_at=NOW), answer=ANSWER)
    assert stores.users.access(USER) is None
    marked(stores)
    other = Answer(key="key-2", fingerprint="f", status=202, body="{}")
    with pytest.raises(StaleWriteError):
        stores.erasures.begin_erasure(USER, Erasure(id="erasure-2", requested_at=NOW), answer=other)
    assert stores.answers.answer(USER, other.key) is None


def test_all_that_is_held_goes_but_the_mark_and_nothing_of_a_neighbour(stores: Stores) -> None:
    held = connected(stores)
    stores.connections.save(held, choose(held, {2: True}), correlation_id="c", answer=ANSWER)
    kept(stores)
    wish = wished(stores)
    opened(stores)
    wished(stores, "bob")
    erasure = marked(stores)

    assert not stores.erasures.erase_items(USER, in_time=lambda: False)
    assert stores.connections.listed(USER).all_connections != ()
    assert stores.erasures.erase_items(USER, in_time=lambda: True)
    assert stores.erasures.erase_items(USER, in_time=lambda: False), "nothing is left to do"

    assert stores.connections.listed(USER) == Listed()
    assert stores.operations.operation(USER, "operation-1") is None
    assert stores.answers.answer(USER, ANSWER.key) is None
    assert stores.sessions.session(STATE) is None
    assert stores.wishes.wish(USER, wish.id) is None
    assert found(stores) == ["bob"]
    assert access(stores).erasure == erasure


def test_an_erasure_ends_once_with_its_receipt_and_its_event(stores: Stores) -> None:
    at_powens(stores)
    erasure, marked_access = marked(stores), access(stores)
    ended = replace(erasure, ended_at=after(minutes=1), correlation_id="")
    stores.erasures.end_erasure(marked_access, ended_at=after(minutes=1))
    with pytest.raises(StaleWriteError):
        stores.erasures.end_erasure(marked_access, ended_at=after(minutes=2))
    assert stores.erasures.erasure(USER, erasure.id) == ended
    assert (stores.users.access(USER), stores.users.user_of(POWENS_USER)) == (None, None)
    assert stores.sent().events == [("UserErased", 0)]
    at_powens(stores, powens_user_id=42)


def test_an_erasure_that_is_late_is_queued_again_by_one_worker_and_no_user_is_read_back_meanwhile(
    stores: Stores,
) -> None:
    at_powens(stores)
    marked(stores)
    late = NOW + LATE_AFTER
    assert stores.erasures.due_erasures(after(minutes=59), limit=100) == []
    [due] = stores.erasures.due_erasures(late, limit=100)
    assert stores.erasures.queue_erasure_again(due, late + LATE_AFTER)
    assert not stores.erasures.queue_erasure_again(due, late + LATE_AFTER)
    assert len(stores.sent().messages) == 2
    assert stores.users.due_accesses(after(days=1), limit=100) == []
    stores.users.bring_forward(USER, NOW)
    assert access(stores).reconcile_at == late + LATE_AFTER
