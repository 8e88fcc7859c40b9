"""The page by keyboard alone, and ticks that outlast a look elsewhere."""

import pytest
from playwright.sync_api import expect

from tests.web.screen import DESKTOP, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def test_the_whole_choice_can_be_made_with_the_keyboard_alone(new_screen: OpenScreen, stub: Stub) -> None:
    screen = new_screen(viewport=DESKTOP)
    page = screen.page
    page.goto(stub.url)
    expect(page.get_by_role("button", name="Alice")).to_be_visible()

    def press_until(test_id: str, key: str = "Tab", limit: int = 60) -> None:
        for _ in range(limit):
            page.keyboard.press(key)
            if page.evaluate("document.activeElement.dataset.testid") == test_id:
                return
        raise AssertionError(f"{test_id} is not reached with {key}")

    press_until("sign-in")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    press_until("choose")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("account-choice").first).to_be_focused()
    press_until("account-choice")
    page.keyboard.press("Space")
    press_until("finish")
    page.keyboard.press("Enter")
    preview = page.get_by_test_id("preview")
    expect(preview.get_by_role("heading", level=2)).to_be_focused()
    expect(preview.get_by_test_id("effect-disable")).to_contain_text("Carte Visa")
    press_until("dialog-cancel")
    press_until("confirm")
    page.keyboard.press("Escape")
    expect(preview).to_have_count(0)
    expect(screen.institution("hor").get_by_test_id("finish")).to_be_focused()
    page.keyboard.press("Enter")
    expect(preview).to_be_visible()
    press_until("confirm")
    page.keyboard.press("Enter")
    operation = screen.institution("hor").get_by_test_id("operation")
    expect(operation).to_have_attribute("data-status", "completed")
    expect(operation).to_be_focused()
    press_until("undo", limit=2)
    page.keyboard.press("Enter")
    expect(operation).to_have_attribute("data-kind", "undo")


def test_unsent_ticks_survive_a_look_at_the_history_and_a_change_of_language(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.choose("rev", usd=False)
    page.get_by_role("link", name="Historique").click()
    expect(page.get_by_test_id("history-empty")).to_be_visible()
    page.get_by_role("link", name="Comptes").click()
    expect(page.get_by_test_id("account-choice").nth(1)).not_to_be_checked()
    page.get_by_test_id("language-en").click()
    expect(page.get_by_test_id("choice-count")).to_have_text("2 of 3 accounts ticked")
    assert stub.requests("PUT", "selection") == []


def test_a_keyboard_user_can_skip_to_the_content_of_the_page_they_are_on(screen: Screen) -> None:
    page = screen.open()
    page.get_by_role("link", name="Historique").click()
    expect(page.get_by_test_id("history-empty")).to_be_visible()
    page.get_by_role("link", name="Aller au contenu").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_test_id("history-view")).to_be_visible()
