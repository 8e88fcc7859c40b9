"""What banks and hosts on the way do beside the documentation: useless keys, odd fields, slow and refused calls."""

import gzip
import json
from typing import Any

import httpx
import pytest

from powens_sandbox.tests.driver import CLIENT, RETURN, SECRET, Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually
from powens_sandbox.webhooks.signature import sign

OPERATOR = {"Authorization": "Bearer sandbox-config-token"}
BOTH = ["openapi", "directaccess"]


def by_name(connection: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {account["name"]: account for account in connection["all_accounts"]}


@pytest.mark.parametrize(
    ("shared", "carriers"),
    [("none", set()), ("cards", {"Carte Visa"}), ("all", {"Carte Visa", "Livret A"})],
)
def test_other_types_carry_the_iban_of_the_current_account(
    sandbox: Sandbox, person: Person, shared: str, carriers: set[str]
) -> None:
    sandbox.settings(shared_ibans=shared)
    accounts = by_name(person.connect("banque-horizon", sources=BOTH))
    iban = accounts.pop("Compte courant")["iban"]
    assert {name for name, account in accounts.items() if account["iban"] == iban} == carriers
    assert accounts["PEA"]["iban"] is None


@pytest.mark.parametrize(("form", "number"), [("masked", "XXXXXXX"), ("filler", "00000000000")])
def test_numbers_may_tell_no_account_apart(sandbox: Sandbox, person: Person, form: str, number: str) -> None:
    sandbox.settings(account_numbers=form)
    accounts = by_name(person.connect("banque-horizon", sources=BOTH))
    assert all(accounts[name]["number"].startswith(number) for name in ("Compte courant", "Livret A", "PEA"))


def test_some_banks_give_masked_or_filler_numbers_unless_all_give_their_own(sandbox: Sandbox, person: Person) -> None:
    assert {a["number"] for a in person.connect("caja-del-sur", sources=BOTH)["all_accounts"]} == {"00000000000"}
    assert all(a["number"][0] == "X" for a in person.connect("avenir-vie")["all_accounts"])
    sandbox.settings(account_numbers="own")
    assert all(a["number"].isdigit() for a in person.connect("caja-del-sur", sources=BOTH)["all_accounts"])


def test_pockets_are_equal_in_everything_but_their_names(person: Person) -> None:
    accounts = person.connect("revolut", persona="pockets")["all_accounts"]
    assert len({(a["iban"], a["number"], a["type"], a["currency"]["id"]) for a in accounts}) == 1
    assert sorted(a["name"] for a in accounts) == ["Compte courant EUR", "Projets", "Projets", "Vacances"]


def test_an_account_of_the_operator_has_the_numbers_that_it_was_given(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("caja-del-sur")
    body = {"name": "Libreta", "type": "savings", "number": "40010020030"}
    account = sandbox.admin("POST", f"/connections/{made['id']}/accounts", body)
    sandbox.settings(disabled_account_fields="full")
    shown = sandbox.admin("GET", f"/accounts/{account['id']}")
    assert (shown["iban"], shown["number"]) == (None, "40010020030")


def test_an_account_is_listed_under_another_connection_with_its_id(sandbox: Sandbox, person: Person) -> None:
    old, new = person.connect("banque-horizon"), person.connect("banque-horizon", enabled="none")
    account = by_name(old)["Compte courant"]["id"]
    sandbox.admin("PATCH", f"/accounts/{account}", {"id_connection": new["id"], "sync": False})
    for connection in (old, new):
        sandbox.admin("POST", f"/connections/{connection['id']}/sync")
    under = {
        made["id"]: [a["id"] for a in person.get(f"/users/me/connections/{made['id']}/accounts?all")["accounts"]]
        for made in (old, new)
    }
    # The old place neither keeps it nor finds it again.
    assert under[old["id"]] == [by_name(old)["Carte Visa"]["id"]]
    assert account in under[new["id"]]
    assert len(under[new["id"]]) == 3
    assert person.get(f"/users/me/accounts/{account}")["id_connection"] == new["id"]


def test_an_account_moves_to_no_connection_of_somebody_else(sandbox: Sandbox, person: Person) -> None:
    account = person.connect("revolut")["all_accounts"][0]["id"]
    other = sandbox.person().connect("revolut")["id"]
    for target in (other, 1):
        refused = sandbox.http.patch(f"/sandbox/accounts/{account}", json={"id_connection": target})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalidValue")


def test_any_json_stands_in_any_field_of_an_account_until_it_is_taken_back(
    sandbox: Sandbox, person: Person, consumer: Consumer
) -> None:
    account = person.connect("revolut", enabled=["Compte courant EUR"])["all_accounts"][0]["id"]
    usual = person.get(f"/users/me/accounts/{account}")["name"]
    raw = {"last_update": "0000-00-00 00:00:00", "balance": "1 234,56", "name": {"fr": None}, "surprise": [True]}
    sandbox.admin("PATCH", f"/accounts/{account}", {"raw": raw})
    assert person.get(f"/users/me/accounts/{account}").items() >= raw.items()
    assert eventually(
        lambda: [told for told in consumer.of("ACCOUNT_SYNCED") if told.data["last_update"] == raw["last_update"]]
    )
    sandbox.admin("PATCH", f"/accounts/{account}", {"raw": None})
    assert person.get(f"/users/me/accounts/{account}")["name"] == usual


def test_any_json_stands_in_any_field_of_a_connection(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"raw": {"connector": None, "active": "yes"}})
    path = f"/users/me/connections/{made['id']}"
    assert person.get(f"{path}?expand=connector")["connector"] is None
    plain = person.get(path)
    assert plain["active"] == "yes"
    assert "connector" not in plain


@pytest.mark.parametrize("raw", ["text", [1], b'{"raw": {"balance": NaN}}', b'{"raw": {"name": "\\ud83d"}}'])
def test_what_no_json_can_carry_is_refused_as_a_field(sandbox: Sandbox, person: Person, raw: Any) -> None:
    account = person.connect("revolut")["all_accounts"][0]["id"]
    body = raw if isinstance(raw, bytes) else json.dumps({"raw": raw}).encode()
    answer = sandbox.http.patch(f"/sandbox/accounts/{account}", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")


def test_the_odd_person_has_fields_that_make_no_sense(person: Person) -> None:
    person.connect("banque-horizon", persona="odd")
    accounts = person.get("/users/me/accounts?all")["accounts"]
    assert {"0000-00-00 00:00:00", "1 234,56", 42, "perhaps", "n/a"} <= {
        value for account in accounts for value in account.values() if isinstance(value, str | int)
    }


@pytest.mark.parametrize(("form", "written"), [("null", None), ("zero", "0000-00-00 00:00:00"), ("empty", "")])
def test_a_date_that_is_not_there_may_be_written_otherwise(
    sandbox: Sandbox, person: Person, form: str, written: str | None
) -> None:
    sandbox.settings(empty_dates=form)
    account = person.connect("revolut")["all_accounts"][0]
    assert (account["deleted"], account["disabled"]) == (written, None)


def test_a_forced_synchronisation_ends_although_the_caller_hung_up(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(forced_sync="accepted", forced_sync_seconds=0.5)
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}"
    before = eventually(lambda: person.get(path)["last_update"])
    sandbox.admin("POST", "/clock", {"seconds": 120})
    with pytest.raises(httpx.ReadTimeout):
        person.call("PUT", f"{path}?psu_requested=false", timeout=0.1)
    # While it goes on, nobody starts another.
    assert person.call("PUT", f"{path}?psu_requested=false").status_code == 409
    assert person.get(path)["last_update"] == before
    assert eventually(lambda: person.get(path)["last_update"] > before)


def test_a_forced_synchronisation_in_the_background_is_answered_at_once(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(forced_sync="accepted", forced_sync_seconds=0.2)
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}"
    before = eventually(lambda: person.get(path)["last_update"])
    sandbox.admin("POST", "/clock", {"seconds": 120})
    answer = person.call("PUT", f"{path}?psu_requested=false&background=true")
    assert (answer.status_code, answer.json()["last_update"]) == (202, before)
    assert eventually(lambda: person.get(path)["last_update"] > before)


@pytest.mark.parametrize(
    ("forbidden", "refused"),
    [
        ("nothing", set()),
        ("updates", {"change"}),
        ("reads", {"accounts", "connections"}),
        ("everything", {"change", "accounts", "connections", "user"}),
    ],
)
def test_a_good_token_may_be_forbidden_something(
    sandbox: Sandbox, person: Person, forbidden: str, refused: set[str]
) -> None:
    account = person.connect("revolut")["all_accounts"][0]["id"]
    sandbox.settings(forbidden=forbidden)
    answers = {
        "change": person.call("PUT", f"/users/me/accounts/{account}", json={"bookmarked": True}),
        "accounts": person.call("GET", "/users/me/accounts?all"),
        "connections": person.call("GET", "/users/me/connections"),
        "user": person.call("GET", "/users/me"),
    }
    assert {name for name, answer in answers.items() if answer.status_code == 403} == refused
    assert all(answers[name].json()["code"] == "forbidden" for name in refused)


@pytest.mark.parametrize(
    ("status", "code"), [("400", "invalidValue"), ("403", "forbidden"), ("404", "notFound"), ("409", "conflict")]
)
def test_the_token_of_a_user_that_is_gone_cannot_be_renewed(
    sandbox: Sandbox, person: Person, status: str, code: str
) -> None:
    sandbox.settings(gone_user_status=status)
    person.call("DELETE", "/users/me")
    body = CLIENT | {"grant_type": "client_credentials", "id_user": person.id}
    answer = sandbox.http.post("/2.0/auth/renew", json=body)
    assert (answer.status_code, answer.json()["code"]) == (int(status), code)


@pytest.mark.parametrize("arrival", ["compressed", "inflated"])
def test_a_compressed_body_may_be_inflated_on_the_way_under_its_old_header(
    sandbox: Sandbox, consumer: Consumer, arrival: str
) -> None:
    sandbox.settings(webhook_gzip=True, webhook_gzip_signature="plain", webhook_gzip_arrival=arrival)
    sandbox.person()
    told = consumer.wait_for("USER_CREATED")[0]
    plain = told.raw if arrival == "inflated" else gzip.decompress(told.raw)
    assert told.headers["content-encoding"] == "gzip"
    assert json.loads(plain)["id_webhook_data"]
    date = told.headers["bi-signature-date"]
    assert sign(SECRET, "POST", "/hooks/user-created", date, plain) == told.headers["bi-signature"]


@pytest.mark.parametrize(("browser", "language"), [("fr-FR,fr", "fr"), ("ja", "en")])
def test_an_address_without_language_redirects_and_spends_no_code(
    sandbox: Sandbox, person: Person, browser: str, language: str
) -> None:
    query = {"domain": "d", "client_id": CLIENT["client_id"], "redirect_uri": RETURN, "code": person.code()}
    answer = sandbox.http.get("/manage", params=query, headers={"Accept-Language": browser})
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"/{language}/manage?domain=d&")
    assert sandbox.http.get(answer.headers["location"]).headers["location"].startswith(f"/{language}/manage/")


@pytest.mark.parametrize("path", ["/nothing", "/2.1/users/me", "/fr/transfer", "/xx/connect", "/2.0/a/b/c", "/"])
def test_an_address_that_is_not_there_answers_with_the_envelope(sandbox: Sandbox, path: str) -> None:
    answer = sandbox.http.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "description", "message", "request_id"}


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("income=true", lambda line: line["value"] > 0),
        ("min_value=-50&max_value=-10", lambda line: -50 <= line["value"] <= -10),
        ("wording=LIBRAIRIE", lambda line: line["wording"] == "Librairie des Arcades"),
        ("search=nothing+of+the+kind", lambda _line: False),
        ("last_update=2099", lambda _line: False),
        ("filter=vdate&min_date=2098", lambda _line: False),
    ],
)
def test_transactions_are_narrowed_by_what_is_asked_for(
    sandbox: Sandbox, person: Person, query: str, fits: Any
) -> None:
    sandbox.settings(first_sync_transactions=60)
    person.connect("revolut", enabled=["Compte courant EUR"])
    every = eventually(lambda: person.get("/users/me/transactions?limit=1000")["transactions"])
    found = person.get(f"/users/me/transactions?limit=1000&{query}")["transactions"]
    assert found == [line for line in every if fits(line)]
    assert all(line["vdate"] for line in every)


