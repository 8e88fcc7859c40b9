"""The state but the institutions. Keys: see the table in `shared/adapters/dynamodb`."""

import hashlib
import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from shared.adapters.dynamodb.errors import translated as _translated
from shared.application.changes import NOTHING_BESIDE, Beside
from shared.application.housekeeping import DueOperation
from shared.application.live import OpenSocket
from shared.application.orphans import Listing
from shared.application.ports import (
    Answer,
    HeldItem,
    HistoryEntry,
    Listed,
    NewId,
    PowensAccess,
    StaleWriteError,
    TakenError,
)
from shared.application.webview import WebviewSession
from shared.application.wishes import Wisher
from shared.contracts.events import detail_of
from shared.contracts.messages import Command, EraseUser, HintMessage
from shared.domain.connection import AccountType, Connection, Operation
from shared.domain.erasure import DEADLINE, LATE_AFTER, Erasure
from shared.domain.errors import InvalidInput, StoreUnavailable, UserBeingErased
from shared.domain.facts import Cause, Fact, FactType
from shared.domain.hints import Hint
from shared.domain.ledger import Outcome
from shared.domain.manual import CHUNKS_KEPT, BalancePoint, ManualAccount, ManualOutcome
from shared.domain.wishes import Wish, WishOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from shared.adapters.dynamodb.institutions import Traces

SHARDS = 4
"""Parts of the `due` index, so that it is no hot partition; housekeeping reads each."""
HISTORY_KEPT = timedelta(days=400)
LARGEST_PLAIN_BYTES = 300_000
"""Of a document. A larger one is compressed: DynamoDB's items end at 400 kB (ADR 0004)."""
OPERATION_KEPT = timedelta(days=90)
TOMBSTONE_KEPT = timedelta(days=90)
OUTBOX_KEPT = timedelta(days=7)
ANSWER_KEPT = timedelta(days=1)
SESSION_KEPT = timedelta(days=1)
"""After a visit can no longer be begun: people leave the Powens space when they have time."""
RECEIPT_KEPT = timedelta(days=90)
ERASED_AT_ONCE = 40
"""Keys of one transaction of an erasure, which takes at most 100 writes (AWS limit)."""
CHECKED_AGAIN = 4
"""Attempts of a write on the condition that a user is not being erased."""

_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@cache
def _connection_codec() -> TypeAdapter[Connection]:
    return TypeAdapter(Connection)


@cache
def _listing_codec() -> TypeAdapter[Listing]:
    return TypeAdapter(Listing)


@cache
def _operation_codec() -> TypeAdapter[Operation]:
    return TypeAdapter(Operation)


@cache
def _manual_codec() -> TypeAdapter[ManualAccount]:
    return TypeAdapter(ManualAccount)


@cache
def _balances_codec() -> TypeAdapter[tuple[BalancePoint, ...]]:
    return TypeAdapter(tuple[BalancePoint, ...])


@cache
def _wish_codec() -> TypeAdapter[Wish]:
    return TypeAdapter(Wish)


def _user(user_id: str) -> dict[str, str]:
    return {"S": f"USER#{user_id}"}


def _ttl(at: datetime, kept: timedelta) -> dict[str, str]:
    return {"N": str(int((at + kept).timestamp()))}


