"""A connection with its accounts, as one item (ADR 0004)."""

import zlib
from dataclasses import replace
from datetime import timedelta
from functools import cache

from shared.adapters.dynamodb.documents import Documents
from shared.adapters.dynamodb.keys import expiry, instant, shard_of, user_key
from shared.adapters.dynamodb.table import Item, Key, Write, store, unchanged
from shared.domain.connection import Connection

_WRITE_UNIT_BYTES = 1024
"""Of an item; each that is begun is billed by DynamoDB."""
TOMBSTONE_KEPT = timedelta(days=90)
_OPTIONAL = ("document", "packed", "ttl", "due_pk", "due_sk")


@cache
def _codec() -> Documents[Connection]:
    return Documents(Connection, apart={"version"})


def connection_key(user_id: str, connection_id: str) -> Key:
    return user_key(user_id, f"LIST#CONNECTION#{connection_id}")


def put_connection(before: Connection | None, after: Connection) -> Write:
    item: Item = {
        **connection_key(after.user_id, after.id),
        "version": after.version + 1,
        "revision": after.revision,
        **_packed(_codec().write(_with_all_of(before, after.kept))),
    }
    if after.removed_at is not None:
        item["ttl"] = expiry(after.removed_at, TOMBSTONE_KEPT)
    elif after.unconfirmed is not None:
        item["due_pk"] = f"UNCONFIRMED#{shard_of(after.id)}"
        item["due_sk"] = f"{instant(after.unconfirmed.due_at)}#{after.id}"
    return store(item, _OPTIONAL, **unchanged(before.version if before is not None else None))


def connection_of(item: Item) -> Connection:
    return replace(_codec().read(document_of(item)), version=int(item["version"]))


def _with_all_of(before: Connection | None, after: Connection) -> Connection:
    """With what only a newer release knows of its institution and sources, which each read of Powens makes anew."""
    if before is None:
        return after
    sources = {source.id: source.unknown for source in before.sources if source.unknown}
    if sources:
        named = tuple(replace(source, unknown=sources.get(source.id, "")) for source in after.sources)
        after = replace(after, sources=named)
    if before.institution.unknown and before.institution.id == after.institution.id:
        after = replace(after, institution=replace(after.institution, unknown=before.institution.unknown))
    return after


def document_of(item: Item) -> str | bytes:
    """JSON."""
    return zlib.decompress(item["packed"]) if "packed" in item else str(item["document"])


def _packed(document: bytes) -> Item:
    """As text, which an operator can read, unless compressed it costs fewer write units (ADR 0004)."""
    packed = zlib.compress(document) if len(document) > _WRITE_UNIT_BYTES else document
    if len(packed) // _WRITE_UNIT_BYTES < len(document) // _WRITE_UNIT_BYTES:
        return {"packed": packed}
    return {"document": document.decode()}
