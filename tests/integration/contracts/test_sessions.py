"""Visits to the Webview with their hints, and the budget of calls that all workers share."""

import pytest

from shared.application.confirmation import Return
from shared.application.ports import Answer, TakenError
from shared.application.webview import WebviewSession
from shared.domain.errors import UserBeingErased
from shared.domain.hints import Hint, HintOrigin
from tests.builders import NOW, POWENS_USER, USER, after
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.users import ANSWER, at_powens, marked

STATE = "s" * 43
HINT = Hint(
    powens_user_id=POWENS_USER,
    powens_connection_id=None,
    origin=HintOrigin.WEBVIEW,
    reason="webview-return",
    received_at=NOW,
    correlation_id="c",
)


def opened(stores: Stores, answer: Answer | None = None) -> WebviewSession:
    session = WebviewSession(
        state=STATE,
        user_id=USER,
        flow="manage",
        return_to="https://app.example.com",
        powens_connection_id=77,
        expires_at=after(minutes=30),
    )
    stores.sessions.add_session(session, answer=answer)
    return session


def test_a_visit_is_found_by_its_state_each_time(stores: Stores) -> None:
    session = opened(stores, ANSWER)
    assert stores.sessions.session(STATE) == stores.sessions.session(STATE) == session
    assert stores.sessions.session("x" * 43) is None
    assert stores.answers.answer(USER, ANSWER.key) == ANSWER


def test_a_visit_under_a_key_that_is_taken_is_refused(stores: Stores) -> None:
    stores.answers.add_answer(USER, ANSWER)
    with pytest.raises(TakenError):
        opened(stores, ANSWER)
    assert stores.sessions.session(STATE) is None


def test_a_hint_is_queued_for_the_user_of_that_moment(stores: Stores) -> None:
    with pytest.raises(UserBeingErased):
        stores.sessions.add_hint(USER, HINT)
    at_powens(stores)
    stores.sessions.add_hint(USER, HINT)
    [message] = stores.sent().messages
    assert (message["powens_user_id"], message["origin"]) == (POWENS_USER, "webview")


def test_only_the_first_return_that_names_a_connection_keeps_its_code(stores: Stores) -> None:
    at_powens(stores)
    session = opened(stores)
    assert (stores.returns.returned("hash-1"), set(stores.returns.named(USER))) == (None, set())
    stores.sessions.add_return(session, HINT, code_hash="hash-1", powens_connection_id=80)
    with pytest.raises(TakenError):
        stores.sessions.add_return(session, HINT, code_hash="hash-2", powens_connection_id=81)
    assert stores.returns.returned("hash-1") == Return(user_id=USER, powens_connection_id=80)
    assert stores.returns.returned("hash-2") is None
    assert (set(stores.returns.named(USER)), set(stores.returns.named("bob"))) == ({80}, set())
    assert len(stores.sent().messages) == 1


def test_a_return_of_a_user_who_is_being_erased_keeps_no_code(stores: Stores) -> None:
    at_powens(stores)
    session = opened(stores)
    marked(stores)
    with pytest.raises(UserBeingErased):
        stores.sessions.add_return(session, HINT, code_hash="hash-1", powens_connection_id=80)
    assert stores.returns.returned("hash-1") is None


def test_a_user_who_is_being_erased_has_no_visit_and_no_hint(stores: Stores) -> None:
    at_powens(stores)
    marked(stores)
    with pytest.raises(UserBeingErased):
        opened(stores)
    with pytest.raises(UserBeingErased):
        stores.sessions.add_hint(USER, HINT)
    assert stores.sessions.session(STATE) is None


def test_a_pause_is_for_all_and_a_longer_one_stays(stores: Stores) -> None:
    assert stores.budget.paused_until() is None
    for until in (after(minutes=1), after(minutes=3), after(minutes=2)):
        stores.budget.pause(until)
    assert stores.budget.paused_until() == after(minutes=3)


def test_no_more_is_spent_in_a_minute_than_it_has(stores: Stores) -> None:
    assert stores.budget.spend(NOW, 6, most=10)
    assert not stores.budget.spend(NOW, 5, most=10)
    assert stores.budget.spend(NOW, 4, most=10)
    assert stores.budget.spend(after(minutes=1), 10, most=10)
