"""The sandbox holds its load, and its memory of what happened has an end."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from local.powens_sandbox.bench import load
from local.powens_sandbox.logbook import Logbook
from tests.polling import eventually
from tests.sandbox.driver import Consumer, run, running


def cpu_seconds(pid: int) -> float:
    """What the process has used so far, its own work and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_two_hundred_requests_a_second_leave_half_a_core_free() -> None:
    """What a request costs does not depend on what else the machine does, as latency would; `bench` prints that one."""
    with running(webhook_base_url="") as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        run(load(port, 200, 0.5))
        before = cpu_seconds(sandbox.pid)
        latencies = run(load(port, 200, 4))
        used = cpu_seconds(sandbox.pid) - before
    assert len(latencies) == 800
    assert used / len(latencies) < 0.0025


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
