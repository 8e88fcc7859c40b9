"""What Powens sees and until when, a copy of everything that is held, and its erasure with a receipt."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web import scenarios
from tests.web.screen import DESKTOP, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def my_data(screen: Screen, user: str = "alice") -> Page:
    page = screen.open(user)
    page.get_by_role("link", name="Mes données").click()
    expect(page.get_by_test_id("data-view")).to_be_visible()
    return page


def saved(page: Page, hook: str) -> tuple[str, Any]:
    with page.expect_download() as download:
        page.get_by_test_id(hook).click()
    return download.value.suggested_filename, json.loads(Path(download.value.path()).read_text())


@pytest.fixture
def dated(stub: Stub) -> None:
    data = scenarios.alice()
    data["connections"][0].update(connected_at="2026-03-05T09:00:00Z", consent_expires_at="2027-08-30T09:00:00Z")
    data["connections"][1].update(consent_expires_at=None)
    stub.reset(scenarios.demo(data))


@pytest.mark.usefixtures("dated")
def test_what_powens_sees_is_said_for_each_bank_with_its_dates(new_screen: OpenScreen) -> None:
    for viewport in (None, DESKTOP):
        screen = new_screen(**({"viewport": viewport} if viewport else {}))
        page = my_data(screen)
        first = page.get_by_test_id("given").first
        expect(first).to_contain_text(
            "Comptes synchronisés : Compte courant EUR, Compte courant USD et Compte courant GBP"
        )
        expect(first).to_contain_text("Connecté depuis le 5 mars 2026. Votre consentement vaut jusqu’au 30 août 2027.")
        expect(page.get_by_test_id("given").nth(1)).to_contain_text("n’a pas de date de fin connue")
        assert screen.axe() == []
        screen.shot("my-data")


def test_a_consent_is_withdrawn_from_there(screen: Screen) -> None:
    page = my_data(screen)
    page.get_by_test_id("withdraw").first.click()
    expect(page.get_by_test_id("account-choice").first).to_be_focused()


@pytest.mark.usefixtures("dated")
def test_consent_says_until_when_and_how_it_is_taken_back_where_it_is_given(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    page.get_by_test_id("add").click()
    expect(page.get_by_test_id("add-consent")).to_contain_text("retirer à tout moment")
    page.get_by_test_id("dialog-cancel").click()
    screen.choose("hor", la=True)
    screen.institution("hor").get_by_test_id("finish").click()
    consent = page.get_by_test_id("consent")
    expect(consent).to_contain_text("retirer ce consentement à tout moment")
    expect(consent).to_contain_text("jusqu’à ce que vous le retiriez")


def test_everything_that_is_held_is_downloaded_whatever_number_of_pages_it_has(screen: Screen, stub: Stub) -> None:
    page = my_data(screen)
    name, file = saved(page, "export")
    assert name == "mes-donnees.json"
    assert [item["kind"] for item in file["items"]] == ["connections", "connections", "manual_accounts"]
    assert len(stub.requests("GET", "/v1/me/export")) == 2
    expect(page.get_by_test_id("done")).to_contain_text("3 éléments")


def test_erasing_needs_a_word_and_ends_with_a_receipt(screen: Screen, stub: Stub) -> None:
    page = my_data(screen)
    page.get_by_test_id("erase").click()
    dialog = page.get_by_test_id("erase-dialog")
    expect(dialog.get_by_test_id("confirm")).to_be_disabled()
    assert screen.axe() == []
    screen.shot("erase", full=False)
    dialog.get_by_test_id("erase-word").fill("Effacer")
    stub.settings(work=0.4)
    dialog.get_by_test_id("confirm").click()
    receipt = page.get_by_test_id("receipt")
    expect(receipt).to_contain_text("Effacement en cours")
    expect(receipt).to_be_focused()
    expect(receipt).to_have_attribute("data-status", "completed")
    expect(receipt).to_contain_text("Vos données sont effacées")
    name, file = saved(page, "receipt-file")
    assert name == "recu-effacement.json"
    assert (file["kind"], file["id"]) == ("erasure", receipt.get_attribute("data-operation-id"))
    expect(page.get_by_test_id("given")).to_have_count(0)
    assert len(stub.requests("DELETE", "/v1/me")) == 1


def test_an_erasure_that_is_under_way_is_shown_again_after_a_reload(screen: Screen, stub: Stub) -> None:
    stub.settings(work=None)
    page = my_data(screen)
    page.get_by_test_id("erase").click()
    page.get_by_test_id("erase-word").fill("effacer")
    page.get_by_test_id("erase-dialog").get_by_test_id("confirm").click()
    expect(page.get_by_test_id("receipt")).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("receipt")).to_contain_text("Effacement en cours")


def test_an_erasure_that_is_refused_says_why_and_keeps_everything(screen: Screen, stub: Stub) -> None:
    page = my_data(screen)
    stub.settings(
        fail=[
            {
                "method": "DELETE",
                "path": "/v1/me",
                "status": 409,
                "code": "user_being_erased",
                "detail": "Vos données sont en cours d’effacement.",
                "times": 1,
            }
        ]
    )
    page.get_by_test_id("erase").click()
    page.get_by_test_id("erase-word").fill("effacer")
    page.get_by_test_id("erase-dialog").get_by_test_id("confirm").click()
    expect(page.get_by_test_id("refusal")).to_contain_text("en cours d’effacement")
    expect(page.get_by_test_id("receipt")).to_have_count(0)
