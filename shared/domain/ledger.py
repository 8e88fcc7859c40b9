"""The rules of the ledger, each stated once, as pure functions of what is held, what was seen and the time.

| rule | says | stated in |
| --- | --- | --- |
| 1 | a discovered account is not an enabled one | `_discover` |
| 2 | a flip that we did not order is a choice, and the newest choice wins | `_follow`, `choose` |
| 3 | an account re-created under another id is the same account | `matching`, `_merge`, `_restore` |
| 4 | a removed account stays removed | `orders` (from `wanted` alone), `_closed`; `reconcile` for connections |
| 5 | an empty or partial answer removes nothing | `_missing` |
| 6 | one real account seen through two connections counts once | `copies` |
| 7 | a read that began before the last known write or read does not speak | `reconcile`; of a choice, `_follow` |
| 8 | a hint from before the last read's start is covered | `covered` |

Level-triggered: nothing here applies a message; every function compares levels, so repeating one is harmless.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
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
from shared.domain.errors import Conflict, InvalidInput, TooManyAccounts
from shared.domain.facts import AccountChange, Cause, Change, Fact, FactType, change_of
from shared.domain.matching import MISSING_FOR, Succession, succession
from shared.domain.observation import ObservedAccount, ObservedConnection
from shared.domain.status import ConnectionStatus, announced, believable, connection_status

OPERATION_DEADLINE = timedelta(minutes=10)
UNDO_FOR = timedelta(hours=24)
IDENTICAL = "identical_accounts"
"""What the user is asked about accounts that nobody else can tell apart."""
MOST_REPAIRS = 3
"""How often an account is put right by us within `REPAIR_WINDOW`. If that does not last, the user is asked."""
REPAIR_WINDOW = timedelta(hours=24)
MOST_OPEN_OPERATIONS = 20
"""Operations of one connection that may be open at once; all their ends must fit one transaction of 100 writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rule decided: the next state, the facts to publish with it, and every operation whose record changed.

    `others`: what it means for other connections of the same user, each as it was and what becomes of it.
    """

    connection: Connection
    facts: tuple[Fact, ...] = ()
    operations: tuple[Operation, ...] = ()
    others: "tuple[tuple[Connection, Outcome], ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to make at Powens: set one account to `enabled`."""

    account_id: str
    powens_id: int
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """How an order went: acknowledged (`refusal` None) or refused for good, with a reason code."""

    order: Order
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effect that a selection would have."""

    enable: tuple[str, ...]
    disable: tuple[str, ...]
    unchanged: tuple[str, ...]
    enabled_total: int


# --- choices made through our API ------------------------------------------------------------------------------------


def _by_todays_ids(connection: Connection, wants: Mapping[str, bool]) -> dict[str, bool]:
    """What is wanted of which account. Raises InvalidInput for an account that this connection does not have."""
    found = {}
    for wanted_id, wanted in wants.items():
        account = connection.account(wanted_id)
        if account is None:
            raise InvalidInput(f"no account {wanted_id} here", code="unknown_account", field="enabled_account_ids")
        found[account.id] = wanted
    return found


def _changes(connection: Connection, wants: Mapping[str, bool], *, insist: bool = False) -> list[Account]:
    """The accounts about which `wants` says something new. Repeating what is wanted is no choice, unless `insist`.

    Raises InvalidInput for an account that the bank closed.
    """
    changed = []
    for account in connection.accounts:
        if account.id not in wants:
            continue
        wanted = wants[account.id]
        told_already = account.choice is not None or account.closed_at is not None or not insist
        if account.wanted == wanted and told_already and not (account.problem and account.enabled != wanted):
            continue
        if wanted and account.closed_at is not None:
            raise InvalidInput(
                f"account {account.id} is closed", code="account_closed_at_bank", field="enabled_account_ids"
            )
        changed.append(account)
    return changed


def selection(connection: Connection, enabled_ids: Iterable[str]) -> dict[str, bool]:
    """What a full selection says about the accounts of the connection.

    It says nothing about one that the bank closed and that it leaves out: nobody can tick such an account, so leaving
    it out is no choice. Raises InvalidInput for an account that is not here.
    """
    ids = _by_todays_ids(connection, dict.fromkeys(enabled_ids, True))
    return {a.id: a.id in ids for a in connection.accounts if a.closed_at is None or a.id in ids}


def preview(connection: Connection, wants: Mapping[str, bool]) -> Preview:
    """What `choose` would do."""
    wants = _by_todays_ids(connection, wants)
    changed = {account.id for account in _changes(connection, wants)}
    total = sum(wants[a.id] if a.id in changed else a.wanted for a in connection.accounts if a.closed_at is None)
    return Preview(
        enable=tuple(a.id for a in connection.accounts if a.id in changed and wants[a.id]),
        disable=tuple(a.id for a in connection.accounts if a.id in changed and not wants[a.id]),
        unchanged=tuple(a.id for a in connection.accounts if a.id not in changed),
        enabled_total=total,
    )


def choose(
    connection: Connection,
    wants: Mapping[str, bool],
    *,
    operation_id: str,
    correlation_id: str,
    now: datetime,
    insist: bool = False,
) -> Outcome:
    """Record a user's choices. Only the accounts it changes belong to the operation; siblings are left alone.

    A choice for the state that is already there ends at once, unless an earlier opposite order may still be under way:
    then Powens is told again (`doubt`). Earlier operations lose the accounts chosen anew.

    `insist`: the user named these very accounts, so Powens is told even what is thought to be so already: it may have
    changed there since it was last read. Raises Conflict `too_many_open_operations`.
    """
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    if len(connection.operations) >= MOST_OPEN_OPERATIONS:
        raise Conflict("too many choices are still being carried out", code="too_many_open_operations")
    operation = Operation(
        id=operation_id,
        user_id=connection.user_id,
        connection_id=connection.id,
        kind=OperationKind.SELECTION,
        created_at=now,
        deadline_at=now + OPERATION_DEADLINE,
        correlation_id=correlation_id,
        undo_until=now + UNDO_FOR,
    )
    items = []
    lines = []
    wants = _by_todays_ids(connection, wants)
    for account in _changes(connection, wants, insist=insist):
        wanted = wants[account.id]
        doubt = account.choice is not None or (insist and account.wanted == wanted)
        closed = account.closed_at is not None  # nothing to stop at Powens: should it come back, `wanted` decides
        settled = closed or (account.enabled == wanted and not doubt)
        choice = None if settled else Choice(operation_id=operation_id, doubt=doubt)
        chosen = replace(
            account,
            wanted=wanted,
            enabled=wanted if closed else account.enabled,
            choice=choice,
            problem=None,
            chosen_at=now,
            repairs=(),
        )
        connection = connection.with_account(chosen)
        if chosen.enabled != account.enabled:
            lines.append(change_of(chosen, Change.DISABLED))
        items.append(
            OperationItem(
                account_id=account.id,
                wanted=wanted,
                before=account.enabled if account.problem else account.wanted,
                status=ItemStatus.DONE if settled else ItemStatus.PENDING,
            )
        )
    superseded = {item.account_id for item in items}
    earlier = tuple(
        _with_items(
            o, {i.account_id: (ItemStatus.SUPERSEDED, "newer_choice") for i in o.items if i.account_id in superseded}
        )
        for o in connection.operations
    )
    connection = replace(connection, operations=(*earlier, replace(operation, items=tuple(items))))
    return _close(connection, now, Cause.USER, lines)


def begin(
    connection: Connection, kind: OperationKind, *, operation_id: str, correlation_id: str, now: datetime
) -> Outcome:
    """Open an operation on the connection as a whole: a refresh or its deletion. An open one of the kind is reused."""
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    under_way = next((o for o in connection.operations if o.kind is kind), None)
    if under_way is not None:
        return Outcome(connection=connection, operations=(under_way,))
    operation = Operation(
        id=operation_id,
        user_id=connection.user_id,
        connection_id=connection.id,
        kind=kind,
        created_at=now,
        deadline_at=now + OPERATION_DEADLINE,
        correlation_id=correlation_id,
        last_success_at=connection.last_success_at if kind is OperationKind.REFRESH else None,
    )
    return Outcome(
        connection=replace(connection, operations=(*connection.operations, operation)), operations=(operation,)
    )


def rename(connection: Connection, wanted_id: str, name: str) -> Outcome:
    """Give an account the user's own name; Powens is not told."""
    if connection.removed_at is not None:
        raise Conflict("the connection is ended", code="connection_removed")
    account = connection.account(wanted_id)
    assert account is not None  # noqa: S101 - callers look the account up in this very connection
    if account.custom_name == name:
        return Outcome(connection=connection)
    renamed = replace(account, custom_name=name)
    return _with_facts(connection.with_account(renamed), [change_of(renamed, Change.RENAMED)], Cause.USER, "", ())


