"""What the API gives as a reason is said, and the step that it names is what the page offers."""

import pytest
from playwright.sync_api import expect

from tests.web import scenarios
from tests.web.scenarios import account, connection, moment, reason
from tests.web.screen import Screen, Stub

pytestmark = pytest.mark.browser


def test_only_the_person_can_say_which_of_two_accounts_that_look_alike_is_wanted(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(scenarios.puzzling())))
    page = screen.open()
    twins = [screen.account("odd.twin1"), screen.account("odd.twin2")]
    for twin in twins:
        expect(twin).to_contain_text("plusieurs comptes que rien ne distingue")
        expect(twin).to_be_visible()
    need = page.get_by_test_id("need")
    expect(need).to_have_count(1)
    expect(need).to_contain_text("Action requise chez Banque Horizon")
    expect(need).to_contain_text("plusieurs comptes que rien ne distingue")
    need.get_by_test_id("need-action").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    assert stub.requests("POST", "webview-sessions")[0]["body"]["connection_id"] == "odd"


def test_an_account_that_cannot_be_read_is_kept_and_asks_nothing(screen: Screen, stub: Stub) -> None:
    unreadable = scenarios.puzzling()["accounts"][:1]
    stub.reset(scenarios.demo(scenarios.user(connection("odd", "Banque Horizon", unreadable))))
    page = screen.open()
    expect(screen.account("odd.unread")).to_contain_text("de façon illisible")
    expect(screen.account("odd.unread").get_by_test_id("balance")).to_be_visible()
    expect(page.get_by_test_id("need")).to_have_count(0)


def test_a_first_synchronisation_that_never_ends_leads_to_the_powens_space(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(scenarios.overdue())))
    page = screen.open()
    bank = screen.institution("slow")
    expect(bank.get_by_test_id("connection-reason")).to_contain_text("n’a toujours pas abouti")
    expect(bank.get_by_test_id("reconnect")).to_have_count(0)
    expect(page.get_by_test_id("need")).to_have_count(0)  # whoever must act is not the person
    bank.get_by_test_id("open-powens").click()
    expect(page.get_by_role("heading", name="manage")).to_be_visible()
    assert stub.requests("POST", "webview-sessions")[0]["body"]["connection_id"] == "slow"


@pytest.mark.parametrize(
    ("code", "message", "who"),
    [
        ("refresh_refused", "Powens n’accepte pas d’actualisation. Vos données datent d’il y a 8 heures.", "powens"),
        ("forbidden_by_powens", "Powens ne nous autorise pas cette action.", "us"),
    ],
)
def test_a_refused_refresh_says_so_and_asks_nothing(
    screen: Screen, stub: Stub, code: str, message: str, who: str
) -> None:
    bank = scenarios.revolut() | {"last_success_at": moment(hours=-8), "freshness": "ageing"}
    refused = reason(message, who=who, step="wait", code=code)
    stub.reset(scenarios.demo(scenarios.user(bank), outcome="failed", status_reason=refused))
    screen.open()
    section = screen.institution("rev")
    section.get_by_test_id("extra").locator("summary").click()
    section.get_by_test_id("refresh").click()
    operation = section.get_by_test_id("operation")
    expect(operation.get_by_test_id("operation-message")).to_have_text("L’actualisation n’a pas abouti")
    expect(operation).to_contain_text(message)
    expect(operation.get_by_test_id("next-step")).to_have_count(0)
    expect(section.get_by_test_id("connection-status")).to_contain_text("il y a 8 heures")


def test_a_connection_that_could_not_be_ended_says_so(screen: Screen, stub: Stub) -> None:
    forbidden = reason("Powens ne nous autorise pas cette action.", who="us", step="wait", code="forbidden_by_powens")
    stub.reset(scenarios.demo(scenarios.reconnected(), outcome="failed", status_reason=forbidden))
    page = screen.open()
    dead = screen.institution("old")
    dead.get_by_test_id("end").click()
    page.get_by_test_id("end-name").fill("Banque Horizon")
    page.get_by_test_id("confirm").click()
    expect(dead.get_by_test_id("operation-message")).to_have_text("La connexion n’a pas pu prendre fin")
    expect(dead.get_by_test_id("operation")).to_contain_text("ne nous autorise pas")
    expect(dead.get_by_test_id("end")).to_be_enabled()


def test_accounts_of_one_bank_are_one_thing_to_do_however_many_they_are(screen: Screen, stub: Stub) -> None:
    ask = reason("Cochez-le à nouveau.", step="manage", code="recreated_by_powens")
    failed = [
        account(f"a.{n}", f"Compte {n}", enabled=False, status="failed", status_reason=ask, **more)
        for n, more in enumerate([{}, {}, scenarios.copy_of("a.0", "Il compte ailleurs.")])
    ]
    broken = {"status": "action_required", "status_reason": reason("Reconnectez-vous.", step="reconnect")}
    stub.reset(
        scenarios.demo(
            scenarios.user(connection("a", "A", failed[:2]), connection("b", "B", failed, **broken)),
        )
    )
    page = screen.open()
    expect(page.get_by_test_id("need")).to_have_count(2)
    expect(page.get_by_test_id("need").nth(0)).to_contain_text("Reconnectez-vous.")
    expect(page.get_by_test_id("need").nth(1)).to_contain_text("Cochez-le à nouveau.")
