"""Trouble of the whole of Powens, of one of its users, or of our own processes."""

from tests.simulation.people.bank_news import BankNews
from tests.simulation.people.memory import Action


class Troubles(BankNews):
    def forbid(self, action: Action) -> None:
        for user in self.powens_users[action.who]:
            seconds = 60 + 900 * self.roll(action, "seconds")
            self.tell(action, f"Powens forbids updates of her accounts for {seconds:.0f} s")
            self.world.powens.forbidden[user] = self.world.aws.seconds() + seconds
            for passed in range(0, int(seconds), 300):
                self.world.engine.after(passed, lambda: self.world.powens.disturb("forbidden"))
            self.world.engine.after(seconds, lambda: self.world.powens.disturb("allowed again"))

    def user_gone(self, action: Action) -> None:
        """Powens' support deletes the user, and tells nobody."""
        for user in self.powens_users[action.who]:
            if user in self.world.powens.users:
                self.tell(action, f"user {user} is deleted at Powens")
                self.world.powens.delete_user(user)

    def revoke(self, action: Action) -> None:
        for user in self.powens_users[action.who]:
            if user in self.world.powens.users:
                self.tell(action, "Powens revokes her tokens")
                self.world.powens.revoke_tokens(user)
                self.world.powens.disturb("tokens revoked")

    def lock(self, action: Action) -> None:
        connection = self._some(action)
        if connection is not None:
            seconds = 20 + 300 * self.roll(action, "seconds")
            self.tell(action, f"Powens locks connection {connection.id} for {seconds:.0f} s")
            self.world.powens.locked[connection.id] = self.world.aws.seconds() + seconds
            self.world.powens.disturb("locked", connection.id)
            self.world.engine.after(seconds, lambda: self.world.powens.disturb("unlocked", connection.id))

    def outage(self, action: Action) -> None:
        seconds = 20 + 400 * self.roll(action, "seconds")
        self.tell(action, f"Powens is down for {seconds:.0f} s")
        self._outage(seconds)

    def long_outage(self, action: Action) -> None:
        """Longer than queues keep repeating: there are dead letters, which an operator sends back afterwards."""
        seconds = 3600 * (1 + 4 * self.roll(action, "hours"))
        self.tell(action, f"Powens is down for {seconds / 3600:.1f} hours")
        self.world.dead_letters_expected = True
        self._outage(seconds)

    def _outage(self, seconds: float) -> None:
        powens = self.world.powens
        powens.outage_until = max(powens.outage_until, self.world.aws.seconds() + seconds)

        def goes_on() -> None:
            powens.disturb("outage")
            if powens.outage_until > self.world.aws.seconds():
                self.world.engine.after(min(300, seconds), goes_on)

        goes_on()

    def stray(self, action: Action) -> None:
        """Somebody makes a user at Powens by hand, whom nobody here owns."""
        user = self.world.powens.add_stray()
        self.tell(action, f"user {user} is made at Powens by hand")

    def throttle(self, action: Action) -> None:
        seconds = 20 + 200 * self.roll(action, "seconds")
        self.tell(action, f"Powens throttles for {seconds:.0f} s")
        self.world.powens.throttled_until = self.world.aws.seconds() + seconds
        self.world.powens.disturb("throttled")
        self.world.engine.after(seconds, lambda: self.world.powens.disturb("throttling over"))

    def gone(self, action: Action) -> None:
        """Powens' support deletes a connection."""
        connection = self._some(action)
        if connection is not None:
            self.tell(action, f"connection {connection.id} is deleted at Powens")
            self.world.powens.remove(connection)

    def restart(self, action: Action) -> None:
        """All environments are replaced, as by a deployment."""
        self.tell(action, "a deployment replaces all processes")
        for idle in self.world.idle.values():
            idle.clear()
