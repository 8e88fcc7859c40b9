"""What is kept about institutions, in the same table. Keys: see the table in `shared/adapters/dynamodb`.

Nothing here names a user: whoever discovered a type, or fails, is a keyed hash that differs from institution to
institution, so that markers of one person at two banks cannot be joined.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from shared.adapters.dynamodb.errors import translated
from shared.application.institutions import Copy, Counted, Discoveries
from shared.application.ports import StaleWriteError
from shared.domain.catalogue import Catalogue, CatalogueEntry, CatalogueSource
from shared.domain.connection import AccountType, Connection
from shared.domain.errors import StoreUnavailable
from shared.domain.incidents import CLOSES_AT, STILL_FAILING, WINDOW, Failing, Incident, Kind, trouble_of
from shared.domain.observation import Institution

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef, TransactWriteItemTypeDef

PEER_SHARDS = 4
TROUBLE_SHARDS = 8
"""By institution, so that one bank's outage hides only that of banks in its shard."""
MOST_DISCOVERIES = 500
MOST_TROUBLES = 300
"""Markers read from one shard in one look."""
PEER_KEPT = timedelta(days=100)
PEER_RENEWED_EVERY = timedelta(days=30)
TROUBLE_KEPT = timedelta(days=2)
OVERLAP = timedelta(minutes=5)
"""An index is written a little after its item, and clocks differ: so much is looked at twice."""
LARGEST_CHUNK = 350_000
CHUNK_KEPT = timedelta(hours=1)
"""How long the content of a replaced catalogue stays, for those who are just reading it."""

_HOME = {"S": "INSTITUTIONS"}


@cache
def _incidents_codec() -> TypeAdapter[tuple[Incident, ...]]:
    return TypeAdapter(tuple[Incident, ...])


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _ttl(at: datetime, kept: timedelta) -> dict[str, str]:
    return {"N": str(int((at + kept).timestamp()))}


def _shard(text: str, shards: int) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % shards


def _institution(institution_id: str) -> dict[str, str]:
    return {"S": f"INSTITUTION#{institution_id}"}


# --- markers, written with the connection ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Traces:
    """The markers that a changed connection leaves at its institution, for the transaction that saves it.

    `pseudonym` is a keyed hash; it is asked for only when there is something to mark, which is after a read of Powens.
    """

    table: str
    clock: Callable[[], datetime]
    pseudonym: Callable[[str], str]

    def __call__(self, before: Connection | None, after: Connection) -> "list[TransactWriteItemTypeDef]":
        return [*self._discovered(before, after), *self._troubled(before, after)]

    def of(self, connection: Connection) -> list[dict[str, dict[str, str]]]:
        """The keys of every marker that a connection may have left, for an erasure."""
        sort = [f"PEER#{kind.value}#{self._who(connection)}" for kind in AccountType]
        sort.append(f"TROUBLE#{self._who(connection)}#{connection.id}")
        return [{"pk": _institution(connection.institution.id), "sk": {"S": key}} for key in sort]

    def _who(self, connection: Connection) -> str:
        return self.pseudonym(f"{connection.institution.id}/{connection.user_id}")[:32]

    def _discovered(self, before: Connection | None, after: Connection) -> "Iterator[TransactWriteItemTypeDef]":
        """A type that comes up is marked at once, and the others now and then: a marker that ages counts no more."""
        known = _types(before)
        new = _types(after) - known if _renewal(before) == _renewal(after) else _types(after)
        now = self.clock()
        for kind in sorted(new):
            yield {
                "Put": {
                    "TableName": self.table,
                    "Item": {
                        "pk": _institution(after.institution.id),
                        "sk": {"S": f"PEER#{kind.value}#{self._who(after)}"},
                        "due_pk": {"S": f"PEER#{_shard(self._who(after), PEER_SHARDS)}"},
                        "due_sk": {"S": _instant(now)},
                        "ttl": _ttl(now, PEER_KEPT),
                    },
                }
            }

    def _troubled(self, before: Connection | None, after: Connection) -> "Iterator[TransactWriteItemTypeDef]":
        trouble = trouble_of(after)
        if trouble is None:
            if trouble_of(before) is not None:
                [*_, key] = self.of(after)
                yield {"Delete": {"TableName": self.table, "Key": key}}
            return
        if before is not None and _attempt(before) == _attempt(after):
            return
        now = self.clock()
        yield {
            "Put": {
                "TableName": self.table,
                "Item": {
                    "pk": _institution(after.institution.id),
                    "sk": {"S": f"TROUBLE#{self._who(after)}#{after.id}"},
                    "due_pk": {"S": f"TROUBLE#{_shard(after.institution.id, TROUBLE_SHARDS)}"},
                    "due_sk": {"S": _instant(now)},
                    "reason": {"S": trouble},
                    "ttl": _ttl(now, TROUBLE_KEPT),
                },
            }
        }


