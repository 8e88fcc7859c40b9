"""Visits to the Webview with the hints that come of them, and the budget of calls of Powens."""

from collections import Counter
from datetime import datetime

from shared.application.budget import BudgetStore
from shared.application.ports import Answer
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
