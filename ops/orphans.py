"""Users at Powens whom nobody here owns, as the last daily check saw them (ADR 0022)."""

from datetime import UTC, datetime
from uuid import uuid4

from ops.system import System
from shared.adapters.dynamodb.store import DynamoDBStore
from shared.application.orphans import Listing


def listing(system: System) -> Listing | None:
    """None before the first check. Raises StoreUnavailable."""
    store = DynamoDBStore(
        system.client("dynamodb"),
        system.outputs["TableName"],
        clock=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
    )
    return store.orphan_listing()
