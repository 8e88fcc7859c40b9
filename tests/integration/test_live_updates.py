"""`live_updates` on moto's table, with boto3's own client of the sockets and a real exchange with the token issuer."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema
import pytest
from moto import mock_aws

from functions.live_updates import app
from local.identity import AUDIENCE
from shared.adapters import aws
from shared.domain.errors import Unavailable
from shared.entrypoints.observability import logger
from tests.builders import FixedClock
from tests.integration.event_documents import ASYNCAPI
from tests.integration.world import Context
from tests.live_wire import Wire, wire
from tests.worlds.deployment import aws_client, resources

TABLE = "accounts-table"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("issuer")) as made:
        yield made
    _made_once.cache_clear()


@dataclass
class System:
    """The function with everything around it. Ids of sockets end like API Gateway's, which an address must escape."""

    wire: Wire
    clock: FixedClock
    dynamodb: Any
    _next: int = 0

    def call(self, event: dict[str, Any]) -> Any:
        context: Any = Context()
        return app.lambda_handler(event, context)

    def connects(self, user: str, **claims: Any) -> tuple[str, int]:
        """The new socket's id and the handshake's status."""
        self._next += 1
        socket = f"L0SM9cOFvHc{self._next}="
        token, _ = self.wire.issuer.token(user, **claims)
        answer = self.call(
            {
                "headers": {"Sec-WebSocket-Protocol": f"synced-accounts, bearer.{token}"},
                "requestContext": {"routeKey": "$connect", "connectionId": socket},
            }
        )
        if answer["statusCode"] == 200:
            self.wire.open[socket] = []
        return socket, answer["statusCode"]

    def opens(self, user: str, **claims: Any) -> str:
        socket, status = self.connects(user, **claims)
        assert status == 200
        return socket

    def leaves(self, socket: str) -> None:
        self.wire.open.pop(socket, None)
        self.call({"requestContext": {"routeKey": "$disconnect", "connectionId": socket}})

    def happens(self, user: str, revision: int = 1) -> None:
        """The rule of the bus hands an event over."""
        metadata = {"event_id": "01J", "schema_version": 1, "correlation_id": "c", "cause": "user"}
        data = {"user_id": user, "connection_id": "c1", "revision": revision, "accounts": []}
        self.call(
            {
                "source": "synced-accounts",
                "detail-type": "AccountsUpdated",
                "detail": {"metadata": metadata, "data": data},
            }
        )

    def revisions(self, socket: str) -> list[object]:
        return [message["revision"] for message in self.wire.open[socket]]

    def kept(self) -> set[tuple[str, str]]:
        items = self.dynamodb.scan(TableName=TABLE)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]) for item in items}


# To make a client reads megabytes of service descriptions: one each for all tests.
_made_once = cache(aws.aws_client)


