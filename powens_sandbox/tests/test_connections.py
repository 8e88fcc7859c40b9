"""Sections 3.3 and 3.4 of the README: connections, sources, states, forced synchronisation."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from powens_sandbox.tests.driver import RETURN, Browser, Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually

TEST_CONNECTOR = "338178e6-3d01-564f-9a7b-52ca442459bf"
GOOD = {"connector_uuid": TEST_CONNECTOR, "login": "anybody", "password": "1234"}
FIELDS = {
    "id",
    "id_user",
    "id_connector",
    "connector_uuid",
    "id_bank",
    "id_provider",
    "state",
    "error",
    "error_message",
    "fields",
    "last_update",
    "created",
    "last_push",
    "next_try",
    "expire",
    "active",
}
STATES = [
    "SCARequired",
    "webauthRequired",
    "additionalInformationNeeded",
    "decoupled",
    "validating",
    "actionNeeded",
    "passwordExpired",
    "wrongpass",
    "rateLimiting",
    "websiteUnavailable",
    "bug",
    "notSupported",
    "somethingNew",
]


def test_a_connection_has_every_documented_field(person: Person) -> None:
    made = person.connect("revolut")
    shown = person.get(f"/users/me/connections/{made['id']}")
    assert set(shown) == FIELDS
    assert person.get("/users/me/connections")["connections"] == [shown]


def test_a_fresh_connection_is_fine_and_has_never_synced_until_it_has(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(sync_delay=0.5)
    made = person.connect("revolut")
    assert (made["state"], made["last_update"]) == (None, None)
    path = f"/users/me/connections/{made['id']}"
    synced = eventually(lambda: person.get(path)["last_update"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", synced)


def test_expansion_brings_connector_sources_and_accounts(person: Person) -> None:
    made = person.connect("banque-horizon", enabled=["Compte courant"])
    path = f"/users/me/connections/{made['id']}?expand=connector[sources],sources,accounts,all_accounts,subscriptions"
    shown = person.get(path)
    assert shown["connector"]["name"] == "Banque Horizon"
    assert shown["connector"]["sources"]
    assert [source["name"] for source in shown["sources"]] == ["openapi"]
    assert [account["name"] for account in shown["accounts"]] == ["Compte courant"]
    assert len(shown["all_accounts"]) == 2
    assert shown["subscriptions"] == []
    listed = person.get("/users/me/connections?expand=connector")["connections"]
    assert listed[0]["connector"]["uuid"] == made["connector_uuid"]


def test_sources_have_every_documented_field(person: Person) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    sources = person.get(f"/users/me/connections/{made['id']}/sources")["sources"]
    assert set(sources[0]) == {
        "id",
        "id_connection",
        "id_connector_source",
        "name",
        "state",
        "error_message",
        "last_update",
        "disabled",
        "created",
        "access_expire",
        "expire",
        "next_try",
    }
    assert sources[0]["access_expire"] is not None
    assert person.get(f"/users/me/connections/{made['id']}/sources/{sources[1]['id']}") == sources[1]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_source_can_be_disabled_and_is_then_hidden(person: Person, method: str) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    path = f"/users/me/connections/{made['id']}/sources"
    source = person.get(path)["sources"][1]["id"]
    assert person.call(method, f"{path}/{source}", json={"disabled": True}).json()["disabled"]
    assert len(person.get(path)["sources"]) == 1
    assert len(person.get(f"{path}?all")["sources"]) == 2
    assert person.call("GET", f"{path}/{source}").status_code == 404


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_shown_and_reported(sandbox: Sandbox, person: Person, consumer: Consumer, state: str) -> None:
    made = person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": state, "error_message": "Un mot de la banque"})
    shown = person.get(f"/users/me/connections/{made['id']}")
    assert (shown["state"], shown["error"], shown["error_message"]) == (state, state, "Un mot de la banque")
    assert (shown["fields"] is not None) is (state in {"additionalInformationNeeded", "wrongpass"})
    told = consumer.wait_for("CONNECTION_SYNCED", 2)[-1].data["connection"]
    assert told["state"] == state


def test_the_error_of_one_source_is_shown_as_the_connections(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    eventually(lambda: person.get(f"/users/me/connections/{made['id']}")["last_update"])
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"source": "directaccess", "state": "wrongpass"})
    shown = person.get(f"/users/me/connections/{made['id']}?expand=sources")
    assert shown["state"] == "wrongpass"
    assert {source["name"]: source["state"] for source in shown["sources"]} == {
        "openapi": None,
        "directaccess": "wrongpass",
    }


def test_sources_fail_separately(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    eventually(lambda: person.get(f"/users/me/connections/{made['id']}")["last_update"])
    before = person.accounts()
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"source": "directaccess", "state": "websiteUnavailable"})
    sandbox.admin("POST", "/clock", {"seconds": 120})
    sandbox.admin("POST", f"/connections/{made['id']}/sync")
    after = person.accounts()
    assert after["Compte courant"]["last_update"] > before["Compte courant"]["last_update"]
    assert after["Livret A"]["last_update"] == before["Livret A"]["last_update"]


def test_consent_ends_after_half_a_year(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    sandbox.admin("POST", "/clock", {"days": 181})
    assert person.get(f"/users/me/connections/{made['id']}")["state"] == "SCARequired"
    assert consumer.wait_for("CONNECTION_SYNCED", 2)[-1].data["connection"]["state"] == "SCARequired"


def test_every_connection_is_synchronised_once_a_day(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    sandbox.admin("POST", "/clock", {"days": 1.01})
    consumer.wait_for("CONNECTION_SYNCED", 2)


@pytest.mark.parametrize("retried", [True, False])
def test_wrong_credentials_are_tried_again_after_twelve_hours_and_then_weekly_if_configured(
    sandbox: Sandbox, person: Person, retried: bool
) -> None:
    operator = {"Authorization": "Bearer sandbox-config-token"}
    if not retried:
        sandbox.http.post("/2.0/config", json={"autosync.retry_wrongpass": "0"}, headers=operator)
    sandbox.admin("POST", "/clock", {"now": "2026-03-01T10:00:00Z"})
    made = person.connect("revolut")
    sandbox.admin("POST", "/clock", {"seconds": 60})
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": "wrongpass"})
    path = f"/users/me/connections/{made['id']}"
    if not retried:
        assert person.get(path)["next_try"] is None
        return
    assert str(person.get(path)["next_try"]).startswith("2026-03-01 23:01")
    sandbox.admin("POST", "/clock", {"seconds": 12 * 3600 + 10})
    assert str(person.get(path)["next_try"]).startswith("2026-03-08 23:01")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": None})
    assert str(person.get(path)["next_try"]).startswith("2026-03-02 23:01")


def test_an_inactive_connection_is_left_alone(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    assert person.call("POST", f"/users/me/connections/{made['id']}", json={"active": False}).json()["active"] is False
    sandbox.admin("POST", "/clock", {"days": 3})
    assert len(consumer.of("CONNECTION_SYNCED")) == 1


def test_a_forced_synchronisation_is_refused_when_the_last_is_recent(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}"
    eventually(lambda: person.get(path)["last_update"])
    refused = person.call("PUT", f"{path}?psu_requested=false")
    assert refused.status_code == 409
    assert refused.json()["description"] == f"Can't force synchronization of connection {made['id']}"
    sandbox.admin("POST", "/clock", {"seconds": 61})
    assert person.call("PUT", f"{path}?psu_requested=false").status_code == 200


def test_with_the_user_absent_no_authentication_is_asked_for(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(psu_sync_needs_sca=True, forced_sync="accepted")
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}"
    assert person.call("PUT", f"{path}?psu_requested=false").json()["state"] is None
    assert person.call("PUT", path).json()["state"] == "SCARequired"


def test_a_deleted_connection_is_gone_for_good(person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    account = made["all_accounts"][0]["id"]
    assert person.call("DELETE", f"/users/me/connections/{made['id']}").status_code == 204
    assert person.call("GET", f"/users/me/connections/{made['id']}").status_code == 404
    assert person.call("GET", f"/users/me/accounts/{account}?all").status_code == 404
    assert person.call("DELETE", f"/users/me/connections/{made['id']}").status_code == 404
    told = consumer.wait_for("CONNECTION_DELETED")[0].data
    assert (told["id"], told["id_user"]) == (made["id"], person.id)


def test_another_users_connection_is_not_found(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    stranger = sandbox.person()
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert stranger.call(method, f"/users/me/connections/{made['id']}").status_code == 404
    for below in ("accounts", "sources", "logs", "transactions?limit=1"):
        assert stranger.call("GET", f"/users/me/connections/{made['id']}/{below}").status_code == 404


def test_a_locked_connection_refuses_changes_of_its_accounts(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    account = made["all_accounts"][0]["id"]
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"locked": True})
    refused = person.call("POST", f"/users/me/accounts/{account}", json={"disabled": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "connectionLocked")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"locked": False})
    assert person.call("POST", f"/users/me/accounts/{account}", json={"disabled": True}).status_code == 200


def test_an_agent_creates_a_connection_with_credentials(person: Person) -> None:
    made = person.call("POST", "/users/me/connections", json=GOOD)
    assert made.status_code == 201
    assert made.json()["state"] is None
    accounts = person.accounts()
    assert accounts["Compte chèque"]["number"] == "3002900000"
    assert accounts["Compte chèque"]["disabled"] is not None


def test_wrong_credentials_leave_no_connection(person: Person) -> None:
    refused = person.call("POST", "/users/me/connections", json=GOOD | {"password": "4321"})
    assert (refused.status_code, refused.json()["code"]) == (400, "wrongpass")
    assert refused.json()["message"]
    assert person.get("/users/me/connections")["connections"] == []


def test_only_agents_may_send_credentials(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(agent=False)
    assert person.call("POST", "/users/me/connections", json=GOOD).json()["code"] == "forbidden"


@pytest.mark.parametrize("body", [{}, {"connector_uuid": "none"}, GOOD | {"source": "fax"}, {"connector_uuid": {}}])
def test_a_connection_to_nowhere_is_refused(person: Person, body: dict[str, Any]) -> None:
    assert person.call("POST", "/users/me/connections", json=body).status_code == 400


def test_a_one_time_code_is_asked_for_and_given(person: Person) -> None:
    made = person.call("POST", "/users/me/connections", json=GOOD | {"openapiwebsite": "SCARequiredAndOTP"})
    assert made.status_code == 202
    assert made.json()["state"] == "additionalInformationNeeded"
    assert [field["name"] for field in made.json()["fields"]] == ["otp"]
    path = f"/users/me/connections/{made.json()['id']}"
    assert person.call("POST", path, json={"otp": "0000"}).status_code == 400
    done = person.call("POST", path, json={"otp": "123456"})
    assert (done.status_code, done.json()["state"]) == (200, None)


def test_an_approval_in_the_banks_app_is_resumed(person: Person) -> None:
    made = person.call("POST", "/users/me/connections", json=GOOD | {"openapiwebsite": "SCARequiredAndDecoupled"})
    assert (made.status_code, made.json()["state"]) == (202, "decoupled")
    done = person.call("POST", f"/users/me/connections/{made.json()['id']}", json={"resume": True})
    assert done.json()["state"] is None


@pytest.mark.parametrize("outcome", ["actionNeeded", "bug", "passwordExpired", "SCARequired"])
def test_the_test_connector_plays_the_state_that_it_is_told(person: Person, outcome: str) -> None:
    made = person.call("POST", "/users/me/connections", json=GOOD | {"openapiwebsite": outcome}).json()
    assert made["state"] == outcome


def test_another_source_is_added_with_its_credentials(person: Person) -> None:
    made = person.call("POST", "/users/me/connections", json=GOOD).json()
    before = len(person.accounts())
    person.call(
        "POST", f"/users/me/connections/{made['id']}", json={"source": "directaccess", "login": "a", "password": "1234"}
    )
    assert len(person.accounts()) > before


def test_consent_is_renewed_early_on_the_openapi_source_only(person: Person) -> None:
    made = person.connect("revolut")
    renewed = person.call("POST", f"/users/me/connections/{made['id']}", json={"refresh_auth": True})
    assert renewed.json()["state"] == "SCARequired"
    other = person.connect("avenir-vie")
    assert person.call("POST", f"/users/me/connections/{other['id']}", json={"refresh_auth": True}).status_code == 409


def test_logs_tell_about_each_synchronisation(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    path = f"/users/me/connections/{made['id']}/logs"
    lines = eventually(lambda: person.get(path)["connectionlogs"])
    assert {line["id_source"] for line in lines} == {source["id"] for source in made["sources"]}
    one = person.get(f"{path}?id_source={made['sources'][0]['id']}")["connectionlogs"]
    assert len(one) == 1
    assert person.get(f"{path}?max_date=2001")["connectionlogs"] == []
    assert person.get(f"{path}?min_date=2001-05&limit=1")["total"] == 2
    assert person.call("GET", f"{path}?min_date=yesterday").json()["code"] == "invalidValue"


def test_webauth_url_leads_to_the_bank_and_back_with_id_connection(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    query = {"client_id": "10000001", "redirect_uri": RETURN, "id_connection": str(made["id"]), "state": "s 1"}
    assert person.call("GET", "/webauth-url", params=query).status_code == 409
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": "webauthRequired"})
    address = urlsplit(person.get("/webauth-url", params=query)["url"])
    browser = Browser(sandbox, f"{address.path}?{address.query}", {})
    assert browser.step == "bank"
    browser.press("approve")
    assert browser.callback == {"id_connection": str(made["id"]), "state": "s 1"}
    assert person.get(f"/users/me/connections/{made['id']}")["state"] is None
    assert (
        person.call("GET", "/webauth-url", params=query | {"redirect_uri": "https://evil.example"}).status_code == 400
    )
