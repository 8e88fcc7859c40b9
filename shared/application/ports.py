"""What the use cases need of the world, by role. Implementations: `shared/adapters`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.connection import Connection, Operation
from shared.domain.hints import Hint
from shared.domain.ledger import Outcome
from shared.domain.manual import ManualAccount
from shared.domain.observation import ObservedConnection

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
    """A user's account at Powens. `sealed_token` is encrypted; None while the Powens user is being created."""

    user_id: str
    powens_user_id: int | None
    sealed_token: bytes | None = field(repr=False)
    reconcile_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebviewSession:
    """A visit to the Powens Webview, found again by `state` when the browser comes back; usable once."""

    state: str
    user_id: str
    flow: str
    return_to: str
    powens_connection_id: int | None
    expires_at: datetime


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
class DueOperation:
    """An open operation whose deadline has passed."""

    user_id: str
    connection_id: str
    operation_id: str


class Store(Protocol):
    """The state. Every method may raise StoreUnavailable."""

    def listed(self, user_id: str) -> tuple[list[Connection], list[ManualAccount]]:
        """All connections of a user, removed ones included, and the manual accounts, in one query."""

    def connections(self, user_id: str) -> list[Connection]:
        """The connections alone, at the same price."""

    def manual_account(self, user_id: str, account_id: str) -> ManualAccount | None: ...

    def add_manual_account(self, account: ManualAccount, *, answer: Answer | None = None) -> None:
        """Raises TakenError when `answer`'s key is taken."""

    def change_manual_account(
        self, before: ManualAccount, after: ManualAccount, *, answer: Answer | None = None
    ) -> None:
        """Raises StaleWriteError when it is no longer `before`, TakenError when `answer`'s key is taken."""

    def delete_manual_account(self, user_id: str, account_id: str, *, answer: Answer | None = None) -> None:
        """Raises TakenError when `answer`'s key is taken."""

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        """One connection, as of the last write."""

    def save(
        self, before: Connection | None, outcome: Outcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        """The new state, its changed operations, its events and the commands of new operations, in one transaction.

        Raises StaleWriteError when the connection is no longer `before`, TakenError when `answer`'s key is taken.
        """

    def operation(self, user_id: str, operation_id: str) -> Operation | None: ...

    def answer(self, user_id: str, key: str) -> Answer | None: ...

    def add_answer(self, user_id: str, answer: Answer) -> None:
        """Raises TakenError when the key is taken."""

    def history(
        self, user_id: str, *, connection_id: str | None, cursor: str | None, limit: int
    ) -> tuple[list[HistoryEntry], str | None]:
        """Newest first, and the cursor of the next page."""

    def access(self, user_id: str) -> PowensAccess | None: ...

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        """Whether `by` alone may now create this user's Powens user, until `until`."""

    def release_access(self, user_id: str, *, by: str) -> None:
        """Give a claim back. Raises StaleWriteError when `by` no longer holds it."""

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str) -> None:
        """Remember the Powens user under both ids, before it is made permanent. Raises StaleWriteError."""

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        """Keep the permanent token. Raises StaleWriteError when `by` no longer holds the claim."""

    def forget_access(self, access: PowensAccess) -> None:
        """Drop a Powens user that is gone, under both ids. Raises StaleWriteError when the user has another by now."""

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        """Raises StaleWriteError when the user is no longer that Powens user."""

    def user_of(self, powens_user_id: int) -> str | None: ...

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        """Raises TakenError when `answer`'s key is taken."""

    def use_session(
        self, state: str, *, now: datetime, hint: Callable[[WebviewSession], Hint | None]
    ) -> WebviewSession:
        """Use a session up and queue its hint, in one transaction. Raises NotFound for a used, forged or old state."""

    def due_operations(self, now: datetime, *, limit: int) -> list[DueOperation]: ...

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...

    def plan_reconciliation(self, access: PowensAccess, at: datetime) -> bool:
        """Move a user's next reconciliation; False when somebody else did."""


class HintQueue(Protocol):
    def send(self, hints: Sequence[Hint]) -> None:
        """Queue hints for `connection_refresh`. Raises Unavailable when any was not queued."""


class TokenSeal(Protocol):
    def seal(self, user_id: str, token: str) -> bytes: ...

    def unseal(self, user_id: str, sealed: bytes) -> str:
        """Raises Misconfigured for a token that was sealed for another user or under another key."""


class TemporaryPowensUser(Protocol):
    @property
    def id_user(self) -> int: ...

    @property
    def token(self) -> str: ...


class PowensUser(Protocol):
    """Powens, for one of its users. Errors: `shared.domain.errors`."""

    def temporary_code(self) -> str: ...

    def read_connection(self, powens_connection_id: int) -> ObservedConnection:
        """Raises PowensNotFound."""

    def read_all(self) -> tuple[ObservedConnection, ...]: ...

    def set_account_enabled(self, account_id: int, enabled: bool) -> None: ...

    def force_sync(self, connection_id: int) -> None: ...

    def delete_connection(self, connection_id: int) -> None: ...


class Powens(Protocol):
    def create_temporary_user(self) -> TemporaryPowensUser: ...

    def make_permanent(self, temporary_token: str) -> str: ...

    def renew(self, id_user: int) -> str: ...

    def as_user(self, id_user: int, token: str, on_renewed: Callable[[str], None]) -> PowensUser: ...
