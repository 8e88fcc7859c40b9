"""Live updates on the running system: over a socket of the test's own, and in pages of a real browser."""

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.e2e.conftest import System
from tests.e2e.listener import Listener, listening, token_of
from tests.e2e.people import Person
from tests.polling import eventually

pytestmark = pytest.mark.slow

SOON_SECONDS = 2.0


def sockets_kept(system: System, user: str) -> int:
    answer = system.client("dynamodb").query(
        TableName=system.outputs["TableName"],
        KeyConditionExpression="pk = :user AND begins_with(sk, :socket)",
        ExpressionAttributeValues={":user": {"S": f"USER#{user}"}, ":socket": {"S": "SOCKET#"}},
    )
    return int(answer["Count"])


@pytest.fixture
def person(system: System) -> Iterator[Person]:
    with Person(system) as made:
        yield made


@pytest.fixture
def stranger(system: System) -> Iterator[Person]:
    with Person(system, "banque-horizon") as made:
        yield made


@pytest.mark.quiet
def test_a_person_hears_of_their_own_change_at_once_and_nobody_else_does(
    system: System, person: Person, stranger: Person
) -> None:
    with listening(system, person.id) as hers, listening(system, stranger.id) as theirs:
        assert (hers.status, hers.headers["sec-websocket-protocol"]) == (101, "synced-accounts")
        began = time.monotonic()
        operation = person.select("EUR")
        eventually(lambda: [m for m in hers.heard if m["event"] == "AccountsUpdated"], seconds=5)
        assert time.monotonic() - began < SOON_SECONDS
        person.ended(operation)

        # What the stranger hears first is the stranger's own: nothing of the other has come before it.
        stranger.flip("Compte courant", enabled=False)
        eventually(lambda: theirs.heard, seconds=20)
        assert {m["connection_id"] for m in theirs.heard} == {stranger.connection["id"]}
        assert {m["connection_id"] for m in hers.heard} == {person.connection["id"]}


def test_the_revision_that_is_told_is_the_one_that_the_api_shows(system: System, person: Person) -> None:
    with listening(system, person.id) as hers:
        person.ended(person.select("EUR", "USD"))
        eventually(lambda: person.connection["revision"] in {m["revision"] for m in hers.heard}, seconds=5)
        assert all(set(m) == {"type", "event", "connection_id", "revision"} for m in hers.heard)


def _forged(system: System) -> str:
    head, claims, signature = token_of(system, "alice").split(".")
    return f"{head}.{claims}.{signature[::-1]}"


REFUSED: dict[str, Callable[[System], tuple[str, ...]]] = {
    "no protocol": lambda _: (),
    "no token": lambda _: ("synced-accounts",),
    "no real token": lambda _: ("synced-accounts", "bearer.x"),
    "a forged token": lambda system: ("synced-accounts", f"bearer.{_forged(system)}"),
    "an expired token": lambda system: ("synced-accounts", f"bearer.{token_of(system, 'alice', exp=1)}"),
    "another app's token": lambda system: ("synced-accounts", f"bearer.{token_of(system, 'alice', aud='x')}"),
    "another issuer's token": lambda system: (
        "synced-accounts",
        f"bearer.{token_of(system, 'alice', iss='https://login.example.com')}",
    ),
}


@pytest.mark.parametrize("offered", REFUSED.values(), ids=REFUSED)
def test_there_is_no_socket_with(offered: Callable[[System], tuple[str, ...]], system: System) -> None:
    with Listener(system, *offered(system)) as refused:
        assert refused.status == 401


def test_a_socket_that_ends_is_forgotten(system: System) -> None:
    user = f"user-{secrets.token_hex(6)}"
    with listening(system, user):
        assert sockets_kept(system, user) == 1
    eventually(lambda: sockets_kept(system, user) == 0, seconds=10)


