"""A user's steps with manual accounts, and what the list and the events then say."""

from typing import Any

from tests.integration.world import Reply, World
from tests.worlds.folding import folded, shown
from tests.worlds.powens.model import Connection

BODY: dict[str, Any] = {
    "name": "Mon compte",
    "type": "checking",
    "currency": "EUR",
    "balance": "1500",
    "institution_name": "banque du test",
}


def add(world: World, **fields: Any) -> str:
    """The path of a new manual account."""
    reply = world.api("POST", "/v1/accounts", BODY | fields)
    assert reply.status == 201, reply.body
    world.publish()
    return reply.headers["location"]


def join(world: World, path: str, account_id: str, **headers: str) -> Reply:
    reply = world.api("PUT", f"{path}/link", {"account_id": account_id}, **headers)
    world.publish()
    return reply


def part(world: World, path: str, **headers: str) -> Reply:
    reply = world.api("DELETE", f"{path}/link", **headers)
    world.publish()
    return reply


def manual(world: World, path: str) -> Any:
    [found] = [a for a in listed(world)["manual_accounts"] if a["id"] == path.rpartition("/")[2]]
    assert world.api("GET", path).json == found
    return found


def listed(world: World) -> Any:
    """The list, which must be what the events of the bus fold to."""
    world.publish()
    shown_list = world.api("GET", "/v1/connections").json
    assert folded(world.aws.bus) == shown(shown_list)
    return shown_list


def counted(world: World) -> list[str]:
    """Ids of the accounts that count."""
    everything = listed(world)
    accounts = [a for c in everything["connections"] for a in c["accounts"]] + everything["manual_accounts"]
    return [a["id"] for a in accounts if a["enabled"] and a["duplicate_of"] is None]


def told(world: World, path: str) -> list[tuple[int, str, bool]]:
    """What the events said of the manual account: (revision, change, enabled)."""
    return [
        (event["data"]["revision"], line["change"], line["enabled"])
        for event in world.events("AccountsUpdated")
        for line in event["data"]["accounts"]
        if line["account_id"] == path.rpartition("/")[2]
    ]


def read(world: World, connection: Connection) -> None:
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()
