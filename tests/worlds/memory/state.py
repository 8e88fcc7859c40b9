"""What the stores in memory share: one user's things and another's, and what a refused write means.

The stores stand for DynamoDB's adapters in tests without AWS. `tests/integration/contracts` runs one suite on both, so
that they cannot drift. They hold users' state only, not the catalogue of institutions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.confirmation import Return
from shared.application.ports import Answer, Clock, StaleWriteError, TakenError
from shared.application.webview import WebviewSession
from shared.contracts.messages import Command, EraseUser, HintMessage
from shared.domain.connection import Connection, Operation
from shared.domain.erasure import Erasure
from shared.domain.errors import UserBeingErased
from shared.domain.facts import Fact
from shared.domain.manual import BalancePoint, ManualAccount
from shared.domain.wishes import Wish

ANSWER_KEPT = timedelta(days=1)

type Key = tuple[str, str]
"""A user's id, and that of something of this user."""
type Refusal = type[StaleWriteError | TakenError | UserBeingErased]
type Condition = tuple[bool, Refusal]
"""What must hold, and what is raised when it does not."""

_FINAL_FIRST: tuple[Refusal, ...] = (UserBeingErased, TakenError, StaleWriteError)


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


@dataclass
class Profile:
    """Who a user is at Powens. `due_at`: when housekeeping looks next, at the user or at the user's erasure."""

    powens_user_id: int | None = None
    sealed_token: bytes | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    renewing_until: datetime | None = None
    renewed_at: datetime | None = None
    renewed_before: datetime | None = None
    due_at: datetime | None = None
    only_look: bool = False
    listed_at: datetime | None = None
    back_at: datetime | None = None
    erasure: Erasure | None = None


@dataclass
class Memory:
    """Everything that is stored. `facts` and `messages` have left by the outbox; an erasure does not take them back."""

    clock: Clock
    profiles: dict[str, Profile] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    connections: dict[Key, Connection] = field(default_factory=dict)
    operations: dict[Key, Operation] = field(default_factory=dict)
    manual_accounts: dict[Key, ManualAccount] = field(default_factory=dict)
    balances: dict[Key, dict[int, tuple[BalancePoint, ...]]] = field(default_factory=dict)
    wishes: dict[Key, Wish] = field(default_factory=dict)
    sessions: dict[Key, WebviewSession] = field(default_factory=dict)
    returns: dict[str, tuple[str, Return]] = field(default_factory=dict)
    """The state of the visit, and what its return code stands for, by the hash of the code."""
    answers: dict[Key, tuple[Answer, datetime]] = field(default_factory=dict)
    receipts: dict[Key, Erasure] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    messages: list[Command | EraseUser | HintMessage] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What others do just before the next writes, one of them each: a race that the write then loses."""

    def before_write(self) -> None:
        """Each write begins with this. What the others write meets nobody in turn."""
        if self.meanwhile:
            happens, *later = self.meanwhile
            self.meanwhile = []
            happens()
            self.meanwhile = later

    def not_erased(self, user_id: str, powens_user_id: int | None = None) -> Condition:
        """The user is not being erased, and is this Powens user if one is named."""
        profile = self.profiles.get(user_id, Profile())
        same = powens_user_id is None or profile.powens_user_id == powens_user_id
        return profile.erasure is None and same, UserBeingErased

    def free(self, user_id: str, answer: Answer | None) -> Condition:
        """The answer's key is not taken."""
        return answer is None or self.answer(user_id, answer.key) is None, TakenError

    def answer(self, user_id: str, key: str) -> Answer | None:
        answer, until = self.answers.get((user_id, key), (None, self.clock()))
        return answer if until > self.clock() else None

    def keep(self, user_id: str, answer: Answer | None) -> None:
        if answer is not None:
            self.answers[user_id, answer.key] = answer, self.clock() + ANSWER_KEPT


def unchanged(held: Versioned | None, before: Versioned | None) -> Condition:
    """What is held is still what was read `before`; None is nothing."""
    return (held and held.version) == (before and before.version), StaleWriteError


def require(*conditions: Condition) -> None:
    """Raise what the first of the refusals means: one that another attempt would meet again comes before the others."""
    refusals = [refusal for holds, refusal in conditions if not holds]
    if refusals:
        raise min(refusals, key=_FINAL_FIRST.index)
