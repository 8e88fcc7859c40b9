"""Visits to the Webview, and the hints that come of them (ADR 0028)."""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.keys import expiry, instant, partition_of, user_key
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.powens_users import not_erased
from shared.adapters.dynamodb.table import Item, Key, Table, Write, put, update
from shared.application.confirmation import Return
from shared.application.ports import Answer, StaleWriteError, TakenError
from shared.application.webview import WebviewSession
from shared.contracts.messages import HintMessage
from shared.domain.errors import StoreUnavailable
from shared.domain.hints import Hint

SESSION_KEPT = timedelta(days=1)
"""After a visit can no longer be begun: people leave the Powens space when they have time."""
CHECKED_AGAIN = 4
"""Attempts of a write on the condition that a user is not being erased."""


def session_key(state: str) -> Key:
    return {"pk": f"SESSION#{state}", "sk": "SESSION"}


def return_key(code_hash: str) -> Key:
    return {"pk": f"RETURN#{code_hash}", "sk": "RETURN"}


def _pointer_key(user_id: str, state: str) -> Key:
    # Hashed: a cursor of the export names the last sort key that it has shown.
    return user_key(user_id, f"SESSION#{hashlib.sha256(state.encode()).hexdigest()[:32]}")


class DynamoDBWebviewSessions:
    """The ports `SessionStore` and `Returns`."""

    def __init__(self, table: Table, outbox: Outbox) -> None:
        self.table = table
        self.outbox = outbox

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        item: Item = {
            **session_key(session.state),
            "user_id": session.user_id,
            "flow": session.flow,
            "return_to": session.return_to,
            "expires_at": instant(session.expires_at),
            "ttl": expiry(session.expires_at, SESSION_KEPT),
        }
        if session.powens_connection_id is not None:
            item["powens_connection_id"] = session.powens_connection_id
        writes = [put(item)]
        writes += answer_writes(session.user_id, answer, self.outbox.clock())
        writes.append(put({**item, **_pointer_key(session.user_id, session.state), "state": session.state}))
        self._transact(writes, not_erased(session.user_id))

    def session(self, state: str) -> WebviewSession | None:
        item = self.table.get(session_key(state))
        if item is None:
            return None
        powens_connection_id = item.get("powens_connection_id")
        return WebviewSession(
            state=state,
            user_id=item["user_id"],
            flow=item["flow"],
            return_to=item["return_to"],
            powens_connection_id=int(powens_connection_id) if powens_connection_id is not None else None,
            expires_at=datetime.fromisoformat(item["expires_at"]),
        )

    def add_return(self, session: WebviewSession, hint: Hint, *, code_hash: str, powens_connection_id: int) -> None:
        named = update(
            _pointer_key(session.user_id, session.state),
            "SET return_hash = :hash, returned_connection_id = :made",
            "attribute_exists(pk) AND attribute_not_exists(return_hash)",
            hash=code_hash,
            made=powens_connection_id,
        )
        item: Item = {
            **return_key(code_hash),
            "user_id": session.user_id,
            "powens_connection_id": powens_connection_id,
            "ttl": expiry(session.expires_at, SESSION_KEPT),
        }
        message = self.outbox.message(session.user_id, HintMessage.of(hint))
        checked = not_erased(session.user_id, hint.powens_user_id)
        self._transact([message, replace(named, otherwise=TakenError), put(item)], checked)

    def returned(self, code_hash: str) -> Return | None:
        item = self.table.get(return_key(code_hash))
        if item is None:
            return None
        return Return(user_id=item["user_id"], powens_connection_id=int(item["powens_connection_id"]))

    def named(self, user_id: str) -> Collection[int]:
        keys, options = "pk = :user AND begins_with(sk, :session)", {"ConsistentRead": True}
        pages = self.table.pages(keys, options, user=partition_of(user_id), session="SESSION#")
        items = (item for page in pages for item in page)
        return {int(item["returned_connection_id"]) for item in items if "returned_connection_id" in item}

    def add_hint(self, user_id: str, hint: Hint) -> None:
        message = self.outbox.message(user_id, HintMessage.of(hint))
        self._transact([message], not_erased(user_id, hint.powens_user_id))

    def _transact(self, writes: list[Write], checked: Write) -> None:
        """Transactions that check one thing at once get in each other's way, so it is tried again."""
        for _ in range(CHECKED_AGAIN):
            with suppress(StaleWriteError):
                return self.table.transact([*writes, checked], contested=True)
        raise StoreUnavailable("TransactionConflict", retry_after=1)
