"""Section 2 of the README: managing and reconnecting in the Webview, frames, and what nobody should send."""

import html
import json
import re

import pytest

from powens_sandbox.tests.driver import RETURN, Browser, Consumer, Person, Sandbox
from powens_sandbox.tests.polling import eventually

TEST_CONNECTOR = "338178e6-3d01-564f-9a7b-52ca442459bf"


# Managing


def test_manage_opens_straight_on_a_connection_of_the_user(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut", enabled=["Compte courant EUR"])
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    assert browser.step == "accounts"
    assert {name: ticked for name, (_, ticked) in browser.boxes.items()} == {
        "Compte courant EUR": True,
        "Compte courant USD": False,
        "Compte courant GBP": False,
    }
    stranger = sandbox.person()
    assert sandbox.webview("manage", stranger, connection_id=str(made["id"])).step == "connections"


def test_manage_lists_the_connections_with_their_state(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    person.connect("banque-horizon")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": "wrongpass"})
    browser = sandbox.webview("manage", person)
    assert browser.text.count('data-testid="connection"') == 2
    assert "refusé vos identifiants" in browser.text


def test_unticking_in_manage_applies_at_once_and_returns_only_after_closing(
    sandbox: Sandbox, person: Person, consumer: Consumer
) -> None:
    made = person.connect("revolut")
    consumer.wait_for("USER_SYNCED")
    consumer.clear()
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]), state="s")
    browser.press("finish", tick=["Compte courant EUR"])
    assert browser.callback is None
    assert "Les comptes seront mis à jour prochainement" in browser.text
    assert [item["name"] for item in person.get("/users/me/accounts")["accounts"]] == ["Compte courant EUR"]
    consumer.wait_for("CONNECTION_SYNCED")
    assert len(consumer.of("ACCOUNT_DISABLED")) == 2
    assert browser.press("close").callback == {"state": "s"}


