"""Section 4 of the README: registration, events and their shapes, authentication, delivery."""

import re
from typing import Any

import pytest

from powens_sandbox.tests.driver import CLIENT, Consumer, Person, Sandbox, told, verified
from powens_sandbox.tests.polling import eventually

OPERATOR = {"Authorization": "Bearer sandbox-config-token"}
ACCOUNT_KEYS = {"id", "id_user", "id_connection", "type", "balance", "currency", "disabled", "id_webhook_data"}


def test_every_event_goes_to_its_own_address_signed_over_the_raw_body(person: Person, consumer: Consumer) -> None:
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    for delivery in list(consumer.deliveries):
        assert re.fullmatch(r"/hooks/[a-z-]+", delivery.path)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", delivery.headers["bi-signature-date"])
        assert delivery.headers["content-type"] == "application/json; charset=utf-8"
        assert verified(delivery)
        assert not verified(delivery, "another secret")
        assert "authorization" not in delivery.headers


def test_no_body_names_its_event_and_each_has_an_id_of_its_own(person: Person, consumer: Consumer) -> None:
    person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    bodies = [delivery.data for delivery in list(consumer.deliveries)]
    assert all("event" not in body for body in bodies)
    ids = [body["id_webhook_data"] for body in bodies]
    assert len(set(ids)) == len(ids)


