"""What the use cases need of the world, by role. Implementations: `shared/adapters`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from shared.domain.connection import Account, AccountType, Connection, Operation
from shared.domain.erasure import Erasure
from shared.domain.hints import Hint
from shared.domain.ledger import Outcome
from shared.domain.manual import BalancePoint, ManualAccount, ManualOutcome
from shared.domain.observation import ObservedConnection
from shared.domain.wishes import Wish, WishOutcome

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
    `renewing_until`: somebody who was forbidden something is getting another token.
    """

    user_id: str
    powens_user_id: int | None
    sealed_token: bytes | None = field(repr=False)
    reconcile_at: datetime | None = None
    erasure: Erasure | None = None
    renewing_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebviewSession:
    """A visit to the Powens Webview, found again by `state` each time that the browser comes back from it.

    `expires_at`: until when the visit can be begun. It may last, and come back, for longer.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a user's list shows, as one query reads it. `all_connections` has the removed ones too."""

    all_connections: tuple[Connection, ...] = ()
    manual_accounts: tuple[ManualAccount, ...] = ()
    wishes: tuple[Wish, ...] = ()

    @property
    def connections(self) -> tuple[Connection, ...]:
        return tuple(c for c in self.all_connections if c.removed_at is None)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a change of a connection does beside it: to joined accounts, and to wishes. Each with its state before."""

    manual: tuple[tuple[ManualAccount, ManualOutcome], ...] = ()
    wishes: tuple[tuple[Wish, WishOutcome], ...] = ()


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wisher:
    """Whose wish it is, and which."""

    user_id: str
    wish_id: str
    type: AccountType


class Store(Protocol):
    """The state. Every method may raise StoreUnavailable."""

    def listed(self, user_id: str) -> Listed:
        """All that a user's list shows, in one query."""

    def connections(self, user_id: str) -> list[Connection]:
        """The connections alone, at the same price."""

    def save_manual(
        self,
        before: ManualAccount | None,
        outcome: ManualOutcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        relied_on: Sequence[Connection] = (),
    ) -> None:
        """The new state of an account kept by hand, its balances and its event, in one transaction.

        Raises StaleWriteError when it is no longer `before` (None: new), or a connection no longer as in `relied_on`;
        TakenError when `answer`'s key is taken; UserBeingErased for a new one. A writer of one of `relied_on` that has
        read it before meets StaleWriteError in turn.
        """

    def older_balances(self, account: ManualAccount) -> tuple[BalancePoint, ...]:
        """The kept balances that no longer lie in the account, oldest first."""

    def wish(self, user_id: str, wish_id: str) -> Wish | None: ...

    def save_wish(
        self, before: Wish | None, outcome: WishOutcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        """The wish, what finds it by its institution while it is open, and its event, in one transaction.

        Raises StaleWriteError when it is no longer `before` (None: new), TakenError, UserBeingErased for a new one.
        """

    def delete_wish(self, wish: Wish, *, answer: Answer | None = None) -> None:
        """Raises StaleWriteError when it is no longer `wish`, TakenError when `answer`'s key is taken."""

    def wishers(self, institution_id: str, kind: AccountType, *, after: Wisher | None, limit: int) -> list[Wisher]:
        """Those whose wish for this type of this institution is open, a page at a time; an empty one is the end."""

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        """One connection, as of the last write."""

    def save(
        self,
        before: Connection | None,
        outcome: Outcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        """The new state, its changed operations, its events and the commands of new operations, in one transaction.

        With what changes beside it. Raises StaleWriteError when the connection, or something of `beside`, is no longer
        as before, TakenError when `answer`'s key is taken. A
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

        `instead_of`: the one that was noted before and is gone; when another is noted, or one at all without it, that
        too is a StaleWriteError.
        """

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        """Keep the permanent token. Raises StaleWriteError when `by` no longer holds the claim."""

    def forget_access(self, access: PowensAccess) -> None:
        """Drop a Powens user that is gone, under both ids.

        Raises StaleWriteError when the user has another by now, or is being erased.
        """

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        """Raises StaleWriteError when the user is no longer that Powens user."""

    def claim_renewal(
        self, user_id: str, *, powens_user_id: int, now: datetime, until: datetime, since: datetime
    ) -> bool:
        """Whether the caller alone may get another token until `until`: False when there were two after `since`."""

    def release_renewal(self, user_id: str, *, until: datetime) -> None:
        """Give the claim back whose end is `until`: no token came of it."""

    def user_of(self, powens_user_id: int) -> str | None: ...

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        """Open a session. Raises TakenError when `answer`'s key is taken, UserBeingErased."""

    def session(self, state: str) -> WebviewSession | None: ...

    def add_hint(self, user_id: str, hint: Hint) -> None:
        """Queue a hint. Raises UserBeingErased also for a user who is another one at Powens by now."""

    def due_operations(self, now: datetime, *, limit: int) -> list[DueOperation]: ...

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]: ...

    def plan_reconciliation(self, access: PowensAccess, at: datetime) -> bool:
        """Move a user's next reconciliation; False when somebody else did."""

    def bring_forward(self, user_id: str, at: datetime) -> None:
        """Have the user read back `at`, unless that is planned for earlier or the user is being erased."""

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


class BudgetStore(Protocol):
    """What all workers share about asking Powens. Every method may raise StoreUnavailable."""

    def paused_until(self) -> datetime | None:
        """When Powens may be asked again; None when it was never throttling."""

    def pause(self, until: datetime) -> None:
        """Nobody asks before `until`; a longer pause that is on stays."""

    def spend(self, minute: datetime, calls: int, *, most: int) -> bool:
        """Add to the calls of a minute, unless they would be more than `most`: then False, and nothing is added."""


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

    def force_sync(self, connection_id: int) -> None:
        """Ask for a synchronisation now; Powens may answer only when it has ended. Never repeated by the client.

        Raises PowensRefused (409: synchronised recently) when Powens said no, AnswerLost when it may have said yes;
        then a later 409 is no answer either, as it may be about the synchronisation that this request has begun. Any
        other PowensUnavailable: nothing was begun.
        """

    def delete_connection(self, connection_id: int) -> None: ...

    def delete_user(self) -> None:
        """One that is gone already is fine."""


class Powens(Protocol):
    def create_temporary_user(self) -> TemporaryPowensUser: ...

    def make_permanent(self, temporary_token: str) -> str: ...

    def renew(self, id_user: int) -> str:
        """Raises PowensUserGone."""

    def as_user(
        self,
        id_user: int,
        token: str,
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None],
    ) -> PowensUser:
        """`after_forbidden` is told the token of a 403 and may give another one to try."""
