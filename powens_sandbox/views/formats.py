"""How values are written: moments, amounts, currencies, types of accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from powens_sandbox.banks.catalogue import ACCOUNT_TYPES, CURRENCIES
from powens_sandbox.settings import Settings

type Json = dict[str, object]

PARIS = ZoneInfo("Europe/Paris")
_NO_DATE: Mapping[str, str | None] = {"null": None, "zero": "0000-00-00 00:00:00", "empty": ""}


class Formats:
    """Those that depend on the settings in force when asked."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def moment(self, at: datetime | None) -> str | None:
        """`YYYY-MM-DD HH:MM:SS` as the clock on the wall shows it, without offset."""
        if at is None:
            return _NO_DATE[self.settings.empty_dates]
        zone = PARIS if self.settings.naive_timezone == "Europe/Paris" else UTC
        return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    def account_moment(self, at: datetime | None) -> str | None:
        if at is not None and self.settings.datetime_form == "offset":
            return at.astimezone(PARIS).isoformat(sep=" ", timespec="seconds")
        return self.moment(at)

    def selection(self, at: datetime | None) -> str | None:
        """`disabled` of an account: null is documented as "ticked", so it is the one date that is never left empty."""
        return None if at is None else self.account_moment(at)


def account_type(name: str) -> Json:
    identifier, is_invest, display, plural = ACCOUNT_TYPES.get(name, ACCOUNT_TYPES["unknown"])
    return {
        "id": identifier,
        "name": name,
        "id_parent": None,
        "is_invest": is_invest,
        "display_name": display,
        "display_name_p": plural,
    }


def currency(code: str) -> Json:
    name, symbol, precision, prefix = CURRENCIES.get(code, (code, code, 2, False))
    return {
        "id": code,
        "name": name,
        "symbol": symbol,
        "precision": precision,
        "prefix": prefix,
        "crypto": code == "BTC",
        "marketcap": None,
        "datetime": None,
    }


def formatted(amount: Decimal, code: str | None) -> str:
    """As a French reader writes it: groups of three with narrow spaces, a comma, the symbol behind."""
    _, symbol, precision, _ = CURRENCIES.get(code or "EUR", (code, code, 2, False))
    return f"{amount:,.{precision}f}".replace(",", "\u202f").replace(".", ",") + f"\u00a0{symbol}"


def number(value: Decimal | None) -> float | None:
    """Amounts have at most eight decimals, which a JSON number printed by its shortest form keeps exactly."""
    return None if value is None else float(value)
