"""The Webview's and the sandbox's pages in a real browser: looks, keyboard, accessibility, frames.

Screenshots of every screen go to powens_sandbox/tests/screenshots, for people to look at.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from powens_sandbox.tests.driver import Consumer, Person, Sandbox, running

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parent / "screenshots"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
type Open = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium(browser: Browser) -> Browser:
    return browser


@pytest.fixture(scope="module")
def town(consumer: Consumer) -> Iterator[Sandbox]:
    """A sandbox that sends people back to its own health page, so that the browser arrives somewhere."""
    with running(webhook_base_url="", sync_delay=0.05) as sandbox:
        sandbox.settings(redirect_uris=[f"{sandbox.url}/sandbox/health"])
        yield sandbox


@pytest.fixture
def citizen(town: Sandbox) -> Person:
    return town.person()


@pytest.fixture(params=[("phone", PHONE), ("desktop", DESKTOP)], ids=lambda item: item[0])
def screen(request: pytest.FixtureRequest) -> tuple[str, dict[str, int]]:
    name, size = request.param
    return name, size


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    contexts = []
    problems: list[str] = []

    def opened(size: dict[str, int], *, scheme: str = "light", language: str = "fr-FR") -> Page:
        context = chromium.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
            locale=language,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def address(town: Sandbox, flow: str, person: Person, language: str = "fr", **query: str) -> str:
    parameters = {
        "domain": "acme.biapi.pro",
        "client_id": "10000001",
        "redirect_uri": f"{town.url}/sandbox/health",
        "code": person.code(),
        **query,
    }
    return f"{town.url}/{language}/{flow}?{urlencode(parameters)}"


def looked_at(page: Page, name: str) -> None:
    """Take a picture, find no accessibility violation, and nothing wider than the screen."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    found: dict[str, Any] = Axe().run(page).response
    assert [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]] == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name


def press(page: Page, testid: str) -> None:
    page.get_by_test_id(testid).first.click()


def test_every_screen_of_connect_looks_right(
    town: Sandbox, citizen: Person, open_page: Open, screen: tuple[str, dict[str, int]]
) -> None:
    name, size = screen
    page = open_page(size)
    page.goto(address(town, "connect", citizen, state="s", max_connections="2"))
    looked_at(page, f"connect-1-terms-{name}")
    press(page, "accept-terms")
    looked_at(page, f"connect-2-pick-{name}")
    page.get_by_label("Rechercher un établissement").fill("horizon")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("institution")).to_have_count(1)
    press(page, "institution")
    looked_at(page, f"connect-3-bank-{name}")
    press(page, "bank-approve")
    looked_at(page, f"connect-4-accounts-{name}")
    page.get_by_role("button", name="Connecter d'autres comptes").click()
    looked_at(page, f"connect-5-credentials-{name}")
    page.get_by_label("Identifiant").fill("claire")
    page.get_by_label("Mot de passe").fill("wrong")
    press(page, "submit-credentials")
    looked_at(page, f"connect-6-refused-{name}")
    page.get_by_label("Identifiant").fill("claire")
    page.get_by_label("Mot de passe").fill("right")
    press(page, "submit-credentials")
    looked_at(page, f"connect-7-more-{name}")
    page.get_by_role("checkbox", name="Livret A").check()
    page.get_by_role("button", name="Terminer").click()
    looked_at(page, f"connect-8-another-{name}")
    press(page, "finish")
    page.wait_for_url(re.compile(r"connection_id=\d+&connection_ids=\d+&state=s"))
    assert "Livret A" in {item["name"] for item in citizen.get("/users/me/accounts")["accounts"]}