# --- the calls to make, and how they went ----------------------------------------------------------------------------


def orders(connection: Connection) -> tuple[Order, ...]:
    """The calls still to make at Powens. They follow from what is wanted now, never from an old message (rule 4)."""
    return tuple(
        Order(account_id=a.id, powens_id=a.powens_id, enabled=a.wanted)
        for a in connection.accounts
        if a.choice is not None and a.choice.confirmed_at is None and not a.choice.visible
    )


def record(
    connection: Connection, results: Iterable[Ordered], *, operation_id: str, at: datetime, now: datetime
) -> Outcome:
    """Note what Powens answered while `operation_id` was carried out, the last answer having come at `at`.

    An answer to an order that a newer choice has overtaken says nothing about the newer one.
    """
    ended: dict[str, dict[str, tuple[ItemStatus, str | None]]] = {}
    lines: list[AccountChange] = []
    for result in results:
        connection = replace(connection, written_at=max(filter(None, (connection.written_at, at))))
        account = connection.account(result.order.account_id)
        if account is None or account.choice is None or account.wanted != result.order.enabled:
            continue
        if account.powens_id != result.order.powens_id:
            continue
        choice = account.choice
        if result.refusal is None:
            connection = connection.with_account(replace(account, choice=replace(choice, confirmed_at=at)))
        elif result.refusal == "not_found_at_powens" and not account.wanted:
            connection = connection.with_account(
                replace(account, choice=replace(choice, confirmed_at=at, visible=True))
            )
        else:
            status = _failure(connection, choice)
            problem = _question(account) if status is ItemStatus.NEEDS_USER else result.refusal
            given_up = _give_up(account, problem)
            connection = connection.with_account(given_up)
            lines += _flip(account, given_up)
            ended.setdefault(choice.operation_id, {})[account.id] = (status, problem)
    operations = tuple(
        replace(
            _with_items(o, ended.get(o.id, {})),
            status=OperationStatus.RUNNING if o.id == operation_id else o.status,
        )
        for o in connection.operations
    )
    return _close(replace(connection, operations=operations), now, Cause.USER, lines)


