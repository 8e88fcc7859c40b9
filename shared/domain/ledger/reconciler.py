"""From the stored connection and one read of Powens to the next state of the connection."""

from collections.abc import Container, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count

from shared.domain.connection import (
    MAX_ACCOUNTS,
    Account,
    Choice,
    Connection,
    ItemStatus,
    OperationKind,
    OperationStatus,
    Unconfirmed,
    account_id,
    connection_id,
)
from shared.domain.errors import TooManyAccounts
from shared.domain.expectation import learned
from shared.domain.facts import AccountChange, Cause, Change, change_of
from shared.domain.ledger.accounts import described, merged_account, same_data
from shared.domain.ledger.confirmation import still_unconfirmed
from shared.domain.ledger.moves import Moves
from shared.domain.ledger.outcome import Outcome, conclude, flip_lines, operation_of, with_end
from shared.domain.ledger.transition import Transition
from shared.domain.matching import MISSING_FOR, Succession, succession
from shared.domain.observation import ObservedAccount, ObservedConnection
from shared.domain.status import ConnectionStatus, believable, connection_status

IDENTICAL = "identical_accounts"
"""Reason code of the question about accounts that only the user can distinguish."""


def covered(connection: Connection, received_at: datetime) -> bool:
    """Rule 8: whether the last read began after a hint of `received_at`, so that it showed what the hint is about.

    No read has shown anything of a connection that was only just confirmed.
    """
    unread = connection.shown and not connection.announced_status
    return not unread and received_at < max(filter(None, (connection.read_started_at, connection.removed_at)))


def reconcile(
    connection: Connection | None,
    observation: ObservedConnection,
    *,
    user_id: str,
    powens_user_id: int,
    trigger: Cause,
    correlation_id: str,
    now: datetime,
    others: Iterable[Connection] = (),
    denied: Container[int] = frozenset(),
    confirm_until: datetime | None = None,
) -> Outcome:
    """The next state of a connection, from its stored state (None: not known yet) and one read of Powens.

    `trigger`: the cause of changes that no choice explains. `others`: the user's other connections, needed when an
    account is new to this one, as it may have moved. `denied`: Powens ids that Powens did not know when it was given an
    order about them, just before the read. `confirm_until`: when a connection that is new has to be confirmed; None: it
    need not be. A read that began before the last known write or read changes nothing (rule 7). Raises TooManyAccounts
    for a connection that does not fit its item.
    """
    before = connection or _new_connection(observation, user_id, powens_user_id, now, confirm_until)
    if observation.read_started_at < max(filter(None, (before.read_started_at, before.written_at, before.removed_at))):
        return Outcome(connection=before)
    if before.unconfirmed is not None:
        return still_unconfirmed(before, observation)
    moves = Moves(before, observation, others)
    complete = bool(moves.shown) and not observation.unidentified
    here = replace(before, accounts=(*before.accounts, *moves.brought))
    matches = succession(
        here.accounts,
        [observed for observed in moves.shown if observed.powens_id not in moves.arriving],
        observation.read_started_at,
        complete=complete,
        denied=denied,
    )
    read = learned(before, _with_description(here, observation, now), trigger)
    transition = Transition(read, observation.read_started_at, now, correlation_id)
    transition.lines += [change_of(account, Change.ADDED) for account in moves.brought]
    reopened = before.removed_at is not None
    _apply_accounts(transition, moves, matches, reopened=reopened)
    if reopened:
        _announce_all(transition)
    shown = {observed.powens_id for observed in moves.shown}
    waiting = matches.waiting | {account.id for account in moves.brought}
    _close_absent(transition, shown, complete=complete, waiting=waiting)
    _settle(transition)
    _end_refreshes(transition, before)
    _add_refreshed_lines(transition, before)
    if len(transition.connection.accounts) > MAX_ACCOUNTS:
        raise TooManyAccounts(f"{len(transition.connection.accounts)} accounts, {MAX_ACCOUNTS} fit")
    closed = conclude(transition.connection, now, transition.cause or trigger, transition.lines)
    return replace(closed, others=moves.departures(now, trigger))


