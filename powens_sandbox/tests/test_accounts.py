"""Sections 2.5, 3.5 and 6 of the README: accounts, their activation, and what surprises integrators."""

import re
from typing import Any

import pytest

from powens_sandbox.tests.driver import Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually

FIELDS = {
    "id",
    "id_connection",
    "id_user",
    "id_source",
    "id_parent",
    "number",
    "iban",
    "original_name",
    "name",
    "balance",
    "coming",
    "currency",
    "type",
    "id_type",
    "display",
    "usage",
    "ownership",
    "bookmarked",
    "disabled",
    "deleted",
    "last_update",
    "error",
    "company_name",
    "loan",
}


def test_a_discovered_account_is_disabled_and_hidden(person: Person) -> None:
    person.connect("revolut", enabled="none")
    assert person.get("/users/me/accounts")["accounts"] == []
    every = person.get("/users/me/accounts?all")["accounts"]
    assert len(every) == 3
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", item["disabled"]) for item in every)


def test_an_account_has_every_documented_field(person: Person) -> None:
    person.connect("banque-horizon", sources=["openapi", "directaccess"])
    for account in person.get("/users/me/accounts")["accounts"]:
        assert set(account) >= FIELDS
        assert isinstance(account["type"], str)
        assert account["currency"]["id"] == "EUR"
        assert account["bookmarked"] == 0


def test_a_disabled_account_shows_its_name_and_no_balance(person: Person) -> None:
    person.connect("revolut", enabled=["Compte courant EUR"])
    hidden = person.accounts()["Compte courant USD"]
    assert hidden["balance"] is None
    assert hidden["iban"] is None
    assert (hidden["type"], hidden["currency"]["id"]) == ("checking", "USD")


@pytest.mark.parametrize("flag", ["all", "all=", "all=1", "all=true"])
def test_the_flag_for_all_needs_no_value(person: Person, flag: str) -> None:
    person.connect("revolut", enabled="none")
    assert len(person.get(f"/users/me/accounts?{flag}")["accounts"]) == 3


def test_a_disabled_account_cannot_even_be_addressed_without_all(person: Person) -> None:
    person.connect("revolut", enabled="none")
    account = person.accounts()["Compte courant EUR"]["id"]
    for method in ("GET", "POST", "PUT"):
        answer = person.call(method, f"/users/me/accounts/{account}", json={"disabled": False})
        assert (answer.status_code, answer.json()["code"]) == (404, "notFound")
    assert person.get(f"/users/me/accounts/{account}?all")["id"] == account


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("below", ["/users/me", "/users/{user}/connections/{connection}"])
def test_an_account_is_enabled_and_disabled_by_either_method(person: Person, method: str, below: str) -> None:
    connection = person.connect("revolut", enabled="none")
    prefix = below.format(user=person.id, connection=connection["id"])
    account = person.accounts()["Compte courant EUR"]["id"]
    enabled = person.call(method, f"{prefix}/accounts/{account}?all", json={"disabled": False}).json()
    assert (enabled["id"], enabled["disabled"], enabled["balance"]) == (account, None, 1250.0)
    disabled = person.call(method, f"{prefix}/accounts/{account}?all", json={"disabled": True}).json()
    assert disabled["disabled"] is not None
    assert disabled["balance"] is None


def test_several_accounts_change_in_one_call(person: Person) -> None:
    connection = person.connect("revolut", enabled="none")
    accounts = person.accounts()
    ids = f"{accounts['Compte courant EUR']['id']},{accounts['Compte courant GBP']['id']}"
    path = f"/users/me/connections/{connection['id']}/accounts/{ids}?all"
    changed = person.call("PUT", path, json={"disabled": False}).json()
    assert [item["disabled"] for item in changed["accounts"]] == [None, None]
    assert {item["name"] for item in person.get("/users/me/accounts")["accounts"]} == {
        "Compte courant EUR",
        "Compte courant GBP",
    }


def test_one_unknown_id_among_several_changes_nothing(person: Person) -> None:
    person.connect("revolut", enabled="none")
    account = person.accounts()["Compte courant EUR"]["id"]
    assert person.call("PUT", f"/users/me/accounts/{account},999999?all", json={"disabled": False}).status_code == 404
    assert person.get("/users/me/accounts")["accounts"] == []


def test_another_users_account_is_not_found(sandbox: Sandbox, person: Person) -> None:
    person.connect("revolut")
    account = person.accounts()["Compte courant EUR"]["id"]
    stranger = sandbox.person()
    for method in ("GET", "POST", "PUT"):
        assert stranger.call(method, f"/users/me/accounts/{account}?all", json={"disabled": True}).status_code == 404
    assert person.accounts()["Compte courant EUR"]["disabled"] is None


