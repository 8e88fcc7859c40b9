"""Rules 1 and 3: what a new account is, and when a new Powens id is an account that we know."""

from dataclasses import replace

import pytest

from shared.domain import ledger
from shared.domain.connection import (
    MAX_ACCOUNTS,
    Account,
    Connection,
    OperationKind,
    account_id,
)
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Change
from shared.domain.ledger import orders
from shared.domain.observation import ObservedAccount
from tests.builders import (
    POWENS_USER,
    USER,
    account,
    after,
    answer,
    choose,
    connection,
    observed,
    observed_account,
    read,
)
from tests.unit.domain.identity_steps import IBAN, OTHER_IBAN, changes, gone, only, restored


def test_a_discovered_account_is_disabled_and_unwanted_until_somebody_ticks_it() -> None:
    outcome = read(None, observed_account(disabled=True))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (False, False)
    assert orders(outcome.connection) == ()
    assert changes(outcome) == [(Change.ADDED, False)]
    assert outcome.facts[0].cause is Cause.BANK


def test_an_account_that_is_enabled_when_first_seen_was_ticked_in_the_webview() -> None:
    outcome = read(None, observed_account(disabled=False))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)
    assert outcome.facts[0].cause is Cause.WEBVIEW


def test_an_account_that_the_bank_no_longer_shows_is_not_discovered() -> None:
    assert read(None, observed_account(deleted=True)).connection.accounts == ()


def test_an_answer_that_lists_an_account_twice_does_not_double_it() -> None:
    outcome = read(None, observed_account(1, disabled=True), observed_account(1, disabled=True))
    assert len(outcome.connection.accounts) == 1
    assert changes(outcome) == [(Change.ADDED, False)]


def test_an_answer_that_lists_a_recreated_account_twice_does_not_double_it() -> None:
    held = connection(account(1, iban_key=IBAN))
    again = observed_account(2, iban_key=IBAN, disabled=True)
    outcome = read(held, observed_account(1, iban_key=IBAN, deleted=True), again, again, at=after(minutes=1))
    assert [a.id for a in outcome.connection.accounts] == [account_id(1)]


def test_a_connection_too_large_for_its_item_is_refused_by_name() -> None:
    accounts = [observed_account(n, disabled=True) for n in range(MAX_ACCOUNTS)]
    assert len(read(None, *accounts).connection.accounts) == MAX_ACCOUNTS
    with pytest.raises(Conflict) as caught:
        read(None, *accounts, observed_account(MAX_ACCOUNTS, disabled=True))
    assert caught.value.code == "too_many_accounts"


# --- rule 3: a strong key outlives a Powens id ---


def test_a_wanted_account_recreated_disabled_keeps_its_id_and_name_and_is_enabled_again() -> None:
    held = connection(account(1, iban_key=IBAN, custom_name="Perso"))
    outcome = read(held, observed_account(2, iban_key=IBAN, disabled=True), gone(), at=after(minutes=1))
    known = only(outcome.connection)
    assert (known.id, known.powens_id, known.custom_name) == (account_id(1), 2, "Perso")
    assert (known.enabled, known.wanted) == (False, True)
    assert changes(outcome) == [(Change.DISABLED, False)]
    assert [(o.powens_id, o.enabled) for o in orders(outcome.connection)] == [(2, True)]
    assert [o.kind for o in outcome.operations] == [OperationKind.RESTORATION]

    back = only(restored(outcome.connection))
    assert (back.id, back.enabled, back.wanted, back.choice) == (account_id(1), True, True, None)


def test_an_unwanted_account_recreated_disabled_is_left_disabled() -> None:
    held = connection(account(1, iban_key=IBAN, enabled=False))
    outcome = read(held, gone(), observed_account(2, iban_key=IBAN, disabled=True), at=after(minutes=1))
    assert (only(outcome.connection).id, only(outcome.connection).powens_id) == (account_id(1), 2)
    assert orders(outcome.connection) == ()
    assert outcome.facts == ()


def test_an_unwanted_account_recreated_and_already_enabled_was_ticked_by_somebody() -> None:
    held = connection(account(1, iban_key=IBAN, enabled=False))
    outcome = read(held, gone(), observed_account(2, iban_key=IBAN), at=after(minutes=1))
    assert (only(outcome.connection).enabled, only(outcome.connection).wanted) == (True, True)
    assert outcome.facts[0].cause is Cause.WEBVIEW


def test_a_wanted_account_recreated_and_already_enabled_needs_nothing() -> None:
    held = connection(account(1, iban_key=IBAN))
    outcome = read(held, gone(), observed_account(2, iban_key=IBAN), at=after(minutes=1))
    assert (only(outcome.connection).powens_id, outcome.facts, outcome.operations) == (2, (), ())


