"""Rules 1 and 3: what a new account is, and when a new Powens id is an account that we know."""

from dataclasses import replace

import pytest

from shared.domain import ledger
from shared.domain.connection import (
    MAX_ACCOUNTS,
    Account,
    Connection,
    ItemStatus,
    OperationKind,
    OperationStatus,
    account_id,
)
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Change
from shared.domain.ledger import Outcome, expire, orders
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

IBAN = "key-of-FR76-0112"
OTHER_IBAN = "key-of-FR76-0113"


def only(held: Connection) -> Account:
    (single,) = held.accounts
    return single


def changes(outcome: Outcome) -> list[tuple[Change, bool]]:
    return [(line.change, line.enabled) for fact in outcome.facts for line in fact.accounts]


def gone(powens_id: int = 1) -> ObservedAccount:
    """What Powens shows of an account that it has made anew under another id."""
    return observed_account(powens_id, iban_key=IBAN, disabled=True, deleted=True)


def restored(held: Connection) -> Connection:
    """Carry the restoration out: order, acknowledgement, read back."""
    confirmed = answer(held, at=after(minutes=2)).connection
    seen = observed_account(only(confirmed).powens_id, iban_key=IBAN)
    return read(confirmed, seen, at=after(minutes=3)).connection


# --- rule 1: a discovered account is not an enabled one ---


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


# --- ties: the pockets of one account ---


def pockets(*names: str, wanted: tuple[bool, ...] = (True, True)) -> Connection:
    return connection(
        *(
            account(n, iban_key=IBAN, name=name, enabled=enabled)
            for n, (name, enabled) in enumerate(zip(names, wanted, strict=True), start=1)
        )
    )


def made_anew(*names: str) -> list[ObservedAccount]:
    again = [observed_account(10 + n, iban_key=IBAN, name=name, disabled=True) for n, name in enumerate(names, start=1)]
    return [gone(1), gone(2), *again]


def test_the_name_tells_accounts_apart_that_are_equal_in_every_strong_key() -> None:
    held = pockets("Compte", "Vacances", wanted=(True, False))
    outcome = read(held, *made_anew("Vacances", "Compte"), at=after(minutes=1))
    assert [(a.id, a.powens_id) for a in outcome.connection.accounts] == [(account_id(1), 12), (account_id(2), 11)]
    assert [order.powens_id for order in orders(outcome.connection)] == [12]


def test_a_wish_that_all_tied_accounts_share_carries_over_and_no_own_name_is_lost() -> None:
    held = pockets("Compte", "Compte")
    named = replace(held, accounts=(held.accounts[0], replace(held.accounts[1], custom_name="Vacances 2027")))
    outcome = read(named, *made_anew("Compte", "Compte"), at=after(minutes=1))
    assert sorted(order.powens_id for order in orders(outcome.connection)) == [11, 12]
    assert {a.custom_name for a in outcome.connection.accounts} == {None, "Vacances 2027"}
    alone = read(named, *made_anew("Compte")[:3], at=after(minutes=1))
    assert [a.custom_name for a in alone.connection.accounts if a.powens_id == 11] == ["Vacances 2027"]


def test_tied_accounts_that_were_wanted_differently_are_for_the_user_to_tell_apart() -> None:
    outcome = read(
        pockets("Compte", "Compte", wanted=(True, False)), *made_anew("Compte", "Compte"), at=after(minutes=1)
    )
    assert orders(outcome.connection) == ()
    assert [(a.enabled, a.wanted, a.problem) for a in outcome.connection.accounts] == [
        (False, True, "identical_accounts"),
        (False, False, None),
    ]
    [operation] = outcome.operations
    assert [(i.status, i.reason) for i in operation.items] == [(ItemStatus.NEEDS_USER, "identical_accounts")]


def test_a_choice_on_its_way_to_one_of_two_that_nobody_can_tell_apart_ends_with_the_question() -> None:
    chosen = choose(pockets("Compte", "Compte", wanted=(False, False)), {1: True}).connection
    outcome = read(chosen, *made_anew("Compte", "Compte"), at=after(minutes=1))
    assert orders(outcome.connection) == ()
    assert OperationStatus.NEEDS_USER in {operation.status for operation in outcome.operations}
    asked = outcome.connection.account(account_id(1))
    assert asked is not None
    assert (asked.choice, asked.problem) == (None, "identical_accounts")


