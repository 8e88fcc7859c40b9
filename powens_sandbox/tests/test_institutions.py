"""Institutions that change while the sandbox runs: what they share, whether they are open, whether they are out."""

from typing import Any

import pytest

from powens_sandbox.banks.connectors import CONNECTORS
from powens_sandbox.banks.people import PERSONAS, accounts_of
from powens_sandbox.tests.driver import Consumer, Person, Sandbox, connected, told
from powens_sandbox.tests.polling import eventually

SAVINGS = "Compte d'épargne flexible"


def change(sandbox: Sandbox, connector: str, **changes: object) -> dict[str, Any]:
    shown = sandbox.admin("PATCH", f"/connectors/{connector}", changes)
    assert isinstance(shown, dict)
    return shown


def sync(sandbox: Sandbox, made: dict[str, Any]) -> dict[str, Any]:
    shown = sandbox.admin("POST", f"/connections/{made['id']}/sync")
    assert isinstance(shown, dict)
    return shown


def test_the_savings_account_of_the_article_is_nowhere_at_powens(sandbox: Sandbox, person: Person) -> None:
    person.connect("revolut", sources="all")
    sandbox.admin("POST", "/clock", {"days": 3})
    assert SAVINGS not in person.accounts()
    browser = connected(sandbox.webview("connect", person), "revolut")
    assert set(browser.boxes) == {"Compte courant EUR", "Compte courant USD", "Compte courant GBP"}
    source = sandbox.http.get("/2.0/connectors/revolut/sources").json()["sources"][0]
    assert source["account_types"] == ["checking"]


@pytest.mark.parametrize("reference", ["revolut", "100", "uuid"])
def test_a_bank_that_starts_to_share_a_type_lets_its_connections_find_the_account(
    sandbox: Sandbox, person: Person, consumer: Consumer, reference: str
) -> None:
    made = person.connect("revolut")
    told(sandbox, consumer, "USER_SYNCED")
    uuid = sandbox.http.get("/2.0/connectors/revolut").json()["uuid"]
    name = {"uuid": uuid, "100": str(made["id_connector"])}.get(reference, reference)
    shown = change(sandbox, name, sources={"openapi": {"account_types": ["checking", "savings"]}})
    assert (shown["sources"], shown["not_shared"]) == ({"openapi": ["checking", "savings"]}, [])
    listed = sandbox.http.get("/2.0/connectors?expand=sources").json()["connectors"]
    revolut = next(item for item in listed if item["slug"] == "revolut")
    assert revolut["sources"][0]["account_types"] == ["checking", "savings"]
    assert SAVINGS not in person.accounts()

    consumer.clear()
    sync(sandbox, made)
    found = consumer.wait_for("ACCOUNT_FOUND")
    consumer.wait_for("CONNECTION_SYNCED")
    account = person.accounts()[SAVINGS]
    assert (account["type"], account["disabled"] is not None, account["deleted"]) == ("savings", True, None)
    assert [delivery.data["id"] for delivery in found] == [account["id"]]

    sync(sandbox, made)
    assert len(person.accounts()) == 4
    assert set(connected(sandbox.webview("connect", person), "revolut").boxes) == set(person.accounts())


def test_a_bank_that_shares_a_type_no_longer_loses_its_accounts_and_finds_new_ones_later(
    sandbox: Sandbox, person: Person
) -> None:
    made = person.connect("banque-horizon", sources="all")
    before = person.accounts()["PEA"]
    change(sandbox, "banque-horizon", sources={"directaccess": {"account_types": ["livret_a"]}})
    assert person.accounts()["PEA"]["deleted"] is None
    sync(sandbox, made)
    assert person.accounts()["PEA"]["deleted"] is not None
    change(sandbox, "banque-horizon", sources={"directaccess": {"account_types": ["livret_a", "pea"]}})
    sync(sandbox, made)
    after = [item for item in person.get("/users/me/accounts?all")["accounts"] if item["name"] == "PEA"]
    assert [item["id"] for item in after if item["deleted"] is None] != [before["id"]]
    assert len(after) == 2


