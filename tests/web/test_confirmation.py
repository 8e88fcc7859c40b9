"""A new bank is confirmed by who opened the visit, refused to anybody else, and asked for when nobody came back."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.screen import Screen, Stub

pytestmark = pytest.mark.browser

NEW = scenarios.connection("new", "Banque Neuve", [scenarios.account("new.1", "Compte neuf")])
SENT = "webview-confirmations"


def come_back(screen: Screen, stub: Stub, *, opened_by: str, reading: int = 0) -> Page:
    """To the page, from a visit of `opened_by` that alice follows."""
    stub.put_user("alice", {**stub.user("alice"), "waiting": [NEW]}, quiet=True)
    stub.settings(return_code=opened_by, reading=reading)
    page = screen.open()
    page.get_by_test_id("add").first.click()
    page.get_by_test_id("add-institution").click()
    page.get_by_test_id("done").click()
    return page


def unconfirmed(stub: Stub) -> None:
    waiting: list[dict[str, Any]] = [
        {"id": "new", "found_at": scenarios.moment(minutes=-2), "confirm_until": scenarios.moment(minutes=58)}
    ]
    stub.put_user("alice", {**stub.user("alice"), "waiting": [NEW], "unconfirmed": waiting}, quiet=True)


def test_who_comes_back_confirms_with_the_code_of_the_address_until_the_bank_has_been_read(
    screen: Screen, stub: Stub
) -> None:
    page = come_back(screen, stub, opened_by="alice", reading=2)
    expect(screen.institution("new")).to_be_visible()
    assert page.url == f"{stub.url}/", "the code is in no address that is kept"
    assert [r["body"] for r in stub.requests("POST", SENT)] == [{"return_code": "alice"}] * 3
    page.reload()
    expect(screen.institution("new")).to_be_visible()
    assert len(stub.requests("POST", SENT)) == 3


def test_who_follows_somebody_elses_link_reads_what_happened(screen: Screen, stub: Stub) -> None:
    page = come_back(screen, stub, opened_by="bob")
    notice = page.get_by_test_id("notice")
    expect(notice).to_contain_text("ouvert par une autre personne")
    expect(notice).to_have_class("notice bad")
    expect(screen.institution("new")).to_have_count(0)
    assert len(stub.requests("POST", SENT)) == 1
    assert screen.axe() == []


def test_who_has_to_sign_in_first_is_asked_no_less(screen: Screen, stub: Stub) -> None:
    stub.put_user("alice", {**stub.user("alice"), "waiting": [NEW]}, quiet=True)
    page = screen.open(user=None, path="/?result=done&return_code=alice")
    assert stub.requests("POST", SENT) == []
    page.locator('[data-testid=sign-in][data-user="alice"]').click()
    expect(screen.institution("new")).to_be_visible()


def test_who_closed_the_tab_confirms_by_an_account_of_the_bank(screen: Screen, stub: Stub) -> None:
    unconfirmed(stub)
    page = screen.open()
    expect(page.get_by_test_id("notice")).to_contain_text("Est-ce vous")
    assert screen.axe() == []
    page.get_by_test_id("confirm-mine").click()
    dialog = page.get_by_test_id("confirm-connection")
    expect(dialog.get_by_test_id("confirm")).to_have_accessible_description(
        "Saisissez les 4 derniers caractères d’un IBAN."
    )
    dialog.get_by_test_id("confirm-iban").fill("9999")
    assert screen.axe() == []
    dialog.get_by_test_id("confirm").click()
    expect(dialog.get_by_test_id("refusal")).to_contain_text("Aucun compte")
    dialog.get_by_test_id("confirm-iban").fill("0112")
    dialog.get_by_test_id("confirm").click()
    expect(screen.institution("new")).to_be_visible()
    expect(page.get_by_test_id("notice")).to_have_count(0)


def test_who_did_not_connect_it_says_so_with_one_tap(screen: Screen, stub: Stub) -> None:
    unconfirmed(stub)
    page = screen.open()
    page.get_by_test_id("confirm-not-mine").click()
    expect(page.get_by_test_id("notice")).to_have_count(0)
    eventually(lambda: stub.requests("DELETE", "confirmation"), seconds=10)
    expect(screen.institution("new")).to_have_count(0)