def test_the_documented_fields_can_be_written(person: Person) -> None:
    person.connect("revolut")
    account = person.accounts()["Compte courant EUR"]["id"]
    body = {"name": "Vacances", "display": False, "bookmarked": True, "usage": "orga"}
    changed = person.call("POST", f"/users/me/accounts/{account}", json=body).json()
    assert (changed["name"], changed["display"], changed["bookmarked"], changed["usage"]) == (
        "Vacances",
        False,
        1,
        "ORGA",
    )
    assert changed["original_name"] == "COMPTE COURANT EUR"


def test_a_form_says_true_and_false_in_words(person: Person) -> None:
    person.connect("revolut", enabled="none")
    account = person.accounts()["Compte courant EUR"]["id"]
    assert (
        person.call("PUT", f"/users/me/accounts/{account}", params={"all": ""}, data={"disabled": "false"}).json()[
            "disabled"
        ]
        is None
    )
    assert person.call("PUT", f"/users/me/accounts/{account}?all&disabled=1").json()["disabled"] is not None


@pytest.mark.parametrize("body", [{"disabled": "perhaps"}, {"disabled": []}, {"usage": "SPORT"}, {"name": {}}])
def test_values_that_make_no_sense_are_refused(person: Person, body: dict[str, Any]) -> None:
    person.connect("revolut")
    account = person.accounts()["Compte courant EUR"]["id"]
    answer = person.call("POST", f"/users/me/accounts/{account}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")


def test_the_list_carries_totals_per_currency(person: Person) -> None:
    person.connect("revolut")
    listed = person.get("/users/me/accounts")
    assert listed["balances"] == {"EUR": 1250.0, "USD": 842.1, "GBP": 310.55}
    assert listed["balance"] == 1250.0
    assert listed["total"] == 3
    assert set(listed["coming_balances"]) == {"EUR", "USD", "GBP"}


def test_an_account_that_is_not_displayed_is_left_out_of_totals(person: Person) -> None:
    person.connect("revolut")
    account = person.accounts()["Compte courant EUR"]["id"]
    person.call("POST", f"/users/me/accounts/{account}", json={"display": False})
    assert "EUR" not in person.get("/users/me/accounts")["balances"]


def test_a_card_hangs_below_its_account(person: Person) -> None:
    person.connect("banque-horizon")
    accounts = person.accounts()
    assert accounts["Carte Visa"]["id_parent"] == accounts["Compte courant"]["id"]


def test_ibans_have_right_check_digits(person: Person) -> None:
    for slug in (
        "revolut",
        "nordbank",
        "banco-ribera",
        "banca-lariana",
        "polderbank",
        "thames-mutual",
        "banco-do-tejo",
    ):
        person.connect(slug)
    ibans = [item["iban"] for item in person.get("/users/me/accounts")["accounts"] if item["iban"]]
    assert len(ibans) >= 9
    for iban in ibans:
        assert int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def test_transactions_exist_while_an_account_is_enabled(person: Person) -> None:
    person.connect("revolut", enabled=["Compte courant EUR"])
    account = person.accounts()["Compte courant EUR"]["id"]
    path = f"/users/me/accounts/{account}/transactions?limit=10"
    before = eventually(lambda: person.get(path)["transactions"])
    person.call("POST", f"/users/me/accounts/{account}", json={"disabled": True})
    refused = person.call("GET", "/users/me/transactions?limit=10")
    assert (refused.status_code, refused.json()["code"]) == (409, "noAccount")
    person.call("POST", f"/users/me/accounts/{account}?all", json={"disabled": False})
    after = eventually(lambda: person.get(path)["transactions"])
    assert not {line["id"] for line in before} & {line["id"] for line in after}


def test_transactions_need_a_limit_and_have_pages(person: Person) -> None:
    person.connect("revolut")
    assert person.call("GET", "/users/me/transactions").json()["code"] == "missingParameter"
    eventually(lambda: person.get("/users/me/transactions?limit=1")["transactions"])
    page = person.get("/users/me/transactions?limit=4")
    assert len(page["transactions"]) == 4
    assert page["_links"]["next"]["href"]
    assert {"first_date", "last_date", "result_min_date", "result_max_date"} <= set(page)
    newest = page["transactions"][0]["date"]
    only = person.get(f"/users/me/transactions?limit=100&min_date={newest}&max_date={newest}")["transactions"]
    assert {line["date"] for line in only} == {newest}


