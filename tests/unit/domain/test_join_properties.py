"""Whatever is joined, parted, ticked or lost, each real account counts once, and all of it is told."""

import random
from dataclasses import replace
from decimal import Decimal

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
from shared.domain.errors import Conflict
from shared.domain.facts import Cause, Fact
from shared.domain.manual import ManualAccount, ManualOutcome
from tests.builders import BANK, NOW, account, after, connection
from tests.unit.domain.test_properties import BOUNDED
from tests.worlds.folding import fold

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
            id=f"manual-{self.made}",
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
            self.write(held.id, manual.delete(held))

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
        for manual_account in self.accounts.values():
            joined = joins.joined_with(manual_account, living)
            if joined is not None:
                owner = next(c for c in living if c.account(joined.id) is not None)
                counting[identity(joined, owner) or joined.id] += joins.counts(manual_account, living)
        assert all(times <= 1 for times in counting.values()), counting

    @invariant()
    def a_joined_account_kept_by_hand_counts_exactly_when_no_other_does(self) -> None:
        for manual_account in self.accounts.values():
            same = joins.same_account(manual_account.linked_account_id or "", self.all)
            assert joins.counts(manual_account, self.all) is not any(joins.counting(a) for a, _ in same)

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
            manual_account = self.accounts[known]
            for suggestion in found:
                [(other, _), *_] = joins.same_account(suggestion.account_id, self.all)
                assert (other.type, other.currency) == (manual_account.type, manual_account.currency)
                assert {"same_institution", "same_balance"} & set(suggestion.evidence)
                assert other.id not in manual_account.not_the_same


def test_whatever_is_joined_parted_ticked_or_lost_counts_once_and_is_told() -> None:
    run_state_machine_as_test(JoinMachine, settings=BOUNDED)
