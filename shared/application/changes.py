"""The one way in which a connection changes: read, decide, write; and again when somebody else wrote first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.application.ports import Answer, Clock, Connections, Listed
from shared.application.writing import Draft, write
from shared.domain import joins, wishes
from shared.domain.connection import Connection, Operation
from shared.domain.facts import Cause
from shared.domain.ledger import Outcome
from shared.domain.manual import ManualAccount, ManualOutcome
from shared.domain.wishes import Wish, WishOutcome

type Decide = Callable[[Connection | None, tuple[Connection, ...]], Outcome]
"""(the connection as it is held, the user's other living ones) -> what is decided. The others are given only when the
connection gets an account, which may have moved from one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a change of a connection does beside it: to joined accounts, and to wishes. Each with its state before."""

    manual: tuple[tuple[ManualAccount, ManualOutcome], ...] = ()
    wishes: tuple[tuple[Wish, WishOutcome], ...] = ()


NOTHING_BESIDE = Beside()


class ConnectionStore(Connections, Protocol):
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
        as before, TakenError when `answer`'s key is taken. A connection that is new (`before` None) is only written for
        the Powens user that it was read of: raises UserBeingErased when the user has another one by now, none, or is
        being erased.
        """


@dataclass(frozen=True, slots=True)
class Changes:
    store: ConnectionStore
    clock: Clock
    on_ended: Callable[[Operation], None]
    """Hears of each operation whose end has been written; of one that was killed at that moment, nobody does."""

    def apply(
        self,
        user_id: str,
        connection_id: str,
        decide: Decide,
        *,
        correlation_id: str,
    ) -> Outcome:
        """Decide on the newest state and write what was decided.

        `decide` is pure and may run several times. Raises what it raises, and StoreUnavailable when other writers were
        faster each time.
        """
        return write(lambda: self.draft(user_id, connection_id, decide, correlation_id=correlation_id))

    def draft(self, user_id: str, connection_id: str, decide: Decide, *, correlation_id: str) -> Draft[Outcome]:
        """What is decided on the state as it is now. What is there already is written only to keep an answer to it."""
        held = self.store.connection(user_id, connection_id)
        outcome = decide(held, ())
        beside = NOTHING_BESIDE
        if joins.standing(held) != joins.standing(outcome.connection):
            # One more query, and only when accounts came, went, or began or ceased to count.
            listed = self.store.listed(user_id)
            if others := _moved_from(listed, held, outcome.connection):
                outcome = decide(held, others)
            beside = self._beside(listed, held, outcome)
        changed = outcome.connection != held or bool(outcome.facts)

        def save(answer: Answer | None) -> None:
            if changed or answer is not None:
                self.store.save(held, outcome, correlation_id=correlation_id, answer=answer, beside=beside)
                for before, change in ((held, outcome), *outcome.others):
                    for operation in _ended(before, change):
                        self.on_ended(operation)

        return Draft(outcome, save)

    def _beside(self, listed: Listed, held: Connection | None, outcome: Outcome) -> Beside:
        """What goes with the change to manual accounts and to wishes."""
        changed = ((held, outcome), *outcome.others)
        for _, change in changed:
            listed = listed.after(change.connection)
        cause = next((fact.cause for fact in outcome.facts if fact.accounts), Cause.RECONCILIATION)
        manual = {
            account.id: (account, followed)
            for before, change in changed
            for account, followed in joins.affected(
                listed.manual_accounts, before, change.connection, listed.connections, cause
            )
        }
        return Beside(
            manual=tuple(manual.values()),
            wishes=wishes.fulfilled(listed.wishes, held, outcome.connection, self.clock(), cause),
        )


def _ended(before: Connection | None, outcome: Outcome) -> list[Operation]:
    known = before.operations if before is not None else ()
    return [operation for operation in outcome.operations if not operation.open and operation not in known]


def _moved_from(listed: Listed, held: Connection | None, after: Connection) -> tuple[Connection, ...]:
    """The user's other living connections, if an account is new to this one; else none."""
    known = {account.powens_id for account in held.accounts} if held is not None else set()
    came = {account.powens_id for account in after.accounts} - known
    return tuple(c for c in listed.connections if c.id != after.id) if came else ()
