"""Rule 6: one real account seen through two connections of one user counts once."""

import pytest

from shared.domain.connection import Account, account_id
from shared.domain.ledger import duplicates
from shared.domain.observation import Institution
from tests.builders import BANK, account, after, connection

OTHER_BANK = Institution(id="another", name="Autre Banque")


def found(first: Account, second: Account, *, other_bank: bool = False) -> dict[str, str]:
    institution = OTHER_BANK if other_bank else BANK
    return duplicates([connection(first), connection(second, powens_id=78, institution=institution)])


def test_the_account_known_for_longest_counts() -> None:
    younger = account(2, iban_key="iban", discovered_at=after(days=1))
    assert found(younger, account(1, iban_key="iban")) == {account_id(2): account_id(1)}
    assert found(account(1, iban_key="iban"), younger, other_bank=True) == {account_id(2): account_id(1)}


def test_an_enabled_account_counts_before_a_disabled_one() -> None:
    younger = account(2, iban_key="iban", discovered_at=after(days=1))
    assert found(account(1, iban_key="iban", enabled=False), younger) == {account_id(1): account_id(2)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(account(2, iban_key="other"), id="another IBAN"),
        pytest.param(account(2, iban_key="iban", currency="USD"), id="another currency"),
        pytest.param(account(2, iban_key="iban", provider_type="card"), id="a card of the account"),
        pytest.param(account(2), id="no key at all"),
        pytest.param(account(2, iban_key="iban", closed_at=after()), id="closed"),
    ],
)
def test_other_accounts_are_no_duplicates(other: Account) -> None:
    assert found(account(1, iban_key="iban"), other) == {}


def test_a_number_identifies_an_account_inside_one_institution_only() -> None:
    first, second = account(1, number_key="n"), account(2, number_key="n")
    assert found(first, second) != {}
    assert found(first, second, other_bank=True) == {}


def test_accounts_of_one_connection_are_not_duplicates_of_each_other() -> None:
    assert duplicates([connection(account(1, iban_key="iban"), account(2, iban_key="iban"))]) == {}


def test_an_account_of_a_removed_connection_does_not_count() -> None:
    gone = connection(account(1, iban_key="iban"), removed_at=after())
    assert duplicates([gone, connection(account(2, iban_key="iban"), powens_id=78)]) == {}
