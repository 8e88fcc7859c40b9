"""Wishes in the HTTP API."""

from typing import Annotated

from pydantic import Field

from shared.contracts.api.bodies import Accepted, Answered
from shared.contracts.events import Timestamp
from shared.domain.connection import AccountType
from shared.domain.unknown import known
from shared.domain.wishes import Wish


class WishRequest(Accepted):
    """What to wait for."""

    institution_id: Annotated[str, Field(min_length=1, max_length=100)]
    """As in the catalogue of institutions."""
    type: AccountType
    """The type of account that is missing."""


class WishView(Answered):
    """A user waits for an institution to give a type of account."""

    id: str
    """Ours."""
    institution_id: str
    """As in the catalogue of institutions."""
    institution_name: str
    """What users call it."""
    type: AccountType
    """The type of account that is missing."""
    created_at: Timestamp
    """Since when the user waits."""
    available_at: Timestamp | None
    """Since when the institution gives the type; null until then."""


def wish_view(wish: Wish) -> WishView:
    return WishView(
        id=wish.id,
        institution_id=wish.institution_id,
        institution_name=wish.institution_name,
        type=known(wish.type, AccountType.OTHER),
        created_at=wish.created_at,
        available_at=wish.available_at,
    )