def _flip(before: Account, after: Account) -> list[AccountChange]:
    if before.enabled == after.enabled:
        return []
    return [change_of(after, Change.ENABLED if after.enabled else Change.DISABLED)]


def _failure(connection: Connection, choice: Choice) -> ItemStatus:
    restoring = _operation_of(connection, choice).kind is OperationKind.RESTORATION
    return ItemStatus.NEEDS_USER if restoring else ItemStatus.FAILED


def _operation_of(connection: Connection, choice: Choice) -> Operation:
    """The open operation that carries a choice out: a choice is there exactly as long as an operation waits for it."""
    return next(o for o in connection.operations if o.id == choice.operation_id)


def _question(account: Account) -> str:
    """What the user is asked about an account that does not stay as wanted, and that we could not put right."""
    return "recreated_by_powens" if account.wanted else "reenabled_by_powens"


def _give_up(account: Account, problem: str) -> Account:
    """Drop a choice that cannot be carried out: what is there stays, and the account says why.

    A wish that Powens undid by itself (rules 3 and 4) stays on record: the user is asked instead. An account that is as
    it was wanted has no problem, though its operation could not be seen through.
    """
    seen = account.choice.seen if account.choice is not None else None
    enabled = account.enabled if seen is None else seen
    wanted = account.wanted if problem == _question(account) else enabled
    left = problem if enabled != account.wanted else None
    return replace(account, choice=None, enabled=enabled, wanted=wanted, problem=left)


# --- reading back ----------------------------------------------------------------------------------------------------


