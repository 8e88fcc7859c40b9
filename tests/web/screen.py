"""What a test of the page holds in its hands: the stub server and a tab."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.web import scenarios

SCREENSHOTS = Path(__file__).resolve().parents[1] / "screenshots" / "web"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}


def axe(page: Page) -> list[str]:
    """What axe finds, one line per rule and element."""
    results = Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}"
        for v in results.response["violations"]
        for node in v["nodes"]
    ]


class Stub:
    """The stub server as a test sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def reset(self, scenario: dict[str, Any] | None = None) -> None:
        self._client.post("/stub/reset", json=scenario or scenarios.demo()).raise_for_status()

    def settings(self, **values: Any) -> None:
        self._client.post("/stub/settings", json=values).raise_for_status()

    def put_user(self, user: str, data: dict[str, Any], *, quiet: bool = False) -> None:
        self._client.put(f"/stub/users/{user}", json=data, params={"quiet": "1"} if quiet else {}).raise_for_status()

    def user(self, user: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get("/stub/users").json()[user]
        return found

    def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        return [
            r for r in self._client.get("/stub/requests").json() if r["method"] == method and re.search(path, r["path"])
        ]

    def post(self, path: str) -> None:
        self._client.post(path).raise_for_status()

    def sockets(self, user: str) -> int:
        return int(self._client.get("/stub/sockets").json().get(user, 0))

    def close(self) -> None:
        self._client.close()

    def is_up(self) -> bool:
        try:
            return self._client.get("/config.json").status_code == 200
        except httpx.TransportError:
            return False


class Screen:
    """One person's tab, with what tests do most often. Fails a test that leaves an error in the console."""

    def __init__(self, page: Page, stub: Stub) -> None:
        self.page = page
        self.stub = stub
        self.problems: list[str] = []
        self.expected: tuple[str, ...] = ("Failed to load resource",)  # how the console reports an HTTP error status
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("request", self._check_origin)

    def _check_origin(self, request: Any) -> None:
        if not request.url.startswith((self.stub.url, self.stub.url.replace("http", "ws"))):
            self.problems.append(f"third-party request: {request.url}")

    def unexpected(self) -> list[str]:
        return [text for text in self.problems if not any(known in text for known in self.expected)]

    def open(self, user: str | None = "alice", path: str = "/") -> Page:
        self.page.goto(self.stub.url + path)
        if user is not None:
            self.page.locator(f'[data-testid=sign-in][data-user="{user}"]').click()
            expect(self.page.get_by_test_id("accounts-view")).to_have_attribute("aria-busy", "false")
        return self.page

    def institution(self, connection_id: str) -> Locator:
        return self.page.locator(f'[data-testid=institution][data-connection-id="{connection_id}"]')

    def account(self, account_id: str) -> Locator:
        return self.page.locator(f'[data-testid=account][data-account-id="{account_id}"]')

    def add(self, hook: str) -> None:
        """Opens what can be added, and takes one of it."""
        self.page.get_by_test_id("add").click()
        self.page.get_by_test_id("add-dialog").get_by_test_id(hook).click()

    def choose(self, connection_id: str, **ticks: bool) -> None:
        """Opens the tick-boxes and sets some of them: the part of the account id after the dot, and its state."""
        self.institution(connection_id).get_by_test_id("choose").click()
        expect(self.institution(connection_id).get_by_test_id("selection")).to_be_visible()
        for name, wanted in ticks.items():
            self.page.locator(f'[data-testid=account-choice][data-account-id="{connection_id}.{name}"]').set_checked(
                wanted
            )

    def finish(self, connection_id: str) -> None:
        self.institution(connection_id).get_by_test_id("finish").click()
        self.page.get_by_test_id("preview").get_by_test_id("confirm").click()

    def shot(self, name: str, *, full: bool = True) -> None:
        """A picture to look at: of the whole page, or with `full=False` of what is on the screen (dialogs)."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size or PHONE
        if full:
            self.page.evaluate("window.scrollTo(0, 0)")  # else the sticky header is drawn in the middle
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}.png", full_page=full)

    def axe(self) -> list[str]:
        return axe(self.page)


type OpenScreen = Callable[..., Screen]
