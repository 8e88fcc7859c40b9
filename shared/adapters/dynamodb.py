"""The state, in one DynamoDB table. No other file knows a key.

| item | pk | sk | read by |
| --- | --- | --- | --- |
| connection with its accounts | USER#<user> | LIST#CONNECTION#<id> | the list (one Query), every change (GetItem) |
| manual account | USER#<user> | LIST#MANUAL#<id> | the list, with the same Query |
| operation | USER#<user> | OPERATION#<id> | GetItem; while open also index `due`, OPERATION#<shard> / <deadline> |
| event = history line | USER#<user> | EVENT#<ulid> | stream (insert), history (Query backwards) |
| command or hint to send | USER#<user> | COMMAND#<ulid> | stream (insert) |
| access to Powens | USER#<user> | PROFILE | GetItem; index `due`, RECONCILE#<shard> / <next reconciliation> |
| reverse look-up | POWENS#<id_user> | USER | GetItem |
| Webview session | SESSION#<state> | SESSION | GetItem, used once |
| open screen | USER#<user> | SOCKET#<id> | Query, for each event of the user |
| open screen, by its id | SOCKET#<id> | SOCKET | GetItem, when it closes |
| idempotent answer | USER#<user> | IDEMPOTENCY#<key> | GetItem, after a refused write |

`document` holds an aggregate as JSON: it is read and written whole, and its numbers keep their decimals (ADR 0004).
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from shared.application.live import OpenSocket
from shared.application.ports import (
    Answer,
    DueOperation,
    HistoryEntry,
    NewId,
    PowensAccess,
    StaleWriteError,
    TakenError,
    WebviewSession,
)
from shared.contracts.events import detail_of
from shared.contracts.messages import Command, HintMessage
from shared.domain.connection import Connection, Operation
from shared.domain.errors import NotFound, StoreUnavailable
from shared.domain.facts import Fact
from shared.domain.hints import Hint
from shared.domain.ledger import Outcome
from shared.domain.manual import ManualAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

SHARDS = 4
"""Parts of the `due` index, so that it is no hot partition; housekeeping reads each."""
HISTORY_KEPT = timedelta(days=400)
OPERATION_KEPT = timedelta(days=90)
TOMBSTONE_KEPT = timedelta(days=90)
OUTBOX_KEPT = timedelta(days=7)
ANSWER_KEPT = timedelta(days=1)

_RETRYABLE = {
    "TransactionConflictException",
    "TransactionInProgressException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "InternalServerError",
    "ServiceUnavailable",
}


@cache
def _connection_codec() -> TypeAdapter[Connection]:
    return TypeAdapter(Connection)


@cache
def _operation_codec() -> TypeAdapter[Operation]:
    return TypeAdapter(Operation)


@cache
def _manual_codec() -> TypeAdapter[ManualAccount]:
    return TypeAdapter(ManualAccount)


def _user(user_id: str) -> dict[str, str]:
    return {"S": f"USER#{user_id}"}


def _ttl(at: datetime, kept: timedelta) -> dict[str, str]:
    return {"N": str(int((at + kept).timestamp()))}


def _shard(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0] % SHARDS


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


@contextmanager
def _translated() -> "Iterator[None]":
    """Turn what boto3 raises for a passing trouble into StoreUnavailable; what is left is a bug of ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _RETRYABLE:
            raise StoreUnavailable(code) from error
        raise
    except BotoCoreError as error:
        raise StoreUnavailable(type(error).__name__) from error


