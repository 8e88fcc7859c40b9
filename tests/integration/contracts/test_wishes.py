"""Wishes: each once, found by its institution while it is open."""

from dataclasses import replace

import pytest

from shared.application.ports import StaleWriteError, TakenError
from shared.application.wishes import Wisher
from shared.domain import wishes
from shared.domain.connection import AccountType
from shared.domain.errors import UserBeingErased
from shared.domain.facts import Cause
from shared.domain.wishes import Wish, WishOutcome
from tests.builders import BANK, NOW, USER
from tests.integration.contracts.stores import Stores
from tests.integration.contracts.users import ANSWER, marked


def wish_of(user_id: str, kind: AccountType = AccountType.CRYPTO) -> Wish:
    return Wish(
        id=wishes.wish_id(user_id, BANK.id, kind),
        user_id=user_id,
        institution_id=BANK.id,
        institution_name=BANK.name,
        type=kind,
        created_at=NOW,
    )


def wished(stores: Stores, user_id: str = USER, kind: AccountType = AccountType.CRYPTO) -> Wish:
    """A wish, as it is stored."""
    wish = wish_of(user_id, kind)
    stores.wishes.save_wish(None, WishOutcome(wish=wish), correlation_id="c")
    held = stores.wishes.wish(user_id, wish.id)
    assert held is not None
    return held


def found(stores: Stores, kind: AccountType = AccountType.CRYPTO) -> list[str]:
    return [wisher.user_id for wisher in stores.wishes.wishers(BANK.id, kind, after=None, limit=50)]


def test_a_wish_is_kept_once_and_found_by_its_user_and_its_institution(stores: Stores) -> None:
    wish = wished(stores)
    assert wish == replace(wish_of(USER), version=1)
    assert stores.connections.listed(USER).wishes == (wish,)
    assert found(stores) == [USER]
    assert found(stores, AccountType.SAVINGS) == []
    with pytest.raises(StaleWriteError):
        wished(stores)


def test_a_wish_that_is_granted_is_told_once_and_found_by_its_institution_no_more(stores: Stores) -> None:
    wish = wished(stores)
    granted = wishes.grant(wish, stores.clock(), Cause.RECONCILIATION)
    stores.wishes.save_wish(wish, granted, correlation_id="c")
    with pytest.raises(StaleWriteError):
        stores.wishes.save_wish(wish, granted, correlation_id="c")
    assert stores.sent().events == [("AccountNowAvailable", 1)]
    assert found(stores) == []


def test_a_wish_is_deleted_as_it_was_read_and_leaves_nothing(stores: Stores) -> None:
    wish = wished(stores)
    with pytest.raises(StaleWriteError):
        stores.wishes.delete_wish(replace(wish, version=7))
    stores.wishes.delete_wish(wish, answer=ANSWER)
    with pytest.raises(TakenError):
        stores.wishes.delete_wish(wish, answer=ANSWER)
    assert stores.wishes.wish(USER, wish.id) is None
    assert found(stores) == []


def test_a_new_wish_of_a_user_who_is_being_erased_is_refused(stores: Stores) -> None:
    marked(stores)
    with pytest.raises(UserBeingErased):
        wished(stores)


def test_wishers_come_by_pages_each_once(stores: Stores) -> None:
    users = {f"user-{number}" for number in range(5)}
    for user in users:
        wished(stores, user)
    pages: list[list[Wisher]] = []
    last = None
    while page := stores.wishes.wishers(BANK.id, AccountType.CRYPTO, after=last, limit=2):
        pages.append(page)
        last = page[-1]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {wisher.user_id for page in pages for wisher in page} == users
