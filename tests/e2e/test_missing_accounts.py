"""An account is missing: why, what to do, and what becomes of it, in a real browser against what `make run` starts.

The sandbox's institutions are shared by all tests: what is changed here is put back. A process of the API looks only
once a minute whether there is a newer catalogue, so who asks about Revolut's savings does so before they are given.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.e2e.conftest import System
from tests.e2e.people import Person
from tests.polling import eventually
from tests.web.screen import PHONE, axe

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)
MANUAL = "Épargne flexible"
SYNCHRONISED = "Compte d'épargne flexible"


@dataclass(frozen=True)
class Language:
    """What the buttons and sentences of this journey are called, and how people write an amount."""

    locale: str
    missing: str
    not_handled: str
    add_manual: str
    tell_me: str
    available: str
    choose: str
    same: str
    join: str
    part: str
    reconnect: str
    amount: str
    euros: Callable[[int], str]


FRENCH = Language(
    locale="fr-FR",
    missing="Un compte manque ?",
    not_handled="Powens ne",
    add_manual="Ajouter un compte manuellement",
    tell_me="Prévenez-moi",
    available="Disponible maintenant chez Revolut",
    choose="Choisir les comptes",
    same="Est-ce le même compte",
    join="Oui, les rattacher",
    part="Détacher",
    reconnect="Reconnecter",
    amount="3 000,00",
    euros=lambda amount: f"{amount:,},00 €".replace(",", " ", 1),
)
ENGLISH = Language(
    locale="en-GB",
    missing="Is an account missing?",
    not_handled="Powens cannot",
    add_manual="Add an account manually",
    tell_me="Notify me",
    available="Now available at Revolut",
    choose="Choose accounts",
    same="Is this the same account?",
    join="Yes, link them",
    part="Unlink",
    reconnect="Reconnect",
    amount="3,000.00",
    euros=lambda amount: f"€{amount:,}.00",
)


class Visitor:
    """A person of the test's own, with the page open on a phone."""

    def __init__(self, browser: Browser, person: Person, language: Language) -> None:
        self.person, self.language = person, language
        self.problems: list[str] = []
        self._context: BrowserContext = browser.new_context(
            viewport=PHONE, is_mobile=True, has_touch=True, locale=language.locale, timezone_id="Europe/Paris"
        )
        self._context.set_default_timeout(PATIENCE)
        self.page: Page = self._context.new_page()
        self.page.route("**/demo/token", self._token)
        self.page.on("pageerror", lambda error: self.problems.append(error.stack or str(error)))
        self.page.goto(person.system.url)
        self.page.locator("[data-testid=sign-in][data-user=alice]").click()
        expect(self.page.get_by_test_id("accounts-view")).to_have_attribute("aria-busy", "false")

    def _token(self, route: Route) -> None:
        route.fulfill(json={"token": self.person.token, "expires_at": self.person.token_expires_at.isoformat()})

    def close(self) -> None:
        self._context.close()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_test_id("missing")

    @property
    def answer(self) -> Locator:
        return self.dialog.get_by_test_id("missing-answer")

    @property
    def manual_account(self) -> Locator:
        return self.page.get_by_test_id("manual-account")

    @property
    def told(self) -> Locator:
        """What the page says of wishes that came true."""
        return self.page.locator("[data-testid=notice][data-notice^=wish-]")

    def account(self, name: str) -> Locator:
        return self.page.get_by_test_id("account").filter(has_text=name)

    def press(self, testid: str, name: str, inside: Locator | None = None) -> None:
        """Press the button that people know by this name."""
        known_as = self.page.get_by_role("button", name=re.compile(re.escape(name)))
        (inside or self.page).get_by_test_id(testid).and_(known_as).click()

    def sees(self, what: str) -> None:
        """A screen that axe has nothing against; `what` names it when it has."""
        assert axe(self.page) == [], what

    def starts_to_ask(self) -> None:
        self.page.get_by_test_id("add").click()
        self.press("missing-open", self.language.missing)
        expect(self.dialog.get_by_role("heading", name=self.language.missing)).to_be_focused()

    def names_institution(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()

    def names_type(self, kind: str) -> None:
        self.dialog.locator(f"[data-testid=missing-type][data-type={kind}]").click()

    def asks(self, institution: str, kind: str) -> None:
        """The short dialogue: institution, type, answer."""
        self.starts_to_ask()
        self.names_institution(institution)
        self.names_type(kind)

    def is_answered(self, answer: str, reason: str, step: str) -> None:
        expect(self.answer).to_have_attribute("data-answer", answer)
        expect(self.answer).to_have_attribute("data-reason", reason)
        expect(self.answer).to_have_attribute("data-step", step)
        self.sees(reason)

    def confirms(self) -> None:
        self.page.get_by_test_id("preview").get_by_test_id("confirm").click()

    def has_in_all(self, euros: int, *, of_them_twins: int = 0) -> None:
        """The same on the page and by the API, each account once. The page leaves out what may be counted twice."""
        shown_euros = self.language.euros(euros - of_them_twins)
        written = re.sub(r"\s", r"\\s", re.escape(shown_euros).replace("\\ ", " "))
        expect(self.page.get_by_test_id("total")).to_have_text(re.compile(f"^{written}$"))
        shown = self.person.api.get("/v1/connections").raise_for_status().json()
        accounts = [*(a for c in shown["connections"] for a in c["accounts"]), *shown["manual_accounts"]]
        counted = [a for a in accounts if a["enabled"] and a["duplicate_of"] is None and a["currency"] == "EUR"]
        assert sum(Decimal(a["balance"]) for a in counted) == euros


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[Person, Language], Visitor]]:
    visitors: list[Visitor] = []

    def come(person: Person, language: Language) -> Visitor:
        visitors.append(Visitor(browser, person, language))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.close()
    assert [visitor.problems for visitor in visitors] == [[] for _ in visitors]


