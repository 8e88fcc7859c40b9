"""A connection while one read changes it, and what becomes of its accounts and operations (rules 2, 3 and 4)."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.connection import (
    Account,
    Choice,
    Connection,
    ItemStatus,
    Operation,
    OperationItem,
    OperationKind,
    restoration_id,
)
from shared.domain.facts import AccountChange, Cause
from shared.domain.ledger.order import question
from shared.domain.ledger.outcome import OPERATION_DEADLINE, operation_of, with_item_ends
from shared.domain.observation import ObservedAccount

MOST_RESTORATIONS = 3
"""How often we restore an account within `RESTORATION_WINDOW`; after that the user is asked."""
RESTORATION_WINDOW = timedelta(hours=24)

_STRONGEST_FIRST = [Cause.USER, Cause.WEBVIEW, Cause.RECONCILIATION]


class Transition:
    """From the stored state of a connection to its next one.

    `lines`: the account changes of the fact so far. `cause`: the strongest cause of them that a
    choice or restoration explains, None while nothing does. `started_at`: when the read began;
    `decided_at`: when it is applied (aware UTC).
    """

    def __init__(self, connection: Connection, started_at: datetime, now: datetime, correlation_id: str) -> None:
        self.connection = connection
        self.started_at = started_at
        self.decided_at = now
        self.lines: list[AccountChange] = []
        self.cause: Cause | None = None
        self._restoration: str | None = None
        self._correlation_id = correlation_id

    def account(self, account_id: str) -> Account:
        return next(account for account in self.connection.accounts if account.id == account_id)

    def put(self, account: Account) -> None:
        """Replace the account of the same id."""
        self.connection = self.connection.with_account(account)

    def add(self, account: Account) -> None:
        self.connection = replace(self.connection, accounts=(*self.connection.accounts, account))

    def drop(self, account_id: str) -> None:
        accounts = tuple(account for account in self.connection.accounts if account.id != account_id)
        self.connection = replace(self.connection, accounts=accounts)

    def failing(self, observed: ObservedAccount) -> bool:
        """Whether the account, its source or its connection failed at the last synchronisation."""
        source = next((s for s in self.connection.sources if s.id == observed.source_id), None)
        return bool(observed.error or self.connection.state or (source is not None and source.state))

    def follow(self, account: Account, enabled: bool) -> Account:
        """Rule 2: distinguish the effect of our own order from a choice that somebody made elsewhere."""
        choice = account.choice
        if choice is None:
            if enabled == account.enabled:
                return account
            self.caused_by(Cause.WEBVIEW)
            return replace(
                account, enabled=enabled, wanted=enabled, problem=None, chosen_at=self.decided_at, repairs=()
            )
        if enabled == account.wanted:
            # A read that began before the choice shows an older change, which may have been undone
            # since (rule 7).
            asked_at = choice.confirmed_at if choice.doubt else operation_of(self.connection, choice).created_at
            certain = asked_at is not None and asked_at <= self.started_at
            return replace(account, choice=replace(choice, seen=enabled, visible=choice.visible or certain))
        if choice.visible:
            # An earlier read showed the effect of our order, and this one shows the opposite: a
            # newer choice.
            self.end_item(choice, account.id, ItemStatus.SUPERSEDED, "changed_elsewhere")
            if enabled != account.enabled:
                self.caused_by(Cause.WEBVIEW)
            return replace(account, enabled=enabled, wanted=enabled, choice=None, chosen_at=self.decided_at, repairs=())
        return replace(account, choice=replace(choice, seen=enabled))

    def restore(self, account: Account, observed: ObservedAccount, *, ask: str | None = None) -> Account:
        """Rules 3 and 4: restore an account that came back in another state than wanted, once per return.

        The user decides instead when it was restored `MOST_RESTORATIONS` times without lasting effect,
        or when `ask` is the reason code of another question. A new Powens id that is already
        enabled is not restored, nor is an old id that was enabled and comes back disabled: Powens
        creates new ids disabled and keeps the state of old ones, so somebody chose it (rule 2).
        """
        recent = tuple(at for at in account.repairs if self.decided_at - at < RESTORATION_WINDOW)
        asked = ask or (question(account) if len(recent) >= MOST_RESTORATIONS else None)
        operation = self._add_to_restoration(
            OperationItem(
                account_id=account.id,
                wanted=account.wanted,
                before=account.wanted,
                status=ItemStatus.NEEDS_USER if asked else ItemStatus.PENDING,
                reason=asked,
            ),
            observed,
        )
        if asked:
            return replace(account, problem=asked, repairs=recent)
        choice = Choice(operation_id=operation.id, seen=account.enabled)
        return replace(account, choice=choice, problem=None, repairs=(*recent, self.decided_at))

    def _add_to_restoration(self, item: OperationItem, observed: ObservedAccount) -> Operation:
        """Add the item to the restoration of this read: one for all accounts, so one command and one event."""
        operation = next((o for o in self.connection.operations if o.id == self._restoration), None)
        if operation is not None:
            self.replace_operation(replace(operation, items=(*operation.items, item)))
            return operation
        operation = Operation(
            id=restoration_id(observed.powens_id, self.started_at),
            user_id=self.connection.user_id,
            connection_id=self.connection.id,
            kind=OperationKind.RESTORATION,
            created_at=self.decided_at,
            deadline_at=self.decided_at + OPERATION_DEADLINE,
            correlation_id=self._correlation_id,
            items=(item,),
        )
        self._restoration = operation.id
        self.connection = replace(self.connection, operations=(*self.connection.operations, operation))
        return operation

    def close_account(self, account: Account) -> Account:
        """The account after the bank closed it.

        An order to enable it fails, one to disable it is fulfilled.

        Rule 4: `wanted` stays, for the day on which the account comes back.
        """
        choice = account.choice
        if choice is None:
            return replace(account, closed_at=self.decided_at)
        if account.wanted and not choice.visible:
            self.end_item(choice, account.id, ItemStatus.FAILED, "closed_at_bank")
            return replace(account, closed_at=self.decided_at, choice=None)
        self.end_item(choice, account.id, ItemStatus.DONE, None)
        return replace(account, closed_at=self.decided_at, choice=None, enabled=account.wanted)

    def caused_by(self, cause: Cause) -> None:
        """Keep the stronger of the cause so far and this one."""
        if self.cause is None or _STRONGEST_FIRST.index(cause) < _STRONGEST_FIRST.index(self.cause):
            self.cause = cause

    def end_item(self, choice: Choice, account_id: str, status: ItemStatus, reason: str | None) -> None:
        operation = operation_of(self.connection, choice)
        self.replace_operation(with_item_ends(operation, {account_id: (status, reason)}))

    def replace_operation(self, operation: Operation) -> None:
        operations = tuple(operation if o.id == operation.id else o for o in self.connection.operations)
        self.connection = replace(self.connection, operations=operations)
