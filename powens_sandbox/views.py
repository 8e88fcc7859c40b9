"""The resources as Powens shows them: records of the model in, JSON objects out."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from powens_sandbox import wealth
from powens_sandbox.catalogue import (
    ACCOUNT_TYPES,
    COUNTRIES,
    CURRENCIES,
    OTP,
    Connector,
    ConnectorSource,
    Field,
)
from powens_sandbox.model import Account, Connection, LogLine, Source, User
from powens_sandbox.people import bic
from powens_sandbox.settings import Settings

type Json = dict[str, object]

PARIS = ZoneInfo("Europe/Paris")
_EXPANSIONS = frozenset(
    {"connector", "sources", "accounts", "all_accounts", "subscriptions", "all_subscriptions", "connection"}
)
_NO_DATE: Mapping[str, str | None] = {"null": None, "zero": "0000-00-00 00:00:00", "empty": ""}
# The address of a bank's own page is good for a few minutes.
_ADDRESS_LIFE = timedelta(minutes=10)


class Views:
    """Renders records under the settings in force when asked."""

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

    # Users and connectors

    def user(self, user: User) -> Json:
        return {"id": user.id, "signin": self.moment(user.signin), "platform": "sharedAccess"}

    def connector(self, connector: Connector, expand: frozenset[str] = frozenset()) -> Json:
        mechanisms = list(dict.fromkeys(source.auth_mechanism for source in connector.sources_open))
        shown: Json = {
            "id": connector.id,
            "uuid": connector.uuid,
            "name": connector.name,
            "hidden": connector.hidden,
            "charged": not connector.is_test,
            "beta": connector.beta,
            "restricted": connector.restricted,
            "code": None,
            "color": connector.color,
            "slug": connector.slug,
            "months_to_fetch": connector.months_to_fetch,
            "auth_mechanism": mechanisms[0] if mechanisms else None,
            "available_auth_mechanisms": mechanisms,
            "transfer_mechanism": "webauth" if "transfer" in connector.capabilities else None,
            "siret": connector.siret,
            "capabilities": list(connector.capabilities),
            "account_usages": self._usages(connector),
            "products": list(connector.products),
            "sync_frequency": None,
        }
        if self.settings.source_account_types:
            types = (kind for source in connector.sources for kind in source.account_types)
            shown["account_types"] = list(dict.fromkeys(types))
        if self.settings.connector_form == "live":
            shown["stability"] = self._stability(connector)
        if "sources" in expand:
            shown["sources"] = [self.connector_source(connector, source) for source in connector.sources]
        if "fields" in expand:
            shown["fields"] = [self.field(item) for item in connector.fields]
        if "payment_fields" in expand:
            shown["payment_fields"] = []
        if "countries" in expand:
            shown["countries"] = [{"id": connector.country, "name": COUNTRIES[connector.country]}]
        if "urls" in expand:
            shown["urls"] = [f"https://www.{connector.slug}.example"]
        return shown

    def connector_source(self, connector: Connector, source: ConnectorSource) -> Json:
        shown: Json = {
            "id": source.id,
            "id_connector": connector.id,
            "name": source.name,
            "auth_mechanism": source.auth_mechanism,
            "available_auth_mechanisms": [source.auth_mechanism],
            "disabled": self.moment(source.disabled),
            "priority": source.priority,
            "account_usages": self._usages(connector),
        }
        if self.settings.source_account_types:
            shown["account_types"] = list(source.account_types)
        if self.settings.connector_form == "live":
            shown["stability"] = self._stability(connector)
        return shown

    def _usages(self, connector: Connector) -> list[str]:
        live = self.settings.connector_form == "live"
        return [usage if live else usage.lower() for usage in connector.usages]

    def _stability(self, connector: Connector) -> Json:
        return {
            "status": "stable" if connector.stable else "unstable",
            "last_update": self.moment(connector.stability_update),
        }

    def field(self, item: Field) -> Json:
        return {
            "name": item.name,
            "type": item.type,
            "label": item.label,
            "required": item.required,
            "regex": item.regex,
            "values": [{"label": label, "value": value} for label, value in item.values],
            "connector_sources": list(item.sources),
            "auth_mechanisms": list(item.mechanisms),
        }

    # Connections

    def connection(
        self,
        connection: Connection,
        expand: frozenset[str] = frozenset(),
        nested: frozenset[str] = frozenset(),
        told: Sequence[Account] = (),
    ) -> Json:
        """`nested` expands the connector; `told` are the accounts whose transactions the object carries."""
        state = connection.shown_state
        address_end = self._address_end(connection)
        consent_end = max((s.access_expire for s in connection.sources if s.access_expire), default=None)
        shown: Json = {
            "id": connection.id,
            "id_user": connection.user_id,
            "id_connector": connection.connector.id,
            "connector_uuid": connection.connector.uuid,
            "id_bank": connection.connector.id,
            "id_provider": None,
            "state": state,
            "error": state,
            "error_message": self._error_message(connection),
            "fields": self.prompted_fields(connection),
            "last_update": self.moment(connection.last_update),
            "created": self.moment(connection.created),
            "active": connection.active,
            "last_push": self.moment(connection.last_push),
            "expire": self.moment(address_end or consent_end),
            "next_try": self.moment(connection.next_try if connection.active else None),
        }
        if "connector" in expand:
            shown["connector"] = self.connector(connection.connector, nested)
        if "sources" in expand:
            shown["sources"] = [self.source(connection, source) for source in connection.sources]
        if "accounts" in expand:
            shown["accounts"] = [
                self.account(account, connection, transactions=account in told)
                for account in connection.enabled_accounts
            ]
        if "all_accounts" in expand:
            shown["all_accounts"] = [self.account(account, connection) for account in connection.accounts]
        for key in ("subscriptions", "all_subscriptions"):
            if key in expand:
                shown[key] = []
        return overlaid(shown, connection.raw)

    def _address_end(self, connection: Connection) -> datetime | None:
        """Until when the bank's own page waits, for a connection that waits for it."""
        if connection.shown_state != "webauthRequired" or not self.settings.webauth_address:
            return None
        return (connection.last_push or connection.created) + _ADDRESS_LIFE

    def _error_message(self, connection: Connection) -> str | None:
        """What the bank says; where its own page waits, nothing but a redirection there, as was seen."""
        end = self._address_end(connection)
        if connection.error_message is not None or end is None:
            return connection.error_message
        request = f"request=r{connection.id}&expires={int(end.timestamp())}"
        return f"Redirecting to https://connexion.{connection.connector.slug}.example/authorize?{request}"

    def prompted_fields(self, connection: Connection) -> list[Json] | None:
        match connection.shown_state:
            case "additionalInformationNeeded":
                return [self.field(OTP)]
            case "wrongpass":
                return [self.field(item) for item in connection.connector.fields if item.type in {"text", "password"}]
            case _:
                return None

    def source(self, connection: Connection, source: Source) -> Json:
        connector_source = connection.connector.source(source.name)
        details: Json = {
            "name": source.name,
            "priority": connector_source.priority if connector_source else 0,
            "auth_mechanism": connector_source.auth_mechanism if connector_source else None,
        }
        shown: Json = {
            "id": source.id,
            "id_connection": connection.id,
            "id_connector_source": source.connector_source_id,
            "state": source.state,
            "error_message": self._error_message(connection) if source.state else None,
            "last_update": self.moment(source.last_update),
            "disabled": self.moment(source.disabled),
            "created": self.moment(source.created),
            "access_expire": self.moment(source.access_expire),
            "expire": self.moment((self._address_end(connection) if source.state else None) or source.access_expire),
            "next_try": self.moment(connection.next_try),
        }
        return shown | ({"source": details} if self.settings.source_form == "nested" else {"name": source.name})

    def log_line(self, connection: Connection, line: LogLine) -> Json:
        return {
            "id": line.id,
            "id_connection": connection.id,
            "id_source": line.source_id,
            "id_connector": connection.connector.id,
            "state": line.state,
            "error": line.state,
            "error_message": line.error_message,
            "fields": None,
            "timestamp": self.moment(line.at),
            "start": self.moment(line.at),
            "statut": 0 if line.state is None else 1,
        }

    # Accounts

    def account(self, account: Account, connection: Connection, *, transactions: bool | None = None) -> Json:
        """`transactions`: None leaves the list out, False gives it empty, True gives the account's whole history."""
        known = account.disabled is None
        detail = self.settings.disabled_account_fields
        named, full = known or detail != "minimal", known or detail == "full"
        balance = account.balance if full else None
        coming = account.coming if full else None
        shown: Json = {
            "id": account.id,
            "id_connection": account.connection_id,
            "id_user": account.user_id,
            "id_source": account.source_id,
            "id_parent": account.parent_id,
            "number": account.number if named else None,
            "iban": account.iban if full else None,
            "original_name": account.spec.original_name or (None if account.spec.original_name is None else
                                                            account.spec.name.upper()),
            "name": account.name,
            "balance": _number(balance),
            "coming": _number(coming),
            "coming_balance": _number(None if balance is None else balance + (coming or 0)),
            "formatted_balance": formatted(balance, account.currency) if balance is not None else None,
            "currency": self.currency_of(account) if named else None,
            "type": self.account_type_of(account),
            "id_type": ACCOUNT_TYPES.get(account.type, ACCOUNT_TYPES["unknown"])[0],
            "display": account.display,
            "usage": account.usage if full else None,
            "ownership": account.spec.ownership if full else None,
            "bookmarked": int(account.bookmarked),
            "disabled": self.selection(account.disabled),
            "deleted": self.account_moment(account.deleted),
            "last_update": self.account_moment(account.last_update),
            "error": account.error,
            "company_name": account.spec.company_name if full else None,
            "loan": dict(account.spec.loan) if account.spec.loan and full else None,
            "bic": bic(connection.connector) if account.iban and full else None,
            "webid": f"w-{account.id}",
            "information": {},
            "opening_date": None,
        }  # fmt: skip
        if "wealth" in connection.connector.products and ACCOUNT_TYPES.get(account.type, ACCOUNT_TYPES["unknown"])[1]:
            gain = balance * Decimal("0.08") if balance is not None else None
            shown |= {
                "valuation": _number(balance),
                "diff": _number(gain.quantize(Decimal("0.01")) if gain is not None else None),
                "diff_percent": 0.08 if balance is not None else None,
                "prev_diff": None,
                "prev_diff_percent": None,
            }
        if transactions is not None:
            shown["transactions"] = self.transactions(account) if transactions else []
            shown["investments"] = self.investments(account)
            shown["market_orders"] = self.market_orders(account)
        return overlaid(shown, account.raw)

    def account_type_of(self, account: Account) -> object:
        if self.settings.account_type_form == "object":
            return account_type(account.type)
        return account.type

    def currency_of(self, account: Account) -> object:
        if account.currency is None or self.settings.currency_form == "code":
            return account.currency
        return currency(account.currency)

    def accounts_envelope(self, accounts: Sequence[Account], items: Sequence[Json]) -> Json:
        """`accounts` with the totals per currency of those that count: enabled, present, displayed, with a balance."""
        balances: dict[str, Decimal] = {}
        coming: dict[str, Decimal] = {}
        for account in accounts:
            if account.disabled or account.deleted or not account.display or account.balance is None:
                continue
            key = account.currency or "EUR"
            balances[key] = balances.get(key, Decimal()) + account.balance
            coming[key] = coming.get(key, Decimal()) + account.balance + (account.coming or Decimal())
        return {
            "accounts": list(items),
            "balance": _number(balances.get("EUR", Decimal())),
            "balances": {key: _number(value) for key, value in balances.items()},
            "coming_balances": {key: _number(value) for key, value in coming.items()},
            "total": len(accounts),
        }

    def transactions(self, account: Account) -> list[Json]:
        """Newest first. Made up anew at each call: same account, same transactions; none while it is disabled."""
        if account.disabled is not None or account.deleted is not None:
            return []
        today = (account.last_update or datetime.now(UTC)).astimezone(PARIS).date()
        seen = self.moment(account.last_update)
        return [
            self._transaction(account, position, today, seen)
            for position in range(self.settings.first_sync_transactions)
        ]

    def _transaction(self, account: Account, position: int, today: date, seen: str | None) -> Json:
        # A generator seeded per transaction costs too much for histories of several megabytes: a hash gives the digits.
        draw = int.from_bytes(hashlib.blake2s(f"{account.spec.key}/{position}".encode(), digest_size=4).digest())
        label, sign = _WORDINGS[draw % len(_WORDINGS)]
        day = (today - timedelta(days=position + draw % 2)).isoformat()
        return {
            "id": account.first_transaction_id + position,
            "id_account": account.id,
            "application_date": day,
            "date": day,
            "datetime": None,
            "rdate": day,
            "rdatetime": None,
            "vdate": (today - timedelta(days=position + draw % 2 - 1)).isoformat(),
            "vdatetime": None,
            "value": sign * (draw % 20000 + 150) / 100,
            "gross_value": None,
            "type": "transfer" if sign > 0 else "card",
            "original_wording": label.upper(),
            "simplified_wording": label,
            "wording": label,
            "categories": [],
            "date_scraped": seen,
            "last_update": seen,
            "coming": False,
            "active": True,
            "id_cluster": None,
            "comment": None,
            "deleted": None,
            "original_value": None,
            "original_gross_value": None,
            "original_currency": None,
            "commission": None,
            "commission_currency": None,
            "card": None,
            "counterparty": None,
        }

    def investments(self, account: Account) -> list[Json]:
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
                    "last_update": self.moment(account.last_update),
                    "original_currency": None,
                    "original_valuation": None,
                    "original_unitvalue": None,
                    "original_unitprice": None,
                    "original_diff": None,
                    "details": None,
                    "pockets": [],
                }
            )
        of_all = wealth.pockets(account, lines, self.moment(account.last_update))
        for line in lines:
            line["pockets"] = [pocket for pocket in of_all if pocket["id_investment"] == line["id"]]
        return lines

    def pockets(self, account: Account) -> list[Json]:
        return [pocket for line in self.investments(account) for pocket in cast(list[Json], line["pockets"])]

    def market_orders(self, account: Account) -> list[Json]:
        return wealth.market_orders(account, self.investments(account), self.moment)

    def amortizations(self, account: Account) -> list[Json]:
        return wealth.amortizations(account, self.moment(account.last_update))

    def ownership(self, account: Account, connection: Connection) -> Json:
        source = next((source for source in connection.sources if source.id == account.source_id), None)
        return {
            "id_account": account.id,
            "id_connection": connection.id,
            "id_user": account.user_id,
            "id_connector_source": source.connector_source_id if source else None,
            "name": None,
            "bank_name": connection.connector.name,
            "multiple_holders": account.spec.ownership == "co-owner",
            "calculated": [],
            "usage": account.usage,
            "parties": [],
            "identifications": [{"scheme_name": "IBAN", "identification": account.iban}] if account.iban else [],
        }


_WORDINGS = (
    ("Boulangerie du Port", -1), ("Virement salaire", 1), ("Transports urbains", -1), ("Marché couvert", -1),
    ("Remboursement santé", 1), ("Librairie des Arcades", -1), ("Abonnement énergie", -1), ("Restaurant Le Phare", -1),
)  # fmt: skip


def overlaid(shown: Json, raw: Mapping[str, object]) -> Json:
    """The answer with the fields that somebody spoilt; one that is shown on demand stays away without it."""
    return shown | {name: value for name, value in raw.items() if name in shown or name not in _EXPANSIONS}


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


def _number(value: Decimal | None) -> float | None:
    """Amounts have at most eight decimals, which a JSON number printed by its shortest form keeps exactly."""
    return None if value is None else float(value)
