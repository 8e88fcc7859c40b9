"""The sandbox holds its load, and its memory of what happened has an end."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.powens_sandbox.bench import load
from local.powens_sandbox.logbook import Logbook
from tests.sandbox.driver import Consumer, running


def test_two_hundred_requests_a_second_are_answered_within_fifty_milliseconds() -> None:
    with running(webhook_base_url="") as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        worst = []
        # Other work on the machine may spoil one try; a sandbox that is too slow spoils all.
        for _ in range(3):
            latencies = sorted(asyncio.run(load(port, 200, 2)))
            worst.append(latencies[int(len(latencies) * 0.99) - 1])
            if worst[-1] < 50:
                return
    pytest.fail(f"p99 of each try, in ms: {worst}")


def test_the_logs_of_requests_and_deliveries_have_an_end(consumer: Consumer) -> None:
    with running(webhook_base_url=f"{consumer.url}/hooks", log_entries=20, log_bytes=5000, sync_delay=0.01) as sandbox:
        person = sandbox.person()
        made = person.connect("revolut")
        for _ in range(10):
            sandbox.admin("POST", f"/connections/{made['id']}/sync")
            for _ in range(4):
                person.get("/users/me")
        requests = sandbox.admin("GET", "/requests?limit=500")["requests"]
        deliveries = sandbox.admin("GET", "/webhooks?limit=500")["webhooks"]
    assert len(requests) == 20
    assert len(deliveries) <= 20
    assert sum(len(line["body"] or "") for line in deliveries) <= 5000


def test_a_backlog_that_nobody_takes_has_an_end() -> None:
    with running(webhook_base_url="http://127.0.0.1:9/hooks", backlog_entries=5, webhook_retry_interval=600) as sandbox:
        for _ in range(12):
            sandbox.person()

        def waiting() -> tuple[int, int]:
            found = sandbox.admin("GET", "/webhooks")
            return found["waiting"], found["overflowed"]

        from tests.polling import eventually

        assert eventually(lambda: waiting() == (5, 7))


@given(
    entries=st.lists(st.integers(0, 50), max_size=60),
    max_entries=st.integers(1, 20),
    max_bytes=st.integers(0, 200),
)
def test_a_logbook_never_exceeds_its_bounds(entries: list[int], max_entries: int, max_bytes: int) -> None:
    book: Logbook[bytearray] = Logbook(max_entries, max_bytes, len, bytearray.clear)
    for size in entries:
        book.add(bytearray(size))
        assert len(book) <= max_entries
        assert book.bytes == sum(map(len, book.newest())) <= max_bytes
    assert len(book) == min(len(entries), max_entries)