def _types(connection: Connection | None) -> frozenset[AccountType]:
    if connection is None or connection.removed_at is not None:
        return frozenset()
    return frozenset(account.type for account in connection.accounts if account.closed_at is None)


def _renewal(connection: Connection | None) -> int:
    return int(connection.read_started_at.timestamp() // PEER_RENEWED_EVERY.total_seconds()) if connection else 0


def _attempt(connection: Connection) -> tuple[object, ...]:
    return connection.state, connection.last_attempt_at, connection.next_try


# --- what is read back -----------------------------------------------------------------------------------------------


class DynamoDBInstitutions:
    """`CatalogueStore` and `IncidentStore` of `shared.application.institutions` on DynamoDB."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    # --- the catalogue

    def catalogue(self, held: Copy | None = None) -> Copy | None:
        for _ in range(2):
            pointer = self._get("CATALOGUE")
            if pointer is None:
                return None
            version = pointer["version"]["S"]
            if held is not None and held.version == version:
                entries: Mapping[str, CatalogueEntry] | None = held.catalogue.entries
            else:
                entries = self._entries(version, int(pointer["chunks"]["N"]))
            if entries is not None:
                return _copy(pointer, version, entries)
        raise StoreUnavailable("the catalogue was replaced while it was read", retry_after=1)

    def _entries(self, version: str, chunks: int) -> Mapping[str, CatalogueEntry] | None:
        """None when the content is gone: it has been replaced meanwhile."""
        parts = []
        for number in range(chunks):
            item = self._get(f"CATALOGUE#{version}#{number:02d}")
            if item is None:
                return None
            parts.append(bytes(item["content"]["B"]))
        return _decoded(zlib.decompress(b"".join(parts)))

    def keep(self, copy: Copy) -> None:
        content = _encoded(copy.catalogue.entries)
        version = hashlib.sha256(content).hexdigest()[:32]
        packed = zlib.compress(content, 9)
        chunks = [packed[at : at + LARGEST_CHUNK] for at in range(0, len(packed), LARGEST_CHUNK)]
        now = self._clock()
        pointer = self._get("CATALOGUE")
        if pointer is None or pointer["version"]["S"] != version:
            for number, chunk in enumerate(chunks):
                self._put(f"CATALOGUE#{version}#{number:02d}", content={"B": chunk}, kept_at={"S": _instant(now)})
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": _HOME,
                        "sk": {"S": "CATALOGUE"},
                        "version": {"S": version},
                        "chunks": {"N": str(len(chunks))},
                        "read_at": {"S": _instant(copy.catalogue.read_at)},
                        "given_to_others": {"B": zlib.compress(_given_encoded(copy.catalogue.given_to_others))},
                        "counted_until": {"S": _instant(copy.counted.until) if copy.counted.until else ""},
                        "recounted": {"S": copy.counted.recounted},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR read_at <= :read_at",
                    ExpressionAttributeValues={":read_at": {"S": _instant(copy.catalogue.read_at)}},
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error
        self._sweep(version, now)

    def _sweep(self, version: str, now: datetime) -> None:
        """Drop the content of earlier catalogues, and of refreshes that were cut short."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :home AND begins_with(sk, :content)",
            "FilterExpression": "kept_at < :old",
            "ProjectionExpression": "pk, sk",
            "ExpressionAttributeValues": {
                ":home": _HOME,
                ":content": {"S": "CATALOGUE#"},
                ":old": {"S": _instant(now - CHUNK_KEPT)},
            },
        }
        with translated():
            for item in self._client.query(**query)["Items"]:
                if not item["sk"]["S"].startswith(f"CATALOGUE#{version}#"):
                    self._client.delete_item(TableName=self._table, Key={"pk": item["pk"], "sk": item["sk"]})

    # --- what others get

    def discoveries(self, since: datetime | None, now: datetime) -> Discoveries:
        pairs: set[tuple[str, AccountType]] = set()
        untils = [now - OVERLAP]
        for shard in range(PEER_SHARDS):
            page = self._newest_of(f"PEER#{shard}", _instant(since) if since else "", MOST_DISCOVERIES, forward=True)
            for item in page["Items"]:
                _, kind, _ = item["sk"]["S"].split("#")
                pairs.add((item["pk"]["S"].removeprefix("INSTITUTION#"), AccountType(kind)))
            if "LastEvaluatedKey" in page:
                untils.append(datetime.fromisoformat(page["Items"][-1]["due_sk"]["S"]))
        return Discoveries(pairs=frozenset(pairs), until=min(untils))

    def users_of(self, institution_id: str, kind: AccountType, *, most: int) -> int:
        values: dict[str, Any] = {
            ":institution": _institution(institution_id),
            ":peer": {"S": f"PEER#{kind.value}#"},
            ":now": {"N": str(int(self._clock().timestamp()))},
        }
        with translated():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :institution AND begins_with(sk, :peer)",
                # DynamoDB deletes expired items late, up to days: an expired marker does not count.
                FilterExpression="#ttl > :now",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=values,
                Limit=most * 4,
                Select="COUNT",
            )
        return min(most, page["Count"])

    # --- incidents

    def incidents(self) -> tuple[tuple[Incident, ...], int]:
        item = self._get("INCIDENTS")
        if item is None:
            return (), 0
        return _incidents_codec().validate_json(item["document"]["S"]), int(item["version"]["N"])

    def keep_incidents(self, incidents: tuple[Incident, ...], *, version: int) -> None:
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": _HOME,
                        "sk": {"S": "INCIDENTS"},
                        "version": {"N": str(version + 1)},
                        "document": {"S": _incidents_codec().dump_json(incidents, exclude_defaults=True).decode()},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR version = :seen",
                    ExpressionAttributeValues={":seen": {"N": str(version)}},
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error

    def failing(self, now: datetime) -> Mapping[Kind, Failing]:
        lately: dict[Kind, set[str]] = {}
        still: dict[Kind, set[str]] = {}
        crowded: set[int] = set()
        for shard in range(TROUBLE_SHARDS):
            page = self._newest_of(f"TROUBLE#{shard}", _instant(now - STILL_FAILING), MOST_TROUBLES, forward=False)
            if "LastEvaluatedKey" in page:
                crowded.add(shard)
            for item in page["Items"]:
                kind = (item["pk"]["S"].removeprefix("INSTITUTION#"), item["reason"]["S"])
                who = item["sk"]["S"].split("#")[1]
                still.setdefault(kind, set()).add(who)
                if item["due_sk"]["S"] >= _instant(now - WINDOW):
                    lately.setdefault(kind, set()).add(who)
        seen = {kind: Failing(len(lately.get(kind, ())), len(users)) for kind, users in still.items()}
        if not crowded:
            return seen
        # Where more fail than one look takes in, an incident that is open cannot be said to be over.
        for incident in self.incidents()[0]:
            kind = (incident.institution_id, incident.reason)
            if incident.open and _shard(incident.institution_id, TROUBLE_SHARDS) in crowded:
                count = seen.get(kind, Failing(0, 0))
                seen[kind] = replace(count, still=max(count.still, CLOSES_AT + 1))
        return seen

    # --- the table

    def _newest_of(self, partition: str, since: str, most: int, *, forward: bool) -> "QueryOutputTypeDef":
        with translated():
            return self._client.query(
                TableName=self._table,
                IndexName="due",
                KeyConditionExpression="due_pk = :partition AND due_sk >= :since",
                ExpressionAttributeValues={":partition": {"S": partition}, ":since": {"S": since or "0"}},
                ScanIndexForward=forward,
                Limit=most,
            )

    def _get(self, sort: str) -> dict[str, Any] | None:
        with translated():
            found = self._client.get_item(TableName=self._table, Key={"pk": _HOME, "sk": {"S": sort}})
        return found.get("Item")

    def _put(self, sort: str, **attributes: Any) -> None:
        with translated():
            self._client.put_item(TableName=self._table, Item={"pk": _HOME, "sk": {"S": sort}, **attributes})


