"""Sizes, pages and settings: what happens at the edges of the table, the batches and the configuration."""

import json
import random
import string
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from functions.accounts_api.container import container
from functions.outbox_publisher import app as outbox_publisher
from shared.adapters.aws import utc_now
from shared.bootstrap import Container, new_id
from shared.config import PowensSecret
from shared.domain.connection import MAX_ACCOUNTS, Account, Choice, account_id, connection_id
from shared.domain.errors import Misconfigured
from shared.domain.ledger import Outcome
from tests.integration.world import World
from tests.worlds.powens.fake import error
from tests.worlds.triggers import event_file


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
    assert size(item) < 400_000
    world.powens.add_account(connection, 10_000)
    world.clock.advance(seconds=10)
    world.webhook("account-found", connection, id=10_000)
    world.settle()
    assert len(world.held(connection)["accounts"]) == MAX_ACCOUNTS
    assert world.refresh.dead == []
    assert world.metric("TooLargeConnections") == 1
    assert any(line.get("code") == "too_many_accounts" for line in world.lines())


def size(item: dict[str, Any]) -> int:
    """As DynamoDB counts, of an item without nested attributes."""
    return sum(
        len(name) + len(value if isinstance(value, bytes) else str(value).encode())
        for name, typed in item.items()
        for value in typed.values()
    )


@pytest.mark.parametrize("name", ["🙂" * 200, '"' * 200, "é" * 200, "x" * 200])
def test_a_connection_whose_accounts_all_have_the_longest_names_is_kept_and_told_of(world: World, name: str) -> None:
    opened = world.open_webview()
    made = world.powens.add_connection(max(world.powens.users), "Banque du Test", connection_id=77, uuid="u-77")
    for powens_id in range(1, MAX_ACCOUNTS + 1):
        world.powens.add_account(made, powens_id, name=name)
    world.come_back(opened, "&connection_id=77")
    world.settle()
    shown = world.held(made)["accounts"]
    assert {account["name"] for account in shown} == {name[: 200 // len(name[0].encode())]}
    assert max(map(size, world.items())) < 400_000
    assert len(world.events("AccountsUpdated")[0]["data"]["accounts"]) == len(shown) == MAX_ACCOUNTS
    assert world.refresh.dead == []


def largest_account(chance: random.Random, number: int) -> Account:
    """Every field as long as it can be, with texts that hardly compress."""
    at = datetime(2026, 3, 5, 10, 0, 0, 123456, tzinfo=UTC)

    def signs(of: str, count: int) -> str:
        return "".join(chance.choices(of, k=count))

    emoji = "".join(map(chr, range(0x1F300, 0x1F6C0)))
    return Account(
        id=account_id(number),
        powens_id=2**63 - 1 - number,
        name=signs(emoji, 50),
        custom_name=signs(emoji, 50),
        provider_type=signs(string.ascii_letters, 40),
        currency=signs(string.ascii_uppercase, 10),
        balance=-Decimal(signs("123456789", 38)).scaleb(-19),
        iban_key=signs("0123456789abcdef", 64),
        iban_last4=signs(string.digits, 4),
        number_key=signs("0123456789abcdef", 64),
        source_id=2**63 - 1,
        error=signs(string.ascii_letters, 40),
        last_success_at=at,
        discovered_at=at,
        synchronised_since=at,
        enabled=True,
        wanted=True,
        choice=Choice(operation_id=new_id(), doubt=True, confirmed_at=at, seen=True, visible=True),
        problem="recreated_by_powens",
        closed_at=at,
        missing_since=at,
        chosen_at=at,
        repairs=(at,) * 3,
        former_ids=(account_id(number, 1), account_id(number, 2)),
    )


def test_as_many_of_the_largest_accounts_as_are_kept_fit_one_item(world: World) -> None:
    connection = world.connect(1)
    chance = random.Random(20260305)
    with world.looking():
        store = container().connection_store
        [before] = store.listed("alice").all_connections
        after = replace(before, accounts=tuple(largest_account(chance, n) for n in range(MAX_ACCOUNTS)))
        store.save(before, Outcome(connection=after), correlation_id="c")
        [kept] = store.listed("alice").all_connections
    assert kept == replace(after, version=before.version + 1)
    [item] = [item for item in world.items() if item["sk"]["S"].startswith("LIST#")]
    assert size(item) < 350_000
    assert len(world.held(connection)["accounts"]) == MAX_ACCOUNTS
    exported = world.api("GET", "/v1/me/export").json["items"]
    assert [len(i["content"]["accounts"]) for i in exported if i["kind"] == "connection"] == [MAX_ACCOUNTS]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("🙂" * 50, "🙂" * 50),
        ("👨\u200d👩\u200d👧 Famille", "👨\u200d👩\u200d👧 Famille"),
        ("\u202egnihtyreve", "gnihtyreve"),
        ("🙂" * 51, None),
        ("é" * 101, None),
        ("\u200b\u200b", None),
        ("\u2060", None),
        ("\u3164", None),
        ("a\nb", None),
    ],
    ids=ascii,
)
def test_a_name_that_a_person_gives_is_visible_and_measured_in_bytes(world: World, name: str, kept: str | None) -> None:
    world.connect(1)
    manual_account = {"name": name, "type": "checking", "currency": "EUR", "balance": "1"}
    answers = [
        world.api("PATCH", f"/v1/accounts/{account_id(1)}", {"name": name}),
        world.api("POST", "/v1/accounts", manual_account),
    ]
    for answer in answers:
        if kept is None:
            assert (answer.status, answer.json["code"], answer.json["field"]) == (422, "invalid_request", "name")
        else:
            assert answer.json["name"] == kept


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