def renew_catalogue(system: System) -> None:
    """As its schedule does each hour, or an operator with `make catalogue`."""
    name = system.functions["InstitutionCatalogueFunction"]
    answer = system.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert json.loads(answer["Payload"].read())["kept"]


@pytest.fixture
def revolut_gives_savings(system: System) -> Iterator[Callable[[], None]]:
    """From when it is called until the end of the test."""
    with system.sandbox() as powens:
        found = powens.get("/sandbox/connectors").raise_for_status().json()["connectors"]
        before: dict[str, Any] = next(c for c in found if c["slug"] == "revolut")

        def change(capabilities: list[str], products: list[str], types: list[str]) -> None:
            body = {
                "capabilities": capabilities,
                "products": products,
                "sources": {"openapi": {"account_types": types}},
            }
            powens.patch("/sandbox/connectors/revolut", json=body).raise_for_status()
            renew_catalogue(system)

        capabilities, products, types = before["capabilities"], before["products"], before["sources"]["openapi"]
        yield lambda: change([*capabilities, "bankwealth"], [*products, "wealth"], [*types, "savings"])
        change(capabilities, products, types)


def told_of_manual(person: Person) -> list[dict[str, Any]]:
    """What the bus says of manual accounts."""
    return [detail for detail in person.events("AccountsUpdated") if "connection_id" not in detail["data"]]


def test_savings_that_revolut_does_not_share_are_kept_manually_until_it_does_and_then_count_once(
    system: System, visit: Callable[[Person, Language], Visitor], revolut_gives_savings: Callable[[], None]
) -> None:
    with Person(system) as somebody, Person(system) as anybody:
        visitors = [visit(somebody, FRENCH), visit(anybody, ENGLISH)]
        for visitor in visitors:
            learns_that_savings_are_not_handled_and_adds_them_manually(visitor)
        revolut_gives_savings()
        for visitor in visitors:
            is_told_ticks_the_account_and_joins_it(visitor)
        renew_catalogue(system)
        for visitor in visitors:
            parts_the_two_and_hears_no_more(visitor)


def learns_that_savings_are_not_handled_and_adds_them_manually(visitor: Visitor) -> None:
    person, page, words = visitor.person, visitor.page, visitor.language
    visitor.has_in_all(1250)
    visitor.starts_to_ask()
    visitor.sees("which institution")
    visitor.names_institution("Revolut")
    visitor.sees("which type")
    visitor.names_type("savings")
    visitor.is_answered("no", "type_not_supported", "add_manually")
    expect(visitor.answer).to_contain_text(words.not_handled)
    visitor.press("wish-tell-me", words.tell_me)
    expect(visitor.dialog.get_by_test_id("wish")).to_have_attribute("data-recorded", "true")
    visitor.sees("a wish that is recorded")
    (wish,) = person.api.get("/v1/connections").json()["wishes"]
    assert (wish["institution_name"], wish["type"], wish["available_at"]) == ("Revolut", "savings", None)

    visitor.press("missing-step", words.add_manual)
    form = page.get_by_test_id("add-manual-account")
    expect(form.locator("[name=institution_name]")).to_have_value("Revolut")
    expect(form.locator("[name=type]")).to_have_value("savings")
    form.locator("[name=name]").fill(MANUAL)
    form.locator("[name=balance]").fill(words.amount)
    visitor.sees("the form")
    form.get_by_test_id("confirm").click()
    expect(visitor.manual_account).to_contain_text(MANUAL)
    visitor.sees("the list with a manual account")
    visitor.has_in_all(4250)
    (detail,) = eventually(lambda: told_of_manual(person))
    (line,) = detail["data"]["accounts"]
    assert (line["change"], line["type"], line["currency"], line["enabled"]) == ("added", "savings", "EUR", True)
    assert (detail["data"]["revision"], detail["metadata"]["cause"]) == (1, "user")