def _new_connection(
    observation: ObservedConnection, user_id: str, powens_user_id: int, now: datetime, confirm_until: datetime | None
) -> Connection:
    return Connection(
        id=connection_id(observation.powens_id),
        user_id=user_id,
        powens_user_id=powens_user_id,
        powens_id=observation.powens_id,
        institution=observation.institution,
        created_at=now,
        read_started_at=observation.read_started_at,
        unconfirmed=Unconfirmed(until=confirm_until) if confirm_until is not None else None,
    )


def _with_description(before: Connection, observation: ObservedConnection, now: datetime) -> Connection:
    """The connection as Powens describes it, its accounts aside. A date in the future is ignored."""
    dated = believable(observation.last_update, now)
    return replace(
        before,
        institution=observation.institution if observation.institution.name else before.institution,
        state=observation.state,
        active=observation.active,
        sources=observation.sources,
        last_success_at=(dated if observation.state is None else None) or believable(before.last_success_at, now),
        last_attempt_at=dated or believable(before.last_attempt_at, now),
        next_try=observation.next_try,
        read_started_at=observation.read_started_at,
        removed_at=None,
        ended_by_user=False,
    )


def _apply_accounts(transition: Transition, moves: Moves, matches: Succession, *, reopened: bool) -> None:
    """Match each observed account with the account that it is: known, known under another id, moved here, or new."""
    merged = _merge(transition, matches)
    by_powens_id = {account.powens_id: account for account in transition.connection.accounts}
    heir_to = {powens_id: older for older, powens_id in matches.heir_of.items()}
    replaced = {a.powens_id for a in transition.connection.accounts if a.id in matches.heir_of} - set(heir_to)
    for observed in moves.shown:
        older = transition.connection.account(heir_to.get(observed.powens_id, ""))
        account = older or by_powens_id.get(observed.powens_id)
        if account is not None and account.powens_id in replaced and older is None:
            continue  # the old Powens id of an account that has another one now
        if account is not None:
            returned = account.id in merged or (account.closed_at is not None and not observed.deleted)
            _update(
                transition,
                account,
                observed,
                reopened=reopened,
                returned=returned or observed.powens_id != account.powens_id,
                merged=account.id in merged,
                tied=account.id in matches.tied,
            )
        elif observed.powens_id in moves.arriving:
            _arrive(transition, moves.arriving[observed.powens_id], observed)
        elif not observed.deleted:
            _discover(transition, observed)
    for account in transition.connection.accounts:
        if account.powens_id in matches.ambiguous:
            transition.put(replace(account, ambiguous=True))


# --- one account -----------------------------------------------------------------------------------------------------


def _merge(transition: Transition, matches: Succession) -> set[str]:
    """Rule 3: make one of two accounts that are the same, now that the Powens id of the older one is gone.

    Returns our ids of those that the read shows.
    """
    for newer_id, older_id in matches.absorbed.items():
        # The read shows neither, so the account that is left is closed, as the newer one was.
        older, newer = transition.account(older_id), transition.account(newer_id)
        account = replace(merged_account(older, newer), enabled=newer.enabled, closed_at=None)
        _replace_both(transition, newer, transition.close_account(account))
        transition.lines.append(change_of(transition.account(older_id), Change.CLOSED))
    merged: set[str] = set()
    by_powens_id = {account.powens_id: account.id for account in transition.connection.accounts}
    for older_id, powens_id in matches.heir_of.items():
        if powens_id not in by_powens_id:
            continue
        older, newer = transition.account(older_id), transition.account(by_powens_id[powens_id])
        _replace_both(transition, newer, merged_account(older, newer))
        if older.closed_at is not None:
            transition.lines.append(change_of(transition.account(older_id), Change.ADDED))
        merged.add(older_id)
    return merged


def _replace_both(transition: Transition, newer: Account, account: Account) -> None:
    """Put `account`, which has the older one's id, in the place of both."""
    transition.drop(newer.id)
    transition.put(account)
    transition.lines.append(change_of(replace(newer, enabled=False), Change.REMOVED))