def test_an_account_recreated_twice_is_restored_twice_and_is_still_itself() -> None:
    once = read(
        connection(account(1, iban_key=IBAN)),
        gone(),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(minutes=1),
    )
    again = read(
        restored(once.connection), gone(2), observed_account(3, iban_key=IBAN, disabled=True), at=after(minutes=9)
    )
    assert (only(again.connection).id, only(again.connection).powens_id) == (account_id(1), 3)
    assert [(o.powens_id, o.enabled) for o in orders(again.connection)] == [(3, True)]


def test_an_account_recreated_while_it_is_being_enabled_is_ordered_under_its_new_id() -> None:
    chosen = choose(connection(account(1, iban_key=IBAN, enabled=False)), {1: True}).connection
    confirmed = answer(chosen, at=after(seconds=1)).connection
    assert orders(confirmed) == ()
    moved = read(confirmed, gone(), observed_account(2, iban_key=IBAN, disabled=True), at=after(seconds=2)).connection
    assert [(o.powens_id, o.enabled) for o in orders(moved)] == [(2, True)]


def test_an_answer_about_the_old_id_says_nothing_about_the_new_one() -> None:
    chosen = choose(connection(account(1, iban_key=IBAN, enabled=False)), {1: True}).connection
    old = orders(chosen)
    moved = read(chosen, gone(), observed_account(2, iban_key=IBAN, disabled=True), at=after(seconds=1)).connection
    answered = answer(moved, orders=old, refusals={1: "not_found_at_powens"}, at=after(seconds=2)).connection
    assert only(answered).choice is not None
    assert [o.powens_id for o in orders(answered)] == [2]


def test_an_old_id_that_comes_back_to_life_beside_the_new_one_is_another_account() -> None:
    moved = read(
        connection(account(1, iban_key=IBAN, enabled=False)),
        gone(),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(minutes=1),
    ).connection
    both = read(
        moved,
        observed_account(2, iban_key=IBAN, disabled=True),
        observed_account(1, iban_key=IBAN, disabled=True),
        at=after(minutes=2),
    ).connection
    assert [a.powens_id for a in both.accounts] == [2, 1]
    assert both.accounts[0].id == account_id(1)
    assert len({a.id for a in both.accounts}) == 2
    again = read(
        both,
        observed_account(1, iban_key=IBAN, disabled=True),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(minutes=3),
    ).connection
    assert [a.id for a in again.accounts] == [a.id for a in both.accounts]


def test_an_account_that_returns_to_its_first_powens_id_is_still_itself() -> None:
    moved = read(
        connection(account(1, iban_key=IBAN, enabled=False)),
        gone(),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(minutes=1),
    ).connection
    back = read(
        moved,
        observed_account(1, iban_key=IBAN, disabled=True),
        observed_account(2, iban_key=IBAN, disabled=True, deleted=True),
        at=after(minutes=2),
    ).connection
    assert (only(back).id, only(back).powens_id) == (account_id(1), 1)


@pytest.mark.parametrize(
    ("held", "shown", "same"),
    [
        pytest.param(account(1, iban_key=IBAN), observed_account(2, iban_key=IBAN), True, id="same IBAN"),
        pytest.param(account(1, iban_key=IBAN), observed_account(2, iban_key=OTHER_IBAN), False, id="other IBAN"),
        pytest.param(
            account(1, iban_key=IBAN, currency="EUR"),
            observed_account(2, iban_key=IBAN, currency="USD"),
            False,
            id="one IBAN, two currencies",
        ),
        pytest.param(
            account(1, iban_key=IBAN, provider_type="loan"),
            observed_account(2, iban_key=IBAN, provider_type="mortgage"),
            True,
            id="a loan that is called a mortgage",
        ),
        *(
            pytest.param(
                account(1, iban_key=IBAN),
                observed_account(2, iban_key=IBAN, provider_type=other),
                False,
                id=f"a {other} account that carries the IBAN of the current account",
            )
            for other in ("card", "livret_a", "pea", "loan", "unknown")
        ),
        pytest.param(account(1, number_key="n"), observed_account(2, number_key="n"), True, id="same number"),
        pytest.param(
            account(1, number_key="n"),
            observed_account(2, number_key="n", provider_type="card"),
            False,
            id="a card has its account's number",
        ),
        pytest.param(
            account(1, number_key="n"),
            observed_account(2, number_key="n", currency=None),
            False,
            id="same number, currency not known",
        ),
        pytest.param(account(1), observed_account(2), False, id="the name alone is no key"),
        pytest.param(
            account(1, iban_key=IBAN, number_key="n"),
            observed_account(2, iban_key=OTHER_IBAN, number_key="n"),
            False,
            id="the IBAN decides over the number",
        ),
    ],
)
def test_the_strong_key_decides_whether_a_new_id_is_a_known_account(
    held: Account, shown: ObservedAccount, *, same: bool
) -> None:
    old = observed_account(1, iban_key=held.iban_key, number_key=held.number_key, deleted=True)
    outcome = read(connection(held), old, shown, at=after(minutes=1))
    assert len(outcome.connection.accounts) == (1 if same else 2)


