"""Users at Powens whom nobody here owns, as the last check left them (ADR 0022)."""

from collections.abc import Sequence
from functools import cache

from pydantic import TypeAdapter

from shared.adapters.dynamodb.keys import powens_user_key, powens_user_of
from shared.adapters.dynamodb.table import Key, Table, put
from shared.application.orphans import Listing

_LISTING: Key = {"pk": "ORPHANS", "sk": "LISTING"}


@cache
def _codec() -> TypeAdapter[Listing]:
    return TypeAdapter(Listing)


class DynamoDBOrphans:
    """The port `OrphanStore`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def owned(self, powens_user_ids: Sequence[int]) -> set[int]:
        found = self.table.get_many([powens_user_key(known) for known in powens_user_ids], projection="pk")
        return {powens_user_of(item) for item in found}

    def orphan_listing(self) -> Listing | None:
        item = self.table.get(_LISTING)
        return _codec().validate_json(item["document"]) if item else None

    def save_orphan_listing(self, listing: Listing) -> None:
        self.table.write(put({**_LISTING, "document": _codec().dump_json(listing).decode()}))