def test_pockets_that_are_absent_under_old_and_new_ids_are_told_apart_by_their_names() -> None:
    """One number covers all pockets of an account, so it does not say whose successor one of them is."""

    def pocket(powens_id: int, name: str, came: int, went: int | None = None) -> Account:
        missing_since = None if went is None else after(hours=went)
        known = account(powens_id, iban_key=IBAN, number_key="n", name=name, discovered_at=after(hours=came))
        return replace(known, missing_since=missing_since)

    held = connection(
        pocket(1, "Compte", 0, 1),
        pocket(2, "Vacances", 0, 1),
        pocket(3, "Compte", 1),
        pocket(4, "Vacances", 1, 3),
        pocket(5, "Vacances", 3),
    )
    shown = [
        observed_account(3, iban_key=IBAN, number_key="n", name="Compte"),
        observed_account(5, iban_key=IBAN, number_key="n", name="Vacances"),
    ]
    outcome = read(held, *shown, at=after(hours=29))
    assert [(a.id, a.powens_id) for a in outcome.connection.accounts] == [(account_id(1), 3), (account_id(2), 5)]


def test_one_account_of_which_powens_seems_to_make_two_is_for_the_user_to_find() -> None:
    held = connection(account(1, iban_key=IBAN))
    outcome = read(held, *made_anew("Un", "Deux"), at=after(minutes=1))
    assert orders(outcome.connection) == ()
    assert [(a.id, a.powens_id, a.wanted, a.problem) for a in outcome.connection.accounts] == [
        (account_id(1), 11, True, "identical_accounts"),
        (account_id(12), 12, False, None),
    ]


def test_the_number_tells_apart_what_one_iban_covers() -> None:
    held = connection(
        account(1, iban_key=IBAN, number_key="a"), account(2, iban_key=IBAN, number_key="b", enabled=False)
    )
    outcome = read(
        held,
        gone(1),
        gone(2),
        observed_account(11, iban_key=IBAN, number_key="b", disabled=True),
        observed_account(12, iban_key=IBAN, number_key="a", disabled=True),
        at=after(minutes=1),
    )
    assert [(a.id, a.powens_id) for a in outcome.connection.accounts] == [(account_id(1), 12), (account_id(2), 11)]
    assert [order.powens_id for order in orders(outcome.connection)] == [12]


# --- when the restoration does not work ---


def test_a_restoration_that_powens_refuses_asks_the_user_and_keeps_the_wish() -> None:
    back = read(
        connection(account(1, iban_key=IBAN)),
        gone(),
        observed_account(2, iban_key=IBAN, disabled=True),
        at=after(minutes=1),
    )
    outcome = answer(back.connection, at=after(minutes=2), refusals={2: "refused_by_powens"})
    assert [o.status for o in outcome.operations] == [OperationStatus.NEEDS_USER]
    assert [i.status for o in outcome.operations for i in o.items] == [ItemStatus.NEEDS_USER]
    asked = only(outcome.connection)
    assert (asked.enabled, asked.wanted, asked.problem) == (False, True, "recreated_by_powens")
    assert orders(outcome.connection) == ()


def test_a_restoration_that_never_shows_asks_the_user_and_is_not_tried_again_for_the_same_return() -> None:
    shown = observed_account(2, iban_key=IBAN, disabled=True)
    back = read(connection(account(1, iban_key=IBAN)), gone(), shown, at=after(minutes=1))
    ended = expire(back.connection, after(minutes=20))
    assert [o.status for o in ended.operations] == [OperationStatus.NEEDS_USER]
    again = read(ended.connection, gone(), shown, at=after(minutes=21))
    assert orders(again.connection) == ()
    assert only(again.connection).problem == "recreated_by_powens"


def test_a_user_who_was_asked_answers_by_ticking_or_unticking() -> None:
    asked = connection(account(1, enabled=False, wanted=True, problem="recreated_by_powens"))
    ticked = choose(asked, {1: True})
    assert [o.enabled for o in orders(ticked.connection)] == [True]
    unticked = choose(asked, {1: False})
    assert orders(unticked.connection) == ()
    left = only(unticked.connection)
    assert (left.enabled, left.wanted, left.problem) == (False, False, None)
    in_webview = only(read(asked, observed_account(1), at=after(minutes=1)).connection)
    assert (in_webview.enabled, in_webview.wanted, in_webview.problem) == (True, True, None)


def test_moves_and_news_in_one_read_are_one_fact() -> None:
    held = connection(account(1, iban_key=IBAN))
    outcome = read(
        held,
        seen=observed(
            gone(),
            observed_account(2, iban_key=IBAN, disabled=True),
            observed_account(3, iban_key=OTHER_IBAN, disabled=True),
            at=after(minutes=1),
        ),
    )
    assert len(outcome.facts) == 1
    assert {line.change for line in outcome.facts[0].accounts} == {Change.DISABLED, Change.ADDED}