# --- how the catalogue is written down -------------------------------------------------------------------------------


def _encoded(entries: Mapping[str, CatalogueEntry]) -> bytes:
    """The same bytes for the same institutions."""
    rows = [_row(entries[identifier]) for identifier in sorted(entries)]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


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


def _decoded(content: bytes) -> dict[str, CatalogueEntry]:
    return {row["id"]: _entry(row) for row in json.loads(content)}


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


def _given_encoded(given: Mapping[str, Iterable[AccountType]]) -> bytes:
    return json.dumps({identifier: sorted(kinds) for identifier, kinds in sorted(given.items())}).encode()


def _copy(pointer: Mapping[str, Any], version: str, entries: Mapping[str, CatalogueEntry]) -> Copy:
    given = json.loads(zlib.decompress(bytes(pointer["given_to_others"]["B"])))
    until = pointer["counted_until"]["S"]
    return Copy(
        catalogue=Catalogue(
            read_at=datetime.fromisoformat(pointer["read_at"]["S"]),
            entries=entries,
            given_to_others={
                identifier: frozenset(AccountType(kind) for kind in kinds) for identifier, kinds in given.items()
            },
        ),
        counted=Counted(until=datetime.fromisoformat(until) if until else None, recounted=pointer["recounted"]["S"]),
        version=version,
    )
