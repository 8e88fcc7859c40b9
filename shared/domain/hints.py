"""A hint asks to read a user's connections. It never has data to apply (ADR 0003)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.connection import Connection


class HintOrigin(StrEnum):
    """Where the hint comes from; it is the `cause` of the changes that no choice explains."""

    WEBHOOK = "webhook"
    WEBVIEW = "webview"
    SCHEDULE = "schedule"

    @classmethod
    def _missing_(cls, value: object) -> "HintOrigin | None":
        """One that only a newer release knows claims no more than a schedule does."""
        return cls.SCHEDULE if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """`powens_connection_id` None means all of the user's connections. `received_at` is our clock, UTC."""

    powens_user_id: int
    powens_connection_id: int | None
    origin: HintOrigin
    reason: str
    received_at: datetime
    correlation_id: str


def confirmed(connection: Connection, at: datetime, correlation_id: str) -> Hint:
    """That a connection is its user's: what it has is to be read, as of a visit."""
    return Hint(
        powens_user_id=connection.powens_user_id,
        powens_connection_id=connection.powens_id,
        origin=HintOrigin.WEBVIEW,
        reason="confirmed",
        received_at=at,
        correlation_id=correlation_id,
    )