def test_manage_may_end_with_every_account_unticked(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    sandbox.webview("manage", person, connection_id=str(made["id"])).press("finish", tick=[])
    assert person.get("/users/me/accounts")["accounts"] == []


def test_manage_adds_accounts_of_another_source(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("banque-horizon")
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    browser.press("more").press("credentials", login="a", password="b")
    assert not browser.boxes["Livret A"][1]
    browser.press("finish", tick=["Compte courant", "Carte Visa", "Livret A"])
    assert person.accounts()["Livret A"]["disabled"] is None
    assert person.accounts()["PEA"]["disabled"] is not None
    assert consumer.wait_for("ACCOUNT_FOUND", 4)


def test_cancelling_in_manage_changes_nothing(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    browser = sandbox.webview("manage", person, connection_id=str(made["id"])).press("cancel", tick=[])
    assert browser.callback is not None
    assert browser.callback["error"] == "access_denied"
    assert len(person.get("/users/me/accounts")["accounts"]) == 3


def test_going_back_in_manage_changes_nothing(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    browser = sandbox.webview("manage", person, connection_id=str(made["id"])).press("back", tick=[])
    assert browser.step == "connections"
    assert len(person.get("/users/me/accounts")["accounts"]) == 3


def test_a_connection_is_deleted_after_it_is_confirmed(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    sandbox.settings(manage_callback="connection")
    made = person.connect("revolut")
    browser = sandbox.webview("manage", person, connection_id=str(made["id"])).press("delete")
    assert browser.step == "delete"
    assert browser.press("back").step == "accounts"
    browser.press("delete").press("confirm-delete")
    assert consumer.wait_for("CONNECTION_DELETED")
    assert browser.press("close").callback == {"connection_id": str(made["id"]), "connection_deleted": "true"}


def test_manage_connects_one_more_institution(sandbox: Sandbox, person: Person) -> None:
    person.connect("revolut")
    browser = sandbox.webview("manage", person).press("add").pick("banque-horizon")
    assert browser.press("refuse").step == "connections"
    browser.press("add").pick("banque-horizon").press("approve").press("finish")
    assert browser.step == "connections"
    assert len(person.get("/users/me/connections")["connections"]) == 2


def test_manage_repairs_a_connection_in_error(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    made = person.connect("revolut")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": "SCARequired"})
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    assert browser.has("state")
    browser.press("repair").press("approve")
    assert browser.step == "accounts"
    assert person.get(f"/users/me/connections/{made['id']}")["state"] is None
    eventually(lambda: consumer.wait_for("CONNECTION_SYNCED")[-1].data["connection"]["state"] is None)


def test_a_locked_connection_cannot_be_changed_in_manage(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"locked": True})
    browser = sandbox.webview("manage", person, connection_id=str(made["id"])).press("finish", tick=[])
    assert browser.has("error")
    assert len(person.get("/users/me/accounts")["accounts"]) == 3


# Reconnecting


@pytest.mark.parametrize(
    ("state", "step", "action", "values"),
    [
        ("SCARequired", "bank", "approve", {}),
        ("webauthRequired", "bank", "approve", {}),
        ("additionalInformationNeeded", "otp", "otp", {"otp": "123456"}),
        ("decoupled", "decoupled", "approved", {}),
    ],
)
def test_reconnecting_solves_what_the_user_can_solve(
    sandbox: Sandbox, person: Person, state: str, step: str, action: str, values: dict[str, str]
) -> None:
    made = person.connect("revolut")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": state})
    browser = sandbox.webview("reconnect", person, connection_id=str(made["id"]), state="s")
    assert browser.step == step
    browser.press(action, None, **values)
    assert browser.callback == {"state": "s"}
    assert person.get(f"/users/me/connections/{made['id']}")["state"] is None
    assert len(person.get("/users/me/accounts")["accounts"]) == 3


def test_reconnecting_after_wrong_credentials_asks_for_new_ones(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("avenir-vie")
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"source": "directaccess", "state": "wrongpass"})
    browser = sandbox.webview("reconnect", person, connection_id=str(made["id"]))
    assert browser.step == "credentials"
    assert browser.press("credentials", login="a", password="wrong").has("error")
    assert browser.press("credentials", login="a", password="b").callback == {}


def test_credentials_can_be_reset_while_all_is_well(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("banque-horizon", sources=["openapi", "directaccess"])
    query = {"connection_id": str(made["id"]), "reset_credentials": "true"}
    assert sandbox.webview("reconnect", person, **query).step == "credentials"
    assert sandbox.webview("reconnect", person, **query, connection_sources="openapi").step == "bank"


def test_reconnecting_somebody_elses_connection_fails(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    browser = sandbox.webview("reconnect", sandbox.person(), connection_id=str(made["id"]))
    assert browser.callback is not None
    assert browser.callback["error"] == "server_error"


def test_a_renewed_consent_runs_for_another_half_year(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    path = f"/users/me/connections/{made['id']}"
    before = person.get(path)["expire"]
    sandbox.admin("POST", "/clock", {"days": 30})
    person.call("POST", path, json={"refresh_auth": True})
    sandbox.webview("reconnect", person, connection_id=str(made["id"])).press("approve")
    assert person.get(path)["expire"] > before


# Robustness


def test_names_from_outside_are_never_markup(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    evil = "<img src=x onerror=alert(1)>\"'&"
    sandbox.admin("PATCH", f"/accounts/{made['all_accounts'][0]['id']}", {"name": evil, "number": "<b>"})
    sandbox.admin("PATCH", f"/connections/{made['id']}", {"state": "actionNeeded", "error_message": evil})
    sandbox.settings(app_name=evil)
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    assert evil not in browser.text
    assert html.escape(evil, quote=True) in browser.text
    assert "<b>" not in browser.text
    assert "script-src 'self'" in browser.page.headers["content-security-policy"]


def test_a_second_click_does_no_harm(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    browser = sandbox.webview("manage", person, connection_id=str(made["id"]))
    first = {"step": "accounts", "action": "finish", "account": [browser.boxes["Compte courant EUR"][0]]}
    for _ in range(2):
        assert sandbox.http.post(browser.address, data=first).status_code == 303
    assert [item["name"] for item in person.get("/users/me/accounts")["accounts"]] == ["Compte courant EUR"]


def test_a_visit_that_ended_says_so(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("manage", person).press("close")
    page = sandbox.http.get(browser.address)
    assert "C&#x27;est terminé" in page.text


def test_an_unknown_visit_has_expired(sandbox: Sandbox) -> None:
    assert sandbox.http.get("/fr/manage/unknown").status_code == 400
    assert sandbox.http.post("/fr/manage/unknown", data={"action": "finish"}).status_code == 400


def test_a_frame_is_told_how_the_visit_ended(sandbox: Sandbox, person: Person) -> None:
    made = person.connect("revolut")
    query = {"domain": "d", "client_id": "10000001", "code": person.code(), "state": "s", "redirect_uri": RETURN}
    query["connection_id"] = str(made["id"])
    browser = Browser(sandbox, "/fr/manage", query, {"Sec-Fetch-Dest": "iframe"})
    browser.press("back").press("cancel")
    found = re.search(r'data-termination="([^"]*)" data-target="([^"]*)"', browser.text)
    assert found
    assert found[2] == "http://localhost:9"
    assert json.loads(html.unescape(found[1])) == {
        "error": "access_denied",
        "errorDescription": "The user cancelled",
        "state": "s",
    }


def told_to_the_frame(browser: Browser) -> dict[str, object]:
    found = re.search(r'data-termination="([^"]*)"', browser.text)
    assert found
    message = json.loads(html.unescape(found[1]))
    assert isinstance(message, dict)
    return message


def test_a_frame_is_told_numbers_and_a_boolean(sandbox: Sandbox, person: Person) -> None:
    sandbox.settings(manage_callback="connection")
    query = {"domain": "d", "client_id": "10000001", "redirect_uri": RETURN, "max_connections": "2"}
    framed = {"Sec-Fetch-Dest": "iframe"}
    browser = Browser(sandbox, "/fr/connect", query | {"code": person.code()}, framed).press("accept").pick("revolut")
    browser.press("approve").press("finish").press("done")
    (made,) = person.get("/users/me/connections")["connections"]
    assert told_to_the_frame(browser) == {"connectionId": made["id"], "connectionIds": [made["id"]]}

    query |= {"code": person.code(), "connection_id": str(made["id"])}
    browser = Browser(sandbox, "/fr/manage", query, framed)
    browser.press("delete").press("confirm-delete").press("close")
    assert told_to_the_frame(browser) == {"connectionId": made["id"], "connectionDeleted": True}


@pytest.mark.parametrize("wanted", ["abc", "²", ""])
def test_a_frame_that_was_opened_for_no_number_ends_all_the_same(sandbox: Sandbox, person: Person, wanted: str) -> None:
    sandbox.settings(manage_callback="connection")
    query = {"domain": "d", "client_id": "10000001", "code": person.code(), "connection_id": wanted}
    browser = Browser(sandbox, "/fr/manage", query, {"Sec-Fetch-Dest": "iframe"}).press("close")
    assert told_to_the_frame(browser) == ({"connectionId": wanted} if wanted else {})


def test_without_a_place_to_return_to_manage_ends_on_a_page(sandbox: Sandbox, person: Person) -> None:
    browser = sandbox.webview("manage", person, redirect_uri="").press("close")
    assert "Vous pouvez fermer cette page" in browser.text
