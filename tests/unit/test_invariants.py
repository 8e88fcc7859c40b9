"""The checks that the chaos and load runs end with do find what they are for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.worlds import events, invariants
from tests.worlds.events import Published

AT = datetime(2026, 3, 5, 9, 41, 7, tzinfo=UTC)


def detail(event: str, revision: int, *lines: tuple[str, str, bool], **data: Any) -> dict[str, Any]:
    accounts = [
        {"account_id": account, "change": change, "enabled": enabled, "type": "checking", "currency": "EUR"}
        for account, change, enabled in lines
    ]
    return {
        "metadata": {"event_id": event},
        "data": {"connection_id": "c1", "revision": revision, "accounts": accounts, **data},
    }


ADDED = ("AccountsUpdated", detail("e1", 1, ("a1", "added", False), ("a2", "added", True)))
ENABLED = ("AccountsUpdated", detail("e2", 2, ("a1", "enabled", True)))
REMOVED = ("ConnectionRemoved", detail("e3", 3, ("a1", "removed", False), ("a2", "removed", False)))
END = ("OperationEnded", detail("e4", 2, operation_id="o1"))
WRITTEN = (ADDED, ENABLED, END)


def account(account_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": account_id, "name": account_id.upper(), "enabled": True, "status": "enabled", "type": "checking",
        "currency": "EUR", "duplicate_of": None, **changes,
    }  # fmt: skip


def connection(*accounts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"id": "c1", "revision": 2, "accounts": list(accounts), **changes}


def test_events_in_any_order_and_repeated_are_fine() -> None:
    published = Published(WRITTEN, (END, ENABLED, ADDED, ENABLED))
    assert published.violations() == []
    assert published.repeats == 1
    assert events.fold_is_the_state(published, [connection(account("a1"), account("a2"))], []) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ((ADDED, END), ["event e2 was lost"]),
        ((*WRITTEN, ("OperationEnded", detail("e9", 2, operation_id="o2"))), ["event e9 belongs to no state"]),
        ((*WRITTEN, ("AccountsUpdated", detail("e2", 2, ("a1", "enabled", False)))), ["event e2 has two contents"]),
    ],
)
def test_an_event_that_is_lost_or_made_up_or_changed_is_found(seen: Any, said: list[str]) -> None:
    assert Published(WRITTEN, seen).violations() == said


def test_an_effect_told_twice_is_found() -> None:
    twice = (*WRITTEN, ("ConnectionUpdated", detail("e8", 2)), ("OperationEnded", detail("e9", 2, operation_id="o1")))
    assert Published(twice, twice).violations() == [
        "revision 2 of c1 was told 2 times",
        "the end of operation o1 was told 2 times",
    ]


def test_a_hole_in_the_revisions_is_found_though_no_event_is_missing() -> None:
    written = (ADDED, REMOVED)
    assert Published(written, written).violations() == ["revision 2 of c1 was never told"]


@pytest.mark.parametrize(
    "shown",
    [
        connection(account("a1", enabled=False), account("a2")),
        connection(account("a1")),
        connection(account("a1"), account("a2", currency="USD")),
        connection(account("a1"), account("a2"), revision=3),
    ],
)
def test_a_fold_that_differs_from_the_api_is_found(shown: dict[str, Any]) -> None:
    assert events.fold_is_the_state(Published(WRITTEN, WRITTEN), [shown], [])


def test_a_removed_connection_that_is_told_of_again_is_found() -> None:
    gone = (ADDED, ENABLED, REMOVED)
    assert events.fold_is_the_state(Published(gone, gone), [], ["c1"]) == []
    back = (*gone, ("AccountsUpdated", detail("e9", 4, ("a1", "added", True))))
    assert len(events.fold_is_the_state(Published(back, back), [], ["c1"])) == 2


def test_a_difference_from_powens_is_found() -> None:
    shown = [connection(account("a1"))]
    assert invariants.same_at_powens(shown, {"c1": {"A1": True}}) == []
    assert invariants.same_at_powens(shown, {"c1": {"A1": False}})
    assert invariants.same_at_powens(shown, {}) == ["c1 is shown and is not at Powens"]
    assert invariants.same_at_powens([], {"c1": {}}) == ["c1 is at Powens and is not shown"]


@pytest.mark.parametrize("told", [None, "12.51"])
def test_a_balance_that_was_not_heard_of_is_found(told: str | None) -> None:
    there = {"c1": {"A1": Decimal("12.5")}}
    assert invariants.balances_are_of_powens([connection(account("a1", balance="12.50"))], there) == []
    old = account("a1", balance=told)
    assert invariants.balances_are_of_powens([connection(old)], there) == [f"A1 of c1 shows {told}, Powens has 12.5"]
    assert invariants.balances_are_of_powens([connection({**old, "enabled": False})], there) == []


def test_a_choice_that_was_lost_is_found() -> None:
    shown = [connection(account("a1"), account("a2"))]
    assert invariants.choices_are_kept(shown, {"a1": True, "a2": True, "gone": False}) == []
    assert invariants.choices_are_kept(shown, {"a1": False}) == ["a1 (A1) is enabled, chosen was disabled"]


def test_what_is_still_under_way_is_found() -> None:
    assert invariants.at_rest([connection(account("a1"), account("a2", status="closed_at_bank"))]) == []
    assert invariants.at_rest([connection(account("a1", status="enabling"))]) == ["a1 is enabling"]


def operation(**changes: Any) -> dict[str, Any]:
    return {"id": "o1", "status": "running", "deadline_at": AT.isoformat(), "ended_at": None, **changes}


def test_an_operation_that_does_not_end_in_time_is_found() -> None:
    in_time, late = (AT + invariants.GRACE + timedelta(seconds=n) for n in (0, 1))
    assert invariants.operations_have_ended([operation(ended_at=in_time.isoformat())], late) == []
    assert invariants.operations_have_ended([operation()], AT) == ["operation o1 is running"]
    assert invariants.operations_have_ended([operation()], late) == ["operation o1 is running past its deadline"]
    assert invariants.operations_have_ended([operation(ended_at=late.isoformat())], late) == [
        "operation o1 ended 0:01:31 after its deadline"
    ]


def test_an_account_that_counts_twice_or_not_at_all_is_found() -> None:
    same = [frozenset({"a1", "b1"})]

    def said(first: str | None, second: str | None) -> list[str]:
        shown = [connection(account("a1", duplicate_of=first), account("b1", duplicate_of=second))]
        return invariants.one_account_counts_once(shown, same)

    assert said(None, "a1") == []
    assert said(None, None) == ["2 of ['a1', 'b1'] count, which are one account"]
    assert said("b1", "a1")
    assert said(None, "x") == ["b1 names x"]


def test_a_secret_in_a_text_is_found_and_not_repeated() -> None:
    secrets = {"a token": "s3cret"}
    assert invariants.nothing_secret({"a log": "nothing"}, secrets) == []
    assert invariants.nothing_secret({"a log": "token=s3cret"}, secrets) == ["a token is in a log"]


def test_an_erasure_that_is_told_twice_or_not_last_is_found() -> None:
    def told(*kinds_and_ids: str) -> list[tuple[str, dict[str, Any]]]:
        pairs = (word.split() for word in kinds_and_ids)
        return [(kind, {"metadata": {"event_id": name}, "data": {"user_id": "u1"}}) for kind, name in pairs]

    fine = told("AccountsUpdated e1", "UserErased e2", "AccountsUpdated e1", "UserErased e2")
    assert events.erased_for_good(fine, "u1") == []
    assert events.erased_for_good(fine, "u2") == ["the erasure of u2 was told 0 times"]
    twice = told("UserErased e1", "UserErased e2")
    assert events.erased_for_good(twice, "u1") == ["the erasure of u1 was told 2 times"]
    late = told("UserErased e1", "AccountsUpdated e2")
    assert events.erased_for_good(late, "u1") == ["AccountsUpdated was told after the erasure of u1"]
