"""What must hold once faults have ended and time has passed: Powens, the newest choices, events and our API agree."""

from tests.simulation.checks.check import Check
from tests.simulation.checks.confirmations import Confirmations
from tests.simulation.checks.deliveries import Deliveries
from tests.simulation.checks.expectations import Expectations
from tests.simulation.checks.hints import Hints
from tests.simulation.checks.lists import Lists
from tests.simulation.checks.operations import Operations
from tests.simulation.checks.traces import Traces
from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.people.memory import USERS, Action
from tests.simulation.people.people import People
from tests.simulation.world.world import SimulatedWorld

QUIET_SECONDS = 45 * 60
LONGEST_ANSWER_SECONDS = 60
"""Of a webhook."""
CLOSED_SECONDS = 42 * 3600
"""Together with the next, within which every connection is read twice, a day between."""
READ_SECONDS = 37 * 3600
"""Within which every connection is read, whatever Powens says."""
LAST_SCREENS = 1000
"""The first number of the actions that open a screen for every user when nothing goes wrong any more."""
LAST_NEWS = (0.1, 300)
"""When something changes beneath these screens: while they may still be opening, and when they are open."""


class Checks(Check):
    def __init__(self, world: SimulatedWorld, oracle: Oracle, people: People) -> None:
        super().__init__(world, oracle, people)
        self.hints = Hints(world, oracle, people)
        self.operations = Operations(world, oracle, people)
        world.soon = self.hints.soon
        expectations = Expectations(world, oracle, people)
        world.powens.came, world.powens.made = expectations.came, expectations.made

    def come_to_rest(self) -> None:
        """No more faults; then half an hour, and the days after which missing accounts are closed and all is read."""
        world = self.world
        self.operations.overdue()
        world.chance.quiet = True
        powens = world.powens
        powens.outage_until = powens.throttled_until = 0.0
        powens.locked.clear()
        powens.forbidden.clear()
        for account_id in [*powens.unreadable, *powens.nameless]:
            if world.chance.roll("clears up", account_id) < 0.5:
                powens.clear(account_id)
        world.engine.tell("--- from here on nothing goes wrong")
        for number, user in enumerate(USERS):
            self.people.act(Action(LAST_SCREENS + number, world.engine.at, "watch", user))
            for nth, seconds in enumerate(LAST_NEWS):
                news = Action(LAST_SCREENS + number + 10 * (nth + 1), world.engine.at, "sync", user)
                world.engine.after(seconds, lambda news=news: self.people.act(news))  # type: ignore[misc]
        world.run_for(QUIET_SECONDS)
        for _ in range(LONGEST_ANSWER_SECONDS):
            # One that was sent late may come just now.
            if world.unanswered_webhooks:
                world.run_for(1)
        self.send_dead_letters_back()
        self.hints.hinted()
        self.operations.overdue()
        world.run_for(CLOSED_SECONDS)
        powens.resting = True
        world.run_for(READ_SECONDS)
        self.everything()

    def send_dead_letters_back(self) -> None:
        """As an operator does. An erasure has no deadline: enough trouble, one after the other, gives it up.

        So does any message that met a fault at each of its deliveries.
        """
        world = self.world
        since = world.aws.seconds() - world.engine.at / MICROSECONDS
        dead = [message for queue in world.queues.values() for message in queue.dead]
        for message in dead:
            began, ended = ((at - since) * MICROSECONDS for at in (message.sent_at, message.visible_at))
            met = sum(began <= at <= ended for at in world.chance.times)
            unlucky = met >= message.receives or (world.chance.times and '"erasure_id"' in message.body)
            expected = world.dead_letters_expected or unlucky
            self.hold(bool(expected), f"a dead letter: {message.body}")
            world.chance.note("dead letter sent back", message.id)
        if dead:
            for queue in world.queues.values():
                queue.redrive(world.aws.seconds())
            world.run_for(QUIET_SECONDS)

    def everything(self) -> None:
        about = self.world, self.oracle, self.people
        deliveries, traces, lists = Deliveries(*about), Traces(*about), Lists(*about)
        deliveries.bugs()
        deliveries.queues()
        deliveries.events()
        deliveries.screens()
        Confirmations(*about).unconfirmed()
        self.operations.operations()
        self.operations.refreshes()
        traces.erasures()
        traces.powens_users()
        traces.secrets()
        for user in USERS:
            lists.user(user)