def test_a_socket_is_closed_without_a_word_when_its_token_has_run_out(system: System, person: Person) -> None:
    until = int(time.time()) + 3
    with listening(system, person.id, exp=until) as old, listening(system, person.id) as new:
        eventually(lambda: time.time() > until + 0.5, seconds=10)
        old_heard = len(old.heard)
        person.ended(person.select("EUR"))
        eventually(lambda: old.closed_with, seconds=10)
        assert len(old.heard) == old_heard
        eventually(lambda: new.heard, seconds=5)
    assert token_of(system, person.id)[:20] not in (system.logs / "LiveUpdatesFunction.log").read_text("utf-8")


# --- in the page ---------------------------------------------------------------------------------------------------


class Tab:
    """A page signed in as a person of the test's own: the demo's door hands out that person's token."""

    def __init__(self, browser: Browser, person: Person) -> None:
        self._context = browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-FR")
        self._context.set_default_timeout(15_000)
        self.page: Page = self._context.new_page()
        self.person = person
        self.lists = 0
        self.page.route("**/demo/token", self._token)
        self.page.on("request", self._count)

    def open(self) -> Self:
        self.page.goto(self.person.system.url)
        self.page.locator("[data-testid=sign-in][data-user=alice]").click()
        expect(self.page.get_by_test_id("page-state")).to_have_text("Mises à jour en direct")
        return self

    def shows(self, account: dict[str, Any], *, enabled: bool, seconds: float = SOON_SECONDS) -> None:
        row = self.page.locator(f'[data-testid=account][data-account-id="{account["id"]}"]')
        expect(row).to_have_attribute("data-enabled", str(enabled).lower(), timeout=seconds * 1000)

    def close(self) -> None:
        self._context.close()

    def _token(self, route: Route) -> None:
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=50)
        token = token_of(self.person.system, self.person.id)
        route.fulfill(json={"token": token, "expires_at": expires.isoformat()})

    def _count(self, request: Any) -> None:
        self.lists += request.url.endswith("/v1/connections")


@pytest.fixture
def tab_of(browser: Browser) -> Iterator[Callable[[Person], Tab]]:
    tabs: list[Tab] = []

    def new(person: Person) -> Tab:
        tabs.append(Tab(browser, person))
        return tabs[-1]

    yield new
    for tab in tabs:
        tab.close()


@pytest.mark.browser
def test_both_tabs_of_a_person_show_a_change_made_elsewhere_and_another_persons_tab_does_not_even_ask(
    person: Person, stranger: Person, tab_of: Callable[[Person], Tab]
) -> None:
    first, second, other = tab_of(person).open(), tab_of(person).open(), tab_of(stranger).open()
    account = person.account("USD")
    for tab in (first, second):
        tab.shows(account, enabled=True)
    lists = other.lists
    person.ended(person.select("EUR", "GBP"))
    for tab in (first, second):
        tab.shows(account, enabled=False)
    # Long enough for a message to have come: the stranger's own change does.
    assert other.lists == lists
    own = stranger.account("Compte courant")
    stranger.flip("Compte courant", enabled=False)
    other.shows(own, enabled=False, seconds=20)
    expect(other.page.get_by_test_id("institution")).to_have_count(1)
    expect(other.page.get_by_test_id("accounts-view")).not_to_contain_text("Revolut")


@pytest.mark.browser
def test_a_tab_whose_socket_was_cut_catches_up_when_it_is_back(person: Person, tab_of: Callable[[Person], Tab]) -> None:
    tab = tab_of(person)
    sockets: list[WebSocketRoute] = []
    cut = False

    def through(route: WebSocketRoute) -> None:
        if cut:
            route.close()
            return
        sockets.append(route)
        route.connect_to_server()

    tab.page.route_web_socket("**/live", through)
    tab.open()
    account = person.account("USD")
    tab.shows(account, enabled=True)
    cut = True
    sockets[0].close()
    person.ended(person.select("EUR", "GBP"))
    cut = False
    tab.shows(account, enabled=False, seconds=15)
    expect(tab.page.get_by_test_id("page-state")).to_have_text("Mises à jour en direct")
    assert len(sockets) == 2
