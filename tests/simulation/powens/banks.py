"""Accounts that come, go, move and change their ids, as banks show them and Powens makes them."""

from collections.abc import Callable

from tests.simulation.banks import BANKS, FILLERS, family, other_type, shape
from tests.simulation.powens.reals import Real, same, uuid_of
from tests.simulation.powens.state import PowensState
from tests.worlds.powens.model import Account, Connection

TEMPORARY_STATES = ("websiteUnavailable", "rateLimiting", "bug")


class Banks(PowensState):
    """What happens at Powens without us."""

    def add_stray(self) -> int:
        """A lasting user who was not made by us."""
        user = self._new_user()
        user.temporary = False
        self.strays[user.id] = self.engine.at
        return user.id

    def connect(self, user: int, bank: int, ticked: Callable[[int], bool]) -> Connection:
        """A new connection with the accounts that this user has at the bank."""
        self._next_connection += 1
        made = self.add_connection(user, BANKS[bank], connection_id=self._next_connection, uuid=uuid_of(bank))
        self.synchronised[made.id] = self.engine.at
        roll = self.engine.chance.roll
        for nth in range(2 + int(roll("accounts", user, bank) * 3)):
            account = self._discover(made)
            account.disabled = not ticked(nth)
        self.changed[made.id] = self.engine.at
        return made

    def open_account(self, connection: Connection) -> Account:
        """The bank shows an account that was not there before: disabled, as nobody chose it."""
        account = self._discover(connection)
        self.touch(connection, "account-found", account)
        return account

    def _discover(self, connection: Connection) -> Account:
        bank, nth = BANKS.index(connection.bank), self._places[connection.id]
        self._places[connection.id] += 1
        found = shape(self.engine.chance.roll, self.kinds, connection.user, bank, nth)
        if found.kind is not None:
            self.drawn[found.kind] += 1
        self._next_account += 1
        account = self.add_account(
            connection,
            self._next_account,
            name=found.name,
            iban=found.iban,
            number=found.number,
            type=found.type,
            disabled=True,
        )
        self.secrets -= set(FILLERS)
        real = self._real(connection, account, f"account {nth + 1}", found.strong)
        self._note_ties(connection, real)
        return account

    def _real(self, connection: Connection, account: Account, name: str, strong: tuple[str, ...] | None) -> Real:
        real = Real(len(self.reals) + 1, connection.id, name, [account.id], strong=strong)
        real.identity = f"{connection.user}/{strong}/{account.name}" if strong else f"nothing/{real.id}"
        self.reals[real.id] = real
        self.real_of[account.id] = real
        self.appeared.append((self.engine.at, real, connection.uuid, family(account.type)))
        self._visit(account, real)
        return real

    def _note_ties(self, connection: Connection, real: Real) -> None:
        """Note which accounts of the connection nothing tells apart but a name, if that."""
        alike = [other for other in self.reals.values() if other.connection == connection.id and same(real, other)]
        if len(alike) > 1:
            for other in alike:
                other.shared = True
            self.unbound.add(real.ids[-1])

    def _visit(self, account: Account, real: Real) -> None:
        """The bank tells a balance; no two accounts ever have the same."""
        balance = round(self.engine.chance.between(-3000, 9000, "balance", real.id, len(real.balances)), 2)
        real.balances.append(balance)
        account.balance = balance

    def renumber(self, connection: Connection, account: Account, *, listed: bool) -> Account:
        """Powens deletes an account and makes it anew under another id, disabled (seen by third parties).

        One that nothing identifies is another account then, as far as anybody can tell.
        """
        self._next_account += 1
        real = self.real_of[account.id]
        account.deleted = True
        if not listed:
            del connection.accounts[account.id]
            self.gone_since[account.id] = self.engine.at
        kind = account.type
        if "type flip" in self.kinds and self.engine.chance.roll("type", self._next_account) < 0.5:
            kind = other_type(kind)
            self.drawn["type flip"] += kind != account.type
        made = self.add_account(
            connection,
            self._next_account,
            name=account.name,
            iban=account.iban,
            number=account.number,
            type=kind,
            disabled=True,
            balance=account.balance,
        )
        self.secrets -= set(FILLERS)
        if real.strong is None:
            self.absent[real.id] = self.engine.at
            self._real(connection, made, f"{real.name} anew", None)
        else:
            real.ids.append(made.id)
            self.real_of[made.id] = real
            if real.shared:
                self.unbound.add(made.id)
        self.disturb("renumbered", connection.id)
        self.touch(connection, "account-found", made)
        return made

    def rebind(self, real: Real, powens_id: int) -> None:
        """The product takes a new id for `real`'s where nothing tells: then it is, and not the other account's."""
        other = self.real_of[powens_id]
        own = real.ids[-1] if real.ids[-1] in self.unbound else None
        other.ids.remove(powens_id)
        real.ids.append(powens_id)
        if own is not None:
            real.ids.remove(own)
            other.ids.append(own)
            self.real_of[own] = other
        elif not other.ids:
            other.ids.append(real.ids[0])  # never read, and gone now
        self.real_of[powens_id] = real
        self.unbound.discard(powens_id)
        real.identity, other.identity = other.identity, real.identity
        real.balances, other.balances = [*real.balances, *other.balances], [*other.balances, *real.balances]

    def move(self, source: Connection, target: Connection, account: Account) -> None:
        """The bank shows an account through another connection of its owner, under the same id."""
        del source.accounts[account.id]
        target.accounts[account.id] = account
        real = self.real_of[account.id]
        real.connection = target.id
        if real.strong and real.strong[0] == "number" and source.bank != target.bank:
            real.identity = f"moved/{real.id}"  # a number identifies within one bank
        self.disturb("moved", source.id)
        self.disturb("moved", target.id)
        self.touch(source, "connection-synced")
        self.touch(target, "account-found", account)

    def flip(self, connection: Connection, account: Account, enabled: bool) -> None:
        """Somebody ticks or unticks an account in the Webview."""
        account.disabled = not enabled
        self.disturb("flipped in the Webview", connection.id)
        self.touch(connection, "account-enabled" if enabled else "account-disabled", account)

    def close_account(self, connection: Connection, account: Account, closed: bool) -> None:
        account.deleted = closed
        self.absent[self.real_of[account.id].id] = self.engine.at
        self.disturb("closed or shown again by the bank", connection.id)
        self.touch(connection, "connection-synced")

    def works(self, connection: Connection) -> bool:
        """Whether the bank can be reached with what the user gave."""
        expiry = self.expiries.get(connection.id)
        return connection.state is None and connection.active and (expiry is None or expiry > self.engine.now)

    def synchronise(self, connection: Connection) -> None:
        """New data of what works. What is frozen says nothing at all."""
        self.syncing.pop(connection.id, None)
        if connection.id not in self.connections or connection.id in self.frozen:
            return
        if connection.state in TEMPORARY_STATES:
            connection.state = None
        if self.works(connection):
            super().synchronise(connection)
            self.synchronised[connection.id] = self.engine.at
            for account in connection.accounts.values():
                if not account.disabled and not account.deleted and account.error is None:
                    self._visit(account, self.real_of[account.id])
        self.touch(connection, "connection-synced")
        for account in list(connection.accounts.values()):
            if not account.disabled and not account.deleted:
                self.emit("account-synced", connection, account)
                if "categories" in self.kinds:
                    self.drawn["categories"] += 1
                    self.emit("account-categorized", connection, account)

    def fail_account(self, connection: Connection, account: Account, word: str | None) -> None:
        """One account alone fails, without a balance, or has got over it."""
        if account.error is None:
            self.succeeded[account.id] = account.last_update
        account.error = word
        self.disturb("account error", connection.id)
        self.touch(connection, "connection-synced")

    def remove(self, connection: Connection) -> None:
        self.gone[connection.id] = self.connections.pop(connection.id)
        self.disturb("connection deleted", connection.id)
        self.touch(connection, "connection-deleted")

    def delete_user(self, user: int) -> None:
        for connection in [c for c in self.connections.values() if c.user == user]:
            self.gone[connection.id] = self.connections.pop(connection.id)
            self.changed[connection.id] = self.engine.at
        self.users.pop(user, None)
        self.deleted_users.add(user)
        self.disturb("user deleted at Powens")
