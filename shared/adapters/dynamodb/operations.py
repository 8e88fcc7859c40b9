"""The operations, each as its last change left it. They change with their connection."""

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from shared.adapters.dynamodb.documents import Documents
from shared.adapters.dynamodb.keys import due_items, expiry, instant, shard_of, user_key, user_of
from shared.adapters.dynamodb.table import Item, Table, Write, store
from shared.domain.connection import Operation

if TYPE_CHECKING:
    from shared.application.housekeeping import OpenOperation

OPERATION_KEPT = timedelta(days=90)
_WHILE_OPEN = ("due_pk", "due_sk", "connection_id")


@cache
def _codec() -> Documents[Operation]:
    return Documents(Operation)


def put_operation(operation: Operation) -> Write:
    """While it is open, the index finds it by its deadline."""
    item: Item = {
        **user_key(operation.user_id, f"OPERATION#{operation.id}"),
        "document": _codec().write(operation).decode(),
        "ttl": expiry(operation.created_at, OPERATION_KEPT),
    }
    if operation.open:
        item["due_pk"] = f"OPERATION#{shard_of(operation.id)}"
        item["due_sk"] = f"{instant(operation.deadline_at)}#{operation.id}"
        item["connection_id"] = operation.connection_id
    return store(item, _WHILE_OPEN)


class DynamoDBOperations:
    """The ports `OperationStore` and `OpenOperations`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def operation(self, user_id: str, operation_id: str) -> Operation | None:
        item = self.table.get(user_key(user_id, f"OPERATION#{operation_id}"))
        return _codec().read(item["document"]) if item else None

    def open_operations(self, until: datetime, *, limit: int) -> "list[OpenOperation]":
        # Not for who only reads an operation, which somebody waits for: that would load all of housekeeping.
        from shared.application.housekeeping import OpenOperation  # noqa: PLC0415

        return [
            OpenOperation(
                user_id=user_of(item),
                connection_id=item["connection_id"],
                operation_id=item["sk"].removeprefix("OPERATION#"),
                deadline_at=datetime.fromisoformat(item["due_sk"].partition("#")[0]),
            )
            for item in due_items(self.table, "OPERATION", until, limit)
        ]
