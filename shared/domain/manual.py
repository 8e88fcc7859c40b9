"""Accounts that a user keeps by hand, because no bank connection gives them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.connection import AccountType


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualAccount:
    """`linked_account_id` is the synchronised account that turned out to be the same."""

    id: str
    user_id: str
    name: str
    type: AccountType
    currency: str
    balance: Decimal
    institution_name: str | None = None
    linked_account_id: str | None = None
    created_at: datetime
