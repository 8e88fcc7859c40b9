"""One Chromium for all browser tests of a session, and how the tests are shared out between two processes."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# As root and offline: no sandbox of its own, and nothing that looks for the internet.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# How long one example takes says more about the machine than about the code; what is to be fast has tests of its own.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# Each of these has something that is expensive to start; the one that takes longest begins first.
SHARING_A_SERVER = ("e2e", "web", "powens_sandbox", "clients")


def together(nodeid: str) -> str:
    """What is run in one process: the tests that share a server, else those of a file."""
    file = nodeid.partition("::")[0]
    first, second, *_ = file.split("/")
    folder = second if first == "tests" else first
    return folder if folder in SHARING_A_SERVER else file


class Together(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Shares the tests out between processes by `together`."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


@pytest.hookimpl(optionalhook=True)  # pytest-xdist asks, and only when there is more than one process
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(SHARING_A_SERVER)}
    items.sort(key=lambda item: ranks.get(together(item.nodeid), len(ranks)))


# Playwright's synchronous API allows one instance a process.
@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
