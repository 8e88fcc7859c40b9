"""The one world of this process: what the product reaches the outside by leads there."""

import contextlib
import os
import random
import sys
from collections.abc import Collection, Iterator
from datetime import datetime, tzinfo
from typing import Any, Self
from unittest import mock

import botocore.client

from functions.powens_webhook import app as powens_webhook
from shared import bootstrap, live_bootstrap
from shared.adapters import outbox
from shared.application import webview
from shared.bootstrap import Container
from shared.entrypoints.observability import logger
from tests.simulation.engine import Chance
from tests.simulation.world.processes import SETTINGS
from tests.simulation.world.releases import two_releases
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.deployment import aws_client


class _Installed:
    """Where the process' patched places look for the world that runs now."""

    world: SimulatedWorld


class SimulatedDatetime(datetime):
    """Stands in for `datetime` in the one handler that asks it for the time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        task = _Installed.world.engine.current
        assert task is not None
        return cls.fromisoformat((_Installed.world.engine.now + task.worker.skew).isoformat())


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Patch what the product reaches the outside by, for as many worlds as are run inside."""
    every_client: Any = botocore.client.BaseClient

    class Identifier:
        def __init__(self) -> None:
            self.hex = _Installed.world.secret()

    class Secrets:
        @staticmethod
        def token_urlsafe(size: int) -> str:
            return _Installed.world.secret(size)

    def new_id() -> str:
        return _Installed.world.new_id()

    with contextlib.ExitStack() as stack:
        stack.enter_context(two_releases(lambda: _Installed.world))
        stack.enter_context(mock.patch.dict(os.environ, SETTINGS))
        stack.enter_context(
            mock.patch.object(
                every_client,
                "_make_api_call",
                lambda client, operation, given: _Installed.world.aws.call(client, operation, given),  # noqa: PLW0108 - of now
            )
        )
        for target, name, value in (
            (Container, "client", lambda _, service: aws_client(service)),
            (live_bootstrap, "aws_client", lambda service, **_: aws_client(service)),
            (bootstrap, "new_id", new_id),
            (outbox, "uuid4", Identifier),
            (webview, "secrets", Secrets),
            (powens_webhook, "datetime", SimulatedDatetime),
            (powens_webhook, "_sqs", lambda: aws_client("sqs")),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(mock.patch("requests.sessions.HTTPAdapter", lambda: _Installed.world.powens))  # noqa: PT008
        for name, module in list(sys.modules.items()):
            if name.startswith("functions.") and callable(getattr(module, "container", None)):
                function = name.split(".")[1]
                made = lambda function=function: _Installed.world.container(function)  # noqa: E731
                stack.enter_context(mock.patch.object(module, "container", made))
        yield


@contextlib.contextmanager
def running(chance: Chance, calls_per_minute: int = 0, kinds: Collection[str] = ()) -> Iterator[SimulatedWorld]:
    """A world that is the one of this process for a while. Its unfinished tasks are let go at the end."""
    world = SimulatedWorld(chance, calls_per_minute, kinds)
    _Installed.world = world
    random.seed(int(chance.roll("random") * (1 << 56)))
    handler: Any = logger.registered_handler
    before, handler.stream = handler.stream, world.logs
    stdout, sys.stdout = sys.stdout, world.logs
    try:
        yield world
    finally:
        world.engine.close()
        handler.stream, sys.stdout = before, stdout
