"""What banks show and Powens makes of it: accounts that come, go, move, fail and change their ids."""

from datetime import timedelta

from tests.simulation.banks import BANKS
from tests.simulation.people.memory import Action
from tests.simulation.people.visits import Visits
from tests.simulation.powens.reals import same
from tests.worlds.powens.model import Account, Connection

STATES = ("SCARequired", "wrongpass", "websiteUnavailable", "actionNeeded", "bug", "somethingNew")


class BankNews(Visits):
    """Each method is an action; `_some` is the connection that it strikes."""

    def _some(self, action: Action) -> Connection | None:
        mine = [c for c in self.world.powens.connections.values() if c.user in self.powens_users[action.who]]
        return self.pick(action, "which", mine)

    def sync(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            self.tell(action, f"connection {connection.id} is synchronised by Powens")
            self.world.powens.synchronise(connection)

    def renumber(self, action: Action) -> None:
        connection = self._some(action)
        if connection is None:
            return
        powens = self.world.powens
        living = [a for a in connection.accounts.values() if not a.deleted]
        listed = "vanishing id" not in powens.kinds or self.roll(action, "listed") < 0.5
        for account in living:
            if self.roll(action, "all") < 0.4 or account is self.pick(action, "account", living):
                real = powens.real_of[account.id]
                self.tell(action, f"Powens makes {real.name} of connection {connection.id} anew, under another id")
                self.oracle.unread([real])
                made = powens.renumber(connection, account, listed=listed)
                powens.drawn["vanishing id"] += not listed
                if powens.real_of[made.id] is not real:
                    self.oracle.know(powens.real_of[made.id], action.who, enabled=False)
                self.oracle.recreated(real)

    def open_account(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None and len(connection.accounts) < 12:
            account = self.world.powens.open_account(connection)
            real = self.world.powens.real_of[account.id]
            self.oracle.know(real, action.who, enabled=False)
            self.tell(action, f"the bank shows {real.name} of connection {connection.id}")

    def close_account(self, action: Action) -> None:
        connection = self._some(action)
        account = self.pick(action, "account", list(connection.accounts.values())) if connection else None
        if connection is None or account is None:
            return
        real = self.world.powens.real_of[account.id]
        if real.ids[-1] != account.id:
            return
        closed = not account.deleted
        self.tell(action, f"the bank {'closes' if closed else 'shows again'} {real.name} of {connection.id}")
        self.oracle.unread([real])
        self.oracle.returned.add(real.id)
        self.world.powens.close_account(connection, account, closed)

    def state(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            connection.state = None if connection.state else self.pick(action, "state", list(STATES))
            self.tell(action, f"connection {connection.id} is in state {connection.state}")
            self.world.powens.disturb("state", connection.id)
            self.world.powens.touch(connection, "connection-synced")

    def consent(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            hours = 48 * self.roll(action, "hours")
            self.world.powens.expiries[connection.id] = self.world.engine.now + timedelta(hours=hours)
            self.tell(action, f"the consent of connection {connection.id} ends in {hours:.0f} hours")
            self.world.powens.disturb("consent", connection.id)
            self.world.powens.touch(connection, "connection-synced")

    def _account(self, action: Action) -> tuple[Connection, Account] | None:
        """Some account that the bank shows."""
        connection = self._some(action)
        living = [a for a in connection.accounts.values() if not a.deleted] if connection else []
        account = self.pick(action, "account", living)
        return None if connection is None or account is None else (connection, account)

    def connect_again(self, action: Action) -> None:
        """A bank whose connection has died in one of many ways is connected anew, beside the old one."""
        old = self._some(action)
        if old is None:
            return
        powens = self.world.powens
        match self.pick(action, "how", ["frozen", "inactive", "wrongpass", "consent", "alive"]):
            case "frozen":
                powens.frozen.add(old.id)
            case "inactive":
                old.active = False
            case "wrongpass":
                old.state = "wrongpass"
            case "consent":
                powens.expiries[old.id] = self.world.engine.now
            case how:
                assert how == "alive"
        powens.disturb("state", old.id)
        powens.touch(old, "connection-synced")
        self.world.engine.wait(3600 * self.roll(action, "later"))
        state = self._open(action, "connect")
        if state is None:
            return
        self.world.engine.wait(20 + 60 * self.roll(action, "thinks"))
        user = self.powens_users[action.who][-1]
        if user in powens.users and user == old.user:
            self.tell(action, f"connects the bank of connection {old.id} again")
            self._connect(action, state, user, BANKS.index(old.bank))

    def move(self, action: Action) -> None:
        """An account shows through another connection of its owner from now on."""
        found = self._account(action)
        if found is None:
            return
        source, account = found
        powens = self.world.powens
        real = powens.real_of[account.id]
        others = [
            other
            for other in powens.connections.values()
            if other.user == source.user
            and other is not source
            and real.ids[-1] == account.id
            and not real.shared
            and not any(same(real, powens.real_of[name]) for name in other.accounts)
        ]
        target = self.pick(action, "target", others)
        if target is not None:
            self.tell(action, f"{real.name} of connection {source.id} shows through connection {target.id}")
            self.oracle.unread([real])
            if not self.oracle.caught_up(real):
                self.oracle.good.discard(real.id)  # what was known of it is under an id that nothing brings along
            powens.move(source, target, account)

    def account_error(self, action: Action) -> None:
        found = self._account(action)
        if found is not None:
            connection, account = found
            word = None if account.error else self.pick(action, "word", ["websiteUnavailable", "bug", "somethingNew"])
            name = self.world.powens.real_of[account.id].name
            self.tell(action, f"{name} of connection {connection.id} {'fails with ' + word if word else 'recovers'}")
            self.world.powens.fail_account(connection, account, word)

    def odd_field(self, action: Action) -> None:
        found = self._account(action)
        if found is not None:
            connection, account = found
            whole = self.roll(action, "which") < 0.3
            said = self.world.powens.spoil(connection, None if whole else account, "act", action.number)
            self.tell(action, f"from now on, of {'connection' if whole else account.id} of {connection.id}, {said}")

    def unreadable(self, action: Action) -> None:
        """The selection of an account, or its id, cannot be read until further notice."""
        found = self._account(action)
        if found is None:
            return
        connection, account = found
        powens = self.world.powens
        real = powens.real_of[account.id]
        self.oracle.blurred(real)
        if account.id in powens.unreadable or account.id in powens.nameless:
            self.tell(action, f"{real.name} of connection {connection.id} can be read again")
            powens.clear(account.id)
            return
        whole = self.roll(action, "whole") < 0.4
        self.tell(action, f"{'the id' if whole else 'the choice'} of {real.name} of {connection.id} cannot be read")
        powens.blur(connection, account, "act", action.number, whole=whole)
