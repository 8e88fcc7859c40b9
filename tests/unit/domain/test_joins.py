"""Accounts kept by hand beside synchronised ones: whatever is joined, parted, ticked or lost, each counts once."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.domain import joins, manual
from shared.domain.connection import AccountType, Connection, connection_id
from shared.domain.copies import duplicates, identity
from shared.domain.errors import Conflict, InvalidInput
from shared.domain.facts import Cause, Fact, fold
from shared.domain.ledger import MOST_OPEN_OPERATIONS
from shared.domain.manual import CHUNK, BalancePoint, ManualAccount, ManualOutcome
from shared.domain.money import HIGHEST_BALANCE, check_balance, check_currency
from shared.domain.observation import Institution
from tests.builders import BANK, NOW, account, after, connection
from tests.unit.domain.test_properties import BOUNDED


def kept(
    name: str = "Mon compte",
    *,
    kind: AccountType = AccountType.CHECKING,
    currency: str = "EUR",
    balance: str = "1500",
    institution_name: str | None = "Banque du Test",
    linked: str | None = None,
) -> ManualAccount:
    outcome = manual.add(
        id="by-hand",
        user_id="alice",
        name=name,
        kind=kind,
        currency=currency,
        balance=Decimal(balance),
        institution_name=institution_name,
        now=NOW,
    )
    assert outcome.account is not None
    return replace(outcome.account, linked_account_id=linked)


def evidence(by_hand: ManualAccount, *connections: Connection) -> list[tuple[str, ...]]:
    return [suggestion.evidence for suggestion in joins.suggestions([by_hand], connections, set()).get(by_hand.id, ())]


# --- suggestions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Revolut", "Revolut", True),
        ("revolut bank", "Revolut", True),
        ("Crédit Agricole", "CREDIT AGRICOLE Île-de-France", True),
        ("La Banque Postale", "Banque Postale", True),
        ("Crédit Agricole", "Crédit Mutuel", False),
        ("Banque Horizon", "Banque du Test", False),
        ("Banque", "Banque du Test", False),
        ("", "Revolut", False),
        ("銀行", "Revolut", False),
    ],
)
def test_an_institution_is_recognised_by_its_telling_words(ours: str, theirs: str, *, same: bool) -> None:
    held = connection(account(1), institution=Institution(id="i", name=theirs))
    found = evidence(kept(institution_name=ours), held)
    assert bool(found) is same


@pytest.mark.parametrize(
    ("kind", "provider_type", "ours", "theirs", "same"),
    [
        (AccountType.CHECKING, "checking", "12.30", "12.3", True),
        (AccountType.CHECKING, "checking", "-12.30", "12.30", False),
        (AccountType.CARD, "card", "-12.30", "12.30", True),
        (AccountType.LOAN, "mortgage", "180000", "-180000", True),
        (AccountType.CHECKING, "checking", "0", "0.00", False),
        (AccountType.CHECKING, "checking", "12.30", "12.31", False),
    ],
)
def test_a_balance_is_a_sign_when_it_is_the_same_and_not_nothing(
    kind: AccountType, provider_type: str, ours: str, theirs: str, *, same: bool
) -> None:
    held = connection(account(1, provider_type=provider_type, balance=Decimal(theirs)))
    found = evidence(kept(kind=kind, balance=ours, institution_name=None), held)
    assert found == ([("same_type", "same_currency", "same_balance")] if same else [])


def test_the_likeliest_is_suggested_first_and_no_more_than_three() -> None:
    held = connection(*(account(n, balance=Decimal(n)) for n in range(1, 6)))
    found = joins.suggestions([kept(balance="4")], [held], set())["by-hand"]
    assert len(found) == 3
    assert found[0].account_id == held.accounts[3].id
    assert found[0].evidence == ("same_type", "same_currency", "same_institution", "same_balance")


def test_an_account_without_a_balance_or_currency_gives_no_sign_by_it() -> None:
    assert evidence(kept(institution_name=None), connection(account(1, balance=None))) == []
    assert evidence(kept(), connection(account(1, currency=None))) == []


def test_a_denied_account_stays_denied_under_a_new_id_and_through_another_connection() -> None:
    first = account(1, iban_key="iban-of-it")
    denied = manual.dismiss(kept(), first.id).account
    assert denied is not None
    assert evidence(denied, connection(first)) == []
    renamed = replace(first, id="new", former_ids=(first.id,))
    assert evidence(denied, connection(renamed)) == []
    twin = account(2, iban_key="iban-of-it", discovered_at=after(days=-1))
    assert evidence(denied, connection(first), connection(twin, powens_id=78)) == []


# --- what a join means -----------------------------------------------------------------------------------------------


def test_a_join_follows_an_account_that_turns_out_to_be_an_older_one() -> None:
    one = account(1)
    by_hand = kept(linked="what-it-was-called-then")
    held = connection(replace(one, former_ids=("what-it-was-called-then",)))
    assert joins.joined_with(by_hand, [held]) == held.accounts[0]
    assert not joins.counts(by_hand, [held])
    again = joins.join(by_hand, one.id, [by_hand], [held])
    assert again.facts == ()
    with pytest.raises(Conflict, match="another"):
        joins.join(replace(kept(), id="other"), one.id, [by_hand], [held])


def test_an_account_without_a_currency_is_not_joined() -> None:
    held = connection(account(1, currency=None))
    with pytest.raises(Conflict) as refused:
        joins.join(kept(), held.accounts[0].id, [], [held])
    assert refused.value.code == "currencies_differ"


def test_what_a_read_changes_at_most_fits_one_transaction() -> None:
    """The connection and its markers at the institution; ends and a restoration; facts; joins; wishes."""
    connection_and_markers = 1 + len(AccountType) + 1
    operations = 2 * MOST_OPEN_OPERATIONS + 2
    facts = 2
    joined = 2 * joins.MOST_JOINED
    wishes = 3 * len(AccountType)
    assert connection_and_markers + operations + facts + joined + wishes <= 100


def test_an_account_is_joined_as_long_as_few_are_with_its_connection() -> None:
    held = connection(*(account(n) for n in range(1, joins.MOST_JOINED + 2)))
    elsewhere = connection(account(99), powens_id=78)
    others = [replace(kept(linked=a.id), id=f"other-{a.id}") for a in held.accounts[1:]]
    with pytest.raises(Conflict) as refused:
        joins.join(kept(), held.accounts[0].id, others, [held, elsewhere])
    assert refused.value.code == "too_many_joined_accounts"
    assert joins.join(kept(), elsewhere.accounts[0].id, others, [held, elsewhere]).facts != ()
    gone = replace(held, removed_at=NOW)
    assert joins.join(kept(), elsewhere.accounts[0].id, others, [gone, elsewhere]).facts != ()


def test_a_chunk_of_balances_leaves_the_account_when_it_is_full_and_none_is_lost() -> None:
    by_hand = kept(balance="0")
    gone: list[BalancePoint] = []
    for number in range(1, 3 * CHUNK):
        outcome = manual.set_balance(by_hand, Decimal(number), after(days=number))
        assert outcome.account is not None
        assert len(outcome.outgrown) in (0, CHUNK)
        by_hand = outcome.account
        gone += outcome.outgrown
    assert [point.balance for point in (*gone, *by_hand.points)] == [Decimal(n) for n in range(3 * CHUNK)]
    assert by_hand.chunks * CHUNK == len(gone)
    assert manual.set_balance(by_hand, by_hand.balance, NOW) == ManualOutcome(account=by_hand)


@pytest.mark.parametrize("kind", AccountType)
def test_every_type_holds_up_to_the_highest_balance_and_some_may_owe_as_much(kind: AccountType) -> None:
    check_balance(HIGHEST_BALANCE, kind)
    with pytest.raises(InvalidInput):
        check_balance(HIGHEST_BALANCE + Decimal("0.01"), kind)
    owes = kind in {AccountType.CHECKING, AccountType.CARD, AccountType.LOAN, AccountType.OTHER}
    if owes:
        check_balance(-HIGHEST_BALANCE, kind)
    else:
        with pytest.raises(InvalidInput):
            check_balance(Decimal("-0.01"), kind)


@pytest.mark.parametrize("kind", AccountType)
@pytest.mark.parametrize("currency", ["EUR", "USD", "CHF", "XOF", "ZWG", "XCG"])
def test_every_type_may_be_in_any_currency_of_today(kind: AccountType, currency: str) -> None:
    check_currency(currency, kind)


@pytest.mark.parametrize("currency", ["FRF", "DEM", "HRK", "BGN", "ANG", "ZWL", "XXX", "XTS", "XAU", "eur", "BTC", ""])
def test_currencies_of_the_past_metals_and_test_codes_are_none(currency: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_currency(currency, AccountType.CHECKING)
    assert (refused.value.code, refused.value.field) == ("unknown_currency", "currency")


# --- whatever happens ------------------------------------------------------------------------------------------------

CONNECTIONS = 3
REALS = 3
"""Real accounts; each may be seen through every connection."""
which = st.integers(0, 5)
kinds = st.sampled_from([*[("checking", "EUR")] * 5, ("checking", "USD"), ("livret_a", "EUR")])


class JoinMachine(RuleBasedStateMachine):
    """A user, a bank and reads, each taking its step; every step is written as the use cases write it."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, ManualAccount] = {}
        self.connections: dict[str, Connection] = {}
        self.facts: list[Fact] = []
        self.dropped: set[str] = set()
        self.made = 0

    @initialize()
    def a_user_keeps_two_accounts_and_two_banks_show_one(self) -> None:
        for balance in (1, 2):
            self.adds(("checking", "EUR"), balance)
        for nth in (0, 1):
            self.an_account_appears(nth, 1, ("checking", "EUR"), 1)

    # --- writing, as `KeepManualAccounts` and `Changes` do it

    def write(self, known: str, outcome: ManualOutcome) -> None:
        self.facts += outcome.facts
        if outcome.account is None:
            del self.accounts[known]
            self.dropped.add(known)
        else:
            self.accounts[known] = outcome.account

    def change(self, changed: Connection) -> None:
        before = self.connections.get(changed.id)
        self.connections[changed.id] = changed
        if joins.standing(before) == joins.standing(changed):
            return
        for held, outcome in joins.affected(self.accounts.values(), before, changed, self.all, Cause.BANK):
            self.write(held.id, outcome)

    @property
    def all(self) -> list[Connection]:
        return list(self.connections.values())

    @property
    def doubled(self) -> set[str]:
        return set(duplicates(self.all, NOW))

    def a_manual(self, nth: int) -> ManualAccount:
        return list(self.accounts.values())[nth % len(self.accounts)]

    def a_synchronised(self, nth: int) -> str | None:
        living = [a.id for c in self.all if c.removed_at is None for a in c.accounts]
        return living[nth % len(living)] if living else None

    # --- the user

    @precondition(lambda self: len(self.accounts) < 4)
    @rule(kind=kinds, balance=st.integers(0, 3))
    def adds(self, kind: tuple[str, str], balance: int) -> None:
        self.made += 1
        outcome = manual.add(
            id=f"by-hand-{self.made}",
            user_id="alice",
            name="Mon compte",
            kind=AccountType.SAVINGS if kind[0] == "livret_a" else AccountType.CHECKING,
            currency=kind[1],
            balance=Decimal(balance),
            institution_name=BANK.name if self.made % 2 else None,
            now=NOW,
        )
        assert outcome.account is not None
        self.write(outcome.account.id, outcome)

    @precondition(lambda self: self.accounts)
    @rule(nth=which, name=st.sampled_from(["Mon compte", "Épargne"]))
    def renames(self, nth: int, name: str) -> None:
        held = self.a_manual(nth)
        self.write(held.id, manual.rename(held, name))

    @precondition(lambda self: self.accounts)
    @rule(nth=which, balance=st.integers(0, 3))
    def writes_a_balance_down(self, nth: int, balance: int) -> None:
        held = self.a_manual(nth)
        self.write(held.id, manual.set_balance(held, Decimal(balance), NOW))

    @precondition(lambda self: self.accounts)
    @rule(nth=which, to=which)
    def joins(self, nth: int, to: int) -> None:
        held, wanted = self.a_manual(nth), self.a_synchronised(to)
        if wanted is None:
            return
        try:
            self.write(held.id, joins.join(held, wanted, self.accounts.values(), self.all))
        except Conflict:
            assert self.accounts[held.id] == held

    @precondition(lambda self: self.accounts)
    @rule(nth=which)
    def accepts_a_suggestion(self, nth: int) -> None:
        held = self.a_manual(nth)
        for suggestion in joins.suggestions(self.accounts.values(), self.all, self.doubled).get(held.id, ())[:1]:
            self.write(held.id, joins.join(held, suggestion.account_id, self.accounts.values(), self.all))

    @precondition(lambda self: self.accounts)
    @rule(nth=which)
    def parts(self, nth: int) -> None:
        held = self.a_manual(nth)
        self.write(held.id, joins.part(held, self.all))

    @precondition(lambda self: self.accounts)
    @rule(nth=which, to=which)
    def joins_and_undoes_it_at_once(self, nth: int, to: int) -> None:
        held, wanted = self.a_manual(nth), self.a_synchronised(to)
        if wanted is None or held.linked_account_id is not None:
            return
        try:
            joined = joins.join(held, wanted, self.accounts.values(), self.all)
        except Conflict:
            return
        self.write(held.id, joined)
        self.write(held.id, joins.part(self.accounts[held.id], self.all))
        assert self.accounts[held.id] == replace(held, revision=held.revision + 2)

    @precondition(lambda self: self.accounts)
    @rule(nth=which, to=which)
    def denies(self, nth: int, to: int) -> None:
        held, wanted = self.a_manual(nth), self.a_synchronised(to)
        if wanted is not None:
            self.write(held.id, manual.dismiss(held, wanted))

    @precondition(lambda self: self.accounts)
    @rule(nth=which)
    def drops(self, nth: int) -> None:
        held = self.a_manual(nth)
        if joins.joined_with(held, self.all) is None:
            self.write(held.id, manual.drop(held))

    # --- the bank, and what a read of it shows

    @rule(nth=st.integers(0, CONNECTIONS - 1), real=st.integers(0, REALS - 1), kind=kinds, balance=st.integers(0, 3))
    def an_account_appears(self, nth: int, real: int, kind: tuple[str, str], balance: int) -> None:
        held = self.connections.get(connection_id(nth)) or connection(powens_id=nth)
        powens_id = 10 * nth + real + 1
        if held.removed_at is not None or any(a.powens_id == powens_id for a in held.accounts):
            return
        found = account(
            powens_id,
            provider_type=kind[0],
            currency=kind[1],
            balance=Decimal(balance),
            iban_key=f"iban-{powens_id % 10}" if real else None,
            enabled=bool(balance % 2),
            discovered_at=after(minutes=len(self.facts)),
        )
        self.change(replace(held, accounts=(*held.accounts, found)))

    @precondition(lambda self: self.connections)
    @rule(nth=which, to=which, what=st.sampled_from(["tick", "close", "identify"]))
    def an_account_changes(self, nth: int, to: int, what: str) -> None:
        held = self.all[nth % len(self.connections)]
        if held.removed_at is not None or not held.accounts:
            return
        found = held.accounts[to % len(held.accounts)]
        if what == "tick":
            found = replace(found, enabled=not found.enabled)
        elif what == "close":
            found = replace(found, closed_at=None if found.closed_at else NOW)
        else:
            found = replace(found, iban_key=None if found.iban_key else f"iban-{found.powens_id % 10}")
        self.change(held.with_account(found))

    @precondition(lambda self: self.connections)
    @rule(nth=which)
    def a_connection_goes_or_comes_back(self, nth: int) -> None:
        held = self.all[nth % len(self.connections)]
        self.change(replace(held, removed_at=None if held.removed_at else NOW))

    # --- what must hold

    @invariant()
    def what_the_events_fold_to_is_what_shows(self) -> None:
        twice = self.facts * 2
        random.Random(len(twice)).shuffle(twice)
        assert fold(twice) == {
            known: (joins.counts(held, self.all), held.type, held.currency) for known, held in self.accounts.items()
        }

    @invariant()
    def each_change_is_told_once_without_a_gap(self) -> None:
        for known in (*self.accounts, *self.dropped):
            told = [f.revision for f in self.facts if f.accounts[0].account_id == known]
            assert told == list(range(1, len(told) + 1))
        assert all(
            len([f for f in self.facts if f.accounts[0].account_id == k]) == h.revision
            for k, h in self.accounts.items()
        )

    @invariant()
    def everything_real_counts_once(self) -> None:
        living = [c for c in self.all if c.removed_at is None]
        doubled = self.doubled
        counting: dict[object, int] = {}
        for held in living:
            for a in held.accounts:
                key = identity(a, held) or a.id
                counting[key] = counting.get(key, 0) + (joins.counting(a) and a.id not in doubled)
        for by_hand in self.accounts.values():
            joined = joins.joined_with(by_hand, living)
            if joined is not None:
                owner = next(c for c in living if c.account(joined.id) is not None)
                counting[identity(joined, owner) or joined.id] += joins.counts(by_hand, living)
        assert all(times <= 1 for times in counting.values()), counting

    @invariant()
    def a_joined_account_kept_by_hand_counts_exactly_when_no_other_does(self) -> None:
        for by_hand in self.accounts.values():
            same = joins.same_account(by_hand.linked_account_id or "", self.all)
            assert joins.counts(by_hand, self.all) is not any(joins.counting(a) for a, _ in same)

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(to=which)
    def joins_two_with_one(self, to: int) -> None:
        wanted = self.a_synchronised(to)
        if wanted is None:
            return
        free = [a for a in self.accounts.values() if joins.joined_with(a, self.all) is None]
        refused = 0
        for held in free:
            try:
                self.write(held.id, joins.join(held, wanted, self.accounts.values(), self.all))
            except Conflict:
                refused += 1
        assert refused >= len(free) - 1

    @invariant()
    def nothing_is_suggested_without_an_independent_sign_or_against_the_users_word(self) -> None:
        for known, found in joins.suggestions(self.accounts.values(), self.all, self.doubled).items():
            by_hand = self.accounts[known]
            for suggestion in found:
                [(other, _), *_] = joins.same_account(suggestion.account_id, self.all)
                assert (other.type, other.currency) == (by_hand.type, by_hand.currency)
                assert {"same_institution", "same_balance"} & set(suggestion.evidence)
                assert other.id not in by_hand.not_the_same


def test_whatever_is_joined_parted_ticked_or_lost_counts_once_and_is_told() -> None:
    run_state_machine_as_test(JoinMachine, settings=BOUNDED)
