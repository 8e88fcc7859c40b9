"""What matters comes first: what needs the person, what fails, then a short summary; and it keeps its order."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web import scenarios
from tests.web.scenarios import account, connection, moment, reason
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def bank(connection_id: str, name: str, **more: Any) -> dict[str, Any]:
    return connection(connection_id, name, [account(f"{connection_id}.1", "Compte courant")], **more)


FAILING = {
    "status": "failed",
    "freshness": "stale",
    "last_success_at": moment(days=-9),
    "status_reason": reason("Powens rencontre un problème.", who="powens", step="wait"),
}
ASKING = {
    "status": "action_required",
    "freshness": "stale",
    "status_reason": reason("La banque demande une authentification.", step="reconnect"),
}


def names(page: Page) -> list[str]:
    return page.get_by_test_id("institution").get_by_role("heading", level=2).all_inner_texts()


def test_a_failing_bank_is_on_the_first_screen_of_a_phone(new_screen: OpenScreen, stub: Stub) -> None:
    banks = [bank("a", "Banque A"), bank("b", "Banque B"), bank("z", "Zénith", **FAILING)]
    stub.reset(scenarios.demo(scenarios.user(*banks)))
    screen = new_screen(is_mobile=True, has_touch=True)
    page = screen.open()
    expect(screen.institution("z").get_by_role("heading")).to_be_in_viewport(ratio=1)
    expect(screen.institution("z").get_by_test_id("connection-reason")).to_be_in_viewport(ratio=1)
    box = page.get_by_test_id("summary").bounding_box()
    assert box is not None
    assert box["height"] <= 0.2 * PHONE["height"]
    screen.shot("first-screen", full=False)


def test_what_needs_the_person_comes_before_the_total(new_screen: OpenScreen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(bank("a", "Banque A"), bank("z", "Zénith", **ASKING))))
    for viewport in (PHONE, DESKTOP):
        screen = new_screen(viewport=viewport)
        page = screen.open()
        need, total = page.get_by_test_id("need").bounding_box(), page.get_by_test_id("total").bounding_box()
        assert need is not None
        assert total is not None
        assert need["y"] + need["height"] <= total["y"]
        expect(page.get_by_test_id("need-action")).to_be_in_viewport(ratio=1)
        expect(page.get_by_test_id("total")).to_be_in_viewport(ratio=1)


def test_many_needs_do_not_push_the_accounts_away(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(*(bank(f"b{n}", f"Banque {n}", **ASKING) for n in range(7)))))
    page = screen.open()
    expect(page.get_by_test_id("need").filter(visible=True)).to_have_count(3)
    page.get_by_test_id("more-needs").locator("summary").click()
    expect(page.get_by_test_id("need").filter(visible=True)).to_have_count(7)


def test_institutions_are_in_order_of_attention_and_then_of_their_names(screen: Screen, stub: Stub) -> None:
    banks = [
        bank("e", "Élan"), bank("z", "Zénith", **FAILING), bank("b10", "Banque 10"), bank("b9", "banque 9"),
        bank("c", "Crédit Mer", consent_expires_at=moment(days=-1)),
        bank("new", "Abeille", connected_at=moment(hours=-1)),
    ]  # fmt: skip
    stub.reset(scenarios.demo(scenarios.user(*banks)))
    page = screen.open()
    expected = ["Crédit Mer", "Zénith", "Abeille", "banque 9", "Banque 10", "Élan"]
    assert names(page) == expected
    expect(page.get_by_test_id("new")).to_have_count(1)
    expect(screen.institution("new").get_by_test_id("new")).to_have_text("Nouveau")
    stub.put_user("alice", scenarios.user(*reversed(banks)))
    page.reload()
    expect(screen.institution("z")).to_be_visible()
    assert names(page) == expected


def test_two_connections_to_one_bank_are_told_apart_wherever_they_are_named(screen: Screen, stub: Stub) -> None:
    same = {"institution": {"id": "i", "name": "Banque Duo", "logo_url": None, "color": None}}
    younger = bank("a", "", connected_at="2026-03-05T09:00:00Z", **same)
    older = bank("b", "", connected_at="2025-01-20T09:00:00Z", **same, **ASKING)
    stub.reset(scenarios.demo(scenarios.user(younger, older)))
    page = screen.open()
    assert names(page) == ["Banque Duo (1)", "Banque Duo (2)"]
    expect(screen.institution("b").get_by_test_id("connected")).to_have_text("Connecté depuis le 20 janvier 2025")
    expect(page.get_by_test_id("need")).to_contain_text("Banque Duo (1)")
    expect(screen.institution("a").get_by_role("button", name="chez Banque Duo (2)").first).to_be_visible()


def test_the_search_stays_in_view_while_somebody_types(new_screen: OpenScreen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.very_many()))
    screen = new_screen(is_mobile=True, has_touch=True)
    page = screen.open()
    search = page.get_by_test_id("search")
    for text, left in (("Établissement", 40), ("Établissement 07", 1), ("introuvable", 0), ("", 40)):
        search.evaluate("(box) => window.scrollBy(0, box.getBoundingClientRect().top - 20)")
        search.fill(text)
        expect(page.get_by_test_id("institution")).to_have_count(left)
        box, header = search.bounding_box(), page.locator("#top").bounding_box()
        assert box is not None
        assert header is not None
        assert header["y"] + header["height"] <= box["y"] <= PHONE["height"] - box["height"]


def test_everything_that_can_be_added_is_behind_one_control_that_says_what_each_means(screen: Screen) -> None:
    page = screen.open()
    expect(page.get_by_test_id("add-institution")).to_have_count(0)
    page.get_by_test_id("add").click()
    dialog = page.get_by_test_id("add-dialog")
    expect(dialog.get_by_role("heading")).to_be_focused()
    expect(dialog.get_by_test_id("add-institution")).to_contain_text("actualisés automatiquement")
    expect(dialog.get_by_test_id("add-manual")).to_contain_text("ne partage pas")
    expect(dialog.get_by_test_id("missing-open")).to_contain_text("Nous vous expliquons pourquoi")
    assert screen.axe() == []
    screen.shot("add", full=False)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("add")).to_be_focused()


def test_an_empty_page_leads_with_what_to_do_and_not_with_a_total_of_nothing(screen: Screen) -> None:
    page = screen.open("carol")
    expect(page.get_by_test_id("total")).to_have_count(0)
    expect(page.get_by_test_id("add")).to_be_hidden()
    expect(page.get_by_test_id("add-institution")).to_be_in_viewport(ratio=1)
    page.get_by_test_id("add-manual").click()
    expect(page.get_by_test_id("add-manual-account")).to_be_visible()
