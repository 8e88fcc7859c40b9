"""Users at Powens whom nobody here owns, as the last daily check saw them (ADR 0022)."""

from ops.system import System
from shared.adapters.dynamodb.orphans import DynamoDBOrphans
from shared.adapters.dynamodb.table import Table
from shared.application.orphans import Listing


def listing(system: System) -> Listing | None:
    """None before the first check. Raises StoreUnavailable."""
    table = Table(system.client("dynamodb"), system.outputs["TableName"])
    return DynamoDBOrphans(table).orphan_listing()
