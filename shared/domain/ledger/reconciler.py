"""From the connection as it was and one read of Powens to the connection as it is now."""

from collections.abc import Container, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from shared.domain.connection import (
    MAX_ACCOUNTS,
    Account,
    Choice,
    Connection,
    ItemStatus,
    Operation,
    OperationItem,
    OperationKind,
    OperationStatus,
    account_id,
    connection_id,
    restoration_id,
)
from shared.domain.errors import TooManyAccounts
from shared.domain.facts import AccountChange, Cause, Change, change_of
from shared.domain.ledger.accounts import data, described, merge
from shared.domain.ledger.moves import Moves
from shared.domain.ledger.order import question
from shared.domain.ledger.outcome import (
    OPERATION_DEADLINE,
    Outcome,
    conclude,
    flip_lines,
    operation_of,
    with_end,
    with_item_ends,
)
from shared.domain.matching import MISSING_FOR, Succession, succession
from shared.domain.observation import ObservedAccount, ObservedConnection
from shared.domain.status import ConnectionStatus, believable, connection_status

IDENTICAL = "identical_accounts"
"""What the user is asked about accounts that nobody else can tell apart."""
MOST_REPAIRS = 3
"""How often an account is put right by us within `REPAIR_WINDOW`. If that does not last, the user is asked."""
REPAIR_WINDOW = timedelta(hours=24)


def covered(connection: Connection, received_at: datetime) -> bool:
    """Whether the last read already saw whatever a hint received at `received_at` is about (rule 8)."""
    return received_at < max(filter(None, (connection.read_started_at, connection.removed_at)))


def reconcile(
    held: Connection | None,
    seen: ObservedConnection,
    *,
    user_id: str,
    powens_user_id: int,
    trigger: Cause,
    correlation_id: str,
    now: datetime,
    others: Iterable[Connection] = (),
    denied: Container[int] = frozenset(),
) -> Outcome:
    """What we hold next, given what we hold and what one read of Powens showed.

    `trigger` is the cause of changes that no choice explains. `others`: the user's other connections, needed when an
    account shows here for the first time, as it may have moved. `denied`: Powens ids that Powens did not know when it
    was given an order about them, just before the read. Raises TooManyAccounts for a connection that would not fit its
    item.
    """
    if held is None:
        held = Connection(
            id=connection_id(seen.powens_id),
            user_id=user_id,
            powens_user_id=powens_user_id,
            powens_id=seen.powens_id,
            institution=seen.institution,
            created_at=now,
            read_started_at=seen.read_started_at,
        )
    if seen.read_started_at < max(filter(None, (held.read_started_at, held.written_at, held.removed_at))):
        return Outcome(connection=held)

    # A list that moved between two pages may name an account twice.
    moves = Moves(held, tuple({observed.powens_id: observed for observed in seen.accounts}.values()), seen, others)
    shown = moves.shown
    reopened = held.removed_at is not None
    # What cannot be a date says nothing: what was known before stays, and ages.
    dated = believable(seen.last_update, now)
    state = replace(
        held,
        institution=seen.institution if seen.institution.name else held.institution,
        state=seen.state,
        active=seen.active,
        sources=seen.sources,
        last_success_at=(dated if seen.state is None else None) or believable(held.last_success_at, now),
        last_attempt_at=dated or believable(held.last_attempt_at, now),
        next_try=seen.next_try,
        read_started_at=seen.read_started_at,
        removed_at=None,
    )
    complete = bool(shown) and not seen.unidentified
    found = succession(
        held.accounts,
        [observed for observed in shown if observed.powens_id not in moves.arriving],
        seen.read_started_at,
        complete=complete,
        denied=denied,
    )
    reading = _Reading(state, seen.read_started_at, now, correlation_id)
    merged = reading.merge(found)
    by_powens_id = {account.powens_id: account for account in reading.connection.accounts}
    heir_to = {powens_id: older for older, powens_id in found.heir_of.items()}
    replaced = {a.powens_id for a in reading.connection.accounts if a.id in found.heir_of} - set(heir_to)
    for observed in shown:
        older = reading.connection.account(heir_to.get(observed.powens_id, ""))
        account = older or by_powens_id.get(observed.powens_id)
        if account is not None and account.powens_id in replaced and older is None:
            continue  # the old id of an account that lives on under another
        if account is not None:
            returned = account.id in merged or (account.closed_at is not None and not observed.deleted)
            reading.update(
                account,
                observed,
                reopened=reopened,
                returned=returned or observed.powens_id != account.powens_id,
                merged=account.id in merged,
                tied=account.id in found.tied,
            )
        elif observed.powens_id in moves.arriving:
            reading.arrive(moves.arriving[observed.powens_id], observed)
        elif not observed.deleted:
            reading.discover(observed)
    if reopened:
        reading.tell_again()
    reading.absent({observed.powens_id for observed in shown}, complete=complete)
    reading.settle(held)
    reading.refreshed(held)
    if len(reading.connection.accounts) > MAX_ACCOUNTS:
        raise TooManyAccounts(f"{len(reading.connection.accounts)} accounts, {MAX_ACCOUNTS} fit")
    closed = conclude(reading.connection, now, reading.cause or trigger, reading.lines)
    return replace(closed, others=moves.departures(now, trigger))


