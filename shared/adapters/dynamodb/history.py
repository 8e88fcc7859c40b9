"""A user's history: the published events, as the outbox has written them."""

import json
import re

from shared.adapters.dynamodb.keys import partition_of
from shared.adapters.dynamodb.table import Item, Table, Value
from shared.application.ports import HistoryEntry
from shared.domain.errors import InvalidInput

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
MOST_READS = 4
"""Of one request: each costs up to 1 MB, whether anything in it is of the connection or not."""
_FILTERED_AT_ONCE = 500
"""Events of a user of which one read picks those of a connection."""


class DynamoDBHistory:
    def __init__(self, table: Table) -> None:
        self.table = table

    def history(
        self, user_id: str, *, connection_id: str | None, cursor: str | None, limit: int
    ) -> tuple[list[HistoryEntry], str | None]:
        """Newest first, and the cursor of the next page. Raises InvalidInput for a cursor that is none.

        A page of a connection may be short, or empty, and have a next one all the same: that is as far as it looked.
        """
        if cursor is not None and not _ULID.fullmatch(cursor):
            raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
        values: dict[str, Value] = {"user": partition_of(user_id), "first": "EVENT#"}
        options: Item = {"ScanIndexForward": False, "Limit": limit + 2}
        if connection_id is not None:
            options |= {"FilterExpression": "connection_id = :connection", "Limit": _FILTERED_AT_ONCE}
            values["connection"] = connection_id
        entries: list[HistoryEntry] = []
        for _ in range(MOST_READS):
            values["last"] = f"EVENT#{cursor}" if cursor else "EVENT#~"
            page = self.table.query("pk = :user AND sk BETWEEN :first AND :last", options, **values)
            entries += [entry for item in page.items if (entry := _entry(item)).id != cursor]
            if len(entries) > limit:
                return entries[:limit], entries[limit - 1].id
            if page.last is None:
                return entries, None
            cursor = page.last["sk"].removeprefix("EVENT#")
        return entries, cursor


def _entry(item: Item) -> HistoryEntry:
    return HistoryEntry(
        id=item["sk"].removeprefix("EVENT#"),
        type=item["detail_type"],
        detail=item["detail"],
        institution_name=item["institution"] or None,
        account_names=json.loads(item["names"]),
    )
