"""The connections with all that changes beside them, and the list that shows them."""

from collections import defaultdict
from datetime import datetime

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.connection_item import connection_key, connection_of, put_connection
from shared.adapters.dynamodb.keys import due_items, partition_of, user_of
from shared.adapters.dynamodb.manual import manual_account_of, manual_writes
from shared.adapters.dynamodb.markers import InstitutionMarkers
from shared.adapters.dynamodb.operations import put_operation
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.powens_users import not_erased
from shared.adapters.dynamodb.table import Item, Table, Write
from shared.adapters.dynamodb.wishes import wish_of, wish_writes
from shared.application.changes import NOTHING_BESIDE, Beside
from shared.application.ports import Answer, Listed
from shared.contracts.messages import Command, HintMessage
from shared.domain.connection import Connection
from shared.domain.hints import confirmed
from shared.domain.ledger import Outcome


class DynamoDBConnections:
    """The ports `ConnectionStore` and `UnconfirmedConnections`."""

    def __init__(self, table: Table, outbox: Outbox, markers: InstitutionMarkers) -> None:
        self.table = table
        self.outbox = outbox
        self.markers = markers

    def listed(self, user_id: str) -> Listed:
        of: dict[str, list[Item]] = defaultdict(list)
        # Read-your-writes: a user who has just confirmed sees the list next.
        options = {"ConsistentRead": True}
        user = partition_of(user_id)
        for items in self.table.pages("pk = :user AND begins_with(sk, :list)", options, user=user, list="LIST#"):
            for item in items:
                of[item["sk"].split("#")[1]].append(item)
        return Listed(
            all_connections=tuple(map(connection_of, of["CONNECTION"])),
            manual_accounts=tuple(map(manual_account_of, of["MANUAL"])),
            wishes=tuple(map(wish_of, of["WISH"])),
        )

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        item = self.table.get(connection_key(user_id, connection_id))
        return connection_of(item) if item else None

    def due_unconfirmed(self, now: datetime, *, limit: int) -> list[tuple[str, str]]:
        due = due_items(self.table, "UNCONFIRMED", now, limit)
        return [(user_of(item), item["sk"].rpartition("#")[2]) for item in due]

    def save(
        self,
        before: Connection | None,
        outcome: Outcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        after = outcome.connection
        writes = [put_connection(before, after)]
        writes += answer_writes(after.user_id, answer, self.outbox.clock())
        if before is None:
            writes.append(not_erased(after.user_id, after.powens_user_id))
        writes += self._consequences(before, outcome, correlation_id)
        for other, other_outcome in outcome.others:
            writes.append(put_connection(other, other_outcome.connection))
            writes += self._consequences(other, other_outcome, correlation_id)
        for manual, manual_outcome in beside.manual:
            writes += manual_writes(self.outbox, manual, manual_outcome, correlation_id)
        for wish, wish_outcome in beside.wishes:
            writes += wish_writes(self.outbox, wish, wish_outcome, correlation_id)
        self.table.transact(writes, contested=True)

    def _consequences(self, before: Connection | None, outcome: Outcome, correlation_id: str) -> list[Write]:
        """What a change of a connection writes beside the connection itself."""
        after = outcome.connection
        known = {operation.id: operation for operation in before.operations} if before else {}
        writes: list[Write] = []
        for operation in outcome.operations:
            if known.get(operation.id) != operation:
                writes.append(put_operation(operation))
            if operation.open and operation.id not in known:
                command = Command(
                    user_id=after.user_id,
                    connection_id=after.id,
                    operation_id=operation.id,
                    correlation_id=operation.correlation_id,
                )
                group = command.group_of(operation.kind)
                writes.append(self.outbox.message(after.user_id, command, group=group))
        if before is not None and before.unconfirmed is not None and after.shown:
            # Nothing was kept of what earlier reads have shown.
            writes.append(
                self.outbox.message(
                    after.user_id, HintMessage.of(confirmed(after, self.outbox.clock(), correlation_id))
                )
            )
        names = {known: a.shown_name for a in after.accounts for known in (a.id, *a.former_ids)}
        names |= {a.id: a.shown_name for a in before.accounts if a.id not in names} if before else {}
        writes += [self.outbox.event(f, names, after.institution.name, correlation_id) for f in outcome.facts]
        return writes + self.markers.writes(before, after)
