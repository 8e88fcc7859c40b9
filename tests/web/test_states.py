"""Every state of the page is designed, says what it means, and passes axe; a picture of each is kept to look at."""

from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.web.scenarios import TROUBLES
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Stub
from tests.web.states import STATES, changing

pytestmark = pytest.mark.browser

BOTH: tuple[tuple[ViewportSize, Literal["light", "dark"]], ...] = ((PHONE, "light"), (DESKTOP, "dark"))


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("name", STATES)
def test_the_state_is_designed_and_accessible_on_a_phone_and_a_desktop(
    name: str, new_screen: OpenScreen, stub: Stub
) -> None:
    scenario, reach = STATES[name]
    stub.reset(scenario)
    screen = new_screen(viewport=PHONE, is_mobile=True, has_touch=True, reduced_motion="reduce")
    reach(screen, stub)
    # A picture of the whole page would draw what sticks to the screen's edge in the middle.
    full = screen.page.locator("dialog, .choice-bar").count() == 0
    findings = []
    for size, scheme in BOTH:
        screen.page.set_viewport_size(size)
        screen.page.emulate_media(color_scheme=scheme)
        assert overflow(screen.page) <= 0, f"wider than the screen at {size['width']}"
        findings += [f"{size['width']} {scheme}: {finding}" for finding in screen.axe()]
        screen.shot(f"{name}-{scheme}", full=full)
    assert findings == []


def test_a_small_phone_and_text_at_200_percent_need_no_side_scrolling(new_screen: OpenScreen, stub: Stub) -> None:
    stub.reset(TROUBLES)
    screen = new_screen(viewport={"width": 320, "height": 640}, is_mobile=True)
    screen.open()
    assert overflow(screen.page) <= 0
    screen.page.set_viewport_size(PHONE)
    screen.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow(screen.page) <= 0
    screen.shot("enlarged")


def test_everything_to_tap_is_large_enough(new_screen: OpenScreen, stub: Stub) -> None:
    screen = new_screen(is_mobile=True, has_touch=True)
    page = screen.open()
    small = page.evaluate("""[...document.querySelectorAll('button, a, summary, input, select')]
        .filter((e) => e.checkVisibility() && !e.matches('.skip'))
        .map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.height < 44 || r.width < 24)
        .map(([text, r]) => `${text} ${r.width}x${r.height}`)""")
    assert small == []


def test_no_animation_runs_for_people_who_asked_for_less_motion(new_screen: OpenScreen, stub: Stub) -> None:
    stub.settings(work=None)
    screen = new_screen(reduced_motion="reduce")
    changing(screen, stub)
    assert screen.page.evaluate("document.getAnimations().length") == 0


def test_how_long_ago_something_was_grows_while_the_page_is_looked_at(new_screen: OpenScreen) -> None:
    screen = new_screen()
    screen.page.clock.install()
    screen.open()
    status = screen.institution("rev").get_by_test_id("connection-status")
    expect(status).to_contain_text("il y a 12 minutes")
    screen.page.clock.run_for("01:05")
    expect(status).to_contain_text("il y a 13 minutes")
