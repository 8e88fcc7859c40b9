"""The messages of our two queues. A body that does not fit is a poison message: it ends in the dead-letter queue.

A newer release may add members, which are ignored. What an older one must not carry out without knowing it has a newer
`version`: it waits for a worker that does (ADR 0044).
"""

import json
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt

from shared.domain.connection import OperationKind
from shared.domain.hints import Hint, HintOrigin

_VERSION = 1


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1


def is_newer(body: str) -> bool:
    """Whether a body that does not fit is of a newer version than the messages here."""
    try:
        said = json.loads(body)["version"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return False
    return type(said) is int and said > _VERSION


class Command(Message):
    """Carry an operation out. What to do is read from the ledger, so an old copy of a command does nothing."""

    queue: ClassVar[str] = "commands"

    user_id: str
    connection_id: str
    operation_id: str
    correlation_id: str

    @property
    def group(self) -> str:
        """One connection has one worker at a time."""
        return self.connection_id

    def group_of(self, kind: OperationKind) -> str:
        """As `group`; but a refresh waits for minutes until Powens has synchronised, and no choice waits behind it."""
        return self.operation_id if kind is OperationKind.REFRESH else self.group


class EraseUser(Message):
    """Erase a user, if the erasure of this id is still under way."""

    queue: ClassVar[str] = "commands"

    user_id: str
    erasure_id: str
    correlation_id: str

    @property
    def group(self) -> str:
        """One erasure has one worker at a time, and no command waits for it."""
        return self.erasure_id


class HintMessage(Message):
    """A hint on its way, as `powens_webhook` writes it too.

    Not `Hint` itself: a message has a version and is checked, and the use cases, which make hints
    and answer them, know nothing of what crosses our borders. The two have the same members.
    """

    queue: ClassVar[str] = "refresh"

    powens_user_id: PositiveInt
    powens_connection_id: PositiveInt | None = None
    origin: HintOrigin
    reason: str
    received_at: AwareDatetime
    correlation_id: str

    @property
    def group(self) -> str:
        """Hints about one user are read back one after the other."""
        return str(self.powens_user_id)

    @classmethod
    def of(cls, hint: Hint) -> Self:
        return cls.model_validate(hint, from_attributes=True)

    def hint(self) -> Hint:
        return Hint(**self.model_dump(exclude={"version"}))
