"""Folding facts: whatever their order and number, they give the state that they came from."""

from itertools import permutations

from shared.domain.connection import AccountType
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType
from tests.worlds.folding import fold


def fact(revision: int, *lines: tuple[str, Change, bool], kind: FactType = FactType.ACCOUNTS_UPDATED) -> Fact:
    return Fact(
        type=kind,
        user_id="alice",
        connection_id="c",
        revision=revision,
        cause=Cause.BANK,
        accounts=tuple(
            AccountChange(
                account_id=account_id, change=change, enabled=enabled, type=AccountType.CHECKING, currency="EUR"
            )
            for account_id, change, enabled in lines
        ),
    )


HISTORY = [
    fact(1, ("a", Change.ADDED, False), ("b", Change.ADDED, False)),
    fact(2, ("a", Change.ENABLED, True)),
    fact(2, kind=FactType.OPERATION_ENDED),
    fact(3, ("b", Change.REMOVED, False)),
]


def test_facts_in_any_order_give_the_same_state() -> None:
    for order in permutations(HISTORY):
        assert fold(order) == {"a": (True, AccountType.CHECKING, "EUR")}


def test_a_fact_told_twice_counts_once() -> None:
    assert fold(HISTORY * 3) == fold(HISTORY)


def test_removing_what_was_never_told_of_is_no_error() -> None:
    assert fold([fact(1, ("a", Change.REMOVED, False))]) == {}


def test_the_end_of_an_operation_never_hides_the_change_of_the_same_revision() -> None:
    assert fold([fact(1, kind=FactType.OPERATION_ENDED), fact(1, ("a", Change.ADDED, True))]) != {}
