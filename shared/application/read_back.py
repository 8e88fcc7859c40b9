"""Reading back Powens, which is the truth: the one end of every hint.

A user's connections are read and applied each by itself: what is wrong with one stops none of the others, and is raised
once they have all had their turn, so that its hint comes back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.access import Access
from shared.application.budget import CALLS_OF_A_READ, Budget
from shared.application.changes import Changes
from shared.application.ports import Appointments, Clock, Connections, PowensAccess, PowensUser
from shared.application.removal import Removal
from shared.domain import ledger
from shared.domain.connection import Connection, connection_id
from shared.domain.errors import (
    AppError,
    NotFound,
    PowensBusy,
    PowensNotFound,
    PowensRefused,
    PowensThrottled,
    PowensUserGone,
    ReadRecently,
    TooManyAccounts,
    Unavailable,
    UserBeingErased,
)
from shared.domain.expectation import due_at
from shared.domain.facts import Cause
from shared.domain.hints import Hint, HintOrigin
from shared.domain.ledger import Outcome
from shared.domain.observation import Institution, ObservedConnection

_CAUSE = {
    HintOrigin.WEBHOOK: Cause.BANK,
    HintOrigin.WEBVIEW: Cause.WEBVIEW,
    HintOrigin.SCHEDULE: Cause.RECONCILIATION,
}


READ_AGAIN_AFTER = timedelta(seconds=5)
"""How long after a read a webhook's hint waits before it causes another: a synchronisation sends dozens of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`known_user` is false for one who is not ours: webhooks come for every user of the Powens domain.

    `too_large`: connections with more accounts than are kept (ADR 0004). Reading them again cannot help, so their hints
    are answered; what was held of them stays. `staleness`: how late a scheduled read came to the connection that had
    been due for longest, zero when none was; None for other reads. `put_off`: Powens is not to be asked now.
    `adopted` and `lost`: connections that a scheduled read found at Powens and not here, and the other way round, as
    nobody had told us. `user_gone`: Powens has deleted the user.
    """

    known_user: bool = True
    too_large: int = 0
    staleness: timedelta | None = None
    put_off: bool = False
    adopted: int = 0
    lost: int = 0
    user_gone: bool = False


@dataclass(slots=True)
class _Apart:
    """Keeps what goes wrong with one connection from the others, until all have had their turn."""

    failed: list[AppError] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[None]:
        try:
            yield
        except (PowensBusy, PowensThrottled, PowensUserGone):
            raise  # the others would meet it too
        except (Unavailable, PowensRefused) as error:
            self.failed.append(error)

    def raise_what_failed(self) -> None:
        """What was only read too recently comes last: it comes back with the hints of what failed, a little later."""
        recently = [error for error in self.failed if isinstance(error, ReadRecently)]
        others = [error for error in self.failed if not isinstance(error, ReadRecently)]
        if others:
            raise others[0]
        if recently:
            raise min(recently, key=lambda error: error.retry_after or 0)


class KnownPowensUsers(Appointments, Protocol):
    """Who is whose user at Powens. Every method may raise StoreUnavailable."""

    def user_of(self, powens_user_id: int) -> str | None: ...


@dataclass(slots=True)
class _Read:
    """What one read of a user came to. `due`: when each connection is due next; `late`: how late each was read."""

    access: PowensAccess
    powens: PowensUser
    hint: Hint
    due: list[datetime] = field(default_factory=list)
    late: dict[int, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Answers hints about one Powens user.

    `institution` finds a bank in the catalogue by its id. `confirm_within`: how long a new connection waits for its
    user to confirm it; nothing: it need not.
    """

    store: Connections
    users: KnownPowensUsers
    access: Access
    changes: Changes
    removal: Removal
    clock: Clock
    budget: Budget
    institution: Callable[[str], Institution | None]
    confirm_within: timedelta

    def run(self, hints: Sequence[Hint]) -> Reading:
        """Read once what all `hints`, which are about one Powens user, ask to look at.

        Raises ReadRecently when some of it was read a moment ago, Unavailable or PowensRefused when some of it
        could not be read: then the hints have to come back. When Powens is not to be asked now and nobody waits for the
        answer, the hints are answered by planning to read the user soon: housekeeping sends as many as may be read,
        those who have waited for longest first.
        """
        newest = max(hints, key=lambda hint: hint.received_at)
        user_id = self.users.user_of(newest.powens_user_id)
        if user_id is None:
            return Reading(known_user=False)
        try:
            return self._read_or_remove(user_id, hints, newest)
        except PowensBusy as busy:
            if _somebody_waits(hints):
                raise
            self.users.bring_forward(user_id, self.clock() + timedelta(seconds=busy.retry_after or 0))
            return Reading(put_off=True)
        except UserBeingErased:
            return Reading()
        except NotFound:
            return Reading(known_user=False)  # gone since the look-up

    def _read_or_remove(self, user_id: str, hints: Sequence[Hint], newest: Hint) -> Reading:
        asked = self.clock()
        try:
            return self._read(user_id, hints, newest)
        except PowensUserGone:
            self.removal.powens_user(
                user_id,
                newest.powens_user_id,
                cause=_CAUSE[newest.origin],
                at=asked,
                correlation_id=newest.correlation_id,
            )
            return Reading(user_gone=True)

    def _read(self, user_id: str, hints: Sequence[Hint], newest: Hint) -> Reading:
        sweep = not _somebody_waits(hints)
        if any(hint.powens_connection_id is None for hint in hints):
            self.budget.admit(CALLS_OF_A_READ, sweep=sweep)
            return self._read_all(user_id, newest)
        latest: dict[int, Hint] = {}
        for hint in sorted(hints, key=lambda hint: hint.received_at):
            assert hint.powens_connection_id is not None  # noqa: S101 - checked just above
            latest[hint.powens_connection_id] = hint
        apart = _Apart()
        too_large = 0
        for powens_connection_id, hint in latest.items():
            held = self.store.connection(user_id, connection_id(powens_connection_id))
            if held is not None and ledger.covered(held, hint.received_at):
                continue
            with apart.one():
                wait = self._wait(held, hint)
                if wait > 0:
                    raise ReadRecently(retry_after=wait)
                self.budget.admit(CALLS_OF_A_READ, sweep=sweep)
                too_large += not self._read_one(user_id, powens_connection_id, held, hint)
        apart.raise_what_failed()
        return Reading(too_large=too_large)

    def _wait(self, held: Connection | None, hint: Hint) -> float:
        """Seconds until this hint may cause a read. Somebody who comes back from the Webview does not wait."""
        if held is None or hint.origin is not HintOrigin.WEBHOOK:
            return 0
        return (held.read_started_at + READ_AGAIN_AFTER - self.clock()).total_seconds()

    def _read_one(self, user_id: str, powens_connection_id: int, held: Connection | None, hint: Hint) -> bool:
        """False for a connection that is too large."""
        read = _Read(*self.access.opened(user_id), hint)
        try:
            seen = read.powens.read_connection(powens_connection_id)
        except PowensNotFound:
            if held is None or held.removed_at is not None:
                return True
            # One 404 may be about the token; a list that works and lacks the connection is the second witness.
            began = self.clock()
            if all(other.powens_id != powens_connection_id for other in read.powens.read_all()):
                self._remove(held, hint, began)
            return True
        fits = self._apply(read, seen)
        self._expect(read)
        return fits

    def _read_all(self, user_id: str, hint: Hint) -> Reading:
        read = _Read(*self.access.opened(user_id), hint)
        shown = read.powens.read_all()
        apart = _Apart()
        too_large = lost = 0
        for seen in shown:
            with apart.one():
                too_large += not self._apply(read, seen)
        known = len(read.late)
        present = {seen.powens_id for seen in shown}
        for held in self.store.listed(user_id).connections:
            if held.powens_id not in present:
                with apart.one():
                    lost += self._read_absent(read, held)
        self._expect(read)
        apart.raise_what_failed()
        if hint.origin is not HintOrigin.SCHEDULE:
            return Reading(too_large=too_large)
        return Reading(
            too_large=too_large,
            staleness=max(read.late.values(), default=None),
            adopted=len(shown) - known - too_large,
            lost=lost,
        )

    def _read_absent(self, read: _Read, held: Connection) -> bool:
        """Whether it is gone. A list without it removes nothing by itself (rule 5): Powens must deny it when asked."""
        asked = self.clock()
        try:
            seen = read.powens.read_connection(held.powens_id)
        except PowensNotFound:
            self._remove(held, read.hint, asked)
            return True
        self._apply(read, seen)
        return False

    def _apply(self, read: _Read, seen: ObservedConnection) -> bool:
        """False for a connection that is too large."""
        seen = self._named(seen)
        hint, user_id = read.hint, read.access.user_id

        def decide(held: Connection | None, others: tuple[Connection, ...]) -> Outcome:
            now = self.clock()
            if held is not None and held.removed_at is None:
                read.late[seen.powens_id] = max(seen.read_started_at - due_at(held), timedelta())
            return ledger.reconcile(
                held,
                seen,
                user_id=user_id,
                powens_user_id=hint.powens_user_id,
                trigger=_CAUSE[hint.origin],
                correlation_id=hint.correlation_id,
                now=now,
                others=others,
                confirm_until=now + self.confirm_within if self.confirm_within else None,
            )

        try:
            outcome = self.changes.apply(
                user_id, connection_id(seen.powens_id), decide, correlation_id=hint.correlation_id
            )
        except TooManyAccounts:
            return False
        read.due.append(due_at(outcome.connection))
        return True

    def _expect(self, read: _Read) -> None:
        """Have the user looked at when something is due, where that is sooner than planned.

        What is due later costs no write: the look that is planned finds out.
        """
        access, due = read.access, min(read.due, default=None)
        if access.only_look and access.reconcile_at is not None and due is not None and due < access.reconcile_at:
            self.users.look_at(access, due, listed_at=None)

    def _named(self, seen: ObservedConnection) -> ObservedConnection:
        """With the bank as the catalogue knows it, when Powens left out the connector of the connection."""
        known = None
        if not seen.institution.name:
            with suppress(Unavailable):  # a later read names it
                known = self.institution(seen.institution.id)
        return replace(seen, institution=known) if known is not None else seen

    def _remove(self, held: Connection, hint: Hint, at: datetime) -> None:
        self.removal.connection(held, cause=_CAUSE[hint.origin], at=at, correlation_id=hint.correlation_id)


def _somebody_waits(hints: Sequence[Hint]) -> bool:
    """Who comes back from the Webview looks at the screen; webhooks and schedules do not."""
    return any(hint.origin is HintOrigin.WEBVIEW for hint in hints)
