"""What nobody knows about Powens is a setting of the sandbox, and the journey passes under every value of each.

One journey for each column of UNKNOWNS: the first takes the first value of every setting, the next the second, and so
on, so that as many journeys as the longest list has values meet all of them.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import System
from tests.e2e.people import ALL, EUR_ONLY, Person, folded, state_of
from tests.polling import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser]

UNKNOWNS: dict[str, list[Any]] = {
    "webhook_order": ["per_webhook", "strict", "shuffled"],
    "webhook_duplicates": [0.0, 0.5],
    "webhook_delay": [0.0, 0.3],
    "webhook_date": ["attempt", "original"],
    "webhook_gzip": [False, True, True, False],
    "webhook_gzip_signature": ["compressed", "plain"],
    "webhook_data_ids": ["increasing", "random"],
    "choice_events": ["accounts_then_sync", "sync_only", "accounts_only", "sync_then_accounts"],
    "connect_events": ["found_enabled_sync", "enabled_sync", "sync_only"],
    "connection_deleted_events": ["connection", "accounts_and_connection"],
    "user_deleted_events": ["user", "connections_and_user"],
    "disabled_account_fields": ["named", "minimal", "full"],
    "multi_update_answer": ["envelope", "list", "always_envelope"],
    "reenabled_transactions": ["new_ids", "same_ids"],
    "spent_code": ["redirect", "page"],
    "manage_callback": ["state", "connection"],
    "connect_callback": ["both", "ids_only"],
    "cancelled_connect": ["removed", "kept"],
    "preticked_accounts": [True, False],
    "locked_during_sync": [False, True],
    "locked_status": [409, 423],
    "bad_token_status": [401, 403],
    "bad_token_code": ["unauthorized", "invalidToken"],
    "access_token_key": ["access_token", "token"],
    "no_account_status": [409, 400],
    "no_account_on_list": [False, True],
    "delete_connection_answer": ["204", "200"],
    "naive_timezone": ["Europe/Paris", "UTC"],
    "datetime_form": ["naive", "offset"],
    "account_type_form": ["name", "object"],
    "currency_form": ["object", "code"],
    "source_form": ["flat", "nested"],
    "links_key": ["_links", "_link"],
    "list_cap": [0, 2],
    "forced_sync": ["recent", "refused", "accepted"],
    "psu_sync_needs_sca": [False, False, False, True],
    "missing_language": ["unavailable", "browser"],
}
JOURNEYS = max(len(values) for values in UNKNOWNS.values())

# What is no unknown of Powens' behaviour: names, sizes and times; what only other authentications use; what a journey
# cannot meet because its own test plays it (loss, rate limits).
NOT_UNKNOWN = {
    "app_name", "domain", "redirect_uris", "agent", "webhook_shuffle_window", "first_sync_transactions", "sync_delay",
    "background_sync_hours", "forced_sync_interval", "consent_days", "temporary_seconds", "webhook_timeout",
    "webhook_retry_interval", "webhook_signed_path", "webhook_token", "webhook_loss", "rate_limit", "rate_limit_code",
}  # fmt: skip


@pytest.fixture
def settings(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.sandbox_url, timeout=10) as client:
        before = client.get("/sandbox/settings").raise_for_status().json()["settings"]
        yield client
        client.patch("/sandbox/settings", json={name: before[name] for name in UNKNOWNS}).raise_for_status()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-FR")
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def test_every_setting_that_can_change_while_the_sandbox_runs_is_met_or_named(settings: httpx.Client) -> None:
    described = settings.get("/sandbox/settings").json()["described"]
    assert {d["name"] for d in described if not d["fixed"]} == set(UNKNOWNS) | NOT_UNKNOWN
    for setting in described:
        if setting["name"] in UNKNOWNS and setting["choices"]:
            assert set(setting["choices"]) == set(UNKNOWNS[setting["name"]]), setting["name"]


@pytest.mark.parametrize("journey", range(JOURNEYS))
def test_the_journey_passes_under_every_value_of_what_is_unknown(
    system: System, settings: httpx.Client, page: Page, journey: int
) -> None:
    values = {name: options[journey % len(options)] for name, options in UNKNOWNS.items()}
    settings.patch("/sandbox/settings", json=values).raise_for_status()

    with Person(system, connector=None) as person:
        page.goto(person.webview("connect"))
        page.get_by_test_id("accept-terms").click()
        page.locator('[data-testid=institution][data-slug="revolut"]').click()
        page.get_by_test_id("bank-approve").click()
        for name in ALL:
            page.get_by_label(name).set_checked(True)
        page.get_by_test_id("finish").click()
        page.wait_for_url(f"{system.url}/**")
        person.wait(lambda: bool(person.connections()) and person.agreed(ALL), seconds=30)

        page.goto(person.webview("manage", connection_id=person.connection["id"]))
        page.get_by_label("Compte courant GBP").uncheck()
        page.get_by_test_id("finish").click()
        expect(page.get_by_test_id("notice")).to_be_visible()
        page.get_by_test_id("close").click()
        page.wait_for_url(f"{system.url}/**")
        person.wait(lambda: person.agreed({**ALL, "Compte courant GBP": False}), seconds=30)

        assert person.ended(person.select("EUR", "GBP"), seconds=60)["status"] == "completed"
        assert person.ended(person.select("EUR"), seconds=60)["status"] == "completed"
        person.wait(lambda: person.agreed(EUR_ONLY), seconds=30)

        refresh = person.api.post(f"/v1/connections/{person.connection['id']}/refresh").raise_for_status().json()
        assert person.ended(refresh, seconds=60)["status"] in ("completed", "needs_user")

        shown = person.connection
        eventually(lambda: folded(person, shown["id"]) == state_of(person.connection), seconds=30)

        ending = person.api.request("DELETE", f"/v1/connections/{shown['id']}", json={"confirm": "Revolut"})
        assert person.ended(ending.raise_for_status().json(), seconds=60)["status"] == "completed"
        person.wait(lambda: person.connections() == [])
        assert eventually(lambda: person.events("ConnectionRemoved"))
