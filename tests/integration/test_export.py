"""A user can take along everything that is held, page by page, without secrets."""

import json
import re
from typing import Any

import pytest

from shared.adapters import dynamodb
from shared.adapters.dynamodb.kinds import KINDS
from tests.integration.erasure_steps import filled
from tests.integration.world import World
from tests.worlds.documents import content_of, with_content


def exported(world: World, user: str = "alice") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query = ""
    while True:
        reply = world.api("GET", "/v1/me/export", user=user, query=query)
        assert reply.status == 200, reply.body
        items += reply.json["items"]
        if reply.json["next"] is None:
            return items
        query = f"cursor={reply.json['next']}"


def test_an_export_shows_everything_that_is_held_and_no_secret(world: World) -> None:
    connection = filled(world)
    world.publish()
    items = exported(world)
    kinds = {item["kind"] for item in items}
    assert kinds == {kind.name for kind in KINDS.values()}
    assert len(items) == len([item for item in world.items() if item["pk"]["S"] == "USER#alice"])
    text = json.dumps(items, default=str)
    for secret in world.powens.secrets:
        assert secret not in text
    opened = [item for item in world.items() if item["pk"]["S"].startswith("SESSION#")]
    assert opened
    assert all(item["pk"]["S"].removeprefix("SESSION#") not in text for item in opened)
    assert "sealed" not in text
    assert not re.search(r"\"(iban|number)_key\"", text)
    [held] = [item["content"] for item in items if item["kind"] == "connection"]
    assert {account["name"] for account in held["accounts"]} == {a.name for a in connection.accounts.values()}
    assert all(account["iban_hash"] for account in held["accounts"])
    [access] = [item["content"] for item in items if item["kind"] == "access"]
    assert access["powens_user_id"] == 41
    assert exported(world, user="bob") == []


def test_an_export_can_be_saved_as_a_file(world: World) -> None:
    reply = world.api("GET", "/v1/me/export")
    assert reply.headers["content-disposition"] == 'attachment; filename="synced-accounts.json"'
    assert reply.headers["cache-control"] == "no-store"


def test_a_page_of_an_export_fits_an_answer_of_lambda_whatever_is_held(world: World) -> None:
    world.connect(1)
    [stored] = [item for item in world.items() if item["sk"]["S"].startswith("LIST#CONNECTION#")]
    document = content_of(stored)
    # The widest text: each character is escaped twice on its way through Lambda.
    wide = document | {"accounts": [{"name": '"' * 185_000}]}
    with world.looking():
        for number in range(6):
            item = with_content(stored, wide) | {"sk": {"S": f"LIST#CONNECTION#{number}"}}
            world.dynamodb.put_item(TableName="accounts-table", Item=item)
    query, pages = "", 0
    while True:
        event_answer = world.api("GET", "/v1/me/export", query=query)
        assert event_answer.status == 200
        pages += 1
        assert len(json.dumps({"statusCode": 200, "body": event_answer.body})) < 6_000_000
        if event_answer.json["next"] is None:
            break
        query = f"cursor={event_answer.json['next']}"
    assert pages > 1


@pytest.mark.parametrize("cursor", ["", "x", "////", "YWxpY2U", "RVZFTlQjMQ%3D%3D", "A" * 1999, "w4A"])
def test_a_cursor_that_is_none_of_ours_is_refused(world: World, cursor: str) -> None:
    reply = world.api("GET", "/v1/me/export", query=f"cursor={cursor}")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_cursor", "cursor")


@pytest.mark.parametrize("cursor", ["x", "01", "~", "EVENT#01KJYZ4A8Q0000000000000007", "01kjyz4a8q0000000000000007"])
def test_the_history_refuses_a_cursor_that_is_none_of_ours(world: World, cursor: str) -> None:
    reply = world.api("GET", "/v1/history", query=f"cursor={cursor.replace('#', '%23')}")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (422, "invalid_cursor", "cursor")


def test_every_kind_of_item_in_a_users_partition_says_how_it_is_exported_and_erased() -> None:
    rows = re.findall(r"^\| .+ \| USER#<user> \| (\S+) \|", dynamodb.__doc__ or "", re.MULTILINE)
    assert len(rows) > 8
    for sort_key in rows:
        assert sort_key.startswith(tuple(KINDS)), f"{sort_key} has no entry in KINDS"


@pytest.mark.usefixtures("clients_that_confirm")
def test_every_item_outside_a_users_partition_that_names_the_user_is_reached_from_inside(world: World) -> None:
    filled(world)
    outside = {item["pk"]["S"].partition("#")[0] for item in world.items() if not item["pk"]["S"].startswith("USER#")}
    # What lies at an institution names nobody: its keys hold a keyed hash, which goes with the connection.
    # A return is named by the session of its visit.
    assert outside == {"INSTITUTION", "POWENS", "RETURN", "SESSION", "SOCKET"}