def test_every_screen_of_manage_looks_right(
    town: Sandbox, citizen: Person, open_page: Open, screen: tuple[str, dict[str, int]]
) -> None:
    name, size = screen
    made = citizen.connect("revolut", enabled=["Compte courant EUR"])
    troubled = citizen.connect("banque-horizon", sources=["openapi", "directaccess"])
    body = {"state": "actionNeeded", "error_message": "Merci d'accepter les nouvelles conditions générales."}
    town.admin("PATCH", f"/connections/{troubled['id']}", body)
    page = open_page(size)
    page.goto(address(town, "manage", citizen, state="s"))
    looked_at(page, f"manage-1-list-{name}")
    page.get_by_role("button", name=re.compile("Banque Horizon")).click()
    looked_at(page, f"manage-2-trouble-{name}")
    press(page, "back")
    page.locator(f'[data-connection="{made["id"]}"]').click()
    expect(page.get_by_test_id("more-accounts")).to_have_count(0)
    looked_at(page, f"manage-3-accounts-{name}")
    page.get_by_role("checkbox", name="Compte courant USD").check()
    press(page, "finish")
    expect(page.get_by_test_id("notice")).to_have_text("Les comptes seront mis à jour prochainement.")
    looked_at(page, f"manage-4-saved-{name}")
    page.locator(f'[data-connection="{troubled["id"]}"]').click()
    press(page, "delete-connection")
    looked_at(page, f"manage-5-delete-{name}")
    press(page, "confirm-delete")
    press(page, "close")
    page.wait_for_url(re.compile(r"health\?state=s$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_steps_of_authentication_look_right(town: Sandbox, citizen: Person, open_page: Open, scheme: str) -> None:
    for outcome, last in (("SCARequiredAndOTP", "otp"), ("SCARequiredAndDecoupled", "decoupled"), ("bug", "failed")):
        page = open_page(PHONE, scheme=scheme, language="en-GB")
        page.goto(address(town, "connect", citizen, "en", connector_ids="40"))
        press(page, "accept-terms")
        looked_at(page, f"authentication-{scheme}-credentials")
        page.get_by_label("Login").fill("anybody")
        page.get_by_label("Password").fill("1234")
        page.get_by_label("Behaviour of the openapi source").select_option(outcome)
        press(page, "submit-credentials")
        expect(page.locator("main")).to_have_attribute("data-step", last)
        looked_at(page, f"authentication-{scheme}-{last}")


def test_a_refused_address_and_a_spent_code_look_right(town: Sandbox, citizen: Person, chromium: Browser) -> None:
    # Without the check for errors on the console: the browser reports a page of status 400 there.
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(address(town, "connect", citizen, client_id="1"))
    looked_at(page, "error-address-phone")
    page.close()


def tab_to(page: Page, testid: str, label: str = "") -> None:
    """With nothing but the keyboard, to the control with that test id, or that accessible name."""
    for _ in range(250):
        page.keyboard.press("Tab")
        here = page.evaluate(
            """(node => [node.dataset.testid ?? '', node.dataset.account ?? node.getAttribute('aria-label')
              ?? node.labels?.[0]?.firstChild?.textContent?.trim() ?? node.textContent])(document.activeElement)"""
        )
        if here[0] == testid and (not label or here[1] == label):
            return
    raise AssertionError(f"the keyboard does not reach {testid} {label}")


def test_connecting_needs_no_mouse(town: Sandbox, citizen: Person, open_page: Open) -> None:
    page = open_page(DESKTOP)
    keys = page.keyboard
    page.goto(address(town, "connect", citizen))
    tab_to(page, "accept-terms")
    keys.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-step", "pick")
    tab_to(page, "search")
    keys.type("revolut")
    keys.press("Enter")
    expect(page.get_by_test_id("institution")).to_have_count(1)
    tab_to(page, "institution")
    keys.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-step", "bank")
    tab_to(page, "bank-approve")
    keys.press("Space")
    expect(page.locator("main")).to_have_attribute("data-step", "accounts")
    tab_to(page, "account", "Compte courant USD")
    keys.press("Space")
    tab_to(page, "account", "Compte courant GBP")
    # Enter in the form finishes it.
    keys.press("Enter")
    page.wait_for_url(re.compile(r"connection_id=\d+"))
    assert {item["name"] for item in citizen.get("/users/me/accounts")["accounts"]} == {
        "Compte courant EUR",
        "Compte courant GBP",
    }


def test_managing_needs_no_mouse(town: Sandbox, citizen: Person, open_page: Open) -> None:
    citizen.connect("revolut")
    page = open_page(PHONE)
    page.goto(address(town, "manage", citizen))
    tab_to(page, "connection")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-step", "accounts")
    tab_to(page, "account", "Compte courant USD")
    page.keyboard.press("Space")
    tab_to(page, "finish")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("notice")).to_be_visible()
    assert citizen.accounts()["Compte courant USD"]["disabled"] is not None
    tab_to(page, "connection")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-step", "accounts")
    tab_to(page, "delete-connection")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_have_attribute("data-step", "delete")
    tab_to(page, "confirm-delete")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("connection")).to_have_count(0)
    tab_to(page, "close")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/sandbox/health"))


