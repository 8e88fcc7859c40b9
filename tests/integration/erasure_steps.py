"""A user of whom everything is held, and that user's erasure."""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.accounts_api.container import container
from shared.adapters.dynamodb.live import DynamoDBSockets
from shared.application.live import OpenSocket
from shared.domain.connection import connection_id
from tests.integration.world import Reply, World
from tests.worlds.powens.model import Connection

MANUAL: dict[str, Any] = {"name": "Livret souple", "type": "savings", "currency": "EUR", "balance": "1200.50"}


def filled(world: World, user: str = "alice", connection: int = 77) -> Connection:
    """A user with something of every kind."""
    made = world.connect(connection * 10, connection * 10 + 1, user=user, connection_id=connection)
    world.open_webview_with("opened", user=user)
    added = world.api("POST", "/v1/accounts", MANUAL, user=user, idempotency_key="added")
    assert added.status == 201
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("shared.domain.manual.CHUNK", 1)
        assert world.api("PATCH", added.headers["location"], {"balance": "7"}, user=user).status == 200
    institution = world.api("GET", "/v1/connections", user=user).json["connections"][0]["institution"]["id"]
    assert world.api("POST", "/v1/wishes", {"institution_id": institution, "type": "crypto"}, user=user).status == 201
    socket = OpenSocket(
        id=f"socket-{user}", user_id=user, opened_at=world.clock(), until=world.clock() + timedelta(hours=1)
    )
    with world.looking():
        DynamoDBSockets(container().table).add_socket(socket)
    held = world.api("GET", f"/v1/connections/{connection_id(connection)}", user=user).json
    body = {"enabled_account_ids": [held["accounts"][0]["id"]]}
    path = f"/v1/connections/{connection_id(connection)}/selection"
    assert world.api("PUT", path, body, user=user, idempotency_key="chosen").status == 202
    return made


def erase(world: World, user: str = "alice", **headers: str) -> Reply:
    reply = world.api("DELETE", "/v1/me", user=user, **headers)
    assert reply.status == 202, reply.body
    return reply


def receipt(world: World, begun: Reply, user: str = "alice") -> Reply:
    return world.api("GET", begun.headers["location"], user=user)


def traces(world: World, user: str) -> list[dict[str, Any]]:
    """Items that name the user, the event of the erasure and the screens that are to hear of it aside."""
    aside = ("ERASED#", "SOCKET#")
    named = (item for item in world.items() if user in json.dumps(item, default=str))
    return [item for item in named if not any(name in str(item) for name in aside)]


def erased(world: World, begun: Reply) -> None:
    """What holds of alice once the erasure has ended, whatever happened on the way."""
    shown = receipt(world, begun)
    assert (shown.status, shown.json["kind"], shown.json["status"]) == (200, "erasure", "completed"), shown.body
    assert traces(world, "alice") == []
    assert 41 not in world.powens.users
    [event] = world.events("UserErased")
    assert event["data"] == {"user_id": "alice", "revision": 0, "accounts": []}
    assert event["metadata"]["cause"] == "erasure"
    assert not world.commands.dead
    assert not world.refresh.dead
