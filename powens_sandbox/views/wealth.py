"""Below accounts of wealth: investments, pockets of employee savings, orders at the market, the plan of a loan.

Made up anew at each call: same account, same lines, and their sums are the account's.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from powens_sandbox.banks.catalogue import ACCOUNT_TYPES
from powens_sandbox.views.formats import PARIS, Json
from powens_sandbox.world.model import Account

# Money that an employer paid in is locked up: for five years, or until the pension.
_LOCKED: Mapping[str, str] = {"pee": "date", "rsp": "date", "perco": "retirement", "article83": "retirement"}
_ORDERED = frozenset({"market", "pea"})
_CENT = Decimal("0.01")
_USUAL_PAYMENTS = 36


def investments(account: Account, seen: str | None) -> list[Json]:
    """The lines of an account of investments; they add up to its balance. None while it is disabled."""
    invests = ACCOUNT_TYPES.get(account.type, ACCOUNT_TYPES["unknown"])[1]
    if account.disabled is not None or account.deleted is not None or account.balance is None or not invests:
        return []
    day = (account.last_update or account.opened).astimezone(PARIS).date().isoformat()
    first = (account.balance * Decimal("0.6")).quantize(Decimal("0.01"))
    lines: list[Json] = []
    for position, (label, code, amount) in enumerate(
        (
            ("Fonds Actions Monde", "FR0014SBX011", first),
            ("Fonds Obligations", "FR0014SBX029", account.balance - first),
        )
    ):
        lines.append(
            {
                "id": account.first_transaction_id + 900_000 + position,
                "id_account": account.id,
                "label": label,
                "code": code,
                "code_type": "ISIN",
                "stock_symbol": None,
                "source": None,
                "description": None,
                "quantity": 10.0,
                "unitprice": None,
                "unitvalue": float(amount / 10),
                "valuation": float(amount),
                "diff": None,
                "diff_percent": None,
                "prev_diff": None,
                "prev_diff_percent": None,
                "vdate": day,
                "prev_vdate": None,
                "portfolio_share": float((amount / account.balance).quantize(Decimal("0.0001")))
                if account.balance
                else None,
                "calculated": [],
                "deleted": None,
                "last_update": seen,
                "original_currency": None,
                "original_valuation": None,
                "original_unitvalue": None,
                "original_unitprice": None,
                "original_diff": None,
                "details": None,
                "pockets": [],
            }
        )
    of_all = pockets(account, lines, seen)
    for line in lines:
        line["pockets"] = [pocket for pocket in of_all if pocket["id_investment"] == line["id"]]
    return lines


def pockets(account: Account, investments: Sequence[Json], seen: str | None) -> list[Json]:
    """Two of each investment: what the employer locked up, and what can be taken out."""
    condition = _LOCKED.get(account.type)
    if condition is None:
        return []
    lines: list[Json] = []
    for investment in investments:
        quantity, value = (Decimal(str(investment[name])) for name in ("quantity", "valuation"))
        locked = (value * Decimal("0.7")).quantize(_CENT)
        for position, (why, share, amount) in enumerate(
            ((condition, Decimal("0.7"), locked), ("available", Decimal("0.3"), value - locked))
        ):
            until = account.opened.date() + timedelta(days=5 * 365) if why == "date" else None
            lines.append(
                {
                    "id": cast(int, investment["id"]) * 10 + position,
                    "id_investment": investment["id"],
                    "id_account": account.id,
                    "label": investment["label"],
                    "quantity": float(quantity * share),
                    "value": float(amount),
                    "condition": why,
                    "availability_date": until.isoformat() if until else None,
                    "deleted": None,
                    "last_update": seen,
                }
            )
    return lines


def market_orders(
    account: Account, investments: Sequence[Json], moment: Callable[[datetime], str | None]
) -> list[Json]:
    """One that was executed and one that waits, of the first investment."""
    if account.type not in _ORDERED or not investments:
        return []
    line, now = investments[0], account.last_update or account.opened
    orders: list[Json] = []
    for position, (kind, state, age) in enumerate(
        (((1, "MARKET"), "EXECUTED", timedelta(days=12)), ((2, "LIMIT"), "PENDING", timedelta(hours=3)))
    ):
        at, done = now - age, state == "EXECUTED"
        orders.append(
            {
                "id": account.first_transaction_id + 950_000 + position,
                "id_account": account.id,
                "number": f"O{account.id}-{position + 1}",
                "label": line["label"],
                "code": line["code"],
                "stock_symbol": None,
                "order_direction": {"id": 1, "name": "BUY"},
                "order_type": {"id": kind[0], "name": kind[1]},
                "stock_market": "EURONEXT PARIS",
                "state": state,
                "payment_method": "CASH",
                "date": moment(at),
                "execution_date": moment(at + timedelta(minutes=1)) if done else None,
                "validity_date": None if done else moment(now + timedelta(days=30)),
                "quantity": 2.0,
                "amount": None,
                "ordervalue": None if done else line["unitvalue"],
                "unitprice": line["unitvalue"] if done else None,
                "unitvalue": line["unitvalue"],
                "deleted": None,
                "last_update": moment(now),
            }
        )
    return orders


def amortizations(account: Account, seen: str | None) -> list[Json]:
    """The payments that are left, which bring what is owed to nothing."""
    loan, owed = account.spec.loan, -(account.balance or Decimal())
    if loan is None or account.disabled is not None or account.deleted is not None or owed <= 0:
        return []
    left = cast(int, loan.get("nb_payments_left") or loan.get("duration") or _USUAL_PAYMENTS)
    insurance = Decimal(str(loan.get("insurance_amount") or 0))
    rate = Decimal(str(loan.get("rate") or 0)) / 1200
    payment = (owed * rate / (1 - (1 + rate) ** -left) if rate else owed / left).quantize(_CENT)
    day = (account.last_update or account.opened).date().replace(day=5)
    code = account.currency or "EUR"
    lines: list[Json] = []
    for number in range(1, left + 1):
        interest = (owed * rate).quantize(_CENT)
        capital = owed if number == left else min(owed, payment - interest)
        owed -= capital
        day = _next_month(day)
        amounts = {
            "amortization_amount": capital,
            "interest_amount": interest,
            "insurance_amount": insurance,
            "total_payment_amount": capital + interest + insurance,
            "remaining_capital": owed,
        }
        lines.append(
            {
                "id_account": account.id,
                "payment_date": day.isoformat(),
                **{name: {"currency": code, "value": float(value)} for name, value in amounts.items()},
                "period": "month",
                "calculated": [],
                "deleted": None,
                "last_update": seen,
            }
        )
    return lines


def _next_month(day: date) -> date:
    return day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
