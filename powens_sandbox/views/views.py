"""The resources as Powens shows them: records of the model in, JSON objects out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

from powens_sandbox.banks.catalogue import ACCOUNT_TYPES, COUNTRIES, OTP, Connector, ConnectorSource, Field
from powens_sandbox.banks.people import bic
from powens_sandbox.views import wealth
from powens_sandbox.views.formats import Formats, Json, account_type, currency, formatted, number
from powens_sandbox.views.transactions import transactions
from powens_sandbox.world.model import Account, Connection, LogLine, Source, User

_EXPANSIONS = frozenset(
    {"connector", "sources", "accounts", "all_accounts", "subscriptions", "all_subscriptions", "connection"}
)
# What is empty for a disabled account, by the setting `disabled_account_fields`.
_DETAILS = frozenset(
    {
        "iban", "balance", "coming", "coming_balance", "formatted_balance", "usage", "ownership", "company_name",
        "loan", "bic", "valuation", "diff", "diff_percent",
    }
)  # fmt: skip
_HIDDEN_WHEN_DISABLED: Mapping[str, frozenset[str]] = {
    "minimal": _DETAILS | {"number", "currency"},
    "named": _DETAILS,
    "full": frozenset(),
}
# The address of a bank's own page is good for a few minutes.
_ADDRESS_LIFE = timedelta(minutes=10)


class Views(Formats):
    """Renders records under the settings in force when asked."""

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

    def account(self, account: Account, connection: Connection, *, transactions: bool | None = None) -> Json:
        """`transactions`: None leaves the list out, False gives it empty, True gives the account's whole history."""
        spec = account.spec
        shown: Json = {
            "id": account.id,
            "id_connection": account.connection_id,
            "id_user": account.user_id,
            "id_source": account.source_id,
            "id_parent": account.parent_id,
            "number": account.number,
            "iban": account.iban,
            "original_name": spec.name.upper() if spec.original_name == "" else spec.original_name,
            "name": account.name,
            **_amounts(account),
            "currency": self.currency_of(account),
            "type": self.account_type_of(account),
            "id_type": ACCOUNT_TYPES.get(account.type, ACCOUNT_TYPES["unknown"])[0],
            "display": account.display,
            "usage": account.usage,
            "ownership": spec.ownership,
            "bookmarked": int(account.bookmarked),
            "disabled": self.selection(account.disabled),
            "deleted": self.account_moment(account.deleted),
            "last_update": self.account_moment(account.last_update),
            "error": account.error,
            "company_name": spec.company_name,
            "loan": dict(spec.loan) if spec.loan else None,
            "bic": bic(connection.connector) if account.iban else None,
            "webid": f"w-{account.id}",
            "information": {},
            "opening_date": None,
        }
        if "wealth" in connection.connector.products and ACCOUNT_TYPES.get(account.type, ACCOUNT_TYPES["unknown"])[1]:
            shown |= _performance(account.balance)
        if account.disabled is not None:
            hidden = _HIDDEN_WHEN_DISABLED[self.settings.disabled_account_fields]
            shown |= dict.fromkeys(shown.keys() & hidden)
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
            "balance": number(balances.get("EUR", Decimal())),
            "balances": {key: number(value) for key, value in balances.items()},
            "coming_balances": {key: number(value) for key, value in coming.items()},
            "total": len(accounts),
        }

    def transactions(self, account: Account) -> list[Json]:
        return transactions(account, self.settings.first_sync_transactions, self.moment(account.last_update))

    def investments(self, account: Account) -> list[Json]:
        return wealth.investments(account, self.moment(account.last_update))

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


def _amounts(account: Account) -> Json:
    balance = account.balance
    return {
        "balance": number(balance),
        "coming": number(account.coming),
        "coming_balance": number(None if balance is None else balance + (account.coming or 0)),
        "formatted_balance": None if balance is None else formatted(balance, account.currency),
    }


def _performance(valuation: Decimal | None) -> Json:
    """What an account of investments has gained: always eight percent."""
    gain = None if valuation is None else (valuation * Decimal("0.08")).quantize(Decimal("0.01"))
    return {
        "valuation": number(valuation),
        "diff": number(gain),
        "diff_percent": None if valuation is None else 0.08,
        "prev_diff": None,
        "prev_diff_percent": None,
    }


def overlaid(shown: Json, raw: Mapping[str, object]) -> Json:
    """The answer with the fields that somebody spoilt; one that is shown on demand stays away without it."""
    return shown | {name: value for name, value in raw.items() if name in shown or name not in _EXPANSIONS}
