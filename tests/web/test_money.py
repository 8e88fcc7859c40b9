"""Amounts as their currency has them, and a total that is honest about what is in it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web import scenarios
from tests.web.scenarios import account, connection, moment, reason
from tests.web.screen import OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


def show(stub: Stub, *connections: dict[str, Any], manual: tuple[dict[str, Any], ...] = ()) -> None:
    stub.reset(scenarios.demo(scenarios.user(*connections, manual=manual)))


@pytest.mark.parametrize(
    ("balance", "currency", "shown"),
    [
        ("0.04210000", "BTC", "0,0421 BTC"),
        ("0.000000001234", "ETH", "0,00000000123 ETH"),
        ("1.23456789", "USDT", "1,23456789 USDT"),
        ("1200", "JPY", "1 200 JPY"),
        ("1.5", "EUR", "1,50 €"),
        ("2.125", "KWD", "2,125 KWD"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(
    screen: Screen, stub: Stub, balance: str, currency: str, shown: str
) -> None:
    show(stub, connection("a", "Banque A", [account("a.1", "Compte", balance=balance, currency=currency)]))
    page = screen.open()
    assert plain(page.get_by_test_id("balance").inner_text()) == shown
    assert plain(page.get_by_test_id("total").inner_text()) == shown


def test_the_total_is_in_the_main_currency_however_many_accounts_are_in_another(screen: Screen, stub: Stub) -> None:
    dollars = [account(f"a.{n}", f"Compte {n}", balance="10.00", currency="USD") for n in range(3)]
    pounds = account("a.9", "Compte 9", balance="5.00", currency="GBP")
    show(stub, connection("a", "Banque A", [*dollars, pounds, account("a.4", "Compte", balance="7.00")]))
    page = screen.open()
    assert plain(page.get_by_test_id("total").inner_text()) == "7,00 €"
    assert [plain(text) for text in page.locator(".other-totals li").all_inner_texts()] == ["5,00 £GB", "30,00 $US"]
    totals = screen.institution("a").get_by_test_id("card-totals").locator("li")
    assert [plain(text) for text in totals.all_inner_texts()] == ["7,00 €", "5,00 £GB", "30,00 $US"]


def test_the_host_application_says_which_currency_is_the_main_one(new_screen: OpenScreen, stub: Stub) -> None:
    show(stub, connection("a", "Banque A", [account("a.1", "Compte"), account("a.2", "Konto", currency="CHF")]))
    stub.settings(currency="CHF")
    page = new_screen().open()
    assert plain(page.get_by_test_id("total").inner_text()) == "100,00 CHF"


def test_what_may_be_counted_twice_is_not_added_and_said(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.twins()))
    page = screen.open()
    assert plain(page.get_by_test_id("total").inner_text()) == "9 541,65 €"
    expect(page.get_by_test_id("total-twins")).to_have_text("Sans Mon livret, peut-être déjà compté")
    expect(page.get_by_test_id("manual-account")).to_have_attribute("data-counts", "false")
    page.get_by_test_id("not-the-same").click()
    expect(page.get_by_test_id("total-twins")).to_have_count(0)
    assert plain(page.get_by_test_id("total").inner_text()) == "9 841,65 €"


def test_a_likely_twin_that_does_not_count_itself_takes_nothing_away(screen: Screen, stub: Stub) -> None:
    held = scenarios.twins()
    held["connections"][0]["accounts"][2].update(enabled=False, status="disabled")
    stub.reset(scenarios.demo(held))
    page = screen.open()
    assert plain(page.get_by_test_id("total").inner_text()) == "1 191,65 €"
    expect(page.get_by_test_id("total-twins")).to_have_count(0)


def test_an_institution_whose_accounts_all_count_elsewhere_has_a_total_that_says_so(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.reconnected()))
    screen.open()
    totals = screen.institution("old").get_by_test_id("card-totals")
    assert plain(totals.inner_text()).split("\n") == ["290,00 €", "comptés ailleurs"]
    expect(totals).to_have_attribute("data-counts", "false")


def test_the_total_says_how_much_of_it_is_old_and_where_from(screen: Screen, stub: Stub) -> None:
    failing = reason("La banque ne donne pas ce compte pour le moment.", who="bank", step="wait")
    show(
        stub,
        connection("a", "Banque A", [account("a.1", "Compte", balance="900.00")], status="failed", freshness="stale"),
        connection(
            "b",
            "Banque B",
            [
                account("b.1", "Compte", balance="50.00"),
                account("b.2", "Livret", balance="7.00", status_reason=failing, last_success_at=moment(days=-3)),
            ],
        ),
        connection("c", "Banque C", [account("c.1", "Compte", balance="1.00", enabled=False)], status="failed"),
    )
    page = screen.open()
    assert plain(page.get_by_test_id("total").inner_text()) == "957,00 €"
    old = plain(page.get_by_test_id("total-old").inner_text())
    assert old == "Dont 907,00 € non actualisés (Banque A et Banque B)"


def test_a_total_of_fresh_balances_has_nothing_to_add(screen: Screen) -> None:
    page = screen.open()
    expect(page.get_by_test_id("total")).to_be_visible()
    expect(page.get_by_test_id("total-old")).to_have_count(0)
    expect(page.get_by_test_id("total-twins")).to_have_count(0)