def covered(connection: Connection, received_at: datetime) -> bool:
    """Whether the last read already saw whatever a hint received at `received_at` is about (rule 8)."""
    return received_at < max(filter(None, (connection.read_started_at, connection.removed_at)))


def then(first: Outcome, second: Outcome) -> Outcome:
    """Two decisions taken one after the other, as one."""
    operations = {operation.id: operation for operation in (*first.operations, *second.operations)}
    return Outcome(
        connection=second.connection,
        facts=(*first.facts, *second.facts),
        operations=tuple(operations.values()),
        others=(*first.others, *second.others),
    )


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
    moves = _Moves(held, tuple({observed.powens_id: observed for observed in seen.accounts}.values()), seen, others)
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
    closed = _close(reading.connection, now, reading.cause or trigger, reading.lines)
    return replace(closed, others=moves.departures(now, trigger))


class _Moves:
    """Accounts that another connection of the user holds under the very Powens id that this read shows.

    Powens' ids are unique per user, so such an account has moved, unless the other place was read later: then it has
    moved there. `arriving`: what was held of them; `shown`: what the read showed without those that left meanwhile.
    """

    def __init__(
        self,
        held: Connection,
        seen_accounts: tuple[ObservedAccount, ...],
        seen: ObservedConnection,
        others: Iterable[Connection],
    ) -> None:
        living = {observed.powens_id for observed in seen_accounts if not observed.deleted}
        here = {account.powens_id for account in held.accounts if account.closed_at is None}
        self.arriving: dict[int, Account] = {}
        self._leaving: list[tuple[Connection, set[str]]] = []
        left = set()
        for other in others:
            if other.removed_at is not None or other.id == held.id:
                continue
            both = [account for account in other.accounts if account.powens_id in living]
            if other.read_started_at > seen.read_started_at:
                left |= {account.powens_id for account in both if account.powens_id not in here}
            elif both:
                self.arriving |= {account.powens_id: account for account in both if account.powens_id not in here}
                self._leaving.append((other, {account.id for account in both}))
        self.shown = tuple(observed for observed in seen_accounts if observed.powens_id not in left)

    def departures(self, now: datetime, cause: Cause) -> tuple[tuple[Connection, Outcome], ...]:
        return tuple((other, hand_over(other, ids, now, cause)) for other, ids in self._leaving)


def hand_over(connection: Connection, account_ids: set[str], now: datetime, cause: Cause) -> Outcome:
    """The connection without accounts that have moved to another one, which goes on with what was wanted of them."""
    leaving = [account for account in connection.accounts if account.id in account_ids]
    for account in leaving:
        if account.choice is not None:
            operation = _operation_of(connection, account.choice)
            ended = _with_items(operation, {account.id: (ItemStatus.SUPERSEDED, "moved_elsewhere")})
            operations = tuple(ended if o.id == ended.id else o for o in connection.operations)
            connection = replace(connection, operations=operations)
    staying = tuple(account for account in connection.accounts if account.id not in account_ids)
    lines = [change_of(replace(account, enabled=False), Change.REMOVED) for account in leaving]
    return _close(replace(connection, accounts=staying), now, cause, lines)


