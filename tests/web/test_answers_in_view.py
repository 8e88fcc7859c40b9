"""Whatever a person presses answers where they look, and a visit to Powens is told to its end."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.scenarios import account, connection
from tests.web.screen import OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def first_bank(**more: Any) -> dict[str, Any]:
    return connection("new", "Banque Neuve", [account("new.1", "Compte courant"), account("new.2", "Livret A")], **more)


def test_a_first_connection_is_told_while_it_synchronises_and_when_it_has(screen: Screen, stub: Stub) -> None:
    page = screen.open("carol")
    stub.settings(webview_adds=[first_bank(status="syncing", freshness="never") | {"accounts": []}])
    page.get_by_test_id("add-institution").click()
    page.get_by_test_id("done").click()
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("Banque Neuve est connecté. La première synchronisation est en cours.")
    expect(notice).to_be_focused()
    stub.put_user("carol", scenarios.user(first_bank()))
    expect(notice).to_contain_text(
        "Désormais synchronisés : Compte courant (Banque Neuve) et Livret A (Banque Neuve).", timeout=15_000
    )
    expect(notice).to_have_class("notice good")


def test_a_new_connection_without_a_chosen_account_says_what_is_left_to_do(screen: Screen, stub: Stub) -> None:
    page = screen.open("carol")
    stub.settings(webview_adds=[connection("new", "Banque Neuve", [account("new.1", "Livret A", enabled=False)])])
    page.get_by_test_id("add-institution").click()
    page.get_by_test_id("done").click()
    expect(page.get_by_test_id("notice")).to_contain_text("Il reste à choisir les comptes à synchroniser.")


def test_coming_back_from_powens_names_what_came_and_what_went(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    stub.settings(webview_enables=["hor.la", "hor.pea"], webview_disables=["hor.card"])
    screen.account("hor.cc").get_by_test_id("modify").click()
    page.get_by_test_id("done").click()
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("Désormais synchronisés : Livret A (Banque Horizon) et PEA (Banque Horizon).")
    expect(notice).to_contain_text("Plus synchronisé : Carte Visa (Banque Horizon).")


def test_a_bank_that_works_again_is_said_to(screen: Screen, stub: Stub) -> None:
    broken = scenarios.alice()
    broken["connections"][1]["status"] = "action_required"
    stub.reset(scenarios.demo(broken))
    page = screen.open()
    screen.institution("hor").get_by_test_id("reconnect").click()
    stub.put_user("alice", scenarios.alice())
    page.get_by_test_id("done").click()
    expect(page.get_by_test_id("notice")).to_contain_text("La synchronisation avec Banque Horizon a repris.")


def test_a_visit_that_changed_nothing_says_so_after_a_minute(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.account("hor.cc").get_by_test_id("modify").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    page.clock.install()
    page.get_by_test_id("done").click()
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("C’est noté pour Banque Horizon")
    page.clock.run_for(61_000)
    expect(notice).to_contain_text("Rien n’a changé pour l’instant.")


def test_a_cancelled_visit_stays_cancelled_whatever_is_chosen_on_the_page_afterwards(
    screen: Screen, stub: Stub
) -> None:
    page = screen.open()
    screen.account("hor.cc").get_by_test_id("modify").click()
    page.get_by_test_id("cancelled").click()
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("sans terminer pour Banque Horizon")
    screen.choose("rev", usd=False)
    screen.finish("rev")
    expect(screen.institution("rev").get_by_test_id("operation")).to_have_attribute("data-status", "completed")
    expect(screen.account("rev.usd")).to_have_attribute("data-enabled", "false")
    expect(notice).to_have_class("notice calm")
    expect(notice).to_contain_text("sans terminer")
    expect(notice).not_to_contain_text("mis à jour")


@pytest.fixture
def long_list(new_screen: OpenScreen, stub: Stub) -> Screen:
    stub.reset(scenarios.demo(scenarios.very_many(3, 25)))
    screen = new_screen(is_mobile=True, has_touch=True)
    screen.open()
    return screen


def at_the_top_of_what_is_seen(page: Page, hook: str) -> None:
    element = page.get_by_test_id(hook)
    expect(element).to_be_in_viewport(ratio=1)
    edge = page.locator("#top").bounding_box()
    shown = element.bounding_box()
    assert edge is not None
    assert shown is not None
    assert shown["y"] >= edge["y"] + edge["height"], "behind the header"


@pytest.mark.parametrize("size", ["100%", "200%"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800), (320, 568)])
def test_the_header_keeps_at_most_an_eighth_of_the_screen(
    new_screen: OpenScreen, stub: Stub, size: str, width: int, height: int
) -> None:
    stub.reset(scenarios.demo(scenarios.very_many(3, 25)))
    screen = new_screen(viewport={"width": width, "height": height})
    page = screen.open()
    page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", size)
    page.evaluate("() => window.scrollTo(0, 900)")
    stuck = "document.getElementById('top').getBoundingClientRect().bottom"
    eventually(lambda: page.evaluate(stuck) <= 0.12 * height)


def test_a_choice_answers_in_view_however_long_the_list_is(long_list: Screen) -> None:
    page = long_list.page
    long_list.choose("c1", **{"24": False})
    long_list.finish("c1")
    operation = page.get_by_test_id("operation")
    expect(operation).to_be_focused()
    expect(operation).to_have_attribute("data-status", "completed")
    expect(operation).to_be_focused()
    at_the_top_of_what_is_seen(page, "operation")
    expect(page.get_by_test_id("undo")).to_be_in_viewport(ratio=1)
    page.get_by_test_id("undo").click()
    expect(operation).to_have_attribute("data-kind", "undo")
    expect(operation).to_be_focused()
    at_the_top_of_what_is_seen(page, "operation")


def test_a_refresh_asked_for_at_the_foot_of_a_card_answers_in_view(long_list: Screen) -> None:
    card = long_list.institution("c1")
    card.get_by_test_id("extra").locator("summary").click()
    card.get_by_test_id("refresh").click()
    expect(card.get_by_test_id("operation")).to_be_focused()
    at_the_top_of_what_is_seen(long_list.page, "operation")


def test_ending_a_connection_answers_in_view(long_list: Screen) -> None:
    page = long_list.page
    card = long_list.institution("c2")
    card.get_by_test_id("extra").locator("summary").click()
    card.get_by_test_id("end").click()
    page.get_by_test_id("end-name").fill("Établissement 02")
    page.get_by_test_id("end-connection").get_by_test_id("confirm").click()
    expect(card).to_have_count(0)
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("La connexion a pris fin")
    expect(notice).to_be_focused()
    at_the_top_of_what_is_seen(page, "notice")


def test_a_choice_that_another_device_overtook_says_so_beside_the_button(long_list: Screen, stub: Stub) -> None:
    page = long_list.page
    long_list.choose("c1", **{"24": False})
    long_list.institution("c1").get_by_test_id("finish").click()
    expect(page.get_by_test_id("preview")).to_be_visible()
    other = stub.user("alice")
    other["connections"][1]["revision"] = 9
    stub.put_user("alice", other)
    page.get_by_test_id("preview").get_by_test_id("confirm").click()
    refusal = page.get_by_test_id("choice-refusal")
    expect(refusal).to_contain_text("a changé entre-temps")
    expect(refusal).to_be_in_viewport(ratio=1)


def test_a_manual_account_that_was_added_is_seen(long_list: Screen) -> None:
    page = long_list.page
    long_list.add("add-manual")
    form = page.get_by_test_id("add-manual-account")
    form.locator("[name=name]").fill("Tirelire")
    form.locator("[name=balance]").fill("10")
    form.get_by_test_id("confirm").click()
    row = page.get_by_test_id("manual-account")
    expect(row).to_be_focused()
    expect(row).to_be_in_viewport(ratio=1)
    expect(page.get_by_test_id("done")).to_have_text("Tirelire a été ajouté.Fermer")
