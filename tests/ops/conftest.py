"""A Powens domain of a test's own: the sandbox, behind the way that commands send their requests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from ops.powens import Powens
from ops.system import System
from ops.wire import Answer
from powens_sandbox.tests.driver import running

POWENS_URL = "https://acme-sandbox.biapi.pro"
PUBLIC_URL = "https://accounts.dev.example.com"
CONFIG_TOKEN = "sandbox-config-token"


@dataclass
class Sandbox:
    """`asked` are the method and path of each request that came over the wire, `bodies` what was in them."""

    http: httpx.Client
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Answer:
        path = url.removeprefix(POWENS_URL)
        self.asked.append((method, path))
        self.bodies.append(body or b"")
        answer = self.http.request(method, path, headers=dict(headers), content=body, follow_redirects=False)
        shown = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, shown, answer.content, answer.elapsed.total_seconds())

    @property
    def powens(self) -> Powens:
        return Powens(f"{POWENS_URL}/2.0", self.send)

    def console(self, method: str, path: str, body: object = None) -> Any:
        """A call of the operator's that is no part of what is tested."""
        headers = {"authorization": f"Bearer {CONFIG_TOKEN}"}
        answer = self.http.request(method, f"/2.0{path}", json=body, headers=headers)
        return answer.raise_for_status().json()

    def fault(self, **fault: object) -> None:
        self.http.post("/sandbox/faults", json={"target": "api", **fault}).raise_for_status()


@pytest.fixture(scope="session")
def process() -> Iterator[httpx.Client]:
    with running(
        webhook_base_url="", redirect_uris="", forced_sync_seconds=0, sync_delay=0.05, webhook_retry_interval=0.3
    ) as started:
        yield started.http


@pytest.fixture
def sandbox(process: httpx.Client) -> Sandbox:
    """An empty domain: no user, no webhook, no provider, no redirect URI."""
    process.post("/sandbox/reset").raise_for_status()
    return Sandbox(process)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager with what is put there by hand before a first deployment."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client: Any = boto3.Session("t", "t").client("secretsmanager", "eu-west-3")
        client.create_secret(
            Name="synced-accounts/dev/powens",
            SecretString=json.dumps({"client_id": "10000001", "client_secret": "sandbox-client-secret"}),
        )
        client.create_secret(Name="synced-accounts/dev/webhook", SecretString=json.dumps({"current": "placeholder"}))
        yield client


@pytest.fixture
def stack(secrets: Any) -> System:
    """A stack that was deployed for the first time."""
    return System(
        client=lambda service: {"secretsmanager": secrets}[service],
        outputs={
            "WebviewReturnUrl": f"{PUBLIC_URL}/v1/webview-return",
            "WebhooksUrl": f"{PUBLIC_URL}/webhooks/powens",
        },
        parameters={
            "PowensApiUrl": f"{POWENS_URL}/2.0",
            "PowensDomain": "acme-sandbox.biapi.pro",
            "PowensSecretName": "synced-accounts/dev/powens",
            "WebhookSecretName": "synced-accounts/dev/webhook",
            "WebhookSecretVersionId": "",
        },
        name="synced-accounts-dev",
    )
