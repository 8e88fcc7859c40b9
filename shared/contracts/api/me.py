"""All that is held about a user: the history and the export."""

from datetime import datetime

from pydantic import Field

from shared.application.ports import HeldItem, HistoryEntry
from shared.contracts.api.bodies import Answered
from shared.contracts.events import EventDetail, Timestamp
from shared.domain.connection import AccountType
from shared.domain.facts import Cause, Change


class HistoryLineView(Answered):
    account_id: str
    name: str
    change: Change


class HistoryEntryView(Answered):
    id: str
    occurred_at: Timestamp
    kind: str
    cause: Cause
    connection_id: str | None
    institution_name: str | None
    accounts: tuple[HistoryLineView, ...]
    operation_id: str | None
    status: str | None
    type: AccountType | None = Field(default=None, description="of an `AccountNowAvailable`")


class HistoryView(Answered):
    entries: tuple[HistoryEntryView, ...]
    next: str | None


class HeldItemView(Answered):
    kind: str
    content: dict[str, object]


class ExportView(Answered):
    """What is held about a user, a page of at most a megabyte at a time."""

    user_id: str
    exported_at: Timestamp
    items: tuple[HeldItemView, ...]
    next: str | None = Field(description="the `cursor` of the next page; null on the last one")


def export_view(user_id: str, items: list[HeldItem], following: str | None, now: datetime) -> ExportView:
    shown = tuple(HeldItemView(kind=item.kind, content=item.content) for item in items)
    return ExportView(user_id=user_id, exported_at=now, items=shown, next=following)


def history_entry_view(entry: HistoryEntry) -> HistoryEntryView:
    detail = EventDetail.model_validate_json(entry.detail)
    return HistoryEntryView(
        id=entry.id,
        occurred_at=detail.metadata.occurred_at,
        kind=entry.type,
        cause=detail.metadata.cause,
        connection_id=detail.data.connection_id,
        institution_name=entry.institution_name,
        accounts=tuple(
            HistoryLineView(
                account_id=line.account_id, name=entry.account_names.get(line.account_id, ""), change=line.change
            )
            for line in detail.data.accounts
        ),
        operation_id=detail.data.operation_id,
        status=detail.data.status,
        type=detail.data.type,
    )