@pytest.mark.parametrize(("setting", "status"), [("refused", 400), ("ignored", 200)])
def test_a_filter_that_is_not_known_is_refused_or_ignored(
    sandbox: Sandbox, person: Person, setting: str, status: int
) -> None:
    sandbox.settings(unknown_filters=setting)
    person.connect("revolut")
    assert person.call("GET", "/users/me/transactions?limit=5&since=2026").status_code == status
    assert person.call("GET", "/users/me/transactions?limit=5&filter=colour").status_code == 400


@pytest.mark.parametrize(("form", "usages"), [("live", ["ORGA", "PRIV"]), ("documented", ["orga", "priv"])])
def test_connectors_have_the_keys_that_were_seen_live_or_those_documented(
    sandbox: Sandbox, form: str, usages: list[str]
) -> None:
    sandbox.settings(connector_form=form)
    connector = sandbox.http.get("/2.0/connectors/40?expand=sources").json()
    for item in (connector, connector["sources"][0]):
        assert item["account_usages"] == usages
        assert ("stability" in item) is (form == "live")
        assert {"checking", "card"} <= set(item["account_types"])


def test_a_connector_that_is_out_is_unstable_since_then(sandbox: Sandbox) -> None:
    sandbox.admin("PATCH", "/connectors/revolut", {"outage": "websiteUnavailable"})
    stability = sandbox.http.get("/2.0/connectors/revolut").json()["stability"]
    assert stability["status"] == "unstable"
    assert stability["last_update"]


