"""The catalogue of institutions as it is kept, and what the markers tell of others (ADR 0014, 0015).

A pointer says which content is in force. The content lies in chunks under its digest, so that a reader never mixes two
catalogues, and is left until the next refresh once another one has taken its place.
"""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.adapters.dynamodb.catalogue_item import content_of, copy_of, entries_of, pointer_attributes
from shared.adapters.dynamodb.keys import instant, institution_of, institution_partition
from shared.adapters.dynamodb.markers import PEER_SHARDS
from shared.adapters.dynamodb.table import Item, Key, Table, delete, put
from shared.application.institutions import Copy, Discoveries
from shared.application.ports import Clock
from shared.domain.catalogue import CatalogueEntry
from shared.domain.connection import AccountType
from shared.domain.errors import StoreUnavailable
from shared.domain.unknown import value_of

MOST_DISCOVERIES = 500
"""Markers read from one shard in one look."""
OVERLAP = timedelta(minutes=5)
"""An index is written a little after its item, and clocks differ: so much is looked at twice."""
LARGEST_CHUNK = 350_000
CHUNK_KEPT = timedelta(hours=1)
"""How long content stays that was never in force: another refresh may be about to point to it."""

_PARTITION = "INSTITUTIONS"
_POINTER: Key = {"pk": _PARTITION, "sk": "CATALOGUE"}


def _chunk_key(version: str, number: int) -> Key:
    return {"pk": _PARTITION, "sk": f"CATALOGUE#{version}#{number:02d}"}


class DynamoDBCatalogue:
    """The port `CatalogueStore`."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.table = table
        self.clock = clock

    def catalogue(self, held: Copy | None = None) -> Copy | None:
        for _ in range(2):
            pointer = self._pointer()
            if pointer is None:
                return None
            if held is not None and held.version == pointer["version"]:
                entries: Mapping[str, CatalogueEntry] | None = held.catalogue.entries
            else:
                entries = self._entries(pointer["version"], int(pointer["chunks"]))
            if entries is not None:
                return copy_of(pointer, entries)
        raise StoreUnavailable("the catalogue was replaced while it was read", retry_after=1)

    def _pointer(self) -> Item | None:
        return self.table.get(_POINTER, consistent=False)

    def _entries(self, version: str, chunks: int) -> Mapping[str, CatalogueEntry] | None:
        """None when the content is gone: it has been replaced meanwhile."""
        parts = []
        for number in range(chunks):
            item = self.table.get(_chunk_key(version, number), consistent=False)
            if item is None:
                return None
            parts.append(item["content"])
        return entries_of(zlib.decompress(b"".join(parts)))

    def keep(self, copy: Copy) -> None:
        content = content_of(copy.catalogue.entries)
        version = hashlib.sha256(content).hexdigest()[:32]
        packed = zlib.compress(content, 9)
        chunks = [packed[at : at + LARGEST_CHUNK] for at in range(0, len(packed), LARGEST_CHUNK)]
        now = self.clock()
        pointer = self._pointer()
        if pointer is None or pointer["version"] != version:
            for number, chunk in enumerate(chunks):
                self.table.write(put({**_chunk_key(version, number), "content": chunk, "kept_at": instant(now)}))
        self.table.write(
            put(
                {**_POINTER, **pointer_attributes(copy, version, len(chunks))},
                "attribute_not_exists(pk) OR read_at <= :read_at",
                read_at=instant(copy.catalogue.read_at),
            )
        )
        # What this one has replaced may just be read. The next refresh drops it.
        self._sweep({version, pointer["version"]} if pointer is not None else {version}, now)

    def _sweep(self, spared: set[str], now: datetime) -> None:
        """Drop the content of earlier catalogues, and of refreshes that were cut short."""
        pages = self.table.pages(
            "pk = :home AND begins_with(sk, :content)",
            {"FilterExpression": "kept_at < :old", "ProjectionExpression": "pk, sk"},
            home=_PARTITION,
            content="CATALOGUE#",
            old=instant(now - CHUNK_KEPT),
        )
        for key in [key for page in pages for key in page if key["sk"].split("#")[1] not in spared]:
            self.table.write(delete(key))

    # --- what others get

    def discoveries(self, since: datetime | None, now: datetime) -> Discoveries:
        pairs: set[tuple[str, AccountType]] = set()
        untils = [now - OVERLAP]
        for shard in range(PEER_SHARDS):
            page = self.table.query(
                "due_pk = :partition AND due_sk >= :since",
                {"IndexName": "due", "ScanIndexForward": True, "Limit": MOST_DISCOVERIES},
                partition=f"PEER#{shard}",
                since=instant(since) if since else "0",
            )
            for item in page.items:
                _, kind, _ = item["sk"].split("#")
                pairs.add((institution_of(item), value_of(AccountType, kind)))
            if page.last is not None:
                untils.append(datetime.fromisoformat(page.items[-1]["due_sk"]))
        return Discoveries(pairs=frozenset(pairs), until=min(untils))

    def users_of(self, institution_id: str, kind: AccountType, *, most: int) -> int:
        found = self.table.count(
            "pk = :institution AND begins_with(sk, :peer)",
            # DynamoDB deletes expired items late, up to days: an expired marker does not count.
            {"FilterExpression": "#ttl > :now", "Limit": most * 4},
            institution=institution_partition(institution_id),
            peer=f"PEER#{kind.value}#",
            now=int(self.clock().timestamp()),
        )
        return min(most, found)
