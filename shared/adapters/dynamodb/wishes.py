"""Wishes, and while one is open what finds it by its institution (ADR 0018)."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.documents import Documents
from shared.adapters.dynamodb.keys import institution_partition, user_key
from shared.adapters.dynamodb.limits import Limit, transact_within
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.table import Item, Key, Table, Write, delete, put, store, unchanged
from shared.application.ports import Answer
from shared.domain.connection import AccountType
from shared.domain.wishes import MOST_WISHES, Wish, WishOutcome

if TYPE_CHECKING:
    from shared.application.wishes import Wisher

_LIMIT = Limit("wishes_at_most", "LIST#WISH#", MOST_WISHES)


@cache
def _codec() -> Documents[Wish]:
    return Documents(Wish, apart={"version"})


def _key(user_id: str, wish_id: str) -> Key:
    return user_key(user_id, f"LIST#WISH#{wish_id}")


def pointer_key(wish: Wish) -> Key:
    """Of what finds an open wish by its institution."""
    return {"pk": institution_partition(wish.institution_id), "sk": f"WISH#{wish.type.value}#{wish.id}"}


def wish_of(item: Item) -> Wish:
    return replace(_codec().read(item["document"]), version=int(item["version"]))


def wish_writes(outbox: Outbox, before: Wish | None, outcome: WishOutcome, correlation_id: str) -> list[Write]:
    """The wish, what finds it while it is open, and its events."""
    wish = outcome.wish
    item = {
        **_key(wish.user_id, wish.id),
        "version": wish.version + 1,
        "document": _codec().write(wish).decode(),
    }
    writes = [store(item, **unchanged(before.version if before is not None else None))]
    if wish.available_at is None:
        writes.append(put({**pointer_key(wish), "user_id": wish.user_id}))
    else:
        writes.append(delete(pointer_key(wish)))
    return writes + [outbox.event(f, {}, wish.institution_name, correlation_id) for f in outcome.facts]


class DynamoDBWishes:
    """The port `WishStore`."""

    def __init__(self, table: Table, outbox: Outbox) -> None:
        self.table = table
        self.outbox = outbox

    def wish(self, user_id: str, wish_id: str) -> Wish | None:
        item = self.table.get(_key(user_id, wish_id))
        return wish_of(item) if item else None

    def save_wish(
        self, before: Wish | None, outcome: WishOutcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        writes = wish_writes(self.outbox, before, outcome, correlation_id)
        writes += answer_writes(outcome.wish.user_id, answer, self.outbox.clock())
        if before is None:
            transact_within(self.table, _LIMIT, outcome.wish.user_id, writes)
        else:
            self.table.transact(writes, contested=True)

    def delete_wish(self, wish: Wish, *, answer: Answer | None = None) -> None:
        writes = [delete(_key(wish.user_id, wish.id), **unchanged(wish.version)), delete(pointer_key(wish))]
        writes += answer_writes(wish.user_id, answer, self.outbox.clock())
        self.table.transact(writes, contested=True)

    def wishers(self, institution_id: str, kind: AccountType, *, after: "Wisher | None", limit: int) -> "list[Wisher]":
        # Not for the list, which somebody waits for.
        from shared.application.wishes import Wisher  # noqa: PLC0415

        of_kind = f"WISH#{kind.value}#"
        page = self.table.query(
            "pk = :institution AND sk BETWEEN :first AND :last",
            {"ConsistentRead": True, "Limit": limit},
            institution=institution_partition(institution_id),
            first=f"{of_kind}{after.wish_id}!" if after is not None else of_kind,
            last=f"{of_kind}~",
        )
        return [
            Wisher(user_id=item["user_id"], wish_id=item["sk"].rpartition("#")[2], type=kind) for item in page.items
        ]
