"""A small Powens for the properties: its accounts, what it shows of them, reads and orders under way."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.domain.ledger import Order, OrderResult
from shared.domain.observation import ObservedAccount, ObservedConnection

REALS = 5
"""How many real accounts the bank has. 0 and 1 share an IBAN and differ in currency; 4 has a number and no IBAN."""


def keys(real: int) -> tuple[str | None, str | None, str]:
    if real == 4:
        return None, "number-4", "EUR"
    return ("iban-0", None, "USD") if real == 1 else (f"iban-{real}", None, "EUR")


@dataclass(slots=True)
class PowensAccount:
    powens_id: int
    real: int
    disabled: bool = True
    deleted: bool = False
    balance: int = 0

    def level(self) -> tuple[int, bool, bool]:
        return self.powens_id, self.disabled, self.deleted

    def seen(self) -> ObservedAccount:
        iban, number, currency = keys(self.real)
        return ObservedAccount(
            powens_id=self.powens_id,
            name=f"Compte {self.real}",
            provider_type="checking",
            currency=currency,
            balance=Decimal(self.balance),
            disabled=self.disabled,
            deleted=self.deleted,
            iban_key=iban,
            number_key=number,
        )


def levels(shown: ObservedConnection) -> set[tuple[int, bool, bool]]:
    return {(a.powens_id, a.disabled, a.deleted) for a in shown.accounts}


@dataclass(slots=True)
class Read:
    """A read that began at `started_at`; what it shows is fixed when Powens answers, maybe later."""

    started_at: datetime
    shown: ObservedConnection | None = None


@dataclass(slots=True)
class Worker:
    """The one command worker of the connection, between computing its orders and writing down the answers."""

    in_hand: list[Order]
    operation_id: str
    results: list[OrderResult] = field(default_factory=list)
    answered_at: datetime | None = None