def _discover(transition: Transition, observed: ObservedAccount) -> None:
    """Rule 1: an account that is new keeps the state that Powens shows; only somebody's tick enables it."""
    ids = {id_ for account in transition.connection.accounts for id_ in (account.id, *account.former_ids)}
    account = described(
        Account(
            # An account that has another Powens id now keeps our id, which its first Powens id may need again.
            id=next(new for nth in count() if (new := account_id(observed.powens_id, nth)) not in ids),
            powens_id=observed.powens_id,
            name=observed.name,
            provider_type=observed.provider_type,
            discovered_at=transition.decided_at,
            enabled=not observed.disabled,
            wanted=not observed.disabled,
            chosen_at=None if observed.disabled else transition.decided_at,
            unreadable=observed.unreadable,
        ),
        observed,
        transition.failing(observed),
    )
    transition.add(account)
    transition.lines.append(change_of(account, Change.ADDED))
    if account.enabled:
        transition.caused_by(Cause.WEBVIEW)


def _arrive(transition: Transition, moved: Account, observed: ObservedAccount) -> None:
    """Add an account that moved here from another connection of the user, with what was wanted of it.

    An order that was open there goes on here as a restoration (rule 3).
    """
    under_way = moved.choice is not None and (observed.unreadable or moved.wanted == observed.disabled)
    account = replace(
        described(moved, observed, transition.failing(observed)),
        source_id=observed.source_id,
        closed_at=None,
        missing_since=None,
        unseen_since=None,
        choice=None,
        unreadable=observed.unreadable,
    )
    transition.add(account)
    if under_way:
        account = transition.restore(account, observed)
    elif not observed.unreadable:
        account = transition.follow(account, not observed.disabled)
    transition.put(account)
    transition.lines.append(change_of(account, Change.ADDED))


def _update(
    transition: Transition,
    before: Account,
    observed: ObservedAccount,
    *,
    reopened: bool,
    returned: bool,
    merged: bool,
    tied: bool,
) -> None:
    """Update a known account.

    `reopened`: its connection was removed until now. `returned`: it was closed, or had another Powens id, until now.
    `merged`: it was two stored accounts until now. `tied`: only the user knows which of several accounts it is.
    """
    account = replace(
        described(before, observed, transition.failing(observed)),
        missing_since=None,
        unseen_since=before.unseen_since if observed.deleted else None,
        unreadable=observed.unreadable,
    )
    if observed.unreadable:
        # Nothing is known about its selection: this is no choice, no closing and no effect of an order.
        transition.put(account)
        if reopened:
            transition.lines.append(change_of(account, Change.ADDED))
        return
    account = replace(account, powens_id=observed.powens_id)
    if not observed.deleted:
        account = replace(account, closed_at=None)
    elif before.closed_at is None:
        account = transition.close_account(account)
    if returned and account.choice is not None:
        account = _order_again(transition, account, account.choice, tied=tied)
    if not observed.deleted:
        enabled = not observed.disabled
        otherwise = returned and account.choice is None and enabled != account.wanted
        if otherwise and (merged or _nobody_chose(before, account)):
            account = transition.restore(replace(account, enabled=enabled), observed, ask=IDENTICAL if tied else None)
        else:
            account = transition.follow(account, enabled)
    transition.lines += _lines_of_update(before, account, reopened=reopened)
    transition.put(account)


def _order_again(transition: Transition, account: Account, choice: Choice, *, tied: bool) -> Account:
    """The order of an account that returned has had no effect: it is given again, or the user is asked."""
    if tied:
        transition.end_item(choice, account.id, ItemStatus.NEEDS_USER, IDENTICAL)
        return replace(account, choice=None)
    return replace(account, choice=replace(choice, confirmed_at=None, seen=None, visible=False))


def _nobody_chose(before: Account, account: Account) -> bool:
    """Whether an account that returned in another state than wanted can be so without anybody's choice."""
    if account.powens_id != before.powens_id:
        return account.wanted  # Powens creates accounts disabled
    if not account.wanted:
        return True
    # The bank closed it before our order, so it returns disabled, as it was.
    return not before.enabled and account.problem is None


