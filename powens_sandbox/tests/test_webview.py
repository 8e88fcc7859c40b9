"""Section 2 of the README: the Webview's addresses, the flow connect, filters and callbacks."""

import re

import pytest

from powens_sandbox.tests.driver import CLIENT, RETURN, Browser, Consumer, Person, Sandbox, connected

TEST_CONNECTOR = "338178e6-3d01-564f-9a7b-52ca442459bf"


# Entering


def test_connect_goes_from_terms_to_the_callback(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    browser = sandbox.webview("connect", person, state="opaque &=+ value")
    browser.press("accept")
    assert browser.step == "pick"
    browser.press("search", q="HORI")
    browser.pick("banque-horizon")
    assert browser.step == "bank"
    browser.press("approve")
    assert browser.boxes.keys() == {"Compte courant", "Carte Visa"}
    browser.press("finish", tick=["Compte courant"])
    connection = person.get("/users/me/connections")["connections"][0]
    assert browser.callback == {"connection_id": str(connection["id"]), "state": "opaque &=+ value"}
    assert [item["name"] for item in person.get("/users/me/accounts")["accounts"]] == ["Compte courant"]
    consumer.wait_for("CONNECTION_SYNCED")
    assert len(consumer.of("ACCOUNT_FOUND")) == 2
    assert len(consumer.of("ACCOUNT_ENABLED")) == 1


def test_connect_without_a_code_makes_an_anonymous_user_and_gives_a_code(sandbox: Sandbox) -> None:
    browser = connected(sandbox.webview("connect")).press("finish")
    assert browser.callback is not None
    code = browser.callback["code"]
    token = sandbox.http.post("/2.0/auth/token/access", json=CLIENT | {"code": code}).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    shown = sandbox.http.get("/2.0/users/me/connections", headers=headers).json()["connections"]
    assert [str(item["id"]) for item in shown] == [browser.callback["connection_id"]]


@pytest.mark.parametrize(
    "change",
    [
        {"domain": ""},
        {"client_id": "1"},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": RETURN + "/more"},
        {"redirect_uri": ""},
    ],
)
def test_a_wrong_address_is_refused_without_saying_what_is_expected(
    sandbox: Sandbox, person: Person, change: dict[str, str]
) -> None:
    browser = sandbox.webview("connect", person, **change)
    assert browser.page.status_code == 400
    assert RETURN not in browser.text
    assert browser.callback is None


def test_the_domain_can_be_pinned(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(domain="right.biapi.pro")
    assert sandbox.webview("connect", person).page.status_code == 400
    assert sandbox.webview("connect", person, domain="right.biapi.pro").step == "terms"


def test_an_app_scheme_can_be_the_place_to_return_to(sandbox: Sandbox, person: Person) -> None:
    query = {"domain": "d", "client_id": "10000001", "redirect_uri": "wealthapp://back", "code": person.code()}
    page = sandbox.http.get("/fr/manage", params=query)
    answer = sandbox.http.post(page.headers["location"], data={"step": "connections", "action": "close"})
    assert answer.headers["location"] == "wealthapp://back"


def test_a_code_is_spent_by_opening_the_page(sandbox: Sandbox, person: Person) -> None:
    code = person.code()
    assert sandbox.webview("connect", code=code).step == "terms"
    again = sandbox.webview("connect", code=code, state="s")
    assert again.callback is not None
    assert (again.callback["error"], again.callback["state"]) == ("session_expired", "s")


@pytest.mark.parametrize("flow", ["manage", "reconnect"])
def test_manage_and_reconnect_need_a_code(sandbox: Sandbox, flow: str) -> None:
    browser = sandbox.webview(flow)
    assert browser.callback is not None
    assert browser.callback["error"] == "session_expired"


def test_without_a_place_to_return_to_a_bad_code_ends_on_a_page(sandbox: Sandbox) -> None:
    browser = sandbox.webview("manage", code="guess", redirect_uri="")
    assert browser.page.status_code == 400
    assert "expiré" in browser.text


def test_an_address_without_language_may_be_refused_or_begin_at_once_in_the_browsers(
    sandbox: Sandbox, person: Person
) -> None:
    query = {"domain": "d", "client_id": "10000001", "redirect_uri": RETURN, "code": person.code()}
    sandbox.settings(missing_language="unavailable")
    assert sandbox.http.get("/connect", params=query).status_code == 503
    sandbox.settings(missing_language="browser")
    answer = sandbox.http.get("/connect", params=query, headers={"Accept-Language": "fr-FR,fr"})
    assert answer.headers["location"].startswith("/fr/connect/")


@pytest.mark.parametrize("language", ["en", "fr", "de", "nl", "pt", "it", "es"])
def test_every_documented_language_opens(sandbox: Sandbox, person: Person, language: str) -> None:
    browser = sandbox.webview("manage", person, language=language)
    assert browser.step == "connections"
    assert ("Ajouter un établissement" if language == "fr" else "Add an institution") in browser.text


def test_an_unknown_language_or_flow_is_not_there(sandbox: Sandbox, person: Person) -> None:
    assert sandbox.webview("connect", person, language="xx").page.status_code == 404
    assert sandbox.webview("transfer", person).page.status_code == 404


# Connecting


def test_the_user_can_cancel_and_nothing_is_left(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person, state="s")).press("cancel")
    assert browser.callback is not None
    assert (browser.callback["error"], browser.callback["state"]) == ("access_denied", "s")
    assert browser.callback["error_description"]
    assert person.get("/users/me/connections")["connections"] == []


def test_declined_terms_have_an_error_of_their_own(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("connect", person).press("decline")
    assert browser.callback is not None
    assert browser.callback["error"] == "tos_declined"


def test_refusing_at_the_bank_ends_the_visit(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("connect", person).press("accept").pick("revolut").press("refuse")
    assert browser.callback is not None
    assert browser.callback["error"] == "access_denied"


def test_finishing_needs_an_account(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person)).press("finish", tick=[])
    assert browser.step == "accounts"
    assert browser.has("error")
    assert browser.callback is None


def test_other_accounts_come_from_the_next_source(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person))
    assert "Connecter d&#x27;autres comptes" in browser.text
    browser.press("more", tick=["Compte courant"])
    assert browser.step == "credentials"
    browser.press("credentials", login="x", password="wrong")
    assert browser.has("error")
    browser.press("credentials", login="x", password="right")
    boxes = browser.boxes
    assert boxes.keys() == {"Compte courant", "Carte Visa", "Livret A", "PEA"}
    # What was ticked before stays as it was.
    assert boxes["Compte courant"][1]
    assert not boxes["Carte Visa"][1]
    assert not browser.has("more-accounts")
    browser.press("finish", tick=["Livret A"])
    assert [item["name"] for item in person.get("/users/me/accounts")["accounts"]] == ["Livret A"]


def test_an_institution_that_shares_nothing_else_does_not_offer_it(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person), "revolut")
    assert len(browser.boxes) == 3
    assert not browser.has("more-accounts")
    assert "flexible" not in browser.text


