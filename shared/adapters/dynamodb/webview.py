"""Visits to the Webview, and the hints that come of them (ADR 0028)."""

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.keys import expiry, instant, user_key
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.powens_users import not_erased
from shared.adapters.dynamodb.table import Item, Key, Table, Write, put
from shared.application.ports import Answer, StaleWriteError
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


def _pointer_key(user_id: str, state: str) -> Key:
    # Hashed: a cursor of the export names the last sort key that it has shown.
    return user_key(user_id, f"SESSION#{hashlib.sha256(state.encode()).hexdigest()[:32]}")


class DynamoDBWebviewSessions:
    """The port `SessionStore`."""

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

    def add_hint(self, user_id: str, hint: Hint) -> None:
        message = self.outbox.message(user_id, HintMessage.of(hint))
        self._transact([message], not_erased(user_id, hint.powens_user_id))

    def _transact(self, writes: list[Write], checked: Write) -> None:
        """Transactions that check one thing at once get in each other's way, so it is tried again."""
        for _ in range(CHECKED_AGAIN):
            with suppress(StaleWriteError):
                return self.table.transact([*writes, checked], contested=True)
        raise StoreUnavailable("TransactionConflict", retry_after=1)
