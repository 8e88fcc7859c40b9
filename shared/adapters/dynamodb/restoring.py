"""A user's items of a restored table, put back into the live one (docs/recovery.md)."""

from shared.adapters.dynamodb.keys import partition_of, powens_user_key, profile_key
from shared.adapters.dynamodb.kinds import kind_of
from shared.adapters.dynamodb.powens_users import access_of
from shared.adapters.dynamodb.table import Item, Table, put

_LEFT_OUT = ("EVENT#", "COMMAND#", "SESSION#", "SOCKET#", "IDEMPOTENCY#")
"""What an insert would publish or order once more, and what is over by now."""


def copy_back(restored: Table, live: Table, user_id: str) -> int:
    """Put what `live` lacks of a user; how many items. What it has stays as it is, as it is newer.

    A user who is being erased gets nothing. Raises StoreUnavailable.
    """
    profile = live.get(profile_key(user_id))
    if profile is not None and access_of(profile).erasure is not None:
        return 0
    return sum(live.attempt(put(item, "attribute_not_exists(pk)")) for item in _items(restored, user_id))


def _items(table: Table, user_id: str) -> list[Item]:
    """With what lies beside them, and the look-up by the id at Powens."""
    held = [
        item
        for page in table.pages("pk = :user", {"ConsistentRead": True}, user=partition_of(user_id))
        for item in page
        if not item["sk"].startswith(_LEFT_OUT)
    ]
    beside = [key for item in held for key in kind_of(item).beside(item)]
    known = [access_of(item).powens_user_id for item in held if item["sk"] == profile_key(user_id)["sk"]]
    beside += [powens_user_key(powens_user) for powens_user in known if powens_user is not None]
    return [*held, *(found for key in beside if (found := table.get(key)) is not None)]
