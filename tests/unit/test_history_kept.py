"""How long an event stays in a user's history."""

from datetime import timedelta

import pytest

from shared.adapters.dynamodb.outbox import HISTORY_KEPT, OUTBOX_KEPT, Outbox
from shared.domain.facts import Cause, Change, Fact, FactType, change_of
from tests.builders import NOW, USER, FixedClock, account


@pytest.mark.parametrize(
    ("changes", "cause", "kept"),
    [
        ([Change.REFRESHED], Cause.BANK, OUTBOX_KEPT),
        ([Change.REFRESHED, Change.REFRESHED], Cause.RECONCILIATION, OUTBOX_KEPT),
        ([Change.REFRESHED, Change.RENAMED], Cause.BANK, HISTORY_KEPT),
        ([Change.ENABLED], Cause.WEBVIEW, HISTORY_KEPT),
        ([Change.REFRESHED], Cause.USER, HISTORY_KEPT),
        ([], Cause.BANK, HISTORY_KEPT),
    ],
)
def test_only_the_news_that_data_is_newer_is_forgotten_after_days(
    changes: list[Change], cause: Cause, kept: timedelta
) -> None:
    lines = tuple(change_of(account(number), change) for number, change in enumerate(changes, start=1))
    fact = Fact(
        type=FactType.ACCOUNTS_UPDATED,
        user_id=USER,
        connection_id="connection",
        revision=2,
        cause=cause,
        accounts=lines,
    )
    write = Outbox(FixedClock(), lambda: "id").event(fact, {}, "Banque du Test", "correlation")
    assert write.content["ttl"] == int((NOW + kept).timestamp())
