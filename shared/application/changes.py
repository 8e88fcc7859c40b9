"""The one way in which a connection changes: read, decide, write; and again when somebody else wrote first."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.application.ports import Answer, StaleWriteError, Store
from shared.domain.connection import Connection
from shared.domain.errors import StoreUnavailable
from shared.domain.ledger import Outcome

ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Changes:
    store: Store

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
            try:
                self.store.save(held, outcome, correlation_id=correlation_id, answer=kept)
            except StaleWriteError:
                continue
            return outcome
        raise StoreUnavailable("too many writers of one connection", retry_after=1)
