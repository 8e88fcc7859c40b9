"""A user's history: the published events, as the outbox has written them."""

import json
import re

from shared.adapters.dynamodb.keys import partition_of
from shared.adapters.dynamodb.table import Item, Table, Value
from shared.application.ports import HistoryEntry
from shared.domain.errors import InvalidInput

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


class DynamoDBHistory:
    def __init__(self, table: Table) -> None:
        self.table = table

    def history(
        self, user_id: str, *, connection_id: str | None, cursor: str | None, limit: int
    ) -> tuple[list[HistoryEntry], str | None]:
        """Newest first, and the cursor of the next page. Raises InvalidInput for a cursor that is none."""
        if cursor is not None and not _ULID.fullmatch(cursor):
            raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
        last = f"EVENT#{cursor}" if cursor else "EVENT#~"
        values: dict[str, Value] = {"user": partition_of(user_id), "first": "EVENT#", "last": last}
        options: Item = {"ScanIndexForward": False, "Limit": limit + 2}
        if connection_id is not None:
            options["FilterExpression"] = "connection_id = :connection"
            values["connection"] = connection_id
        entries: list[HistoryEntry] = []
        for items in self.table.pages("pk = :user AND sk BETWEEN :first AND :last", options, **values):
            entries += [entry for item in items if (entry := _entry(item)).id != cursor]
            if len(entries) > limit:
                return entries[:limit], entries[limit - 1].id
        return entries, None


def _entry(item: Item) -> HistoryEntry:
    return HistoryEntry(
        id=item["sk"].removeprefix("EVENT#"),
        type=item["detail_type"],
        detail=item["detail"],
        institution_name=item["institution"] or None,
        account_names=json.loads(item["names"]),
    )
