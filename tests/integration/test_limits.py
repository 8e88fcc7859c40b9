"""Sizes, pages and settings: what happens at the edges of the table, the batches and the configuration."""

import json
from typing import Any

import pytest

from functions.outbox_publisher import app as outbox_publisher
from shared.bootstrap import Container, new_id, utc_now
from shared.config import PowensSecret
from shared.domain.connection import MAX_ACCOUNTS, connection_id
from shared.domain.errors import Misconfigured
from tests.fakes.powens import error
from tests.integration.world import World, event_file


def test_a_list_that_comes_in_two_pages_is_whole(world: World) -> None:
    world.connect(1)
    world.connect(2, connection_id=78)
    pages: list[dict[str, Any]] = []

    def first(parameters: dict[str, Any]) -> object:
        with world.looking():
            page = world.dynamodb.query(**parameters, Limit=1)
        pages.append(page)
        return page

    world.aws.fault("Query", first)
    assert len(world.api("GET", "/v1/connections").json["connections"]) == 2
    assert "LastEvaluatedKey" in pages[0]


def test_history_that_is_filtered_goes_on_over_its_pages(world: World) -> None:
    world.connect(1)
    other = world.connect(2, connection_id=78)

    def first(parameters: dict[str, Any]) -> object:
        with world.looking():
            return world.dynamodb.query(**{**parameters, "Limit": 1})

    world.aws.fault("Query", first)
    entries = world.api("GET", "/v1/history", query=f"connection_id={connection_id(77)}").json["entries"]
    assert {entry["connection_id"] for entry in entries} == {connection_id(77)}
    assert world.held(other)["revision"] >= 1


def test_the_largest_connection_fits_and_a_larger_one_is_refused(world: World) -> None:
    connection = world.connect(*range(1, MAX_ACCOUNTS + 1))
    assert len(world.held(connection)["accounts"]) == MAX_ACCOUNTS
    [item] = [item for item in world.items() if item["sk"]["S"].startswith("LIST#")]
    assert len(json.dumps(item)) < 400_000
    world.powens.add_account(connection, 10_000)
    world.clock.advance(seconds=10)
    world.webhook("account-found", connection, id=10_000)
    world.settle()
    assert len(world.held(connection)["accounts"]) == MAX_ACCOUNTS
    assert world.refresh.dead == []
    assert world.metric("TooLargeConnections") == 1
    assert any(line.get("code") == "too_many_accounts" for line in world.lines())


def test_a_stream_batch_larger_than_one_call_goes_out_whole(world: World) -> None:
    event = event_file("outbox_publisher/event-and-command")
    sent, command = event["Records"]
    records = []
    for number in range(25):
        for record in (sent, command):
            copy = json.loads(json.dumps(record))
            image = copy["dynamodb"]["NewImage"]
            image["sk"]["S"] = f"{image['sk']['S'][:-3]}{number:03d}"
            records.append(copy)
    world.invoke(outbox_publisher.lambda_handler, {"Records": records})
    assert len(world.aws.bus) == len(world.commands.messages) == 25
    assert world.aws.calls.count("PutEvents") == world.aws.calls.count("SendMessageBatch") == 3
    assert world.metric("EventsPublished") == world.metric("CommandsQueued") == 25


def test_a_refresh_that_powens_does_not_allow_ends_as_refused(world: World) -> None:
    world.connect(1)
    world.powens.fail("PUT .*", error(400, "x"))
    asked = world.api("POST", f"/v1/connections/{connection_id(77)}/refresh")
    world.settle()
    ended = world.operation(asked)
    assert (ended["status"], ended["status_reason"]["code"]) == ("failed", "refresh_refused")


def test_an_overdue_operation_whose_connection_is_lost_is_an_alarm(world: World) -> None:
    connection = world.connect(1, 2)
    world.choose(connection, 1)
    world.clock.advance(minutes=11)
    with world.looking():
        key = {"pk": {"S": "USER#alice"}, "sk": {"S": f"LIST#CONNECTION#{connection_id(77)}"}}
        world.dynamodb.delete_item(TableName=world.environment["TABLE_NAME"], Key=key)
    with pytest.raises(ExceptionGroup):
        world.keep_house()
    world.commands.messages.clear()


def test_a_visit_whose_user_is_gone_meanwhile_just_comes_back(world: World) -> None:
    opened = world.open_webview()
    with world.looking():
        key = {"pk": {"S": "USER#alice"}, "sk": {"S": "PROFILE"}}
        world.dynamodb.delete_item(TableName=world.environment["TABLE_NAME"], Key=key)
    assert world.come_back(opened).status == 303
    world.settle()
    assert world.powens.reads == 0


def test_a_read_that_finds_a_connection_again_while_it_is_being_removed_wins(world: World) -> None:
    connection = world.connect(1)
    del world.powens.connections[77]

    def back() -> None:
        world.powens.connections[77] = connection
        world.clock.advance(seconds=10)
        world.webhook("account-enabled", connection)

    world.clock.advance(seconds=10)
    world.webhook("connection-deleted", connection)
    world.powens.before("GET /users/41/accounts", back)
    world.settle()
    assert world.enabled(connection) == {1}


@pytest.mark.parametrize("text", ["not JSON", "[]", "{}", '{"client_id":"a","client_secret":"","identity_key":"k"}'])
def test_a_powens_secret_that_is_not_as_agreed_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        PowensSecret.parse(text)
    assert text not in str(refused.value)


def test_a_container_makes_its_own_clients_with_a_bounded_patience(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.undo()
    for name, value in {**world.environment, "AWS_DEFAULT_REGION": "eu-west-3", "AWS_ACCESS_KEY_ID": "t"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    client = Container.from_env().client("sqs")
    assert client.meta.config.connect_timeout + client.meta.config.read_timeout < 10
    assert utc_now().tzinfo is not None
    assert new_id() != new_id()
