"""One sandbox process for the whole suite, one consumer of its webhooks, and everything forgotten between two tests."""

import threading
from collections.abc import Iterator

import pytest

from powens_sandbox.tests.driver import (
    RETURN,
    SECRET,
    Consumer,
    ConsumerServer,
    Person,
    Sandbox,
    consumer_handler,
    running,
)
from powens_sandbox.tests.polling import eventually


@pytest.fixture(scope="session")
def consumer() -> Iterator[Consumer]:
    consumer = Consumer()
    server = ConsumerServer(("127.0.0.1", 0), consumer_handler(consumer))
    consumer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield consumer
    consumer.hang.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def process(consumer: Consumer) -> Iterator[Sandbox]:
    with running(
        webhook_base_url=f"{consumer.url}/hooks",
        webhook_secret=SECRET,
        redirect_uris=f"{RETURN},wealthapp://back",
        sync_delay=0.05,
        webhook_retry_interval=0.3,
        first_sync_transactions=5,
        forced_sync_seconds=0,
    ) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(process: Sandbox, consumer: Consumer) -> Sandbox:
    process.admin("POST", "/reset")
    # What was on its way when everything was forgotten still arrives.
    eventually(lambda: process.admin("GET", "/webhooks")["waiting"] == 0)
    consumer.clear()
    return process


@pytest.fixture
def person(sandbox: Sandbox) -> Person:
    return sandbox.person()