class _Reading:
    """The work of one `reconcile`: the connection as it becomes, and the lines of the fact as they come up."""

    def __init__(self, connection: Connection, started_at: datetime, now: datetime, correlation_id: str) -> None:
        self.connection = connection
        self.lines: list[AccountChange] = []
        self.cause: Cause | None = None
        self._restoration: str | None = None
        self._started_at = started_at
        self._now = now
        self._correlation_id = correlation_id

    def merge(self, found: Succession) -> set[str]:
        """Make one of an account that was re-created while its old id still showed, now that the old one is gone."""
        for newer_id, older_id in found.absorbed.items():
            # Neither shows any more, so the one that is left is closed, as the newer was.
            older, newer = self._account(older_id), self._account(newer_id)
            one = replace(merge(older, newer), enabled=newer.enabled, closed_at=None)
            self._as_one(newer, self._closed(one))
            self.lines.append(change_of(self._account(older_id), Change.CLOSED))
        merged: set[str] = set()
        by_powens_id = {account.powens_id: account.id for account in self.connection.accounts}
        for older_id, powens_id in found.heir_of.items():
            if powens_id not in by_powens_id:
                continue
            older, newer = self._account(older_id), self._account(by_powens_id[powens_id])
            self._as_one(newer, merge(older, newer))
            if older.closed_at is not None:
                self.lines.append(change_of(self._account(older_id), Change.ADDED))
            merged.add(older_id)
        return merged

    def _account(self, wanted_id: str) -> Account:
        return next(account for account in self.connection.accounts if account.id == wanted_id)

    def _as_one(self, newer: Account, one: Account) -> None:
        others = tuple(account for account in self.connection.accounts if account.id != newer.id)
        self.connection = replace(self.connection, accounts=others).with_account(one)
        self.lines.append(change_of(replace(newer, enabled=False), Change.REMOVED))

    def discover(self, seen: ObservedAccount) -> None:
        """Rule 1: an account seen for the first time is as Powens has it; only a tick that somebody made enables it."""
        known = {known for account in self.connection.accounts for known in (account.id, *account.former_ids)}
        account = described(
            Account(
                # An account that moved on keeps the id derived from its first Powens id, which may come back to life.
                id=next(new for nth in count() if (new := account_id(seen.powens_id, nth)) not in known),
                powens_id=seen.powens_id,
                name=seen.name,
                provider_type=seen.provider_type,
                discovered_at=self._now,
                enabled=not seen.disabled,
                wanted=not seen.disabled,
                chosen_at=None if seen.disabled else self._now,
                unreadable=seen.unreadable,
            ),
            seen,
            self._failing(seen),
        )
        self.connection = replace(self.connection, accounts=(*self.connection.accounts, account))
        self.lines.append(change_of(account, Change.ADDED))
        if account.enabled:
            self._caused_by(Cause.WEBVIEW)

    def arrive(self, moved: Account, seen: ObservedAccount) -> None:
        """An account that has moved here from another connection of the user: it is what it was, with its wish.

        A choice that was on its way there goes on here, as a repair (rule 3).
        """
        under_way = moved.choice is not None and (seen.unreadable or moved.wanted == seen.disabled)
        account = replace(
            described(moved, seen, self._failing(seen)),
            source_id=seen.source_id,
            closed_at=None,
            missing_since=None,
            choice=None,
            unreadable=seen.unreadable,
        )
        self.connection = replace(self.connection, accounts=(*self.connection.accounts, account))
        if under_way:
            account = self._restore(account, seen)
        elif not seen.unreadable:
            account = self._follow(account, not seen.disabled)
        self.connection = self.connection.with_account(account)
        self.lines.append(change_of(account, Change.ADDED))

    def update(
        self,
        account: Account,
        seen: ObservedAccount,
        *,
        reopened: bool,
        returned: bool,
        merged: bool,
        tied: bool,
    ) -> None:
        """`returned`: closed or under another id until now; `merged`: of two that were held; `tied`: which is which?"""
        before = account
        account = replace(described(account, seen, self._failing(seen)), missing_since=None, unreadable=seen.unreadable)
        if seen.unreadable:
            # What it is, is as before: neither a choice, nor an end, nor an answer to an order.
            self.connection = self.connection.with_account(account)
            if reopened:
                self.lines.append(change_of(account, Change.ADDED))
            return
        enabled = not seen.disabled
        account = self._open_or_closed(replace(account, powens_id=seen.powens_id), before, seen)
        choice = account.choice
        if returned and choice is not None and tied:
            self._end_item(choice, account.id, ItemStatus.NEEDS_USER, IDENTICAL)
            account = replace(account, choice=None)
        elif returned and choice is not None:
            account = replace(account, choice=replace(choice, confirmed_at=None, seen=None, visible=False))
        same_id = seen.powens_id == before.powens_id
        born_disabled = not same_id and account.wanted
        revived = same_id and not account.wanted
        # The bank took it away before the order could be made: it comes back as it went, and nobody unticked it.
        unfulfilled = same_id and account.wanted and not before.enabled and account.problem is None
        otherwise = account.choice is None and enabled != account.wanted
        if returned and not seen.deleted and otherwise and (born_disabled or revived or unfulfilled or merged):
            account = self._restore(replace(account, enabled=enabled), seen, ask=IDENTICAL if tied else None)
        elif not seen.deleted:
            account = self._follow(account, enabled)
        if reopened or (before.closed_at is not None and account.closed_at is None):
            self.lines.append(change_of(account, Change.ADDED))
        elif account.closed_at is not None and before.closed_at is None:
            self.lines.append(change_of(account, Change.CLOSED))
        elif account.enabled != before.enabled:
            self.lines += flip_lines(before, account)
        elif account.name != before.name and account.custom_name is None:
            self.lines.append(change_of(account, Change.RENAMED))
        self.connection = self.connection.with_account(account)

    def _open_or_closed(self, account: Account, before: Account, seen: ObservedAccount) -> Account:
        if not seen.deleted:
            return replace(account, closed_at=None)
        return account if before.closed_at is not None else self._closed(account)

    def _closed(self, account: Account) -> Account:
        """The bank takes the account away: nothing is left to stop, and nothing can be enabled.

        Rule 4: the wish not to have it ends fulfilled and stays on record, for the day on which the account comes back.
        """
        choice = account.choice
        if choice is None:
            return replace(account, closed_at=self._now)
        if account.wanted and not choice.visible:
            self._end_item(choice, account.id, ItemStatus.FAILED, "closed_at_bank")
            return replace(account, closed_at=self._now, choice=None)
        self._end_item(choice, account.id, ItemStatus.DONE, None)
        return replace(account, closed_at=self._now, choice=None, enabled=account.wanted)

    def _failing(self, seen: ObservedAccount) -> bool:
        """Whether the account, its source or its connection failed at the last synchronisation."""
        source = next((s for s in self.connection.sources if s.id == seen.source_id), None)
        return bool(seen.error or self.connection.state or (source is not None and source.state))

    def _restore(self, account: Account, seen: ObservedAccount, *, ask: str | None = None) -> Account:
        """Rules 3 and 4: an account that comes back otherwise than wanted is put right, once each time it comes back.

        When it keeps coming back (`MOST_REPAIRS`), somebody at Powens disagrees, and the user is asked who is right; so
        too when there is a question anyway (`ask`, a reason code).
        A new id that is enabled already, and an old one that went enabled and comes back disabled, are left alone: new
        ids are born disabled and old ones keep their state, so somebody ticked or unticked them (rule 2).
        """
        recent = tuple(at for at in account.repairs if self._now - at < REPAIR_WINDOW)
        asked = ask or (question(account) if len(recent) >= MOST_REPAIRS else None)
        item = OperationItem(
            account_id=account.id,
            wanted=account.wanted,
            before=account.wanted,
            status=ItemStatus.NEEDS_USER if asked else ItemStatus.PENDING,
            reason=asked,
        )
        operation = next((o for o in self.connection.operations if o.id == self._restoration), None)
        if operation is not None:
            self._replace_operation(replace(operation, items=(*operation.items, item)))
        else:
            operation = Operation(
                id=restoration_id(seen.powens_id, self._started_at),
                user_id=self.connection.user_id,
                connection_id=self.connection.id,
                kind=OperationKind.RESTORATION,
                created_at=self._now,
                deadline_at=self._now + OPERATION_DEADLINE,
                correlation_id=self._correlation_id,
                items=(item,),
            )
            self._restoration = operation.id  # one for all accounts of a read: one command, one event, one transaction
            self.connection = replace(self.connection, operations=(*self.connection.operations, operation))
        if asked:
            return replace(account, problem=asked, repairs=recent)
        choice = Choice(operation_id=operation.id, seen=account.enabled)
        return replace(account, choice=choice, problem=None, repairs=(*recent, self._now))

    def _follow(self, account: Account, enabled: bool) -> Account:
        """Rule 2: tell our own orders taking effect from choices that somebody made elsewhere."""
        choice = account.choice
        if choice is None:
            if enabled == account.enabled:
                return account
            self._caused_by(Cause.WEBVIEW)
            return replace(account, enabled=enabled, wanted=enabled, problem=None, chosen_at=self._now, repairs=())
        if enabled == account.wanted:
            # A read that began before the choice shows an older flip, which may have been taken back since (rule 7).
            asked_at = choice.confirmed_at if choice.doubt else operation_of(self.connection, choice).created_at
            certain = asked_at is not None and asked_at <= self._started_at
            return replace(account, choice=replace(choice, seen=enabled, visible=choice.visible or certain))
        if choice.visible:
            # Powens had followed our order, and now shows the opposite: somebody chose after us.
            self._end_item(choice, account.id, ItemStatus.SUPERSEDED, "changed_elsewhere")
            if enabled != account.enabled:
                self._caused_by(Cause.WEBVIEW)
            return replace(account, enabled=enabled, wanted=enabled, choice=None, chosen_at=self._now, repairs=())
        return replace(account, choice=replace(choice, seen=enabled))

    def tell_again(self) -> None:
        """A connection wrongly taken for removed comes back whole: the answer may be a partial one (rule 5)."""
        told = {line.account_id for line in self.lines}
        self.lines += [change_of(a, Change.ADDED) for a in self.connection.accounts if a.id not in told]

    def absent(self, seen_ids: set[int], *, complete: bool) -> None:
        """Rule 5: an answer without an account closes it only when full answers have gone on missing it for a day.

        An answer with accounts that nobody can identify may have it.
        """
        if not seen_ids:
            return
        for account in self.connection.accounts:
            if account.powens_id in seen_ids or account.closed_at is not None:
                continue
            if not complete:
                self.connection = self.connection.with_account(replace(account, unreadable=True))
                continue
            since = account.missing_since or self._started_at
            absent = replace(account, missing_since=since, unreadable=False)
            if self._started_at - since >= MISSING_FOR:
                absent = self._closed(absent)
                self.lines.append(change_of(absent, Change.CLOSED))
            self.connection = self.connection.with_account(absent)

    def settle(self, held: Connection) -> None:
        """End the choices of every operation whose accounts have all been seen as wanted: one confirm, one event."""
        waiting = {a.choice.operation_id for a in self.connection.accounts if a.choice and not a.choice.visible}
        for account in self.connection.accounts:
            if account.choice is None or account.choice.operation_id in waiting:
                continue
            self._settle(account, account.choice)
        self._end_refreshes(held)

    def _settle(self, account: Account, choice: Choice) -> None:
        settled = replace(account, enabled=account.wanted, choice=None, problem=None)
        self.connection = self.connection.with_account(settled)
        restored = operation_of(self.connection, choice).kind is OperationKind.RESTORATION
        self._end_item(choice, account.id, ItemStatus.DONE, None)
        if settled.enabled != account.enabled:
            self.lines += flip_lines(account, settled)
            self._caused_by(Cause.RECONCILIATION if restored else Cause.USER)

    def _end_refreshes(self, held: Connection) -> None:
        """A refresh ends when a read shows a newer synchronisation than was held, or the first one.

        Newer by Powens' own dates, not by our clock. An older date is a step back of Powens', which ends nothing; nor
        does the way forth again, as the date from when the refresh was asked for is remembered.
        """
        success = self.connection.last_success_at
        status, reason = connection_status(replace(self.connection, operations=()), self._now)
        for operation in self.connection.operations:
            if operation.kind is not OperationKind.REFRESH or not operation.open:
                continue
            if status is ConnectionStatus.ACTION_REQUIRED and reason is not None:
                self._replace_operation(with_end(operation, OperationStatus.NEEDS_USER, self._now, reason.code))
                continue
            known = (believable(at, self._now) for at in (operation.last_success_at, held.last_success_at))
            before = max(filter(None, known), default=None)
            if success is not None and (before is None or success > before):
                completed = with_end(operation, OperationStatus.COMPLETED, self._now)
                self._replace_operation(replace(completed, last_success_at=success))

    def refreshed(self, held: Connection) -> None:
        """Add a line for every account whose data alone changed."""
        told = {line.account_id for line in self.lines}
        for account in self.connection.accounts:
            before = held.account(account.id)
            if before is None or account.id in told:
                continue
            if data(account) != data(before):
                self.lines.append(change_of(account, Change.REFRESHED))

    def _caused_by(self, cause: Cause) -> None:
        order = [Cause.USER, Cause.WEBVIEW, Cause.RECONCILIATION]
        if self.cause is None or order.index(cause) < order.index(self.cause):
            self.cause = cause

    def _end_item(self, choice: Choice, ended_id: str, status: ItemStatus, reason: str | None) -> None:
        operation = operation_of(self.connection, choice)
        self._replace_operation(with_item_ends(operation, {ended_id: (status, reason)}))

    def _replace_operation(self, operation: Operation) -> None:
        operations = tuple(operation if o.id == operation.id else o for o in self.connection.operations)
        self.connection = replace(self.connection, operations=operations)
