"""Operations in the HTTP API; an erasure is shown as one."""

from typing import Literal

from shared.contracts.api.bodies import Answered, ReasonView, reason_by_code
from shared.contracts.events import Timestamp
from shared.contracts.sentences import refused_refresh_sentence
from shared.contracts.texts import Language
from shared.domain.connection import ItemStatus, Operation, OperationKind, OperationStatus
from shared.domain.erasure import Erasure
from shared.domain.unknown import known


class OperationItemView(Answered):
    """How far an operation is with one account."""

    account_id: str
    """The account."""
    wanted: Literal["enabled", "disabled"]
    """What it shall become."""
    status: ItemStatus
    """How far it is."""
    reason: ReasonView | None
    """Why it did not go through; null when it did, or is still open."""


class OperationView(Answered):
    """Something that was asked for and takes a while. Look again after `Retry-After` until `ended_at` is set."""

    id: str
    """Ours; also at the end of `Location`."""
    kind: OperationKind
    """What it is for."""
    connection_id: str | None
    """Null for an erasure, which is about everything."""
    status: OperationStatus
    """How far it is."""
    status_reason: ReasonView | None
    """Why it ended so; null when there is nothing to say."""
    created_at: Timestamp
    """When it was asked for."""
    deadline_at: Timestamp
    """When it ends at the latest, whatever Powens does."""
    ended_at: Timestamp | None
    """When it ended; null while it is open."""
    accounts: tuple[OperationItemView, ...]
    """One line for each account that it changes."""
    undo_until: Timestamp | None
    """Until when it can be undone; null when it cannot."""
    last_success_at: Timestamp | None = None
    """Of a refresh: when the connection's data was from as it was asked for, or ended."""


def operation_view(operation: Operation, language: Language) -> OperationView:
    """What a newer release knows of it besides is under way while it is open, and never claimed to be done."""
    running, pending = OperationStatus.RUNNING, ItemStatus.PENDING
    if not operation.open:
        running, pending = OperationStatus.FAILED, ItemStatus.FAILED
    return OperationView(
        id=operation.id,
        kind=known(operation.kind, OperationKind.RESTORATION),
        connection_id=operation.connection_id,
        status=known(operation.status, running),
        status_reason=_operation_reason(operation, language),
        created_at=operation.created_at,
        deadline_at=operation.deadline_at,
        ended_at=operation.ended_at,
        accounts=tuple(
            OperationItemView(
                account_id=item.account_id,
                wanted="enabled" if item.wanted else "disabled",
                status=known(item.status, pending),
                reason=reason_by_code(item.reason, language),
            )
            for item in operation.items
        ),
        undo_until=operation.undo_until,
        last_success_at=operation.last_success_at,
    )


def _operation_reason(operation: Operation, language: Language) -> ReasonView | None:
    shown = reason_by_code(operation.reason, language)
    if shown is None or operation.reason != "refresh_refused":
        return shown
    return shown.model_copy(update={"message": refused_refresh_sentence(operation, language)})


def erasure_view(erasure: Erasure) -> OperationView:
    """As an operation like any other, whose end is the receipt."""
    done = erasure.ended_at is not None
    return OperationView(
        id=erasure.id,
        kind=OperationKind.ERASURE,
        connection_id=None,
        status=OperationStatus.COMPLETED if done else OperationStatus.RUNNING,
        status_reason=None,
        created_at=erasure.requested_at,
        deadline_at=erasure.deadline_at,
        ended_at=erasure.ended_at,
        accounts=(),
        undo_until=None,
    )