class DynamoDBStore:
    """`shared.application.ports.Store` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str, *, clock: Callable[[], datetime], new_id: NewId) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._new_id = new_id

    # --- connections and their outbox

    def connections(self, user_id: str) -> list[Connection]:
        return self.listed(user_id)[0]

    def listed(self, user_id: str) -> tuple[list[Connection], list[ManualAccount]]:
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
        connections = [_connection(item) for item in items if item["sk"]["S"].startswith("LIST#CONNECTION#")]
        manual = [_manual_account(item) for item in items if item["sk"]["S"].startswith("LIST#MANUAL#")]
        return connections, manual

    def manual_account(self, user_id: str, account_id: str) -> ManualAccount | None:
        item = self._get(_user(user_id), f"LIST#MANUAL#{account_id}")
        return _manual_account(item) if item else None

    def add_manual_account(self, account: ManualAccount, *, answer: Answer | None = None) -> None:
        writes = [self._put_manual_account(account, None)]
        if answer is not None:
            writes.append(self._put_answer(account.user_id, answer))
        self._transact(writes, answer_at=1 if answer is not None else None)

    def change_manual_account(
        self, before: ManualAccount, after: ManualAccount, *, answer: Answer | None = None
    ) -> None:
        writes = [self._put_manual_account(after, before)]
        if answer is not None:
            writes.append(self._put_answer(after.user_id, answer))
        self._transact(writes, answer_at=1 if answer is not None else None)

    def _put_manual_account(self, account: ManualAccount, before: ManualAccount | None) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _user(account.user_id),
            "sk": {"S": f"LIST#MANUAL#{account.id}"},
            "document": {"S": _manual_document(account)},
        }
        if before is None:
            return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "document = :seen",
                "ExpressionAttributeValues": {":seen": {"S": _manual_document(before)}},
            }
        }

    def delete_manual_account(self, user_id: str, account_id: str, *, answer: Answer | None = None) -> None:
        key = {"pk": _user(user_id), "sk": {"S": f"LIST#MANUAL#{account_id}"}}
        writes: list[TransactWriteItemTypeDef] = [{"Delete": {"TableName": self._table, "Key": key}}]
        if answer is not None:
            writes.append(self._put_answer(user_id, answer))
        self._transact(writes, answer_at=1 if answer is not None else None)

    def connection(self, user_id: str, connection_id: str) -> Connection | None:
        item = self._get(_user(user_id), f"LIST#CONNECTION#{connection_id}")
        return _connection(item) if item else None

    def save(
        self, before: Connection | None, outcome: Outcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        after = outcome.connection
        known = {operation.id: operation for operation in before.operations} if before else {}
        writes: list[TransactWriteItemTypeDef] = [self._put_connection(before, after)]
        if answer is not None:
            writes.append(self._put_answer(after.user_id, answer))
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
                writes.append(self._put_command(after.user_id, command))
        writes += [self._put_event(fact, after, correlation_id) for fact in outcome.facts]
        self._transact(writes, answer_at=1 if answer is not None else None, contested=True)

    def _put_connection(self, before: Connection | None, after: Connection) -> "TransactWriteItemTypeDef":
        document = _connection_codec().dump_json(after, exclude_defaults=True, exclude={"version"}).decode()
        item: dict[str, Any] = {
            "pk": _user(after.user_id),
            "sk": {"S": f"LIST#CONNECTION#{after.id}"},
            "version": {"N": str(after.version + 1)},
            "revision": {"N": str(after.revision)},
            "document": {"S": document},
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

    def _put_event(self, fact: Fact, connection: Connection, correlation_id: str) -> "TransactWriteItemTypeDef":
        now = self._clock()
        event_id = self._new_id()
        detail = detail_of(fact, event_id=event_id, occurred_at=now, correlation_id=correlation_id)
        names = {account.id: account.shown_name for account in connection.accounts}
        item: dict[str, Any] = {
            "pk": _user(fact.user_id),
            "sk": {"S": f"EVENT#{event_id}"},
            "detail_type": {"S": fact.type.value},
            "detail": {"S": detail.as_json()},
            "names": {"S": json.dumps({line.account_id: names.get(line.account_id, "") for line in fact.accounts})},
            "institution": {"S": connection.institution.name},
            "connection_id": {"S": connection.id},
            "ttl": _ttl(now, HISTORY_KEPT),
        }
        return {"Put": {"TableName": self._table, "Item": item}}

    def _put_command(self, user_id: str, message: Command | HintMessage) -> "TransactWriteItemTypeDef":
        item: dict[str, Any] = {
            "pk": _user(user_id),
            "sk": {"S": f"COMMAND#{self._new_id()}"},
            "queue": {"S": message.queue},
            "group": {"S": message.group},
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
            if answer_at is not None and codes[answer_at] == "ConditionalCheckFailed":
                raise TakenError from error
            if "ConditionalCheckFailed" in codes:
                raise StaleWriteError from error
            if contested and "TransactionConflict" in codes:
                raise StaleWriteError from error  # somebody else is writing it right now
            raise StoreUnavailable(",".join(sorted({code for code in codes if code and code != "None"}))) from error

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
                        "attribute_not_exists(sealed_token) AND "
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

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str) -> None:
        self._transact(
            [
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": {"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                        "UpdateExpression": "SET powens_user_id = :powens",
                        "ConditionExpression": "claimed_by = :by",
                        "ExpressionAttributeValues": {":by": {"S": by}, ":powens": {"N": str(powens_user_id)}},
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
        )

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
                        "ConditionExpression": "powens_user_id = :gone",
                        "ExpressionAttributeValues": {":gone": {"N": str(access.powens_user_id)}},
                    }
                },
                {
                    "Delete": {
                        "TableName": self._table,
                        "Key": {"pk": {"S": f"POWENS#{access.powens_user_id}"}, "sk": {"S": "USER"}},
                    }
                },
            ]
        )

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": _user(user_id), "sk": {"S": "PROFILE"}},
                    UpdateExpression="SET sealed_token = :token",
                    ConditionExpression="powens_user_id = :same",
                    ExpressionAttributeValues={":token": {"B": sealed_token}, ":same": {"N": str(powens_user_id)}},
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise StaleWriteError from error

    def user_of(self, powens_user_id: int) -> str | None:
        item = self._get({"S": f"POWENS#{powens_user_id}"}, "USER")
        return item["user_id"]["S"] if item else None

    # --- Webview sessions

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        item: dict[str, Any] = {
            "pk": {"S": f"SESSION#{session.state}"},
            "sk": {"S": "SESSION"},
            "user_id": {"S": session.user_id},
            "flow": {"S": session.flow},
            "return_to": {"S": session.return_to},
            "expires_at": {"S": _instant(session.expires_at)},
            "ttl": _ttl(session.expires_at, timedelta()),
        }
        if session.powens_connection_id is not None:
            item["powens_connection_id"] = {"N": str(session.powens_connection_id)}
        writes: list[TransactWriteItemTypeDef] = [{"Put": {"TableName": self._table, "Item": item}}]
        if answer is not None:
            writes.append(self._put_answer(session.user_id, answer))
        self._transact(writes, answer_at=1 if answer is not None else None)

    def use_session(
        self, state: str, *, now: datetime, hint: Callable[[WebviewSession], Hint | None]
    ) -> WebviewSession:
        key = {"pk": {"S": f"SESSION#{state}"}, "sk": {"S": "SESSION"}}
        item = self._get(key["pk"], "SESSION")
        if item is None or item["expires_at"]["S"] <= _instant(now):
            raise NotFound("no such Webview session", code="unknown_webview_session")
        powens_connection_id = item.get("powens_connection_id")
        session = WebviewSession(
            state=state,
            user_id=item["user_id"]["S"],
            flow=item["flow"]["S"],
            return_to=item["return_to"]["S"],
            powens_connection_id=int(powens_connection_id["N"]) if powens_connection_id else None,
            expires_at=datetime.fromisoformat(item["expires_at"]["S"]),
        )
        writes: list[TransactWriteItemTypeDef] = [
            {"Delete": {"TableName": self._table, "Key": key, "ConditionExpression": "attribute_exists(pk)"}}
        ]
        if (given := hint(session)) is not None:
            writes.append(self._put_command(session.user_id, HintMessage.of(given)))
        try:
            self._transact(writes)
        except StaleWriteError as error:
            raise NotFound("no such Webview session", code="unknown_webview_session") from error
        return session

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

    def _get(self, pk: dict[str, str], sk: str) -> dict[str, Any] | None:
        with _translated():
            found = self._client.get_item(TableName=self._table, Key={"pk": pk, "sk": {"S": sk}}, ConsistentRead=True)
        return found.get("Item")


def _connection(item: dict[str, Any]) -> Connection:
    return replace(_connection_codec().validate_json(item["document"]["S"]), version=int(item["version"]["N"]))


def _manual_document(account: ManualAccount) -> str:
    return _manual_codec().dump_json(account, exclude_defaults=True).decode()


def _manual_account(item: dict[str, Any]) -> ManualAccount:
    return _manual_codec().validate_json(item["document"]["S"])


def _access(item: dict[str, Any]) -> PowensAccess:
    return PowensAccess(
        user_id=item["pk"]["S"].removeprefix("USER#"),
        powens_user_id=int(item["powens_user_id"]["N"]) if "powens_user_id" in item else None,
        sealed_token=bytes(item["sealed_token"]["B"]) if "sealed_token" in item else None,
        reconcile_at=datetime.fromisoformat(item["due_sk"]["S"]) if "due_sk" in item else None,
    )


def _history_entry(item: dict[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        id=item["sk"]["S"].removeprefix("EVENT#"),
        type=item["detail_type"]["S"],
        detail=item["detail"]["S"],
        institution_name=item["institution"]["S"] or None,
        account_names=json.loads(item["names"]["S"]),
    )
