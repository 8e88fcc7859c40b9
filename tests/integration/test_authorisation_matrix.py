"""Who may do what: each door of the product with each caller, through API Gateway's checks to the real handlers.

The doors are the product's own routes, the callers are in `callers.py`, and what must happen follows from what a door
is. A route without a good request in `belongings.py` fails here before anybody forgets to think about it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from functions.live_updates import app as live_updates
from functions.powens_webhook import app as powens_webhook
from local.identity import AUDIENCE
from shared.webhooks import EVENTS_WITH_HINT, EVENTS_WITHOUT_HINT
from tests.ibans import iban
from tests.integration.belongings import CROSSED, GOOD, Belongings, belongings
from tests.integration.callers import NOBODIES, user
from tests.integration.doors import PUBLIC, Asked, answered, gateway, kind, knock, on_socket, open_socket, socket_routes
from tests.integration.world import Context, World
from tests.live_wire import Wire, wire
from tests.worlds.deployment import aws_client
from tests.worlds.powens.wire import Answer
from tests.worlds.triggers import event_file, signed

REAL_ADAPTER = requests.adapters.HTTPAdapter
ALICE, BOB = user("alice"), user("bob")

pytestmark = pytest.mark.usefixtures("clients_that_confirm")


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def doors(clients_that_confirm: None, world: World, issuing: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world, and the sockets' function in it, which asks the same issuer for its keys."""
    for name, value in {"LIVE_ENDPOINT": issuing.endpoint, "JWT_ISSUER": issuing.url, "JWT_AUDIENCE": AUDIENCE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("shared.live_bootstrap.aws_client", lambda service, **_: aws_client(service))
    session = requests.Session()
    session.mount("http://", REAL_ADAPTER())
    live_updates.container.cache_clear()
    live_updates.container().verifier.session = session
    yield world
    session.close()
    live_updates.container.cache_clear()


@pytest.fixture
def alice(doors: World) -> Belongings:
    return belongings(doors, "alice", first=70)


@pytest.fixture
def bob(doors: World, alice: Belongings) -> Belongings:
    return belongings(doors, "bob", first=90)


def held_of(world: World, name: str) -> list[str]:
    """All that lies under a user in the table."""
    items = [item for item in world.items() if item["pk"]["S"] == f"USER#{name}"]
    return sorted(json.dumps(item, sort_keys=True, default=str) for item in items)


# --- the rows are complete


def test_each_route_of_the_api_has_a_row() -> None:
    assert set(GOOD) == set(answered())


def test_each_route_of_the_gateway_leads_to_a_function_of_these_rows() -> None:
    found = {(route.function, route.authorizer is None, route.key) for route in gateway("https://issuer").routes}
    public = {key for _, is_public, key in found if is_public}
    assert {function for function, *_ in found} == {"AccountsApiFunction", "PowensWebhookFunction"}
    assert public == PUBLIC | {"POST /webhooks/powens/{event}"}


def test_the_sockets_have_no_route_beside_these() -> None:
    assert socket_routes() == {"$connect", "$disconnect", "$default"}


# --- nobody


@pytest.mark.parametrize("caller", NOBODIES.values(), ids=NOBODIES)
def test_who_is_nobody_gets_in_nowhere_but_where_everybody_does(doors: World, issuing: Wire, caller: Any) -> None:
    doors.forget()
    wrong = {}
    for route, good in GOOD.items():
        reply = knock(doors, issuing, route.partition(" ")[0], good(_nothing()), caller(issuing.issuer))
        if (reply.status < 400) != (kind(route) == "public") or reply.status not in (200, 303, 401):
            wrong[route] = reply.status
    assert wrong == {}
    assert open_socket(doors, caller(issuing.issuer)) == 401
    # What is public looks at no user: the return of an unknown visit looks for its state alone.
    assert set(doors.aws.calls) <= {"GetItem"}
    assert doors.items() == []


class _NoIds(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "0195f3a0-0000-7000-8000-000000000000"


def _nothing() -> Belongings:
    """Ids of which there are none."""
    return Belongings("nobody", ids=_NoIds(), codes=_NoIds())


# --- what the app was given

SCOPES = {"read": "accounts:read", "write": "accounts:write", "erase": "accounts:erase"}


@pytest.fixture
def _asking_for_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SCOPES", " ".join(SCOPES.values()))


def needed(route: str) -> str:
    """Reading, changing and erasing are three things that an app can be trusted with."""
    return "erase" if route == "DELETE /v1/me" else "read" if route.startswith("GET ") else "write"


@pytest.mark.usefixtures("_asking_for_scopes")
@pytest.mark.parametrize("given", ["read", "write", "erase", "none"])
@pytest.mark.parametrize("member", ["scope", "scp"])
def test_an_app_does_no_more_than_it_was_given_the_scope_for(
    doors: World, issuing: Wire, given: str, member: str
) -> None:
    said = f"openid {SCOPES.get(given, 'accounts:all')}"
    caller = user("alice", **{member: said if member == "scope" else said.split()})
    wrong = {}
    for route, good in GOOD.items():
        reply = knock(doors, issuing, route.partition(" ")[0], good(_nothing()), caller(issuing.issuer))
        refused = reply.status == 403 and reply.json["code"] == "insufficient_scope"
        if refused != (kind(route) != "public" and needed(route) != given):
            wrong[route] = f"{reply.status} {reply.body}"
    assert wrong == {}
    assert open_socket(doors, caller(issuing.issuer)) == (200 if given == "read" else 401)


@pytest.fixture
def _a_recent_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERASURE_SIGN_IN_WITHIN_MINUTES", "5")


@pytest.mark.usefixtures("_a_recent_sign_in")
@pytest.mark.parametrize(
    ("minutes_ago", "lets_in"), [(1, True), (6, False), (None, False)], ids=["a minute", "six minutes", "not said"]
)
def test_only_who_has_just_signed_in_erases_and_nothing_else_asks_for_it(
    doors: World, issuing: Wire, minutes_ago: int | None, lets_in: bool
) -> None:
    at = {} if minutes_ago is None else {"auth_time": int(doors.clock.now.timestamp()) - 60 * minutes_ago}
    caller = user("alice", **at)(issuing.issuer)
    reply = knock(doors, issuing, "DELETE", Asked("/v1/me"), caller)
    assert reply.status == (202 if lets_in else 401)
    if not lets_in:
        assert reply.json["code"] == "recent_sign_in_required"
        assert held_of(doors, "alice") == []
    assert knock(doors, issuing, "GET", Asked("/v1/me/export"), caller).status == 200


@pytest.mark.usefixtures("_a_recent_sign_in")
@pytest.mark.parametrize("moment", ["soon", "", 10**30, True, [1], {"a": 1}, -(10**18)])
def test_an_odd_time_of_signing_in_is_none(doors: World, issuing: Wire, moment: object) -> None:
    reply = knock(doors, issuing, "DELETE", Asked("/v1/me"), user("alice", auth_time=moment)(issuing.issuer))
    assert (reply.status, reply.json["code"]) == (401, "recent_sign_in_required")


# --- the owner


def test_the_owner_gets_in_everywhere(doors: World, issuing: Wire, alice: Belongings) -> None:
    doors.powens.fail("GET /logos/.*", Answer(200, b"\x89PNG\r\n\x1a\n"))
    wrong = {}
    for route, good in GOOD.items():
        reply = knock(doors, issuing, route.partition(" ")[0], good(alice), ALICE(issuing.issuer))
        if reply.status >= 400:
            wrong[route] = f"{reply.status} {reply.body}"
        doors.settle()
    assert wrong == {}
    assert held_of(doors, "alice") == []


# --- somebody else


def test_another_user_finds_nothing_of_the_owner_and_changes_nothing(
    doors: World, issuing: Wire, alice: Belongings
) -> None:
    private = [*alice.ids.values(), *alice.codes.values(), iban(70), iban(1072)]
    wrong = {}
    for route, good in GOOD.items():
        asked, before = good(alice), held_of(doors, "alice")
        reply = knock(doors, issuing, route.partition(" ")[0], asked, BOB(issuing.issuer))
        if alice.names_any(asked.path + asked.body) and reply.status != 404:
            wrong[route] = f"{reply.status} {reply.body}"
        if told := [text for text in private if text in reply.body and text not in asked.text]:
            wrong[route] = f"tells {told}"
        # Whoever brings the code of another's visit shows that the link was followed by a stranger (ADR 0043).
        if route != "POST /v1/webview-confirmations" and held_of(doors, "alice") != before:
            wrong[route] = "changed something of the owner's"
    assert wrong == {}


def test_a_stranger_with_the_code_of_a_visit_ends_what_it_connected_and_gets_nothing(
    doors: World, issuing: Wire, alice: Belongings
) -> None:
    asked = GOOD["POST /v1/webview-confirmations"](alice)
    reply = knock(doors, issuing, "POST", asked, BOB(issuing.issuer))
    assert (reply.status, reply.json["code"]) == (404, "visit_of_another_user")
    doors.settle()
    shown = [knock(doors, issuing, "GET", Asked("/v1/connections"), who(issuing.issuer)).json for who in (ALICE, BOB)]
    waiting = [connection["id"] for listed in shown for connection in listed["unconfirmed"]]
    assert alice.ids["returned"] not in waiting
    assert shown[1]["connections"] == []


def test_what_is_ones_own_is_no_way_to_what_is_anothers(
    doors: World, issuing: Wire, alice: Belongings, bob: Belongings
) -> None:
    before = held_of(doors, "alice")
    for what, (method, crossed) in CROSSED.items():
        reply = knock(doors, issuing, method, crossed(bob, alice), BOB(issuing.issuer))
        assert reply.status in (404, 422), what
        assert reply.json["code"] in {"connection_not_found", "account_not_found", "unknown_account"}, what
        assert held_of(doors, "alice") == before, what


def test_two_users_are_answered_alike_where_all_are_and_else_each_with_their_own(
    doors: World, issuing: Wire, alice: Belongings, bob: Belongings
) -> None:
    for route, good in GOOD.items():
        method, _, path = route.partition(" ")
        if method != "GET" or "{" in path:
            continue
        asked = good(alice) if kind(route) != "personal" else Asked(path)
        first, second = (knock(doors, issuing, method, asked, who(issuing.issuer)) for who in (ALICE, BOB))
        assert first.status == second.status < 400, route
        if kind(route) == "personal":
            assert alice.names_any(first.body), route
            assert not alice.names_any(second.body), route
            assert bob.names_any(second.body), route
        else:
            assert first.body == second.body, route


def test_a_method_that_an_address_does_not_have_is_no_way_around(doors: World, issuing: Wire) -> None:
    addresses = {route.partition(" ")[2] for route in GOOD}
    for path in addresses:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"} - {
            route.partition(" ")[0] for route in GOOD if route.endswith(f" {path}")
        }:
            asked = Asked(path.replace("{", "").replace("}", ""))
            nobody, somebody = (knock(doors, issuing, method, asked, who) for who in (None, ALICE(issuing.issuer)))
            assert nobody.status in (401, 404), f"{method} {path}"
            assert somebody.status == 404, f"{method} {path}"


# --- sockets


def test_a_socket_opens_for_a_user_and_hears_of_that_user_alone(doors: World, issuing: Wire) -> None:
    assert open_socket(doors, ALICE(issuing.issuer), "alices=") == 200
    assert open_socket(doors, BOB(issuing.issuer), "bobs=") == 200
    assert [item["sk"]["S"] for item in doors.items() if item["pk"]["S"] == "USER#alice"] == ["SOCKET#alices="]


def test_what_a_screen_sends_changes_nothing_and_is_told_nothing(doors: World, issuing: Wire) -> None:
    open_socket(doors, ALICE(issuing.issuer), "alices=")
    before = doors.items()
    assert on_socket(doors, "$default", "bobs=") == {"statusCode": 200}
    assert on_socket(doors, "$disconnect", "bobs=") == {"statusCode": 200}
    assert doors.items() == before


# --- webhooks

EVENTS = sorted(EVENTS_WITH_HINT | EVENTS_WITHOUT_HINT | {"user-blessed"})
BODY = json.dumps({"id": 912, "id_user": 41, "id_connection": 7}).encode()


def _hooked(world: World, name: str, body: bytes, headers: dict[str, str]) -> int:
    event = event_file("powens_webhook/account-enabled")
    event |= {"rawPath": f"/webhooks/powens/{name}", "pathParameters": {"event": name}, "body": body.decode()}
    event["headers"] = {"host": "api.example.com", **headers}
    with world.invoking():
        answer = powens_webhook.lambda_handler(event, Context())
    return int(answer["statusCode"])


def _forgeries(world: World, issuing: Wire, name: str) -> dict[str, tuple[bytes, dict[str, str]]]:
    good = signed(f"/webhooks/powens/{name}", BODY, world.clock())
    old = signed(f"/webhooks/powens/{name}", BODY, world.clock().replace(year=2020))
    return {
        "no signature": (BODY, {}),
        "a user's token": (BODY, {"authorization": ALICE(issuing.issuer) or ""}),
        "no date": (BODY, {"bi-signature": good["bi-signature"]}),
        "an empty signature": (BODY, good | {"bi-signature": ""}),
        "a signature of another event": (BODY, signed("/webhooks/powens/other", BODY, world.clock())),
        "a signature of another body": (BODY.replace(b"41", b"42"), good),
        "a signature of another time": (BODY, good | {"bi-signature-date": old["bi-signature-date"]}),
        "a signature that is too old": (BODY, old),
    }


@pytest.mark.parametrize("name", EVENTS)
def test_a_webhook_is_powens_alone(doors: World, issuing: Wire, name: str) -> None:
    doors.forget()
    forgeries = _forgeries(doors, issuing, name)
    assert {what: _hooked(doors, name, *forged) for what, forged in forgeries.items()} == dict.fromkeys(forgeries, 401)
    assert doors.aws.calls == []
    assert _hooked(doors, name, BODY, signed(f"/webhooks/powens/{name}", BODY, doors.clock())) == 200