@pytest.fixture
def system(started: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    settings = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "TABLE_NAME": TABLE,
        "LIVE_ENDPOINT": started.endpoint,
        "JWT_ISSUER": started.url,
        "JWT_AUDIENCE": AUDIENCE,
        "POWERTOOLS_SERVICE_NAME": "synced-accounts",
        "POWERTOOLS_METRICS_NAMESPACE": "SyncedAccounts",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    started.open.clear()
    started.closed.clear()
    started.broken.clear()
    started.keys_up = True
    monkeypatch.setattr("shared.live_bootstrap.aws_client", _made_once)
    with mock_aws():
        table = resources()["Table"]["Properties"]
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        dynamodb = aws_client("dynamodb")
        dynamodb.create_table(TableName=TABLE, **{name: table[name] for name in names})
        app.container.cache_clear()
        container = app.container()
        made = System(started, FixedClock(container.clock()), dynamodb)
        monkeypatch.setattr(container, "clock", made.clock)
        yield made
        container.verifier.session.close()
        app.container.cache_clear()


def test_a_change_is_heard_by_all_screens_of_its_user_and_by_nobody_else(system: System) -> None:
    phone, laptop, other = system.opens("alice"), system.opens("alice"), system.opens("bob")
    system.happens("alice", 4)

    assert [system.revisions(socket) for socket in (phone, laptop, other)] == [[4], [4], []]
    assert system.wire.open[phone][0] == {
        "type": "changed",
        "event": "AccountsUpdated",
        "connection_id": "c1",
        "revision": 4,
    }


def test_what_a_screen_hears_is_as_the_asyncapi_document_says(system: System) -> None:
    document = json.loads(ASYNCAPI.read_text("utf-8"))
    payload = document["components"]["messages"]["changed"]["payload"] | {"additionalProperties": False}
    screen = system.opens("alice")
    system.happens("alice", 4)
    [heard] = system.wire.open[screen]
    jsonschema.validate(heard, payload)
    jsonschema.validate({**heard, "connection_id": None}, payload)
    for name in heard:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({other: heard[other] for other in heard if other != name}, payload)


def test_a_users_name_that_begins_like_anothers_is_another_user(system: System) -> None:
    longer = system.opens("alice2")
    system.happens("alice")

    assert system.revisions(longer) == []


@pytest.mark.parametrize("claims", [{"aud": "another-app"}, {"exp": 1}, {"iss": "https://login.example.com"}])
def test_a_refused_token_leaves_nothing_behind(system: System, claims: dict[str, Any]) -> None:
    assert system.connects("alice", **claims)[1] == 401
    assert system.kept() == set()


def test_an_issuer_that_does_not_answer_opens_nothing(system: System) -> None:
    system.wire.keys_up = False
    with pytest.raises(Unavailable):
        system.connects("alice")
    assert system.kept() == set()


def test_a_closed_socket_is_forgotten_and_closing_it_twice_is_no_trouble(system: System) -> None:
    socket, stays = system.opens("alice"), system.opens("alice")
    system.leaves(socket)
    system.leaves(socket)
    system.happens("alice")

    assert system.revisions(stays) == [1]
    assert len(system.kept()) == 2


def test_a_socket_that_vanished_without_a_word_is_forgotten_at_the_next_change(system: System) -> None:
    vanished = system.opens("alice")
    del system.wire.open[vanished]
    system.happens("alice")
    assert len(system.kept()) == 2

    system.clock.advance(minutes=1)
    system.happens("alice")
    assert system.kept() == set()


def test_a_socket_outlives_no_token_and_is_closed_at_the_first_change_after_it(system: System) -> None:
    old = system.opens("alice", exp=int(system.clock().timestamp()) + 300)
    new = system.opens("alice")
    system.clock.advance(minutes=6)
    system.happens("alice")

    assert system.wire.closed == [old]
    assert system.revisions(new) == [1]
    assert len(system.kept()) == 2


def test_a_screen_out_of_reach_fails_the_call_after_the_others_have_heard_and_a_retry_reaches_it(
    system: System,
) -> None:
    first, broken, last = (system.opens("alice") for _ in range(3))
    system.wire.broken.add(broken)
    with pytest.raises(ExceptionGroup):
        system.happens("alice")
    assert [system.revisions(socket) for socket in (first, last)] == [[1], [1]]

    system.wire.broken.clear()
    system.happens("alice")
    assert system.revisions(broken) == [1]


def test_sockets_expire_from_the_table_by_themselves(system: System) -> None:
    until = int(system.clock().timestamp()) + 600
    system.opens("alice", exp=until)
    items = system.dynamodb.scan(TableName=TABLE)["Items"]

    assert [int(item["ttl"]["N"]) for item in items] == [until, until]


def test_no_token_reaches_the_table_or_the_log(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(
        logger.registered_handler, "emit", lambda record: written.append(logging.Formatter().format(record))
    )
    token, _ = system.wire.issuer.token("alice", aud="another-app")
    system.opens("alice")
    system.connects("alice", aud="another-app")
    everything = json.dumps([written, system.dynamodb.scan(TableName=TABLE)["Items"]])

    assert "socket refused" in everything
    # What every token of this issuer begins with.
    assert token[:20] not in everything