def test_an_account_that_is_still_there_has_not_moved() -> None:
    held = connection(account(1, iban_key=IBAN))
    outcome = read(held, observed_account(1, iban_key=IBAN), observed_account(2, iban_key=IBAN), at=after(minutes=1))
    assert len(outcome.connection.accounts) == 2


def test_a_new_id_beside_one_that_is_only_absent_is_another_account_which_nobody_enables() -> None:
    held = connection(account(1, iban_key=IBAN, custom_name="Perso"))
    newcomer = observed_account(2, iban_key=IBAN, disabled=True)
    once = read(held, newcomer, at=after(minutes=1)).connection
    assert [(a.id, a.powens_id, a.enabled) for a in once.accounts] == [
        (account_id(1), 1, True),
        (account_id(2), 2, False),
    ]
    assert orders(once) == ()
    back = read(once, observed_account(1, iban_key=IBAN), newcomer, at=after(hours=30)).connection
    assert [(a.powens_id, a.enabled, a.wanted) for a in back.accounts] == [(1, True, True), (2, False, False)]
    assert orders(back) == ()


def test_after_a_day_of_absence_the_new_id_is_the_account_and_is_enabled() -> None:
    held = connection(account(1, iban_key=IBAN, custom_name="Perso"))
    newcomer = observed_account(2, iban_key=IBAN, disabled=True)
    once = read(held, newcomer, at=after(minutes=1)).connection
    almost = read(once, newcomer, at=after(hours=24)).connection
    assert orders(almost) == ()
    later = read(almost, newcomer, at=after(hours=24, minutes=1)).connection
    assert (only(later).id, only(later).powens_id, only(later).custom_name) == (account_id(1), 2, "Perso")
    assert [order.powens_id for order in orders(later)] == [2]


def ticked_and_denied(held: Connection, *shown: ObservedAccount) -> Connection:
    """Account 1 is ticked, and Powens says that it does not know its id."""
    return ledger.reconcile(
        choose(held, {1: True}, at=after(minutes=2)).connection,
        observed(*shown, at=after(minutes=3)),
        user_id=USER,
        powens_user_id=POWENS_USER,
        trigger=Cause.USER,
        correlation_id="c",
        now=after(minutes=3),
        denied={1},
    ).connection


def test_a_tick_of_an_account_whose_id_powens_denies_goes_to_what_shows_instead() -> None:
    held = connection(account(1, iban_key=IBAN, enabled=False))
    now = ticked_and_denied(held, observed_account(2, iban_key=IBAN, disabled=True))
    assert (only(now).id, only(now).powens_id) == (account_id(1), 2)
    assert [(order.powens_id, order.enabled) for order in orders(now)] == [(2, True)]


def test_a_tick_of_a_denied_id_is_no_tick_of_what_was_listed_beside_it() -> None:
    newcomer = observed_account(2, iban_key=IBAN, disabled=True)
    both = read(connection(account(1, iban_key=IBAN, enabled=False)), newcomer, at=after(minutes=1)).connection
    assert [order.powens_id for order in orders(ticked_and_denied(both, newcomer))] == [1]
    other = observed_account(3, iban_key=IBAN, disabled=True)
    assert [order.powens_id for order in orders(ticked_and_denied(both, newcomer, other))] == [1]


def test_absence_from_answers_with_an_account_that_nobody_can_identify_is_no_absence() -> None:
    held = connection(account(1, iban_key=IBAN))
    newcomer = observed_account(2, iban_key=IBAN, disabled=True)
    for hours in (1, 26, 52):
        seen = replace(observed(newcomer, at=after(hours=hours)), unidentified=1)
        held = read(held, seen=seen).connection
    old = held.account(account_id(1))
    assert old is not None
    assert (old.powens_id, old.missing_since, old.closed_at, old.unreadable) == (1, None, None, True)
    assert orders(held) == ()


def test_the_type_decides_between_two_lost_accounts_with_one_key() -> None:
    held = connection(account(1, iban_key=IBAN), account(2, iban_key=IBAN, provider_type="card"))
    outcome = read(
        held, gone(1), gone(2), observed_account(3, iban_key=IBAN, provider_type="card"), at=after(minutes=1)
    )
    assert [(a.id, a.powens_id) for a in outcome.connection.accounts] == [(account_id(1), 1), (account_id(2), 3)]
