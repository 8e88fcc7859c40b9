"""A wish to hear when an institution gives a type of account: granted by what is new there, and once."""

import pytest

from shared.domain.connection import Account, AccountType
from shared.domain.facts import Cause, FactType
from shared.domain.observation import Institution
from shared.domain.wishes import Wish, fulfilled, grant, wish_id
from tests.builders import BANK, NOW, account, after, connection


def wish(kind: AccountType = AccountType.SAVINGS, institution: Institution = BANK) -> Wish:
    return Wish(
        id=wish_id("alice", institution.id, kind),
        user_id="alice",
        institution_id=institution.id,
        institution_name=institution.name,
        type=kind,
        created_at=NOW,
    )


def test_the_same_wish_of_one_user_has_one_id_and_any_other_another() -> None:
    ids = [
        wish_id("alice", "bank", AccountType.SAVINGS),
        wish_id("bob", "bank", AccountType.SAVINGS),
        wish_id("alice", "other", AccountType.SAVINGS),
        wish_id("alice", "bank", AccountType.LOAN),
    ]
    assert len(set(ids)) == 4
    assert wish_id("alice", "bank", AccountType.SAVINGS) == ids[0]


def test_a_wish_is_granted_once() -> None:
    granted = grant(wish(), after(days=1), Cause.BANK)
    assert granted.wish.available_at == after(days=1)
    [fact] = granted.facts
    assert (fact.type, fact.connection_id, fact.accounts) == (FactType.ACCOUNT_NOW_AVAILABLE, None, ())
    again = grant(granted.wish, after(days=2), Cause.BANK)
    assert (again.wish, again.facts) == (granted.wish, ())


SAVINGS = account(2, provider_type="livret_a", enabled=False)


@pytest.mark.parametrize(
    ("found", "granted"),
    [
        pytest.param(SAVINGS, 1, id="of the type"),
        pytest.param(account(2, provider_type="pea"), 0, id="of another type"),
        pytest.param(account(2, provider_type="livret_a", closed_at=NOW), 0, id="closed at once"),
    ],
)
def test_a_new_account_of_the_type_grants_a_wish(found: Account, granted: int) -> None:
    before, now = connection(account(1)), connection(account(1), found)
    assert len(fulfilled([wish()], before, now, NOW, Cause.BANK)) == granted
    assert len(fulfilled([wish()], None, now, NOW, Cause.BANK)) == granted


def test_what_was_there_already_or_is_elsewhere_or_was_granted_grants_nothing() -> None:
    now = connection(account(1), SAVINGS)
    elsewhere = wish(institution=Institution(id="elsewhere", name="Autre Banque"))
    done = grant(wish(), NOW, Cause.BANK).wish
    assert fulfilled([wish()], now, now, NOW, Cause.BANK) == ()
    assert fulfilled([elsewhere, done, wish(AccountType.LOAN)], None, now, NOW, Cause.BANK) == ()
