"""Section 4.3 and 4.4 of the README: how deliveries are authenticated, and sent again until they are accepted."""

import pytest

from powens_sandbox.tests.driver import CLIENT, SECRET, Consumer, Person, Sandbox, running, verified
from powens_sandbox.tests.polling import eventually
from powens_sandbox.webhooks.signature import sign

OPERATOR = {"Authorization": "Bearer sandbox-config-token"}


@pytest.mark.parametrize("status", [500, 404, 302, 429])
def test_what_is_not_accepted_is_sent_again_until_it_is(
    person: Person, consumer: Consumer, sandbox: Sandbox, status: int
) -> None:
    consumer.wait_for("USER_CREATED")
    consumer.clear()
    consumer.statuses = [status, status]
    stranger = sandbox.person()
    first, second, third = consumer.wait_for("USER_CREATED", 3)
    assert first.data == second.data == third.data
    assert first.data["id"] == stranger.id
    assert first.headers["bi-signature-date"] < second.headers["bi-signature-date"]
    eventually(lambda: sandbox.admin("GET", "/webhooks")["waiting"] == 0)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_accepted(sandbox: Sandbox, consumer: Consumer, status: int) -> None:
    consumer.statuses = [status]
    sandbox.person()
    consumer.wait_for("USER_CREATED")
    eventually(lambda: sandbox.admin("GET", "/webhooks")["waiting"] == 0)
    assert sandbox.admin("GET", "/webhooks?outcome=accepted")["webhooks"][0]["status"] == status


def test_a_retry_may_carry_the_first_date(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.settings(webhook_date="original")
    consumer.statuses = [500]
    sandbox.person()
    first, second = consumer.wait_for("USER_CREATED", 2)
    assert first.headers["bi-signature-date"] == second.headers["bi-signature-date"]


def test_the_flusher_stops_after_ten_failures_in_a_row(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.settings(webhook_retry_interval=3600)
    consumer.statuses = [500] * 15
    for _ in range(15):
        sandbox.person()
    consumer.wait_for("USER_CREATED", 15)
    eventually(lambda: sandbox.admin("GET", "/webhooks?outcome=refused")["total"] == 15)
    consumer.clear()
    consumer.statuses = [500] * 30
    sandbox.admin("POST", "/webhooks/flush")
    assert len(consumer.of("USER_CREATED")) == 10
    consumer.statuses = []
    assert sandbox.admin("POST", "/webhooks/flush")["waiting"] == 0


def test_the_flusher_stops_after_two_timeouts(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.settings(webhook_retry_interval=3600)
    consumer.statuses = [500] * 5
    for _ in range(5):
        sandbox.person()
    eventually(lambda: sandbox.admin("GET", "/webhooks?outcome=refused")["total"] == 5)
    consumer.clear()
    consumer.hanging = True
    sandbox.settings(webhook_timeout=0.1)
    sandbox.admin("POST", "/webhooks/flush")
    attempts = sandbox.admin("GET", "/webhooks?outcome=timeout")["webhooks"]
    assert [(line["event"], line["number"]) for line in attempts] == [("USER_CREATED", 2)] * 2


def test_a_slow_consumer_stalls_its_own_webhook_only(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.fault(target="webhook", match="ACCOUNT_FOUND", kind="timeout", times=1)
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    consumer.wait_for("ACCOUNT_FOUND", 3)


def test_a_consumer_that_is_away_gets_everything_later(consumer: Consumer) -> None:
    with running(webhook_base_url="http://127.0.0.1:9/hooks", webhook_retry_interval=0.1, sync_delay=0.05) as elsewhere:
        elsewhere.person()
        line = eventually(lambda: elsewhere.admin("GET", "/webhooks")["webhooks"])[0]
        assert line["outcome"] == "unreachable"
        hook = elsewhere.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"][0]
        assert (hook["event"], hook["warning"]) == ("USER_CREATED", True)
        body = {"url": f"{consumer.url}/hooks/user-created"}
        consumer.clear()
        elsewhere.http.put(f"/2.0/webhooks/{hook['id']}", json=body, headers=OPERATOR)
        consumer.wait_for("USER_CREATED")


@pytest.mark.parametrize("signed", ["compressed", "plain"])
def test_bodies_can_be_compressed(sandbox: Sandbox, person: Person, consumer: Consumer, signed: str) -> None:
    sandbox.settings(webhook_gzip=True, webhook_gzip_signature=signed)
    person.connect("revolut")
    delivery = consumer.wait_for("CONNECTION_SYNCED")[0]
    assert delivery.headers["content-encoding"] == "gzip"
    assert delivery.data["connection"]["accounts"]
    payload = delivery.raw if signed == "compressed" else delivery.body
    date = delivery.headers["bi-signature-date"]
    assert sign(SECRET, "POST", delivery.path, date, payload) == delivery.headers["bi-signature"]


def test_a_first_synchronisation_can_be_several_megabytes(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.settings(first_sync_transactions=7000)
    person.connect("revolut", enabled=["Compte courant EUR"])
    delivery = consumer.wait_for("CONNECTION_SYNCED", seconds=15)[0]
    assert len(delivery.raw) > 2_000_000
    assert verified(delivery)


def test_a_user_token_authenticates_when_no_provider_is_linked(sandbox: Sandbox, consumer: Consumer) -> None:
    for hook in sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"]:
        sandbox.http.put(f"/2.0/webhooks/{hook['id']}", json={"id_auth": None}, headers=OPERATOR)
    person = sandbox.person()
    person.connect("revolut")
    delivery = consumer.wait_for("CONNECTION_SYNCED")[0]
    assert delivery.headers["authorization"] == f"Bearer {person.token}"
    assert "bi-signature" not in delivery.headers


def test_a_renewed_token_is_carried_as_the_setting_says(sandbox: Sandbox, consumer: Consumer) -> None:
    for hook in sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"]:
        sandbox.http.put(f"/2.0/webhooks/{hook['id']}", json={"id_auth": None}, headers=OPERATOR)
    person = sandbox.person()
    body = CLIENT | {"grant_type": "client_credentials", "id_user": person.id}
    renewed = sandbox.http.post("/2.0/auth/renew", json=body).json()["access_token"]
    made = person.connect("revolut")
    assert consumer.wait_for("CONNECTION_SYNCED")[0].headers["authorization"] == f"Bearer {renewed}"
    sandbox.settings(webhook_token="first")
    sandbox.admin("POST", f"/connections/{made['id']}/sync")
    assert consumer.wait_for("CONNECTION_SYNCED", 2)[1].headers["authorization"] == f"Bearer {person.token}"


def test_an_oauth_provider_fetches_a_token_and_keeps_it(sandbox: Sandbox, consumer: Consumer) -> None:
    config = {
        "url": f"{consumer.url}/token",
        "client_id": "a",
        "client_secret": "b",
        "grant_type": "client_credentials",
    }
    body = {"type": "oauth", "name": "acmehook", "config": config}
    provider = sandbox.http.post("/2.0/webhooks/auth", json=body, headers=OPERATOR).json()
    assert "client_secret" not in str(provider)
    for hook in sandbox.http.get("/2.0/webhooks", headers=OPERATOR).json()["webhooks"]:
        sandbox.http.put(f"/2.0/webhooks/{hook['id']}", json={"id_auth": provider["id"]}, headers=OPERATOR)
    sandbox.person()
    sandbox.person()
    deliveries = consumer.wait_for("USER_CREATED", 2)
    assert {delivery.headers["authorization"] for delivery in deliveries} == {"Bearer issued-1"}
