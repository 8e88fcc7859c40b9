"""What only a tap needs is loaded by that tap: once, and again by the next tap when it could not be had."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.web.screen import Screen, Stub

pytestmark = pytest.mark.browser

VIEWS = "**/js/views/*"


def see_what_can_be_added(page: Page) -> None:
    page.get_by_test_id("add").click()


def ask_about_a_missing_account(page: Page) -> None:
    card = page.locator("[data-connection-id=rev]")
    card.get_by_test_id("missing-hint").evaluate("(hint) => { hint.open = true; }")
    card.get_by_test_id("missing-ask").click()


def change_a_manual_account(page: Page) -> None:
    page.get_by_test_id("edit-manual").click()


def choose_accounts(page: Page) -> None:
    page.locator("[data-connection-id=rev]").get_by_test_id("choose").click()


def show_the_history(page: Page) -> None:
    page.locator("a[href='#/history']").click()


def show_the_history_of_a_connection(page: Page) -> None:
    card = page.locator("[data-connection-id=rev]")
    card.get_by_test_id("extra").evaluate("(extra) => { extra.open = true; }")
    card.get_by_test_id("history").click()


def end_a_connection(page: Page) -> None:
    card = page.locator("[data-connection-id=rev]")
    card.get_by_test_id("extra").evaluate("(extra) => { extra.open = true; }")
    card.get_by_test_id("end").click()


@pytest.mark.parametrize(
    ("tap", "shown"),
    [
        (see_what_can_be_added, "add-dialog"),
        (ask_about_a_missing_account, "missing"),
        (change_a_manual_account, "edit-manual-account"),
        (choose_accounts, "selection"),
        (show_the_history, "history-view"),
        (show_the_history_of_a_connection, "history-view"),
        (end_a_connection, "end-connection"),
    ],
)
def test_without_a_connection_a_tap_says_so_and_the_next_one_tries_again(
    screen: Screen, tap: Callable[[Page], None], shown: str
) -> None:
    page = screen.open()
    page.route(VIEWS, lambda route: route.abort())
    for _ in range(2):
        tap(page)
        expect(page.get_by_test_id("toast")).to_have_attribute("data-code", "unreachable")
        expect(page.get_by_test_id("accounts-view")).to_be_visible()
        expect(page.get_by_test_id(shown)).to_have_count(0)
        page.get_by_test_id("toast-close").click()
    page.unroute(VIEWS)
    tap(page)
    expect(page.get_by_test_id(shown)).to_be_visible()


def held_back(page: Page, pattern: str) -> list[Route]:
    """The requests of that pattern, which wait for an answer until the test lets them go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(pattern, hold)
    return held


def asking(page: Page) -> Locator:
    return page.locator("[data-connection-id=rev]").get_by_test_id("missing-ask")


def test_a_tap_is_busy_while_its_dialogue_is_on_its_way(screen: Screen) -> None:
    page = screen.open()
    held = held_back(page, "**/js/views/missing-account.js")
    ask_about_a_missing_account(page)
    expect(asking(page)).to_have_class("button outline busy")
    held[0].continue_()
    expect(page.get_by_test_id("missing")).to_be_visible()
    expect(asking(page)).to_have_class("button outline")


def test_what_can_be_added_stays_on_the_screen_while_the_next_step_is_on_its_way(screen: Screen) -> None:
    page = screen.open()
    held = held_back(page, "**/js/views/manual-dialogs.js")
    screen.add("add-manual")
    option = page.get_by_test_id("add-manual")
    expect(option).to_have_class("button option busy")
    held[0].continue_()
    expect(page.get_by_test_id("add-manual-account")).to_be_visible()
    expect(option).to_have_count(0)


def test_a_dialogue_that_comes_after_the_next_tap_does_not_open(screen: Screen) -> None:
    page = screen.open()
    held = held_back(page, "**/js/views/missing-account.js")
    ask_about_a_missing_account(page)
    expect(asking(page)).to_have_class("button outline busy")
    change_a_manual_account(page)
    expect(page.get_by_test_id("edit-manual-account")).to_be_visible()
    held[0].continue_()
    expect(asking(page)).to_have_class("button outline")
    expect(page.get_by_test_id("missing")).to_have_count(0)


def test_the_sign_in_page_is_loaded_only_when_it_is_shown(screen: Screen) -> None:
    page = screen.open()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.get_by_test_id("accounts-view")).to_have_attribute("aria-busy", "false")
    assert [url for url in asked if "sign-in" in url] == []
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    assert [url for url in asked if "sign-in" in url] != []


def test_signing_out_without_a_connection_leaves_nothing_on_the_screen(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    page.reload()
    expect(page.get_by_test_id("accounts-view")).to_have_attribute("aria-busy", "false")
    page.route("**/js/views/sign-in.js*", lambda route: route.abort())
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("boot-error")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Revolut")
    page.unroute("**/js/views/sign-in.js*")
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
