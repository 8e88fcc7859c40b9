"""Sections 3.2, 3.6 and 5.4 of the README: connectors, types, currencies, paging."""

import pytest

from powens_sandbox.tests.driver import Person, Sandbox

TEST_CONNECTOR = "338178e6-3d01-564f-9a7b-52ca442459bf"


def test_connectors_need_no_token_and_there_are_many(sandbox: Sandbox) -> None:
    listed = sandbox.http.get("/2.0/connectors").json()
    assert listed["total"] == len(listed["connectors"]) >= 30
    assert all(not item["hidden"] for item in listed["connectors"])


@pytest.mark.parametrize("alias", ["banks", "providers"])
def test_the_old_names_of_the_list_answer_under_their_own_keys(sandbox: Sandbox, alias: str) -> None:
    assert len(sandbox.http.get(f"/2.0/{alias}").json()[alias]) >= 30
    assert len(sandbox.http.get(f"/2.0/{alias}/revolut,nordbank").json()[alias]) == 2


def test_a_connector_has_every_documented_field(sandbox: Sandbox) -> None:
    connector = sandbox.http.get(f"/2.0/connectors/{TEST_CONNECTOR}").json()
    assert set(connector) >= {
        "id",
        "uuid",
        "name",
        "hidden",
        "charged",
        "beta",
        "restricted",
        "code",
        "color",
        "slug",
        "months_to_fetch",
        "auth_mechanism",
        "transfer_mechanism",
        "available_auth_mechanisms",
        "siret",
        "capabilities",
        "account_usages",
        "products",
        "sync_frequency",
    }
    assert (connector["id"], connector["name"]) == (40, "Connecteur de test")
    assert sandbox.http.get("/2.0/connectors/40").json() == connector


def test_colours_are_hexadecimal_without_a_hash_and_uuids_are_unique(sandbox: Sandbox) -> None:
    connectors = sandbox.http.get("/2.0/connectors").json()["connectors"]
    assert all(len(bytes.fromhex(item["color"])) == 3 for item in connectors)
    assert len({item["uuid"] for item in connectors}) == len({item["id"] for item in connectors}) == len(connectors)


def test_connectors_are_expanded_on_demand(sandbox: Sandbox) -> None:
    expanded = sandbox.http.get(
        f"/2.0/connectors/{TEST_CONNECTOR}?expand=sources,fields,countries,payment_fields,urls"
    ).json()
    assert expanded["countries"] == [{"id": "FR", "name": "France"}]
    assert [source["name"] for source in expanded["sources"]] == ["openapi", "directaccess"]
    assert set(expanded["sources"][0]) >= {
        "id",
        "id_connector",
        "name",
        "auth_mechanism",
        "available_auth_mechanisms",
        "disabled",
        "priority",
        "account_usages",
    }
    field = next(item for item in expanded["fields"] if item["name"] == "openapiwebsite")
    assert field["type"] == "list"
    assert {"label": "wrongpass", "value": "wrongpass"} in field["values"]
    assert set(field) == {
        "name",
        "type",
        "label",
        "required",
        "regex",
        "values",
        "connector_sources",
        "auth_mechanisms",
    }
    assert "sources" not in sandbox.http.get(f"/2.0/connectors/{TEST_CONNECTOR}").json()


def test_connectors_are_filtered_by_country(sandbox: Sandbox) -> None:
    found = sandbox.http.get("/2.0/connectors?country_codes=es,pt&expand=countries").json()["connectors"]
    assert {country["id"] for item in found for country in item["countries"]} == {"ES", "PT"}


def test_sources_and_fields_of_a_connector_have_their_own_address(sandbox: Sandbox) -> None:
    assert len(sandbox.http.get(f"/2.0/connectors/{TEST_CONNECTOR}/sources").json()["sources"]) == 2
    assert sandbox.http.get("/2.0/connectors/40/fields").json()["fields"]
    assert sandbox.http.get("/2.0/connectors/12345").json()["code"] == "notFound"


def test_a_logo_is_a_picture_that_needs_no_token(sandbox: Sandbox) -> None:
    for root in ("/2.0", ""):
        logo = sandbox.http.get(f"{root}/logos/{TEST_CONNECTOR}-thumbnail@2x.png")
        assert logo.headers["content-type"] == "image/png"
        assert logo.content.startswith(b"\x89PNG")
    assert sandbox.http.get("/2.0/logos/00000000-0000-0000-0000-000000000000-thumbnail@2x.png").status_code == 404


def test_the_article_bank_shares_three_current_accounts_by_one_source(sandbox: Sandbox) -> None:
    revolut = sandbox.http.get("/2.0/connectors/revolut?expand=sources").json()
    assert [source["name"] for source in revolut["sources"]] == ["openapi"]
    known = next(item for item in sandbox.admin("GET", "/connectors")["connectors"] if item["slug"] == "revolut")
    assert known["accounts"] == ["Compte courant EUR", "Compte courant USD", "Compte courant GBP"]
    assert known["not_shared"] == ["Compte d'épargne flexible"]


