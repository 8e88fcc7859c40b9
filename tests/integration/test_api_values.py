"""What a request may say: flags, parameters, characters, and a name that confirms."""

import re
import unicodedata
from dataclasses import replace

import pytest

from functions.account_commands import app as account_commands
from shared.domain.connection import connection_id
from shared.domain.ledger import Outcome
from tests.integration.api_steps import PATH, key, refused
from tests.integration.world import World
from tests.worlds.deployment import ORIGIN
from tests.worlds.powens.model import Connection


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("dryRun=true", "unknown_parameter", "dryRun"),
        ("dry-run=true", "unknown_parameter", "dry-run"),
        ("DRY_RUN=true", "unknown_parameter", "DRY_RUN"),
        ("dry_run%20=true", "unknown_parameter", "dry_run "),
        ("dry_run=false&dryRun", "unknown_parameter", "dryRun"),
        ("dry_run=false&dry_run=true", "repeated_parameter", "dry_run"),
        ("dry_run=true&dry_run=true", "repeated_parameter", "dry_run"),
        ("=true", "unknown_parameter", ""),
        (f"{'x' * 500}=true", "unknown_parameter", "x" * 100),
        ("dry_run", "invalid_request", "dry_run"),
        ("dry_run=", "invalid_request", "dry_run"),
        ("dry_run=maybe", "invalid_request", "dry_run"),
        ("dry_run=true,false", "invalid_request", "dry_run"),
    ],
)
def test_a_misspelt_flag_is_refused_and_nothing_is_carried_out(world: World, query: str, code: str, field: str) -> None:
    connection = world.connect(1, 2)
    body = {"enabled_account_ids": [world.ids(connection)[2]]}
    answer = world.api("PUT", f"{PATH}/selection", body, query=query)
    refused(answer, 422, code)
    assert answer.json["field"] == field
    world.settle()
    assert world.at_powens(connection) == {1, 2}


@pytest.mark.parametrize("query", ["dry_run=true", "dry_run=True", "dry_run=1", "dry_run=yes"])
def test_a_flag_that_can_be_read_is_one(world: World, query: str) -> None:
    connection = world.connect(1, 2)
    body = {"enabled_account_ids": [world.ids(connection)[2]]}
    assert world.api("PUT", f"{PATH}/selection", body, query=query).json["disable"]
    world.settle()
    assert world.at_powens(connection) == {1, 2}


BODIES: dict[str, object] = {
    "PUT /v1/connections/{}/selection": {"enabled_account_ids": []},
    "POST /v1/connections/{}/selection/preview": {"enabled_account_ids": []},
    "PUT /v1/accounts/{}/enabled": {"enabled": True},
    "DELETE /v1/connections/{}": {"confirm": "Banque du Test"},
    "PATCH /v1/accounts/{}": {"name": "x"},
    "POST /v1/accounts": {"name": "x", "type": "checking", "currency": "EUR", "balance": "1"},
    "PUT /v1/accounts/{}/link": {"account_id": "x"},
    "POST /v1/wishes": {"institution_id": "x", "type": "checking"},
    "POST /v1/webview-sessions": {"flow": "connect", "return_to": f"{ORIGIN}/"},
    "POST /v1/webview-confirmations": {"return_code": "x"},
    "POST /v1/connections/{}/confirmation": {"iban_last4": "0112"},
}


def test_no_mutation_takes_a_parameter_that_it_does_not_know(world: World) -> None:
    paths = world.api("GET", "/v1/openapi.json", user=None).json["paths"]
    mutations = [(method.upper(), path) for path in paths for method in paths[path] if method != "get"]
    assert len(mutations) > 10
    for method, path in mutations:
        path = re.sub(r"{\w+}", "{}", path)  # noqa: PLW2901
        body = BODIES.get(f"{method} {path}")
        refused(world.api(method, path.format("x", "x"), body, query="invented=1"), 422, "unknown_parameter")
    assert world.powens.log == []


def test_a_path_that_does_not_exist_is_not_found_whatever_its_query(world: World) -> None:
    refused(world.api("PUT", "/v1/nothing", {}, query="x=1"), 404, "route_not_found")


