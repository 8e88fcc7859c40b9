"""Sections 1 and 3.1 of the README: tokens, codes, users, and the client application."""

import base64
from typing import Any

import httpx
import pytest

from powens_sandbox.tests.driver import CLIENT, RETURN, Consumer, Person, Sandbox


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_client_credentials_give_a_permanent_user_at_once(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/2.0/auth/init", json=CLIENT).json()
    assert answer["type"] == "permanent"
    assert answer["expires_in"] is None
    assert answer["id_user"] >= 1


def test_every_init_creates_a_new_user(sandbox: Sandbox) -> None:
    ids = {sandbox.http.post("/2.0/auth/init", json=CLIENT).json()["id_user"] for _ in range(3)}
    assert len(ids) == 3


def test_without_credentials_the_token_is_temporary_and_lasts_half_an_hour(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/2.0/auth/init").json()
    assert answer["type"] == "temporary"
    assert answer["expires_in"] == 1800
    assert sandbox.http.get("/2.0/users/me", headers=bearer(answer["auth_token"])).status_code == 200
    sandbox.admin("POST", "/clock", {"seconds": 1801})
    assert sandbox.http.get("/2.0/users/me", headers=bearer(answer["auth_token"])).status_code == 401
    assert sandbox.admin("GET", "/users")["total"] == 0


def test_a_temporary_user_made_permanent_stays(sandbox: Sandbox) -> None:
    temporary = sandbox.http.post("/2.0/auth/init").json()
    access = sandbox.http.post("/2.0/auth/token/access", json=CLIENT | {"code": temporary["auth_token"]}).json()
    assert access["token_type"] == "Bearer"
    sandbox.admin("POST", "/clock", {"days": 40})
    user = sandbox.http.get("/2.0/users/me", headers=bearer(access["access_token"])).json()
    assert user["id"] == temporary["id_user"]


def test_wrong_client_credentials_are_refused(sandbox: Sandbox) -> None:
    attempts: list[tuple[str, dict[str, object]]] = [
        ("/auth/init", {}),
        ("/auth/token/access", {"code": "x"}),
        ("/auth/renew", {"grant_type": "client_credentials", "id_user": 1}),
    ]
    for path, body in attempts:
        answer = sandbox.http.post(f"/2.0{path}", json=body | {"client_id": "10000001", "client_secret": "guess"})
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("form", ["json", "form", "multipart", "query", "basic"])
def test_credentials_may_stand_wherever_clients_put_them(sandbox: Sandbox, form: str) -> None:
    places: dict[str, dict[str, Any]] = {
        "json": {"json": CLIENT},
        "form": {"data": CLIENT},
        "multipart": {"files": {name: (None, value) for name, value in CLIENT.items()}},
        "query": {"params": CLIENT},
        # The old official client puts one more colon behind the secret.
        "basic": {
            "headers": {
                "Authorization": "Basic "
                + base64.b64encode(f"{CLIENT['client_id']}:{CLIENT['client_secret']}:".encode()).decode()
            }
        },
    }
    options = places[form]
    assert sandbox.http.post("/2.0/auth/init", **options).json()["type"] == "permanent"


def test_a_manage_token_makes_the_user_permanent(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/2.0/auth/init", headers=bearer("sandbox-manage-token")).json()
    assert answer["type"] == "permanent"


def test_codes_contain_characters_that_have_to_be_encoded(person: Person) -> None:
    code = person.code()
    assert all(character in code for character in "+/=")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_code_says_what_it_is(person: Person, method: str) -> None:
    single = person.call(method, "/auth/token/code", params={"type": "singleAccess"}).json()
    assert (single["type"], single["access"], single["expires_in"]) == ("temporary", "single", 1800)
    assert person.call(method, "/auth/token/code").json()["access"] == "standard"
    assert person.call(method, "/auth/token/code", params={"type": "other"}).json()["code"] == "invalidValue"


def test_a_code_becomes_a_permanent_token_once(sandbox: Sandbox, person: Person) -> None:
    body = CLIENT | {"code": person.code(), "grant_type": "authorization_code", "redirect_uri": RETURN}
    token = sandbox.http.post("/2.0/auth/token/access", data=body).json()["access_token"]
    assert sandbox.http.get("/2.0/users/me", headers=bearer(token)).json()["id"] == person.id
    again = sandbox.http.post("/2.0/auth/token/access", data=body)
    assert (again.status_code, again.json()["code"]) == (400, "invalidValue")


def test_a_code_is_good_for_half_an_hour(sandbox: Sandbox, person: Person) -> None:
    code = person.code()
    sandbox.admin("POST", "/clock", {"seconds": 1801})
    assert sandbox.http.post("/2.0/auth/token/access", json=CLIENT | {"code": code}).status_code == 400


def test_a_code_may_also_be_used_as_a_bearer(sandbox: Sandbox, person: Person) -> None:
    answer = sandbox.http.get("/2.0/users/me", headers=bearer(person.code("requestAccess")))
    assert answer.json()["id"] == person.id


def test_a_token_is_renewed_with_the_stored_user_id_alone(sandbox: Sandbox, person: Person) -> None:
    body = CLIENT | {"grant_type": "client_credentials", "id_user": person.id}
    token = sandbox.http.post("/2.0/auth/renew", json=body).json()["access_token"]
    assert token != person.token
    assert sandbox.http.get("/2.0/users/me", headers=bearer(token)).json()["id"] == person.id
    assert person.call("GET", "/users/me").status_code == 200


def test_renewing_can_revoke_what_was_there(sandbox: Sandbox, person: Person) -> None:
    body = CLIENT | {"grant_type": "client_credentials", "id_user": person.id, "revoke_previous": True}
    assert sandbox.http.post("/2.0/auth/renew", json=body).status_code == 200
    assert person.call("GET", "/users/me").status_code == 401


def test_renewing_without_a_user_creates_one(sandbox: Sandbox, person: Person) -> None:
    body = CLIENT | {"grant_type": "client_credentials"}
    token = sandbox.http.post("/2.0/auth/renew", json=body).json()["access_token"]
    assert sandbox.http.get("/2.0/users/me", headers=bearer(token)).json()["id"] != person.id


def test_a_revoked_token_is_refused(person: Person) -> None:
    assert person.call("DELETE", "/auth/token").status_code == 204
    assert person.call("GET", "/users/me").status_code == 401


def test_a_service_token_carries_its_scope(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/2.0/auth/token", json=CLIENT | {"scope": "payments:admin"}).json()
    assert answer["scope"] == "payments:admin"
    assert answer["token"]


def test_a_missing_or_unknown_token_is_unauthorized(sandbox: Sandbox) -> None:
    headers: list[dict[str, str]] = [{}, bearer("guess"), {"Authorization": "Basic x"}, {"Authorization": "Bearer"}]
    for header in headers:
        answer = sandbox.http.get("/2.0/users/me", headers=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_me_and_the_number_name_the_same_user(person: Person) -> None:
    assert person.get("/users/me") == person.get(f"/users/{person.id}")


def test_another_users_number_is_not_found(sandbox: Sandbox, person: Person) -> None:
    stranger = sandbox.person()
    assert person.call("GET", f"/users/{stranger.id}").status_code == 404
    assert person.call("GET", f"/users/{stranger.id}/connections").status_code == 404
    assert person.call("DELETE", f"/users/{stranger.id}").status_code == 404


def test_the_list_of_users_needs_the_users_token(sandbox: Sandbox, person: Person) -> None:
    listed = sandbox.http.get("/2.0/users", headers=bearer("sandbox-users-token")).json()
    assert [user["id"] for user in listed["users"]] == [person.id]
    assert person.call("GET", "/users").status_code == 403
    assert sandbox.http.get("/2.0/users", headers=bearer("sandbox-config-token")).status_code == 403
    assert sandbox.http.get("/2.0/users").status_code == 401


def test_the_operator_pages_through_the_users_and_deletes_one(
    sandbox: Sandbox, person: Person, consumer: Consumer
) -> None:
    people = [person, *(sandbox.person() for _ in range(4))]
    operator = bearer("sandbox-users-token")
    seen = []
    for offset in (0, 2, 4):
        listed = sandbox.http.get(f"/2.0/users?limit=2&offset={offset}", headers=operator).json()
        assert listed["total"] == 5
        seen.append([user["id"] for user in listed["users"]])
    assert seen == [[one.id for one in people[at : at + 2]] for at in (0, 2, 4)]
    assert sandbox.http.get(f"/2.0/users/{person.id}", headers=operator).json()["id"] == person.id
    assert sandbox.http.delete(f"/2.0/users/{person.id}", headers=operator).status_code == 204
    assert consumer.wait_for("USER_DELETED")[0].data["id"] == person.id
    assert sandbox.http.delete(f"/2.0/users/{person.id}", headers=operator).status_code == 404
    assert person.call("GET", "/users/me").status_code == 401


def test_the_old_way_to_a_shared_token_still_works(sandbox: Sandbox, person: Person) -> None:
    wanted = {"application": "sharedAccess"}
    for path, token in (
        (f"/2.0/users/{person.id}/token", "sandbox-users-token"),
        ("/2.0/users/me/token", person.token),
    ):
        answer = sandbox.http.post(path, headers=bearer(token), json=wanted)
        user = sandbox.http.get("/2.0/users/me", headers=bearer(answer.json()["token"])).json()
        assert user["id"] == person.id
    refused = person.call("POST", "/users/me/token", json={"application": "other"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalidValue")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_client_and_configuration_are_changed_by_either_method(sandbox: Sandbox, method: str) -> None:
    operator = bearer("sandbox-config-token")
    body = {"name": f"By {method}", "primary_color": "2447c8", "redirect_uris": ["https://app.example/back"]}
    answer = sandbox.http.request(method, "/2.0/clients/10000001", headers=operator, json=body)
    assert answer.status_code == 200
    shown = sandbox.http.get("/2.0/clients/10000001", headers=operator).json()
    assert (shown["name"], shown["redirect_uris"]) == (body["name"], body["redirect_uris"])
    key = "autosync.retry_wrongpass"
    assert sandbox.http.request(method, "/2.0/config", headers=operator, json={key: "0"}).status_code == 200
    assert sandbox.http.get("/2.0/config", headers=operator).json()[key] == "0"
    for hidden in (True, False):
        answer = sandbox.http.request(method, "/2.0/connectors/revolut", headers=operator, json={"hidden": hidden})
        assert answer.json()["hidden"] is hidden


def test_a_deleted_user_is_gone_with_its_token(sandbox: Sandbox, person: Person, consumer: Consumer) -> None:
    connection = person.connect()
    assert person.call("DELETE", "/users/me").status_code == 204
    assert person.call("GET", "/users/me").status_code == 401
    assert sandbox.http.get(f"/sandbox/connections/{connection['id']}").status_code == 404
    assert consumer.wait_for("USER_DELETED")[0].data["id"] == person.id


def test_the_client_shows_its_allow_list_but_its_secret_only_to_the_operator(sandbox: Sandbox, person: Person) -> None:
    own = person.get("/clients/10000001")
    assert RETURN in own["redirect_uris"]
    assert "secret" not in own
    operator = bearer("sandbox-config-token")
    assert sandbox.http.get("/2.0/clients/10000001", headers=operator).json()["secret"] == CLIENT["client_secret"]
    assert sandbox.http.get("/2.0/clients", headers=operator).json()["total"] == 1
    assert sandbox.http.get("/2.0/clients/7", headers=operator).status_code == 404


def test_the_operator_changes_the_allow_list(sandbox: Sandbox, person: Person) -> None:
    body = {"redirect_uris": ["https://app.example/back"], "config": {"disable_connector_hints": True}}
    answer = sandbox.http.put("/2.0/clients/10000001", json=body, headers=bearer("sandbox-config-token")).json()
    assert answer["redirect_uris"] == ["https://app.example/back"]
    assert answer["config"] == {"disable_connector_hints": True}
    assert sandbox.webview("connect", person).page.status_code == 400
    assert person.call("PUT", "/clients/10000001", json=body).status_code == 403


def test_config_takes_both_spellings_of_the_compression_key(sandbox: Sandbox) -> None:
    operator = bearer("sandbox-config-token")
    for key in ("webhooks.compression.enabled", "webhooks.compressions.enabled"):
        sandbox.http.post("/2.0/config", json={key: "1"}, headers=operator)
        assert sandbox.http.get("/2.0/config", headers=operator).json()["webhooks.compression.enabled"] == "1"
        sandbox.http.post("/2.0/config", json={key: "0"}, headers=operator)
    assert sandbox.http.get("/2.0/config").status_code == 401


def test_every_answer_has_a_request_id(sandbox: Sandbox) -> None:
    answer: httpx.Response = sandbox.http.get("/2.0/users/me")
    assert str(answer.json()["request_id"]) == answer.headers["x-request-id"]
    assert set(answer.json()) == {"code", "description", "request_id"}
    assert "message" in sandbox.http.get("/2.0/users/me/none").json()


def test_the_operator_adds_and_removes_client_applications(sandbox: Sandbox, person: Person) -> None:
    operator = bearer("sandbox-config-token")
    body = {"name": "Autre application", "redirect_uris": ["https://other.example/back"]}
    made = sandbox.http.post("/2.0/clients", json=body, headers=operator)
    assert made.status_code == 201
    other = {"client_id": str(made.json()["id"]), "client_secret": made.json()["secret"]}
    assert sandbox.http.post("/2.0/auth/init", json=other).json()["type"] == "permanent"
    assert sandbox.webview("connect", person, client_id=other["client_id"]).page.status_code == 400
    query = {"client_id": other["client_id"], "redirect_uri": "https://other.example/back"}
    assert "Autre application" in sandbox.webview("connect", person, **query).text
    assert sandbox.http.delete(f"/2.0/clients/{other['client_id']}", headers=operator).status_code == 204
    assert sandbox.http.post("/2.0/auth/init", json=other).status_code == 403
    assert sandbox.http.delete("/2.0/clients/10000001", headers=operator).status_code == 409
    assert sandbox.http.post("/2.0/clients", json={"redirect_uris": [1]}, headers=operator).status_code == 400


def test_the_clients_configuration_can_leave_the_ticking_to_the_user(sandbox: Sandbox, person: Person) -> None:
    body = {"config": {"disable_accounts_pre_check": True}}
    sandbox.http.put("/2.0/clients/10000001", json=body, headers=bearer("sandbox-config-token"))
    browser = sandbox.webview("connect", person).press("accept").pick("revolut").press("approve")
    assert not any(ticked for _, ticked in browser.boxes.values())


def test_switching_compression_on_leaves_the_redirect_uris_of_the_client_alone(sandbox: Sandbox) -> None:
    headers = {"Authorization": "Bearer sandbox-config-token"}
    body = {"redirect_uris": ["https://app.example/back"]}
    sandbox.http.put("/2.0/clients/10000001", headers=headers, json=body).raise_for_status()

    sandbox.http.post("/2.0/config", headers=headers, json={"webhooks.compression.enabled": "1"}).raise_for_status()

    assert sandbox.http.get("/2.0/clients/10000001", headers=headers).json()["redirect_uris"] == body["redirect_uris"]
