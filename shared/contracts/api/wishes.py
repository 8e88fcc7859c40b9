"""Wishes in the HTTP API."""

from typing import Annotated

from pydantic import Field

from shared.contracts.api.bodies import Accepted, Answered
from shared.contracts.events import Timestamp
from shared.domain.connection import AccountType
from shared.domain.wishes import Wish


class WishRequest(Accepted):
    institution_id: Annotated[str, Field(min_length=1, max_length=100)]
    type: AccountType


class WishView(Answered):
    id: str
    institution_id: str
    institution_name: str
    type: AccountType
    created_at: Timestamp
    available_at: Timestamp | None = Field(description="since when the institution gives the type; null until then")


def wish_view(wish: Wish) -> WishView:
    return WishView(
        id=wish.id,
        institution_id=wish.institution_id,
        institution_name=wish.institution_name,
        type=wish.type,
        created_at=wish.created_at,
        available_at=wish.available_at,
    )
