"""What people come for, from signing in to the result, on a phone and a desktop, in French and in English."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser

SOON = {"fr-FR": "Les comptes seront mis à jour prochainement", "en-GB": "The accounts will be updated shortly"}


@pytest.fixture(params=[(PHONE, "fr-FR"), (DESKTOP, "fr-FR"), (PHONE, "en-GB"), (DESKTOP, "en-GB")],
                ids=["phone-fr", "desktop-fr", "phone-en", "desktop-en"])  # fmt: skip
def anywhere(request: pytest.FixtureRequest, new_screen: OpenScreen) -> tuple[Screen, str]:
    viewport, locale = request.param
    return new_screen(
        viewport=viewport, locale=locale, is_mobile=viewport is PHONE, has_touch=viewport is PHONE
    ), locale


def test_the_list_groups_accounts_by_institution_with_status_and_freshness(anywhere: tuple[Screen, str]) -> None:
    screen, locale = anywhere
    page = screen.open()
    revolut = screen.institution("rev")
    expect(revolut.get_by_role("heading", name="Revolut")).to_be_visible()
    expect(revolut.get_by_test_id("account")).to_have_count(3)
    expect(revolut.get_by_test_id("connection-status")).to_contain_text("À jour" if locale == "fr-FR" else "Up to date")
    expect(revolut.get_by_test_id("connection-status")).to_contain_text("12 minutes")
    horizon = screen.institution("hor")
    folded = horizon.get_by_test_id("not-synchronised")
    expect(folded).to_contain_text("2 comptes non synchronisés" if locale == "fr-FR" else "2 accounts not synchronised")
    expect(folded.get_by_test_id("account").first).to_be_hidden()
    folded.locator("summary").click()
    expect(folded.get_by_test_id("account-name")).to_have_text(["Livret A", "PEA"])
    expect(page.get_by_test_id("manual-accounts")).to_contain_text("Enveloppe vacances")
    total = page.get_by_test_id("total").inner_text().replace("\u202f", " ").replace("\xa0", " ")
    assert total == ("3 672,72 €" if locale == "fr-FR" else "€3,672.72")


def test_modify_goes_to_powens_on_that_connection_and_shows_the_new_choice_on_return(
    anywhere: tuple[Screen, str], stub: Stub
) -> None:
    screen, locale = anywhere
    page = screen.open()
    stub.settings(webview_enables=["hor.la"])
    screen.account("hor.cc").get_by_test_id("modify").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    sent = stub.requests("POST", "webview-sessions")[0]["body"]
    assert sent == {"flow": "manage", "connection_id": "hor", "language": locale[:2], "return_to": f"{stub.url}/"}
    page.get_by_test_id("done").click()
    expect(page.get_by_test_id("notice")).to_contain_text(
        "ont été mis à jour" if locale == "fr-FR" else "have been updated"
    )
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true")
    assert page.url == f"{stub.url}/"


def test_ticking_shows_the_effect_first_and_sends_nothing_before_it_is_confirmed(
    anywhere: tuple[Screen, str], stub: Stub
) -> None:
    screen, locale = anywhere
    page = screen.open()
    screen.choose("hor", la=True, card=False)
    assert stub.requests("PUT", "selection") == []
    screen.institution("hor").get_by_test_id("finish").click()
    preview = page.get_by_test_id("preview")
    expect(preview.get_by_test_id("effect-enable")).to_contain_text("Livret A")
    expect(preview.get_by_test_id("effect-disable")).to_contain_text("Carte Visa")
    expect(preview.get_by_test_id("effect-deleted")).to_contain_text("Carte Visa")
    expect(preview.get_by_test_id("consent")).to_contain_text("vous consentez" if locale == "fr-FR" else "you consent")
    expect(preview).to_contain_text("Au total, 2 comptes" if locale == "fr-FR" else "In total, 2 synchronised")
    assert [r["query"] for r in stub.requests("PUT", "selection")] == ["dry_run=true"]
    preview.get_by_test_id("dialog-cancel").click()
    expect(screen.institution("hor").get_by_test_id("selection")).to_be_visible()
    assert len(stub.requests("PUT", "selection")) == 1


def test_finish_says_soon_then_shows_the_new_state_without_a_reload(anywhere: tuple[Screen, str], stub: Stub) -> None:
    screen, locale = anywhere
    page = screen.open()
    page.evaluate("window.sameDocument = true")
    stub.settings(work=0.6)
    screen.choose("hor", la=True, card=False)
    screen.finish("hor")
    operation = screen.institution("hor").get_by_test_id("operation")
    expect(operation.get_by_test_id("operation-message")).to_have_text(SOON[locale])
    expect(operation.get_by_test_id("progress")).to_have_count(2)
    expect(operation).to_have_attribute("data-status", "completed")
    expect(screen.account("hor.la")).to_have_attribute("data-enabled", "true")
    expect(screen.account("hor.card")).to_have_attribute("data-enabled", "false")
    expect(screen.account("rev.eur")).to_have_attribute("data-enabled", "true")
    assert page.evaluate("window.sameDocument") is True
    sent = stub.requests("PUT", "selection")[-1]
    assert sent["headers"]["if-match"] == '"3"'
    assert sorted(sent["body"]["enabled_account_ids"]) == ["hor.cc", "hor.la"]


def test_keeping_only_one_account_leaves_the_other_institution_alone(anywhere: tuple[Screen, str], stub: Stub) -> None:
    screen, _ = anywhere
    screen.open()
    screen.choose("rev", usd=False, gbp=False)
    screen.finish("rev")
    expect(screen.institution("rev").get_by_test_id("operation")).to_have_attribute("data-status", "completed")
    enabled = [a["id"] for c in stub.user("alice")["connections"] for a in c["accounts"] if a["enabled"]]
    assert enabled == ["rev.eur", "hor.cc", "hor.card"]


def test_a_choice_can_be_undone(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.choose("rev", usd=False)
    screen.finish("rev")
    operation = screen.institution("rev").get_by_test_id("operation")
    expect(operation).to_have_attribute("data-status", "completed")
    operation.get_by_test_id("undo").click()
    expect(operation).to_have_attribute("data-kind", "undo")
    expect(operation).to_have_attribute("data-status", "completed")
    expect(operation.get_by_test_id("undo")).to_have_count(0)
    expect(screen.account("rev.usd")).to_have_attribute("data-enabled", "true")
    operation.get_by_test_id("dismiss").click()
    expect(operation).to_have_count(0)


def test_undoing_is_offered_only_while_it_is_possible(screen: Screen, stub: Stub) -> None:
    screen.open()
    stub.settings(undo_seconds=3)
    screen.choose("rev", usd=False)
    screen.finish("rev")
    undo = screen.institution("rev").get_by_test_id("undo")
    expect(undo).to_be_visible()
    expect(undo).to_have_count(0)


def test_an_unchanged_choice_sends_nothing_and_says_so(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.choose("rev")
    screen.institution("rev").get_by_test_id("finish").click()
    expect(page.get_by_test_id("done")).to_contain_text("il n’y a rien à changer")
    assert [r["query"] for r in stub.requests("PUT", "selection")] == ["dry_run=true"]


def test_a_choice_made_elsewhere_meanwhile_is_shown_before_anything_is_overwritten(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.choose("rev", usd=False)
    screen.institution("rev").get_by_test_id("finish").click()
    expect(page.get_by_test_id("preview")).to_be_visible()
    other = scenarios.alice()
    other["connections"][0]["revision"] = 4
    other["connections"][0]["accounts"][2].update(enabled=False, status="disabled")
    stub.put_user("alice", other)
    page.get_by_test_id("preview").get_by_test_id("confirm").click()
    expect(page.get_by_test_id("choice-refusal")).to_contain_text("a changé entre-temps")
    boxes = screen.institution("rev").get_by_test_id("account-choice")
    expect(boxes.nth(0)).to_be_checked()
    expect(boxes.nth(1)).not_to_be_checked()  # our own change is kept
    expect(boxes.nth(2)).not_to_be_checked()  # the other device's is shown
    screen.finish("rev")
    expect(screen.institution("rev").get_by_test_id("operation")).to_have_attribute("data-status", "completed")


def test_leaving_and_coming_back_shows_the_same_operation(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    stub.settings(work=None)
    screen.choose("rev", usd=False)
    screen.finish("rev")
    operation = screen.institution("rev").get_by_test_id("operation")
    expect(operation).to_have_attribute("data-status", "pending")
    operation_id = operation.get_attribute("data-operation-id")
    page.goto("about:blank")
    page.goto(stub.url)
    expect(operation).to_have_attribute("data-operation-id", operation_id or "")
    expect(operation.get_by_test_id("undo")).to_be_visible()
    expect(operation.get_by_test_id("progress")).to_contain_text("Compte courant USD")


def test_an_operation_started_on_another_device_is_found_by_its_accounts(
    screen: Screen, stub: Stub, new_screen: OpenScreen
) -> None:
    screen.open()
    stub.settings(work=None)
    screen.choose("rev", usd=False)
    screen.finish("rev")
    operation = screen.institution("rev").get_by_test_id("operation")
    expect(operation).to_have_attribute("data-status", "pending")
    operation_id = operation.get_attribute("data-operation-id") or ""
    other = new_screen()
    other.open()
    found = other.institution("rev").get_by_test_id("operation")
    expect(found.get_by_test_id("operation-message")).to_have_text(SOON["fr-FR"])
    expect(found).to_have_attribute("data-operation-id", operation_id)


def test_an_institution_is_added_at_powens(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.add("add-institution")
    expect(page.get_by_role("heading", name="connect")).to_be_visible()
    assert "connection_id" not in stub.requests("POST", "webview-sessions")[0]["body"]


def test_more_accounts_say_what_is_known_before_the_trip_to_powens(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.institution("rev").get_by_test_id("more").click()
    dialog = page.get_by_test_id("more-dialog")
    expect(dialog.get_by_test_id("more-answer")).to_have_text("Tous les comptes connus sont synchronisés.")
    expect(dialog.get_by_test_id("more-choose")).to_have_count(0)
    assert screen.axe() == []
    assert stub.requests("POST", "webview-sessions") == []
    dialog.get_by_test_id("more-powens").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    assert stub.requests("POST", "webview-sessions")[0]["body"]["connection_id"] == "rev"


def test_more_accounts_that_are_known_are_ticked_here(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.institution("hor").get_by_test_id("more").click()
    dialog = page.get_by_test_id("more-dialog")
    expect(dialog.get_by_test_id("more-answer")).to_contain_text("2 comptes sont déjà connus")
    expect(dialog.get_by_test_id("more-answer")).to_contain_text("Livret A et PEA")
    screen.shot("more", full=False)
    dialog.get_by_test_id("more-choose").click()
    expect(page.get_by_test_id("account-choice").first).to_be_focused()
    assert stub.requests("POST", "webview-sessions") == []


def test_whoever_looks_for_one_account_is_asked_which(screen: Screen) -> None:
    page = screen.open()
    screen.institution("rev").get_by_test_id("more").click()
    page.get_by_test_id("more-ask").click()
    expect(page.get_by_test_id("missing")).to_contain_text("Quel compte manque chez Revolut ?")


def test_where_nothing_can_be_added_the_page_says_why_and_offers_the_next_step(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(scenarios.unsupported())))
    page = screen.open()
    bank = screen.institution("old")
    expect(bank.get_by_test_id("more")).to_have_count(0)
    bank.get_by_test_id("missing-hint").locator("summary").click()
    expect(bank.get_by_test_id("missing-hint")).to_contain_text("Powens ne gère pas cet accès")
    bank.get_by_test_id("next-step").click()
    form = page.get_by_test_id("add-manual-account")
    expect(form.get_by_label("Établissement (facultatif)")).to_have_value("Banque Ancienne")
    expect(form.get_by_test_id("confirm")).to_be_disabled()
    form.get_by_label("Nom du compte").fill("Épargne flexible")
    form.get_by_label("Solde").fill("1 250,50")
    form.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("manual-accounts")).to_contain_text("Épargne flexible")
    expect(page.get_by_test_id("manual-accounts")).to_contain_text(
        "1 250,50 €".replace(" 250", "\u202f250").replace(" €", "\xa0€")
    )


def test_a_manual_account_is_deleted_after_a_question(screen: Screen) -> None:
    page = screen.open()
    page.get_by_test_id("delete-manual").click()
    page.get_by_test_id("delete-manual-account").get_by_test_id("confirm").click()
    expect(page.get_by_test_id("manual-accounts")).to_have_count(0)


def test_ending_a_connection_needs_its_name(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    section = screen.institution("hor")
    section.get_by_test_id("extra").locator("summary").click()
    section.get_by_test_id("end").click()
    dialog = page.get_by_test_id("end-connection")
    expect(dialog).to_contain_text("irréversible")
    expect(dialog.get_by_test_id("confirm")).to_be_disabled()
    dialog.get_by_test_id("end-name").fill("Revolut")
    expect(dialog.get_by_test_id("confirm")).to_be_disabled()
    dialog.get_by_test_id("end-name").fill("banque horizon")
    dialog.get_by_test_id("confirm").click()
    expect(section).to_have_count(0)
    expect(page.get_by_test_id("notice")).to_contain_text("La connexion a pris fin")
    assert stub.requests("DELETE", "connections/hor")[0]["body"] == {"confirm": "Banque Horizon"}


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Caisse d’Épargne", "caisse  d'épargne "),
        ("Caisse d'Épargne", "Caisse d’Épargne"),
        ("L’Épi – Banque\u202fSud", "l'épi - banque sud"),
        ("E\u0301toile", "étoile"),
        ("🏦\ufe0f Neo\u200d", "🏦 neo"),
        ("Große Bank", "GROSSE BANK"),
    ],
)
def test_a_name_is_typed_with_the_signs_that_a_keyboard_has(screen: Screen, stub: Stub, name: str, typed: str) -> None:
    stub.reset(scenarios.demo(scenarios.user(scenarios.connection("k", name, [scenarios.account("k.1", "Compte")]))))
    page = screen.open()
    screen.institution("k").get_by_test_id("extra").locator("summary").click()
    screen.institution("k").get_by_test_id("end").click()
    dialog = page.get_by_test_id("end-connection")
    for wrong in ("", "   ", typed[1:]):
        dialog.get_by_test_id("end-name").fill(wrong)
        expect(dialog.get_by_test_id("confirm")).to_be_disabled()
    dialog.get_by_test_id("end-name").fill(typed)
    dialog.get_by_test_id("confirm").click()
    expect(screen.institution("k")).to_have_count(0)
    assert stub.requests("DELETE", "connections/k")[0]["body"] == {"confirm": name}


def test_a_refresh_ends_with_what_the_bank_or_powens_answered(screen: Screen, stub: Stub) -> None:
    screen.open()
    refusal = scenarios.reason("Powens vient d’actualiser cette banque.", who="nobody", step="wait")
    stub.settings(outcome="failed", status_reason=refusal)
    section = screen.institution("rev")
    section.get_by_test_id("extra").locator("summary").click()
    section.get_by_test_id("refresh").click()
    expect(section.get_by_test_id("operation")).to_have_attribute("data-status", "failed")
    expect(section.get_by_test_id("operation")).to_contain_text("Powens vient d’actualiser")


def test_the_history_says_what_happened_when_and_by_whom(screen: Screen, stub: Stub) -> None:
    changes: list[dict[str, Any]] = [scenarios.entry(n, "reconciliation", "refreshed") for n in range(30)]
    changes[0] = scenarios.entry(0, "webview", "enabled", connection_id="hor", institution_name="Banque Horizon")
    changes[2] = scenarios.entry(2, "user", "enabled", kind="OperationEnded", status="completed", accounts=[])
    changes[1] = scenarios.entry(1, "user", "disabled", status="partially_completed", operation_id="op")
    stub.reset(scenarios.demo(scenarios.alice() | {"history": changes}))
    page = screen.open()
    page.get_by_role("link", name="Historique").click()
    entries = page.get_by_test_id("history-entry")
    expect(entries).to_have_count(19)  # a request that succeeded is told by its changes
    expect(entries.nth(0)).to_contain_text("Banque Horizon")
    expect(entries.nth(0)).to_contain_text("Vous, dans l’espace Powens")
    expect(entries.nth(1)).to_contain_text("n’est plus synchronisé")
    expect(entries.nth(1)).to_contain_text("fait en partie")
    expect(entries.nth(2)).to_contain_text("1 compte actualisé")
    page.get_by_test_id("history-more").click()
    expect(entries).to_have_count(29)
    page.get_by_test_id("history-filter").select_option("hor")
    expect(entries).to_have_count(1)
    page.get_by_role("link", name="Comptes").click()
    expect(screen.institution("hor")).to_be_visible()


def test_the_language_can_be_switched_and_is_kept(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    page.get_by_test_id("language-en").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Synchronised accounts")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    eventually(lambda: stub.requests("GET", "connections")[-1]["headers"]["accept-language"] == "en")
    assert "if-none-match" not in stub.requests("GET", "connections")[-1]["headers"]
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Synchronised accounts")
