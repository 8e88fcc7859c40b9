"""The messages of our two queues. A body that does not fit is a poison message: it ends in the dead-letter queue."""

from datetime import datetime
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt

from shared.domain.connection import OperationKind
from shared.domain.hints import Hint, HintOrigin


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1


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
    """A hint, as `powens_webhook` writes it too."""

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
        received_at: datetime = hint.received_at
        return cls(
            powens_user_id=hint.powens_user_id,
            powens_connection_id=hint.powens_connection_id,
            origin=hint.origin,
            reason=hint.reason,
            received_at=received_at,
            correlation_id=hint.correlation_id,
        )

    def hint(self) -> Hint:
        return Hint(
            powens_user_id=self.powens_user_id,
            powens_connection_id=self.powens_connection_id,
            origin=self.origin,
            reason=self.reason,
            received_at=self.received_at,
            correlation_id=self.correlation_id,
        )
