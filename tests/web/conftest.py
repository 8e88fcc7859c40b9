"""A stub of the API with the page's files; one fresh browser context per test."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.polling import eventually
from tests.web.screen import PHONE, OpenScreen, Screen, Stub

ROOT = Path(__file__).resolve().parents[2]
expect.set_options(timeout=8000)


@pytest.fixture(scope="session")
def stub_server() -> Iterator[Stub]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(ROOT / ".venvs/local/bin/uvicorn"),
        "tests.web.stub.app:app",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        [*command, "--log-level", "warning", "--timeout-graceful-shutdown", "1"],
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "*"},
    )
    stub = Stub(f"http://127.0.0.1:{port}")
    try:
        eventually(stub.is_up, seconds=15)
        yield stub
    finally:
        stub.close()
        process.terminate()
        process.wait(10)


@pytest.fixture
def stub(stub_server: Stub) -> Stub:
    stub_server.reset()
    return stub_server


@pytest.fixture
def new_screen(browser: Browser, stub: Stub) -> Iterator[OpenScreen]:
    """Opens a tab with its own storage; keyword arguments are those of a browser context."""
    contexts: list[BrowserContext] = []
    screens: list[Screen] = []

    def make(**options: Any) -> Screen:
        context = browser.new_context(
            **({"viewport": PHONE, "locale": "fr-FR", "timezone_id": "Europe/Paris"} | options)
        )
        contexts.append(context)
        screen = Screen(context.new_page(), stub)
        screens.append(screen)
        return screen

    yield make
    for context in contexts:
        context.close()
    assert [problem for screen in screens for problem in screen.unexpected()] == []


@pytest.fixture
def screen(new_screen: OpenScreen) -> Screen:
    return new_screen()
