"""All that is held about a user: the history and the export."""

import json
from datetime import datetime

from shared.application.ports import HeldItem, HistoryEntry
from shared.contracts.api.bodies import Answered
from shared.contracts.events import Timestamp
from shared.domain.connection import AccountType
from shared.domain.facts import Cause, Change
from shared.domain.unknown import known, value_of


class HistoryLineView(Answered):
    """What happened to one account."""

    account_id: str
    """The account."""
    name: str
    """What it was called then; empty when that is not known."""
    change: Change
    """What happened to it."""


class HistoryEntryView(Answered):
    """Something that happened, as other services heard of it."""

    id: str
    """Of the event."""
    occurred_at: Timestamp
    """When."""
    kind: str
    """The type of the event, such as `AccountsUpdated`; the list may grow."""
    cause: Cause
    """Who caused it."""
    connection_id: str | None
    """The connection that it is about, if one."""
    institution_name: str | None
    """That of the connection or the wish."""
    accounts: tuple[HistoryLineView, ...]
    """What changed of which accounts."""
    operation_id: str | None
    """Of an `OperationEnded`: the operation."""
    status: str | None
    """Of the connection or the operation, where the event says one."""
    type: AccountType | None = None
    """Of an `AccountNowAvailable`."""


class HistoryView(Answered):
    """A page of what happened, the newest first."""

    entries: tuple[HistoryEntryView, ...]
    """Of this page."""
    next: str | None
    """The `cursor` of the next page; null on the last one."""


class HeldItemView(Answered):
    """One thing that is held about the user."""

    kind: str
    """What it is."""
    content: dict[str, object]
    """As it is stored, without secrets. Its members may change at any time."""


class ExportView(Answered):
    """What is held about a user, a page of at most a megabyte at a time."""

    user_id: str
    """The `sub` of the token."""
    exported_at: Timestamp
    """When this page was read."""
    items: tuple[HeldItemView, ...]
    """Of this page."""
    next: str | None
    """The `cursor` of the next page; null on the last one."""


def export_view(user_id: str, items: list[HeldItem], following: str | None, now: datetime) -> ExportView:
    shown = tuple(HeldItemView(kind=item.kind, content=item.content) for item in items)
    return ExportView(user_id=user_id, exported_at=now, items=shown, next=following)


def history_entry_view(entry: HistoryEntry) -> HistoryEntryView:
    """What a newer release has added to the event is left out; a value of its own claims as little as can be."""
    detail = json.loads(entry.detail)
    metadata, data = detail["metadata"], detail["data"]
    return HistoryEntryView(
        id=entry.id,
        occurred_at=datetime.fromisoformat(metadata["occurred_at"]),
        kind=entry.type,
        cause=known(value_of(Cause, metadata["cause"]), Cause.RECONCILIATION),
        connection_id=data.get("connection_id"),
        institution_name=entry.institution_name,
        accounts=tuple(
            HistoryLineView(
                account_id=line["account_id"],
                name=entry.account_names.get(line["account_id"], ""),
                change=known(value_of(Change, line["change"]), Change.REFRESHED),
            )
            for line in data["accounts"]
        ),
        operation_id=data.get("operation_id"),
        status=data.get("status"),
        type=known(value_of(AccountType, data["type"]), AccountType.OTHER) if "type" in data else None,
    )
