"""One Chromium for all browser tests of a session, and how the tests are shared out between two processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

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
SHARING_A_SERVER = ("e2e", "web", "sandbox")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares a server in one process; other tests go by file."""

    def group(item: pytest.Item) -> str:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return folder if folder in SHARING_A_SERVER else str(item.path)

    ranks = {name: rank for rank, name in enumerate(SHARING_A_SERVER)}
    items.sort(key=lambda item: ranks.get(group(item), len(ranks)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


# Playwright's synchronous API allows one instance a process.
@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
