"""The one way in which a connection changes: read, decide, write; and again when somebody else wrote first."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.application.ports import Answer, Beside, Clock, StaleWriteError, Store
from shared.domain import joins, wishes
from shared.domain.connection import Connection
from shared.domain.errors import StoreUnavailable
from shared.domain.facts import Cause
from shared.domain.ledger import Outcome

ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Changes:
    store: Store
    clock: Clock

    def apply(
        self,
        user_id: str,
        connection_id: str,
        decide: Callable[[Connection | None], Outcome],
        *,
        correlation_id: str,
        answer: Callable[[Outcome], Answer | None] = lambda _: None,
    ) -> Outcome:
        """Decide on the newest state and write what was decided, unless it is what is there already.

        `decide` is pure and may run several times. Raises what it raises, TakenError when the answer's key is taken,
        and StoreUnavailable when other writers were faster each time.
        """
        for _ in range(ATTEMPTS):
            held = self.store.connection(user_id, connection_id)
            outcome = decide(held)
            kept = answer(outcome)
            if outcome.connection == held and not outcome.facts and kept is None:
                return outcome
            beside = self._beside(user_id, held, outcome)
            try:
                self.store.save(held, outcome, correlation_id=correlation_id, answer=kept, beside=beside)
            except StaleWriteError:
                continue
            return outcome
        raise StoreUnavailable("too many writers of one connection", retry_after=1)

    def _beside(self, user_id: str, held: Connection | None, outcome: Outcome) -> Beside:
        """What goes with the change to accounts kept by hand and to wishes.

        One more query, and only when accounts came, went, or began or ceased to count.
        """
        connection = outcome.connection
        if joins.standing(held) == joins.standing(connection):
            return Beside()
        listed = self.store.listed(user_id).after(connection)
        cause = next((fact.cause for fact in outcome.facts if fact.accounts), Cause.RECONCILIATION)
        return Beside(
            manual=joins.affected(listed.manual_accounts, connection, listed.connections, cause),
            wishes=wishes.fulfilled(listed.wishes, held, connection, self.clock(), cause),
        )