def is_told_ticks_the_account_and_joins_it(visitor: Visitor) -> None:
    person, page, words = visitor.person, visitor.page, visitor.language
    expect(visitor.told).to_contain_text(words.available)
    visitor.sees("that savings can be had")
    person.powens.post(f"/sandbox/connections/{person.powens_connection}/sync").raise_for_status()
    visitor.press("wish-step", words.choose, visitor.told)
    expect(page.get_by_role("checkbox", name=re.compile(SYNCHRONISED))).to_be_checked()
    page.get_by_test_id("finish").click()
    visitor.confirms()
    expect(visitor.account(SYNCHRONISED)).to_have_attribute("data-enabled", "true")
    expect(visitor.told.get_by_test_id("wish-step")).to_have_count(0)
    visitor.has_in_all(7400, of_them_twins=3000)

    suggestion = visitor.manual_account.get_by_test_id("suggestion")
    expect(suggestion).to_contain_text(words.same)
    expect(suggestion).to_contain_text(SYNCHRONISED)
    visitor.sees("the suggestion to join")
    visitor.press("join", words.join, suggestion)
    expect(visitor.manual_account).to_have_count(0)
    expect(visitor.account(SYNCHRONISED)).to_contain_text(MANUAL)
    visitor.sees("two accounts that are joined")
    visitor.has_in_all(4400)


def parts_the_two_and_hears_no_more(visitor: Visitor) -> None:
    person, words = visitor.person, visitor.language
    visitor.press("part", words.part, visitor.account(SYNCHRONISED))
    expect(visitor.manual_account).to_contain_text(MANUAL)
    expect(visitor.account(SYNCHRONISED)).to_have_attribute("data-enabled", "true")
    # Parted is not denied: whether the two are the same is asked again.
    visitor.has_in_all(7400, of_them_twins=3000)

    assert len(person.events("AccountNowAvailable")) == 1
    expect(visitor.told).to_have_count(1)
    visitor.told.get_by_test_id("notice-close").click()
    expect(visitor.told).to_have_count(0)
    eventually(lambda: person.api.get("/v1/connections").json()["wishes"] == [])


# --- what else may be the reason ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[FRENCH, ENGLISH], ids=lambda language: language.locale)
def language(request: pytest.FixtureRequest) -> Language:
    given: Language = request.param
    return given


@pytest.fixture(scope="module")
def saver(system: System, language: Language) -> Iterator[Person]:
    """Connected with a bank that no other test uses, whose savings account the person has not ticked."""
    with Person(system, "polderbank") as person:
        person.ended(person.select("Betaalrekening"))
        yield person


@pytest.fixture
def polderbank_is_down(saver: Person) -> Iterator[None]:
    def is_out(state: str | None) -> None:
        saver.powens.patch("/sandbox/connectors/polderbank", json={"outage": state}).raise_for_status()
        saver.powens.post(f"/sandbox/connections/{saver.powens_connection}/sync").raise_for_status()
        saver.wait(lambda: saver.connection["status"] == ("waiting" if state else "ok"))

    is_out("websiteUnavailable")
    yield
    is_out(None)


@pytest.fixture
def the_bank_wants_authentication(saver: Person) -> Iterator[None]:
    def wants(state: str | None, status: str) -> None:
        address = f"/sandbox/connections/{saver.powens_connection}"
        saver.powens.patch(address, json={"state": state}).raise_for_status()
        saver.wait(lambda: saver.connection["status"] == status)

    wants("SCARequired", "action_required")
    yield
    wants(None, "ok")


@pytest.fixture
def visitor(saver: Person, language: Language, visit: Callable[[Person, Language], Visitor]) -> Visitor:
    return visit(saver, language)


def test_when_nothing_is_known_the_answer_is_that_nothing_is_known(visitor: Visitor) -> None:
    visitor.asks("Polderbank", "card")
    visitor.is_answered("unknown", "unknown", "manage")


@pytest.mark.usefixtures("polderbank_is_down")
def test_while_the_bank_is_down_the_answer_says_when_it_is_tried_again(visitor: Visitor) -> None:
    visitor.asks("Polderbank", "card")
    visitor.is_answered("unknown", "temporary_problem", "wait")
    address = f"/v1/connections/{visitor.person.connection['id']}/missing-accounts"
    said = visitor.person.api.get(address, params={"type": "card"}).raise_for_status().json()
    shown = visitor.dialog.get_by_test_id("missing-retry").locator("time")
    expect(shown).to_be_visible()
    expect(shown).to_have_attribute("datetime", said["retry_at"])


@pytest.mark.usefixtures("the_bank_wants_authentication")
def test_when_the_bank_asks_for_authentication_the_next_step_is_to_reconnect(visitor: Visitor) -> None:
    visitor.asks("Polderbank", "card")
    visitor.is_answered("unknown", "needs_user_action", "reconnect")
    visitor.press("missing-step", visitor.language.reconnect)
    visitor.page.wait_for_url("**/reconnect/**")


def test_an_account_that_the_person_had_unticked_is_ticked_where_the_question_was_asked(visitor: Visitor) -> None:
    visitor.asks("Polderbank", "savings")
    visitor.is_answered("yes", "hidden_by_user", "manage")
    visitor.dialog.get_by_role("checkbox", name="Spaarrekening").check()
    visitor.dialog.get_by_test_id("missing-step").click()
    visitor.confirms()
    expect(visitor.account("Spaarrekening")).to_have_attribute("data-enabled", "true")
    visitor.person.wait(lambda: visitor.person.agreed({"Betaalrekening": True, "Spaarrekening": True}))