def _merge(older: Account, newer: Account) -> Account:
    """The older account, under the Powens id of the newer: with its id, its history, and the newest choice of both."""
    # A wish that could not be carried out was given up: what is left of it is nobody's choice.
    given_up = older.problem is not None and older.wanted == older.enabled
    chosen_later = newer.chosen_at is not None and (older.chosen_at is None or older.chosen_at < newer.chosen_at)
    chosen_later = older.choice is None and (chosen_later or given_up)
    return replace(
        older,
        powens_id=newer.powens_id,
        custom_name=newer.custom_name or older.custom_name,
        balance=older.balance if newer.balance is None else newer.balance,
        last_success_at=newer.last_success_at or older.last_success_at,
        wanted=newer.wanted if chosen_later else older.wanted,
        chosen_at=newer.chosen_at if chosen_later else older.chosen_at,
        former_ids=(*older.former_ids, *newer.former_ids, newer.id),
        missing_since=newer.missing_since,
        closed_at=newer.closed_at,
        problem=None,
    )


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
            one = replace(_merge(older, newer), enabled=newer.enabled, closed_at=None)
            self._as_one(newer, self._closed(one))
            self.lines.append(change_of(self._account(older_id), Change.CLOSED))
        merged: set[str] = set()
        by_powens_id = {account.powens_id: account.id for account in self.connection.accounts}
        for older_id, powens_id in found.heir_of.items():
            if powens_id not in by_powens_id:
                continue
            older, newer = self._account(older_id), self._account(by_powens_id[powens_id])
            self._as_one(newer, _merge(older, newer))
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
        account = _described(
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
            _described(moved, seen, self._failing(seen)),
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
        account = replace(
            _described(account, seen, self._failing(seen)), missing_since=None, unreadable=seen.unreadable
        )
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
            self.lines += _flip(before, account)
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
        asked = ask or (_question(account) if len(recent) >= MOST_REPAIRS else None)
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
            asked_at = choice.confirmed_at if choice.doubt else _operation_of(self.connection, choice).created_at
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
        restored = _operation_of(self.connection, choice).kind is OperationKind.RESTORATION
        self._end_item(choice, account.id, ItemStatus.DONE, None)
        if settled.enabled != account.enabled:
            self.lines += _flip(account, settled)
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
                self._replace_operation(_ended(operation, OperationStatus.NEEDS_USER, self._now, reason.code))
                continue
            known = (believable(at, self._now) for at in (operation.last_success_at, held.last_success_at))
            before = max(filter(None, known), default=None)
            if success is not None and (before is None or success > before):
                completed = _ended(operation, OperationStatus.COMPLETED, self._now)
                self._replace_operation(replace(completed, last_success_at=success))

    def refreshed(self, held: Connection) -> None:
        """Add a line for every account whose data alone changed."""
        told = {line.account_id for line in self.lines}
        for account in self.connection.accounts:
            before = held.account(account.id)
            if before is None or account.id in told:
                continue
            if _data(account) != _data(before):
                self.lines.append(change_of(account, Change.REFRESHED))

    def _caused_by(self, cause: Cause) -> None:
        order = [Cause.USER, Cause.WEBVIEW, Cause.RECONCILIATION]
        if self.cause is None or order.index(cause) < order.index(self.cause):
            self.cause = cause

    def _end_item(self, choice: Choice, ended_id: str, status: ItemStatus, reason: str | None) -> None:
        operation = _operation_of(self.connection, choice)
        self._replace_operation(_with_items(operation, {ended_id: (status, reason)}))

    def _replace_operation(self, operation: Operation) -> None:
        operations = tuple(operation if o.id == operation.id else o for o in self.connection.operations)
        self.connection = replace(self.connection, operations=operations)


def _described(account: Account, seen: ObservedAccount, failing: bool) -> Account:
    """What Powens says of an account, without its selection. A field that Powens leaves out keeps its last value.

    So does the balance of an account that is not ticked, or that fails: the last good one, whose age is shown.
    """
    kept = seen.balance is None and (seen.disabled or failing)
    return replace(
        account,
        name=seen.name or account.name,
        provider_type=seen.provider_type,
        currency=seen.currency or account.currency,
        balance=account.balance if kept else seen.balance,
        iban_key=seen.iban_key or account.iban_key,
        iban_last4=seen.iban_last4 or account.iban_last4,
        number_key=seen.number_key or account.number_key,
        source_id=seen.source_id if seen.source_id is not None else account.source_id,
        error=seen.error,
        last_success_at=(seen.last_update or account.last_success_at)
        if seen.error is None
        else account.last_success_at,
    )


def _data(account: Account) -> tuple[object, ...]:
    return (
        account.balance,
        account.currency,
        account.provider_type,
        account.iban_last4,
        account.error,
        account.last_success_at,
        account.unreadable,
    )


# --- ends ------------------------------------------------------------------------------------------------------------


def expire(connection: Connection, now: datetime) -> Outcome:
    """End every operation past its deadline: what was seen is done, the rest failed, and the accounts say so."""
    overdue = {o.id: o for o in connection.operations if o.deadline_at <= now}
    if not overdue:
        return Outcome(connection=connection)
    lines: list[AccountChange] = []
    for account in connection.accounts:
        choice = account.choice
        if choice is None or choice.operation_id not in overdue:
            continue
        operation = overdue[choice.operation_id]
        if choice.visible:
            ended = replace(account, enabled=account.wanted, choice=None, problem=None)
            item: tuple[ItemStatus, str | None] = (ItemStatus.DONE, None)
        elif operation.kind is OperationKind.RESTORATION:
            ended = _give_up(account, _question(account))
            item = (ItemStatus.NEEDS_USER, _question(account))
        else:
            problem = "timed_out" if choice.confirmed_at is None else _unseen(account)
            ended = _give_up(account, problem)
            item = (ItemStatus.FAILED, problem)
        connection = connection.with_account(ended)
        lines += _flip(account, ended)
        overdue[operation.id] = _with_items(operation, {account.id: item})
    operations = []
    for open_operation in connection.operations:
        operation = overdue.get(open_operation.id, open_operation)
        if (
            operation.open
            and operation.id in overdue
            and operation.kind in (OperationKind.REFRESH, OperationKind.DELETION)
        ):
            operation = _ended(operation, OperationStatus.TIMED_OUT, now, "timed_out")
        operations.append(operation)
    return _close(replace(connection, operations=tuple(operations)), now, Cause.USER, lines)


def _unseen(account: Account) -> str:
    """Why an order that Powens acknowledged was not seen: it did not follow, or nobody can read what it did."""
    return "unreadable_at_powens" if account.unreadable else "not_applied"


def end_operation(
    connection: Connection, operation_id: str, status: OperationStatus, reason: str | None, now: datetime
) -> Outcome:
    """End a refresh or deletion for a reason that no read shows: Powens refused it, or has nothing to refresh."""
    success = connection.last_success_at
    operations = tuple(
        replace(_ended(o, status, now, reason), last_success_at=success if o.kind is OperationKind.REFRESH else None)
        if o.id == operation_id and o.open
        else o
        for o in connection.operations
    )
    return _close(replace(connection, operations=operations), now, Cause.USER, [])


def remove(connection: Connection, *, cause: Cause, at: datetime, now: datetime) -> Outcome:
    """Mark the connection as gone from Powens, known from a write or read that ended at `at`.

    It is kept as a tombstone, so that no read begun earlier can bring it back (rules 4 and 7).
    """
    if connection.removed_at is not None:
        return Outcome(connection=connection)
    if any(operation.kind is OperationKind.DELETION for operation in connection.operations):
        cause = Cause.USER
    operations = [_after_removal(operation, now) for operation in connection.operations]
    accounts = tuple(replace(a, choice=None, wanted=a.enabled) for a in connection.accounts)
    lines = tuple(change_of(replace(account, enabled=False), Change.REMOVED) for account in accounts)
    connection = replace(
        connection,
        accounts=accounts,
        operations=tuple(operations),
        removed_at=at,
        announced_status="",
        revision=connection.revision + 1,
    )
    fact = Fact(
        type=FactType.CONNECTION_REMOVED,
        user_id=connection.user_id,
        connection_id=connection.id,
        revision=connection.revision,
        cause=cause,
        accounts=lines,
    )
    closed = _close(connection, now, cause, [])
    return replace(closed, facts=(fact, *closed.facts))


def _after_removal(operation: Operation, now: datetime) -> Operation:
    if operation.kind is OperationKind.DELETION:
        return _ended(operation, OperationStatus.COMPLETED, now)
    if operation.kind is OperationKind.REFRESH:
        return _ended(operation, OperationStatus.FAILED, now, "connection_removed")
    return _with_items(operation, {i.account_id: (ItemStatus.FAILED, "connection_removed") for i in operation.items})


def undo(operation: Operation, now: datetime) -> dict[str, bool]:
    """The choices that restore the selection before `operation`. Raises Conflict when it cannot be undone."""
    if operation.kind is not OperationKind.SELECTION or operation.undo_until is None:
        raise Conflict("only a selection can be undone", code="not_undoable")
    if now > operation.undo_until:
        raise Conflict("too late to undo", code="undo_expired")
    return {item.account_id: item.before for item in operation.items}


# --- operations and facts --------------------------------------------------------------------------------------------


def _with_items(operation: Operation, ends: Mapping[str, tuple[ItemStatus, str | None]]) -> Operation:
    """Give accounts of the operation their end; an end once reached stays."""
    items = tuple(
        replace(i, status=ends[i.account_id][0], reason=ends[i.account_id][1])
        if i.account_id in ends and i.status is ItemStatus.PENDING
        else i
        for i in operation.items
    )
    return replace(operation, items=items)


def _ended(operation: Operation, status: OperationStatus, now: datetime, reason: str | None = None) -> Operation:
    return replace(operation, status=status, ended_at=now, reason=reason)


def _verdict(operation: Operation) -> OperationStatus:
    """The end of an operation whose accounts have all ended. A choice that the user made anew is no failure."""
    ends = {item.status for item in operation.items}
    good = ends & {ItemStatus.DONE, ItemStatus.SUPERSEDED}
    if ItemStatus.NEEDS_USER in ends:
        return OperationStatus.NEEDS_USER
    if ItemStatus.FAILED not in ends:
        return OperationStatus.COMPLETED
    if good:
        return OperationStatus.PARTIALLY_COMPLETED
    reasons = {item.reason for item in operation.items if item.status is ItemStatus.FAILED}
    late = {"timed_out", "not_applied", "unreadable_at_powens"}
    return OperationStatus.TIMED_OUT if reasons <= late else OperationStatus.FAILED


def _all_items_ended(operation: Operation) -> bool:
    per_account = operation.kind in (OperationKind.SELECTION, OperationKind.RESTORATION)
    return operation.open and per_account and all(i.status is not ItemStatus.PENDING for i in operation.items)


def _close(connection: Connection, now: datetime, cause: Cause, lines: list[AccountChange]) -> Outcome:
    """End the operations that have nothing left to wait for, keep the open ones inside, and write the facts."""
    touched = [_ended(o, _verdict(o), now) if _all_items_ended(o) else o for o in connection.operations]
    ended = [operation for operation in touched if not operation.open]
    connection = replace(
        connection,
        operations=tuple(operation for operation in touched if operation.open),
        accounts=tuple(
            replace(a, synchronised_since=now) if a.enabled and a.synchronised_since is None else a
            for a in connection.accounts
        ),
    )
    return _with_facts(connection, lines, cause, announced(connection, now), (*ended, *connection.operations))


def _with_facts(
    connection: Connection, lines: list[AccountChange], cause: Cause, status: str, operations: tuple[Operation, ...]
) -> Outcome:
    facts = []
    if lines:
        connection = replace(connection, revision=connection.revision + 1)
        facts.append(_fact(connection, FactType.ACCOUNTS_UPDATED, cause, accounts=_one_each(lines)))
    if status and connection.removed_at is None and status != connection.announced_status:
        connection = replace(connection, revision=connection.revision + 1, announced_status=status)
        found = Cause.BANK if cause is Cause.USER else cause  # whoever asked for the read, the bank changed the status
        facts.append(_fact(connection, FactType.CONNECTION_UPDATED, found, status=status.partition(":")[0]))
    for operation in operations:
        if not operation.open:
            by = Cause.RECONCILIATION if operation.kind is OperationKind.RESTORATION else Cause.USER
            facts.append(
                _fact(
                    connection,
                    FactType.OPERATION_ENDED,
                    by,
                    status=operation.status.value,
                    operation_id=operation.id,
                )
            )
    return Outcome(connection=connection, facts=tuple(facts), operations=operations)


def _one_each(lines: list[AccountChange]) -> tuple[AccountChange, ...]:
    """One line for each account: as it is now, with the most telling of the changes."""
    ranks = list(Change)
    told: dict[str, AccountChange] = {}
    for line in lines:
        changes = [line.change] if line.account_id not in told else [told[line.account_id].change, line.change]
        told[line.account_id] = replace(line, change=min(changes, key=ranks.index))
    return tuple(told.values())


def _fact(
    connection: Connection,
    kind: FactType,
    cause: Cause,
    *,
    accounts: tuple[AccountChange, ...] = (),
    status: str | None = None,
    operation_id: str | None = None,
) -> Fact:
    return Fact(
        type=kind,
        user_id=connection.user_id,
        connection_id=connection.id,
        revision=connection.revision,
        cause=cause,
        accounts=accounts,
        status=status,
        operation_id=operation_id,
    )
