"""Accounts by the names that people know them by, and a history that says what changed and lets a choice be undone."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.scenarios import account, connection
from tests.web.screen import Screen, Stub

pytestmark = pytest.mark.browser

PRODUCTS = [
    ("securities", "pea", "PEA"),
    ("securities", "market", "Compte-titres"),
    ("life_insurance", "per", "PER"),
    ("life_insurance", "lifeinsurance", "Assurance-vie"),
    ("savings", "livret_a", "Livret A"),
    ("savings", "ldds", "LDDS"),
    ("savings", "savings", "Épargne"),
    ("employee_savings", "perco", "PERCO"),
    ("loan", "mortgage", "Crédit immobilier"),
    ("other", "real_estate", "SCPI et immobilier"),
    ("other", "something_new", "Autre compte"),
]


@pytest.mark.parametrize(("kind", "product", "shown"), PRODUCTS, ids=[product for _, product, _ in PRODUCTS])
def test_an_account_is_called_by_its_own_product(
    screen: Screen, stub: Stub, kind: str, product: str, shown: str
) -> None:
    held = account("a.1", "n° 1", type=kind, provider_type=product, iban_last4=None)
    stub.reset(scenarios.demo(scenarios.user(connection("a", "Banque A", [held]))))
    screen.open()
    expect(screen.account("a.1").locator(".facts")).to_have_text(shown)


def test_a_crypto_asset_is_known_by_its_currency(screen: Screen, stub: Stub) -> None:
    held = account(
        "a.1", "Portefeuille", type="other", provider_type="unknown", currency="BTC", balance="0.0421", iban_last4=None
    )
    stub.reset(scenarios.demo(scenarios.user(connection("a", "Coffre", [held]))))
    screen.open()
    expect(screen.account("a.1").locator(".facts")).to_have_text("Cryptoactifs")


def test_an_account_without_an_iban_shows_the_digits_that_powens_shows(screen: Screen, stub: Stub) -> None:
    held = [
        account("a.1", "Livret A", type="savings", provider_type="livret_a", iban_last4=None, number_last4="7712"),
        account("a.2", "Compte chèques", number_last4=None),
    ]
    stub.reset(scenarios.demo(scenarios.user(connection("a", "Banque A", held))))
    screen.open()
    # What the account is called says what it is already.
    expect(screen.account("a.1").locator(".facts")).to_have_text("••\u202ffinissant par 7712")
    expect(screen.account("a.2").locator(".facts")).to_have_text("Compte courant · ••\u202ffinissant par 0185")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("ok", "La synchronisation fonctionne"),
        ("action_required", "Une action de votre part est nécessaire"),
        ("failed", "La synchronisation est en échec"),
        ("unheard_of", "Connexion mise à jour"),
    ],
)
def test_the_history_says_what_changed_of_a_connection(screen: Screen, stub: Stub, status: str, said: str) -> None:
    entry = scenarios.entry(1, "bank", "refreshed", kind="ConnectionUpdated", status=status, accounts=[])
    stub.reset(scenarios.demo(scenarios.alice() | {"history": [entry]}))
    page = screen.open()
    page.get_by_role("link", name="Historique").click()
    expect(page.get_by_test_id("history-entry").locator(".entry-title")).to_have_text(f"Revolut — {said}")


def test_the_history_says_which_type_can_be_had_now(screen: Screen, stub: Stub) -> None:
    entry = scenarios.entry(1, "reconciliation", "added", kind="AccountNowAvailable", type="savings", accounts=[])
    stub.reset(scenarios.demo(scenarios.alice() | {"history": [entry]}))
    page = screen.open()
    page.get_by_role("link", name="Historique").click()
    expect(page.get_by_test_id("history-entry")).to_contain_text("Désormais disponible : Livrets et épargne")


def told(stub: Stub) -> None:
    """The history of the choice that was made last, as the API has it."""
    data = stub.user("alice")
    ended: dict[str, Any] = {"occurred_at": scenarios.moment(), "accounts": [], "kind": "OperationEnded"}
    operation_id = stub.requests("GET", "/v1/operations/")[-1]["path"].split("/")[-1]
    data["history"] = [
        scenarios.entry(0, "user", "enabled", status="completed", operation_id=operation_id, **ended),
        scenarios.entry(1, "user", "disabled", occurred_at=ended["occurred_at"]),
    ]
    stub.put_user("alice", data, quiet=True)


def test_a_choice_can_be_undone_from_the_history(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.choose("rev", usd=False)
    screen.finish("rev")
    operation = screen.institution("rev").get_by_test_id("operation")
    expect(operation).to_have_attribute("data-status", "completed")
    operation.get_by_test_id("dismiss").click()
    told(stub)
    page.get_by_role("link", name="Historique").click()
    entry = page.get_by_test_id("history-entry")
    expect(entry).to_have_count(1)
    entry.get_by_test_id("undo").click()
    expect(operation).to_have_attribute("data-kind", "undo")
    expect(operation).to_be_focused()
    expect(screen.account("rev.usd")).to_have_attribute("data-enabled", "true")


def test_a_choice_that_is_too_old_to_undo_offers_nothing_in_the_history(screen: Screen, stub: Stub) -> None:
    stub.settings(undo_seconds=None)
    page = screen.open()
    screen.choose("rev", usd=False)
    screen.finish("rev")
    expect(screen.institution("rev").get_by_test_id("operation")).to_have_attribute("data-status", "completed")
    told(stub)
    asked = len(stub.requests("GET", "/v1/operations/"))
    page.get_by_role("link", name="Historique").click()
    eventually(lambda: len(stub.requests("GET", "/v1/operations/")) > asked)
    expect(page.get_by_test_id("history-entry")).to_have_count(1)
    expect(page.get_by_test_id("undo")).to_have_count(0)


def test_undoing_does_not_promise_what_powens_has_deleted(screen: Screen) -> None:
    screen.open()
    screen.choose("rev", usd=False)
    screen.finish("rev")
    operation = screen.institution("rev").get_by_test_id("operation")
    expect(operation.get_by_test_id("undo")).to_have_text("Revenir au choix précédent")
    expect(operation.get_by_test_id("undo-limits")).to_contain_text("ne seront pas restaurés")
