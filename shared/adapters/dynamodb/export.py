"""All that is held about a user, page by page (ADR 0020)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from shared.adapters.dynamodb.keys import partition_of
from shared.adapters.dynamodb.kinds import KINDS, kind_of
from shared.adapters.dynamodb.table import Table
from shared.application.ports import HeldItem
from shared.domain.errors import InvalidInput


class DynamoDBExport:
    def __init__(self, table: Table) -> None:
        self.table = table

    def export(self, user_id: str, *, cursor: str | None) -> tuple[list[HeldItem], str | None]:
        """A page of all that is held about the user, at most a megabyte of the table, and the cursor of the next.

        Raises InvalidInput for a cursor that is none.
        """
        keys, values = "pk = :user", {"user": partition_of(user_id)}
        if cursor is not None:
            keys, values["after"] = f"{keys} AND sk > :after", _sort_key(cursor)
        page = self.table.query(keys, {"ConsistentRead": True}, **values)
        items = [HeldItem(kind=kind_of(item).name, content=kind_of(item).shown(item)) for item in page.items]
        return items, _cursor(page.last["sk"]) if page.last is not None else None


def _cursor(sort_key: str) -> str:
    return urlsafe_b64encode(sort_key.encode()).decode().rstrip("=")


def _sort_key(cursor: str) -> str:
    try:
        sort_key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        sort_key = ""
    if not sort_key.startswith(tuple(KINDS)) or len(sort_key) > 1024 or _cursor(sort_key) != cursor:
        raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
    return sort_key
