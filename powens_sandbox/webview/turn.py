"""One request of a visit: what was sent, and what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from powens_sandbox.banks.catalogue import Connector
from powens_sandbox.errors import invalid
from powens_sandbox.webview.session import Session
from powens_sandbox.world.model import Account, Connection, User
from powens_sandbox.world.world import World

# The parameters that go back to the client when the visit ends, beside `state`.
type Callback = dict[str, str]


@dataclass
class Turn:
    """`values` are the form's fields; `argument` is what follows the colon of the pressed button's action."""

    world: World
    session: Session
    values: Mapping[str, str] = field(default_factory=dict)
    argument: str = ""

    @property
    def user(self) -> User:
        return self.world.users[self.session.user_id]

    def bank(self) -> Connector:
        """The institution that the visit is about. Raises ApiError 400 when none was chosen yet."""
        if self.session.connector is None:
            raise invalid("connector")
        return self.world.institutions.now(self.session.connector)

    def connection(self) -> Connection | None:
        if self.session.connection_id is None:
            return None
        connection = self.world.connections.get(self.session.connection_id)
        return connection if connection and connection.user_id == self.session.user_id else None

    def offered(self, connection: Connection) -> list[Account]:
        return [account for account in connection.accounts if self.session.offers(account)]

    def cancel(self, description: str = "The user cancelled") -> Callback | None:
        connection = self.connection()
        unfinished = self.session.purpose == "new" and connection is not None and not connection.enabled_accounts
        if unfinished and connection is not None and self.world.settings.cancelled_connect == "removed":
            self.world.connecting.delete(connection)
        return {"error": "access_denied", "error_description": description}
