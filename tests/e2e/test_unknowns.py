"""What nobody knows about Powens is a setting of the sandbox, and the journey passes under every value of each.

One journey for each column of UNKNOWNS: the first takes the first value of every setting, the next the second, and so
on, so that as many journeys as the longest list has values meet all of them.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import System
from tests.e2e.people import ALL, EUR_ONLY, Person, folded, state_of
from tests.e2e.road import OPERATOR, QUERY, Road, road
from tests.polling import eventually

pytestmark = [pytest.mark.slow, pytest.mark.browser]

UNKNOWNS: dict[str, list[Any]] = {
    # Journeys with STALLS meet deliveries that time out.
    "webhook_timeout": [10.0, 10.0, 0.5, 1.5],
    "webhook_retry_interval": [1.0, 2.0, 0.3, 1.0],
    "webhook_loss": [0.0, 0.0, 0.3, 0.0],
    "webhook_signed_path": ["path", "path_and_query"],
    "webhook_token": ["latest", "first"],
    "rate_limit": [0, 3, 0, 4],
    "rate_limit_seconds": [60.0, 0.5, 60.0, 0.8],
    "rate_limit_code": ["tooManyRequests", "tooManyRequests", "slowDown", "slowDown"],
    "webhook_order": ["per_webhook", "strict", "shuffled"],
    "webhook_duplicates": [0.0, 0.5],
    "webhook_delay": [0.0, 0.3],
    "webhook_date": ["attempt", "original"],
    "webhook_gzip": [False, True, True, False],
    "webhook_gzip_signature": ["compressed", "plain"],
    # Only with a plain signature can an inflated body be checked.
    "webhook_gzip_arrival": ["compressed", "inflated", "compressed", "inflated"],
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
    "source_account_types": [True, False],
    "source_form": ["flat", "nested"],
    "links_key": ["_links", "_link"],
    "list_cap": [1000, 2, 0],
    "forced_sync": ["recent", "refused", "accepted"],
    "psu_sync_needs_sca": [False, False, False, True],
    "missing_language": ["redirect", "unavailable", "browser"],
    "gone_user_status": ["400", "403", "404", "409"],
    "shared_ibans": ["all", "cards", "none"],
    "account_numbers": ["by_bank", "masked", "filler", "own"],
    "empty_dates": ["null", "zero", "empty"],
    "connector_form": ["live", "documented"],
    "linked_lists": ["transactions", "all"],
    "unknown_filters": ["refused", "ignored"],
    "webauth_address": [True, False],
    # The second is longer than we wait for an answer.
    "forced_sync_seconds": [2.0, 11.0, 0.0, 0.5],
}
JOURNEYS = max(len(values) for values in UNKNOWNS.values())

# Where a delivery is held up for longer than Powens waits, by journey: it never reaches us, or we have had it already.
STALLS = {2: "before", 3: "after"}

# What is no unknown of Powens' behaviour: names, sizes and times that the journey does not depend on, and `forbidden`,
# under which no journey can end.
NOT_UNKNOWN = {
    "app_name", "domain", "redirect_uris", "agent", "webhook_shuffle_window", "first_sync_transactions", "sync_delay",
    "background_sync_hours", "forced_sync_interval", "consent_days", "temporary_seconds",
    "forbidden",
}  # fmt: skip
MANAGER = {"authorization": "Bearer sandbox-manage-token"}


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
    powens = Powens(settings)
    with road(system, settings) as webhooks, Person(system, connector=None) as person:
        other = powens.other_consumer(person, f"{webhooks.url}/other-consumer")
        settings.patch("/sandbox/settings", json=values).raise_for_status()
        if journey in STALLS:
            webhooks.stall, webhooks.stall_seconds = STALLS[journey], values["webhook_timeout"] + 1
            webhooks.stalls = 2
        try:
            Journey(system, page, person, powens, webhooks, values).whole()
        finally:
            settings.patch("/sandbox/settings", json={"rate_limit": 0}).raise_for_status()
            settings.delete(f"/2.0/webhooks/{other}", headers=OPERATOR).raise_for_status()

        # Every value of the journey was met, not only set.
        assert webhooks.queries == {QUERY}
        assert (powens.count("requests", status=429) > 0) is (values["rate_limit"] > 0)
        assert (powens.count("webhooks", outcome="lost") > 0) is (values["webhook_loss"] > 0)
        if journey in STALLS:
            assert webhooks.stalls == 0
            # What the other consumer had to wait for went with its webhook.
            ours = {hook for _, hook in powens.timed_out()} - {other}
            assert ours
            eventually(lambda: powens.timed_out(ours) <= powens.accepted_later(), seconds=30)


class Powens:
    """Powens' side of a journey: its operator's doors, and what the sandbox logged since it began."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._since = {
            kind: max((line["id"] for line in self._read(kind, {"limit": 1})[kind]), default=0)
            for kind in ("requests", "webhooks")
        }

    def _read(self, kind: str, wanted: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"/sandbox/{kind}", params=wanted).raise_for_status().json()
        return found

    def count(self, kind: str, **wanted: Any) -> int:
        return int(self._read(kind, {**wanted, "since_id": self._since[kind]})["total"])

    def timed_out(self, hooks: Container[int] | None = None) -> set[tuple[int, int]]:
        """Payloads, each for its webhook; of these webhooks, or of all."""
        return {(payload, hook) for payload, hook in self._payloads("timeout") if hooks is None or hook in hooks}

    def accepted_later(self) -> set[tuple[int, int]]:
        return self._payloads("accepted", first_attempt=2)

    def _payloads(self, outcome: str, first_attempt: int = 1) -> set[tuple[int, int]]:
        found = self._read("webhooks", {"outcome": outcome, "since_id": self._since["webhooks"], "limit": 500})
        lines = [line for line in found["webhooks"] if line["number"] >= first_attempt]
        return {(line["event_id"], line["hook_id"]) for line in lines}

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """One call of the operator, who comes again when there were too many."""

        def answered() -> httpx.Response | None:
            answer = self._client.request(method, path, json=body, headers=headers)
            return None if answer.status_code == 429 else answer

        answer = eventually(answered, seconds=30, every=0.3).raise_for_status()
        return answer.json() if answer.content else None

    def other_consumer(self, person: Person, url: str) -> int:
        """A webhook that carries the user's token instead of a signature; its id."""
        body = {"event": "CONNECTION_SYNCED", "url": url, "id_user": person.powens_user}
        return int(self.call("POST", "/2.0/webhooks", body, **OPERATOR)["id"])

    def another_token(self, person: Person) -> str:
        """The user's second token beside ours, which stays good."""
        body = {"application": "sharedAccess"}
        return str(self.call("POST", f"/2.0/users/{person.powens_user}/token", body, **MANAGER)["token"])

    def connections(self, person: Person) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.call("GET", f"/sandbox/connections?id_user={person.powens_user}")[
            "connections"
        ]
        return shown

    def banks(self, person: Person) -> list[str]:
        return sorted(connection["connector"]["name"] for connection in self.connections(person))


