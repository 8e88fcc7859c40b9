"""What cannot be pressed says why, forms keep their shape, big text breaks no word, and long lists can be narrowed."""

from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.polling import eventually
from tests.web import scenarios
from tests.web.scenarios import account, connection, moment
from tests.web.screen import DESKTOP, PHONE, OpenScreen, Screen, Stub

pytestmark = pytest.mark.browser


def test_a_form_says_what_it_lacks_until_it_can_be_sent(screen: Screen) -> None:
    page = screen.open()
    screen.add("add-manual")
    form = page.get_by_test_id("add-manual-account")
    confirm, lack = form.get_by_test_id("confirm"), form.get_by_test_id("lack")
    steps = [
        ("name", "Tirelire", "Indiquez le solde, par exemple 1\u202f250,50."),
        ("balance", "dix", "Ce solde n’est pas un montant. Écrivez par exemple 1\u202f250,50."),
        ("balance", "10", ""),
        ("currency", "€", "Indiquez la devise par son code, par exemple EUR."),
    ]
    expect(lack).to_have_text("Donnez un nom à ce compte.")
    for name, typed, lacks in steps:
        form.locator(f"[name={name}]").fill(typed)
        expect(lack).to_have_text(lacks)
        if lacks:
            expect(confirm).to_be_disabled()
            expect(confirm).to_have_accessible_description(lacks.replace("\u202f", " "))
        else:
            expect(confirm).to_be_enabled()


def test_ending_a_connection_says_that_the_name_is_what_it_lacks(screen: Screen) -> None:
    page = screen.open()
    screen.institution("hor").get_by_test_id("extra").locator("summary").click()
    screen.institution("hor").get_by_test_id("end").click()
    expect(page.get_by_test_id("lack")).to_contain_text("Le nom saisi")
    page.get_by_test_id("end-name").fill("banque horizon")
    expect(page.get_by_test_id("lack")).to_be_empty()


def test_a_button_of_a_card_that_cannot_be_used_says_why(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.user(scenarios.revolut(), connection("none", "Banque Vide", []))))
    page = screen.open()
    empty = screen.institution("none").get_by_test_id("choose")
    expect(empty).to_have_attribute("aria-disabled", "true")
    empty.click(force=True)
    expect(page.get_by_test_id("done")).to_contain_text("Aucun compte n’a encore été trouvé")
    stub.settings(work=None)
    card = screen.institution("rev")
    card.get_by_test_id("extra").locator("summary").click()
    card.get_by_test_id("refresh").click()
    expect(card.get_by_test_id("operation")).to_be_visible()
    card.get_by_test_id("extra").evaluate("(extra) => { extra.open = true; }")
    card.get_by_test_id("refresh").click(force=True)
    expect(page.get_by_test_id("done")).to_contain_text("Un changement est en cours")
    assert len(stub.requests("POST", "/refresh")) == 1


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_refused_amount_leaves_its_neighbour_as_it_is(
    new_screen: OpenScreen, stub: Stub, viewport: ViewportSize
) -> None:
    refusal = {"status": 422, "code": "balance_out_of_range", "field": "balance", "detail": "Ce solde est trop élevé."}
    screen = new_screen(viewport=viewport)
    page = screen.open()
    stub.settings(fail=[refusal | {"method": "POST", "path": "/v1/accounts", "times": 1}])
    screen.add("add-manual")
    form = page.get_by_test_id("add-manual-account")
    form.locator("[name=name]").fill("Tirelire")
    form.locator("[name=balance]").fill("10")
    before = form.locator("[name=currency]").bounding_box()
    form.get_by_test_id("confirm").click()
    expect(form.get_by_test_id("refusal")).to_be_visible()
    after = form.locator("[name=currency]").bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] == before["height"]
    expect(form.get_by_test_id("confirm")).to_be_enabled()


BROKEN = """() => {
    const broken = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const around = node.parentElement;
        if (!around.checkVisibility() || around.closest('.skip') || around.offsetWidth <= 1) continue;
        for (const found of node.data.matchAll(/\\p{L}{2,16}/gu)) {
            const range = document.createRange();
            range.setStart(node, found.index);
            range.setEnd(node, found.index + found[0].length);
            const lines = new Set([...range.getClientRects()].filter((r) => r.width > 1).map((r) => Math.round(r.top)));
            if (lines.size > 1) broken.push(found[0]);
        }
    }
    return broken;
}"""


def troubled() -> dict[str, Any]:
    """The banks of the demo, one of them failing."""
    data = scenarios.alice()
    data["connections"][0].update(
        status="action_required",
        freshness="stale",
        last_success_at=moment(days=-9),
        status_reason=scenarios.reason("Votre banque demande une authentification forte.", step="reconnect"),
    )
    return data


@pytest.mark.parametrize(
    ("width", "size"), [(390, "100%"), (390, "200%"), (320, "100%"), (640, "200%"), (1280, "200%")]
)
def test_big_text_and_small_screens_break_no_word(new_screen: OpenScreen, stub: Stub, width: int, size: str) -> None:
    stub.reset(scenarios.demo(troubled()))
    screen = new_screen(viewport={"width": width, "height": 844}, is_mobile=width < 640)
    page = screen.open()
    page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", size)
    screen.shot(f"text-{size[:-1]}")
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_a_join_to_decide_is_said_on_top_and_leads_to_its_question(screen: Screen, stub: Stub) -> None:
    stub.reset(scenarios.demo(scenarios.twins()))
    page = screen.open()
    need = page.get_by_test_id("need")
    expect(need).to_contain_text("Mon livret est peut-être déjà synchronisé")
    need.get_by_test_id("need-action").click()
    expect(page.get_by_test_id("manual-account")).to_be_focused()
    expect(page.get_by_test_id("suggestion")).to_be_in_viewport()
    page.get_by_test_id("not-the-same").click()
    expect(need).to_have_count(0)


def names(page: Page) -> list[str]:
    return page.get_by_test_id("institution").get_by_role("heading", level=2).all_inner_texts()


def test_a_long_list_is_sorted_and_narrowed_to_a_type(screen: Screen, stub: Stub) -> None:
    pea = {"type": "securities", "provider_type": "pea", "balance": "1.00"}
    banks = [
        connection(f"b{n}", f"Banque {n}", [
            account(f"b{n}.1", "Compte", balance=f"{n}00.00"),
            *([account(f"b{n}.2", "PEA", **pea)] if n % 4 == 0 else []),
        ])
        for n in range(1, 11)
    ]  # fmt: skip
    banks[6].update(status="failed", freshness="stale")
    stub.reset(scenarios.demo(scenarios.user(*banks)))
    page = screen.open()
    eventually(lambda: names(page)[:3] == ["Banque 7", "Banque 1", "Banque 2"])
    page.get_by_test_id("order").select_option("name")
    eventually(lambda: names(page)[:3] == ["Banque 1", "Banque 2", "Banque 3"])
    page.get_by_test_id("order").select_option("balance")
    eventually(lambda: names(page)[:3] == ["Banque 10", "Banque 9", "Banque 8"])
    page.get_by_test_id("type").select_option("securities")
    eventually(lambda: names(page) == ["Banque 8", "Banque 4"])
    expect(page.get_by_test_id("account")).to_have_count(2)
    assert screen.axe() == []
    screen.shot("narrowed")
