"""What the tests of the API's rules share: a connection's path, keys, and what a refusal looks like."""

from shared.domain.connection import connection_id
from tests.integration.world import Reply

PATH = f"/v1/connections/{connection_id(77)}"


def refused(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.json["code"]) == (status, code), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["request_id"] == "ZkLmNoPqRsTuVwX="
    assert reply.json["detail"]


def key(number: int) -> str:
    return f"3f0c5a54-9f5b-4c55-8f3c-{number:012d}"
