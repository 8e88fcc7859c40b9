"""What the use cases need of the world, by role. Implementations: `shared/adapters`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.connection import Connection, Operation
from shared.domain.erasure import Erasure
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
    """A user's account at Powens. `sealed_token` is encrypted; None while the Powens user is being created.

    `reconcile_at` is when housekeeping looks next. `erasure`: the user is being erased, and only that may go on.
    """

    user_id: str
    powens_user_id: int | None
    sealed_token: bytes | None = field(repr=False)
    reconcile_at: datetime | None = None
    erasure: Erasure | None = None


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
class HeldItem:
    """Something held about a user, as an export shows it: without tokens, and with hashes named as such."""

    kind: str
    content: dict[str, object]


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

        Raises StaleWriteError when the connection is no longer `before`, TakenError when `answer`'s key is taken. A
        connection that is new (`before` None) is only written for the Powens user that it was read of: raises
        UserBeingErased when the user has another one by now, none, or is being erased.
        """

    def operation(self, user_id: str, operation_id: str) -> Operation | None: ...

    def answer(self, user_id: str, key: str) -> Answer | None: ...

    def add_answer(self, user_id: str, answer: Answer) -> None:
        """Raises TakenError when the key is taken."""

    def history(
        self, user_id: str, *, connection_id: str | None, cursor: str | None, limit: int
    ) -> tuple[list[HistoryEntry], str | None]:
        """Newest first, and the cursor of the next page. Raises InvalidInput for a cursor that is none."""

    def access(self, user_id: str) -> PowensAccess | None: ...

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        """Whether `by` alone may now create this user's Powens user, until `until`."""

    def release_access(self, user_id: str, *, by: str) -> None:
        """Give a claim back. Raises StaleWriteError when `by` no longer holds it."""

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str, instead_of: int | None = None) -> None:
        """Remember the Powens user under both ids, before it is made permanent. Raises StaleWriteError.

        `instead_of`: the one that was noted before and is gone.
        """

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        """Keep the permanent token. Raises StaleWriteError when `by` no longer holds the claim."""

    def forget_access(self, access: PowensAccess) -> None:
        """Drop a Powens user that is gone, under both ids.

        Raises StaleWriteError when the user has another by now, or is being erased.
        """

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        """Raises StaleWriteError when the user is no longer that Powens user."""

    def user_of(self, powens_user_id: int) -> str | None: ...

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        """Raises TakenError when `answer`'s key is taken, UserBeingErased."""

    def use_session(
        self, state: str, *, now: datetime, hint: Callable[[WebviewSession], Hint | None]
    ) -> WebviewSession:
        """Use a session up and queue its hint, in one transaction. Raises NotFound for a used, forged or old state."""

    def due_operations(self, now: datetime, *, limit: int) -> list[DueOperation]: ...

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...

    def plan_reconciliation(self, access: PowensAccess, at: datetime) -> bool:
        """Move a user's next reconciliation; False when somebody else did."""

    def begin_erasure(self, user_id: str, erasure: Erasure, *, answer: Answer | None = None) -> None:
        """Mark the user, keep the receipt-to-be and queue the work, in one transaction.

        From then on `access` shows the erasure, and nothing new can be written for the user. Raises StaleWriteError
        when an erasure is under way, TakenError when `answer`'s key is taken.
        """

    def erasure(self, user_id: str, erasure_id: str) -> Erasure | None:
        """The receipt of this very user. It is kept for a while after the end."""

    def erase_items(self, user_id: str, *, in_time: Callable[[], bool]) -> bool:
        """Delete all that is held of the user and all that points to it, but the mark; connections first.

        False when `in_time` said no before it was done: call again. Harmless to repeat.
        """

    def end_erasure(self, access: PowensAccess, *, ended_at: datetime) -> None:
        """Delete the mark, write the receipt and publish `UserErased`, in one transaction, once.

        Raises StaleWriteError when that has happened before.
        """

    def due_erasures(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...

    def queue_erasure_again(self, access: PowensAccess, at: datetime) -> bool:
        """Queue the work of an erasure anew and look again `at`; False when somebody else did, or it has ended."""

    def export(self, user_id: str, *, cursor: str | None) -> tuple[list[HeldItem], str | None]:
        """A page of all that is held about the user, at most a megabyte of the table, and the cursor of the next.

        Raises InvalidInput for a cursor that is none.
        """


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

    def delete_user(self) -> None:
        """One that is gone already is fine."""


class Powens(Protocol):
    def create_temporary_user(self) -> TemporaryPowensUser: ...

    def make_permanent(self, temporary_token: str) -> str: ...

    def renew(self, id_user: int) -> str: ...

    def as_user(self, id_user: int, token: str, on_renewed: Callable[[str], None]) -> PowensUser: ...
