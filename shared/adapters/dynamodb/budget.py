"""What all workers share about asking Powens (ADR 0021)."""

from datetime import datetime, timedelta

from shared.adapters.dynamodb.keys import expiry, instant
from shared.adapters.dynamodb.table import Key, Table, delete, update

MINUTE_KEPT = timedelta(hours=1)
_PAUSE: Key = {"pk": "BUDGET", "sk": "PAUSE"}


class DynamoDBBudget:
    """The port `BudgetStore`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def paused_until(self) -> datetime | None:
        item = self.table.get(_PAUSE)
        return datetime.fromisoformat(item["paused_until"]) if item else None

    def pause(self, until: datetime) -> None:
        longer = "attribute_not_exists(paused_until) OR paused_until < :until"
        self.table.attempt(update(_PAUSE, "SET paused_until = :until", longer, until=instant(until)))

    def resume(self) -> None:
        """End a pause before its time: an operator's work, no port."""
        self.table.write(delete(_PAUSE))

    def spend(self, minute: datetime, calls: int, *, most: int) -> bool:
        return self.table.attempt(
            update(
                {"pk": f"BUDGET#{instant(minute)}", "sk": "MINUTE"},
                "ADD used :calls SET #ttl = :ttl",
                "attribute_not_exists(used) OR used <= :room",
                calls=calls,
                room=most - calls,
                ttl=expiry(minute, MINUTE_KEPT),
            )
        )
