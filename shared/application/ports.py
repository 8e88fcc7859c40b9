"""What several use cases need of the world, by role; a port that one of them needs is beside it.

Implementations: `shared/adapters`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from shared.domain.connection import Account, Connection
from shared.domain.erasure import Erasure
from shared.domain.manual import ManualAccount
from shared.domain.observation import ObservedConnection
from shared.domain.wishes import Wish

type Clock = Callable[[], datetime]
"""Now, aware, UTC."""
type NewId = Callable[[], str]
"""A new ULID: ids that sort by time."""


class StaleWriteError(Exception):
    """Somebody wrote first: read again and decide again. Never leaves the use cases."""


class TakenError(Exception):
    """A write that must happen once has already happened. Never leaves the use cases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowensAccess:
    """A user's account at Powens. `sealed_token` is encrypted; None while the Powens user is being created.

    `reconcile_at` is when housekeeping comes next: if `only_look`, to see whether something is due, and else to have
    all of the user's connections read, as it last did at `listed_at`. `back_at`: when somebody who went to the Webview
    should be back. `erasure`: the user is being erased, and only that may go on. `renewing_until`: somebody who was
    forbidden something is getting another token.
    """

    user_id: str
    powens_user_id: int | None
    sealed_token: bytes | None = field(repr=False)
    reconcile_at: datetime | None = None
    only_look: bool = False
    listed_at: datetime | None = None
    back_at: datetime | None = None
    erasure: Erasure | None = None
    renewing_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request that carried an `Idempotency-Key`. `body` is JSON."""

    key: str
    fingerprint: str
    status: int
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A published event as the user's history shows it. `detail` is the event's detail; names are kept beside it."""

    id: str
    type: str
    detail: str
    institution_name: str | None
    account_names: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldItem:
    """Something held about a user, as an export shows it: without tokens, and with hashes named as such."""

    kind: str
    content: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a user's list shows, as one query reads it. `all_connections` has those too that are not shown."""

    all_connections: tuple[Connection, ...] = ()
    manual_accounts: tuple[ManualAccount, ...] = ()
    wishes: tuple[Wish, ...] = ()

    @property
    def connections(self) -> tuple[Connection, ...]:
        return tuple(c for c in self.all_connections if c.shown)

    def manual_account(self, account_id: str) -> ManualAccount | None:
        return next((account for account in self.manual_accounts if account.id == account_id), None)

    def having(self, account_id: str) -> Connection | None:
        """The connection that has a synchronised account: the one that showed it last, should it have moved."""
        found = [(a, c) for c in self.connections if (a := c.account(account_id)) is not None]

        def living(place: tuple[Account, Connection]) -> tuple[bool, bool, datetime]:
            account, connection = place
            return account.closed_at is None, account.missing_since is None, connection.read_started_at

        return max(found, key=living)[1] if found else None

    def after(self, connection: Connection) -> "Listed":
        others = tuple(c for c in self.all_connections if c.id != connection.id)
        return replace(self, all_connections=(*others, connection))

    def after_manual(self, account: ManualAccount) -> "Listed":
        others = tuple(other for other in self.manual_accounts if other.id != account.id)
        return replace(self, manual_accounts=(*others, account))


class Connections(Protocol):
    """A user's connections and list, as of the last write. Every method may raise StoreUnavailable."""

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        """One connection, as of the last write."""

    def listed(self, user_id: str) -> Listed:
        """All that a user's list shows, in one query."""


class Answers(Protocol):
    """The answers that are kept for idempotency keys. Every method may raise StoreUnavailable."""

    def answer(self, user_id: str, key: str) -> Answer | None: ...

    def add_answer(self, user_id: str, answer: Answer) -> None:
        """Raises TakenError when the key is taken."""


class PowensUsers(Protocol):
    """Who a user is at Powens. May raise StoreUnavailable."""

    def access(self, user_id: str) -> PowensAccess | None: ...


class Appointments(Protocol):
    """When housekeeping comes to a user, who is not being erased. Every method may raise StoreUnavailable."""

    def look_at(self, access: PowensAccess, at: datetime, *, listed_at: datetime | None) -> bool:
        """Have it look `at` whether something is due, instead of at `access.reconcile_at`.

        `listed_at`: all of the user's connections have been asked for then; None: not now. False when it is to come at
        another time by now.
        """

    def bring_forward(self, user_id: str, at: datetime) -> None:
        """Have the user read back `at`, whatever is due, unless that is planned for earlier."""

    def expect_back(self, user_id: str, at: datetime) -> None:
        """Have the user read back `at`, besides whatever is planned."""


class PowensUser(Protocol):
    """Powens, for one of its users. Errors: `shared.domain.errors`."""

    def temporary_code(self) -> str: ...

    def read_connection(self, powens_connection_id: int) -> ObservedConnection:
        """Raises PowensNotFound."""

    def read_all(self) -> tuple[ObservedConnection, ...]: ...

    def set_account_enabled(self, account_id: int, enabled: bool) -> None: ...

    def force_sync(self, connection_id: int) -> None:
        """Ask for a synchronisation now; Powens may answer only when it has ended. Never repeated by the client.

        Raises PowensRefused (409: synchronised recently) when Powens said no, AnswerLost when it may have said yes;
        then a later 409 is no answer either, as it may be about the synchronisation that this request has begun. Any
        other PowensUnavailable: nothing was begun.
        """

    def delete_connection(self, connection_id: int) -> None: ...

    def delete_user(self) -> None:
        """One that is gone already is fine."""
