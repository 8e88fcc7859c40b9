"""What connections leave at their institutions: who has which type of account there, and whose connection fails.

Nothing here names a user: whoever discovered a type, or fails, is a keyed hash that differs from institution to
institution, so that markers of one person at two banks cannot be joined.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from shared.adapters.dynamodb.keys import expiry, instant, institution_partition, shard_of
from shared.adapters.dynamodb.table import Key, Write, delete, put
from shared.application.ports import Clock
from shared.domain.connection import AccountType, Connection
from shared.domain.incidents import trouble_of

PEER_SHARDS = 4
TROUBLE_SHARDS = 8
"""By institution, so that one bank's outage hides only that of banks in its shard."""
PEER_KEPT = timedelta(days=100)
PEER_RENEWED_EVERY = timedelta(days=30)
TROUBLE_KEPT = timedelta(days=2)


class InstitutionMarkers:
    """The markers of a changed connection, for the transaction that saves it.

    `pseudonym` is a keyed hash; it is asked for only when there is something to mark, which is after a read of Powens.
    """

    def __init__(self, clock: Clock, pseudonym: Callable[[str], str]) -> None:
        self.clock = clock
        self.pseudonym = pseudonym

    def writes(self, before: Connection | None, after: Connection) -> list[Write]:
        return [*self._discovered(before, after), *self._troubled(before, after)]

    def keys_of(self, connection: Connection) -> list[Key]:
        """Of every marker that a connection may have left, for an erasure."""
        return [*(self._peer_key(connection, kind) for kind in AccountType), self._trouble_key(connection)]

    def _peer_key(self, connection: Connection, kind: AccountType) -> Key:
        partition = institution_partition(connection.institution.id)
        return {"pk": partition, "sk": f"PEER#{kind.value}#{self._who(connection)}"}

    def _trouble_key(self, connection: Connection) -> Key:
        partition = institution_partition(connection.institution.id)
        return {"pk": partition, "sk": f"TROUBLE#{self._who(connection)}#{connection.id}"}

    def _who(self, connection: Connection) -> str:
        return self.pseudonym(f"{connection.institution.id}/{connection.user_id}")[:32]

    def _discovered(self, before: Connection | None, after: Connection) -> Iterator[Write]:
        """A type that comes up is marked at once, and the others now and then: a marker that ages counts no more."""
        known = _types(before)
        new = _types(after) - known if _renewal(before) == _renewal(after) else _types(after)
        now = self.clock()
        for kind in sorted(new):
            yield put(
                {
                    **self._peer_key(after, kind),
                    "due_pk": f"PEER#{shard_of(self._who(after), PEER_SHARDS)}",
                    "due_sk": instant(now),
                    "ttl": expiry(now, PEER_KEPT),
                }
            )

    def _troubled(self, before: Connection | None, after: Connection) -> Iterator[Write]:
        trouble = trouble_of(after)
        if trouble is None:
            if trouble_of(before) is not None:
                yield delete(self._trouble_key(after))
            return
        if before is not None and _attempt(before) == _attempt(after):
            return
        now = self.clock()
        yield put(
            {
                **self._trouble_key(after),
                "due_pk": f"TROUBLE#{shard_of(after.institution.id, TROUBLE_SHARDS)}",
                "due_sk": instant(now),
                "reason": trouble,
                "ttl": expiry(now, TROUBLE_KEPT),
            }
        )


def _types(connection: Connection | None) -> frozenset[AccountType]:
    if connection is None or connection.removed_at is not None:
        return frozenset()
    return frozenset(account.type for account in connection.accounts if account.closed_at is None)


def _renewal(connection: Connection | None) -> int:
    return int(connection.read_started_at.timestamp() // PEER_RENEWED_EVERY.total_seconds()) if connection else 0


def _attempt(connection: Connection) -> tuple[object, ...]:
    return connection.state, connection.last_attempt_at, connection.next_try
