"""The answers to requests that carried an `Idempotency-Key`, written in the transaction that they answer (ADR 0011)."""

from datetime import datetime, timedelta

from shared.adapters.dynamodb.keys import expiry, user_key
from shared.adapters.dynamodb.table import Table, Write, put
from shared.application.ports import Answer, Clock, TakenError

ANSWER_KEPT = timedelta(days=1)


def answer_writes(user_id: str, answer: Answer | None, now: datetime) -> list[Write]:
    """What keeps an answer, in the transaction of what it answers; nothing for a request without a key."""
    return [_put(user_id, answer, now)] if answer is not None else []


def _put(user_id: str, answer: Answer, now: datetime) -> Write:
    return put(
        {
            **user_key(user_id, f"IDEMPOTENCY#{answer.key}"),
            "fingerprint": answer.fingerprint,
            "status": answer.status,
            "body": answer.body,
            "ttl": expiry(now, ANSWER_KEPT),
        },
        # DynamoDB deletes expired items late, up to days: an expired answer does not count.
        "attribute_not_exists(pk) OR #ttl <= :now",
        otherwise=TakenError,
        now=int(now.timestamp()),
    )


class DynamoDBAnswers:
    """The port `Answers`."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.table = table
        self.clock = clock

    def answer(self, user_id: str, key: str) -> Answer | None:
        item = self.table.get(user_key(user_id, f"IDEMPOTENCY#{key}"))
        if item is None or int(item["ttl"]) <= self.clock().timestamp():
            return None
        return Answer(key=key, fingerprint=item["fingerprint"], status=int(item["status"]), body=item["body"])

    def add_answer(self, user_id: str, answer: Answer) -> None:
        self.table.transact([_put(user_id, answer, self.clock())])
