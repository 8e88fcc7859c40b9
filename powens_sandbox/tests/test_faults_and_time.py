"""Faults on demand, the clock, the logs and the other switches under /sandbox."""

import re
import time
from typing import Any

import httpx
import pytest

from powens_sandbox.tests.driver import CLIENT, Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually


def test_a_status_is_answered_with_the_envelope_and_retry_after(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", match="GET /users/me", kind="status", status=429, retry_after=7, times=1)
    answer = person.call("GET", "/users/me")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["code"] == "tooManyRequests"
    assert person.call("GET", "/users/me").status_code == 200


def test_a_fault_strikes_only_what_it_matches(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", match="POST /connections", kind="status", status=503)
    assert person.call("GET", "/users/me/connections").status_code == 200
    assert person.call("POST", "/users/me/connections").status_code == 503
    assert sandbox.http.post("/2.0/auth/init").status_code == 200


def test_latency_delays_and_then_answers(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", match="/users/me$", kind="latency", seconds=0.3, times=1)
    started = time.monotonic()
    assert person.call("GET", "/users/me").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_timeout_brings_no_answer(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", match="/users/me$", kind="timeout", seconds=1, times=1)
    with pytest.raises(httpx.ReadTimeout):
        person.call("GET", "/users/me", timeout=0.2)


def test_garbage_is_no_json_and_empty_is_empty(sandbox: Sandbox, person: Person) -> None:
    fault = sandbox.fault(target="api", kind="garbage")
    answer = person.call("GET", "/users/me")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    sandbox.admin("DELETE", f"/faults/{fault}")
    sandbox.fault(target="api", kind="empty", times=1)
    assert person.call("GET", "/users/me").content == b""


def test_a_dropped_answer_was_carried_out_all_the_same(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    account = made["all_accounts"][0]["id"]
    sandbox.fault(target="api", match="PUT /accounts/", kind="drop", times=1)
    with pytest.raises(httpx.TransportError):
        person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": True})
    assert person.accounts()["Compte courant EUR"]["disabled"] is not None


def test_a_status_can_come_after_the_effect(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    account = made["all_accounts"][0]["id"]
    sandbox.fault(target="api", match="PUT /accounts/", kind="status", status=500, after=True, times=1)
    assert person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": True}).status_code == 500
    assert person.accounts()["Compte courant EUR"]["disabled"] is not None


def test_a_doubled_request_is_carried_out_twice(sandbox: Sandbox) -> None:
    sandbox.fault(target="api", match="POST /auth/init", kind="duplicate", times=1)
    sandbox.http.post("/2.0/auth/init", json=CLIENT)
    assert sandbox.admin("GET", "/users")["total"] == 2


def test_webview_pages_can_fail_too(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="webview", match="/manage", kind="status", status=503, times=1)
    assert sandbox.webview("manage", person, code="kept").page.status_code == 503
    assert person.call("GET", "/users/me").status_code == 200


def test_a_probability_strikes_some(sandbox: Sandbox, person: Person) -> None:
    sandbox.fault(target="api", kind="status", status=500, probability=0.5)
    statuses = {person.call("GET", "/users/me").status_code for _ in range(40)}
    assert statuses == {200, 500}
    assert 0 < sandbox.admin("GET", "/faults")["faults"][0]["hits"] < 40


def test_a_webhook_can_be_lost(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.fault(target="webhook", match="ACCOUNT_ENABLED", kind="drop")
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    assert consumer.of("ACCOUNT_ENABLED") == []
    assert sandbox.admin("GET", "/webhooks?outcome=drop")["total"] == 3


def test_a_webhook_can_be_doubled(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.fault(target="webhook", match="user-created", kind="duplicate", times=1)
    sandbox.person()
    first, second = consumer.wait_for("USER_CREATED", 2)
    assert first.data == second.data


def test_a_webhook_can_be_overtaken(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.settings(webhook_order="strict")
    sandbox.fault(target="webhook", match="USER_CREATED", kind="reorder", seconds=5, times=1)
    first, second = sandbox.person(), sandbox.person()
    assert [d.data["id"] for d in consumer.wait_for("USER_CREATED", 2)] == [second.id, first.id]


def test_a_webhook_can_be_late(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.fault(target="webhook", match="USER_CREATED", kind="delay", seconds=0.4, times=1)
    started = time.monotonic()
    sandbox.person()
    consumer.wait_for("USER_CREATED")
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(("kind", "outcome"), [("status", "refused"), ("timeout", "timeout")])
def test_a_webhook_can_fail_without_the_consumer_and_comes_again(
    sandbox: Sandbox, consumer: Consumer, kind: str, outcome: str
) -> None:
    sandbox.fault(target="webhook", match="USER_CREATED", kind=kind, times=1)
    sandbox.person()
    consumer.wait_for("USER_CREATED")
    assert sandbox.admin("GET", f"/webhooks?outcome={outcome}")["total"] == 1


@pytest.mark.parametrize("kind", ["garbage", "empty"])
def test_a_webhook_can_bring_nonsense_that_is_signed(sandbox: Sandbox, consumer: Consumer, kind: str) -> None:
    sandbox.fault(target="webhook", match="USER_CREATED", kind=kind, times=1)
    sandbox.person()
    delivery = consumer.wait_for("USER_CREATED")[0]
    assert delivery.headers["bi-signature"]
    assert delivery.raw == b"" or delivery.raw.startswith(b"<html>")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"target": "moon", "kind": "drop"},
        {"target": "api"},
        {"target": "api", "kind": "reorder"},
        {"target": "api", "kind": "status", "status": 99},
        {"target": "api", "kind": "status", "times": 0},
        {"target": "api", "kind": "drop", "probability": 2},
        {"target": "api", "kind": "drop", "match": "GET /("},
        {"target": "api", "kind": "drop", "colour": "red"},
        {"target": [], "kind": {}},
        {"target": "api", "kind": "drop", "match": 3},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert sandbox.http.post("/sandbox/faults", json=body).status_code == 400
    assert sandbox.admin("GET", "/faults")["faults"] == []


def test_faults_are_switched_off_one_by_one_or_all(sandbox: Sandbox, person: Person) -> None:
    first = sandbox.fault(target="api", match="GET /users", kind="status")
    sandbox.fault(target="api", match="GET /connectors", kind="status")
    sandbox.admin("DELETE", f"/faults/{first}")
    assert person.call("GET", "/users/me").status_code == 200
    assert person.call("GET", "/connectors").status_code == 500
    sandbox.admin("DELETE", "/faults")
    assert person.call("GET", "/connectors").status_code == 200
    assert sandbox.http.delete("/sandbox/faults/12345").status_code == 404


def test_the_clock_moves_to_a_moment_and_back(sandbox: Sandbox, person: Person) -> None:
    sandbox.admin("POST", "/clock", {"now": "2031-07-01T10:00:00Z"})
    made = person.connect("revolut")
    # Paris is two hours ahead in summer, and shows no offset.
    assert re.fullmatch(r"2031-07-01 12:00:0\d", made["created"])
    sandbox.admin("POST", "/clock", {"reset": True})
    assert sandbox.admin("GET", "/clock")["offset_seconds"] == 0
    assert sandbox.http.post("/sandbox/clock", json={"days": 1e9}).status_code == 400
    assert sandbox.http.post("/sandbox/clock", json={"seconds": "soon"}).status_code == 400
    for far in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert sandbox.http.post("/sandbox/clock", json={"now": far}).status_code == 400
        answer = sandbox.http.patch(f"/sandbox/connections/{made['id']}", json={"consent_expires_at": far})
        assert answer.status_code == 400
        assert person.call("POST", f"/users/me/connections/{made['id']}", json={"expire": far}).status_code == 400


def test_requests_are_logged_newest_first_without_secrets(sandbox: Sandbox, person: Person) -> None:
    person.get("/users/me")
    found = sandbox.admin("GET", "/requests")["requests"]
    assert [line["path"] for line in found[:2]] == ["/2.0/users/me", "/2.0/auth/init"]
    assert found[0]["user_id"] == person.id
    assert CLIENT["client_secret"] not in str(found)
    assert person.token not in str(found)
    assert sandbox.admin("GET", "/requests?method=POST&path=init$&status=200")["total"] == 1
    assert sandbox.admin("GET", f"/requests?since_id={found[1]['id']}")["total"] == 1
    assert sandbox.http.get("/sandbox/requests?path=(").status_code == 400


def test_deliveries_are_logged_with_their_bodies_and_without_tokens(
    sandbox: Sandbox, person: Person, consumer: Consumer
) -> None:
    person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    eventually(lambda: sandbox.admin("GET", "/webhooks")["waiting"] == 0)
    found = sandbox.admin("GET", f"/webhooks?event=account-found&id_user={person.id}")
    assert found["total"] == 3
    assert '"id_webhook_data"' in found["webhooks"][0]["body"]
    assert person.token not in str(sandbox.admin("GET", "/webhooks"))


def test_a_delivery_can_be_sent_again(sandbox: Sandbox, consumer: Consumer) -> None:
    sandbox.person()
    consumer.wait_for("USER_CREATED")
    line = eventually(lambda: sandbox.admin("GET", "/webhooks")["webhooks"])[0]
    sandbox.admin("POST", f"/webhooks/{line['id']}/redeliver")
    first, second = consumer.wait_for("USER_CREATED", 2)
    assert first.raw == second.raw
    assert sandbox.http.post("/sandbox/webhooks/999999/redeliver").status_code == 404


def test_users_are_listed_newest_first_and_their_tokens_revoked(sandbox: Sandbox) -> None:
    first, second = sandbox.person(), sandbox.person()
    second.connect("revolut")
    listed = sandbox.admin("GET", "/users")["users"]
    assert [user["id"] for user in listed] == [second.id, first.id]
    assert listed[0]["connections"][0]["connector"] == "revolut"
    assert sandbox.admin("POST", f"/users/{first.id}/revoke-tokens") == {"revoked": 1}
    assert first.call("GET", "/users/me").status_code == 401
    assert second.call("GET", "/users/me").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"connector": "revolut"},
        {"id_user": 1, "connector": "revolut"},
        {"id_user": "x", "connector": "revolut"},
    ],
)
def test_a_connection_needs_a_user_that_is_there(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert sandbox.http.post("/sandbox/connections", json=body).status_code in {400, 404}


@pytest.mark.parametrize(
    "body",
    [
        {"connector": "nowhere"},
        {},
        {"connector": "revolut", "enabled": ["Livret A"]},
        {"connector": "revolut", "enabled": 3},
        {"connector": "revolut", "sources": ["fax"]},
        {"connector": "revolut", "persona": "nobody"},
    ],
)
def test_a_connection_that_makes_no_sense_is_refused_and_leaves_nothing(
    sandbox: Sandbox, person: Person, body: dict[str, Any]
) -> None:
    assert sandbox.http.post("/sandbox/connections", json={"id_user": person.id, **body}).status_code == 400
    assert person.get("/users/me/connections")["connections"] == []


def test_an_account_changes_at_the_bank(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    consumer.clear()
    account = made["all_accounts"][0]["id"]
    sandbox.admin("PATCH", f"/accounts/{account}", {"balance": "1234567.89", "name": "Nouveau nom", "type": "mortgage"})
    shown = person.get(f"/users/me/accounts/{account}")
    assert (shown["balance"], shown["name"], shown["type"]) == (1234567.89, "Nouveau nom", "mortgage")
    consumer.wait_for("CONNECTION_SYNCED")
    consumer.clear()
    sandbox.admin("PATCH", f"/accounts/{account}", {"balance": None, "sync": False})
    assert person.get(f"/users/me/accounts/{account}")["balance"] is None
    for bad in (
        {"balance": "much"},
        {"balance": "nan"},
        {"currency": "XXX"},
        {"type": "x"},
        {"colour": "red"},
        {"name": ""},
    ):
        assert sandbox.http.patch(f"/sandbox/accounts/{account}", json=bad).status_code == 400
    assert consumer.of("CONNECTION_SYNCED") == []


def test_consent_can_be_made_to_end_soon(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"consent_expires_at": "2031-01-01T11:00:00Z"})
    assert person.get(f"/users/me/connections/{made['id']}")["expire"] == "2031-01-01 12:00:00"
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"consent_expires_in_days": 6})
    assert person.get(f"/users/me/connections/{made['id']}")["expire"] < "2031"


def test_reset_forgets_everything_and_takes_settings_back(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(webhook_gzip=True)
    sandbox.fault(target="api", kind="status")
    sandbox.admin("POST", "/clock", {"days": 3})
    sandbox.admin("POST", "/reset")
    assert sandbox.admin("GET", "/users")["total"] == 0
    assert sandbox.admin("GET", "/faults")["faults"] == []
    assert sandbox.admin("GET", "/clock")["offset_seconds"] == 0
    assert sandbox.admin("GET", "/settings")["settings"]["webhook_gzip"] is False
    assert person.call("GET", "/users/me").status_code == 401
    assert sandbox.person().id > person.id


def test_a_page_of_another_site_cannot_turn_the_switches(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/sandbox/reset", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_personas_and_connections_are_listed(sandbox: Sandbox, person: Person) -> None:
    personas = {item["id"]: item for item in sandbox.admin("GET", "/personas")["personas"]}
    assert {"wealth", "couple", "company", "expat", "sparse"} <= set(personas)
    assert "PEA" in personas["wealth"]["banks"]["banque-horizon"]
    made = [person.connect("revolut"), person.connect("banque-horizon"), sandbox.person().connect("revolut")]
    listed = sandbox.admin("GET", "/connections")
    assert [item["id"] for item in listed["connections"]] == [item["id"] for item in made[::-1]]
    own = sandbox.admin("GET", f"/connections?id_user={person.id}&limit=1")
    assert ([item["id"] for item in own["connections"]], own["total"]) == ([made[1]["id"]], 2)
    assert {item["locked"] for item in listed["connections"]} == {False}
