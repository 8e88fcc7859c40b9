"""An account that is missing: which cause it is, what to do, and manual accounts until then."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web import scenarios
from tests.web.scenarios import moment, reason
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser

NOT_SUPPORTED = {
    "answer": "no", "reason": "type_not_supported", "message": "Powens ne sait pas récupérer ce type de compte.",
    "evidence": ["connection_works", "no_capability:bankwealth", "something_new"], "next_step": "add_manually",
}  # fmt: skip
HIDDEN = {
    "answer": "yes", "reason": "hidden_by_user", "message": "Ce compte n’est pas coché.",
    "evidence": ["unticked_accounts:1"], "next_step": "manage",
}  # fmt: skip
GRANTED = {
    "id": "wish-9", "institution_id": "i-hor", "institution_name": "Banque Horizon", "type": "savings",
    "created_at": moment(days=-30), "available_at": moment(hours=-1),
}  # fmt: skip


def temporary(**more: Any) -> dict[str, Any]:
    return {
        "answer": "unknown", "reason": "temporary_problem", "message": "La banque ne répond pas.",
        "evidence": ["status:bank_unavailable"], "next_step": "wait", "retry_at": moment(hours=3.2),
    } | more  # fmt: skip


def asked(screen: Screen, connection_id: str, kind: str) -> Locator:
    """The answer about one type at a connected institution, from its own card."""
    section = screen.institution(connection_id)
    section.get_by_test_id("missing-hint").locator("summary").click()
    section.get_by_test_id("missing-ask").click()
    screen.page.locator(f"[data-testid=missing-type][data-type={kind}]").click()
    return screen.page.get_by_test_id("missing-answer")


@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_type_that_is_not_handled_leads_to_the_form_that_knows_bank_and_type(
    new_screen: OpenScreen, stub: Stub, locale: str, viewport: Any
) -> None:
    stub.settings(diagnoses={"rev/savings": NOT_SUPPORTED})
    screen = new_screen(viewport=viewport, locale=locale)
    page = screen.open()
    screen.add("missing-open")
    page.locator("[data-testid=missing-institution][data-institution-id=i-rev]").click()
    page.locator("[data-testid=missing-type][data-type=savings]").click()
    answer = page.get_by_test_id("missing-answer")
    expect(answer).to_have_attribute("data-reason", "type_not_supported")
    expect(answer).to_contain_text("Powens ne sait pas récupérer")
    page.get_by_test_id("missing-evidence").locator("summary").click()
    expect(page.get_by_test_id("missing-evidence").locator("li")).to_have_count(2)  # what it has no words for, it skips
    page.get_by_test_id("missing-step").click()
    form = page.get_by_test_id("add-manual-account")
    expect(form.locator("[name=institution_name]")).to_have_value("Revolut")
    expect(form.locator("[name=type]")).to_have_value("savings")
    form.locator("[name=name]").fill("Épargne flexible")
    form.locator("[name=balance]").fill("1 250,50" if locale == "fr-FR" else "1,250.50")
    form.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("manual-accounts")).to_contain_text("Épargne flexible")
    assert stub.requests("POST", "/v1/accounts$")[0]["body"] == {
        "name": "Épargne flexible", "type": "savings", "currency": "EUR", "balance": "1250.50",
        "institution_name": "Revolut",
    }  # fmt: skip


def test_the_wish_to_be_told_is_recorded_with_one_tap_and_can_be_dismissed(screen: Screen, stub: Stub) -> None:
    stub.settings(diagnoses={"rev/savings": NOT_SUPPORTED})
    page = screen.open()
    asked(screen, "rev", "savings")
    page.get_by_test_id("wish-tell-me").click()
    expect(page.get_by_test_id("wish")).to_have_attribute("data-recorded", "true")
    expect(page.get_by_test_id("wish-dismiss")).to_be_focused()
    assert stub.requests("POST", "/v1/wishes")[0]["body"] == {"institution_id": "i-rev", "type": "savings"}
    page.get_by_test_id("wish-dismiss").click()
    expect(page.get_by_test_id("wish")).to_have_attribute("data-recorded", "false")
    assert stub.user("alice")["wishes"] == []


def test_what_was_wished_for_is_told_until_it_is_closed(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.alice() | {"wishes": [GRANTED]}))
    page = screen.open()
    notice = page.locator('[data-testid=notice][data-notice="wish-wish-9"]')
    expect(notice).to_contain_text("Disponible maintenant chez Banque Horizon : Livrets et épargne.")
    notice.get_by_test_id("wish-step").click()
    box = page.locator('[data-testid=account-choice][data-account-id="hor.la"]')
    expect(box).to_be_checked()
    notice.get_by_test_id("notice-close").click()
    expect(notice).to_have_count(0)
    assert stub.user("alice")["wishes"] == []


def test_a_bank_that_is_down_says_when_it_is_tried_again_and_asks_for_nothing(screen: Screen, stub: Stub) -> None:
    stub.settings(diagnoses={"hor/loan": temporary()})
    page = screen.open()
    expect(asked(screen, "hor", "loan")).to_have_attribute("data-step", "wait")
    expect(page.get_by_test_id("missing-retry")).to_contain_text("dans 3 heures")
    expect(page.get_by_test_id("missing-step")).to_have_count(0)
    stub.settings(diagnoses={"hor/loan": temporary(retry_at=None)})
    page.get_by_test_id("missing-back").click()
    page.locator("[data-testid=missing-type][data-type=loan]").click()
    expect(page.get_by_test_id("missing-retry")).to_contain_text("à la prochaine synchronisation automatique")


def test_a_bank_that_wants_the_user_offers_to_reconnect(screen: Screen, stub: Stub) -> None:
    stub.settings(diagnoses={"hor/loan": temporary(reason="needs_user_action", next_step="reconnect", retry_at=None)})
    page = screen.open()
    asked(screen, "hor", "loan")
    expect(page.get_by_test_id("missing-step")).to_have_text("Reconnecter")
    page.get_by_test_id("missing-step").click()
    expect(page.get_by_role("heading", name="reconnect")).to_be_visible()


def test_a_hidden_account_is_ticked_right_there(screen: Screen, stub: Stub) -> None:
    stub.settings(diagnoses={"hor/savings": HIDDEN})
    page = screen.open()
    asked(screen, "hor", "savings")
    expect(page.get_by_test_id("missing-choice")).to_be_checked()
    page.get_by_test_id("missing-choice").uncheck()
    page.get_by_test_id("missing-step").click()
    expect(page.get_by_test_id("missing-choice")).to_be_focused()  # nothing is ticked, so there is nothing to finish
    page.get_by_test_id("missing-choice").check()
    page.get_by_test_id("missing-step").click()
    page.get_by_test_id("preview").get_by_test_id("confirm").click()
    expect(screen.institution("hor").get_by_test_id("operation")).to_have_attribute("data-status", "completed")
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true")
    sent = stub.requests("PUT", "selection")[-1]["body"]["enabled_account_ids"]
    assert sorted(sent) == ["hor.card", "hor.cc", "hor.la"]


def test_an_unknown_cause_says_so_and_opens_the_powens_space(screen: Screen) -> None:
    page = screen.open()
    expect(asked(screen, "hor", "crypto")).to_have_attribute("data-reason", "unknown")
    page.get_by_test_id("missing-step").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "restricted", "step", "says"),
    [
        ("savings", False, "connect", "Connectez l’établissement"),
        ("loan", False, "connect", "Vous le verrez en connectant"),
        ("crypto", False, "add_manually", "ne sait pas récupérer"),
        ("savings", True, "add_manually", "n’accepte pas de nouvelle connexion"),
    ],
)
def test_an_institution_that_is_not_connected_says_what_to_expect_of_it(
    screen: Screen, stub: Stub, kind: str, restricted: bool, step: str, says: str
) -> None:
    stub.settings(institutions=[scenarios.new_bank(restricted=restricted)])
    page = screen.open()
    screen.add("missing-open")
    page.get_by_test_id("missing-search").fill("neuve")
    expect(page.get_by_test_id("missing-found")).to_have_text("1 établissement trouvé")
    page.locator("[data-testid=missing-institution][data-institution-id=i-new]").click()
    page.locator(f"[data-testid=missing-type][data-type={kind}]").click()
    expect(page.get_by_test_id("missing-answer")).to_contain_text(says)
    expect(page.get_by_test_id("missing-answer")).to_have_attribute("data-step", step)
    expect(page.get_by_test_id("missing-step")).to_be_visible()


def test_the_keyboard_alone_finds_the_answer_and_the_way_back(screen: Screen, stub: Stub) -> None:
    stub.settings(diagnoses={"rev/savings": NOT_SUPPORTED})
    page = screen.open()
    page.get_by_test_id("add").focus()
    page.keyboard.press("Enter")
    page.get_by_test_id("missing-open").focus()
    page.keyboard.press("Enter")
    for _ in range(2):
        expect(page.locator("dialog h2")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    expect(page.get_by_test_id("missing-answer")).to_be_visible()
    expect(page.locator("dialog h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("add")).to_be_focused()


def test_a_search_that_fails_and_an_answer_that_fails_can_be_tried_again(screen: Screen, stub: Stub) -> None:
    down = {"status": 503, "code": "unavailable", "detail": "Réessayez plus tard.", "times": 1}
    stub.settings(fail=[
        down | {"method": "GET", "path": "/v1/institutions"}, down | {"method": "GET", "path": "/v1/connections/rev/m"},
    ], institutions=[scenarios.new_bank()])  # fmt: skip
    page = screen.open()
    screen.add("missing-open")
    page.get_by_test_id("missing-search").fill("neuve")
    expect(page.get_by_test_id("missing-found")).to_contain_text("ne répond pas")
    page.locator("[data-testid=missing-institution][data-institution-id=i-rev]").click()
    page.locator("[data-testid=missing-type][data-type=card]").click()
    expect(page.get_by_role("dialog")).to_contain_text("Réessayez plus tard.")
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id("missing-answer")).to_be_visible()


def test_an_incident_shows_at_its_institution_and_goes_when_it_ends(screen: Screen, stub: Stub) -> None:
    incident = {
        "institution_id": "i-hor", "since": moment(minutes=-41),
        "reason": reason("La banque est indisponible.", who="bank", step="wait", code="bank_unavailable"),
    }  # fmt: skip
    stub.settings(incidents=[incident])
    page = screen.open()
    shown = screen.institution("hor").get_by_test_id("incident")
    expect(shown).to_contain_text("Incident chez Banque Horizon depuis il y a 41 minutes")
    expect(screen.institution("rev").get_by_test_id("incident")).to_have_count(0)
    stub.settings(incidents=[])
    page.reload()
    expect(screen.institution("hor")).to_be_visible()
    expect(shown).to_have_count(0)


# --- manual accounts ---


def test_what_the_api_refuses_is_said_at_its_field_and_nothing_typed_is_lost(screen: Screen, stub: Stub) -> None:
    stub.settings(fail=[{
        "method": "POST", "path": "/v1/accounts", "status": 422, "code": "unknown_currency", "field": "currency",
        "detail": "Cette devise n’existe pas.", "times": 1,
    }])  # fmt: skip
    page = screen.open()
    screen.add("add-manual")
    form = page.get_by_test_id("add-manual-account")
    form.locator("[name=name]").fill("Tirelire")
    form.locator("[name=balance]").fill("10")
    form.locator("[name=currency]").fill("zzz")
    form.get_by_test_id("confirm").click()
    expect(form.get_by_test_id("refusal")).to_have_text("Cette devise n’existe pas.")
    expect(form.locator("[name=currency]")).to_be_focused()
    expect(form.locator("[name=currency]")).to_have_attribute("aria-invalid", "true")
    expect(form.locator("[name=name]")).to_have_value("Tirelire")
    form.locator("[name=currency]").fill("eur")
    form.get_by_test_id("confirm").click()
    expect(form).to_have_count(0)
    expect(page.get_by_test_id("manual-accounts")).to_contain_text("Tirelire")


@pytest.mark.parametrize(
    ("locale", "typed", "sent"),
    [
        ("fr-FR", "1 234,5", "1234.5"),
        ("fr-FR", "1.234,50", "1234.50"),
        ("fr-FR", "12.5", "12.5"),
        ("fr-FR", "−3", "-3"),
        ("en-GB", "1,234", "1234"),
        ("en-GB", "1,234,567.8", "1234567.8"),
        ("en-GB", "12,5", "12.5"),
    ],
)
def test_amounts_are_read_as_people_write_them(
    new_screen: OpenScreen, stub: Stub, locale: str, typed: str, sent: str
) -> None:
    screen = new_screen(locale=locale)
    page = screen.open()
    page.get_by_test_id("edit-manual").click()
    form = page.get_by_test_id("edit-manual-account")
    form.locator("[name=balance]").fill(typed)
    form.get_by_test_id("confirm").click()
    expect(form).to_have_count(0)
    assert [r["body"] for r in stub.requests("PATCH", "/v1/accounts/man-1")] == [{"balance": sent}]


def test_renaming_sends_the_name_alone_and_past_balances_can_be_looked_at(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    page.get_by_test_id("edit-manual").click()
    form = page.get_by_test_id("edit-manual-account")
    expect(form.locator("[name=balance]")).to_have_value("300")
    form.locator("[name=name]").fill("Vacances")
    form.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("manual-account").get_by_test_id("account-name")).to_have_text("Vacances")
    assert [r["body"] for r in stub.requests("PATCH", "/v1/accounts/man-1")] == [{"name": "Vacances"}]
    page.get_by_test_id("manual-account").get_by_test_id("past-balances").click()
    lines = page.get_by_test_id("balances").locator("li")
    expect(lines).to_have_count(2)
    page.get_by_test_id("balances-more").click()
    expect(lines).to_have_count(3)
    expect(lines.first).to_contain_text("Saisi manuellement")


def amount(page: Page) -> str:
    return page.get_by_test_id("total").inner_text().replace("\u202f", " ").replace("\xa0", " ")


def test_joining_counts_the_account_once_and_separating_restores_both(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.twins()))
    page = screen.open()
    assert amount(page) == "9 541,65 €"  # what may be the same is not added
    suggestion = page.get_by_test_id("suggestion")
    expect(suggestion).to_contain_text("Livret A, synchronisé avec Banque Horizon")
    expect(suggestion).to_contain_text("le même type, la même devise et le même établissement.")
    suggestion.get_by_test_id("join").click()
    expect(page.get_by_test_id("manual-accounts")).to_have_count(0)
    expect(screen.account("hor.la")).to_contain_text("Rattaché à Mon livret")
    assert amount(page) == "9 541,65 €"
    assert stub.requests("PUT", "/link")[0]["body"] == {"account_id": "hor.la"}
    screen.account("hor.la").get_by_test_id("part").click()
    expect(page.get_by_test_id("manual-account")).to_be_visible()
    assert amount(page) == "9 841,65 €"


def test_accounts_that_are_not_the_same_are_not_suggested_again(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.twins()))
    page = screen.open()
    page.get_by_test_id("not-the-same").click()
    expect(page.get_by_test_id("suggestion")).to_have_count(0)
    assert len(stub.requests("DELETE", "/v1/accounts/man-1/link-suggestions/hor.la")) == 1
