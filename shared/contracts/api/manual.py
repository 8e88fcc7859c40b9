"""What a user tells about manual accounts, and the balances of every account."""

from typing import Annotated, Literal

from pydantic import Field

from shared.application.manual import Balance
from shared.contracts.api.bodies import Accepted, Amount, Answered, DecimalText, Name
from shared.contracts.events import Timestamp
from shared.domain.connection import AccountType


class ManualAccountRequest(Accepted):
    """An account that the user is going to keep."""

    name: Name
    """What the user calls it."""
    type: AccountType
    """Its type as users think."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{2,10}$")]
    """An active ISO 4217 code; for the type `crypto` the ticker of a known crypto-asset, too."""
    balance: DecimalText
    """As of now: a decimal string, a million millions at the most."""
    institution_name: Name | None = None
    """Where it is, as the user writes it."""


class LinkRequest(Accepted):
    """Which account is the same."""

    account_id: Annotated[str, Field(min_length=1, max_length=100)]
    """The synchronised account."""


class BalanceView(Answered):
    """What an account had at a moment."""

    at: Timestamp
    """When."""
    balance: Amount
    """As a decimal string."""
    currency: str | None
    """ISO 4217 code or the ticker of a crypto-asset; null when nobody knows it."""
    kind: Literal["manual", "synced"]
    """`manual` was typed by the user; `synced` came from the institution."""


class BalancesView(Answered):
    """A page of an account's balances, the newest first."""

    balances: tuple[BalanceView, ...]
    """Of this page."""
    next: str | None
    """The `cursor` of the next page; null on the last one."""


def balances_view(balances: list[Balance], following: str | None) -> BalancesView:
    shown = tuple(BalanceView(at=b.at, balance=b.balance, currency=b.currency, kind=b.kind) for b in balances)
    return BalancesView(balances=shown, next=following)
