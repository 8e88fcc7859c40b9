"""One Chromium for all browser tests of a session: Playwright's synchronous API allows one instance a process."""

from collections.abc import Iterator

import pytest
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
