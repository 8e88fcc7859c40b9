"""`If-Match` and `Idempotency-Key`: stale requests are refused, repeated ones are done once."""

import pytest

from shared.application.ports import TakenError
from tests.integration.api_steps import PATH, key, refused
from tests.integration.world import Reply, World
from tests.worlds.deployment import ORIGIN


def test_a_stale_or_foreign_if_match_is_refused_and_the_current_one_accepted(world: World) -> None:
    connection = world.connect(1, 2)
    held = world.api("GET", PATH)
    assert held.headers["etag"] == f'"{held.json["revision"]}"'
    for tag in ('"0"', '"999"', f'"{held.json["revision"]}.1"', 'W/"999"', '"a", W/"b"'):
        refused(world.choose(connection, 1, if_match=tag), 412, "revision_mismatch")
    for tag in ('"0", {}', 'W/"a,b" ,, {}', "W/{}", 'W/"0", W/{},', " * "):
        current = world.api("GET", PATH).headers["etag"]
        assert world.choose(connection, 1, if_match=tag.format(current)).status == 202
        world.settle()


@pytest.mark.parametrize(
    "tag", ["{r}", "x", "", '"{r}', '{r}"', 'w/"{r}"', 'W/ "{r}"', "*, *", '* "{r}"', '"{r}", x', "'{r}'", "\ud83d"]
)
def test_an_if_match_that_is_none_names_no_revision(world: World, tag: str) -> None:
    connection = world.connect(1, 2)
    revision = world.held(connection)["revision"]
    refused(world.choose(connection, 1, if_match=tag.replace("{r}", str(revision))), 412, "revision_mismatch")
    assert world.at_powens(connection) == {1, 2}


def test_a_choice_that_is_still_being_carried_out_makes_an_older_if_match_stale(world: World) -> None:
    connection = world.connect(1, 2)
    seen = world.api("GET", PATH).headers["etag"]
    assert world.choose(connection, 1, if_match=seen).status == 202
    refused(world.choose(connection, 2, if_match=seen), 412, "revision_mismatch")
    now = world.api("GET", PATH).headers["etag"]
    assert world.choose(connection, 1, 2, if_match=now).status == 202
    world.settle()
    assert world.enabled(connection) == {1, 2}


# --- Idempotency-Key


def test_the_same_key_and_body_give_the_same_answer_and_one_operation(world: World) -> None:
    connection = world.connect(1, 2)
    first = world.choose(connection, 1, idempotency_key=key(1))
    world.settle()
    again = world.choose(connection, 1, idempotency_key=key(1))
    assert (again.status, again.body, again.headers["location"]) == (202, first.body, first.headers["location"])
    world.settle()
    assert len(world.events("OperationEnded")) == 1


@pytest.mark.parametrize("body", [{"name": "Vacances"}, {"enabled": False}])
def test_a_change_of_an_account_is_answered_as_before_although_its_connection_has_ended(
    world: World, body: dict[str, object]
) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    first = world.api("PATCH", path, body, idempotency_key=key(1))
    assert first.status in (200, 202)
    world.settle()
    world.powens.connections.clear()
    world.webhook("connection-deleted", connection)
    world.settle()
    assert world.api("GET", path).status == 404
    again = world.api("PATCH", path, body, idempotency_key=key(1))
    assert (again.status, again.body, again.headers.get("location")) == (
        first.status,
        first.body,
        first.headers.get("location"),
    )


def test_the_same_key_with_another_request_is_refused(world: World) -> None:
    connection = world.connect(1, 2)
    [account, *_] = world.ids(connection).values()
    world.choose(connection, 1, idempotency_key=key(1))
    refused(world.choose(connection, 2, idempotency_key=key(1)), 422, "idempotency_key_reused")
    refused(world.api("POST", f"{PATH}/refresh", idempotency_key=key(1)), 422, "idempotency_key_reused")
    refused(world.open_webview_with(key(1)), 422, "idempotency_key_reused")
    renamed = world.api("PATCH", f"/v1/accounts/{account}", {"name": "Vacances"}, idempotency_key=key(1))
    refused(renamed, 422, "idempotency_key_reused")
    refused(world.choose(connection, 1, idempotency_key="no spaces"), 422, "invalid_idempotency_key")
    refused(world.choose(connection, 1, idempotency_key=""), 422, "invalid_idempotency_key")