@pytest.mark.parametrize("shown", [True, False])
def test_a_bank_that_waits_on_its_own_page_gives_an_address_for_a_short_time(
    sandbox: Sandbox, person: Person, shown: bool
) -> None:
    sandbox.settings(webauth_address=shown)
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}?expand=sources"
    before = person.get(path)
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"source": "openapi", "state": "webauthRequired"})
    waiting = person.get(path)
    (source,) = waiting["sources"]
    if shown:
        assert waiting["error_message"].startswith("Redirecting to https://connexion.revolut.example/")
        assert source["error_message"] == waiting["error_message"]
        assert waiting["expire"] == source["expire"] < before["expire"] == source["access_expire"]
    else:
        assert (waiting["error_message"], waiting["expire"]) == (None, before["expire"])


def test_a_source_says_what_its_bank_said(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources=BOTH)
    body = {"source": "directaccess", "state": "actionNeeded", "error_message": "Merci de valider nos conditions."}
    sandbox.admin("PATCH", f"/connections/{made['id']}", body)
    sources = person.get(f"/users/me/connections/{made['id']}/sources")["sources"]
    assert {s["name"]: s["error_message"] for s in sources} == {
        "openapi": None,
        "directaccess": "Merci de valider nos conditions.",
    }


def test_an_account_with_an_iban_has_the_banks_bic(person: Person) -> None:
    accounts = by_name(person.connect("banque-horizon", sources=BOTH))
    assert (accounts["Compte courant"]["bic"], accounts["PEA"]["bic"]) == ("BANQFR2X", None)