def test_connecting_again_makes_a_second_connection(sandbox: Sandbox, person: Person) -> None:
    for _ in range(2):
        connected(sandbox.webview("connect", person)).press("finish")
    assert len(person.get("/users/me/connections")["connections"]) == 2


def test_one_institution_in_the_address_skips_the_choice(sandbox: Sandbox, person: Person) -> None:
    uuid = sandbox.http.get("/2.0/connectors/revolut").json()["uuid"]
    assert sandbox.webview("connect", person, connector_uuids=uuid).press("accept").step == "bank"
    assert sandbox.webview("connect", person, connector_ids="40").press("accept").step == "credentials"
    several = sandbox.webview("connect", person, connector_ids="40", connector_uuids=uuid).press("accept")
    assert several.text.count('data-testid="institution"') == 2


def test_capabilities_are_combined_with_and(sandbox: Sandbox, person: Person) -> None:
    def offered(**query: str) -> set[str]:
        browser = sandbox.webview("connect", person, **query).press("accept")
        return set(re.findall(r'data-slug="([^"]+)"', browser.text))

    every, wealth = offered(), offered(connector_capabilities="bankwealth")
    both = offered(connector_capabilities="bank,bankwealth,document")
    assert both < wealth < every
    assert "revolut" in every - wealth
    assert "banque-close" not in every
    assert "banque-cachee" not in every
    assert offered(connector_country="es") == {"banco-ribera", "caja-del-sur"}


