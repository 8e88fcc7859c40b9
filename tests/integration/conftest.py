"""The world of the functions, and what must hold in every test in it.

Nothing secret is anywhere, events are as agreed, the API answers as its description says, on the short way as by its
routes, and nothing is asked of AWS that the template's roles forbid.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from moto import mock_aws

from functions.accounts_api import app as accounts_api
from functions.powens_webhook import app as powens_webhook
from shared.bootstrap import Container
from shared.entrypoints.observability import logger
from tests.integration.described import check_described
from tests.integration.event_schemas import check
from tests.integration.permissions import Action, actions, allows
from tests.integration.released import TABLES, load
from tests.integration.released_journey import with_simple_seal
from tests.integration.short_way import check_same_by_the_routes
from tests.integration.world import FUNCTIONS, World, WorldTime
from tests.worlds.deployment import aws_client


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.setattr(Container, "client", lambda _, service: aws_client(service))
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "synced-accounts")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "SyncedAccounts")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        made = World()
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        # Every call of every AWS client goes through this method, which the stubs leave out.
        every_client: Any = botocore.client.BaseClient
        real = every_client._make_api_call
        asked: set[tuple[str, Action]] = set()

        def call(client: Any, name: str, given: dict[str, Any]) -> Any:
            if made.aws.function and not made.aws.outside:
                needed = actions(client.meta.service_model.service_name, name, given)
                asked.update((made.aws.function, action) for action in needed)
            return made.aws.call(real, client, name, given)

        monkeypatch.setattr(every_client, "_make_api_call", call)
        # The adapter that every session of requests would mount.
        monkeypatch.setattr("requests.sessions.HTTPAdapter", lambda: made.powens)
        monkeypatch.setattr(logger.registered_handler, "stream", made.logs)
        monkeypatch.setattr(powens_webhook, "datetime", type("Time", (WorldTime,), {"clock": made.clock}))
        answering = accounts_api.lambda_handler

        def answer_as_described(event: dict[str, Any], context: Any) -> dict[str, Any]:
            logged = len(made.logs.getvalue())
            answer = answering(event, context)
            check_described(event, answer)
            check_same_by_the_routes(made, event, answer, made.logs.getvalue()[logged:])
            return answer

        monkeypatch.setattr(accounts_api, "lambda_handler", answer_as_described)
        powens_webhook._sqs.cache_clear()
        for function in FUNCTIONS:
            function.container.cache_clear()
            made.prepare(function.container())
        yield made
        check_nothing_secret(made)
        assert {(function, action) for function, action in asked if not allows(function, action)} == set()
        for event in made.aws.bus:
            check(event["detail-type"], event["detail"])
        for function in FUNCTIONS:
            function.container.cache_clear()
        powens_webhook._sqs.cache_clear()


@pytest.fixture
def clients_that_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    """New connections have to be confirmed (ADR 0043), in whatever world comes after."""
    monkeypatch.setenv("CONFIRM_CONNECTIONS_WITHIN_MINUTES", "60")


@pytest.fixture(params=TABLES, ids=lambda path: path.name)
def table(request: pytest.FixtureRequest) -> Path:
    """A recording of what released code left."""
    recording: Path = request.param
    return recording


@pytest.fixture
def released(world: World, table: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of a recording, before the messages that were on their way are delivered."""
    with_simple_seal(monkeypatch)
    load(world, table)
    return world


def check_nothing_secret(world: World) -> None:
    """No token, code, secret, IBAN or text of Powens in a log, an event or, in the clear, in the table."""
    places = {"log": world.logs.getvalue(), "bus": repr(world.aws.bus), "table": repr(world.items())}
    places["queues"] = repr([queue.messages + queue.dead for queue in world.aws.queues.values()])
    for place, text in places.items():
        for secret in world.powens.secrets:
            assert secret not in text, f"{secret} in the {place}"
    names = {
        account.name for connection in world.powens.connections.values() for account in connection.accounts.values()
    }
    for private in (*names, "1523.07", "Banque du Test"):
        assert private not in places["log"], f"{private} in the log"
        assert private not in places["bus"], f"{private} in the events"
