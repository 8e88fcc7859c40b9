"""The switch that stops all calls to Powens without a deployment, and lets them go on (ADR 0046)."""

from datetime import UTC, datetime, timedelta

from ops.system import System
from shared.adapters.dynamodb.budget import DynamoDBBudget
from shared.adapters.dynamodb.table import Table


def pause(system: System, length: timedelta, now: datetime | None = None) -> datetime:
    """Nobody calls Powens for so long; until when. A longer pause that is on stays. Raises StoreUnavailable."""
    budget = _budget(system)
    until = (now or datetime.now(UTC)) + length
    budget.pause(until)
    return budget.paused_until() or until


def resume(system: System) -> None:
    """Powens may be called from now on. Raises StoreUnavailable."""
    _budget(system).resume()


def _budget(system: System) -> DynamoDBBudget:
    return DynamoDBBudget(Table(system.client("dynamodb"), system.outputs["TableName"]))
