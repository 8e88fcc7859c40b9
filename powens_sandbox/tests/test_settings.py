"""Section 7 of the README: every known unknown can be played either way."""

from dataclasses import fields
from typing import Any

import pytest

from powens_sandbox.errors import ApiError
from powens_sandbox.settings import PREFIX, Settings
from powens_sandbox.tests.driver import CLIENT, ROOT, Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually


def test_every_setting_explains_itself_and_comes_from_the_environment() -> None:
    for described in Settings().described():
        assert str(described["doc"]).endswith(".")
    from_env = Settings.from_env(
        {f"{PREFIX}PORT": "9000", f"{PREFIX}WEBHOOK_GZIP": "on", f"{PREFIX}REDIRECT_URIS": "a, b"}
    )
    assert (from_env.port, from_env.webhook_gzip, from_env.redirect_uris) == (9000, True, ("a", "b"))
    assert Settings.from_env({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("PORT", "70000"),
        ("WEBHOOK_LOSS", "2"),
        ("WEBHOOK_LOSS", "nan"),
        ("WEBHOOK_GZIP", "perhaps"),
        ("CHOICE_EVENTS", "none"),
        ("SYNC_DELAY", "-1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ApiError, match=name.lower()):
        Settings.from_env({PREFIX + name: value})


def test_settings_change_while_it_runs_unless_they_are_fixed(sandbox: Sandbox) -> None:
    sandbox.settings(webhook_delay=1, webhook_order="shuffled")
    shown = sandbox.admin("GET", "/settings")
    assert shown["settings"]["webhook_order"] == "shuffled"
    assert {item["name"] for item in shown["described"]} == {item.name for item in fields(Settings)}
    for change in (
        {"port": 1},
        {"nothing": 1},
        {"webhook_order": "no"},
        {"webhook_delay": None},
        {"redirect_uris": [1]},
    ):
        assert sandbox.http.patch("/sandbox/settings", json=change).status_code == 400


def test_secrets_are_not_shown(sandbox: Sandbox) -> None:
    assert CLIENT["client_secret"] not in sandbox.http.get("/sandbox/settings").text


def names_after_choice(person: Person, consumer: Consumer, last: str) -> list[str]:
    made = person.connect("revolut", enabled=["Compte courant EUR"])
    consumer.wait_for("USER_SYNCED")
    consumer.clear()
    usd = person.accounts()["Compte courant USD"]["id"]
    person.call("PUT", f"/users/me/accounts/{usd}?all", json={"disabled": False})
    consumer.wait_for(last)
    assert made["id"]
    return [name for name in consumer.names() if name in {"ACCOUNT_ENABLED", "CONNECTION_SYNCED"}]


@pytest.mark.parametrize(
    ("mode", "last", "expected"),
    [
        ("accounts_then_sync", "CONNECTION_SYNCED", {"ACCOUNT_ENABLED", "CONNECTION_SYNCED"}),
        ("sync_only", "CONNECTION_SYNCED", {"CONNECTION_SYNCED"}),
        ("accounts_only", "ACCOUNT_ENABLED", {"ACCOUNT_ENABLED"}),
        ("sync_then_accounts", "ACCOUNT_ENABLED", {"ACCOUNT_ENABLED", "CONNECTION_SYNCED"}),
    ],
)
def test_events_after_a_choice(
    sandbox: Sandbox, person: Person, consumer: Consumer, mode: str, last: str, expected: set[str]
) -> None:
    sandbox.settings(choice_events=mode, webhook_order="strict")
    names = names_after_choice(person, consumer, last)
    assert set(names) == expected
    if mode == "sync_then_accounts":
        assert names.index("CONNECTION_SYNCED") < names.index("ACCOUNT_ENABLED")


@pytest.mark.parametrize(
    ("mode", "absent"),
    [
        ("found_enabled_sync", set()),
        ("enabled_sync", {"ACCOUNT_FOUND"}),
        ("sync_only", {"ACCOUNT_FOUND", "ACCOUNT_ENABLED"}),
    ],
)
def test_events_of_a_new_connection(
    sandbox: Sandbox, person: Person, consumer: Consumer, mode: str, absent: set[str]
) -> None:
    sandbox.settings(connect_events=mode, webhook_order="strict")
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    assert {"ACCOUNT_FOUND", "ACCOUNT_ENABLED"} - set(consumer.names()) == absent


@pytest.mark.parametrize("mode", ["connection", "accounts_and_connection"])
def test_events_of_a_deleted_connection(sandbox: Sandbox, person: Person, consumer: Consumer, mode: str) -> None:
    sandbox.settings(connection_deleted_events=mode, webhook_order="strict")
    made = person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    person.call("DELETE", f"/users/me/connections/{made['id']}")
    consumer.wait_for("CONNECTION_DELETED")
    assert len(consumer.of("ACCOUNT_DISABLED")) == (3 if mode == "accounts_and_connection" else 0)


@pytest.mark.parametrize("mode", ["user", "connections_and_user"])
def test_events_of_a_deleted_user(sandbox: Sandbox, person: Person, consumer: Consumer, mode: str) -> None:
    sandbox.settings(user_deleted_events=mode, webhook_order="strict")
    person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    person.call("DELETE", "/users/me")
    consumer.wait_for("USER_DELETED")
    assert len(consumer.of("CONNECTION_DELETED")) == (1 if mode == "connections_and_user" else 0)


@pytest.mark.parametrize(
    ("detail", "known"),
    [
        ("minimal", set()),
        ("named", {"number", "currency"}),
        ("full", {"number", "currency", "iban", "balance"}),
    ],
)
def test_what_is_known_of_a_disabled_account(sandbox: Sandbox, person: Person, detail: str, known: set[str]) -> None:
    sandbox.settings(disabled_account_fields=detail)
    person.connect("revolut", enabled="none")
    account = person.accounts()["Compte courant EUR"]
    assert {name for name in ("number", "currency", "iban", "balance") if account[name] is not None} == known


@pytest.mark.parametrize("form", ["envelope", "list", "always_envelope"])
def test_the_answer_to_an_update_of_several_accounts(sandbox: Sandbox, person: Person, form: str) -> None:
    sandbox.settings(multi_update_answer=form)
    ids = [item["id"] for item in person.connect("revolut")["all_accounts"]]
    several = person.call("PUT", f"/users/me/accounts/{ids[0]},{ids[1]}", json={"bookmarked": True}).json()
    one = person.call("PUT", f"/users/me/accounts/{ids[0]}", json={"bookmarked": True}).json()
    assert isinstance(several, list) is (form == "list")
    assert ("accounts" in one) is (form == "always_envelope")


def test_transactions_may_keep_their_ids(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(reenabled_transactions="same_ids")
    account = person.connect("revolut", enabled=["Compte courant EUR"])["all_accounts"][0]["id"]
    path = f"/users/me/accounts/{account}/transactions?limit=50"
    before = eventually(lambda: person.get(path)["transactions"])
    person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": True})
    person.call("PUT", f"/users/me/accounts/{account}?all", json={"disabled": False})
    assert {line["id"] for line in person.get(path)["transactions"]} == {line["id"] for line in before}


def test_a_spent_code_may_end_on_a_page(sandbox: Sandbox) -> None:
    sandbox.settings(spent_code="page")
    browser = sandbox.webview("manage", code="guess")
    assert (browser.callback, browser.page.status_code) == (None, 400)


def test_a_cancelled_connect_may_leave_the_connection(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(cancelled_connect="kept")
    sandbox.webview("connect", person).press("accept").pick("revolut").press("approve").press("cancel")
    assert len(person.get("/users/me/connections")["connections"]) == 1
    assert person.get("/users/me/accounts")["accounts"] == []


def test_accounts_may_have_to_be_ticked_by_hand(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(preticked_accounts=False)
    browser = sandbox.webview("connect", person).press("accept").pick("revolut").press("approve")
    assert not any(ticked for _, ticked in browser.boxes.values())


def test_a_connection_may_be_locked_while_it_synchronises(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(locked_during_sync=True, sync_delay=0.4)
    account = person.connect("revolut")["all_accounts"][0]["id"]
    refused = person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "connectionLocked")
    eventually(lambda: person.call("PUT", f"/users/me/accounts/{account}", json={"disabled": True}).status_code == 200)


def test_a_bad_token_may_have_another_status_and_code(sandbox: Sandbox) -> None:
    sandbox.settings(bad_token_status=403, bad_token_code="tokenExpired")
    answer = sandbox.http.get("/2.0/users/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "tokenExpired")


def test_a_rate_limit_says_when_to_come_again(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(rate_limit=3, rate_limit_code="slowDown")
    answers = [person.call("GET", "/users/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "slowDown"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


def test_a_rate_limit_counts_over_the_time_that_is_set(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(rate_limit=1, rate_limit_seconds=0.5)
    assert [person.call("GET", "/users/me").status_code for _ in range(2)] == [200, 429]
    assert eventually(lambda: person.call("GET", "/users/me").status_code == 200)


@pytest.mark.parametrize("key", ["access_token", "token"])
def test_the_token_may_have_either_name(sandbox: Sandbox, person: Person, key: str) -> None:
    sandbox.settings(access_token_key=key)
    body = CLIENT | {"code": person.code()}
    assert set(sandbox.http.post("/2.0/auth/token/access", json=body).json()) == {key, "token_type"}


def test_no_account_may_refuse_the_list_too(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(no_account_on_list=True, no_account_status=400)
    person.connect("revolut", enabled="none")
    answer = person.call("GET", "/users/me/accounts")
    assert (answer.status_code, answer.json()["code"]) == (400, "noAccount")


def test_a_deleted_connection_may_be_answered_with_itself(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(delete_connection_answer="200")
    made = person.connect("revolut")
    answer = person.call("DELETE", f"/users/me/connections/{made['id']}")
    assert (answer.status_code, answer.json()["id"]) == (200, made["id"])


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"naive_timezone": "UTC"}, "2031-07-01 10:00:0"),
        ({"naive_timezone": "Europe/Paris"}, "2031-07-01 12:00:0"),
        ({"datetime_form": "offset"}, "2031-07-01 12:00:0"),
    ],
)
def test_the_time_zone_of_date_times(sandbox: Sandbox, person: Person, settings: dict[str, Any], pattern: str) -> None:
    sandbox.settings(**settings)
    sandbox.admin("POST", "/clock", {"now": "2031-07-01T10:00:00Z"})
    shown = person.connect("revolut", enabled="none")["all_accounts"][0]["disabled"]
    assert shown.startswith(pattern)
    assert shown.endswith("+02:00") is ("datetime_form" in settings)


def test_types_and_currencies_may_have_either_form(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(account_type_form="object", currency_form="code")
    person.connect("revolut")
    account = person.accounts()["Compte courant USD"]
    assert (account["type"]["name"], account["currency"]) == ("checking", "USD")


def test_sources_may_be_nested(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(source_form="nested")
    source = person.connect("revolut")["sources"][0]
    assert source["source"]["name"] == "openapi"
    assert "name" not in source


def test_lists_may_be_cut_and_links_may_have_the_other_name(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(list_cap=2, linked_lists="all", links_key="_link")
    person.connect("revolut")
    listed = person.get("/users/me/accounts")
    assert len(listed["accounts"]) == 2
    assert person.get(listed["_link"]["next"]["href"].split("/2.0")[1])["accounts"]


@pytest.mark.parametrize(("mode", "status"), [("refused", 409), ("accepted", 200)])
def test_a_forced_synchronisation_may_always_be_refused_or_accepted(
    sandbox: Sandbox, person: Person, mode: str, status: int
) -> None:
    sandbox.settings(forced_sync=mode)
    made = person.connect("revolut")
    assert person.call("PUT", f"/users/me/connections/{made['id']}?psu_requested=false").status_code == status


def test_ids_of_payloads_may_be_in_no_order(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.settings(webhook_data_ids="random", webhook_order="strict")
    person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    ids = [delivery.data["id_webhook_data"] for delivery in consumer.deliveries]
    assert ids != sorted(ids)


def test_deliveries_may_come_shuffled_and_doubled(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.settings(webhook_order="shuffled", webhook_duplicates=1.0, webhook_shuffle_window=0.2)
    person.connect("banque-horizon", persona="collector")
    consumer.wait_for("ACCOUNT_FOUND", 80)
    ids = [delivery.data["id_webhook_data"] for delivery in consumer.of("ACCOUNT_FOUND")]
    assert ids != sorted(ids)
    assert len(set(ids)) * 2 == len(ids)


def test_deliveries_may_be_lost(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.settings(webhook_loss=1.0)
    person.connect("revolut")
    eventually(lambda: sandbox.admin("GET", "/webhooks")["lost"] >= 6)
    assert consumer.of("ACCOUNT_FOUND") == []


def test_a_query_string_may_be_part_of_the_signature(sandbox: Sandbox, consumer: Consumer) -> None:
    from powens_sandbox.tests.driver import SECRET
    from powens_sandbox.webhooks.signature import sign

    operator = {"Authorization": "Bearer sandbox-config-token"}
    hook = sandbox.http.get("/2.0/webhooks", headers=operator).json()["webhooks"][0]
    url = f"{consumer.url}/hooks/user-created?a=1"
    sandbox.http.put(f"/2.0/webhooks/{hook['id']}", json={"url": url}, headers=operator)
    for setting, endpoint in (("path", "/hooks/user-created"), ("path_and_query", "/hooks/user-created?a=1")):
        sandbox.settings(webhook_signed_path=setting)
        consumer.clear()
        sandbox.person()
        delivery = consumer.wait_for("USER_CREATED")[0]
        date = delivery.headers["bi-signature-date"]
        assert sign(SECRET, "POST", endpoint, date, delivery.raw) == delivery.headers["bi-signature"]


def test_the_manual_lists_every_setting_with_its_default_and_values() -> None:
    manual = (ROOT / "powens_sandbox" / "README.md").read_text()
    for item in fields(Settings):
        row = next((line for line in manual.splitlines() if line.startswith(f"| `{item.name}`")), "")
        assert str(item.metadata["doc"]) in row, item.name
        assert all(f"`{choice}`" in row for choice in item.metadata["choices"]), item.name


@pytest.mark.parametrize("named", [True, False])
def test_the_sources_of_a_connector_may_not_say_what_they_share(sandbox: Sandbox, named: bool) -> None:
    sandbox.settings(source_account_types=named)
    connectors = sandbox.http.get("/2.0/connectors?expand=sources").json()["connectors"]
    assert {"account_types" in source for item in connectors for source in item["sources"]} == {named}
