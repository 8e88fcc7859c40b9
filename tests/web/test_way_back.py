"""The way back from Powens: what the page says of a visit, and of one that nobody ended."""

import pytest
from playwright.sync_api import expect

from tests.web.screen import OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("done", "C’est noté pour Banque Horizon. Les comptes seront mis à jour prochainement."),
        ("cancelled", "sans terminer pour Banque Horizon"),
        ("failed", "un problème avec Banque Horizon"),
    ],
)
def test_coming_back_from_powens_says_what_happened_once(screen: Screen, stub: Stub, result: str, text: str) -> None:
    page = screen.open()
    screen.account("hor.cc").get_by_test_id("modify").click()
    page.get_by_test_id(result).click()
    expect(page.get_by_test_id("notice")).to_contain_text(text)
    expect(page.get_by_test_id("resume")).to_have_count(0 if result == "done" else 1)
    assert page.url == f"{stub.url}/"
    page.reload()
    expect(screen.institution("hor")).to_be_visible()
    expect(page.get_by_test_id("notice")).to_have_count(0)


@pytest.mark.parametrize("result", ["done", "cancelled", "failed"])
def test_a_way_back_that_comes_late_or_twice_is_told_calmly_and_changes_nothing(
    screen: Screen, stub: Stub, result: str
) -> None:
    page = screen.open()
    screen.account("hor.cc").get_by_test_id("modify").click()
    page.get_by_test_id("done").click()
    expect(page.get_by_test_id("notice")).to_contain_text("C’est noté pour Banque Horizon")
    page.goto(f"{stub.url}/?result={result}&result=failed")
    notice = page.get_by_test_id("notice")
    expect(notice).to_have_count(1)
    expect(notice).to_have_class("notice calm")
    expect(page.get_by_test_id("resume")).to_have_count(0)  # where to is not known any more
    expect(page.get_by_test_id("toast")).to_have_count(0)
    expect(screen.institution("hor")).to_be_visible()
    assert page.url == f"{stub.url}/"


@pytest.mark.parametrize("query", ["?result=", "?error=&state=unknown", "?result=unknown"])
def test_a_way_back_that_says_nothing_is_taken_for_a_visit_that_may_have_changed_something(
    screen: Screen, stub: Stub, query: str
) -> None:
    page = screen.open()
    screen.account("hor.cc").get_by_test_id("modify").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    page.goto(f"{stub.url}/{query}")
    expect(page.get_by_test_id("notice")).to_contain_text("Vous étiez dans l’espace Powens pour Banque Horizon")
    expect(page.get_by_test_id("resume")).to_be_visible()


def test_closing_the_tab_at_powens_is_remembered_and_the_trip_can_be_resumed(
    screen: Screen, stub: Stub, new_screen: OpenScreen
) -> None:
    page = screen.open()
    screen.account("rev.eur").get_by_test_id("modify").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    again = page.context.new_page()
    page.close()
    again.goto(stub.url)
    again.locator("[data-testid=sign-in][data-user=alice]").click()
    expect(again.get_by_test_id("notice")).to_contain_text("Vous étiez dans l’espace Powens pour Revolut")
    again.get_by_test_id("resume").click()
    expect(again.get_by_role("heading", name="manage")).to_be_visible()