def _lines_of_update(before: Account, account: Account, *, reopened: bool) -> list[AccountChange]:
    if reopened or (before.closed_at is not None and account.closed_at is None):
        return [change_of(account, Change.ADDED)]
    if account.closed_at is not None and before.closed_at is None:
        return [change_of(account, Change.CLOSED)]
    if account.enabled != before.enabled:
        return flip_lines(before, account)
    if account.name != before.name and account.custom_name is None:
        return [change_of(account, Change.RENAMED)]
    return []


# --- the connection as a whole ---------------------------------------------------------------------------------------


def _announce_all(transition: Transition) -> None:
    """Rule 5: add a line for every account of a connection that was removed by mistake, as the read may be partial."""
    with_line = {line.account_id for line in transition.lines}
    transition.lines += [change_of(a, Change.ADDED) for a in transition.connection.accounts if a.id not in with_line]


def _close_absent(transition: Transition, powens_ids: set[int], *, complete: bool, waiting: set[str]) -> None:
    """Rule 5: close an account only when complete answers have lacked it for `MISSING_FOR`.

    An answer with accounts that nobody can identify is not complete: one of them may be this
    account.
    """
    if not powens_ids:
        return
    for account in transition.connection.accounts:
        if account.powens_id in powens_ids or account.closed_at is not None:
            continue
        unseen_since = account.unseen_since or account.missing_since or transition.started_at
        unseen = replace(account, unseen_since=unseen_since)
        if not complete:
            transition.put(replace(unseen, unreadable=True))
            continue
        since = account.missing_since or transition.started_at
        absent = replace(unseen, missing_since=since, unreadable=False)
        if transition.started_at - since >= MISSING_FOR and account.id not in waiting:
            absent = transition.close_account(absent)
            transition.lines.append(change_of(absent, Change.CLOSED))
        transition.put(absent)


def _settle(transition: Transition) -> None:
    """End the choices of every operation whose orders have all taken effect: one confirm, one event."""
    waiting = {a.choice.operation_id for a in transition.connection.accounts if a.choice and not a.choice.visible}
    for account in transition.connection.accounts:
        choice = account.choice
        if choice is None or choice.operation_id in waiting:
            continue
        settled = replace(account, enabled=account.wanted, choice=None, problem=None)
        transition.put(settled)
        restored = operation_of(transition.connection, choice).kind is OperationKind.RESTORATION
        transition.end_item(choice, account.id, ItemStatus.DONE, None)
        if settled.enabled != account.enabled:
            transition.lines += flip_lines(account, settled)
            transition.caused_by(Cause.RECONCILIATION if restored else Cause.USER)


def _end_refreshes(transition: Transition, before: Connection) -> None:
    """End a refresh when a read shows the first synchronisation, or a newer one than was known.

    Newer by Powens' dates, not by our clock. An older date ends nothing, nor does the return to the
    date from when the refresh was asked for: the operation remembers that one.
    """
    success = transition.connection.last_success_at
    status, reason = connection_status(replace(transition.connection, operations=()), transition.decided_at)
    for operation in transition.connection.operations:
        if operation.kind is not OperationKind.REFRESH or not operation.open:
            continue
        if status is ConnectionStatus.ACTION_REQUIRED and reason is not None:
            transition.replace_operation(
                with_end(operation, OperationStatus.NEEDS_USER, transition.decided_at, reason.code)
            )
            continue
        dates = (believable(at, transition.decided_at) for at in (operation.last_success_at, before.last_success_at))
        newest = max(filter(None, dates), default=None)
        if success is not None and (newest is None or success > newest):
            completed = with_end(operation, OperationStatus.COMPLETED, transition.decided_at)
            transition.replace_operation(replace(completed, last_success_at=success))


def _add_refreshed_lines(transition: Transition, before: Connection) -> None:
    """Add a line for every account of which nothing but the data changed."""
    with_line = {line.account_id for line in transition.lines}
    for account in transition.connection.accounts:
        stored = before.account(account.id)
        if stored is not None and account.id not in with_line and not same_data(account, stored):
            transition.lines.append(change_of(account, Change.REFRESHED))