def test_the_switches_need_no_mouse(town: Sandbox, citizen: Person, open_page: Open) -> None:
    town.admin("DELETE", "/faults")
    made = citizen.connect("revolut")
    page = open_page(DESKTOP, language="en-GB")
    page.goto(f"{town.url}/sandbox")
    expect(page.get_by_role("heading", name=f"User {citizen.id}")).to_be_visible()
    tab_to(page, "", "Match")
    page.keyboard.type("GET /users/me$")
    tab_to(page, "", "Status")
    page.keyboard.type("503")
    tab_to(page, "", "Switch on")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The fault is on")
    assert citizen.call("GET", "/users/me").status_code == 503
    tab_to(page, "", f"Lock connection {made['id']}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Unlock connection {made['id']}", exact=True)).to_be_focused()
    town.admin("DELETE", "/faults")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(town: Sandbox, citizen: Person, open_page: Open) -> None:
    page = open_page(DESKTOP)
    page.goto(address(town, "manage", citizen))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_finishing_a_new_connection_waits_for_a_tick(town: Sandbox, citizen: Person, open_page: Open) -> None:
    uuid = town.http.get("/2.0/connectors/revolut").json()["uuid"]
    page = open_page(PHONE)
    page.goto(address(town, "connect", citizen, connector_uuids=uuid))
    press(page, "accept-terms")
    press(page, "bank-approve")
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    expect(page.get_by_test_id("finish")).to_be_disabled()
    page.get_by_role("checkbox").first.check()
    expect(page.get_by_test_id("finish")).to_be_enabled()


def test_a_frame_tells_the_page_around_it(town: Sandbox, citizen: Person, open_page: Open, tmp_path: Path) -> None:
    page = open_page(DESKTOP)
    page.goto(f"{town.url}/sandbox/health")
    page.evaluate(
        """address => {
            window.heard = [];
            addEventListener("message", (event) => window.heard.push([event.origin, event.data]));
            const frame = document.createElement("iframe");
            frame.src = address;
            frame.width = 600; frame.height = 800;
            document.body.append(frame);
        }""",
        address(town, "manage", citizen, state="s"),
    )
    page.frame_locator("iframe").get_by_test_id("close").click()
    page.wait_for_function("window.heard.length > 0")
    origin, data = page.evaluate("window.heard[0]")
    assert origin == town.url
    assert data == {"type": "powensWebviewTermination", "data": {"state": "s"}}


def test_the_page_of_switches_plays_a_fault(town: Sandbox, open_page: Open, screen: tuple[str, dict[str, int]]) -> None:
    name, size = screen
    town.admin("DELETE", "/faults")
    somebody = town.person()
    page = open_page(size, language="en-GB")
    page.goto(f"{town.url}/sandbox")
    expect(page.get_by_role("heading", name=f"User {somebody.id}")).to_be_visible()
    page.locator("[name=id_user]").select_option(str(somebody.id))
    banks = page.get_by_role("region", name="Users and banks")
    banks.locator("[name=connector]").select_option("revolut")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Compte courant GBP").first).to_be_visible()
    connection = somebody.get("/users/me/connections")["connections"][0]["id"]
    page.get_by_label(f"State of connection {connection}").select_option("wrongpass")
    expect(page.get_by_role("status")).to_contain_text("done")
    assert somebody.get(f"/users/me/connections/{connection}")["state"] == "wrongpass"
    page.get_by_role("button", name=f"Lock connection {connection}", exact=True).click()
    expect(page.get_by_role("button", name=f"Unlock connection {connection}", exact=True)).to_be_visible()
    institutions = page.get_by_role("region", name="Institutions")
    institutions.locator("[name=connector]").select_option("banque-horizon")
    institutions.locator("[name=outage]").select_option("websiteUnavailable")
    institutions.get_by_role("button", name="Change").click()
    expect(institutions.get_by_role("row", name="Banque Horizon")).to_contain_text("websiteUnavailable")
    page.get_by_role("button", name="Close Liffey Bank to new connections").click()
    expect(institutions.get_by_role("row", name="Liffey Bank")).to_contain_text("takes no new connection")
    page.get_by_label("Match").fill("GET /users/me$")
    page.get_by_label("Status", exact=True).fill("429")
    page.get_by_label("Times", exact=True).fill("1")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("status")).to_contain_text("The fault is on")
    assert somebody.call("GET", "/users/me").status_code == 429
    page.get_by_label("webhook_gzip", exact=True).select_option("true")
    expect(page.get_by_role("status")).to_contain_text("webhook_gzip: changed")
    looked_at(page, f"console-{name}")
    for slug in ("banque-horizon", "liffey-bank"):
        town.admin("PATCH", f"/connectors/{slug}", {"outage": None, "restricted": False})
