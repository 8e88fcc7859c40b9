"""How the catalogue of institutions is written down: its content as packed JSON, and the pointer to it (ADR 0014)."""

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.adapters.dynamodb.keys import instant
from shared.adapters.dynamodb.table import Item
from shared.application.institutions import Copy, Counted
from shared.domain.catalogue import Catalogue, CatalogueEntry, CatalogueSource
from shared.domain.connection import AccountType
from shared.domain.observation import Institution
from shared.domain.unknown import value_of


def content_of(entries: Mapping[str, CatalogueEntry]) -> bytes:
    """The same bytes for the same institutions."""
    rows = [_row(entries[identifier]) for identifier in sorted(entries)]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def entries_of(content: bytes) -> dict[str, CatalogueEntry]:
    return {row["id"]: _entry(row) for row in json.loads(content)}


def pointer_attributes(copy: Copy, version: str, chunks: int) -> Item:
    """What is kept beside the content, which is found by `version` in so many chunks."""
    until = copy.counted.until
    return {
        "version": version,
        "chunks": chunks,
        "read_at": instant(copy.catalogue.read_at),
        "given_to_others": zlib.compress(_given(copy.catalogue.given_to_others)),
        "counted_until": instant(until) if until else "",
        "recounted": copy.counted.recounted,
    }


def copy_of(pointer: Item, entries: Mapping[str, CatalogueEntry]) -> Copy:
    given = json.loads(zlib.decompress(pointer["given_to_others"]))
    until = pointer["counted_until"]
    return Copy(
        catalogue=Catalogue(
            read_at=datetime.fromisoformat(pointer["read_at"]),
            entries=entries,
            given_to_others={
                identifier: frozenset(value_of(AccountType, kind) for kind in kinds)
                for identifier, kinds in given.items()
            },
        ),
        counted=Counted(until=datetime.fromisoformat(until) if until else None, recounted=pointer["recounted"]),
        version=pointer["version"],
    )


def _given(given: Mapping[str, Iterable[AccountType]]) -> bytes:
    return json.dumps({identifier: sorted(kinds) for identifier, kinds in sorted(given.items())}).encode()


def _row(entry: CatalogueEntry) -> dict[str, Any]:
    """Members that say nothing are left out."""
    about = entry.institution
    row = {
        "id": about.id,
        "name": about.name,
        "color": about.color,
        "capabilities": sorted(about.capabilities),
        "products": sorted(about.products),
        "restricted": about.restricted,
        "hidden": entry.hidden,
        "countries": list(entry.countries),
        "sources": [
            {"name": s.name, "disabled": s.disabled, "account_types": sorted(s.account_types)} for s in entry.sources
        ],
    }
    return {name: value for name, value in row.items() if value}


def _entry(row: Mapping[str, Any]) -> CatalogueEntry:
    return CatalogueEntry(
        institution=Institution(
            id=row["id"],
            name=row["name"],
            color=row.get("color"),
            capabilities=frozenset(row.get("capabilities", ())),
            products=frozenset(row.get("products", ())),
            restricted=row.get("restricted", False),
        ),
        hidden=row.get("hidden", False),
        countries=tuple(row.get("countries", ())),
        sources=tuple(
            CatalogueSource(name=s["name"], disabled=s["disabled"], account_types=frozenset(s["account_types"]))
            for s in row.get("sources", ())
        ),
    )
