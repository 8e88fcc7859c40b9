"""When a connection is due to be read although nobody gave a hint: when what was expected of Powens did not come.

Powens says when it will synchronise next (`next_try`), and its webhooks cause a read as soon as it did. So a connection
whose synchronisations are told of is never due, and one whose webhook got lost is due soon after. What Powens does not
say is learned from the reads themselves, as one of them may be wrong about all of these:

- whether it comes at `next_try` or later, and which zone its dates are in: `plan_late_by`;
- whether `next_try` is there, believable and still to come: else once in `USUAL_INTERVAL` after the last success;
- whether it comes at all: `reads_in_vain`, each of which doubles the wait until the next.

What waits for a read by itself is expected, too: an account that is missing until it counts as gone.

Nothing stays unread for ever, whatever Powens says: for `LONGEST_UNREAD` at most while reads bring news, for
`SLOWEST_RETRY` when none does, and a user's connections are all listed once in `LIST_EVERY`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.connection import Connection
from shared.domain.facts import Cause
from shared.domain.matching import MISSING_FOR

GRACE = timedelta(minutes=30)
"""How long a synchronisation may take, and its webhook to come, beyond what is usual for the connection."""
SPREAD = timedelta(minutes=30)
"""Users who are expected at one moment are read within this time, each at an own point of it."""
USUAL_INTERVAL = timedelta(hours=24)
"""Powens synchronises once in this time by default."""
LONGEST_UNREAD = timedelta(hours=36)
"""A `next_try` that is later is a mistake, or means no data in this time."""
SOONEST_AGAIN = timedelta(hours=3)
"""A `next_try` that is sooner after a success says nothing."""
FIRST_RETRY = timedelta(hours=1)
SLOWEST_RETRY = timedelta(days=7)
MOST_IN_VAIN = 9
"""As many reads in vain as lead to the slowest retry."""
LATEST = timedelta(hours=4)
"""By how much Powens may be late by habit; what is later was a bad day, or broken for a while."""
FADING = 0.9
"""Of what is known about being late, with each synchronisation that was not."""
LIST_EVERY = timedelta(days=14)
"""For a connection that only Powens has: its own webhooks bring it, unless all of them get lost."""


def due_at(connection: Connection) -> datetime:
    """When to read it, unless a hint has it read before."""
    patience = GRACE + SPREAD * _share(connection.user_id)
    read = connection.read_started_at
    wait = _expected_at(connection, read - patience) + patience - read
    if wait <= timedelta():
        wait = FIRST_RETRY  # overdue already when it was last read
    due = read + max(min(wait, LONGEST_UNREAD), _back_off(connection.reads_in_vain))
    # A read decides then about what is missing (rules 3 and 5).
    missing = [a.missing_since for a in connection.accounts if a.missing_since is not None and a.closed_at is None]
    return min([due, *(since + MISSING_FOR for since in missing if since + MISSING_FOR > read)])


def all_due_at(
    user_id: str, connections: Iterable[Connection], listed_at: datetime | None, back_at: datetime | None
) -> datetime | None:
    """When to read all of a user's connections, last listed at `listed_at`. None: at once, as nobody ever did.

    `back_at`: when the user should be back from the Webview; what happened there shows in a list from then on.
    """
    if listed_at is None:
        return None
    dates = [due_at(connection) for connection in connections if connection.removed_at is None]
    if back_at is not None and back_at > listed_at:
        dates.append(back_at)
    return min([*dates, listed_at + LIST_EVERY * (1 - 0.1 * _share(user_id))])


def asked_again_at(due: datetime, now: datetime, back_at: datetime | None = None) -> datetime:
    """When to look whether a read that was asked for `now` has been made, and else to ask again."""
    again = now + min(max(FIRST_RETRY, now - due), USUAL_INTERVAL)
    return min(again, back_at) if back_at is not None and back_at > now else again


def learned(before: Connection, after: Connection, trigger: Cause) -> Connection:
    """`after` with what this read teaches: how late Powens usually is, and whether reading was of use."""
    done = after.last_success_at
    succeeded = done is not None and (before.last_success_at is None or done > before.last_success_at)
    in_vain = before.reads_in_vain
    if succeeded:
        in_vain //= 2
    elif trigger is Cause.RECONCILIATION and due_at(before) <= after.read_started_at:
        in_vain = min(in_vain + 1, MOST_IN_VAIN)
    moved = before.next_try is not None and after.next_try is not None and after.next_try > before.next_try
    late = _late_by(before, after, trigger) if succeeded or moved else before.plan_late_by
    return replace(after, reads_in_vain=in_vain, plan_late_by=late)


def _late_by(before: Connection, after: Connection, trigger: Cause) -> timedelta:
    """By how much Powens was late by our clock, now that it has come: so its zone does not matter.

    A webhook comes at once. A planned read only shows that Powens had not come by the read before.
    """
    plan = _plan(before)
    if plan is None or after.read_started_at < plan:
        return before.plan_late_by  # somebody had it synchronised beside the plan
    known, seen = before.plan_late_by, before.read_started_at - plan
    if trigger is Cause.BANK:
        known, seen = known * FADING, after.read_started_at - plan
    return max(known, seen) if seen <= LATEST else before.plan_late_by


def _plan(connection: Connection) -> datetime | None:
    """When Powens meant to synchronise after its last success, by its own dates. None: it has said nothing of use."""
    done, told = connection.last_success_at, connection.next_try
    latest = connection.read_started_at + LONGEST_UNREAD
    if told is not None and told <= latest and (done is None or told >= done + SOONEST_AGAIN):
        return told
    return done + USUAL_INTERVAL if done is not None else None


def _expected_at(connection: Connection, since: datetime) -> datetime:
    """When Powens is expected; without a `next_try` of use the next time after `since`, day by day."""
    plan = _plan(connection) or connection.created_at + USUAL_INTERVAL
    expected = plan + connection.plan_late_by
    if plan == connection.next_try or expected > since:
        return expected
    return expected + USUAL_INTERVAL * ((since - expected) // USUAL_INTERVAL + 1)


def _back_off(in_vain: int) -> timedelta:
    if not in_vain:
        return timedelta()
    return min(FIRST_RETRY * float(2 ** (in_vain - 1)), SLOWEST_RETRY)


def _share(user_id: str) -> float:
    """From 0 to 1, always the same for a user."""
    return int.from_bytes(hashlib.sha256(f"due {user_id}".encode()).digest()[:4]) / (1 << 32)
