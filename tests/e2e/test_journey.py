"""The user's journey, J1 to J4, J7 and J8, in a real browser against exactly what `make run` starts."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import System
from tests.polling import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser]

SOON = "Les comptes seront mis à jour prochainement"
PATIENCE = 15_000


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-FR")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def sign_in(page: Page, system: System, user: str) -> None:
    page.goto(system.url)
    page.locator(f'[data-testid=sign-in][data-user="{user}"]').click()


def institution(page: Page, name: str) -> Locator:
    return page.locator("[data-testid=institution]", has=page.get_by_role("heading", name=name))


def rows(page: Page, name: str, *, enabled: bool) -> Locator:
    return institution(page, name).locator(f'[data-testid=account][data-enabled="{str(enabled).lower()}"]')


def of_type(events: list[dict[str, Any]], detail_type: str) -> list[dict[str, Any]]:
    return [event["detail"] for event in events if event["detail-type"] == detail_type]


def changes(detail: dict[str, Any]) -> list[str]:
    return sorted(line["change"] for line in detail["data"]["accounts"])


def test_a_user_sees_the_synchronised_accounts_of_two_banks(page: Page, system: System) -> None:
    sign_in(page, system, "alice")
    expect(rows(page, "Revolut", enabled=True)).to_have_count(3, timeout=PATIENCE)
    expect(rows(page, "Banque Horizon", enabled=True)).to_have_count(2)
    expect(institution(page, "Revolut")).to_contain_text("Compte courant EUR")
    expect(institution(page, "Revolut")).not_to_contain_text("Épargne flexible")
    expect(institution(page, "Revolut").get_by_test_id("logo")).to_have_js_property("complete", True)
    assert institution(page, "Revolut").get_by_test_id("logo").evaluate("image => image.naturalWidth") > 0


def test_an_account_added_in_the_powens_space_appears_and_is_told_on_the_bus(page: Page, system: System) -> None:
    since = system.mark()
    sign_in(page, system, "alice")
    institution(page, "Banque Horizon").get_by_test_id("modify").first.click()
    page.wait_for_url("**/manage/**")
    expect(page.get_by_label("Compte courant")).to_be_checked()

    page.get_by_test_id("more-accounts").click()
    page.get_by_test_id("field-login").fill("alice")
    page.get_by_test_id("field-password").fill("1234")
    page.get_by_test_id("submit-credentials").click()
    for name in ("Livret A", "PEA"):
        page.get_by_label(name).check()
    page.get_by_role("button", name="Terminer").click()
    expect(page.get_by_text(SOON)).to_be_visible()
    page.get_by_test_id("close").click()

    page.wait_for_url(f"{system.url}/**")
    expect(rows(page, "Banque Horizon", enabled=True)).to_have_count(4, timeout=PATIENCE)
    expect(institution(page, "Banque Horizon")).to_contain_text("Livret A")
    told = eventually(
        lambda: [d for d in of_type(system.events(since), "AccountsUpdated") if "added" in changes(d)], seconds=20
    )
    assert [d["metadata"]["cause"] for d in told] == ["webview"]
    added = [line for d in told for line in d["data"]["accounts"] if line["change"] == "added"]
    assert sorted(line["type"] for line in added) == ["savings", "securities"]
    assert all(line["enabled"] for line in added)


def connect_revolut(page: Page) -> None:
    """In the Powens space, up to the end of the visit."""
    page.get_by_test_id("accept-terms").click()
    page.locator('[data-testid=institution][data-slug="revolut"]').click()
    page.get_by_test_id("bank-approve").click()
    page.get_by_label("Compte courant EUR").set_checked(True)
    page.get_by_test_id("finish").click()


def test_a_new_bank_is_its_users_who_comes_back_and_nobody_elses(page: Page, browser: Browser, system: System) -> None:
    sign_in(page, system, "carol")
    with system.api("carol") as api:
        body = {"flow": "connect", "return_to": f"{system.url}/"}
        sent_to_somebody = api.post("/v1/webview-sessions", json=body).raise_for_status().json()["url"]
    victim = browser.new_context(locale="fr-FR")
    victim.set_default_timeout(PATIENCE)
    theirs = victim.new_page()
    sign_in(theirs, system, "bob")
    expect(rows(theirs, "Banque Horizon", enabled=True).first).to_be_visible(timeout=PATIENCE)
    theirs.goto(sent_to_somebody)
    connect_revolut(theirs)
    expect(theirs.get_by_test_id("notice")).to_contain_text("ouvert par une autre personne", timeout=PATIENCE)
    expect(institution(theirs, "Revolut")).to_have_count(0)
    victim.close()

    page.get_by_test_id("add-institution").first.click()
    connect_revolut(page)
    page.wait_for_url(f"{system.url}/**")
    expect(rows(page, "Revolut", enabled=True)).not_to_have_count(0, timeout=PATIENCE)
    with system.api("carol") as api:
        shown = api.get("/v1/connections").raise_for_status().json()
    assert [connection["institution"]["name"] for connection in shown["connections"]] == ["Revolut"]
    assert shown["unconfirmed"] == []


def test_unticked_accounts_stop_and_their_sibling_is_untouched(page: Page, system: System) -> None:
    sign_in(page, system, "alice")
    expect(rows(page, "Revolut", enabled=True)).to_have_count(3, timeout=PATIENCE)
    since = system.mark()
    institution(page, "Revolut").get_by_test_id("choose").click()
    for name in ("Compte courant USD", "Compte courant GBP"):
        page.get_by_role("checkbox", name=re.compile(name)).uncheck()
    page.get_by_test_id("finish").click()
    page.get_by_test_id("confirm").click()

    expect(page.locator("#announcer")).to_contain_text(SOON)
    expect(rows(page, "Revolut", enabled=True)).to_have_count(1, timeout=PATIENCE)
    expect(rows(page, "Revolut", enabled=True)).to_contain_text("Compte courant EUR")

    ended = eventually(lambda: of_type(system.events(since), "OperationEnded"), seconds=20)
    assert [d["data"]["status"] for d in ended] == ["completed"]
    told = [d for d in of_type(system.events(since), "AccountsUpdated") if "disabled" in changes(d)]
    assert [(changes(d), d["metadata"]["cause"]) for d in told] == [(["disabled", "disabled"], "user")]

    page.reload()
    page.locator('[data-testid=sign-in][data-user="alice"]').or_(
        page.get_by_test_id("institution").first
    ).first.wait_for()
    with system.api("alice") as api:
        connections = api.get("/v1/connections").json()["connections"]
    revolut = next(c for c in connections if c["institution"]["name"] == "Revolut")
    assert {a["name"]: a["status"] for a in revolut["accounts"]} == {
        "Compte courant EUR": "enabled",
        "Compte courant USD": "disabled",
        "Compte courant GBP": "disabled",
    }
