"""The system that `make run` starts, on free ports, once per test session."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from local.paths import LOCAL_PYTHON, ROOT
from local.spy import Spy
from tests.clients.packages import app, generated
from tests.polling import eventually

__all__ = ["app", "generated"]

READY_SECONDS = 180.0  # with a first build on a busy machine


@dataclass
class System:
    """How a test reaches the running system: through its public addresses, and the AWS double for what is inside.

    `plane_url` is the launcher's own door. `outputs` are the stack's, `functions` maps logical ids to function names,
    `logs` is the folder of their logs.
    """

    url: str
    sandbox_url: str
    aws_endpoint: str
    plane_url: str
    outputs: dict[str, str]
    functions: dict[str, str]
    logs: Path
    launcher: int
    _spy: Spy
    _events: list[dict[str, Any]] = field(default_factory=list)

    def token(self, user: str) -> str:
        """A bearer token of a demo user: alice has two banks, bob one, carol none."""
        answer = httpx.post(f"{self.url}/demo/token", json={"user": user}, timeout=10)
        return str(answer.raise_for_status().json()["token"])

    def api(self, user: str, **headers: str) -> httpx.Client:
        """An HTTP client signed in as this user; the caller closes it."""
        signed_in = {"authorization": f"Bearer {self.token(user)}", **headers}
        return httpx.Client(base_url=self.url, headers=signed_in, timeout=30)

    def sandbox(self) -> httpx.Client:
        """An HTTP client of the Powens sandbox; the caller closes it."""
        return httpx.Client(base_url=self.sandbox_url, timeout=30)

    def client(self, service: str) -> Any:
        """A boto3 client of the AWS double with the operator's credentials."""
        session = boto3.session.Session("test", "test", region_name="us-east-1")
        return session.client(service, endpoint_url=self.aws_endpoint)  # type: ignore[call-overload]

    def mark(self) -> int:
        """A place in the flow of events, for `events`."""
        self._events.extend(self._spy.receive())
        return len(self._events)

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """The events seen on the bus since a mark, as EventBridge envelopes in the order of arrival."""
        self._events.extend(self._spy.receive())
        return self._events[since:]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Started with demo data. A test that changes a user's accounts must not count on those of another test."""
    with started(tmp_path_factory.mktemp("system")) as system:
        yield system


@contextlib.contextmanager
def started(state: Path, *options: str) -> Iterator[System]:
    """A system of its own on free ports, which keeps its logs in the folder `state`; `options` are of `local run`."""
    output = state / "launcher.log"
    command = [str(LOCAL_PYTHON), "-m", "local", "run", "--port=0", "--sandbox-port=0", f"--state={state}", *options]
    # Somebody may go on working meanwhile. People here confirm their banks, as the page does (ADR 0043).
    command += ["--ignore-edits", "--parameter=ConfirmConnectionsWithinMinutes=60"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV_"))}
    # What Powens does at leisure is hurried, so that a test of a lost delivery takes seconds.
    environment["POWENS_SANDBOX_WEBHOOK_RETRY_INTERVAL"] = "1"
    with output.open("wb") as log:
        launcher = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        described = eventually(lambda: _described(state, launcher, output), seconds=READY_SECONDS)
        assert not described["remarks"], described["remarks"]
        session = boto3.session.Session("test", "test", region_name="us-east-1")

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=described["aws_endpoint"])  # type: ignore[call-overload]

        yield System(
            described["url"],
            described["sandbox_url"],
            described["aws_endpoint"],
            described["plane_url"],
            described["outputs"],
            described["functions"],
            state / "logs",
            described["pid"],
            Spy(client, described["outputs"]["EventBusName"]),
        )
    finally:
        _stop(launcher)


def _described(state: Path, launcher: "subprocess.Popen[bytes]", output: Path) -> dict[str, Any] | None:
    if launcher.poll() is not None:
        pytest.fail(f"the system did not start:\n{output.read_text('utf-8', 'replace')}")
    file = state / "system.json"
    if not file.exists():
        return None
    described: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return described


def _stop(launcher: "subprocess.Popen[bytes]") -> None:
    began = time.monotonic()
    if launcher.poll() is None:
        launcher.send_signal(signal.SIGTERM)
    try:
        launcher.wait(timeout=20)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
        pytest.fail(f"the launcher did not stop within {time.monotonic() - began:.0f} s")
