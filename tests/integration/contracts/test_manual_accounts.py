"""Manual accounts: each change is written on what was read, with what it relied on."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.application.ports import StaleWriteError, TakenError
from shared.domain import ledger, manual
from shared.domain.connection import AccountType, account_id
from shared.domain.errors import UserBeingErased
from shared.domain.manual import CHUNK, ManualAccount, ManualOutcome
from tests.builders import USER
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.users import ANSWER, connected, marked


def added(stores: Stores) -> ManualOutcome:
    return manual.add(
        id="manual",
        user_id=USER,
        name="Livret",
        kind=AccountType.SAVINGS,
        currency="EUR",
        balance=Decimal(0),
        institution_name=None,
        now=stores.clock(),
    )


def kept(stores: Stores) -> ManualAccount:
    """A manual account, as it is stored."""
    stores.manual.save_manual(None, added(stores), correlation_id="c")
    return now(stores)


def now(stores: Stores) -> ManualAccount:
    [account] = stores.connections.listed(USER).manual_accounts
    return account


def test_an_account_is_read_as_it_was_decided_and_told_once(stores: Stores) -> None:
    decided = added(stores).account
    assert decided is not None
    assert kept(stores) == replace(decided, version=decided.version + 1)
    assert stores.sent().events == [("AccountsUpdated", 1)]
    with pytest.raises(StaleWriteError):
        kept(stores)


def test_a_change_of_what_somebody_else_has_changed_is_refused(stores: Stores) -> None:
    account = kept(stores)
    stores.manual.save_manual(account, manual.rename(account, "Savings"), correlation_id="c", answer=ANSWER)
    with pytest.raises(StaleWriteError):
        stores.manual.save_manual(account, manual.rename(account, "Other"), correlation_id="c")
    with pytest.raises(StaleWriteError):
        stores.manual.save_manual(account, manual.delete(account), correlation_id="c")
    with pytest.raises(TakenError):
        stores.manual.save_manual(account, manual.delete(account), correlation_id="c", answer=ANSWER)
    assert now(stores).name == "Savings"


def test_a_new_account_of_a_user_who_is_being_erased_is_refused(stores: Stores) -> None:
    marked(stores)
    with pytest.raises(UserBeingErased):
        kept(stores)


def test_what_a_change_relies_on_must_be_as_it_was_read_and_has_then_been_written_too(stores: Stores) -> None:
    held, account = connected(stores), kept(stores)
    renamed = manual.rename(account, "Savings")
    stores.manual.save_manual(account, renamed, correlation_id="c", relied_on=[held])

    # Who has read the connection before meets the change.
    with pytest.raises(StaleWriteError):
        stores.connections.save(held, ledger.rename(held, account_id(1), "Mine"), correlation_id="c")
    account = now(stores)
    with pytest.raises(StaleWriteError):
        stores.manual.save_manual(account, manual.rename(account, "Other"), correlation_id="c", relied_on=[held])
    assert now(stores) == account


def test_older_balances_are_found_oldest_first_and_go_with_their_account(stores: Stores) -> None:
    account = kept(stores)
    assert stores.manual.older_balances(account) == ()
    for number in range(1, 2 * CHUNK + 5):
        stores.clock.advance(days=1)
        outcome = manual.set_balance(account, Decimal(number), stores.clock())
        stores.manual.save_manual(account, outcome, correlation_id="c")
        account = now(stores)
    balances = [point.balance for point in (*stores.manual.older_balances(account), *account.points)]
    assert balances == [Decimal(number) for number in range(2 * CHUNK + 5)]
    assert account.chunks > 0

    stores.manual.save_manual(account, manual.delete(account), correlation_id="c")
    assert stores.connections.listed(USER).manual_accounts == ()
    assert stores.manual.older_balances(account) == ()
