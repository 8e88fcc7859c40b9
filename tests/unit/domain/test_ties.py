"""Rule 3 among accounts that share every strong key, and restorations that do not work."""

from dataclasses import replace

from shared.domain.connection import (
    Account,
    Connection,
    ItemStatus,
    OperationStatus,
    account_id,
)
from shared.domain.facts import Change
from shared.domain.ledger import expire, orders
from shared.domain.observation import ObservedAccount
from tests.builders import (
    account,
    after,
    answer,
    choose,
    connection,
    observed,
    observed_account,
    read,
)
from tests.unit.domain.identity_steps import IBAN, OTHER_IBAN, changes, gone, only


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


def test_a_tie_is_remembered_for_the_one_that_could_not_be_identified_when_it_was_decided() -> None:
    """Powens made both anew, and one old id could not be read just then: which new one is whose stays unknown."""
    held = pockets("Compte", "Compte", wanted=(False, True))
    half = replace(observed(gone(1), *made_anew("Compte", "Compte")[2:], at=after(minutes=1)), unidentified=1)
    decided = read(held, seen=half)
    assert orders(decided.connection) == ()
    outcome = read(decided.connection, *made_anew("Compte", "Compte"), at=after(minutes=2))
    assert [(a.id, a.powens_id, a.wanted, a.problem) for a in outcome.connection.accounts] == [
        (account_id(1), 11, False, None),
        (account_id(2), 12, True, "identical_accounts"),
    ]
    assert orders(outcome.connection) == ()


def test_a_pocket_that_the_first_answer_left_out_is_not_the_one_that_is_closed_when_it_shows() -> None:
    """Both have one IBAN and one number, but Powens knew the one that shows first, and under another name."""
    held = choose(connection(account(3, iban_key=IBAN, name="Vacances")), {3: False}).connection
    seen = [observed_account(1, iban_key=IBAN, name="Compte"), gone(3)]
    outcome = read(held, *seen, at=after(minutes=1))
    assert [(a.id, a.powens_id, a.wanted, a.closed_at is None) for a in outcome.connection.accounts] == [
        (account_id(3), 3, False, False),
        (account_id(1), 1, True, True),
    ]
    assert 1 not in {order.powens_id for order in orders(outcome.connection)}
    under_its_name = [observed_account(1, iban_key=IBAN, name="VACANCES"), gone(3)]
    assert [a.id for a in read(held, *under_its_name, at=after(minutes=1)).connection.accounts] == [account_id(3)]


def test_a_pocket_that_is_closed_beside_one_that_came_a_little_later_takes_no_other_with_it() -> None:
    """An answer that leaves one of two pockets out makes one younger than the other: it is still another account."""
    closed = account(1, iban_key=IBAN, number_key="n", name="Vacances", enabled=True)
    other = account(2, iban_key=IBAN, number_key="n", name="Projets", discovered_at=after(minutes=1))
    seen = [
        observed_account(1, iban_key=IBAN, number_key="n", name="Vacances", deleted=True),
        observed_account(2, iban_key=IBAN, number_key="n", name="Projets"),
    ]
    outcome = read(connection(closed, other), *seen, at=after(hours=17))
    assert [(a.id, a.powens_id, a.closed_at is None) for a in outcome.connection.accounts] == [
        (account_id(1), 1, False),
        (account_id(2), 2, True),
    ]


def test_one_answer_without_the_new_id_of_an_account_whose_old_id_is_long_gone_closes_nothing() -> None:
    old = account(1, iban_key=IBAN, missing_since=after(hours=1))
    new = account(2, iban_key=IBAN, enabled=False, discovered_at=after(hours=1))
    other = account(3, iban_key=OTHER_IBAN)
    shown = observed_account(3, iban_key=OTHER_IBAN)
    lacking = read(connection(old, new, other), shown, at=after(hours=26))
    assert [(a.id, a.closed_at) for a in lacking.connection.accounts] == [(account_id(n), None) for n in (1, 2, 3)]
    assert not [change for change, _ in changes(lacking) if change is Change.CLOSED]
    back = read(lacking.connection, observed_account(2, iban_key=IBAN, disabled=True), shown, at=after(hours=27))
    assert [(a.id, a.powens_id, a.wanted) for a in back.connection.accounts] == [
        (account_id(1), 2, True),
        (account_id(3), 3, True),
    ]
    gone_for_a_day = read(lacking.connection, shown, at=after(hours=51))
    closed = [(a.id, a.closed_at is not None) for a in gone_for_a_day.connection.accounts]
    assert closed == [(account_id(1), True), (account_id(3), False)]


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
