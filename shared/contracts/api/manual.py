"""What a user tells about manual accounts, and the balances of every account."""

from typing import Annotated, Literal

from pydantic import Field

from shared.application.manual import Balance
from shared.contracts.api.bodies import Accepted, Amount, Answered, DecimalText, Name
from shared.contracts.events import Timestamp
from shared.domain.connection import AccountType


class ManualAccountRequest(Accepted):
    """`currency` is an active ISO 4217 code; for the type `crypto` the ticker of a known crypto-asset, too."""

    name: Name
    type: AccountType
    currency: Annotated[str, Field(pattern=r"^[A-Z]{2,10}$")]
    balance: DecimalText
    institution_name: Name | None = None


class LinkRequest(Accepted):
    account_id: Annotated[str, Field(min_length=1, max_length=100)]


class BalanceView(Answered):
    at: Timestamp
    balance: Amount
    currency: str | None
    kind: Literal["manual", "synced"]


class BalancesView(Answered):
    balances: tuple[BalanceView, ...]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


def balances_view(balances: list[Balance], following: str | None) -> BalancesView:
    shown = tuple(BalanceView(at=b.at, balance=b.balance, currency=b.currency, kind=b.kind) for b in balances)
    return BalancesView(balances=shown, next=following)