def test_the_operator_hides_several_institutions_or_all(sandbox: Sandbox, person: Person) -> None:
    def listed() -> int:
        return int(sandbox.http.get("/2.0/connectors").json()["total"])

    before = listed()
    several = sandbox.http.put("/2.0/connectors/revolut,nordbank", json={"hidden": True}, headers=OPERATOR).json()
    assert ([item["hidden"] for item in several["connectors"]], several["total"]) == ([True, True], 2)
    assert listed() == before - 2
    assert sandbox.http.put("/2.0/connectors/revolut,none", json={"hidden": False}, headers=OPERATOR).status_code == 404
    assert sandbox.http.patch("/2.0/connectors", json={"hidden": True}, headers=OPERATOR).status_code == 200
    assert listed() == 0
    assert person.call("PATCH", "/connectors", json={"hidden": False}).status_code == 403


@pytest.mark.parametrize(("setting", "linked"), [("transactions", set()), ("all", {"connections", "accounts"})])
def test_only_transactions_have_links_unless_all_lists_have(
    sandbox: Sandbox, person: Person, setting: str, linked: set[str]
) -> None:
    sandbox.settings(linked_lists=setting)
    person.connect("revolut")
    lists = {name: person.get(f"/users/me/{name}?limit=1") for name in ("connections", "accounts", "transactions")}
    assert {name for name, page in lists.items() if "_links" in page} == linked | {"transactions"}
    assert all("total" in page for page in lists.values())
