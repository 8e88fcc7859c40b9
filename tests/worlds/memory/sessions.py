"""Visits to the Webview with the hints that come of them, and the budget of calls of Powens."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from shared.application.budget import BudgetStore
from shared.application.confirmation import Return, Returns
from shared.application.ports import Answer, TakenError
from shared.application.webview import SessionStore, WebviewSession
from shared.contracts.messages import HintMessage
from shared.domain.hints import Hint
from tests.worlds.memory.state import Memory, require


class InMemorySessions:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        memory, user_id = self.memory, session.user_id
        memory.before_write()
        require(memory.not_erased(user_id), memory.free(user_id, answer))
        memory.sessions[user_id, session.state] = session
        memory.keep(user_id, answer)

    def session(self, state: str) -> WebviewSession | None:
        return next((found for found in self.memory.sessions.values() if found.state == state), None)

    def add_hint(self, user_id: str, hint: Hint) -> None:
        self.memory.before_write()
        require(self.memory.not_erased(user_id, hint.powens_user_id))
        self.memory.messages.append(HintMessage.of(hint))

    def add_return(self, session: WebviewSession, hint: Hint, *, code_hash: str, powens_connection_id: int) -> None:
        memory = self.memory
        memory.before_write()
        require(
            memory.not_erased(session.user_id, hint.powens_user_id),
            (session.state not in {state for state, _ in memory.returns.values()}, TakenError),
        )
        made = Return(user_id=session.user_id, powens_connection_id=powens_connection_id)
        memory.returns[code_hash] = session.state, made
        memory.messages.append(HintMessage.of(hint))

    def returned(self, code_hash: str) -> Return | None:
        return self.memory.returns.get(code_hash, (None, None))[1]

    def named(self, user_id: str) -> Collection[int]:
        return {made.powens_connection_id for _, made in self.memory.returns.values() if made.user_id == user_id}


class InMemoryBudget:
    def __init__(self) -> None:
        self.until: datetime | None = None
        self.minutes: Counter[datetime] = Counter()

    def paused_until(self) -> datetime | None:
        return self.until

    def pause(self, until: datetime) -> None:
        self.until = max(filter(None, (self.until, until)))

    def spend(self, minute: datetime, calls: int, *, most: int) -> bool:
        if self.minutes[minute] + calls > most:
            return False
        self.minutes[minute] += calls
        return True


_sessions: type[SessionStore] = InMemorySessions
_budget: type[BudgetStore] = InMemoryBudget
_returns: type[Returns] = InMemorySessions
