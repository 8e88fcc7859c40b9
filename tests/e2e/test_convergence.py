"""Whatever happens on the way, the list, the events and Powens end in the user's last choice: on the running system."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.identity import Issuer
from local.paths import STATE
from tests.e2e.conftest import System
from tests.e2e.people import ALL, EUR_ONLY, Person, folded, state_of
from tests.polling import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def person(system: System) -> Iterator[Person]:
    with Person(system) as person:
        person.wait(lambda: person.agreed(ALL))
        yield person


@pytest.fixture
def faults(system: System) -> Iterator["Faults"]:
    with httpx.Client(base_url=system.sandbox_url, timeout=10) as client:
        yield Faults(client)
        client.delete("/sandbox/faults").raise_for_status()


class Faults:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def add(self, **fault: Any) -> None:
        self._client.post("/sandbox/faults", json=fault).raise_for_status()


def selection_lines(person: Person) -> list[list[tuple[str, str]]]:
    """For each AccountsUpdated that tells of a choice: its (change, currency) lines of choices."""
    told = [
        sorted((line["change"], line["currency"]) for line in d["data"]["accounts"] if line["change"] in CHOICES)
        for d in person.events("AccountsUpdated")
    ]
    return [lines for lines in told if lines]


CHOICES = ("enabled", "disabled")


def test_our_tick_boxes_and_the_webview_end_in_the_same_state_and_the_same_events(system: System) -> None:
    with Person(system) as ours, Person(system) as theirs:
        eventually(lambda: ours.agreed(ALL) and theirs.agreed(ALL), seconds=20)
        assert ours.ended(ours.select("EUR"))["status"] == "completed"
        for name in ("USD", "GBP"):
            theirs.flip(name, enabled=False)
        eventually(lambda: ours.agreed(EUR_ONLY) and theirs.agreed(EUR_ONLY), seconds=20)
        eventually(lambda: selection_lines(ours) and selection_lines(theirs))
        assert selection_lines(ours) == [[("disabled", "GBP"), ("disabled", "USD")]]
        assert sorted(line for lines in selection_lines(theirs) for line in lines) == [
            ("disabled", "GBP"),
            ("disabled", "USD"),
        ]
        causes = {d["metadata"]["cause"] for d in ours.events("AccountsUpdated") if selection_only(d)}
        assert causes == {"user"}
        assert {d["metadata"]["cause"] for d in theirs.events("AccountsUpdated") if selection_only(d)} == {"webview"}


def selection_only(detail: dict[str, Any]) -> bool:
    return any(line["change"] in CHOICES for line in detail["data"]["accounts"])


def test_choices_made_in_both_places_at_once_are_all_kept(person: Person) -> None:
    operation = person.select("EUR", "GBP")
    person.flip("GBP", enabled=False)
    person.ended(operation)
    person.wait(lambda: person.agreed(EUR_ONLY))


def test_the_newest_choice_wins_wherever_it_was_made(person: Person) -> None:
    person.ended(person.select("EUR"))
    person.wait(lambda: person.agreed(EUR_ONLY))
    person.flip("USD", enabled=True)
    person.wait(lambda: person.agreed({**EUR_ONLY, "Compte courant USD": True}))
    person.ended(person.select("EUR"))
    person.wait(lambda: person.agreed(EUR_ONLY))


def test_undo_restores_the_selection_before(person: Person) -> None:
    operation = person.ended(person.select("EUR"))
    undone = person.api.post(f"/v1/operations/{operation['id']}/undo").raise_for_status().json()
    assert person.ended(undone)["status"] == "completed"
    person.wait(lambda: person.agreed(ALL))


def test_folding_the_events_from_the_bus_gives_what_the_api_shows(person: Person) -> None:
    person.ended(person.select("EUR"))
    person.ended(person.select("EUR", "USD"))
    person.flip("GBP", enabled=True)
    person.wait(lambda: person.agreed(ALL))

    person.wait(lambda: folded(person, person.connection["id"]) == state_of(person.connection))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 500, "times": 4}, id="500"),
        pytest.param({"kind": "status", "status": 429, "retry_after": 1, "times": 1}, id="429"),
        pytest.param({"kind": "status", "status": 401, "times": 1}, id="401"),
        pytest.param({"kind": "garbage", "times": 2}, id="garbage"),
        pytest.param({"kind": "empty", "times": 2}, id="an empty answer"),
    ],
)
@pytest.mark.parametrize("at", ["POST", "GET"])
def test_a_choice_outlasts_powens_answering(person: Person, faults: Faults, fault: dict[str, Any], at: str) -> None:
    path = f"/2.0/users/{person.powens_user}/.*"
    faults.add(target="api", match=f"{at} {path}", **fault)
    assert person.ended(person.select("EUR"), seconds=60)["status"] == "completed"
    person.wait(lambda: person.agreed(EUR_ONLY))
    assert selection_lines(person) == [[("disabled", "GBP"), ("disabled", "USD")]]


def test_a_locked_connection_is_waited_for(person: Person) -> None:
    person.powens.patch(f"/sandbox/connections/{person.powens_connection}", json={"locked": True}).raise_for_status()
    operation = person.select("EUR")
    eventually(lambda: locked_once(person))
    person.powens.patch(f"/sandbox/connections/{person.powens_connection}", json={"locked": False}).raise_for_status()
    assert person.ended(operation, seconds=60)["status"] == "completed"
    person.wait(lambda: person.agreed(EUR_ONLY))


def locked_once(person: Person) -> bool:
    return any(r["status"] == 409 and r["user_id"] == person.powens_user for r in requests(person))


def requests(person: Person, method: str | None = None) -> list[dict[str, Any]]:
    """What Powens was asked for this person, newest first."""
    logged = person.powens.get("/sandbox/requests", params={"limit": "500"}).raise_for_status().json()["requests"]
    return [r for r in logged if r["user_id"] == person.powens_user and method in (None, r["method"])]


def test_a_revoked_token_is_renewed_without_the_user(person: Person) -> None:
    person.powens.post(f"/sandbox/users/{person.powens_user}/revoke-tokens").raise_for_status()
    assert person.ended(person.select("EUR"), seconds=60)["status"] == "completed"
    person.wait(lambda: person.agreed(EUR_ONLY))


def test_an_account_that_powens_recreated_is_the_same_account_and_is_enabled_again(person: Person) -> None:
    before = {a["name"]: a["id"] for a in person.connection["accounts"]}
    old = {name: a["id"] for name, a in person.at_powens().items()}
    person.powens.post(f"/sandbox/connections/{person.powens_connection}/repair").raise_for_status()
    assert {name: a["id"] for name, a in person.at_powens().items()} != old
    person.wait(lambda: person.agreed(ALL), seconds=40)
    assert {a["name"]: a["id"] for a in person.connection["accounts"]} == before


def test_fifty_webhooks_in_a_burst_cost_at_most_two_reads(person: Person, system: System) -> None:
    newest = person.powens.get("/sandbox/webhooks", params={"limit": "1"}).json()["webhooks"][0]["id"]
    read_before = len(requests(person, "GET"))
    hook = next(
        w
        for w in person.powens.get("/sandbox/webhooks", params={"limit": "200"}).json()["webhooks"]
        if w["user_id"] == person.powens_user and w["event"] == "ACCOUNT_SYNCED"
    )
    # Each is received after the last read, so the first of them must be read, and all are about one connection.
    burst = [
        threading.Thread(target=httpx.post, args=(f"{system.sandbox_url}/sandbox/webhooks/{hook['id']}/redeliver",))
        for _ in range(50)
    ]
    for thread in burst:
        thread.start()
    for thread in burst:
        thread.join()
    eventually(lambda: delivered_since(person, newest) >= 50)
    eventually(lambda: queue_is_empty(system))
    reads = [r for r in requests(person, "GET")[: -read_before or None] if r["path"].endswith("/accounts")]
    assert 1 <= len(reads) <= 2


def delivered_since(person: Person, newest: int) -> int:
    hooks = person.powens.get("/sandbox/webhooks", params={"limit": "500"}).json()["webhooks"]
    return sum(w["id"] > newest and w["user_id"] == person.powens_user and w["status"] == 200 for w in hooks)


def queue_is_empty(system: System) -> bool:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    queue = system.outputs["RefreshQueueUrl"]
    counts = system.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(int(count) == 0 for count in counts.values())


def test_webhooks_that_are_lost_doubled_and_reordered_change_nothing_in_the_end(person: Person, faults: Faults) -> None:
    faults.add(target="webhook", match="ACCOUNT_DISABLED", kind="drop", times=1)
    faults.add(target="webhook", match=".*", kind="duplicate", times=10)
    faults.add(target="webhook", match=".*", kind="reorder", times=10)
    person.flip("USD", enabled=False)
    person.flip("GBP", enabled=False)
    person.powens.post(f"/sandbox/connections/{person.powens_connection}/sync").raise_for_status()
    person.wait(lambda: person.agreed(EUR_ONLY))


def test_a_refresh_ends_also_when_powens_refuses_it(person: Person) -> None:
    connection = person.connection
    first = person.ended(person.api.post(f"/v1/connections/{connection['id']}/refresh").raise_for_status().json())
    second = person.ended(person.api.post(f"/v1/connections/{connection['id']}/refresh").raise_for_status().json())
    assert {first["status"], second["status"]} == {"completed"}
    assert second["status_reason"]["code"] == "just_refreshed"


def test_an_ended_connection_is_gone_for_good(person: Person) -> None:
    connection = person.connection
    url = f"/v1/connections/{connection['id']}"
    wrong = person.api.request("DELETE", url, json={"confirm": "Autre banque"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "confirmation_mismatch")
    operation = person.api.request("DELETE", url, json={"confirm": "Revolut"}).raise_for_status().json()
    assert person.ended(operation)["status"] == "completed"
    assert person.connections() == []
    (removed,) = eventually(lambda: person.events("ConnectionRemoved"))
    assert sorted(line["change"] for line in removed["data"]["accounts"]) == ["removed"] * 3

    late = person.powens.get("/sandbox/webhooks", params={"limit": "200"}).json()["webhooks"]
    for hook in [w for w in late if w["user_id"] == person.powens_user][:5]:
        person.powens.post(f"/sandbox/webhooks/{hook['id']}/redeliver").raise_for_status()
    eventually(lambda: queue_is_empty(person.system))
    assert person.connections() == []


def test_two_devices_that_open_the_webview_first_make_one_powens_user(system: System) -> None:
    token, _ = Issuer(system.url, STATE / "issuer.pem").token("two-devices")
    with httpx.Client(base_url=system.sandbox_url, timeout=30) as powens:
        before = {u["id"] for u in powens.get("/sandbox/users").json()["users"]}
        statuses: list[int] = []

        def visit() -> None:
            answer = httpx.post(
                f"{system.url}/v1/webview-sessions",
                json={"flow": "connect", "return_to": f"{system.url}/"},
                headers={"authorization": f"Bearer {token}"},
                timeout=30,
            )
            statuses.append(answer.status_code)

        devices = [threading.Thread(target=visit) for _ in range(4)]
        for device in devices:
            device.start()
        for device in devices:
            device.join()
        assert statuses == [201] * 4
        assert len({u["id"] for u in powens.get("/sandbox/users").json()["users"]} - before) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b'{"id_user": 41}', {}, 401, id="unsigned"),
        pytest.param(
            b'{"id_user": 41}', {"BI-Signature": "AAAA", "BI-Signature-Date": "2026-03-05T09:41:07Z"}, 401, id="forged"
        ),
        pytest.param(b"x" * 7_000_000, {}, 413, id="larger than Lambda takes"),
    ],
)
def test_a_webhook_that_powens_did_not_send_is_refused(
    system: System, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = httpx.post(f"{system.url}/webhooks/powens/account-enabled", content=body, headers=headers, timeout=30)
    assert answer.status_code == status
