"""What the sandbox knows: users, tokens, connections, accounts, and the events that nobody has delivered yet."""

import itertools
import random
from collections import deque
from collections.abc import Mapping

from powens_sandbox.banks.catalogue import Connector
from powens_sandbox.banks.institutions import Institutions
from powens_sandbox.errors import not_found
from powens_sandbox.params import Params
from powens_sandbox.settings import Settings
from powens_sandbox.views.views import Views
from powens_sandbox.world.clients import Clients
from powens_sandbox.world.clock import Clock
from powens_sandbox.world.model import Account, Connection, Event, Token, User

_FIRST_IDS = {
    "user": 41, "connection": 77, "source": 181, "account": 912, "transaction": 100_000,
    "log": 1, "event": 5000, "job": 1,
}  # fmt: skip
_HELD_EVENTS = 500


class State:
    """The records, and how they hang together. Look-ups raise ApiError 404."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.views = Views(settings)
        self.settings = settings
        self.clients = Clients(settings)
        self.institutions = Institutions()
        self._numbers = {kind: itertools.count(first) for kind, first in _FIRST_IDS.items()}
        self._random = random.Random(settings.seed)
        self.clear()

    def clear(self) -> None:
        """Forget everybody. Numbers go on, so that what was sent before is never mistaken for something new."""
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        # By user, oldest first.
        self.permanent_tokens: dict[int, list[str]] = {}
        self.connections: dict[int, Connection] = {}
        self.accounts: dict[int, Account] = {}
        # Taken by whoever delivers them.
        self.events: deque[Event] = deque()
        # What the operator set under /config.
        self.config: dict[str, object] = {}
        self.institutions.reset()
        self.clients.reset(self.settings)

    def configure(self, settings: Settings) -> None:
        self.settings = settings
        self.views.settings = settings
        self.clients.configure(settings)

    def next_id(self, kind: str) -> int:
        return next(self._numbers[kind])

    def user(self, user_id: int) -> User:
        user = self.users.get(user_id)
        if user is None:
            raise not_found("user")
        return user

    def connections_of(self, user: User) -> list[Connection]:
        return [connection for connection in self.connections.values() if connection.user_id == user.id]

    def connection(self, user: User, connection_id: int) -> Connection:
        connection = self.connections.get(connection_id)
        if connection is None or connection.user_id != user.id:
            raise not_found("connection")
        return connection

    def accounts_of(self, user: User) -> list[Account]:
        return [account for connection in self.connections_of(user) for account in connection.accounts]

    def change_connector(self, connector: Connector, params: Params) -> Connector:
        """Change an institution; its connections notice at their next synchronisation. Raises ApiError 400."""
        changed = self.institutions.change(connector, params, self.clock.now())
        for connection in self.connections.values():
            if connection.connector.uuid == changed.uuid:
                connection.connector = changed
        return changed

    def user_token(self, user_id: int) -> str | None:
        """The token that a webhook authenticated by user token carries."""
        own = self.permanent_tokens.get(user_id)
        return own[{"first": 0, "latest": -1}[self.settings.webhook_token]] if own else None

    def forget(self, connection: Connection) -> None:
        """The connection and its accounts are not there any more. Nobody hears of it."""
        self.connections.pop(connection.id, None)
        for account in connection.accounts:
            self.accounts.pop(account.id, None)

    def emit(self, name: str, user_id: int, data: Mapping[str, object]) -> None:
        """An event for the webhooks. Those of a temporary user wait until it is permanent."""
        user = self.users.get(user_id)
        number = self.next_id("event")
        if self.settings.webhook_data_ids == "random":
            number = self._random.randrange(1, 2**53)
        event = Event(number, name, user_id, dict(data), self.clock.now(), self.user_token(user_id))
        if user is not None and not user.permanent:
            user.held.append(event)
            del user.held[:-_HELD_EVENTS]
        else:
            self.events.append(event)