def test_a_query_may_say_more_than_its_route_knows(world: World) -> None:
    assert world.api("GET", "/v1/connections", query="_=1764307200&_=2").status == 200


@pytest.mark.parametrize("key", [None, key(1)])
@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("PATCH", "/v1/accounts/x", '{"name":"a\\ud83d"}'),
        ("PATCH", "/v1/accounts/x", '{"name":"a\ud83d"}'),
        ("PUT", f"{PATH}/selection", '{"enabled_account_ids":["\\ud83d"]}'),
        ("DELETE", PATH, '{"confirm":"\\udc00"}'),
        ("POST", "/v1/webview-sessions", '{"flow":"manage","connection_id":"\\ud83d","return_to":"https://x/"}'),
        ("POST", "/v1/wishes", '{"institution_id":"\\ud83d\\ud83d","type":"checking"}'),
        ("PUT", "/v1/accounts/x/link", '{"account_id":"\\uDFFF"}'),
        ("POST", "/v1/accounts", '{"\\ud83d":1}'),
    ],
)
def test_half_of_a_character_is_no_text(world: World, method: str, path: str, raw: str, key: str | None) -> None:
    world.connect(1)
    headers = {} if key is None else {"idempotency_key": key}
    refused(world.api(method, path, raw=raw, **headers), 400, "invalid_json")


def test_a_whole_character_written_in_two_halves_is_text(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    assert world.api("PATCH", path, raw='{"name":"\\ud83d\\ude00"}').json["name"] == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/institutions",
        "/v1/history",
        "/v1/me/export",
        "/v1/accounts/x/balances",
        f"{PATH}/missing-accounts",
        "/v1/accounts/\ud83d",
        "/v1/operations/\ud83d",
        "/v1/connections/\ud83d",
    ],
)
def test_half_of_a_character_in_an_address_is_no_bug_of_ours(world: World, path: str) -> None:
    world.connect(1)
    for name in ("search", "limit", "cursor", "connection_id", "type"):
        assert world.api("GET", path, query=f"{name}=\ud83d").status < 500


@pytest.mark.parametrize(
    "typed",
    [
        "Caisse d'Épargne - Île de France",
        "Caisse d\N{RIGHT SINGLE QUOTATION MARK}Épargne \N{EN DASH} Île de France",
        "Caisse d\N{MODIFIER LETTER APOSTROPHE}Épargne \N{NON-BREAKING HYPHEN} Île\N{NO-BREAK SPACE}de France",
        "caisse d'épargne - île de france",
        "CAISSE D'ÉPARGNE - ÎLE DE FRANCE",
        unicodedata.normalize("NFD", "Caisse d'Épargne - Île de France"),
        "  Caisse  d'Épargne -\tÎle de\N{NARROW NO-BREAK SPACE}France ",
    ],
)
def test_a_name_is_confirmed_as_keyboards_type_it(world: World, typed: str) -> None:
    connection = world.connect(1)
    connection.bank = "Caisse d'Épargne - Île de France"
    world.webhook("connection-synced", connection)
    world.settle()
    assert world.api("DELETE", PATH, {"confirm": typed}).status == 202


@pytest.mark.parametrize("name", ["Banque du Test", "", "  ", "\N{BANK}", "'-'"])
def test_nothing_typed_confirms_nothing(world: World, name: str) -> None:
    connection = world.connect(1)
    named(world, connection, name)
    for typed in ("", " ", "'", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "Banque"):
        if typed.strip() != name.strip():
            refused(world.api("DELETE", PATH, {"confirm": typed}), 422, "confirmation_mismatch")
    sure = world.held(connection)["institution"]["name"]
    assert world.api("DELETE", PATH, {"confirm": sure}).status == 202


def named(world: World, connection: Connection, name: str) -> None:
    """The connection is held with an institution of this name."""
    with world.looking():
        container = account_commands.container()
        held = container.connection_store.connection("alice", connection_id(connection.id))
        assert held is not None
        container.changes.apply(
            "alice",
            held.id,
            lambda now, _: Outcome(connection=replace(now or held, institution=replace(held.institution, name=name))),
            correlation_id="c",
        )
