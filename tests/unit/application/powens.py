"""Powens as the use cases see it, in memory: obedient, unless a test says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shared.application.access import Powens
from shared.application.ports import Clock, PowensUser
from shared.domain.errors import AppError, PowensNotFound, PowensUserGone
from shared.domain.observation import ObservedAccount, ObservedConnection
from tests.builders import POWENS_USER


@dataclass(frozen=True)
class TemporaryUser:
    id_user: int
    token: str


@dataclass
class PowensInMemory:
    """One user at a time has `connections`. `calls` are the names of the calls with what they were about.

    `troubles`: what the next calls of a name raise, instead of doing anything. `meanwhile`: what happens elsewhere
    just before the next calls of a name do their work.
    """

    clock: Clock
    users: set[int] = field(default_factory=set)
    connections: dict[int, ObservedConnection] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    troubles: dict[str, list[AppError]] = field(default_factory=dict)
    meanwhile: dict[str, list[Callable[[], object]]] = field(default_factory=dict)
    made: int = POWENS_USER - 1

    def called(self, name: str, *about: object) -> None:
        self.calls.append(" ".join(map(str, (name, *about))))
        if others := self.meanwhile.get(name):
            others.pop(0)()
        if troubles := self.troubles.get(name):
            raise troubles.pop(0)

    def create_temporary_user(self) -> TemporaryUser:
        self.called("create")
        self.made += 1
        self.users.add(self.made)
        return TemporaryUser(self.made, f"temporary-{self.made}")

    def make_permanent(self, temporary_token: str) -> str:
        self.called("make_permanent")
        return temporary_token.replace("temporary", "token")

    def renew(self, id_user: int) -> str:
        self.called("renew", id_user)
        if id_user not in self.users:
            raise PowensUserGone(status=400)
        return f"token-{id_user}"

    def as_user(
        self,
        id_user: int,
        token: str,
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None],
    ) -> PowensUser:
        assert token == f"token-{id_user}"
        return PowensUserInMemory(self, id_user)

    def shows(self, powens_id: int, *accounts: ObservedAccount) -> None:
        """From now on the connection has exactly these accounts."""
        self.connections[powens_id] = replace(self.connections[powens_id], accounts=accounts)


@dataclass(frozen=True)
class PowensUserInMemory:
    powens: PowensInMemory
    id_user: int

    def _called(self, name: str, *about: object) -> None:
        self.powens.called(name, *about)
        if self.id_user not in self.powens.users:
            raise PowensUserGone(status=401)

    def temporary_code(self) -> str:
        self._called("code")
        return "code"

    def read_connection(self, powens_connection_id: int) -> ObservedConnection:
        started_at = self.powens.clock()
        self._called("read", powens_connection_id)
        if powens_connection_id not in self.powens.connections:
            raise PowensNotFound(status=404)
        return replace(self.powens.connections[powens_connection_id], read_started_at=started_at)

    def read_all(self) -> tuple[ObservedConnection, ...]:
        started_at = self.powens.clock()
        self._called("read_all")
        return tuple(replace(c, read_started_at=started_at) for c in self.powens.connections.values())

    def set_account_enabled(self, account_id: int, enabled: bool) -> None:
        self._called("enable" if enabled else "disable", account_id)
        for powens_id, connection in self.powens.connections.items():
            if account_id in {account.powens_id for account in connection.accounts}:
                changed = (
                    replace(a, disabled=not enabled) if a.powens_id == account_id else a for a in connection.accounts
                )
                self.powens.shows(powens_id, *changed)
                return
        raise PowensNotFound(status=404)

    def force_sync(self, connection_id: int) -> None:
        self._called("force_sync", connection_id)
        now = self.powens.clock()
        self.powens.connections[connection_id] = replace(self.powens.connections[connection_id], last_update=now)

    def delete_connection(self, connection_id: int) -> None:
        self._called("delete_connection", connection_id)
        self.powens.connections.pop(connection_id, None)

    def delete_user(self) -> None:
        self._called("delete_user")
        self.powens.users.discard(self.id_user)
        self.powens.connections.clear()


_: type[Powens] = PowensInMemory
