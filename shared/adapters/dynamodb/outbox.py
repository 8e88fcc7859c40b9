"""What leaves by the stream: events, which are a user's history too, and messages to the queues."""

import json
from datetime import timedelta

from shared.adapters.dynamodb.keys import expiry, user_key
from shared.adapters.dynamodb.table import Item, Write, put
from shared.application.ports import Clock, NewId
from shared.contracts.events import detail_of
from shared.contracts.messages import Command, EraseUser, HintMessage
from shared.domain.facts import Cause, Change, Fact

HISTORY_KEPT = timedelta(days=400)
OUTBOX_KEPT = timedelta(days=7)
"""Also of events that only say that data is newer: most of all, and history to nobody after some days."""


class Outbox:
    """Makes the writes for the transaction of the state that they tell of."""

    def __init__(self, clock: Clock, new_id: NewId) -> None:
        self.clock = clock
        self.new_id = new_id

    def event(self, fact: Fact, names: dict[str, str], institution: str | None, correlation_id: str) -> Write:
        """`names` of the accounts, by their ids, and the name of the institution are for the history only."""
        now = self.clock()
        event_id = self.new_id()
        detail = detail_of(fact, event_id=event_id, occurred_at=now, correlation_id=correlation_id)
        of_accounts = {line.account_id: names.get(line.account_id, "") for line in fact.accounts}
        item: Item = {
            **user_key(fact.user_id, f"EVENT#{event_id}"),
            "detail_type": fact.type.value,
            "detail": detail.as_json(),
            "names": json.dumps(of_accounts, ensure_ascii=False),
            "institution": institution or "",
            "ttl": expiry(now, OUTBOX_KEPT if _is_news_of_a_day(fact) else HISTORY_KEPT),
        }
        if fact.connection_id is not None:
            item["connection_id"] = fact.connection_id
        return put(item)

    def message(self, user_id: str, message: Command | EraseUser | HintMessage, *, group: str | None = None) -> Write:
        return put(
            {
                **user_key(user_id, f"COMMAND#{self.new_id()}"),
                "queue": message.queue,
                "group": group or message.group,
                "body": message.model_dump_json(),
                "ttl": expiry(self.clock(), OUTBOX_KEPT),
            }
        )


def _is_news_of_a_day(fact: Fact) -> bool:
    by_user = fact.cause is Cause.USER
    return not by_user and bool(fact.accounts) and all(line.change is Change.REFRESHED for line in fact.accounts)