def test_a_new_connection_tells_its_story(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    person.connect("revolut", enabled=["Compte courant EUR", "Compte courant USD"])
    told(sandbox, consumer, "USER_SYNCED")
    names = consumer.names()
    assert names.count("ACCOUNT_FOUND") == 3
    assert names.count("ACCOUNT_ENABLED") == 2
    assert names.count("ACCOUNTS_FETCHED") == 1
    assert names.count("ACCOUNT_SYNCED") == 2
    assert names.count("CONNECTION_SYNCED") == 1


def test_the_root_shapes_are_those_of_the_documentation(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut", enabled=["Compte courant EUR"])
    consumer.wait_for("USER_SYNCED")
    account = made["all_accounts"][0]["id"]
    person.call("POST", f"/users/me/accounts/{account}", json={"disabled": True})
    person.call("DELETE", f"/users/me/connections/{made['id']}")
    person.call("DELETE", "/users/me")
    consumer.wait_for("USER_DELETED")

    def first(event: str) -> dict[str, Any]:
        return consumer.wait_for(event)[0].data

    assert set(first("USER_CREATED")) >= {"id", "signin"}
    found = first("ACCOUNT_FOUND")
    assert set(found) == {"id", "id_user", "id_connection", "disabled", "type", "id_webhook_data"}
    assert found["disabled"]
    enabled, disabled = first("ACCOUNT_ENABLED"), first("ACCOUNT_DISABLED")
    assert set(enabled) >= ACCOUNT_KEYS
    assert enabled["disabled"] is None
    assert disabled["disabled"] is not None
    synced_account = first("ACCOUNT_SYNCED")
    assert set(synced_account) >= ACCOUNT_KEYS | {"transactions", "investments"}
    fetched = first("ACCOUNTS_FETCHED")
    assert set(fetched) == {"user", "connection", "id_webhook_data"}
    assert set(fetched["connection"]) >= {"connector", "sources", "accounts"}
    synced = first("CONNECTION_SYNCED")
    assert set(synced) == {"user", "connection", "subscriptions", "id_webhook_data"}
    assert [item["name"] for item in synced["connection"]["accounts"]] == ["Compte courant EUR"]
    assert len(synced["connection"]["accounts"][0]["transactions"]) == 5
    assert set(first("USER_SYNCED")) == {"user", "connections", "id_webhook_data"}
    assert first("ACCOUNT_CATEGORIZED")["transactions"]
    assert first("ACCOUNT_OWNERSHIPS_FOUND")["account_ownerships"]
    assert first("CONNECTION_DELETED")["id"] == made["id"]
    assert set(first("USER_DELETED")) >= {"id", "signin"}
    assert not {"ACCOUNT_DELETED", "CONNECTION_CREATED"} & set(consumer.names())


def test_events_of_other_products_are_sent_when_asked_for(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    listed = sandbox.http.get("/2.0/webhooks_events", headers=OPERATOR).json()["webhooks_events"]
    other = {
        "TRANSACTION_ATTACHMENTS_FOUND",
        "SUBSCRIPTION_FOUND",
        "SUBSCRIPTION_SYNCED",
        "PAYMENT_STATE_UPDATED",
        "TRANSACTIONS_CLUSTERED",
        "CONNECTION_CERTIFICATE_AVAILABLE",
    }
    for event in other:
        body = {"id": 7, "id_user": person.id, "kind": event}
        sandbox.admin("POST", "/events", {"event": event, "id_user": person.id, "data": body})
        (delivery,) = consumer.wait_for(event)
        assert delivery.data == {**body, "id_webhook_data": delivery.data["id_webhook_data"]}
        assert verified(delivery)
    assert other <= {item["name"] for item in listed}
    good = {"event": "USER_SYNCED", "id_user": person.id, "data": {}}
    refused: list[dict[str, object]] = [{"event": "NOTHING"}, {"event": None}, {"id_user": None}, {"data": []}]
    for change in refused:
        assert sandbox.http.post("/sandbox/events", json=good | change).status_code == 400


def test_only_new_transactions_are_told(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    sandbox.admin("POST", f"/connections/{made['id']}/sync")
    again = consumer.wait_for("CONNECTION_SYNCED", 2)[1].data
    assert all(account["transactions"] == [] for account in again["connection"]["accounts"])


def test_a_synchronisation_with_nothing_enabled_has_no_accounts(person: Person, consumer: Consumer) -> None:
    person.connect("revolut", enabled="none")
    assert consumer.wait_for("CONNECTION_SYNCED")[0].data["connection"]["accounts"] == []


def test_choosing_accounts_by_the_api_tells_and_then_synchronises(person: Person, consumer: Consumer) -> None:
    person.connect("revolut", enabled=["Compte courant EUR"])
    consumer.wait_for("USER_SYNCED")
    consumer.clear()
    usd = person.accounts()["Compte courant USD"]["id"]
    person.call("PUT", f"/users/me/accounts/{usd}?all", json={"disabled": False})
    assert consumer.wait_for("ACCOUNT_ENABLED")[0].data["id"] == usd
    synced = consumer.wait_for("CONNECTION_SYNCED")[0].data
    assert usd in {item["id"] for item in synced["connection"]["accounts"]}


def test_an_update_that_changes_nothing_tells_nothing(person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    consumer.clear()
    account = made["all_accounts"][0]["id"]
    assert person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": False}).status_code == 200
    person.connect("banque-horizon")
    consumer.wait_for("CONNECTION_SYNCED")
    assert {item["id_connection"] for item in (d.data for d in consumer.of("ACCOUNT_ENABLED"))} != {made["id"]}
    assert len(consumer.of("CONNECTION_SYNCED")) == 1


def test_events_of_a_temporary_user_wait_until_it_is_permanent(sandbox: Sandbox, consumer: Consumer) -> None:
    temporary = sandbox.http.post("/2.0/auth/init").json()
    sandbox.admin("POST", "/connections", {"id_user": temporary["id_user"], "connector": "revolut"})
    headers = {"Authorization": f"Bearer {temporary['auth_token']}"}
    eventually(
        lambda: sandbox.http.get("/2.0/users/me/connections", headers=headers).json()["connections"][0]["last_update"]
    )
    assert consumer.deliveries == []
    sandbox.http.post("/2.0/auth/token/access", json=CLIENT | {"code": temporary["auth_token"]})
    assert consumer.wait_for("USER_CREATED")[0].data["id"] == temporary["id_user"]
    consumer.wait_for("CONNECTION_SYNCED")


def test_the_secret_of_a_provider_is_shown_once(sandbox: Sandbox, consumer: Consumer) -> None:
    body = {"type": "hmac_signature", "name": "acmehook"}
    provider = sandbox.http.post("/2.0/webhooks/auth", json=body, headers=OPERATOR).json()
    secret = provider["config"]["secret_key"]
    listed = sandbox.http.get("/2.0/webhooks/auth", headers=OPERATOR).json()
    assert listed["total"] == 2
    assert secret not in str(listed)
    url = f"{consumer.url}/hooks/user-created"
    hook = sandbox.http.post(
        "/2.0/webhooks", json={"event": "USER_CREATED", "url": url, "id_auth": provider["id"]}, headers=OPERATOR
    ).json()
    assert hook["id_auth"] == provider["id"]
    sandbox.person()
    both = consumer.wait_for("USER_CREATED", 2)
    assert sorted((verified(delivery), verified(delivery, secret)) for delivery in both) == [
        (False, True),
        (True, False),
    ]
    assert sandbox.http.delete(f"/2.0/webhooks/auth/{provider['id']}", headers=OPERATOR).status_code == 200
    assert sandbox.http.get("/2.0/webhooks/auth", headers=OPERATOR).json()["total"] == 1


@pytest.mark.parametrize("root", ["/2.0", ""])
def test_providers_also_answer_without_the_version_and_in_the_query(sandbox: Sandbox, root: str) -> None:
    query = {"type": "hmac_signature", "name": "shortname"}
    made = sandbox.http.post(f"{root}/webhooks/auth", params=query, headers=OPERATOR)
    assert made.json()["name"] == "shortname"
    again = sandbox.http.post(f"{root}/webhooks/auth", params=query, headers=OPERATOR)
    assert again.status_code == 409
    long = sandbox.http.post(
        f"{root}/webhooks/auth", params=query | {"name": "a-name-with-dashes-of-39-characters-xxx"}, headers=OPERATOR
    )
    assert (long.status_code, long.json()["code"]) == (500, "dataError")
    assert sandbox.http.get(f"{root}/webhooks/auth").status_code == 401


def test_a_webhook_is_created_and_then_given_its_address(sandbox: Sandbox, consumer: Consumer) -> None:
    made = sandbox.http.post("/2.0/webhooks", json={"event": "USER_CREATED"}, headers=OPERATOR).json()
    assert made["url"] is None
    assert set(made) >= {
        "id",
        "id_event",
        "id_auth",
        "id_service",
        "id_user",
        "url",
        "add_to_data",
        "created",
        "updated",
        "deleted",
        "health_data",
        "warning",
    }
    url = f"{consumer.url}/hooks/second/user-created"
    changed = sandbox.http.put(f"/2.0/webhooks/{made['id']}", json={"url": url}, headers=OPERATOR).json()
    assert changed["url"] == url
    sandbox.person()
    assert {delivery.path for delivery in consumer.wait_for("USER_CREATED", 2)} == {
        "/hooks/user-created",
        "/hooks/second/user-created",
    }
    logs = eventually(
        lambda: sandbox.http.get(f"/2.0/webhooks/{made['id']}/logs", headers=OPERATOR).json()["webhooklogs"]
    )
    assert logs[0]["response_code"] == 200
    assert sandbox.http.delete(f"/2.0/webhooks/{made['id']}", headers=OPERATOR).json()["deleted"]
    assert sandbox.http.get(f"/2.0/webhooks/{made['id']}", headers=OPERATOR).status_code == 404


def test_a_webhook_of_one_user_hears_of_nobody_else(sandbox: Sandbox, consumer: Consumer) -> None:
    alone, other = sandbox.person(), sandbox.person()
    url = f"{consumer.url}/hooks/alone/connection-deleted"
    sandbox.http.post(
        "/2.0/webhooks", json={"event": "CONNECTION_DELETED", "url": url, "id_user": alone.id}, headers=OPERATOR
    )
    for person in (other, alone):
        person.call("DELETE", f"/users/me/connections/{person.connect('revolut')['id']}")
    consumer.wait_for("CONNECTION_DELETED", 3)
    mine = [delivery.data["id_user"] for delivery in consumer.of("CONNECTION_DELETED") if "/alone/" in delivery.path]
    assert mine == [alone.id]


def test_a_webhook_is_read_changed_by_either_method_and_deleted_with_all_others(sandbox: Sandbox) -> None:
    made = sandbox.http.post("/2.0/webhooks", headers=OPERATOR, json={"event": "USER_CREATED"}).json()
    path = f"/2.0/webhooks/{made['id']}"
    for method in ("POST", "PUT"):
        body = {"url": f"http://127.0.0.1:9/{method}", "id_user": 41, "params": {"a": "b"}, "id_service": 3}
        assert sandbox.http.request(method, path, headers=OPERATOR, json=body).status_code == 200
        shown = sandbox.http.get(path, headers=OPERATOR).json()
        assert {name: shown[name] for name in body} == body
    gone = sandbox.http.delete("/2.0/webhooks", headers=OPERATOR).json()["webhooks"]
    assert made["id"] in {hook["id"] for hook in gone}
    assert sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"] == []
    assert sandbox.http.get(path, headers=OPERATOR).status_code == 404


def test_the_events_are_listed_and_can_be_tried(sandbox: Sandbox, consumer: Consumer) -> None:
    names = {
        item["name"] for item in sandbox.http.get("/2.0/webhooks_events", headers=OPERATOR).json()["webhooks_events"]
    }
    assert {"USER_CREATED", "CONNECTION_SYNCED", "ACCOUNT_FOUND", "TRANSACTIONS_CLUSTERED"} <= names
    hook = sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"][0]
    assert sandbox.http.post("/2.0/test/webhooks", json={"id_webhook": hook["id"]}, headers=OPERATOR).status_code == 200
    assert verified(consumer.wait_for("USER_CREATED")[0])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": "NOTHING"},
        {"event": "USER_CREATED", "url": "javascript:alert(1)"},
        {"event": "USER_CREATED", "url": "http://[::1"},
        {"event": "USER_CREATED", "id_auth": 1},
    ],
)
def test_a_webhook_that_makes_no_sense_is_refused(sandbox: Sandbox, body: dict[str, Any]) -> None:
    before = sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["total"]
    assert sandbox.http.post("/2.0/webhooks", json=body, headers=OPERATOR).status_code == 400
    assert sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["total"] == before


def test_webhooks_are_the_operators_business(sandbox: Sandbox, person: Person) -> None:
    assert sandbox.http.get("/2.0/webhooks").status_code == 401
    assert person.call("GET", "/webhooks").status_code == 403
    assert person.call("POST", "/webhooks", json={"event": "USER_CREATED"}).status_code == 403