def test_a_type_that_the_bank_never_held_brings_a_usual_account(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("nef-et-rive", sources="all")
    change(sandbox, "nef-et-rive", sources={"directaccess": {"account_types": ["savings", "pea"]}})
    sync(sandbox, made)
    assert person.accounts()["PEA"]["type"] == "pea"


def test_a_source_that_opens_is_offered_and_shows_what_the_other_withholds(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    change(sandbox, "revolut", sources={"directaccess": {"account_types": ["savings"]}})
    fields = sandbox.http.get("/2.0/connectors/revolut/fields").json()["fields"]
    assert [(item["name"], item["connector_sources"]) for item in fields] == [
        ("login", ["directaccess"]),
        ("password", ["directaccess"]),
    ]
    sync(sandbox, made)
    assert SAVINGS not in person.accounts()
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    browser.press("more").press("credentials", login="wealth", password="any")
    assert browser.boxes[SAVINGS][1] is False
    assert {source["name"] for source in person.get(f"/users/me/connections/{made['id']}/sources")["sources"]} == {
        "openapi",
        "directaccess",
    }


def test_a_source_that_closes_is_not_supported_until_it_opens_again(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources="all")
    change(sandbox, "banque-horizon", sources={"directaccess": {"disabled": True}})
    listed = sandbox.http.get("/2.0/connectors/banque-horizon/sources").json()["sources"]
    assert [source["disabled"] is None for source in listed] == [True, False]
    states = {source["name"]: source["state"] for source in sync(sandbox, made)["sources"]}
    assert states == {"openapi": None, "directaccess": "notSupported"}
    assert not connected(sandbox.webview("connect", person), "banque-horizon").has("more-accounts")
    answer = person.call(
        "POST", "/users/me/connections", json={"connector_uuid": made["connector_uuid"], "source": "directaccess"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")
    change(sandbox, "banque-horizon", sources={"directaccess": {"disabled": False}})
    assert sync(sandbox, made)["state"] is None


def test_an_institution_is_closed_to_new_connections_hidden_and_renamed_in_what_it_can(
    sandbox: Sandbox, person: Person
) -> None:
    change(sandbox, "revolut", restricted=True, capabilities=["bank", "document"], products=["bank", "bill"])
    shown = sandbox.http.get("/2.0/connectors/revolut").json()
    assert (shown["restricted"], shown["capabilities"], shown["products"]) == (
        True,
        ["bank", "document"],
        ["bank", "bill"],
    )
    refused = sandbox.http.post("/sandbox/connections", json={"id_user": person.id, "connector": "revolut"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert 'data-slug="revolut"' not in sandbox.webview("connect", person).press("accept").text
    change(sandbox, "revolut", restricted=False, hidden=True)
    assert "revolut" not in {item["slug"] for item in sandbox.http.get("/2.0/connectors").json()["connectors"]}
    sandbox.admin("POST", "/reset")
    assert sandbox.http.get("/2.0/connectors/revolut").json()["hidden"] is False


def test_an_institution_without_an_open_source_is_not_on_offer(sandbox: Sandbox, person: Person) -> None:
    change(sandbox, "revolut", sources={"openapi": {"disabled": True}})
    assert 'data-slug="revolut"' not in sandbox.webview("connect", person).press("accept").text
    refused = sandbox.http.post("/sandbox/connections", json={"id_user": person.id, "connector": "revolut"})
    assert refused.status_code == 400


def test_an_outage_stops_every_connection_of_the_institution_until_it_is_over(
    sandbox: Sandbox, consumer: Consumer
) -> None:
    one, other, elsewhere = sandbox.person(), sandbox.person(), sandbox.person()
    out = [one.connect("revolut"), other.connect("revolut")]
    fine = elsewhere.connect("banque-horizon")
    told(sandbox, consumer, "USER_SYNCED", 3)
    change(sandbox, "revolut", outage="websiteUnavailable")
    last_update = one.get(f"/users/me/connections/{out[0]['id']}")["last_update"]
    assert one.get(f"/users/me/connections/{out[0]['id']}")["state"] is None

    consumer.clear()
    sandbox.admin("POST", "/clock", {"days": 1.01})
    told(sandbox, consumer, "USER_SYNCED", 3)
    synced = {d.data["connection"]["id"]: d.data["connection"] for d in consumer.of("CONNECTION_SYNCED")}
    for made in out:
        assert synced[made["id"]]["state"] == "websiteUnavailable"
        assert synced[made["id"]]["next_try"] is not None
    assert synced[fine["id"]]["state"] is None
    assert {delivery.data["id_connection"] for delivery in consumer.of("ACCOUNT_SYNCED")} == {fine["id"]}
    assert one.get(f"/users/me/connections/{out[0]['id']}")["last_update"] == last_update
    assert one.get(f"/users/me/connections/{out[0]['id']}/logs")["connectionlogs"][0]["state"] == "websiteUnavailable"

    change(sandbox, "revolut", outage=None)
    sandbox.admin("POST", "/clock", {"days": 1.01})
    for person, made in zip((one, other), out, strict=True):
        shown = person.get(f"/users/me/connections/{made['id']}")
        assert shown["state"] is None
        assert shown["last_update"] > last_update


def test_a_connection_that_is_made_during_an_outage_finds_its_accounts_when_it_is_over(
    sandbox: Sandbox, person: Person
) -> None:
    change(sandbox, "revolut", outage="websiteUnavailable")
    browser = sandbox.webview("connect", person).press("accept").pick("revolut").press("approve", login="")
    assert browser.step == "failed"
    browser.press("close")
    assert browser.callback is not None
    assert browser.callback["error"] == "server_error"
    (made,) = person.get("/users/me/connections")["connections"]
    assert (made["state"], person.accounts()) == ("websiteUnavailable", {})
    change(sandbox, "revolut", outage=None)
    assert sync(sandbox, made)["state"] is None
    assert len(person.accounts()) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"outage": "wrongpass"},
        {"outage": 3},
        {"name": "Other"},
        {"products": ["gold"]},
        {"capabilities": "bank"},
        {"capabilities": ["Bank!"]},
        {"hidden": "perhaps"},
        {"sources": ["openapi"]},
        {"sources": {"openapi": []}},
        {"sources": {"carrier-pigeon": {}}},
        {"sources": {"openapi": {"priority": 1}}},
        {"sources": {"openapi": {"account_types": ["gold"]}}},
        {"sources": {"openapi": {"account_types": ["checking"]}, "directaccess": {"disabled": "x"}}},
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(sandbox: Sandbox, body: dict[str, Any]) -> None:
    before = sandbox.admin("GET", "/connectors")
    answer = sandbox.http.patch("/sandbox/connectors/revolut", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")
    assert sandbox.admin("GET", "/connectors") == before
    assert sandbox.http.patch("/sandbox/connectors/nowhere", json={}).status_code == 404


def test_the_bank_shows_one_more_account(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    told(sandbox, consumer, "USER_SYNCED")
    consumer.clear()
    body = {
        "name": "Livret du voyage",
        "type": "savings",
        "currency": "USD",
        "balance": 12.5,
        "iban": "LT123456789012345678",
    }
    shown = sandbox.admin("POST", f"/connections/{made['id']}/accounts", body)
    assert consumer.wait_for("ACCOUNT_FOUND")[0].data["id"] == shown["id"]
    consumer.wait_for("CONNECTION_SYNCED")
    account = person.accounts()["Livret du voyage"]
    assert account["disabled"] is not None
    person.call("PUT", f"/users/me/accounts/{account['id']}?all", json={"disabled": False})
    enabled = person.get(f"/users/me/accounts/{account['id']}")
    assert (enabled["type"], enabled["currency"]["id"], enabled["balance"], enabled["iban"]) == (
        "savings",
        "USD",
        12.5,
        body["iban"],
    )
    sandbox.admin("POST", f"/connections/{made['id']}/repair")
    again = [item for item in person.get("/users/me/accounts?all")["accounts"] if item["name"] == body["name"]]
    assert len(again) == 2
    sandbox.admin("POST", f"/connections/{made['id']}/accounts", {"name": "Compte joint", "type": "checking"})
    assert eventually(lambda: "Compte joint" in person.accounts())


def test_one_more_account_can_come_without_a_word(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    told(sandbox, consumer, "USER_SYNCED")
    consumer.clear()
    sandbox.admin("POST", f"/connections/{made['id']}/accounts", {"name": "Secret", "type": "card", "sync": False})
    person.call("DELETE", f"/users/me/connections/{made['id']}")
    told(sandbox, consumer, "CONNECTION_DELETED")
    assert consumer.names() == ["CONNECTION_DELETED"]


@pytest.mark.parametrize(
    "change_of",
    [
        {"name": None},
        {"type": None},
        {"type": "gold"},
        {"currency": "XXX"},
        {"balance": "much"},
        {"source": "directaccess"},
        {"colour": "red"},
    ],
)
def test_an_account_that_makes_no_sense_is_refused(
    sandbox: Sandbox, person: Person, change_of: dict[str, object]
) -> None:
    made = person.connect("revolut")
    body = {"name": "Compte", "type": "checking"} | change_of
    answer = sandbox.http.post(f"/sandbox/connections/{made['id']}/accounts", json=body)
    assert answer.status_code == 400
    assert len(person.accounts()) == 3


def test_every_persona_sees_what_its_banks_hold() -> None:
    by_slug = {connector.slug: connector for connector in CONNECTORS}
    for persona in PERSONAS.values():
        for slug, held in persona.banks.items():
            connector = by_slug[slug]
            assert accounts_of(connector, persona.id)[: len(held)] == held
            assert all(connector.shows(spec) for spec in held)