def test_a_name_is_given_once_per_key(world: World) -> None:
    connection = world.connect(1)
    path = f"/v1/accounts/{world.ids(connection)[1]}"
    first = world.api("PATCH", path, {"name": "Vacances"}, idempotency_key=key(1))
    assert world.api("PATCH", path, {"name": "Maison"}).status == 200
    again = world.api("PATCH", path, {"name": "Vacances"}, idempotency_key=key(1))
    assert (again.status, again.body) == (200, first.body)
    assert world.api("GET", path).json["name"] == "Maison"
    refused(world.api("PATCH", path, {"name": "Bureau"}, idempotency_key=key(1)), 422, "idempotency_key_reused")


def test_members_in_another_order_are_the_same_request(world: World) -> None:
    world.connect(1)
    body = f'{{"flow": "manage", "return_to": "{ORIGIN}/a"}}'
    swapped = f'{{ "return_to": "{ORIGIN}/a", "flow": "manage" }}'
    first = world.api("POST", "/v1/webview-sessions", raw=body, idempotency_key=key(1))
    again = world.api("POST", "/v1/webview-sessions", raw=swapped, idempotency_key=key(1))
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json


def test_a_key_of_another_user_or_of_another_day_means_nothing(world: World) -> None:
    connection = world.connect(1, 2)
    assert world.choose(connection, 1, idempotency_key=key(1)).status == 202
    assert world.open_webview_with(key(1), user="bob").status == 201
    world.settle()
    world.clock.advance(hours=25)
    assert world.choose(connection, 2, idempotency_key=key(1)).status == 202


def test_a_session_given_again_under_its_key_lies_sealed_in_the_table(world: World) -> None:
    first, again = world.open_webview_with(key(1)), world.open_webview_with(key(1))
    assert first.json == again.json
    assert world.powens.count("GET /auth/token/code") == 1
    stored = [item for item in world.items() if item["sk"]["S"].startswith("IDEMPOTENCY#")]
    assert len(stored) == 1
    assert "webview.powens.com" not in repr(stored)


def test_a_request_without_a_body_may_have_a_key_whatever_is_sent_along(world: World) -> None:
    world.connect(1)
    assert world.api("POST", f"{PATH}/refresh", raw="{not json", idempotency_key=key(1)).status == 202


def test_two_equal_requests_at_once_get_one_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = world.connect(1, 2)
    twin: list[Reply] = []
    world.aws.fault("TransactWriteItems", lambda _: twin.append(world.choose(connection, 1, idempotency_key=key(1))))
    first = world.choose(connection, 1, idempotency_key=key(1))
    assert first.status == 202
    assert first.json["id"] == twin[0].json["id"]
    world.settle()
    assert len(world.events("OperationEnded")) == 1


@pytest.mark.parametrize("made_impossible", ["by its If-Match", "as what it drops is gone"])
def test_a_request_that_its_own_twin_made_impossible_gets_the_answer_of_the_twin(
    world: World, made_impossible: str
) -> None:
    connection = world.connect(1, 2)
    tag = world.api("GET", PATH).headers["etag"]
    savings = {"institution_name": "Revolut", "name": "Livret", "type": "savings", "balance": "10", "currency": "EUR"}
    dropped = world.api("POST", "/v1/accounts", savings).json["id"]

    def request() -> Reply:
        if made_impossible == "by its If-Match":
            return world.choose(connection, 1, if_match=tag, idempotency_key=key(1))
        return world.api("DELETE", f"/v1/accounts/{dropped}", idempotency_key=key(1))

    twin: list[Reply] = []

    def answered_before_the_twin(_: object) -> dict[str, object]:
        twin.append(request())
        return {}

    world.aws.fault("GetItem", answered_before_the_twin)
    late = request()
    assert late.status in {202, 204}
    assert (late.status, late.body) == (twin[0].status, twin[0].body)


def test_a_refusal_under_a_key_costs_one_more_look_for_the_answer_of_a_twin(world: World) -> None:
    world.aws.calls.clear()
    refused(world.api("DELETE", f"/v1/connections/{key(9)}", {"confirm": "x"}), 404, "connection_not_found")
    plain = world.aws.calls.copy()
    world.aws.calls.clear()
    refusal = world.api("DELETE", f"/v1/connections/{key(9)}", {"confirm": "x"}, idempotency_key=key(1))
    refused(refusal, 404, "connection_not_found")
    assert world.aws.calls == ["GetItem", *plain, "GetItem"]


def test_a_request_whose_twin_never_gets_done_is_told_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.adapters.dynamodb.connections import DynamoDBConnections

    def taken(*_: object, **__: object) -> None:
        raise TakenError

    connection = world.connect(1, 2)
    monkeypatch.setattr(DynamoDBConnections, "save", taken)
    refused(world.choose(connection, 1, idempotency_key=key(1)), 503, "temporarily_unavailable")
