"""Accounts, as the bank changes them."""

import itertools

from powens_sandbox.banks.catalogue import ACCOUNT_TYPES, CURRENCIES, AccountSpec
from powens_sandbox.errors import invalid, not_found
from powens_sandbox.params import Call, Params, as_decimal
from powens_sandbox.routing import Row
from powens_sandbox.switches.values import only, raw
from powens_sandbox.views.formats import Json
from powens_sandbox.world.model import Account, Connection
from powens_sandbox.world.world import World


class AccountSwitches:
    """What happens to accounts at the bank or at Powens."""

    def __init__(self, world: World) -> None:
        self.world = world

    def rows(self) -> list[Row]:
        return [
            ("POST", "/connections/{id}/accounts", self.account_create),
            ("GET", "/accounts/{id}", self.account_read),
            ("PATCH", "/accounts/{id}", self.account_change),
        ]

    def _account(self, call: Call) -> tuple[Account, Connection]:
        account = self.world.accounts.get(call.path_id("id", "account"))
        if account is None:
            raise not_found("account")
        return account, self.world.connections[account.connection_id]

    def account_create(self, call: Call) -> Json:
        """The bank shows one more account: `name`, `type`; `currency` (EUR), `balance`, `coming`, `number`, `iban`,
        `usage`, `source` (the connection's first). It is discovered, disabled; `sync` (default true): tells about it.
        """
        connection = self.world.connections.get(call.path_id("id", "connection"))
        if connection is None:
            raise not_found("connection")
        only(
            call.params,
            "name", "type", "currency", "balance", "coming", "number", "iban", "usage", "source", "sync",
        )  # fmt: skip
        params = call.params
        kind, code = params.text("type"), params.optional_text("currency") or "EUR"
        if kind not in {*ACCOUNT_TYPES, "mortgage"}:
            raise invalid("type")
        if code not in CURRENCIES:
            raise invalid("currency")
        source = params.optional_text("source") or (connection.sources[0].name if connection.sources else "")
        taken = {account.spec.key for account in connection.accounts}
        spec = AccountSpec(
            key=next(key for number in itertools.count(1) if (key := f"further-{number}") not in taken),
            name=params.text("name")[:200],
            type=kind,
            balance=as_decimal(params.get("balance")),
            currency=code,
            source=source,
            usage=params.optional_text("usage") or "PRIV",
            number=params.optional_text("number"),
            iban=params.optional_text("iban"),
            has_iban=kind == "checking" and "iban" not in params,
            coming=as_decimal(params.get("coming")),
        )
        sync = params.boolean("sync", True)
        account = self.world.discovery.add_account(connection, spec, tell=sync)
        if sync:
            self.world.syncs.schedule(connection)
        return self.world.views.account(account, connection)

    def account_read(self, call: Call) -> Json:
        return self.world.views.account(*self._account(call))

    def account_change(self, call: Call) -> Json:
        """What happens at the bank or at Powens: `balance`, `coming`, `name`, `number`, `iban`, `type`, `currency`,
        `usage`, `display`, `error`, `disabled` (bool), `deleted` (bool); `id_connection`: the bank lists it under that
        connection of the user from now on; `raw`: fields of its answers, with any JSON instead of what they are; `sync`
        (default true): tells about it."""
        account, connection = self._account(call)
        only(
            call.params,
            "balance", "coming", "name", "number", "iban", "type", "currency", "usage", "display", "error",
            "disabled", "deleted", "id_connection", "raw", "sync",
        )  # fmt: skip
        sync = call.params.boolean("sync", True)
        texts = {
            name: call.params.optional_text(name)
            for name in ("name", "number", "iban", "usage", "error")
            if name in call.params
        }
        kind = call.params.text("type") if "type" in call.params else account.type
        currency = call.params.optional_text("currency") if "currency" in call.params else account.currency
        if kind not in {*ACCOUNT_TYPES, "mortgage"}:
            raise invalid("type")
        if currency is not None and currency not in CURRENCIES:
            raise invalid("currency")
        if texts.get("name", "x") is None:
            raise invalid("name")
        amounts = {name: as_decimal(call.params[name]) for name in ("balance", "coming") if name in call.params}
        deleted = call.params.boolean("deleted") if "deleted" in call.params else None
        disabled = call.params.boolean("disabled") if "disabled" in call.params else None
        spoilt = raw(call.params, account.raw)
        target = self._target(call.params) or connection
        self.world.discovery.move_account(account, target)
        account.raw = spoilt
        account.display = call.params.boolean("display", account.display)
        account.type, account.currency = kind, currency
        for name, value in {**texts, **amounts}.items():
            setattr(account, name, value)
        if deleted is not None:
            account.deleted = self.world.clock.now() if deleted else None
        if disabled is not None:
            self.world.choices.choose(target, [(account, not disabled)])
        if sync:
            for concerned in {connection.id: connection, target.id: target}.values():
                self.world.syncs.schedule(concerned)
        return self.world.views.account(account, target)

    def _target(self, params: Params) -> Connection | None:
        """The connection that an account moves to, if it does."""
        wanted = params.integer("id_connection")
        if wanted is None:
            return None
        target = self.world.connections.get(wanted)
        if target is None:
            raise invalid("id_connection", "is no connection")
        return target
