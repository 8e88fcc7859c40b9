"""The states of the page: for each its scenario, and the way that a tab takes to it."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.web import scenarios
from tests.web.scenarios import (
    CONDITIONS,
    HISTORY,
    TROUBLES,
    moment,
    reason,
)
from tests.web.screen import Screen, Stub

Reach = Callable[[Screen, Stub], None]


def ready(screen: Screen, stub: Stub) -> None:
    screen.open()


def sign_in(screen: Screen, stub: Stub) -> None:
    screen.open(None)
    expect(screen.page.get_by_test_id("sign-in")).to_have_count(3)


def signed_in_elsewhere(screen: Screen, stub: Stub) -> None:
    screen.open(None)
    expect(screen.page.get_by_test_id("sign-in-view")).to_contain_text("Connectez-vous à votre espace")
    expect(screen.page.get_by_test_id("sign-in-link")).to_have_attribute("href", f"{stub.url}/login")


def loading(screen: Screen, stub: Stub) -> None:
    screen.page.goto(stub.url)
    stub.settings(latency=30)
    screen.page.locator("[data-user=alice]").click()
    expect(screen.page.get_by_test_id("skeleton").first).to_be_visible()


def empty(screen: Screen, stub: Stub) -> None:
    screen.open("carol")
    expect(screen.page.get_by_test_id("empty")).to_be_visible()


def failing(screen: Screen, stub: Stub) -> None:
    screen.page.goto(stub.url)
    screen.page.locator("[data-user=alice]").click()
    expect(screen.page.get_by_test_id("error")).to_contain_text("req-1")


def offline(screen: Screen, stub: Stub) -> None:
    screen.page.goto(stub.url)
    expect(screen.page.get_by_test_id("sign-in").first).to_be_visible()
    screen.page.route("**/v1/**", lambda route: route.abort())
    screen.page.locator("[data-user=alice]").click()
    expect(screen.page.get_by_test_id("offline")).to_be_visible()


def offline_later(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.context.set_offline(True)
    expect(screen.page.get_by_test_id("page-state")).to_contain_text("Hors ligne")
    expect(screen.institution("rev")).to_be_visible()


def choosing(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.choose("hor", la=True, card=False)
    expect(screen.page.get_by_test_id("choice-count")).to_have_text("2 comptes cochés sur 4")


def previewing(screen: Screen, stub: Stub) -> None:
    choosing(screen, stub)
    screen.institution("hor").get_by_test_id("finish").click()
    expect(screen.page.get_by_test_id("preview")).to_be_visible()


def changing(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.choose("hor", la=True, card=False)
    screen.finish("hor")
    expect(screen.institution("hor").get_by_test_id("operation")).to_have_attribute("data-status", "pending")
    expect(screen.page.locator("#announcer")).to_have_text("Les comptes seront mis à jour prochainement")
    expect(screen.account("hor.la").get_by_test_id("account-status")).to_have_text("Bientôt synchronisé")


def ended(status: str) -> Reach:
    def reach(screen: Screen, stub: Stub) -> None:
        screen.open()
        screen.choose("hor", la=True, card=False)
        screen.finish("hor")
        expect(screen.institution("hor").get_by_test_id("operation")).to_have_attribute("data-status", status)

    return reach


def ending(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.institution("hor").get_by_test_id("extra").locator("summary").click()
    screen.institution("hor").get_by_test_id("end").click()
    expect(screen.page.get_by_test_id("end-name")).to_be_focused()


def manual_form(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.add("add-manual")
    expect(screen.page.get_by_test_id("add-manual-account")).to_be_visible()


def missing(kind: str | None, **diagnosis: Any) -> Reach:
    def reach(screen: Screen, stub: Stub) -> None:
        stub.settings(diagnoses={f"hor/{kind}": diagnosis}, institutions=[scenarios.new_bank()])
        page = screen.open()
        screen.add("missing-open")
        if kind is None:
            page.get_by_test_id("missing-search").fill("Banque")
            expect(page.get_by_test_id("missing-found")).to_contain_text("1 établissement")
            return
        page.locator("[data-testid=missing-institution][data-institution-id=i-hor]").click()
        page.locator(f"[data-testid=missing-type][data-type={kind}]").click()
        expect(page.get_by_test_id("missing-answer")).to_be_visible()
        page.get_by_test_id("missing-evidence").locator("summary").click()

    return reach


def choosing_type(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    screen.add("missing-open")
    page.get_by_test_id("missing-institution").first.click()
    expect(page.get_by_test_id("missing-type")).to_have_count(9)


def refused_at_a_field(screen: Screen, stub: Stub) -> None:
    manual_form(screen, stub)
    form = screen.page.get_by_test_id("add-manual-account")
    form.locator("[name=name]").fill("Tirelire")
    form.locator("[name=balance]").fill("10")
    form.get_by_test_id("confirm").click()
    expect(form.get_by_test_id("refusal")).to_be_visible()


def past_balances(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.get_by_test_id("past-balances").click()
    expect(screen.page.get_by_test_id("balances").locator("li")).to_have_count(2)


def joined(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.get_by_test_id("join").click()
    expect(screen.account("hor.la").get_by_test_id("part")).to_be_visible()


def incident(screen: Screen, stub: Stub) -> None:
    screen.open()
    expect(screen.institution("hor").get_by_test_id("incident")).to_be_visible()
    expect(screen.page.get_by_test_id("notice")).to_be_visible()
    screen.institution("hor").get_by_test_id("missing-hint").locator("summary").click()


def history(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.get_by_role("link", name="Historique").click()
    expect(screen.page.get_by_test_id("history-entry")).to_have_count(4)


def empty_history(screen: Screen, stub: Stub) -> None:
    screen.open("carol")
    screen.page.get_by_role("link", name="Historique").click()
    expect(screen.page.get_by_test_id("history-empty")).to_be_visible()


def failing_history(screen: Screen, stub: Stub) -> None:
    screen.open("carol")
    screen.page.get_by_role("link", name="Historique").click()
    expect(screen.page.get_by_test_id("history-error")).to_be_visible()


def refused(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.account("rev.eur").get_by_test_id("modify").click()
    expect(screen.page.get_by_test_id("toast")).to_contain_text("Powens est en maintenance")


def many(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.get_by_test_id("search").fill("07-1")
    expect(screen.page.get_by_test_id("account")).to_have_count(10)
    expect(screen.page.locator("#announcer")).to_have_text("10 comptes trouvés")


def nothing_found(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.page.get_by_test_id("search").fill("introuvable")
    expect(screen.page.get_by_test_id("nothing-found")).to_be_visible()


def returned(screen: Screen, stub: Stub) -> None:
    screen.open(path="/?result=cancelled")
    expect(screen.page.get_by_test_id("notice")).to_be_visible()


def replaced(screen: Screen, stub: Stub) -> None:
    screen.open()
    screen.institution("old").get_by_test_id("extra").locator("summary").click()
    expect(screen.institution("old").get_by_test_id("reconnect")).to_be_visible()


def needs_everything(screen: Screen, stub: Stub) -> None:
    screen.open()
    needs = screen.page.get_by_test_id("need")
    expect(needs).to_have_count(3)
    expect(needs.nth(0)).to_contain_text("Action requise chez Banque A")
    expect(needs.nth(0).get_by_test_id("need-action")).to_have_text("Reconnecter")
    expect(needs.nth(1)).to_contain_text("Votre consentement pour Banque C a expiré")
    expect(needs.nth(2)).to_contain_text("Votre consentement pour Banque B expire dans 6 jours")


def conditions(screen: Screen, stub: Stub) -> None:
    screen.open()
    shown = {
        section.get_attribute("data-connection-id"): section.locator(".chip").get_attribute("class")
        for section in screen.page.get_by_test_id("institution").all()
    }
    green = [key for key, tone in shown.items() if "good" in str(tone)]
    assert green == ["fresh"]  # green is for a recent success only


UNAVAILABLE = {"status": 503, "code": "unavailable", "times": 99, "retry_after": 30}
FAILED = {"status": "failed", "reason": reason("La banque a refusé ce compte.", who="bank", step="add_manually")}
ASKED = {"status": "needs_user", "reason": reason("La banque demande une authentification.", step="reconnect")}

STATES: dict[str, tuple[dict[str, Any], Reach]] = {
    "sign-in": (scenarios.demo(), sign_in),
    "sign-in-elsewhere": (scenarios.demo(demo=False), signed_in_elsewhere),
    "list": (scenarios.demo(), ready),
    "loading": (scenarios.demo(), loading),
    "empty": (scenarios.demo(), empty),
    "error": (scenarios.demo(fail=[UNAVAILABLE | {"method": "GET", "path": "/v1/connections"}]), failing),
    "offline": (scenarios.demo(), offline),
    "offline-later": (scenarios.demo(), offline_later),
    "needs": (TROUBLES, needs_everything),
    "conditions": (CONDITIONS, conditions),
    "choosing": (scenarios.demo(), choosing),
    "preview": (scenarios.demo(), previewing),
    "changing": (scenarios.demo(work=None), changing),
    "completed": (scenarios.demo(), ended("completed")),
    "partly": (
        scenarios.demo(outcome="partially_completed", outcomes={"hor.la": FAILED}),
        ended("partially_completed"),
    ),
    "asked": (scenarios.demo(outcome="needs_user", outcomes={"hor.la": ASKED}), ended("needs_user")),
    "failed": (
        scenarios.demo(outcome="failed", status_reason=reason("Powens a refusé.", who="powens")),
        ended("failed"),
    ),
    "timed-out": (scenarios.demo(outcome="timed_out"), ended("timed_out")),
    "ending": (scenarios.demo(), ending),
    "manual-form": (scenarios.demo(), manual_form),
    "history": (scenarios.demo(scenarios.user(scenarios.revolut(), history=HISTORY)), history),
    "history-empty": (scenarios.demo(), empty_history),
    "history-error": (scenarios.demo(fail=[UNAVAILABLE | {"method": "GET", "path": "/v1/history"}]), failing_history),
    "toast": (
        scenarios.demo(
            fail=[UNAVAILABLE | {"method": "POST", "path": "/v1/webview", "detail": "Powens est en maintenance"}]
        ),
        refused,
    ),
    "many": (scenarios.demo(scenarios.very_many()), many),
    "nothing-found": (scenarios.demo(scenarios.very_many(10, 2)), nothing_found),
    "returned": (scenarios.demo(), returned),
    "replaced": (scenarios.demo(scenarios.reconnected()), replaced),
    "odd-names": (scenarios.demo(scenarios.oddly_named()), ready),
    "open-questions": (scenarios.demo(scenarios.user(scenarios.puzzling(), scenarios.overdue())), ready),
    "missing-institution": (scenarios.demo(), missing(None)),
    "missing-type": (scenarios.demo(), choosing_type),
    "missing-unsupported": (
        scenarios.demo(),
        missing(
            "crypto",
            answer="no",
            reason="type_not_supported",
            next_step="add_manually",
            message="Powens ne sait pas récupérer ce type de compte (portefeuille crypto) chez Banque Horizon.",
            evidence=["connection_works", "no_such_account", "no_capability:bankwealth", "only_source:openapi"],
        ),
    ),
    "missing-hidden": (
        scenarios.demo(),
        missing(
            "savings",
            answer="yes",
            reason="hidden_by_user",
            message="Il n’est pas coché.",
            evidence=["unticked_accounts:1"],
        ),
    ),
    "missing-temporary": (
        scenarios.demo(),
        missing(
            "loan",
            reason="temporary_problem",
            next_step="wait",
            retry_at=moment(hours=3.2),
            message="La banque ne répond pas.",
            evidence=["status:bank_unavailable", "incident:bank_unavailable"],
        ),
    ),
    "manual-refused": (
        scenarios.demo(
            fail=[
                {
                    "method": "POST",
                    "path": "/v1/accounts",
                    "status": 422,
                    "code": "balance_out_of_range",
                    "field": "balance",
                    "detail": "Ce solde est trop grand.",
                    "times": 9,
                }
            ]
        ),
        refused_at_a_field,
    ),
    "balances": (scenarios.demo(), past_balances),
    "suggested": (scenarios.demo(scenarios.twins()), ready),
    "joined": (scenarios.demo(scenarios.twins()), joined),
    "incident": (
        scenarios.demo(
            scenarios.alice()
            | {
                "wishes": [
                    {
                        "id": "w",
                        "institution_id": "i-hor",
                        "institution_name": "Banque Horizon",
                        "type": "savings",
                        "created_at": moment(days=-9),
                        "available_at": moment(hours=-2),
                    }
                ]
            },
            incidents=[
                {
                    "institution_id": "i-hor",
                    "since": moment(minutes=-41),
                    "reason": reason("La banque est indisponible."),
                }
            ],
        ),
        incident,
    ),
}
