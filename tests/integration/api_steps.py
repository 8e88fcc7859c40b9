"""What the tests of the API's rules share: a connection's path, keys, and what a refusal looks like."""

from shared.domain.connection import connection_id
from tests.integration.world import Reply, World
from tests.worlds.powens.model import Connection

PATH = f"/v1/connections/{connection_id(77)}"


def refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.json["code"]) == (status, code), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["request_id"] == "ZkLmNoPqRsTuVwX="
    assert reply.json["detail"]


def key(number: int) -> str:
    return f"3f0c5a54-9f5b-4c55-8f3c-{number:012d}"


def take_in(world: World, connection: Connection, *, user: str = "alice") -> None:
    """Whoever has not come back confirms the connection by one of its accounts."""
    known = next(account.iban for account in connection.accounts.values() if account.iban)
    path = f"/v1/connections/{connection_id(connection.id)}/confirmation"
    assert world.api("POST", path, {"iban_last4": known[-4:]}, user=user).status == 200
    world.settle()
