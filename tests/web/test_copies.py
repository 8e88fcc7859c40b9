"""A real account that is held twice: which copy counts and why, and what becomes of a connection that was replaced."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web import scenarios
from tests.web.scenarios import account, connection, moment, reason
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.fixture
def reconnected(stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.reconnected()))


@pytest.mark.usefixtures("reconnected")
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(
    ("locale", "counts"),
    [
        ("fr-FR", "Même compte que Compte chèques dans votre autre connexion à Banque Horizon (à jour)"),
        ("en-GB", "Same account as Compte chèques in your other connection to Banque Horizon (up to date)"),
    ],
)
def test_a_copy_says_which_one_counts_how_that_bank_stands_and_why(
    new_screen: OpenScreen, viewport: Any, locale: str, counts: str
) -> None:
    screen = new_screen(viewport=viewport, locale=locale)
    screen.open()
    copy = screen.account("old.cc").get_by_test_id("duplicate")
    expect(copy).to_contain_text(counts)
    expect(copy).to_contain_text("Cette connexion ne fonctionne plus. Vous pouvez y mettre fin.")
    expect(copy).to_have_attribute("data-of", "hor.cc")
    expect(copy).to_have_attribute("data-reason", "copy_connection_not_working")
    expect(screen.account("old.cc")).to_have_attribute("data-counts", "false")
    expect(screen.account("hor.cc")).to_have_attribute("data-counts", "true")
    expect(screen.account("hor.cc").get_by_test_id("duplicate")).to_have_count(0)
    screen.shot(f"copies-{locale[:2]}")


def test_each_real_account_is_in_every_total_and_count_once(screen: Screen, stub: Stub) -> None:
    here = scenarios.copy_of("a.new", "Absent de la dernière lecture.", code="copy_not_shown") | {"balance": "1000.00"}
    stub.reset(scenarios.demo(scenarios.user(
        connection("a", "Banque A", [account("a.old", "Compte", **here), account("a.new", "Compte")]),
        connection("b", "Banque A", [account("b.1", "Compte", balance="5.00", duplicate_of="a.new")],
                   institution={"id": "i-a", "name": "Banque A", "logo_url": None, "color": None}),
    )))  # fmt: skip
    page = screen.open()
    assert plain(page.get_by_test_id("total").inner_text()) == "100,00 €"
    assert plain(screen.institution("a").get_by_test_id("card-totals").inner_text()) == "100,00 €"
    elsewhere = screen.institution("b").get_by_test_id("card-totals")
    assert plain(elsewhere.inner_text()).split("\n") == ["5,00 €", "comptés ailleurs"]
    expect(page.get_by_test_id("lede")).to_have_text("1 compte synchronisé chez 1 établissement")
    expect(screen.account("a.old").get_by_test_id("duplicate")).to_contain_text(
        "Même compte que Compte dans cette même connexion"
    )
    expect(screen.account("a.old").get_by_test_id("duplicate")).to_contain_text("Absent de la dernière lecture")
    expect(screen.account("b.1").get_by_test_id("duplicate")).to_contain_text("Compté une seule fois")


def test_a_copy_follows_the_connection_that_it_counts_through(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.reconnected(), live=True))
    screen.open()
    copy = screen.account("old.cc").get_by_test_id("duplicate")
    expect(copy).to_contain_text("(à jour)")
    changed = scenarios.reconnected()
    changed["connections"][1]["freshness"] = "stale"
    stub.put_user("alice", changed)
    expect(copy).to_contain_text("(pas à jour)")
    expect(screen.institution("old").get_by_test_id("superseded")).to_contain_text("(pas à jour)")


@pytest.mark.usefixtures("reconnected")
def test_nothing_is_asked_for_a_bank_that_was_connected_anew(screen: Screen) -> None:
    page = screen.open()
    dead = screen.institution("old")
    expect(dead.get_by_test_id("connection-status")).to_contain_text("Remplacée")
    expect(dead.get_by_test_id("superseded")).to_contain_text("Vous avez reconnecté Banque Horizon")
    expect(dead.get_by_test_id("superseded")).to_contain_text("la nouvelle connexion (à jour)")
    expect(page.get_by_test_id("need")).to_have_count(0)
    expect(dead.get_by_test_id("missing-hint")).to_have_count(0)
    expect(dead.get_by_test_id("reconnect")).to_be_hidden()
    dead.get_by_test_id("extra").locator("summary").click()
    expect(dead.get_by_test_id("connection-reason")).to_contain_text("identifiants sont refusés")
    dead.get_by_test_id("reconnect").click()
    expect(page.get_by_role("heading", name="reconnect")).to_be_visible()


@pytest.mark.usefixtures("reconnected")
def test_a_replaced_connection_is_ended_with_the_keyboard_after_its_name_was_typed(
    new_screen: OpenScreen, stub: Stub
) -> None:
    screen = new_screen(viewport=DESKTOP)
    page = screen.open()
    end = screen.institution("old").get_by_test_id("end")
    end.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_test_id("end-connection")
    expect(dialog).to_contain_text("Mettre fin à l’ancienne connexion à Banque Horizon")
    expect(dialog).to_contain_text("Vos comptes restent synchronisés avec votre autre connexion")
    expect(dialog.get_by_test_id("end-name")).to_be_focused()
    assert screen.axe() == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(end).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_test_id("end-name")).to_be_focused()
    page.keyboard.type("banque horizon")
    page.keyboard.press("Enter")
    expect(screen.institution("old")).to_have_count(0)
    assert stub.requests("DELETE", "connections/old")[0]["body"] == {"confirm": "Banque Horizon"}
    expect(screen.institution("hor")).to_be_visible()


def test_accounts_that_count_at_another_bank_are_said_to(screen: Screen, stub: Stub) -> None:
    merged = scenarios.reconnected()
    merged["connections"][0]["institution"] = {"id": "i-x", "name": "Banque Zénith", "logo_url": None, "color": None}
    stub.reset(scenarios.demo(merged))
    screen.open()
    dead = screen.institution("old")
    expect(dead.get_by_test_id("superseded")).to_contain_text("comptés avec votre connexion à Banque Horizon (à jour)")
    expect(screen.account("old.cc").get_by_test_id("duplicate")).to_contain_text("chez Banque Horizon (à jour)")


@pytest.mark.usefixtures("reconnected")
def test_two_connections_to_one_bank_are_told_apart_and_the_one_that_works_comes_first(screen: Screen) -> None:
    page = screen.open()
    names = page.get_by_test_id("institution").get_by_role("heading", level=2)
    expect(names).to_have_text(["Banque Horizon (2)", "Revolut", "Banque Horizon (1)"])


@pytest.mark.usefixtures("reconnected")
def test_an_account_is_looked_for_at_the_connection_that_works(screen: Screen) -> None:
    page = screen.open()
    screen.add("missing-open")
    expect(page.locator("[data-testid=missing-institution][data-institution-id=i-hor]")).to_have_count(1)


def test_a_bank_or_an_account_without_a_name_is_called_by_what_it_is(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.oddly_named()))
    page = screen.open()
    nameless = screen.institution("void")
    expect(nameless.get_by_role("heading")).to_have_text("Établissement sans nom")
    expect(screen.account("odd.none").get_by_test_id("account-name")).to_have_text("Crédit")
    nameless.get_by_test_id("extra").locator("summary").click()
    expect(nameless.get_by_test_id("end")).to_have_count(0)  # it could be confirmed with nothing at all
    page.get_by_test_id("language-en").click()
    expect(nameless.get_by_role("heading")).to_have_text("Unnamed institution")


def test_names_written_from_right_to_left_keep_the_sentence_around_them_in_order(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.oddly_named()))
    screen.open()
    expect(screen.account("odd.copy").get_by_test_id("duplicate")).to_contain_text(
        "Même compte que \u2068חשבון משותף\u2069 chez \u2068بنك الأفق\u2069 (à jour)"
    )


def test_the_last_balance_of_an_account_that_fails_says_its_age(screen: Screen, stub: Stub) -> None:
    failing = reason("La banque ne donne pas ce compte pour le moment.", who="bank", step="wait")
    stub.reset(scenarios.demo(scenarios.user(connection("a", "Banque A", [
        account("a.now", "Courant", last_success_at=moment(minutes=-50)),  # one synchronisation takes its time
        account("a.old", "Livret", status_reason=failing, last_success_at=moment(days=-3)),
        account("a.none", "Prêt", balance=None, last_success_at=moment(days=-3)),
        account("a.new", "Carte", last_success_at=None),
        account("a.off", "PEA", enabled=False, last_success_at=moment(days=-30)),
    ]))))  # fmt: skip
    page = screen.open()
    expect(screen.account("a.old").get_by_test_id("balance-age")).to_have_text("Solde actualisé il y a 3 jours")
    expect(screen.account("a.old")).to_contain_text("La banque ne donne pas ce compte")
    expect(page.get_by_test_id("balance-age")).to_have_count(1)
