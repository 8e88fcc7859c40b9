"""One account that Powens makes anew several times before anybody can know that it is one: a chain of ids."""

from dataclasses import replace

from shared.domain import ledger
from shared.domain.connection import Connection, account_id
from shared.domain.facts import Cause
from shared.domain.observation import ObservedAccount
from tests.builders import POWENS_USER, USER, account, after, connection, observed, observed_account, read

IBAN = "key-of-FR76-0112"
OTHER = observed_account(90, iban_key="key-of-FR76-9090")


def shown(powens_id: int, *, deleted: bool = False) -> ObservedAccount:
    return observed_account(powens_id, iban_key=IBAN, deleted=deleted)


def held_under(*powens_ids: int) -> Connection:
    """Powens shows the account under one id after the other, and leaves the one before out."""
    held = connection(account(90, iban_key="key-of-FR76-9090"))
    for hour, powens_id in enumerate(powens_ids, start=1):
        held = read(held, OTHER, shown(powens_id), at=after(hours=hour)).connection
    return held


def ids(held: Connection) -> list[tuple[str, int, bool]]:
    """Our id and Powens' of each account but the other one, and whether it is open."""
    return [(a.id, a.powens_id, a.closed_at is None) for a in held.accounts if a.powens_id != 90]


def test_an_account_that_was_made_anew_three_times_is_one_when_its_first_id_is_gone_for_a_day() -> None:
    held = held_under(1, 2, 3, 4)
    assert len(ids(held)) == 4
    a_day_later = read(held, OTHER, shown(4), at=after(hours=26.5)).connection
    assert ids(a_day_later) == [(account_id(1), 4, True)]


def test_an_order_to_an_id_that_powens_does_not_know_makes_one_of_all_that_came_after_it() -> None:
    held = held_under(1, 2)
    outcome = ledger.reconcile(
        held,
        observed(OTHER, shown(3), at=after(hours=3)),
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=Cause.BANK,
        correlation_id="correlation-1",
        now=after(hours=3),
        denied={1},
    )
    assert ids(outcome.connection) == [(account_id(1), 3, True)]


def test_a_link_whose_selection_could_never_be_read_is_still_one_of_the_chain() -> None:
    """Powens calls the first id deleted at once, so no answer ever lacked it."""
    odd = replace(shown(2), unreadable=True)
    held = read(held_under(1), OTHER, shown(1, deleted=True), odd, at=after(hours=2)).connection
    gone = [shown(1, deleted=True), shown(2, deleted=True)]
    outcome = read(held, OTHER, *gone, replace(shown(3), disabled=True), at=after(hours=3))
    assert ids(outcome.connection) == [(account_id(1), 3, True)]
    assert [order.powens_id for order in ledger.orders(outcome.connection)] == [3], (
        "it was wanted, and needs no question"
    )


def test_an_account_that_came_while_another_could_not_be_identified_is_that_one_when_both_are_deleted() -> None:
    held = held_under(1)
    nameless = replace(observed(OTHER, at=after(hours=2)), unidentified=1)
    held = read(held, seen=nameless).connection
    held = read(held, seen=replace(nameless, accounts=(OTHER, shown(2)), read_started_at=after(hours=3))).connection
    assert len(ids(held)) == 2
    gone = [shown(1, deleted=True), shown(2, deleted=True)]
    assert ids(read(held, OTHER, *gone, shown(3), at=after(hours=4)).connection) == [(account_id(1), 3, True)]


def test_two_accounts_that_were_shown_together_stay_two_when_both_are_deleted() -> None:
    held = read(held_under(1), OTHER, shown(1), shown(2), at=after(hours=2)).connection
    gone = [shown(1, deleted=True), shown(2, deleted=True)]
    assert ids(read(held, OTHER, *gone, shown(3), at=after(hours=4)).connection) == [
        (account_id(1), 3, True),
        (account_id(2), 2, False),
    ]
