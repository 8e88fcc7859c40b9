"""The use cases on stores in memory and a Powens in memory: nothing leaves the process, and a test takes milliseconds.

Time moves a millisecond each time that it is read, and when something sleeps or waits for a message that comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from shared.application.access import Access
from shared.application.budget import Budget
from shared.application.carry_out import CarryOut
from shared.application.changes import Changes
from shared.application.confirmation import ConfirmConnections
from shared.application.erasure import BeginErasure, Erase
from shared.application.operations import RecordOperation
from shared.application.read_back import ReadBack, Reading
from shared.application.removal import Removal
from shared.application.request import Request
from shared.application.webview import OpenWebview, ReturnFromWebview
from shared.application.writing import write
from shared.contracts.messages import Command, EraseUser, HintMessage
from shared.domain.connection import Connection, Operation, connection_id
from shared.domain.errors import Unavailable
from shared.domain.facts import FactType
from shared.domain.hints import Hint, HintOrigin
from shared.domain.observation import ObservedAccount
from tests.builders import POWENS_CONNECTION, POWENS_USER, USER, FixedClock, observed
from tests.unit.application.powens import PowensInMemory
from tests.worlds.memory.connections import InMemoryConnections, InMemoryOperations
from tests.worlds.memory.erasures import InMemoryErasures
from tests.worlds.memory.powens_users import InMemoryPowensUsers
from tests.worlds.memory.sessions import InMemoryBudget, InMemorySessions
from tests.worlds.memory.state import Memory

APP = "https://app.example.com"
ID = connection_id(POWENS_CONNECTION)
ALICE = Request(user_id=USER, correlation_id="c", language="fr")


class RunningClock(FixedClock):
    """No two readings are the same."""

    def __call__(self) -> datetime:
        return self.advance(milliseconds=1)


@dataclass(frozen=True)
class Seal:
    """For whom a token is sealed stays with it."""

    def seal(self, user_id: str, token: str) -> bytes:
        return f"{user_id}/{token}".encode()

    def unseal(self, user_id: str, sealed: bytes) -> str:
        owner, _, token = sealed.decode().partition("/")
        assert owner == user_id
        return token


class World:
    """Alice, and whatever her requests and Powens' hints begin."""

    def __init__(self, *, calls_per_minute: int = 0, confirm_within: timedelta = timedelta(0)) -> None:
        self.clock = RunningClock()
        self.memory = Memory(self.clock)
        self.powens = PowensInMemory(self.clock)
        self.seconds_left = 20.0
        ids = count(1)
        self.new_id = lambda: f"id-{next(ids)}"
        self.connections = InMemoryConnections(self.memory)
        self.users = InMemoryPowensUsers(self.memory)
        sessions, erasures = InMemorySessions(self.memory), InMemoryErasures(self.memory)
        operations = InMemoryOperations(self.memory)
        self.budget = Budget(InMemoryBudget(), self.clock, calls_per_minute)
        self.access = Access(self.users, self.users, self.powens, Seal(), self.clock, self.new_id, self._sleep)
        self.ended: list[Operation] = []
        self.changes = Changes(self.connections, self.clock, self.ended.append)
        self.removal = Removal(self.connections, self.access, self.changes, self.clock)
        self.record = RecordOperation(operations, self.connections, self.changes, self.clock, self.new_id)
        self.carry_out = CarryOut(self.connections, self.access, self.changes, self.removal, self.clock, self.budget)
        self.read_back = ReadBack(
            self.connections,
            self.users,
            self.access,
            self.changes,
            self.removal,
            self.clock,
            self.budget,
            institution=lambda _: None,
            confirm_within=confirm_within,
        )
        self.confirm = ConfirmConnections(sessions, self.changes, self.access, self.budget, self.clock, self.new_id)
        self.open_webview = OpenWebview(
            sessions,
            self.connections,
            self.users,
            self.access,
            self.removal,
            lambda flow, _language, code, state, _connection: f"{flow}/{code}/{state}",
            [APP],
            self.clock,
            self.budget,
        )
        self.return_from_webview = ReturnFromWebview(
            sessions, self.users, [APP], self.clock, confirmed=bool(confirm_within)
        )
        self.begin_erasure = BeginErasure(erasures, self.users, self.clock, self.new_id)
        self.erase = Erase(erasures, self.users, self.access, self.clock, lambda: self.seconds_left, self.budget)

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)

    # --- what people and Powens do

    def connect(self, *accounts: ObservedAccount) -> Connection:
        """Alice has been at Powens and connected a bank, which has been read back; what it took is forgotten."""
        self.access.ensure(USER)
        self.powens.connections[POWENS_CONNECTION] = observed(*accounts)
        self.hint()
        self.forget()
        return self.held()

    def choose(self, *powens_ids: int) -> Operation:
        """Exactly these accounts shall be enabled."""
        ids = {account.id for account in self.held().accounts if account.powens_id in powens_ids}
        return write(lambda: self.record.select(ALICE, ID, ids, editions=None))

    def hint(self, origin: HintOrigin = HintOrigin.WEBVIEW, powens_connection_id: int | None = None) -> Reading:
        return self.read_back.run([self.a_hint(origin, powens_connection_id)])

    def a_hint(self, origin: HintOrigin, powens_connection_id: int | None = None) -> Hint:
        return Hint(
            powens_user_id=POWENS_USER,
            powens_connection_id=powens_connection_id,
            origin=origin,
            reason="test",
            received_at=self.clock(),
            correlation_id="c",
        )

    def work(self, *, attempts: int = 20) -> None:
        """Handle the messages that have left; one whose work has to go on comes back later."""
        waiting = [(message, True) for message in self.memory.messages]
        self.memory.messages.clear()
        for _ in range(attempts):
            if not waiting:
                break
            message, first = waiting.pop(0)
            try:
                self._handle(message, first_attempt=first)
            except Unavailable as error:
                self.clock.advance(seconds=error.retry_after or 5)
                waiting.append((message, False))
        assert not waiting

    def _handle(self, message: Command | EraseUser | HintMessage, *, first_attempt: bool) -> None:
        match message:
            case Command():
                self.carry_out.run(
                    message.user_id, message.connection_id, message.operation_id, first_attempt=first_attempt
                )
            case EraseUser():
                self.erase.run(message.user_id, message.erasure_id)
            case HintMessage():
                self.read_back.run([message.hint()])

    # --- what is there then

    def held(self) -> Connection:
        held = self.connections.connection(USER, ID)
        assert held is not None
        return held

    def enabled(self) -> set[int]:
        return {account.powens_id for account in self.held().accounts if account.enabled}

    def operation(self, operation: Operation) -> Operation:
        return self.memory.operations[USER, operation.id]

    def told(self) -> list[FactType]:
        return [fact.type for fact in self.memory.facts]

    def forget(self) -> None:
        """What was asked of Powens and what has left so far."""
        self.powens.calls.clear()
        self.memory.facts.clear()
        self.memory.messages.clear()

    def just_before_the_next_write(self, *happens: Callable[[], object]) -> None:
        """Others write first, one of them before each of the next writes."""
        self.memory.meanwhile += happens