@dataclass
class Journey:
    """One person's way through the app and the Powens space; `values` are those of the settings."""

    system: System
    page: Page
    person: Person
    powens: Powens
    webhooks: Road
    values: dict[str, Any]

    def whole(self) -> None:
        self.connect()
        self.untick()
        self.lose_the_token()
        self.end_the_connection()
        self.meet_odd_connections()
        self.begin_anew()

    def _banks(self) -> list[str]:
        return sorted(connection["institution"]["name"] for connection in self.person.connections())

    def _take_in_all(self) -> None:
        """The person says in the app of everything at Powens that it is theirs."""
        for connection in self.powens.connections(self.person):
            self.person.take_in(connection["id"])

    def _choose(self, slug: str) -> None:
        self.page.get_by_test_id("accept-terms").click()
        self.page.locator(f'[data-testid=institution][data-slug="{slug}"]').click()
        self.page.get_by_test_id("bank-approve").click()

    def connect(self) -> None:
        """A bank is connected; the address was good for one visit."""
        address = self.person.webview("connect")
        self.page.goto(address)
        self._choose("revolut")
        for name in ALL:
            self.page.get_by_label(name).set_checked(True)
        self.page.get_by_test_id("finish").click()
        self.page.wait_for_url(f"{self.system.url}/**")
        self._take_in_all()
        self.person.wait(lambda: bool(self.person.connections()) and self.person.agreed(ALL), seconds=30)
        self.page.goto(address)
        if self.values["spent_code"] == "redirect":
            self.page.wait_for_url(f"{self.system.url}/**")
        else:
            expect(self.page.get_by_test_id("error")).to_be_visible()

    def untick(self) -> None:
        """Accounts are unticked at Powens and here; another consumer of Powens sees which of the tokens it uses."""
        self.page.goto(self.person.webview("manage", connection_id=self.person.connection["id"]))
        self.page.get_by_label("Compte courant GBP").uncheck()
        self.page.get_by_test_id("finish").click()
        expect(self.page.get_by_test_id("notice")).to_be_visible()
        self.page.get_by_test_id("close").click()
        self.page.wait_for_url(f"{self.system.url}/**")
        self.person.wait(lambda: self.person.agreed({**ALL, "Compte courant GBP": False}), seconds=30)

        another = self.powens.another_token(self.person)
        self.webhooks.tokens.clear()
        assert self.person.ended(self.person.select("EUR", "GBP"), seconds=60)["status"] == "completed"
        assert self.person.ended(self.person.select("EUR"), seconds=60)["status"] == "completed"
        self.person.wait(lambda: self.person.agreed(EUR_ONLY), seconds=30)
        (revolut,) = self.powens.connections(self.person)
        self.powens.call("POST", f"/sandbox/connections/{revolut['id']}/sync")
        eventually(lambda: self.webhooks.tokens, seconds=30)
        assert {token == another for token in self.webhooks.tokens} == {self.values["webhook_token"] == "latest"}

    def lose_the_token(self) -> None:
        """Powens refuses the token that we hold; then no account is left enabled."""
        self.powens.call("POST", f"/sandbox/users/{self.person.powens_user}/revoke-tokens")
        asked = self.person.api.post(f"/v1/connections/{self.person.connection['id']}/refresh")
        ended = self.person.ended(asked.raise_for_status().json(), seconds=60)
        # Data of a minute ago looks hours old where Powens' dates are in another zone than we think; then we say no
        # more.
        refused = self.values["forced_sync"] == "refused" and self.values["naive_timezone"] != "Europe/Paris"
        assert ended["status"] in ("completed", "needs_user") or (refused and ended["status"] == "failed"), ended
        assert self.person.ended(self.person.select(), seconds=60)["status"] == "completed"
        self.person.wait(lambda: self.person.agreed(dict.fromkeys(ALL, False)), seconds=30)

        shown = self.person.connection
        eventually(lambda: folded(self.person, shown["id"]) == state_of(self.person.connection), seconds=30)

    def end_the_connection(self) -> None:
        """A connection is ended in the app."""
        shown = self.person.connection
        ending = self.person.api.request("DELETE", f"/v1/connections/{shown['id']}", json={"confirm": "Revolut"})
        assert self.person.ended(ending.raise_for_status().json(), seconds=60)["status"] == "completed"
        self.person.wait(lambda: self.person.connections() == [])
        assert eventually(lambda: self.person.events("ConnectionRemoved"))

    def meet_odd_connections(self) -> None:
        """A connection without any account; one that the user cancels after the bank agreed; one removed at Powens."""
        for body in ({"connector": "nef-et-rive", "sources": []}, {"connector": "thames-mutual"}):
            self.powens.call("POST", "/sandbox/connections", {"id_user": self.person.powens_user, **body})
        self.page.goto(self.person.webview("connect"))
        self._choose("banque-horizon")
        self.page.get_by_test_id("cancel").click()
        self.page.wait_for_url(f"{self.system.url}/**")
        kept = ["Banque Horizon"] if self.values["cancelled_connect"] == "kept" else []
        assert self.powens.banks(self.person) == [*kept, "Nef & Rive", "Thames Mutual"]
        self._take_in_all()
        self.person.wait(lambda: self._banks() == self.powens.banks(self.person), seconds=30)
        (empty,) = (c for c in self.person.connections() if c["institution"]["name"] == "Nef & Rive")
        assert empty["accounts"] == []

        self.page.goto(self.person.webview("manage"))
        self.page.locator("[data-testid=connection]", has_text="Thames Mutual").click()
        self.page.get_by_test_id("delete-connection").click()
        self.page.get_by_test_id("confirm-delete").click()
        self.page.get_by_test_id("close").click()
        self.page.wait_for_url(f"{self.system.url}/**")
        self.person.wait(lambda: self._banks() == self.powens.banks(self.person) == [*kept, "Nef & Rive"], seconds=30)

    def begin_anew(self) -> None:
        """Powens deletes the user, who begins anew: when Powens' word is lost, that visit tells."""
        self.powens.call("DELETE", f"/2.0/users/{self.person.powens_user}", **MANAGER)
        if not self.values["webhook_loss"]:
            self.person.wait(lambda: self.person.connections() == [], seconds=30)
        self.page.goto(self.person.webview("connect"))
        self.page.get_by_test_id("decline-terms").click()
        self.page.wait_for_url(f"{self.system.url}/**")
        self.person.wait(lambda: self.person.connections() == [], seconds=30)
