"""How many of one kind a user may have, also when many are asked for at once (ADR 0041)."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.adapters.dynamodb.keys import partition_of, profile_key
from shared.adapters.dynamodb.table import NoRoomError, Table, Value, Write, update
from shared.application.ports import StaleWriteError
from shared.domain.errors import UserBeingErased


class Limit(NamedTuple):
    """`bound` is the attribute of the profile that says how many items of `prefix` there are at most.

    It counts what is added and nothing that goes, so it is never too low. Where it is missing, or full, the items
    themselves are counted.
    """

    bound: str
    prefix: str
    most: int


def transact_within(table: Table, limit: Limit, user_id: str, writes: Sequence[Write]) -> None:
    """All writes, one of which adds an item, or none.

    Raises UserBeingErased; StaleWriteError when there is no room, as the writer has not seen all items.
    """
    try:
        table.transact([*writes, _one_more(limit, user_id)], contested=True)
    except NoRoomError:
        table.transact([*writes, _counted(table, limit, user_id)], contested=True)


def _one_more(limit: Limit, user_id: str) -> Write:
    return Write(
        kind="Update",
        content=profile_key(user_id),
        update=f"ADD {limit.bound} :one",
        condition=f"attribute_not_exists(erasure_id) AND {limit.bound} < :most",
        values={"one": 1, "most": limit.most},
        otherwise=NoRoomError,
    )


def _counted(table: Table, limit: Limit, user_id: str) -> Write:
    """The bound is read first: whoever adds after that changes it, and this write is refused."""
    profile = table.get(profile_key(user_id)) or {}
    if "erasure_id" in profile:
        raise UserBeingErased
    options = {"ConsistentRead": True, "ProjectionExpression": "sk"}
    keys, user = "pk = :user AND begins_with(sk, :prefix)", partition_of(user_id)
    present = sum(map(len, table.pages(keys, options, user=user, prefix=limit.prefix)))
    if present >= limit.most:
        raise StaleWriteError
    same, values = f"attribute_not_exists({limit.bound})", dict[str, Value](now=present + 1)
    if limit.bound in profile:
        same, values["seen"] = f"{limit.bound} = :seen", int(profile[limit.bound])
    return update(
        profile_key(user_id),
        f"SET {limit.bound} = :now",
        f"attribute_not_exists(erasure_id) AND {same}",
        **values,
    )
