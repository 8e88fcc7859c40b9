""" "Prévenez-moi": a user wishes to be notified when an institution gives a type of account. A wish is granted once."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.connection import AccountType, Connection
from shared.domain.facts import Cause, Fact, FactType
from shared.domain.unknown import Stored

_NAMESPACE = uuid.UUID("5c4a9f0e-0c86-4b1a-9a4e-9d3c3a1f7f52")

MOST_WISHES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish(Stored):
    """`available_at` is None until it is granted."""

    id: str
    user_id: str
    institution_id: str
    institution_name: str
    type: AccountType
    created_at: datetime
    available_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WishOutcome:
    wish: Wish
    facts: tuple[Fact, ...] = ()


def wish_id(user_id: str, institution_id: str, kind: AccountType) -> str:
    """Derived, so that the same wish from two devices is one wish."""
    return str(uuid.uuid5(_NAMESPACE, f"wish/{user_id}/{institution_id}/{kind.value}"))


def grant(wish: Wish, now: datetime, cause: Cause) -> WishOutcome:
    """Grant the wish, with a fact. A wish that was granted before does not change."""
    if wish.available_at is not None:
        return WishOutcome(wish=wish)
    fact = Fact(
        type=FactType.ACCOUNT_NOW_AVAILABLE,
        user_id=wish.user_id,
        connection_id=None,
        revision=1,
        cause=cause,
        wish_id=wish.id,
        institution_id=wish.institution_id,
        account_type=wish.type,
    )
    return WishOutcome(wish=replace(wish, available_at=now), facts=(fact,))


def fulfilled(
    wishes: Iterable[Wish], before: Connection | None, after: Connection, now: datetime, cause: Cause
) -> tuple[tuple[Wish, WishOutcome], ...]:
    """The wishes that a change of a connection grants, because a new account has the type."""
    types = new_types(before, after)
    if not types:
        return ()
    return tuple(
        (wish, grant(wish, now, cause))
        for wish in wishes
        if wish.available_at is None and wish.institution_id == after.institution.id and wish.type in types
    )


def new_types(before: Connection | None, after: Connection) -> frozenset[AccountType]:
    """The types of the accounts that only `after` has."""
    earlier = {account.id for account in before.accounts} if before is not None else set()
    return frozenset(a.type for a in after.accounts if a.id not in earlier and a.closed_at is None)
