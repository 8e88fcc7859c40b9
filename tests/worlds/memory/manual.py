"""Manual accounts, and their older balances."""

from collections.abc import Sequence
from dataclasses import replace

from shared.application.manual import ManualAccountStore
from shared.application.ports import Answer
from shared.domain.connection import Connection
from shared.domain.manual import CHUNKS_KEPT, BalancePoint, ManualAccount, ManualOutcome
from tests.worlds.memory.state import Memory, require, unchanged


def put_manual(memory: Memory, before: ManualAccount | None, outcome: ManualOutcome) -> None:
    account = outcome.account or before
    assert account is not None
    key = account.user_id, account.id
    if outcome.account is None:
        memory.manual_accounts.pop(key, None)
        memory.balances.pop(key, None)
    else:
        memory.manual_accounts[key] = replace(account, version=account.version + 1)
    if outcome.outgrown:
        chunks = memory.balances.setdefault(key, {})
        chunks[account.chunks] = outcome.outgrown
        chunks.pop(account.chunks - CHUNKS_KEPT, None)
    memory.facts += outcome.facts


class InMemoryManualAccounts:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def save_manual(
        self,
        before: ManualAccount | None,
        outcome: ManualOutcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        relied_on: Sequence[Connection] = (),
    ) -> None:
        memory, account = self.memory, before or outcome.account
        assert account is not None
        memory.before_write()
        require(
            *([memory.not_erased(account.user_id)] if before is None else []),
            memory.free(account.user_id, answer),
            unchanged(memory.manual_accounts.get((account.user_id, account.id)), before),
            *(unchanged(memory.connections.get((c.user_id, c.id)), c) for c in relied_on),
        )
        put_manual(memory, before, outcome)
        for connection in relied_on:
            memory.connections[connection.user_id, connection.id] = replace(connection, version=connection.version + 1)
        memory.keep(account.user_id, answer)

    def older_balances(self, account: ManualAccount) -> tuple[BalancePoint, ...]:
        chunks = self.memory.balances.get((account.user_id, account.id), {})
        return tuple(point for number in sorted(chunks) if number <= account.chunks for point in chunks[number])


_: type[ManualAccountStore] = InMemoryManualAccounts
