"""When a connection is due: what Powens announces is waited for, and no value of any date makes silence last."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.connection import Connection
from shared.domain.expectation import (
    FIRST_RETRY,
    GRACE,
    LATEST,
    LIST_EVERY,
    LONGEST_UNREAD,
    SLOWEST_RETRY,
    SPREAD,
    all_due_at,
    asked_again_at,
    due_at,
    learned,
)
from shared.domain.facts import Cause
from tests.builders import NOW, account, after, connection, observed, read

TOMORROW = after(hours=24)


def planned(next_try: datetime | None = TOMORROW, **changes: object) -> Connection:
    """Synchronised and read at NOW."""
    return replace(connection(), next_try=next_try, **changes)  # type: ignore[arg-type]


def waits(held: Connection) -> timedelta:
    return due_at(held) - held.read_started_at


def soon_after(due: datetime, expected: datetime) -> bool:
    return expected + GRACE <= due <= expected + GRACE + SPREAD


def reads(held: Connection, trigger: Cause = Cause.RECONCILIATION, **shown: object) -> Connection:
    """Read when it is due, with what Powens shows then."""
    return learned(held, replace(held, read_started_at=due_at(held), **shown), trigger)  # type: ignore[arg-type]


def synchronised(held: Connection, at: datetime, **shown: object) -> Connection:
    """Synchronised, and told by a webhook at once."""
    shown = {"next_try": at + timedelta(hours=24), "last_success_at": at} | shown
    return learned(held, replace(held, read_started_at=at, **shown), Cause.BANK)  # type: ignore[arg-type]


def test_what_powens_plans_is_waited_for_and_a_little_longer() -> None:
    assert soon_after(due_at(planned(after(hours=9))), after(hours=9))


def test_a_webhook_moves_it_on_so_that_it_is_never_due() -> None:
    held = planned()
    for day in range(1, 30):
        assert due_at(held) > after(days=day)
        held = synchronised(held, after(days=day))


@pytest.mark.parametrize(
    "told",
    [None, datetime(1970, 1, 1, tzinfo=UTC), NOW, after(minutes=5), after(days=30), datetime(2199, 12, 31, tzinfo=UTC)],
    ids=["absent", "1970", "now", "in a moment", "in a month", "2199"],
)
def test_a_plan_that_cannot_be_one_is_taken_for_a_day_after_the_last_success(told: datetime | None) -> None:
    assert soon_after(due_at(planned(told)), TOMORROW)


def test_without_a_plan_a_lost_webhook_is_noticed_each_day_at_the_same_time() -> None:
    held = planned(None)
    for day in range(1, 10):
        assert soon_after(due_at(held), after(days=day))
        held = reads(held, last_success_at=after(days=day))


def test_without_a_plan_a_read_shortly_before_the_day_is_over_does_not_put_it_off_by_another() -> None:
    held = replace(planned(None), read_started_at=after(hours=24, minutes=5))
    assert soon_after(due_at(held), TOMORROW)


def test_what_was_never_synchronised_is_expected_a_day_after_it_was_connected() -> None:
    assert soon_after(due_at(planned(None, last_success_at=None)), TOMORROW)


def test_an_account_that_is_missing_is_looked_for_when_it_may_be_closed_and_not_again_and_again() -> None:
    gone = account(1, missing_since=after(hours=-20))
    held = replace(connection(gone), next_try=TOMORROW)
    assert due_at(held) == after(hours=4)
    assert soon_after(due_at(replace(held, read_started_at=after(hours=4))), TOMORROW)
    closed = replace(connection(replace(gone, closed_at=NOW)), next_try=TOMORROW)
    assert soon_after(due_at(closed), TOMORROW)


def test_what_is_overdue_when_it_is_read_is_read_again_in_an_hour() -> None:
    held = replace(planned(), read_started_at=after(hours=26))
    assert waits(held) == FIRST_RETRY


def test_each_read_in_vain_doubles_the_wait_up_to_a_week_and_a_success_ends_that() -> None:
    held = planned()
    waited = []
    for _ in range(12):
        held = reads(held)
        waited.append(waits(held))
    assert waited[:6] == [timedelta(hours=hours) for hours in (1, 2, 4, 8, 16, 32)]
    assert waited[-1] == SLOWEST_RETRY
    again = synchronised(held, held.read_started_at + timedelta(hours=1))
    assert soon_after(due_at(again), again.read_started_at + timedelta(hours=24))


def test_what_powens_has_given_up_is_read_seldom_and_never_not_at_all() -> None:
    """Healthy to look at, and frozen: `next_try` is null, and the last success gets old."""
    held, times = planned(None), 0
    while held.read_started_at < after(days=60):
        before, held = held, reads(held)
        assert held.read_started_at - before.read_started_at <= SLOWEST_RETRY
        times += 1
    assert times < 20


def test_only_a_read_that_was_due_is_in_vain() -> None:
    held = replace(planned(), read_started_at=after(hours=1))
    assert learned(planned(), held, Cause.RECONCILIATION).reads_in_vain == 0
    assert learned(planned(), replace(held, read_started_at=after(hours=30)), Cause.BANK).reads_in_vain == 0


def test_how_late_powens_usually_is_is_learned_from_its_webhooks() -> None:
    """Late, or its dates are in another zone than ours are taken for: it is all the same by our clock."""
    held = synchronised(planned(), after(hours=26), next_try=after(hours=48))
    assert soon_after(due_at(held), after(hours=50))


def test_one_bad_day_of_powens_is_no_habit() -> None:
    held = synchronised(planned(), after(hours=34), next_try=after(hours=58))
    assert soon_after(due_at(held), after(hours=58))


def test_what_was_late_for_a_while_is_forgotten_in_time() -> None:
    held = synchronised(planned(), after(hours=27), next_try=after(hours=48))
    for day in range(2, 40):
        held = synchronised(held, after(days=day))
    assert due_at(held) <= after(days=40) + timedelta(minutes=10) + GRACE + SPREAD


def test_a_lost_webhook_does_not_make_the_next_one_expected_later() -> None:
    held = reads(planned(), last_success_at=TOMORROW, next_try=after(hours=48))
    assert soon_after(due_at(held), after(hours=48))


def test_even_without_webhooks_reads_in_vain_teach_that_powens_comes_later() -> None:
    held = reads(reads(reads(planned())))
    assert held.read_started_at > after(hours=27)
    shown = reads(held, last_success_at=after(hours=28), next_try=after(hours=48))
    assert due_at(shown) >= after(hours=48 + 3) + GRACE


def test_a_synchronisation_that_somebody_asked_for_says_nothing_about_the_plan() -> None:
    late = synchronised(planned(), after(hours=26), next_try=after(hours=48))
    forced = learned(
        late,
        replace(late, read_started_at=after(hours=30), last_success_at=after(hours=30), next_try=after(hours=54)),
        Cause.USER,
    )
    assert soon_after(due_at(forced), after(hours=56))


def test_users_who_are_expected_at_one_moment_are_due_one_after_the_other() -> None:
    dates = sorted(due_at(planned(user_id=f"user-{number}")) for number in range(1000))
    assert all(soon_after(due, TOMORROW) for due in dates)
    for tenth in range(10):
        begin = TOMORROW + GRACE + SPREAD * tenth / 10
        assert 50 <= sum(begin <= due < begin + SPREAD / 10 for due in dates) <= 150


def test_a_user_is_due_when_the_first_connection_is() -> None:
    soon, later = planned(after(hours=9)), planned(after(hours=20), id="another")
    gone = planned(after(hours=4), id="gone", removed_at=NOW)
    assert all_due_at("alice", [later, gone, soon], NOW, None) == due_at(soon)


def test_all_of_a_user_is_listed_now_and_then_whatever_is_expected() -> None:
    due = all_due_at("alice", [], NOW, None)
    assert due is not None
    assert NOW + LIST_EVERY * 0.9 <= due <= NOW + LIST_EVERY
    assert all_due_at("alice", [planned(after(days=300), read_started_at=after(days=300))], NOW, None) == due


def test_somebody_whom_nobody_ever_listed_is_due() -> None:
    assert all_due_at("alice", [planned()], None, None) is None


def test_who_should_be_back_from_the_webview_is_listed_once_from_then_on() -> None:
    held, back = [planned()], after(hours=1)
    assert all_due_at("alice", held, NOW, back) == back
    assert all_due_at("alice", held, back, back) == due_at(*held)
    assert all_due_at("alice", held, after(minutes=59), back) == back


def test_who_is_read_before_coming_back_is_looked_at_again_then() -> None:
    assert asked_again_at(NOW, NOW, after(minutes=20)) == after(minutes=20)
    assert asked_again_at(NOW, NOW, after(hours=2)) == NOW + FIRST_RETRY
    assert asked_again_at(NOW, NOW, after(hours=-2)) == NOW + FIRST_RETRY


def test_a_read_that_was_asked_for_and_never_made_is_asked_for_again_ever_more_seldom() -> None:
    assert asked_again_at(NOW, NOW) == NOW + FIRST_RETRY
    assert asked_again_at(NOW, after(hours=5)) == after(hours=10)
    assert asked_again_at(NOW, after(days=9)) == after(days=10)


def test_the_ledger_learns_from_each_read() -> None:
    held = replace(connection(), next_try=TOMORROW)
    seen = observed(at=after(hours=26), last_update=after(hours=26), next_try=after(hours=48))
    assert read(held, seen=seen, trigger=Cause.BANK).connection.plan_late_by == timedelta(hours=2)
    in_vain = observed(at=after(hours=26), next_try=TOMORROW, last_update=NOW)
    assert read(held, seen=in_vain, trigger=Cause.RECONCILIATION).connection.reads_in_vain == 1


moments = st.integers(-60 * 366, 174 * 365).flatmap(
    lambda day: st.floats(0, 24).map(lambda hours: NOW + timedelta(days=day, hours=hours))
)


@given(
    steps=st.lists(
        st.tuples(
            st.none() | moments,
            st.none() | moments,
            st.sampled_from([Cause.BANK, Cause.WEBVIEW, Cause.USER, Cause.RECONCILIATION]),
            st.floats(0, 1),
        ),
        max_size=12,
    )
)
def test_whatever_powens_says_a_connection_is_due_in_the_future_and_within_a_week(
    steps: list[tuple[datetime | None, datetime | None, Cause, float]],
) -> None:
    held = connection()
    for next_try, done, trigger, share in steps:
        at = held.read_started_at + (due_at(held) - held.read_started_at) * share
        shown = replace(held, read_started_at=at, next_try=next_try, last_success_at=done)
        held = learned(held, shown, trigger)
        limit = LONGEST_UNREAD if held.reads_in_vain < 7 else SLOWEST_RETRY
        assert timedelta() < waits(held) <= limit
        assert timedelta() <= held.plan_late_by <= LATEST
