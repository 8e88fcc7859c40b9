"""Keeping up to date: with the socket, with it cut, with the API failing, and each person sees their own only."""

import pytest
from playwright.sync_api import expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.screen import OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def with_more(stub: Stub, user: str = "alice", *, quiet: bool = False) -> None:
    """Another device, or the bank, ticks the user's first unticked account."""
    data = stub.user(user)
    found = next(a for c in data["connections"] for a in c["accounts"] if not a["enabled"])
    found.update(enabled=True, status="enabled")
    stub.put_user(user, data, quiet=quiet)


def test_a_change_elsewhere_appears_at_once_through_the_socket(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(live=True))
    page = screen.open()
    expect(page.get_by_test_id("page-state")).to_have_text("Mises à jour en direct")
    eventually(lambda: stub.sockets("alice") == 1)
    with_more(stub)
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true", timeout=1500)


def test_a_change_missed_while_the_socket_was_cut_is_caught_up_when_it_is_back(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(live=True))
    screen.expected = (*screen.expected, "WebSocket connection")
    page = screen.open()
    eventually(lambda: stub.sockets("alice") == 1)
    stub.post("/stub/cut?accept=false")
    expect(page.get_by_test_id("page-state")).to_have_text("Mises à jour automatiques")
    with_more(stub, quiet=True)
    stub.settings(live_accepts=True)
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true")
    expect(page.get_by_test_id("page-state")).to_have_text("Mises à jour en direct")


def test_without_any_socket_the_choice_still_reaches_its_end(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(live=True, live_accepts=False))
    screen.expected = (*screen.expected, "WebSocket connection")
    screen.open()
    screen.choose("hor", la=True)
    screen.finish("hor")
    expect(screen.institution("hor").get_by_test_id("operation")).to_have_attribute("data-status", "completed")


def test_polling_asks_with_the_etag_and_backs_off_while_nothing_changes(new_screen: OpenScreen, stub: Stub) -> None:
    screen = new_screen()
    page = screen.page
    under_way: set[object] = set()
    page.on("request", lambda request: under_way.add(request.url) if "/v1/" in request.url else None)
    page.on("response", lambda response: under_way.discard(response.url))
    page.clock.install()
    screen.open()
    counts = []
    for _ in range(6):
        before = len(stub.requests("GET", "connections$"))
        for _ in range(12):
            page.clock.run_for(5_000)
            eventually(lambda: page.evaluate("1") and not under_way)
        counts.append(len(stub.requests("GET", "connections$")) - before)
    assert all("if-none-match" in r["headers"] for r in stub.requests("GET", "connections$")[1:])
    assert 2 <= counts[0] <= 5
    assert sum(counts[-3:]) <= 3


def test_coming_back_to_the_tab_looks_at_once(new_screen: OpenScreen, stub: Stub) -> None:
    screen = new_screen()
    page = screen.open()
    with_more(stub, quiet=True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true", timeout=1500)


def test_two_tabs_of_one_person_agree_and_another_person_sees_nothing_of_it(new_screen: OpenScreen, stub: Stub) -> None:
    stub.reset(scenarios.demo(live=True))
    first, second, other = new_screen(), new_screen(), new_screen()
    for tab, user in ((first, "alice"), (second, "alice"), (other, "bob")):
        tab.open(user)
    eventually(lambda: stub.sockets("alice") == 2 and stub.sockets("bob") == 1)
    before = len([r for r in stub.requests("GET", "connections$") if "Bearer bob" in r["headers"]["authorization"]])
    first.choose("rev", usd=False)
    first.finish("rev")
    for tab in (first, second):
        expect(tab.account("rev.usd")).to_have_attribute("data-enabled", "false")
    expect(other.page.get_by_test_id("institution")).to_have_count(1)
    expect(other.page.get_by_test_id("accounts-view")).not_to_contain_text("Revolut")
    assert (
        len([r for r in stub.requests("GET", "connections$") if "Bearer bob" in r["headers"]["authorization"]])
        == before
    )


def test_a_short_failure_of_the_api_is_repeated_with_the_same_key_and_never_shown(screen: Screen, stub: Stub) -> None:
    broken = {
        "method": "PUT",
        "path": "/v1/connections/rev/selection",
        "status": 503,
        "code": "unavailable",
        "times": 1,
    }
    screen.open()
    screen.choose("rev", usd=False)
    screen.institution("rev").get_by_test_id("finish").click()
    expect(screen.page.get_by_test_id("preview")).to_be_visible()
    stub.settings(fail=[broken])
    screen.page.get_by_test_id("confirm").click()
    expect(screen.institution("rev").get_by_test_id("operation")).to_have_attribute("data-status", "completed")
    sent = [r["headers"]["idempotency-key"] for r in stub.requests("PUT", "selection") if not r["query"]]
    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_a_failing_api_leaves_the_list_on_the_screen_and_says_how_old_it_is(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    stub.settings(
        fail=[{"method": "GET", "path": "/v1/connections", "status": 500, "code": "internal_error", "times": 2}]
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_test_id("page-state")).to_contain_text("Service injoignable")
    expect(screen.institution("rev")).to_be_visible()
    expect(page.get_by_test_id("page-state")).to_have_text("Mises à jour automatiques", timeout=15_000)


def test_an_expired_token_is_renewed_without_a_word_in_the_demo(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    stub.post("/stub/expire")
    with_more(stub, quiet=True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true")


def test_an_error_page_tries_again_by_itself(screen: Screen, stub: Stub) -> None:
    stub.settings(
        fail=[{"method": "GET", "path": "/v1/connections", "status": 500, "code": "internal_error", "times": 1}]
    )
    screen.page.goto(stub.url)
    screen.page.locator("[data-user=alice]").click()
    expect(screen.page.get_by_test_id("error")).to_be_visible()
    expect(screen.institution("rev")).to_be_visible()
    expect(screen.page.get_by_test_id("error")).to_have_count(0)
