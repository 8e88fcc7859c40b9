"""The erasure of a user: its mark, its receipt, and the end of everything else (ADR 0020)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.connection_item import connection_of
from shared.adapters.dynamodb.keys import (
    due_items,
    expiry,
    instant,
    partition_of,
    powens_user_key,
    profile_key,
    shard_of,
)
from shared.adapters.dynamodb.kinds import kind_of
from shared.adapters.dynamodb.markers import InstitutionMarkers
from shared.adapters.dynamodb.outbox import OUTBOX_KEPT, Outbox
from shared.adapters.dynamodb.powens_users import access_of
from shared.adapters.dynamodb.table import Item, Key, Table, Write, delete, put, update
from shared.application.ports import Answer, PowensAccess, StaleWriteError
from shared.contracts.events import detail_of
from shared.contracts.messages import EraseUser
from shared.domain.erasure import DEADLINE, LATE_AFTER, Erasure
from shared.domain.facts import Cause, Fact, FactType

RECEIPT_KEPT = timedelta(days=90)
_KEPT_TO_THE_END = ("PROFILE", "SOCKET#")
ERASED_AT_ONCE = 40
"""Keys of one transaction of an erasure, which takes at most 100 writes (AWS limit)."""


class DynamoDBErasures:
    """The ports `ErasureStore` and `LateErasures`."""

    def __init__(self, table: Table, outbox: Outbox, markers: InstitutionMarkers) -> None:
        self.table = table
        self.outbox = outbox
        self.markers = markers

    def begin_erasure(self, user_id: str, erasure: Erasure, *, answer: Answer | None = None) -> None:
        mark = update(
            profile_key(user_id),
            "SET erasure_id = :id, erasure_requested_at = :at, erasure_correlation_id = :correlation, "
            "due_pk = :shard, due_sk = :later REMOVE claimed_by, claimed_until",
            "attribute_not_exists(erasure_id)",
            id=erasure.id,
            at=instant(erasure.requested_at),
            correlation=erasure.correlation_id,
            shard=f"ERASURE#{shard_of(user_id)}",
            later=instant(erasure.requested_at + LATE_AFTER),
        )
        writes = [mark]
        writes += answer_writes(user_id, answer, self.outbox.clock())
        writes += [_put_receipt(user_id, erasure), self.outbox.message(user_id, _erase(user_id, erasure))]
        self.table.transact(writes, contested=True)

    def erasure(self, user_id: str, erasure_id: str) -> Erasure | None:
        """The receipt of this very user. It is kept for a while after the end."""
        item = self.table.get(_receipt_key(user_id, erasure_id))
        if item is None:
            return None
        return Erasure(
            id=erasure_id,
            requested_at=datetime.fromisoformat(item["requested_at"]),
            ended_at=datetime.fromisoformat(item["ended_at"]) if "ended_at" in item else None,
        )

    def erase_items(self, user_id: str, *, in_time: Callable[[], bool]) -> bool:
        # Connections first: whoever changes one does so on the condition that it is still there, so that afterwards
        # nobody writes an operation, an event or a command for them either.
        for prefix in ("LIST#CONNECTION#", ""):
            while items := self._some_items(user_id, prefix):
                for keys in _batches([{"pk": i["pk"], "sk": i["sk"]}, *self._beside(i)] for i in items):
                    if not in_time():
                        return False
                    self.table.transact(map(delete, keys))
        return True

    def _beside(self, item: Item) -> list[Key]:
        """The keys of what goes with an item, outside the user's partition."""
        beside = kind_of(item).beside(item)
        if item["sk"].startswith("LIST#CONNECTION#"):
            return [*beside, *self.markers.keys_of(connection_of(item))]
        return beside

    def _some_items(self, user_id: str, prefix: str) -> list[Item]:
        """A page of the user's partition, without the mark of the erasure. Empty when there is nothing else.

        Nor are the open screens in it: they are to hear of the end, and are forgotten with that (ADR 0020).
        """
        keys, values = "pk = :user", {"user": partition_of(user_id)}
        if prefix:
            keys, values["prefix"] = f"{keys} AND begins_with(sk, :prefix)", prefix
        for page in self.table.pages(keys, {"ConsistentRead": True}, **values):
            if items := [item for item in page if not item["sk"].startswith(_KEPT_TO_THE_END)]:
                return items
        return []

    def end_erasure(self, access: PowensAccess, *, ended_at: datetime) -> None:
        assert access.erasure is not None  # noqa: S101 - it is what ends
        ended = replace(access.erasure, ended_at=ended_at)
        writes = [
            delete(profile_key(access.user_id), "erasure_id = :id", id=ended.id),
            _put_receipt(access.user_id, ended),
            self._put_event(access.user_id, ended.correlation_id, ended_at),
        ]
        if access.powens_user_id is not None:
            writes.append(delete(powens_user_key(access.powens_user_id)))
        self.table.transact(writes)

    def _put_event(self, user_id: str, correlation_id: str, at: datetime) -> Write:
        """Outside the user's partition, of which nothing may stay."""
        event_id = self.outbox.new_id()
        fact = Fact(type=FactType.USER_ERASED, user_id=user_id, connection_id=None, revision=0, cause=Cause.ERASURE)
        return put(
            {
                "pk": f"ERASED#{event_id}",
                "sk": f"EVENT#{event_id}",
                "detail_type": fact.type.value,
                "detail": detail_of(fact, event_id=event_id, occurred_at=at, correlation_id=correlation_id).as_json(),
                "ttl": expiry(at, OUTBOX_KEPT),
            }
        )

    def due_erasures(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        return [access_of(item) for item in due_items(self.table, "ERASURE", now, limit)]

    def queue_erasure_again(self, access: PowensAccess, at: datetime) -> bool:
        assert access.erasure is not None  # noqa: S101 - it came from the index of those
        assert access.reconcile_at is not None  # noqa: S101
        seen = instant(access.reconcile_at)
        later = update(profile_key(access.user_id), "SET due_sk = :at", "due_sk = :seen", at=instant(at), seen=seen)
        try:
            self.table.transact([later, self.outbox.message(access.user_id, _erase(access.user_id, access.erasure))])
        except StaleWriteError:
            return False
        return True


def _receipt_key(user_id: str, erasure_id: str) -> Key:
    """Found by whoever knows both, and telling neither: the id has 80 random bits and is kept nowhere else."""
    return {"pk": f"RECEIPT#{hashlib.sha256(f'{erasure_id}/{user_id}'.encode()).hexdigest()}", "sk": "RECEIPT"}


def _put_receipt(user_id: str, erasure: Erasure) -> Write:
    item: Item = {
        **_receipt_key(user_id, erasure.id),
        "requested_at": instant(erasure.requested_at),
        "ttl": expiry(erasure.ended_at or erasure.requested_at + DEADLINE, RECEIPT_KEPT),
    }
    if erasure.ended_at is not None:
        item["ended_at"] = instant(erasure.ended_at)
    return put(item)


def _erase(user_id: str, erasure: Erasure) -> EraseUser:
    return EraseUser(user_id=user_id, erasure_id=erasure.id, correlation_id=erasure.correlation_id)


def _batches(groups: Iterable[list[Key]]) -> Iterator[list[Key]]:
    """Groups together as far as `ERASED_AT_ONCE` goes; no key twice, which a transaction refuses."""
    batch: list[Key] = []
    for group in groups:
        fresh = [key for key in group if key not in batch]
        if batch and len(batch) + len(fresh) > ERASED_AT_ONCE:
            yield batch
            batch, fresh = [], group
        batch = [*batch, *fresh]
    if batch:
        yield batch
