"""The incidents, and who fails where, as the markers tell (ADR 0016)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache

from shared.adapters.dynamodb.documents import Documents
from shared.adapters.dynamodb.keys import instant, institution_of, shard_of
from shared.adapters.dynamodb.markers import TROUBLE_SHARDS
from shared.adapters.dynamodb.table import Key, Table, store
from shared.domain.incidents import CLOSES_AT, STILL_FAILING, WINDOW, Failing, Incident, Kind

MOST_TROUBLES = 300
"""Markers read from one shard in one look."""
_INCIDENTS: Key = {"pk": "INSTITUTIONS", "sk": "INCIDENTS"}


@cache
def _codec() -> Documents[tuple[Incident, ...]]:
    return Documents(tuple[Incident, ...])


class DynamoDBIncidents:
    """The port `IncidentStore`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def incidents(self) -> tuple[tuple[Incident, ...], int]:
        item = self.table.get(_INCIDENTS, consistent=False)
        if item is None:
            return (), 0
        return _codec().read(item["document"]), int(item["version"])

    def keep_incidents(self, incidents: tuple[Incident, ...], *, version: int) -> None:
        document = _codec().write(incidents).decode()
        item = {**_INCIDENTS, "version": version + 1, "document": document}
        unchanged = "attribute_not_exists(pk) OR version = :seen"
        self.table.write(store(item, condition=unchanged, seen=version))

    def failing(self, now: datetime) -> Mapping[Kind, Failing]:
        lately: dict[Kind, set[str]] = {}
        still: dict[Kind, set[str]] = {}
        crowded: set[int] = set()
        for shard in range(TROUBLE_SHARDS):
            page = self.table.query(
                "due_pk = :partition AND due_sk >= :since",
                {"IndexName": "due", "ScanIndexForward": False, "Limit": MOST_TROUBLES},
                partition=f"TROUBLE#{shard}",
                since=instant(now - STILL_FAILING),
            )
            if page.last is not None:
                crowded.add(shard)
            for item in page.items:
                kind = (institution_of(item), item["reason"])
                who = item["sk"].split("#")[1]
                still.setdefault(kind, set()).add(who)
                if item["due_sk"] >= instant(now - WINDOW):
                    lately.setdefault(kind, set()).add(who)
        seen = {kind: Failing(len(lately.get(kind, ())), len(users)) for kind, users in still.items()}
        if not crowded:
            return seen
        # Where more fail than one look takes in, an incident that is open cannot be said to be over.
        for incident in self.incidents()[0]:
            kind = (incident.institution_id, incident.reason)
            if incident.open and shard_of(incident.institution_id, TROUBLE_SHARDS) in crowded:
                count = seen.get(kind, Failing(0, 0))
                seen[kind] = replace(count, still=max(count.still, CLOSES_AT + 1))
        return seen