def test_other_types_than_asked_for_are_not_offered_and_stay_disabled(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person, account_types="checking"))
    assert browser.boxes.keys() == {"Compte courant"}
    # The second source shares none of the types asked for.
    assert not browser.has("more-accounts")
    browser.press("finish")
    assert person.accounts()["Carte Visa"]["disabled"] is not None


def test_accounts_can_be_narrowed_by_iban_and_usage(sandbox: Sandbox, person: Person) -> None:
    iban = person.connect("banque-horizon")["all_accounts"][0]["iban"]
    # The card carries the account's.
    assert connected(sandbox.webview("connect", person, account_ibans=iban)).boxes.keys() == {
        "Compte courant",
        "Carte Visa",
    }
    pro = connected(sandbox.webview("connect", person, account_usages="orga"), "banque-des-entrepreneurs")
    assert pro.boxes.keys() == {"Compte professionnel"}


def test_several_institutions_in_one_visit(sandbox: Sandbox, person: Person) -> None:
    browser = connected(sandbox.webview("connect", person, max_connections="2"), "revolut").press("finish")
    assert browser.step == "another"
    browser.press("another").pick("banque-horizon").press("approve").press("finish")
    ids = [str(item["id"]) for item in person.get("/users/me/connections")["connections"]]
    assert browser.callback == {"connection_id": ids[0], "connection_ids": ",".join(ids)}
    sandbox.settings(connect_callback="ids_only")
    one = connected(sandbox.webview("connect", person, max_connections="2"), "revolut").press("finish").press("done")
    assert one.callback is not None
    assert set(one.callback) == {"connection_ids"}


def test_form_fields_can_be_filled_beforehand(sandbox: Sandbox, person: Person) -> None:
    query = {"connector_ids": "40", f"{TEST_CONNECTOR}.login": 'me"><script>'}
    browser = sandbox.webview("connect", person, **query).press("accept")
    assert 'value="me&quot;&gt;&lt;script&gt;"' in browser.text


def test_personas_are_chosen_at_the_bank(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("connect", person).press("accept").pick("banque-horizon").press("approve", login="couple")
    assert "Compte joint" in browser.boxes


# The test connector's outcomes


def outcome(sandbox: Sandbox, person: Person, name: str) -> Browser:
    browser = sandbox.webview("connect", person, connector_ids="40").press("accept")
    return browser.press("credentials", login="a", password="1234", openapiwebsite=name)


@pytest.mark.parametrize("name", ["", "par", "pro"])
def test_good_credentials_lead_to_the_accounts(sandbox: Sandbox, person: Person, name: str) -> None:
    browser = outcome(sandbox, person, name)
    assert "Compte chèque" in browser.boxes
    browser.press("finish")
    assert browser.callback is not None


def test_any_other_password_is_refused_and_can_be_corrected(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("connect", person, connector_ids="40").press("accept")
    browser.press("credentials", login="a", password="no")
    assert (browser.step, browser.has("error")) == ("credentials", True)
    browser.press("credentials", login="", password="1234")
    assert (browser.step, browser.has("error")) == ("credentials", True)
    assert browser.press("credentials", login="a", password="1234").step == "accounts"


def test_a_one_time_code_is_asked_for(sandbox: Sandbox, person: Person) -> None:
    browser = outcome(sandbox, person, "SCARequiredAndOTP")
    assert browser.step == "otp"
    browser.press("otp", otp="0000")
    assert browser.has("error")
    assert browser.press("otp", otp="123456").step == "accounts"


@pytest.mark.parametrize("name", ["SCARequiredAndDecoupled", "shortDecoupled"])
def test_the_banks_app_has_to_approve(sandbox: Sandbox, person: Person, name: str) -> None:
    browser = outcome(sandbox, person, name)
    assert browser.step == "decoupled"
    assert browser.press("approved").step == "accounts"


def test_strong_authentication_goes_by_the_banks_page(sandbox: Sandbox, person: Person) -> None:
    browser = outcome(sandbox, person, "SCARequired")
    assert browser.step == "bank"
    assert browser.press("approve").step == "accounts"


@pytest.mark.parametrize("name", ["actionNeeded", "passwordExpired", "bug"])
def test_what_cannot_be_solved_here_is_said_and_ends_the_visit(sandbox: Sandbox, person: Person, name: str) -> None:
    browser = outcome(sandbox, person, name)
    assert browser.step == "failed"
    browser.press("close")
    assert browser.callback is not None
    assert browser.callback["error"] == "server_error"
