"""What the keys of several subjects have in common, and the index of what is due."""

import hashlib
from datetime import datetime, timedelta

from shared.adapters.dynamodb.table import Item, Key, Table

SHARDS = 4
"""Parts of the `due` index, so that it is no hot partition; housekeeping reads each."""


def partition_of(user_id: str) -> str:
    return f"USER#{user_id}"


def user_of(item: Item) -> str:
    """Whose partition an item of `partition_of` lies in."""
    return str(item["pk"]).removeprefix("USER#")


def institution_partition(institution_id: str) -> str:
    return f"INSTITUTION#{institution_id}"


def institution_of(item: Item) -> str:
    """Whose partition an item of `institution_partition` lies in."""
    return str(item["pk"]).removeprefix("INSTITUTION#")


def user_key(user_id: str, sort: str) -> Key:
    return {"pk": partition_of(user_id), "sk": sort}


def profile_key(user_id: str) -> Key:
    return user_key(user_id, "PROFILE")


def powens_user_key(powens_user_id: int) -> Key:
    return {"pk": f"POWENS#{powens_user_id}", "sk": "USER"}


def powens_user_of(item: Item) -> int:
    """Whose item of `powens_user_key` it is."""
    return int(item["pk"].removeprefix("POWENS#"))


def instant(at: datetime) -> str:
    """Sorts by time."""
    return at.isoformat(timespec="microseconds")


def expiry(at: datetime, kept: timedelta) -> int:
    """When DynamoDB may delete the item, in whole seconds since 1970."""
    return int((at + kept).timestamp())


def shard_of(text: str, shards: int = SHARDS) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % shards


def due_items(table: Table, kind: str, now: datetime, limit: int) -> list[Item]:
    """From each shard those that have been due for longest, about `limit` together."""
    options = {"IndexName": "due", "Limit": max(1, limit // SHARDS)}
    keys, until = "due_pk = :shard AND due_sk <= :now", instant(now)
    pages = [table.query(keys, options, shard=f"{kind}#{shard}", now=until) for shard in range(SHARDS)]
    return [item for page in pages for item in page.items]
