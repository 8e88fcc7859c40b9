"""What an attacker, a careless bank or a wrong answer cannot do to the page."""

import pytest
from playwright.sync_api import Page, expect

from tests.web import scenarios
from tests.web.screen import Screen, Stub

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>{name} \u202e"\'&lt;'


def test_text_from_banks_is_shown_as_text(screen: Screen, stub: Stub) -> None:
    bank = scenarios.connection("x", HOSTILE, [scenarios.account("x.1", HOSTILE, type="<b>")], status="failed",
                                status_reason=scenarios.reason(HOSTILE))  # fmt: skip
    bank["institution"].update(color='red;background:url("//evil.invalid")', logo_url="javascript:window.hit=1")
    stub.reset(scenarios.demo(scenarios.user(bank)))
    page = screen.open()
    expect(page.get_by_test_id("account-name")).to_have_text(HOSTILE)
    expect(page.get_by_test_id("connection-reason")).to_have_text(HOSTILE)
    screen.choose("x", **{"1": False})
    screen.institution("x").get_by_test_id("finish").click()
    expect(page.get_by_test_id("effect-disable")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hit") is None
    assert page.locator("main img, main script").count() == 0


def test_a_logo_on_another_host_is_not_fetched(screen: Screen) -> None:
    page = screen.open()
    assert page.locator("main img").count() == 0  # and the tab fails on any third-party request


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://evil.invalid/", "data:text/html,x", "//", "ftp://localhost/"]
)
def test_the_page_goes_to_no_unsafe_address_whatever_the_api_answers(screen: Screen, stub: Stub, address: str) -> None:
    stub.settings(foreign_webview=address)
    page = screen.open()
    screen.account("rev.eur").get_by_test_id("modify").click()
    expect(page.get_by_test_id("toast")).to_be_visible()
    assert page.url == f"{stub.url}/"


def test_the_return_address_believes_three_words_only_and_is_cleaned(screen: Screen, stub: Stub) -> None:
    page = screen.open(path="/?result=%3Cb%3Edone&next=https://evil.invalid#/")
    expect(screen.institution("rev")).to_be_visible()
    expect(page.get_by_test_id("notice")).to_have_count(0)
    assert page.url == f"{stub.url}/#/"


def test_the_token_is_in_no_storage_and_gone_after_a_reload(screen: Screen) -> None:
    page = screen.open()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "alice." not in stored
    assert page.evaluate("Object.keys(window).filter((k) => /token|session$/i.test(k))") == []


def test_signing_out_leaves_nothing_of_the_person_on_the_screen(screen: Screen) -> None:
    page = screen.open()
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Revolut")
    page.locator("[data-user=carol]").click()
    expect(page.get_by_test_id("empty")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("Revolut")


def stored(page: Page) -> dict[str, str]:
    """What the page keeps on the machine, by name."""
    kept: dict[str, str] = page.evaluate("({...localStorage, ...sessionStorage})")
    return {name: value for name, value in kept.items() if name.startswith("synced-accounts.")}


def test_signing_out_leaves_nothing_of_the_person_in_storage_but_their_language(screen: Screen) -> None:
    page = screen.open()
    page.get_by_test_id("language-en").click()
    page.evaluate(
        """for (const [name, value] of [["visit", {user: "alice"}], ["operations", {alice: {c: "o"}}],
             ["erasure", {alice: "o"}]]) localStorage.setItem("synced-accounts." + name, JSON.stringify(value));
           sessionStorage.setItem("synced-accounts.return-code", '"c0de"'); localStorage.setItem("others", "stays")"""
    )
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    assert stored(page) == {"synced-accounts.language": '"en"'}
    assert page.evaluate("localStorage.getItem('others')") == "stays"


def test_who_signs_out_of_the_host_application_is_out_after_a_reload_too(screen: Screen, stub: Stub) -> None:
    stub.settings(demo=False, host_user="bob")
    page = screen.open(user=None)
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    page.reload()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    assert stored(page) == {}


def test_a_session_that_could_not_be_ended_is_said_to_go_on(screen: Screen, stub: Stub) -> None:
    stub.settings(demo=False, host_user="bob")
    page = screen.open(user=None)
    page.route("**/session/end", lambda route: route.abort())
    page.get_by_test_id("sign-out").click()
    expect(page.get_by_test_id("sign-in-view")).to_be_visible()
    expect(page.get_by_test_id("toast")).to_be_visible()


def test_where_only_the_host_application_signs_out_the_page_does_not_pretend_to(screen: Screen, stub: Stub) -> None:
    stub.settings(demo=False, host_user="bob", host_signs_out=False)
    page = screen.open(user=None)
    expect(page.get_by_test_id("signed-in-as")).to_have_text("Bob")
    expect(page.get_by_test_id("sign-out")).to_have_count(0)


def test_a_lost_session_asks_to_sign_in_again(screen: Screen, stub: Stub) -> None:
    page = screen.open()
    stub.settings(
        fail=[{"method": "GET", "path": "/v1/connections", "status": 401, "code": "unauthorized", "times": 9}]
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_test_id("sign-in-view")).to_contain_text("Votre session a expiré")


def test_a_page_that_cannot_start_says_so(screen: Screen, stub: Stub) -> None:
    screen.page.route("**/config.json", lambda route: route.fulfill(status=500))
    screen.expected = (*screen.expected, "config.json")
    screen.page.goto(stub.url)
    expect(screen.page.get_by_test_id("boot-error")).to_be_visible()
    assert screen.axe() == []


def test_outside_the_demo_the_token_comes_from_the_host_s_own_session(screen: Screen, stub: Stub) -> None:
    stub.settings(demo=False, host_user="bob")
    screen.page.goto(stub.url)
    expect(screen.institution("bob")).to_be_visible()
    expect(screen.page.get_by_test_id("signed-in-as")).to_have_text("Bob")
    stub.post("/stub/expire")
    stub.settings(host_user=None)
    screen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(screen.page.get_by_test_id("sign-in-view")).to_contain_text("Votre session a expiré")


def test_when_nobody_can_sign_in_the_door_offers_to_try_again(screen: Screen, stub: Stub) -> None:
    screen.page.route("**/demo/users", lambda route: route.fulfill(status=503))
    screen.page.goto(stub.url)
    expect(screen.page.get_by_test_id("toast")).to_be_visible()
    screen.page.unroute("**/demo/users")
    screen.page.get_by_test_id("retry").click()
    expect(screen.page.get_by_test_id("sign-in")).to_have_count(3)