def test_investments_answer_for_those_who_ask(person: Person) -> None:
    person.connect("revolut")
    assert person.get("/users/me/investments")["investments"] == []


def test_a_loan_has_its_details(person: Person) -> None:
    person.connect("credit-littoral", sources=["openapi", "directaccess"])
    loan = person.accounts()["Prêt immobilier"]["loan"]
    assert loan["type"] == "mortgage"
    assert {"total_amount", "maturity_date", "next_payment_amount", "insurance_rate", "duration"} <= set(loan)


def test_a_wealth_account_has_a_valuation(person: Person) -> None:
    person.connect("banque-horizon", sources=["directaccess"])
    assert person.accounts()["PEA"]["valuation"] == person.accounts()["PEA"]["balance"]


def test_employee_savings_name_the_company(person: Person) -> None:
    person.connect("epargne-salariale-union")
    assert person.accounts()["PEE"]["company_name"]


def test_the_connection_can_be_expanded_on_accounts(person: Person) -> None:
    connection = person.connect("revolut")
    account = person.get("/users/me/accounts?expand=connection[connector]")["accounts"][0]
    assert account["connection"]["id"] == connection["id"]
    assert account["connection"]["connector"]["name"] == "Revolut"


def test_repair_renumbers_the_accounts_and_leaves_them_disabled(sandbox: Sandbox, person: Person) -> None:
    connection = person.connect("revolut")
    before = person.accounts()
    sandbox.admin("POST", f"/connections/{connection['id']}/repair")
    every = person.get("/users/me/accounts?all")["accounts"]
    gone = [item for item in every if item["deleted"]]
    new = [item for item in every if not item["deleted"]]
    assert {item["id"] for item in gone} == {item["id"] for item in before.values()}
    assert all(item["disabled"] for item in new)
    assert person.get("/users/me/accounts")["accounts"] == []
    sandbox.settings(disabled_account_fields="full")
    ibans = {item["iban"] for item in person.get("/users/me/accounts?all")["accounts"] if not item["deleted"]}
    assert ibans == {item["iban"] for item in before.values()}


def test_connecting_the_same_bank_again_gives_the_same_ibans_under_other_ids(person: Person) -> None:
    first, second = person.connect("revolut"), person.connect("revolut")
    assert first["id"] != second["id"]
    assert {item["iban"] for item in first["all_accounts"]} == {item["iban"] for item in second["all_accounts"]}
    assert not {item["id"] for item in first["all_accounts"]} & {item["id"] for item in second["all_accounts"]}


def test_a_joint_account_is_seen_from_two_banks(person: Person) -> None:
    horizon = person.connect("banque-horizon", persona="couple")
    littoral = person.connect("credit-littoral", persona="couple")
    shared = {item["iban"] for item in horizon["all_accounts"]} & {item["iban"] for item in littoral["all_accounts"]}
    assert len(shared - {None}) == 1


def test_fields_are_null_where_powens_gives_null(person: Person) -> None:
    person.connect("banque-horizon", persona="sparse", sources=["openapi", "directaccess"])
    accounts = person.get("/users/me/accounts")["accounts"]
    assert any(item["balance"] is None for item in accounts)
    assert any(item["number"] is None and item["iban"] is None for item in accounts)
    assert any(item["currency"] is None for item in accounts)
    # These are never null in the documentation.
    assert all(isinstance(item[name], str) for item in accounts for name in ("name", "original_name", "type"))


def test_the_same_seed_gives_the_same_figures(sandbox: Sandbox, person: Person) -> None:
    found = {item["name"]: item["balance"] for item in person.connect("banque-horizon")["all_accounts"]}
    again = {item["name"]: item["balance"] for item in sandbox.person().connect("banque-horizon")["all_accounts"]}
    assert found == again


def test_an_account_that_the_bank_no_longer_shows_is_deleted_and_hidden(
    sandbox: Sandbox, person: Person, consumer: Consumer
) -> None:
    person.connect("revolut")
    consumer.wait_for("CONNECTION_SYNCED")
    account = person.accounts()["Compte courant GBP"]["id"]
    sandbox.admin("PATCH", f"/accounts/{account}", {"deleted": True})
    assert person.call("GET", f"/users/me/accounts/{account}").status_code == 404
    assert person.accounts()["Compte courant GBP"]["deleted"] is not None
    synced = consumer.wait_for("CONNECTION_SYNCED", 2)[-1].data["connection"]["accounts"]
    assert account not in {item["id"] for item in synced}
