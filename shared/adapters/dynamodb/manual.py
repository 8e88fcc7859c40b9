"""Manual accounts, with their older balances in chunks of their own (ADR 0017)."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from shared.adapters.dynamodb.answers import answer_writes
from shared.adapters.dynamodb.connection_item import put_connection
from shared.adapters.dynamodb.documents import Documents
from shared.adapters.dynamodb.keys import partition_of, user_key
from shared.adapters.dynamodb.limits import Limit, transact_within
from shared.adapters.dynamodb.outbox import Outbox
from shared.adapters.dynamodb.table import Item, Key, Table, Write, delete, put, store, unchanged
from shared.application.ports import Answer
from shared.domain.connection import Connection
from shared.domain.manual import CHUNKS_KEPT, MOST_MANUAL_ACCOUNTS, BalancePoint, ManualAccount, ManualOutcome

_LIMIT = Limit("manual_accounts_at_most", "LIST#MANUAL#", MOST_MANUAL_ACCOUNTS)


@cache
def _codec() -> Documents[ManualAccount]:
    return Documents(ManualAccount, apart={"version"})


@cache
def _balances_codec() -> Documents[tuple[BalancePoint, ...]]:
    return Documents(tuple[BalancePoint, ...])


def _balances_key(account: ManualAccount, number: int) -> Key:
    return user_key(account.user_id, f"BALANCES#{account.id}#{number:06d}")


def _chunk_numbers(account: ManualAccount) -> range:
    """Of the chunks that are kept; the first one ever was number 1."""
    return range(max(1, account.chunks - CHUNKS_KEPT + 1), account.chunks + 1)


def manual_account_of(item: Item) -> ManualAccount:
    return replace(_codec().read(item["document"]), version=int(item.get("version", 0)))


def manual_writes(
    outbox: Outbox, before: ManualAccount | None, outcome: ManualOutcome, correlation_id: str
) -> list[Write]:
    """The account, what it has outgrown, and its events."""
    account = outcome.account or before
    assert account is not None  # noqa: S101 - there is one before or after
    key = user_key(account.user_id, f"LIST#MANUAL#{account.id}")
    seen = unchanged(before.version if before is not None else None)
    if outcome.account is None:
        writes = [delete(key, **seen)]
        writes += [delete(_balances_key(account, number)) for number in _chunk_numbers(account)]
    else:
        document = _codec().write(account).decode()
        writes = [store({**key, "version": account.version + 1, "document": document}, **seen)]
    if outcome.outgrown:
        chunk = _balances_codec().write(outcome.outgrown).decode()
        writes.append(put({**_balances_key(account, account.chunks), "document": chunk}))
        if account.chunks > CHUNKS_KEPT:
            writes.append(delete(_balances_key(account, account.chunks - CHUNKS_KEPT)))
    names = {account.id: account.name}
    return writes + [outbox.event(f, names, account.institution_name, correlation_id) for f in outcome.facts]


class DynamoDBManualAccounts:
    """The port `ManualAccountStore`."""

    def __init__(self, table: Table, outbox: Outbox) -> None:
        self.table = table
        self.outbox = outbox

    def save_manual(
        self,
        before: ManualAccount | None,
        outcome: ManualOutcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        relied_on: Sequence[Connection] = (),
    ) -> None:
        account = before or outcome.account
        assert account is not None  # noqa: S101 - there is one before or after
        writes = manual_writes(self.outbox, before, outcome, correlation_id)
        # Written again as they are: that gives them another version, so that who has read them before meets this.
        writes += [put_connection(connection, connection) for connection in relied_on]
        writes += answer_writes(account.user_id, answer, self.outbox.clock())
        if before is None:
            transact_within(self.table, _LIMIT, account.user_id, writes)
        else:
            self.table.transact(writes, contested=True)

    def older_balances(self, account: ManualAccount) -> tuple[BalancePoint, ...]:
        if not account.chunks:
            return ()
        # At most CHUNKS_KEPT small items: they fit one page.
        page = self.table.query(
            "pk = :user AND sk BETWEEN :first AND :last",
            {"ConsistentRead": True},
            user=partition_of(account.user_id),
            first=_balances_key(account, 0)["sk"],
            # What left the account after it was read is in its own points, too.
            last=_balances_key(account, account.chunks)["sk"],
        )
        return tuple(point for item in page.items for point in _balances_codec().read(item["document"]))