def _shard(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % SHARDS


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


class DynamoDBStore:
    """The ports of `shared.application` that keep state, on DynamoDB."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        clock: Callable[[], datetime],
        new_id: NewId,
        traces: "Traces | None" = None,
    ) -> None:
        """`traces`: what connections leave at their institutions; None where no connection is written."""
        self._traces = traces
        self._client = client
        self._table = table
        self._clock = clock
        self._new_id = new_id

    # --- connections and their outbox

    def connections(self, user_id: str) -> list[Connection]:
        return list(self.listed(user_id).all_connections)

    def listed(self, user_id: str) -> Listed:
        items: list[dict[str, Any]] = []
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :user AND begins_with(sk, :list)",
            "ExpressionAttributeValues": {":user": _user(user_id), ":list": {"S": "LIST#"}},
            # Who has just confirmed something looks at the list next, and must find it there.
            "ConsistentRead": True,
        }
        with _translated():
            while True:
                page = self._client.query(**query)
                items += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        of: dict[str, list[dict[str, Any]]] = {"CONNECTION": [], "MANUAL": [], "WISH": []}
        for item in items:
            of[item["sk"]["S"].split("#")[1]].append(item)
        return Listed(
            all_connections=tuple(map(_connection, of["CONNECTION"])),
            manual_accounts=tuple(map(_manual_account, of["MANUAL"])),
            wishes=tuple(map(_wish, of["WISH"])),
        )

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        item = self._get(_user(user_id), f"LIST#CONNECTION#{connection_id}")
        return _connection(item) if item else None

    def save(
        self,
        before: Connection | None,
        outcome: Outcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        after = outcome.connection
        writes: list[TransactWriteItemTypeDef] = [self._put_connection(before, after)]
        if answer is not None:
            writes.append(self._put_answer(after.user_id, answer))
        if before is None:
            writes.append(self._is_still(after.user_id, after.powens_user_id))
        writes += self._consequences(before, outcome, correlation_id)
        for other, other_outcome in outcome.others:
            writes.append(self._put_connection(other, other_outcome.connection))
            writes += self._consequences(other, other_outcome, correlation_id)
        for manual, manual_outcome in beside.manual:
            writes += self._manual_writes(manual, manual_outcome, correlation_id)
        for wish, wish_outcome in beside.wishes:
            writes += self._wish_writes(wish, wish_outcome, correlation_id)
        self._transact(writes, answer_at=1 if answer is not None else None, contested=True)

    def _consequences(
        self, before: Connection | None, outcome: Outcome, correlation_id: str
    ) -> "list[TransactWriteItemTypeDef]":
        """What a change of a connection writes beside the connection itself."""
        after = outcome.connection
        known = {operation.id: operation for operation in before.operations} if before else {}
        writes: list[TransactWriteItemTypeDef] = []
        for operation in outcome.operations:
            if known.get(operation.id) != operation:
                writes.append(self._put_operation(operation))
            if operation.open and operation.id not in known:
                command = Command(
                    user_id=after.user_id,
                    connection_id=after.id,
                    operation_id=operation.id,
                    correlation_id=operation.correlation_id,
                )
                writes.append(self._put_command(after.user_id, command, group=command.group_of(operation.kind)))
        names = {known: a.shown_name for a in after.accounts for known in (a.id, *a.former_ids)}
        names |= {a.id: a.shown_name for a in before.accounts if a.id not in names} if before else {}
        writes += [self._put_event(f, names, after.institution.name, correlation_id) for f in outcome.facts]
        if self._traces is not None:
            writes += self._traces(before, after)
        return writes

    def _put_connection(self, before: Connection | None, after: Connection) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _user(after.user_id),
            "sk": {"S": f"LIST#CONNECTION#{after.id}"},
            "version": {"N": str(after.version + 1)},
            "revision": {"N": str(after.revision)},
            **_as_document(_connection_codec().dump_json(after, exclude_defaults=True, exclude={"version"})),
        }
        if after.removed_at is not None:
            item["ttl"] = _ttl(after.removed_at, TOMBSTONE_KEPT)
        if before is None:
            return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
            }
        }

    def _put_operation(self, operation: Operation) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _user(operation.user_id),
            "sk": {"S": f"OPERATION#{operation.id}"},
            "document": {"S": _operation_codec().dump_json(operation, exclude_defaults=True).decode()},
            "ttl": _ttl(operation.created_at, OPERATION_KEPT),
        }
        if operation.open:
            item["due_pk"] = {"S": f"OPERATION#{_shard(operation.id)}"}
            item["due_sk"] = {"S": f"{_instant(operation.deadline_at)}#{operation.id}"}
            item["connection_id"] = {"S": operation.connection_id}
        return {"Put": {"TableName": self._table, "Item": item}}

    def _put_event(
        self, fact: Fact, names: dict[str, str], institution: str | None, correlation_id: str
    ) -> "TransactWriteItemTypeDef":
        now = self._clock()
        event_id = self._new_id()
        detail = detail_of(fact, event_id=event_id, occurred_at=now, correlation_id=correlation_id)
        of_accounts = {line.account_id: names.get(line.account_id, "") for line in fact.accounts}
        item: dict[str, Any] = {
            "pk": _user(fact.user_id),
            "sk": {"S": f"EVENT#{event_id}"},
            "detail_type": {"S": fact.type.value},
            "detail": {"S": detail.as_json()},
            "names": {"S": json.dumps(of_accounts, ensure_ascii=False)},
            "institution": {"S": institution or ""},
            "ttl": _ttl(now, HISTORY_KEPT),
        }
        if fact.connection_id is not None:
            item["connection_id"] = {"S": fact.connection_id}
        return {"Put": {"TableName": self._table, "Item": item}}

    def _put_command(
        self, user_id: str, message: Command | EraseUser | HintMessage, *, group: str | None = None
    ) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _user(user_id),
            "sk": {"S": f"COMMAND#{self._new_id()}"},
            "queue": {"S": message.queue},
            "group": {"S": group or message.group},
            "body": {"S": message.model_dump_json()},
            "ttl": _ttl(self._clock(), OUTBOX_KEPT),
        }
        return {"Put": {"TableName": self._table, "Item": item}}

    def _transact(
        self, writes: "list[TransactWriteItemTypeDef]", *, answer_at: int | None = None, contested: bool = False
    ) -> None:
        try:
            with _translated():
                self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            if any("ConditionCheck" in w and c == "ConditionalCheckFailed" for w, c in zip(writes, codes, strict=True)):
                raise UserBeingErased from error
            if answer_at is not None and codes[answer_at] == "ConditionalCheckFailed":
                raise TakenError from error
            if "ConditionalCheckFailed" in codes:
                raise StaleWriteError from error
            if contested and "TransactionConflict" in codes:
                raise StaleWriteError from error  # somebody else is writing it right now
            raise StoreUnavailable(",".join(sorted({code for code in codes if code and code != "None"}))) from error

    def _put_if(self, seen: dict[str, Any], item: dict[str, Any]) -> "TransactWriteItemTypeDef":
        return {"Put": {"TableName": self._table, "Item": item, **seen}}  # type: ignore[typeddict-item]

    def _delete_if(self, seen: dict[str, Any], key: dict[str, Any]) -> "TransactWriteItemTypeDef":
        return {"Delete": {"TableName": self._table, "Key": key, **seen}}  # type: ignore[typeddict-item]

    # --- accounts kept by hand

    def save_manual(
        self,
        before: ManualAccount | None,
        outcome: ManualOutcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        relied_on: Sequence[Connection] = (),
    ) -> None:
        writes = self._manual_writes(before, outcome, correlation_id)
        # Written again as they are: that gives them another version, so that who has read them before meets this.
        writes += [self._put_connection(connection, connection) for connection in relied_on]
        account = before or outcome.account
        assert account is not None  # noqa: S101 - there is one before or after
        self._save_by_hand(account.user_id, writes, answer, new=before is None)

    def _save_by_hand(
        self, user_id: str, writes: "list[TransactWriteItemTypeDef]", answer: Answer | None, *, new: bool
    ) -> None:
        answer_at = None
        if answer is not None:
            answer_at = len(writes)
            writes.append(self._put_answer(user_id, answer))
        if new:
            writes.append(self._is_still(user_id))
        self._transact(writes, answer_at=answer_at, contested=True)

    def _manual_writes(
        self, before: ManualAccount | None, outcome: ManualOutcome, correlation_id: str
    ) -> "list[TransactWriteItemTypeDef]":
        account = outcome.account or before
        assert account is not None  # noqa: S101 - there is one before or after
        key = {"pk": _user(account.user_id), "sk": {"S": f"LIST#MANUAL#{account.id}"}}
        seen = _unchanged(before.version if before is not None else None)
        if outcome.account is None:
            writes = [self._delete_if(seen, key)]
            writes += [self._delete_balances(account, number) for number in _chunk_numbers(account)]
        else:
            document = _manual_codec().dump_json(account, exclude_defaults=True, exclude={"version"}).decode()
            item: dict[str, Any] = {
                **key,
                "version": {"N": str(account.version + 1)},
                "document": {"S": document},
            }
            writes = [self._put_if(seen, item)]
        if outcome.outgrown:
            item = {
                **_balances_key(account, account.chunks),
                "document": {"S": _balances_codec().dump_json(outcome.outgrown).decode()},
            }
            writes.append({"Put": {"TableName": self._table, "Item": item}})
            if account.chunks > CHUNKS_KEPT:
                writes.append(self._delete_balances(account, account.chunks - CHUNKS_KEPT))
        names = {account.id: account.name}
        writes += [self._put_event(f, names, account.institution_name, correlation_id) for f in outcome.facts]
        return writes

    def _delete_balances(self, account: ManualAccount, number: int) -> "TransactWriteItemTypeDef":
        return {"Delete": {"TableName": self._table, "Key": _balances_key(account, number)}}

    def older_balances(self, account: ManualAccount) -> tuple[BalancePoint, ...]:
        if not account.chunks:
            return ()
        with _translated():
            # At most CHUNKS_KEPT small items: they fit one page.
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :user AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":user": _user(account.user_id),
                    ":first": _balances_key(account, 0)["sk"],
                    # What left the account after it was read is in its own points, too.
                    ":last": _balances_key(account, account.chunks)["sk"],
                },
                ConsistentRead=True,
            )
        return tuple(p for item in page["Items"] for p in _balances_codec().validate_json(item["document"]["S"]))

    # --- wishes

    def wish(self, user_id: str, wish_id: str) -> Wish | None:
        item = self._get(_user(user_id), f"LIST#WISH#{wish_id}")
        return _wish(item) if item else None

    def save_wish(
        self, before: Wish | None, outcome: WishOutcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        writes = self._wish_writes(before, outcome, correlation_id)
        self._save_by_hand(outcome.wish.user_id, writes, answer, new=before is None)

    def _wish_writes(
        self, before: Wish | None, outcome: WishOutcome, correlation_id: str
    ) -> "list[TransactWriteItemTypeDef]":
        wish = outcome.wish
        item: dict[str, Any] = {
            "pk": _user(wish.user_id),
            "sk": {"S": f"LIST#WISH#{wish.id}"},
            "version": {"N": str(wish.version + 1)},
            "document": {"S": _wish_codec().dump_json(wish, exclude_defaults=True, exclude={"version"}).decode()},
        }
        seen = _unchanged(before.version if before is not None else None)
        writes = [self._put_if(seen, item)]
        if wish.available_at is None:
            pointer: dict[str, Any] = {**_wisher_key(wish), "user_id": {"S": wish.user_id}}
            writes.append({"Put": {"TableName": self._table, "Item": pointer}})
        else:
            writes.append({"Delete": {"TableName": self._table, "Key": _wisher_key(wish)}})
        writes += [self._put_event(f, {}, wish.institution_name, correlation_id) for f in outcome.facts]
        return writes

    def delete_wish(self, wish: Wish, *, answer: Answer | None = None) -> None:
        key = {"pk": _user(wish.user_id), "sk": {"S": f"LIST#WISH#{wish.id}"}}
        writes = [self._delete_if(_unchanged(wish.version), key)]
        writes.append({"Delete": {"TableName": self._table, "Key": _wisher_key(wish)}})
        self._save_by_hand(wish.user_id, writes, answer, new=False)

    def wishers(self, institution_id: str, kind: AccountType, *, after: Wisher | None, limit: int) -> list[Wisher]:
        of_kind = f"WISH#{kind.value}#"
        with _translated():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :institution AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":institution": {"S": f"INSTITUTION#{institution_id}"},
                    ":first": {"S": f"{of_kind}{after.wish_id}!" if after is not None else of_kind},
                    ":last": {"S": f"{of_kind}~"},
                },
                ConsistentRead=True,
                Limit=limit,
            )
        return [
            Wisher(user_id=item["user_id"]["S"], wish_id=item["sk"]["S"].rpartition("#")[2], type=kind)
            for item in page["Items"]
        ]

    # --- operations, answers, history

    def operation(self, user_id: str, operation_id: str) -> Operation | None:
        item = self._get(_user(user_id), f"OPERATION#{operation_id}")
        return _operation_codec().validate_json(item["document"]["S"]) if item else None

    def answer(self, user_id: str, key: str) -> Answer | None:
        item = self._get(_user(user_id), f"IDEMPOTENCY#{key}")
        if item is None or int(item["ttl"]["N"]) <= self._clock().timestamp():
            return None
        return Answer(
            key=key,
            fingerprint=item["fingerprint"]["S"],
            status=int(item["status"]["N"]),
            body=item["body"]["S"],
        )

    def add_answer(self, user_id: str, answer: Answer) -> None:
        self._transact([self._put_answer(user_id, answer)], answer_at=0)

    def _put_answer(self, user_id: str, answer: Answer) -> "TransactWriteItemTypeDef":
        now = self._clock()
        item: dict[str, Any] = {
            "pk": _user(user_id),
            "sk": {"S": f"IDEMPOTENCY#{answer.key}"},
            "fingerprint": {"S": answer.fingerprint},
            "status": {"N": str(answer.status)},
            "body": {"S": answer.body},
            "ttl": _ttl(now, ANSWER_KEPT),
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                # DynamoDB deletes expired items late, up to days: an expired answer does not count.
                "ConditionExpression": "attribute_not_exists(pk) OR #ttl <= :now",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {":now": {"N": str(int(now.timestamp()))}},
            }
        }

    def history(
        self, user_id: str, *, connection_id: str | None, cursor: str | None, limit: int
    ) -> tuple[list[HistoryEntry], str | None]:
        """Newest first, and the cursor of the next page. Raises InvalidInput for a cursor that is none."""
        if cursor is not None and not _ULID.fullmatch(cursor):
            raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
        values: dict[str, Any] = {
            ":user": _user(user_id),
            ":first": {"S": "EVENT#"},
            ":last": {"S": f"EVENT#{cursor}" if cursor else "EVENT#~"},
        }
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :user AND sk BETWEEN :first AND :last",
            "ScanIndexForward": False,
            "Limit": limit + 2,
        }
        if connection_id is not None:
            query["FilterExpression"] = "connection_id = :connection"
            values[":connection"] = {"S": connection_id}
        entries: list[HistoryEntry] = []
        with _translated():
            while True:
                page = self._client.query(**query, ExpressionAttributeValues=values)
                entries += [entry for item in page["Items"] if (entry := _history_entry(item)).id != cursor]
                if len(entries) > limit:
                    return entries[:limit], entries[limit - 1].id
                if "LastEvaluatedKey" not in page:
                    return entries, None
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    # --- access to Powens

    def access(self, user_id: str) -> PowensAccess | None:
        item = self._get(_user(user_id), "PROFILE")
        return _access(item) if item else None

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression="SET claimed_by = :by, claimed_until = :until",
                    ConditionExpression=(
                        "attribute_not_exists(sealed_token) AND attribute_not_exists(erasure_id) AND "
                        "(attribute_not_exists(claimed_until) OR claimed_until < :now)"
                    ),
                    ExpressionAttributeValues={
                        ":by": {"S": by},
                        ":until": {"S": _instant(until)},
                        ":now": {"S": _instant(now)},
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def release_access(self, user_id: str, *, by: str) -> None:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression="REMOVE claimed_by, claimed_until",
                    ConditionExpression="claimed_by = :by",
                    ExpressionAttributeValues={":by": {"S": by}},
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str, instead_of: int | None = None) -> None:
        values = {":by": {"S": by}, ":powens": {"N": str(powens_user_id)}}
        # The claim may have been given back and taken again since the caller looked: nobody may be written over.
        noted = "attribute_not_exists(powens_user_id)"
        if instead_of is not None:
            noted, values[":instead"] = "powens_user_id = :instead", {"N": str(instead_of)}
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": {"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    "UpdateExpression": "SET powens_user_id = :powens",
                    "ConditionExpression": f"claimed_by = :by AND {noted}",
                    "ExpressionAttributeValues": values,
                }
            },
            {
                "Put": {
                    "TableName": self._table,
                    "Item": {
                        "pk": {"S": f"POWENS#{powens_user_id}"},
                        "sk": {"S": "USER"},
                        "user_id": {"S": user_id},
                    },
                }
            },
        ]
        if instead_of is not None:
            writes.append({"Delete": {"TableName": self._table, "Key": _powens(instead_of)}})
        self._transact(writes)

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression=(
                        "SET sealed_token = :token, due_pk = :shard, due_sk = :at REMOVE claimed_by, claimed_until"
                    ),
                    ConditionExpression="claimed_by = :by",
                    ExpressionAttributeValues={
                        ":token": {"B": sealed_token},
                        ":by": {"S": by},
                        ":shard": {"S": f"RECONCILE#{_shard(user_id)}"},
                        ":at": {"S": _instant(reconcile_at)},
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error

    def forget_access(self, access: PowensAccess) -> None:
        self._transact(
            [
                {
                    "Delete": {
                        "TableName": self._table,
                        "Key": {"pk": _user(access.user_id), "sk": {"S": "PROFILE"}},
                        "ConditionExpression": "powens_user_id = :gone AND attribute_not_exists(erasure_id)",
                        "ExpressionAttributeValues": {":gone": {"N": str(access.powens_user_id)}},
                    }
                },
                {"Delete": {"TableName": self._table, "Key": _powens(access.powens_user_id)}},
            ]
        )

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression=(
                        "SET sealed_token = :token, renewed_before = if_not_exists(renewed_at, :never),"
                        " renewed_at = :now REMOVE renewing_until"
                    ),
                    ConditionExpression="powens_user_id = :same",
                    ExpressionAttributeValues={
                        ":token": {"B": sealed_token},
                        ":now": {"S": _instant(self._clock())},
                        ":never": {"S": ""},
                        ":same": {"N": str(powens_user_id)},
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error

    def claim_renewal(
        self, user_id: str, *, powens_user_id: int, now: datetime, until: datetime, since: datetime
    ) -> bool:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression="SET renewing_until = :until",
                    ConditionExpression=(
                        "powens_user_id = :same"
                        " AND (attribute_not_exists(renewed_before) OR renewed_before < :since)"
                        " AND (attribute_not_exists(renewing_until) OR renewing_until < :now)"
                    ),
                    ExpressionAttributeValues={
                        ":now": {"S": _instant(now)},
                        ":until": {"S": _instant(until)},
                        ":since": {"S": _instant(since)},
                        ":same": {"N": str(powens_user_id)},
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def release_renewal(self, user_id: str, *, until: datetime) -> None:
        with suppress(self._client.exceptions.ConditionalCheckFailedException), _translated():
            self._client.update_item(
                TableName=self._table,
                Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                UpdateExpression="REMOVE renewing_until",
                ConditionExpression="renewing_until = :until",
                ExpressionAttributeValues={":until": {"S": _instant(until)}},
            )

    def user_of(self, powens_user_id: int) -> str | None:
        item = self._get({"S": f"POWENS#{powens_user_id}"}, "USER")
        return item["user_id"]["S"] if item else None

    def _is_still(self, user_id: str, powens_user_id: int | None = None) -> "TransactWriteItemTypeDef":
        """A condition: the user is not being erased, and is this Powens user if one is named."""
        check: dict[str, Any] = {
            "TableName": self._table,
            "Key": {"pk": _user(user_id), "sk": {"S": "PROFILE"}},
            "ConditionExpression": "attribute_not_exists(erasure_id)",
        }
        if powens_user_id is not None:
            check["ConditionExpression"] += " AND powens_user_id = :same"
            check["ExpressionAttributeValues"] = {":same": {"N": str(powens_user_id)}}
        return {"ConditionCheck": check}  # type: ignore[typeddict-item]  # built up in two steps

    def _transact_checked(
        self,
        user_id: str,
        writes: "list[TransactWriteItemTypeDef]",
        *,
        powens_user_id: int | None = None,
        answer_at: int | None = None,
    ) -> None:
        """A write that stands alone, on the condition `_is_still`. Raises UserBeingErased.

        Transactions that check one thing at once get in each other's way, so it is tried again.
        """
        for _ in range(CHECKED_AGAIN):
            with suppress(StaleWriteError):
                check = self._is_still(user_id, powens_user_id)
                return self._transact([*writes, check], answer_at=answer_at, contested=True)
        raise StoreUnavailable("TransactionConflict", retry_after=1)

    # --- a whole user: the erasure and the export

    def begin_erasure(self, user_id: str, erasure: Erasure, *, answer: Answer | None = None) -> None:
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": {"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    "UpdateExpression": (
                        "SET erasure_id = :id, erasure_requested_at = :at, erasure_correlation_id = :correlation, "
                        "due_pk = :shard, due_sk = :later REMOVE claimed_by, claimed_until"
                    ),
                    "ConditionExpression": "attribute_not_exists(erasure_id)",
                    "ExpressionAttributeValues": {
                        ":id": {"S": erasure.id},
                        ":at": {"S": _instant(erasure.requested_at)},
                        ":correlation": {"S": erasure.correlation_id},
                        ":shard": {"S": f"ERASURE#{_shard(user_id)}"},
                        ":later": {"S": _instant(erasure.requested_at + LATE_AFTER)},
                    },
                }
            }
        ]
        if answer is not None:
            writes.append(self._put_answer(user_id, answer))
        writes += [self._put_receipt(user_id, erasure), self._put_command(user_id, _erase(user_id, erasure))]
        self._transact(writes, answer_at=1 if answer is not None else None, contested=True)

    def _put_receipt(self, user_id: str, erasure: Erasure) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _receipt(user_id, erasure.id),
            "sk": {"S": "RECEIPT"},
            "requested_at": {"S": _instant(erasure.requested_at)},
            "ttl": _ttl(erasure.ended_at or erasure.requested_at + DEADLINE, RECEIPT_KEPT),
        }
        if erasure.ended_at is not None:
            item["ended_at"] = {"S": _instant(erasure.ended_at)}
        return {"Put": {"TableName": self._table, "Item": item}}

    def erasure(self, user_id: str, erasure_id: str) -> Erasure | None:
        """The receipt of this very user. It is kept for a while after the end."""
        item = self._get(_receipt(user_id, erasure_id), "RECEIPT")
        if item is None:
            return None
        return Erasure(
            id=erasure_id,
            requested_at=datetime.fromisoformat(item["requested_at"]["S"]),
            ended_at=datetime.fromisoformat(item["ended_at"]["S"]) if "ended_at" in item else None,
        )

    def erase_items(self, user_id: str, *, in_time: Callable[[], bool]) -> bool:
        # Connections first: whoever changes one does so on the condition that it is still there, so that afterwards
        # nobody writes an operation, an event or a command for them either.
        for prefix in ("LIST#CONNECTION#", ""):
            while items := self._some_items(user_id, prefix):
                for keys in _batches([{"pk": i["pk"], "sk": i["sk"]}, *self._beside(i)] for i in items):
                    if not in_time():
                        return False
                    self._transact([{"Delete": {"TableName": self._table, "Key": key}} for key in keys])
        return True

    def _beside(self, item: dict[str, Any]) -> list[dict[str, Any]]:
        """The keys of what goes with an item, outside the user's partition."""
        if self._traces is None or not item["sk"]["S"].startswith("LIST#CONNECTION#"):
            return _beside(item)
        return [*_beside(item), *self._traces.of(_connection(item))]

    def _some_items(self, user_id: str, prefix: str) -> list[dict[str, Any]]:
        """A page of the user's partition, without the mark of the erasure. Empty when there is nothing else."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :user" + (" AND begins_with(sk, :prefix)" if prefix else ""),
            "ExpressionAttributeValues": {":user": _user(user_id)} | ({":prefix": {"S": prefix}} if prefix else {}),
            "ConsistentRead": True,
        }
        with _translated():
            while True:
                page = self._client.query(**query)
                items = [item for item in page["Items"] if item["sk"]["S"] != "PROFILE"]
                if items or "LastEvaluatedKey" not in page:
                    return items
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def end_erasure(self, access: PowensAccess, *, ended_at: datetime) -> None:
        assert access.erasure is not None  # noqa: S101 - it is what ends
        ended = replace(access.erasure, ended_at=ended_at)
        event_id = self._new_id()
        fact = Fact(
            type=FactType.USER_ERASED, user_id=access.user_id, connection_id=None, revision=0, cause=Cause.ERASURE
        )
        detail = detail_of(fact, event_id=event_id, occurred_at=ended_at, correlation_id=ended.correlation_id)
        event: dict[str, Any] = {
            "pk": {"S": f"ERASED#{event_id}"},
            "sk": {"S": f"EVENT#{event_id}"},
            "detail_type": {"S": fact.type.value},
            "detail": {"S": detail.as_json()},
            "ttl": _ttl(ended_at, OUTBOX_KEPT),
        }
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Delete": {
                    "TableName": self._table,
                    "Key": {"pk": _user(access.user_id), "sk": {"S": "PROFILE"}},
                    "ConditionExpression": "erasure_id = :id",
                    "ExpressionAttributeValues": {":id": {"S": ended.id}},
                }
            },
            self._put_receipt(access.user_id, ended),
            {"Put": {"TableName": self._table, "Item": event}},
        ]
        if access.powens_user_id is not None:
            writes.append({"Delete": {"TableName": self._table, "Key": _powens(access.powens_user_id)}})
        self._transact(writes)

    def due_erasures(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        return [_access(item) for item in self._due("ERASURE", now, limit)]

    def queue_erasure_again(self, access: PowensAccess, at: datetime) -> bool:
        assert access.erasure is not None  # noqa: S101 - it came from the index of those
        assert access.reconcile_at is not None  # noqa: S101
        try:
            self._transact(
                [
                    {
                        "Update": {
                            "TableName": self._table,
                            "Key": {"pk": _user(access.user_id), "sk": {"S": "PROFILE"}},
                            "UpdateExpression": "SET due_sk = :at",
                            "ConditionExpression": "due_sk = :seen",
                            "ExpressionAttributeValues": {
                                ":at": {"S": _instant(at)},
                                ":seen": {"S": _instant(access.reconcile_at)},
                            },
                        }
                    },
                    self._put_command(access.user_id, _erase(access.user_id, access.erasure)),
                ]
            )
        except StaleWriteError:
            return False
        return True

    def export(self, user_id: str, *, cursor: str | None) -> tuple[list[HeldItem], str | None]:
        """A page of all that is held about the user, at most a megabyte of the table, and the cursor of the next.

        Raises InvalidInput for a cursor that is none.
        """
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :user" + (" AND sk > :after" if cursor is not None else ""),
            "ExpressionAttributeValues": {":user": _user(user_id)},
            "ConsistentRead": True,
        }
        if cursor is not None:
            query["ExpressionAttributeValues"][":after"] = {"S": _read_cursor(cursor)}
        with _translated():
            page = self._client.query(**query)
        items = [HeldItem(kind=_kind(item).name, content=_kind(item).shown(item)) for item in page["Items"]]
        last = page.get("LastEvaluatedKey")
        return items, _cursor(last["sk"]["S"]) if last is not None else None

    # --- Webview sessions

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None, hint: Hint | None = None) -> None:
        item: dict[str, Any] = {
            "pk": {"S": f"SESSION#{session.state}"},
            "sk": {"S": "SESSION"},
            "user_id": {"S": session.user_id},
            "flow": {"S": session.flow},
            "return_to": {"S": session.return_to},
            "expires_at": {"S": _instant(session.expires_at)},
            "ttl": _ttl(session.expires_at, SESSION_KEPT),
        }
        if session.powens_connection_id is not None:
            item["powens_connection_id"] = {"N": str(session.powens_connection_id)}
        pointer = {**item, **_session_pointer(session.user_id, session.state), "state": {"S": session.state}}
        writes: list[TransactWriteItemTypeDef] = [{"Put": {"TableName": self._table, "Item": item}}]
        if answer is not None:
            writes.append(self._put_answer(session.user_id, answer))
        writes.append({"Put": {"TableName": self._table, "Item": pointer}})
        if hint is not None:
            writes.append(self._put_command(session.user_id, HintMessage.of(hint)))
        self._transact_checked(session.user_id, writes, answer_at=1 if answer is not None else None)

    def session(self, state: str) -> WebviewSession | None:
        item = self._get({"S": f"SESSION#{state}"}, "SESSION")
        if item is None:
            return None
        powens_connection_id = item.get("powens_connection_id")
        return WebviewSession(
            state=state,
            user_id=item["user_id"]["S"],
            flow=item["flow"]["S"],
            return_to=item["return_to"]["S"],
            powens_connection_id=int(powens_connection_id["N"]) if powens_connection_id else None,
            expires_at=datetime.fromisoformat(item["expires_at"]["S"]),
        )

    def add_hint(self, user_id: str, hint: Hint) -> None:
        command = self._put_command(user_id, HintMessage.of(hint))
        self._transact_checked(user_id, [command], powens_user_id=hint.powens_user_id)

    # --- open screens

    def add_socket(self, socket: OpenSocket) -> None:
        shared: dict[str, Any] = {
            "user_id": {"S": socket.user_id},
            "opened_at": {"S": _instant(socket.opened_at)},
            "until": {"S": _instant(socket.until)},
            "ttl": _ttl(socket.until, timedelta()),
        }
        keys = (
            {"pk": _user(socket.user_id), "sk": {"S": f"SOCKET#{socket.id}"}},
            {"pk": {"S": f"SOCKET#{socket.id}"}, "sk": {"S": "SOCKET"}},
        )
        self._transact([{"Put": {"TableName": self._table, "Item": {**key, **shared}}} for key in keys])

    def remove_socket(self, socket_id: str) -> None:
        by_id = {"pk": {"S": f"SOCKET#{socket_id}"}, "sk": {"S": "SOCKET"}}
        item = self._get(by_id["pk"], "SOCKET")
        if item is None:
            return
        by_user = {"pk": _user(item["user_id"]["S"]), "sk": {"S": f"SOCKET#{socket_id}"}}
        self._transact([{"Delete": {"TableName": self._table, "Key": key}} for key in (by_id, by_user)])

    def sockets(self, user_id: str) -> list[OpenSocket]:
        with _translated():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :user AND begins_with(sk, :socket)",
                ExpressionAttributeValues={":user": _user(user_id), ":socket": {"S": "SOCKET#"}},
                ConsistentRead=True,
            )
        return [
            OpenSocket(
                id=item["sk"]["S"].removeprefix("SOCKET#"),
                user_id=user_id,
                opened_at=datetime.fromisoformat(item["opened_at"]["S"]),
                until=datetime.fromisoformat(item["until"]["S"]),
            )
            for item in page["Items"]
        ]

    # --- what is asked of Powens

    def paused_until(self) -> datetime | None:
        item = self._get({"S": "BUDGET"}, "PAUSE")
        return datetime.fromisoformat(item["paused_until"]["S"]) if item else None

    def pause(self, until: datetime) -> None:
        with _translated(), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": "BUDGET"}, "sk": {"S": "PAUSE"}},
                UpdateExpression="SET paused_until = :until",
                ConditionExpression="attribute_not_exists(paused_until) OR paused_until < :until",
                ExpressionAttributeValues={":until": {"S": _instant(until)}},
            )

    def spend(self, minute: datetime, calls: int, *, most: int) -> bool:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"BUDGET#{_instant(minute)}"}, "sk": {"S": "MINUTE"}},
                    UpdateExpression="ADD used :calls SET #ttl = :ttl",
                    ConditionExpression="attribute_not_exists(used) OR used <= :room",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues={
                        ":calls": {"N": str(calls)},
                        ":room": {"N": str(most - calls)},
                        ":ttl": _ttl(minute, timedelta(hours=1)),
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    # --- orphans

    def owned(self, powens_user_ids: Sequence[int]) -> set[int]:
        found: set[int] = set()
        for start in range(0, len(powens_user_ids), 100):  # the most that BatchGetItem takes
            wanted: Any = {
                self._table: {
                    "Keys": [_powens(known) for known in powens_user_ids[start : start + 100]],
                    "ProjectionExpression": "pk",
                    "ConsistentRead": True,
                }
            }
            while wanted:
                with _translated():
                    answer = self._client.batch_get_item(RequestItems=wanted)
                items = answer["Responses"].get(self._table, [])
                found |= {int(item["pk"]["S"].removeprefix("POWENS#")) for item in items}
                wanted = answer.get("UnprocessedKeys")
        return found

    def orphan_listing(self) -> Listing | None:
        item = self._get({"S": "ORPHANS"}, "LISTING")
        return _listing_codec().validate_json(item["document"]["S"]) if item else None

    def save_orphan_listing(self, listing: Listing) -> None:
        document = _listing_codec().dump_json(listing).decode()
        with _translated():
            self._client.put_item(
                TableName=self._table,
                Item={"pk": {"S": "ORPHANS"}, "sk": {"S": "LISTING"}, "document": {"S": document}},
            )

    # --- what is due

    def due_operations(self, now: datetime, *, limit: int) -> list[DueOperation]:
        return [
            DueOperation(
                user_id=item["pk"]["S"].removeprefix("USER#"),
                connection_id=item["connection_id"]["S"],
                operation_id=item["sk"]["S"].removeprefix("OPERATION#"),
            )
            for item in self._due("OPERATION", now, limit)
        ]

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        return [_access(item) for item in self._due("RECONCILE", now, limit)]

    def _due(self, kind: str, now: datetime, limit: int) -> Iterable[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with _translated():
            for shard in range(SHARDS):
                page = self._client.query(
                    TableName=self._table,
                    IndexName="due",
                    KeyConditionExpression="due_pk = :shard AND due_sk <= :now",
                    ExpressionAttributeValues={":shard": {"S": f"{kind}#{shard}"}, ":now": {"S": _instant(now)}},
                    Limit=max(1, limit // SHARDS),
                )
                found += page["Items"]
        return found

    def plan_reconciliation(self, access: PowensAccess, at: datetime) -> bool:
        assert access.reconcile_at is not None  # noqa: S101 - it came from the index of planned ones
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(access.user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression="SET due_sk = :at",
                    ConditionExpression="due_sk = :seen",
                    ExpressionAttributeValues={
                        ":at": {"S": _instant(at)},
                        ":seen": {"S": _instant(access.reconcile_at)},
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def bring_forward(self, user_id: str, at: datetime) -> None:
        with _translated(), suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                UpdateExpression="SET due_sk = :at",
                ConditionExpression="due_sk > :at AND attribute_not_exists(erasure_id)",
                ExpressionAttributeValues={":at": {"S": _instant(at)}},
            )

    def _get(self, pk: dict[str, str], sk: str) -> dict[str, Any] | None:
        with _translated():
            found = self._client.get_item(TableName=self._table, Key={"pk": pk, "sk": {"S": sk}}, ConsistentRead=True)
        return found.get("Item")


def _powens(powens_user_id: int | None) -> dict[str, Any]:
    return {"pk": {"S": f"POWENS#{powens_user_id}"}, "sk": {"S": "USER"}}


def _session_pointer(user_id: str, state: str) -> dict[str, Any]:
    # Hashed: a cursor of the export names the last sort key that it has shown.
    return {"pk": _user(user_id), "sk": {"S": f"SESSION#{hashlib.sha256(state.encode()).hexdigest()[:32]}"}}


def _receipt(user_id: str, erasure_id: str) -> dict[str, str]:
    """Found by whoever knows both, and telling neither: the id has 80 random bits and is kept nowhere else."""
    return {"S": f"RECEIPT#{hashlib.sha256(f'{erasure_id}/{user_id}'.encode()).hexdigest()}"}


def _erase(user_id: str, erasure: Erasure) -> EraseUser:
    return EraseUser(user_id=user_id, erasure_id=erasure.id, correlation_id=erasure.correlation_id)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the items of a user's partition whose sort key begins alike are exported and erased.

    `shown` holds no token and no address that opens something; hashes are named as such. `beside` gives the keys of
    what lies elsewhere and has to go with the item.
    """

    name: str
    shown: Callable[[dict[str, Any]], dict[str, object]]
    beside: Callable[[dict[str, Any]], list[dict[str, Any]]] = lambda _: []


def _shown_document(item: dict[str, Any]) -> dict[str, object]:
    shown: dict[str, object] = json.loads(_document(item), object_hook=_with_hashes_named)
    return shown


def _with_hashes_named(members: dict[str, object]) -> dict[str, object]:
    hashes = {"iban_key": "iban_hash", "number_key": "number_hash"}
    return {hashes.get(name, name): value for name, value in members.items()}


def _shown_event(item: dict[str, Any]) -> dict[str, object]:
    return {
        "type": item["detail_type"]["S"],
        "detail": json.loads(item["detail"]["S"]),
        "institution": item["institution"]["S"],
        "account_names": json.loads(item["names"]["S"]),
    }


def _shown_access(item: dict[str, Any]) -> dict[str, object]:
    access = _access(item)
    return {
        "powens_user_id": access.powens_user_id,
        "token": "kept encrypted, and shown to nobody" if access.sealed_token is not None else None,
        "next_reconciliation_at": item["due_sk"]["S"] if "due_sk" in item and access.erasure is None else None,
        "being_erased": access.erasure is not None,
    }


def _shown(*names: str) -> Callable[[dict[str, Any]], dict[str, object]]:
    return lambda item: {name: item[name]["S"] for name in names}


_KINDS = {
    "LIST#CONNECTION#": _Kind("connection", _shown_document),
    "LIST#MANUAL#": _Kind("manual_account", _shown_document),
    "LIST#WISH#": _Kind("wish", _shown_document, lambda item: [_wisher_key(_wish(item))]),
    "BALANCES#": _Kind("balances", lambda item: {"balances": json.loads(item["document"]["S"])}),
    "OPERATION#": _Kind("operation", _shown_document),
    "EVENT#": _Kind("event", _shown_event),
    "COMMAND#": _Kind("message", lambda item: {"queue": item["queue"]["S"], "message": json.loads(item["body"]["S"])}),
    # Its look-up goes with the mark of the erasure, last: until then it is known whose the late webhooks are.
    "PROFILE": _Kind("access", _shown_access),
    "SESSION#": _Kind(
        "webview_session",
        _shown("flow", "return_to", "expires_at"),
        lambda item: [{"pk": {"S": f"SESSION#{item['state']['S']}"}, "sk": {"S": "SESSION"}}],
    ),
    "SOCKET#": _Kind(
        "open_screen",
        _shown("opened_at", "until"),
        lambda item: [{"pk": {"S": item["sk"]["S"]}, "sk": {"S": "SOCKET"}}],
    ),
    # The answer is left out: it repeats what is shown elsewhere, or holds a code and is sealed.
    "IDEMPOTENCY#": _Kind(
        "answered_request",
        lambda item: {
            "idempotency_key": item["sk"]["S"].removeprefix("IDEMPOTENCY#"),
            "request_hash": item["fingerprint"]["S"],
            "status": int(item["status"]["N"]),
        },
    ),
}


def _kind(item: dict[str, Any]) -> _Kind:
    return next(kind for prefix, kind in _KINDS.items() if item["sk"]["S"].startswith(prefix))


def _batches(groups: Iterable[list[dict[str, Any]]]) -> "Iterator[list[dict[str, Any]]]":
    """Groups together as far as `ERASED_AT_ONCE` goes; no key twice, which a transaction refuses."""
    batch: list[dict[str, Any]] = []
    for group in groups:
        fresh = [key for key in group if key not in batch]
        if batch and len(batch) + len(fresh) > ERASED_AT_ONCE:
            yield batch
            batch, fresh = [], group
        batch = [*batch, *fresh]
    if batch:
        yield batch


def _beside(item: dict[str, Any]) -> list[dict[str, Any]]:
    return _kind(item).beside(item)


def _cursor(sort_key: str) -> str:
    return urlsafe_b64encode(sort_key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        sort_key = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        sort_key = ""
    if not sort_key.startswith(tuple(_KINDS)) or len(sort_key) > 1024 or _cursor(sort_key) != cursor:
        raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
    return sort_key


def _as_document(document: bytes) -> dict[str, Any]:
    """As text, which an operator can read, unless it would not surely fit the item beside its keys."""
    if len(document) <= LARGEST_PLAIN_BYTES:
        return {"document": {"S": document.decode()}}
    return {"packed": {"B": zlib.compress(document)}}


def _document(item: dict[str, Any]) -> str | bytes:
    return zlib.decompress(bytes(item["packed"]["B"])) if "packed" in item else str(item["document"]["S"])


def _connection(item: dict[str, Any]) -> Connection:
    return replace(_connection_codec().validate_json(_document(item)), version=int(item["version"]["N"]))


def _manual_account(item: dict[str, Any]) -> ManualAccount:
    version = int(item["version"]["N"]) if "version" in item else 0
    return replace(_manual_codec().validate_json(item["document"]["S"]), version=version)


def _wish(item: dict[str, Any]) -> Wish:
    return replace(_wish_codec().validate_json(item["document"]["S"]), version=int(item["version"]["N"]))


def _unchanged(version: int | None) -> dict[str, Any]:
    """The condition that an item still has this version: None is no item, 0 one from before there were versions."""
    if version is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    if version == 0:
        return {"ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(version)"}
    return {
        "ConditionExpression": "version = :seen",
        "ExpressionAttributeValues": {":seen": {"N": str(version)}},
    }


def _balances_key(account: ManualAccount, number: int) -> dict[str, Any]:
    return {"pk": _user(account.user_id), "sk": {"S": f"BALANCES#{account.id}#{number:06d}"}}


def _chunk_numbers(account: ManualAccount) -> range:
    """Of the chunks that are kept; the first one ever was number 1."""
    return range(max(1, account.chunks - CHUNKS_KEPT + 1), account.chunks + 1)


def _wisher_key(wish: Wish) -> dict[str, Any]:
    return {"pk": {"S": f"INSTITUTION#{wish.institution_id}"}, "sk": {"S": f"WISH#{wish.type.value}#{wish.id}"}}


def _access(item: dict[str, Any]) -> PowensAccess:
    return PowensAccess(
        user_id=item["pk"]["S"].removeprefix("USER#"),
        powens_user_id=int(item["powens_user_id"]["N"]) if "powens_user_id" in item else None,
        sealed_token=bytes(item["sealed_token"]["B"]) if "sealed_token" in item else None,
        reconcile_at=datetime.fromisoformat(item["due_sk"]["S"]) if "due_sk" in item else None,
        renewing_until=datetime.fromisoformat(item["renewing_until"]["S"]) if "renewing_until" in item else None,
        erasure=Erasure(
            id=item["erasure_id"]["S"],
            requested_at=datetime.fromisoformat(item["erasure_requested_at"]["S"]),
            correlation_id=item["erasure_correlation_id"]["S"],
        )
        if "erasure_id" in item
        else None,
    )


def _history_entry(item: dict[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        id=item["sk"]["S"].removeprefix("EVENT#"),
        type=item["detail_type"]["S"],
        detail=item["detail"]["S"],
        institution_name=item["institution"]["S"] or None,
        account_names=json.loads(item["names"]["S"]),
    )