def test_account_types_have_the_documented_shape_and_key(sandbox: Sandbox) -> None:
    listed = sandbox.http.get("/2.0/account_types").json()["accounttypes"]
    checking = next(item for item in listed if item["name"] == "checking")
    assert checking["id"] == 2
    assert set(checking) == {"id", "name", "id_parent", "is_invest", "display_name", "display_name_p"}
    assert sandbox.http.get("/2.0/account_types/2").json() == checking
    assert {"livret_a", "pea", "lifeinsurance", "perco", "article83", "unknown"} <= {item["name"] for item in listed}
    assert "lep" not in {item["name"] for item in listed}


def test_currencies_carry_symbol_and_precision(sandbox: Sandbox) -> None:
    listed = {item["id"]: item for item in sandbox.http.get("/2.0/currencies").json()["currencies"]}
    assert (listed["EUR"]["symbol"], listed["EUR"]["precision"]) == ("€", 2)
    assert listed["JPY"]["precision"] == 0
    assert sandbox.http.get("/2.0/currencies/USD").json() == listed["USD"]
    assert sandbox.http.get("/2.0/currencies/XXX").status_code == 404


def test_pages_are_linked_on_the_callers_own_host(sandbox: Sandbox) -> None:
    sandbox.settings(linked_lists="all")
    first = sandbox.http.get("/2.0/connectors?limit=4&expand=countries").json()
    assert len(first["connectors"]) == 4
    assert first["_links"]["prev"] is None
    following = first["_links"]["next"]["href"]
    assert following.startswith(sandbox.url + "/2.0/connectors?")
    second = sandbox.http.get(following).json()
    assert second["_links"]["prev"]["href"].startswith(sandbox.url)
    assert second["connectors"][0] not in first["connectors"]
    assert "countries" in second["connectors"][0]


def test_following_next_gives_every_item_once(sandbox: Sandbox) -> None:
    sandbox.settings(linked_lists="all")
    seen: list[str] = []
    address: str | None = "/2.0/connectors?limit=7"
    while address:
        page = sandbox.http.get(address).json()
        seen += [item["uuid"] for item in page["connectors"]]
        address = (page["_links"]["next"] or {}).get("href")
    assert len(seen) == len(set(seen)) == page["total"]


def test_without_links_offset_leads_to_every_item_once(sandbox: Sandbox) -> None:
    seen: list[str] = []
    total = 1
    while len(seen) < total:
        page = sandbox.http.get(f"/2.0/connectors?limit=7&offset={len(seen)}").json()
        assert set(page) == {"connectors", "total"}
        seen += [item["uuid"] for item in page["connectors"]]
        total = page["total"]
    assert len(seen) == len(set(seen)) == total


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=5&offset=-2", "limit=5&offset=x"]
)
def test_a_page_outside_the_limits_is_refused(sandbox: Sandbox, query: str) -> None:
    answer = sandbox.http.get(f"/2.0/connectors?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalidValue")


def test_limit_and_offset_work_on_a_users_lists(person: Person) -> None:
    person.connect("revolut")
    person.connect("banque-horizon")
    assert len(person.get("/users/me/connections?limit=1")["connections"]) == 1
    assert len(person.get("/users/me/connections?limit=5&offset=1")["connections"]) == 1
    accounts = person.get("/users/me/accounts?limit=2&offset=1")
    assert len(accounts["accounts"]) == 2
    assert accounts["total"] == 5


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", "notFound"),
        ("GET", "/users/me/nothing", "notFound"),
        ("PATCH", "/users/me", "methodNotAllowed"),
        ("PUT", "/auth/init", "methodNotAllowed"),
    ],
)
def test_unknown_routes_and_methods_have_the_envelope(person: Person, method: str, path: str, code: str) -> None:
    answer = person.call(method, path)
    assert answer.json()["code"] == code
    assert answer.status_code == {"notFound": 404, "methodNotAllowed": 405}[code]


def test_the_operator_hides_an_institution(sandbox: Sandbox, person: Person) -> None:
    operator = {"Authorization": "Bearer sandbox-config-token"}
    assert sandbox.http.put("/2.0/connectors/revolut", json={"hidden": True}, headers=operator).json()["hidden"] is True
    assert "revolut" not in {item["slug"] for item in sandbox.http.get("/2.0/connectors").json()["connectors"]}
    assert 'data-slug="revolut"' not in sandbox.webview("connect", person).press("accept").text
    assert person.call("PUT", "/connectors/revolut", json={"hidden": False}).status_code == 403
