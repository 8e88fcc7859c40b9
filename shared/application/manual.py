"""Accounts kept by hand: added, renamed, joined with a synchronised one, dropped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.application.changes import ATTEMPTS
from shared.application.ports import Answer, Clock, NewId, StaleWriteError, Store
from shared.domain.connection import AccountType
from shared.domain.errors import Conflict, NotFound, StoreUnavailable
from shared.domain.manual import ManualAccount

type Keep = Callable[[ManualAccount], Answer | None]
"""Turns the account into the answer to keep for the request's idempotency key, if it has one."""


@dataclass(frozen=True, slots=True)
class KeepManualAccounts:
    """Raises NotFound for an account that is not this user's, Conflict for one that is synchronised."""

    store: Store
    clock: Clock
    new_id: NewId

    def add(
        self,
        user_id: str,
        *,
        name: str,
        kind: AccountType,
        currency: str,
        balance: Decimal,
        institution_name: str | None,
        keep: Keep,
    ) -> ManualAccount:
        account = ManualAccount(
            id=self.new_id(),
            user_id=user_id,
            name=name,
            type=kind,
            currency=currency,
            balance=balance,
            institution_name=institution_name,
            created_at=self.clock(),
        )
        self.store.add_manual_account(account, answer=keep(account))
        return account

    def get(self, user_id: str, account_id: str) -> ManualAccount:
        account = self.store.manual_account(user_id, account_id)
        if account is None:
            synchronised = any(c.account(account_id) for c in self.store.connections(user_id) if c.removed_at is None)
            if synchronised:
                raise Conflict("a synchronised account", code="not_a_manual_account")
            raise NotFound("no such account", code="account_not_found")
        return account

    def rename(self, user_id: str, account_id: str, name: str, *, keep: Keep) -> ManualAccount:
        return self._change(user_id, account_id, lambda account: replace(account, name=name), keep)

    def link(self, user_id: str, account_id: str, synchronised_id: str | None, *, keep: Keep) -> ManualAccount:
        """Join with one of the user's synchronised accounts; None takes it back."""
        if synchronised_id is not None and not any(
            c.account(synchronised_id) for c in self.store.connections(user_id) if c.removed_at is None
        ):
            raise NotFound("no such synchronised account", code="account_not_found")
        return self._change(
            user_id, account_id, lambda account: replace(account, linked_account_id=synchronised_id), keep
        )

    def drop(self, user_id: str, account_id: str, *, answer: Answer | None) -> None:
        self.store.delete_manual_account(user_id, self.get(user_id, account_id).id, answer=answer)

    def _change(
        self, user_id: str, account_id: str, change: Callable[[ManualAccount], ManualAccount], keep: Keep
    ) -> ManualAccount:
        for _ in range(ATTEMPTS):
            before = self.get(user_id, account_id)
            after = change(before)
            try:
                self.store.change_manual_account(before, after, answer=keep(after))
            except StaleWriteError:
                continue  # changed on another device: decide again, on what is there now
            return after
        raise StoreUnavailable("too many writers of one account", retry_after=1)
