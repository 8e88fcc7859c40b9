"""Which accounts a bank shows by a source, and where it lists them."""

from collections.abc import Iterable
from datetime import datetime

from powens_sandbox.banks.catalogue import AccountSpec
from powens_sandbox.banks.people import accounts_of, numbers
from powens_sandbox.errors import invalid
from powens_sandbox.views.formats import Json
from powens_sandbox.world.model import Account, Connection, Source
from powens_sandbox.world.state import State


class Discovery:
    """Whatever is discovered is disabled until somebody enables it."""

    def __init__(self, state: State) -> None:
        self.state = state

    def look(self, connection: Connection, source: Source) -> None:
        if not source.discovered:
            source.discovered = True
            shown, _ = self._held(connection, source)
            self.discover(connection, [(spec, source.id) for spec in shown])

    def _held(self, connection: Connection, source: Source) -> tuple[list[AccountSpec], set[str]]:
        """What the bank shows this way, and the keys of what it holds and withholds."""
        connector = connection.connector
        held = [spec for spec in accounts_of(connector, connection.persona) if spec.source == source.name]
        return [s for s in held if connector.shows(s)], {s.key for s in held if not connector.shows(s)}

    def add_account(self, connection: Connection, spec: AccountSpec, *, tell: bool) -> Account:
        """The bank shows one more account. Raises ApiError 400 when the connection does not see that way in."""
        source = connection.source(spec.source)
        if source is None or not source.discovered:
            raise invalid("source", "is not open in this connection")
        return self.discover(connection, [(spec, source.id)], tell=tell)[0]

    def discover(
        self, connection: Connection, found: Iterable[tuple[AccountSpec, int]], *, tell: bool | None = None
    ) -> list[Account]:
        """`tell`: whether ACCOUNT_FOUND is sent; None: as the setting for new connections says."""
        now = self.state.clock.now()
        accounts = []
        by_key = {account.spec.key: account for account in connection.accounts if account.deleted is None}
        held = accounts_of(connection.connector, connection.persona)
        for spec, source_id in found:
            number, iban = numbers(self.state.settings, connection.connector, spec, held, connection.user_id)
            account = Account(
                id=self.state.next_id("account"), user_id=connection.user_id, connection_id=connection.id,
                source_id=source_id, spec=spec, name=spec.name, number=number, iban=iban, type=spec.type,
                currency=spec.currency, balance=spec.balance, coming=spec.coming, usage=spec.usage, disabled=now,
                first_transaction_id=transaction_ids(self.state), opened=now, raw=dict(spec.raw or {}),
            )  # fmt: skip
            parent = by_key.get(spec.parent or "")
            account.parent_id = parent.id if parent else None
            by_key[spec.key] = account
            connection.accounts.append(account)
            self.state.accounts[account.id] = account
            accounts.append(account)
        if tell is None:
            tell = self.state.settings.connect_events == "found_enabled_sync"
        if tell:
            for account in accounts:
                body: Json = {
                    "id": account.id,
                    "id_user": account.user_id,
                    "id_connection": account.connection_id,
                    "disabled": self.state.views.selection(account.disabled),
                    "type": self.state.views.account_type_of(account),
                }
                spoilt = {name: value for name, value in account.raw.items() if name in body}
                self.state.emit("ACCOUNT_FOUND", connection.user_id, body | spoilt)
        return accounts

    def look_again(self, connection: Connection, source: Source, now: datetime) -> None:
        shown, withheld = self._held(connection, source)
        for account in connection.accounts:
            if account.source_id == source.id and account.deleted is None and account.spec.key in withheld:
                account.deleted, account.withdrawn = now, True
        known = {account.spec.key for account in connection.accounts if not account.withdrawn} | connection.moved
        self.discover(connection, [(spec, source.id) for spec in shown if spec.key not in known], tell=True)

    def move_account(self, account: Account, target: Connection) -> None:
        """The bank lists the account under another connection of its user, with its id. Raises ApiError 400."""
        origin = self.state.connections[account.connection_id]
        if target.user_id != account.user_id or not target.sources:
            raise invalid("id_connection", "must be a connection of the same user, with a source")
        if origin is target:
            return
        name = next((source.name for source in origin.sources if source.id == account.source_id), "")
        account.source_id = (target.source(name) or target.sources[0]).id
        account.connection_id = target.id
        account.parent_id = None
        origin.accounts.remove(account)
        origin.moved.add(account.spec.key)
        target.accounts.append(account)


def transaction_ids(state: State) -> int:
    """Each account gets a range of its own that is large enough for any history."""
    return state.next_id("transaction") * 1_000_000
