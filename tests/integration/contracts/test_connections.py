"""What the use cases rely on when a connection is saved: all of it or nothing, once, and only on what was read."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.application.changes import Beside
from shared.application.housekeeping import OpenOperation
from shared.application.ports import Answer, StaleWriteError, TakenError
from shared.domain import ledger, manual, wishes
from shared.domain.connection import Connection, OperationKind, Unconfirmed, account_id
from shared.domain.errors import UserBeingErased
from shared.domain.facts import Cause
from shared.domain.ledger import Outcome
from shared.domain.manual import ManualAccount
from shared.domain.wishes import Wish
from tests.builders import USER, choose, connection, operation
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.test_manual_accounts import kept
from tests.integration.contracts.test_wishes import wished
from tests.integration.contracts.users import ANSWER, at_powens, connected, discovered, marked


def save(stores: Stores, before: Connection | None, outcome: Outcome, answer: Answer | None = None) -> None:
    stores.connections.save(before, outcome, correlation_id="c", answer=answer)


def test_a_saved_connection_is_read_as_it_was_decided_under_its_next_version(stores: Stores) -> None:
    at_powens(stores)
    decided = discovered().connection
    save(stores, None, discovered())

    held = replace(decided, version=decided.version + 1)
    assert stores.connections.connection(USER, decided.id) == held
    assert stores.connections.listed(USER).all_connections == (held,)
    assert stores.connections.listed(USER).all_connections == (held,)
    assert stores.connections.connection("bob", decided.id) is None
    assert stores.connections.listed("bob").all_connections == ()


def test_the_facts_of_a_change_and_the_commands_of_its_new_operations_leave_with_it_once(stores: Stores) -> None:
    held = connected(stores)
    chosen = choose(held, {2: True})
    save(stores, held, chosen)
    events, commands = stores.sent()

    assert events == [("AccountsUpdated", 1), ("ConnectionUpdated", 2)]
    assert [command["operation_id"] for command in commands] == ["operation-1"]
    assert stores.operations.operation(USER, "operation-1") == chosen.operations[0]
    now = stores.connections.connection(USER, held.id)
    assert now is not None
    save(stores, now, ledger.then(Outcome(connection=now, operations=chosen.operations), Outcome(connection=now)))
    assert stores.sent().messages == commands


def test_a_write_on_what_somebody_else_has_changed_is_refused_as_a_whole(stores: Stores) -> None:
    held = connected(stores)
    save(stores, held, ledger.rename(held, account_id(1), "Mine"))
    sent = stores.sent()

    with pytest.raises(StaleWriteError):
        save(stores, held, choose(held, {2: True}), ANSWER)

    assert stores.sent() == sent
    assert stores.operations.operation(USER, "operation-1") is None
    assert stores.answers.answer(USER, ANSWER.key) is None


def test_a_connection_that_is_there_by_now_is_not_written_as_new(stores: Stores) -> None:
    connected(stores)
    with pytest.raises(StaleWriteError):
        save(stores, None, discovered())


def test_a_connection_that_is_gone_by_now_is_not_written_again(stores: Stores) -> None:
    held = connected(stores)
    marked(stores)
    assert stores.erasures.erase_items(USER, in_time=lambda: True)
    with pytest.raises(StaleWriteError):
        save(stores, held, ledger.rename(held, account_id(1), "Mine"))


@pytest.mark.parametrize("powens_user_id", [None, 42], ids=["nobody", "another one"])
def test_a_new_connection_is_only_written_for_the_powens_user_it_was_read_of(
    stores: Stores, powens_user_id: int | None
) -> None:
    if powens_user_id is not None:
        at_powens(stores, powens_user_id=powens_user_id)
    with pytest.raises(UserBeingErased):
        save(stores, None, discovered())
    assert stores.connections.listed(USER).all_connections == ()


def test_nothing_new_is_written_for_a_user_who_is_being_erased_whatever_else_is_in_the_way(stores: Stores) -> None:
    at_powens(stores)
    stores.answers.add_answer(USER, ANSWER)
    marked(stores)
    with pytest.raises(UserBeingErased):
        save(stores, None, discovered(), ANSWER)


def test_an_answer_is_kept_with_its_change_and_its_key_is_taken_for_a_day(stores: Stores) -> None:
    held = connected(stores)
    save(stores, held, ledger.rename(held, account_id(1), "Mine"), ANSWER)
    now = stores.connections.connection(USER, held.id)
    assert now is not None
    assert stores.answers.answer(USER, ANSWER.key) == ANSWER
    assert stores.answers.answer("bob", ANSWER.key) is None

    with pytest.raises(TakenError):
        save(stores, now, ledger.rename(now, account_id(1), "Other"), ANSWER)
    with pytest.raises(TakenError):  # known to fail for good, so that nobody decides again
        save(stores, held, ledger.rename(held, account_id(1), "Other"), ANSWER)
    with pytest.raises(TakenError):
        stores.answers.add_answer(USER, ANSWER)

    stores.clock.advance(days=1)
    assert stores.answers.answer(USER, ANSWER.key) is None
    save(stores, now, ledger.rename(now, account_id(1), "Other"), ANSWER)


def test_what_changes_beside_a_connection_is_written_with_it_or_not_at_all(stores: Stores) -> None:
    held, manual_account, wish = connected(stores), kept(stores), wished(stores)
    beside = Beside(
        manual=((manual_account, manual.rename(manual_account, "Savings")),),
        wishes=((wish, wishes.grant(wish, stores.clock(), Cause.BANK)),),
    )
    renamed = ledger.rename(held, account_id(1), "Mine")
    stores.connections.save(held, renamed, correlation_id="c", beside=beside)
    listed = stores.connections.listed(USER)
    assert [account.name for account in listed.manual_accounts] == ["Savings"]
    assert [granted.available_at for granted in listed.wishes] == [stores.clock()]
    assert listed.all_connections[0].accounts[0].custom_name == "Mine"

    stale: list[tuple[ManualAccount, Wish]] = [(manual_account, listed.wishes[0]), (listed.manual_accounts[0], wish)]
    for account, wanted in stale:
        beside = Beside(
            manual=((account, manual.rename(account, "Other")),),
            wishes=((wanted, wishes.WishOutcome(wish=wanted)),),
        )
        [now] = listed.all_connections
        with pytest.raises(StaleWriteError):
            stores.connections.save(now, renamed, correlation_id="c", beside=beside)
    assert stores.connections.listed(USER) == listed


def test_a_change_of_another_connection_goes_with_the_first_or_not_at_all(stores: Stores) -> None:
    held = connected(stores)
    other = connection(powens_id=78, version=0)
    save(stores, None, Outcome(connection=other))
    [_, second] = sorted(stores.connections.listed(USER).all_connections, key=lambda c: c.powens_id)
    both = Outcome(connection=held, others=((second, Outcome(connection=replace(second, state="bug"))),))
    save(stores, held, both)
    states = {c.powens_id: (c.state, c.version) for c in stores.connections.listed(USER).all_connections}
    assert states == {77: (None, held.version + 1), 78: ("bug", second.version + 1)}

    first = stores.connections.connection(USER, held.id)
    with pytest.raises(StaleWriteError):
        save(stores, first, replace(both, connection=replace(held, version=held.version + 1)))
    assert stores.connections.connection(USER, held.id) == first


def test_an_open_operation_is_found_by_its_deadline_until_it_ends(stores: Stores) -> None:
    held = connected(stores)
    begun = operation(kind=OperationKind.REFRESH)
    save(stores, held, Outcome(connection=replace(held, operations=(begun,)), operations=(begun,)))
    assert stores.operations.open_operations(begun.deadline_at, limit=100) == []
    late = begun.deadline_at + timedelta(seconds=1)
    due = [OpenOperation(user_id=USER, connection_id=held.id, operation_id=begun.id, deadline_at=begun.deadline_at)]
    assert stores.operations.open_operations(late, limit=100) == due

    now = stores.connections.connection(USER, held.id)
    assert now is not None
    save(stores, now, ledger.expire(now, late))
    assert stores.operations.open_operations(late, limit=100) == []


def test_an_unconfirmed_connection_is_found_when_it_is_due_and_read_once_it_is_confirmed(stores: Stores) -> None:
    at_powens(stores)
    until = stores.clock() + timedelta(hours=1)
    decided = replace(discovered().connection, accounts=(), unconfirmed=Unconfirmed(until=until))
    save(stores, None, Outcome(connection=decided))
    held = stores.connections.connection(USER, decided.id)
    assert held is not None
    assert held.unconfirmed == decided.unconfirmed
    assert stores.connections.listed(USER).connections == ()
    assert stores.unconfirmed.due_unconfirmed(until - timedelta(seconds=1), limit=10) == []
    assert stores.unconfirmed.due_unconfirmed(until + timedelta(seconds=1), limit=10) == [(USER, held.id)]

    save(stores, held, ledger.confirm(held, stores.clock()))
    assert stores.unconfirmed.due_unconfirmed(until + timedelta(days=1), limit=10) == []
    [message] = stores.sent().messages
    assert (message["powens_connection_id"], message["origin"]) == (held.powens_id, "webview")
