"""What `make run` promises about itself: it starts, says when it cannot, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import boto3
import httpx
import pytest

from local.paths import LOCAL_PYTHON, ROOT
from tests.e2e.conftest import System
from tests.polling import eventually

pytestmark = pytest.mark.slow

# What runs of one launcher: its children, and theirs.
type Pids = set[int]


def descendants(pid: int) -> Pids:
    found: Pids = set()
    children = Path(f"/proc/{pid}/task").glob("*/children")
    for listed in children:
        for child in listed.read_text("ascii").split():
            found |= {int(child)} | descendants(int(child))
    return found


def running(pids: Pids) -> Pids:
    """Those still there; a zombie has ended."""
    left = set()
    for pid in pids:
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text("ascii").rpartition(")")[2].split()[0] != "Z":
            left.add(pid)
    return left


def start(state: Path, *options: str) -> "subprocess.Popen[bytes]":
    command = [str(LOCAL_PYTHON), "-m", "local", "run", "--port", "0", "--sandbox-port", "0", "--state", str(state)]
    with (state / "launcher.log").open("wb") as log:
        return subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)


def test_the_page_and_the_sandbox_answer(system: System) -> None:
    page = httpx.get(system.url)
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert httpx.get(f"{system.url}/config.json").json()["demo"] is True
    assert httpx.get(f"{system.sandbox_url}/sandbox/health").status_code == 200
    assert httpx.get(f"{system.url}/health").status_code == 200


def test_the_api_asks_for_a_token_and_the_webhooks_for_a_signature(system: System) -> None:
    assert httpx.get(f"{system.url}/v1/connections").status_code == 401
    assert httpx.post(f"{system.url}/webhooks/powens/account-enabled", json={}).status_code == 401
    assert httpx.get(f"{system.url}/nothing-here").json() == {"message": "Not Found"}


def test_the_execution_roles_are_enforced(system: System) -> None:
    """The webhook's role may queue hints and nothing else, offline as on AWS."""
    name = system.functions["PowensWebhookFunction"]
    role = system.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    credentials = system.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.session.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], "us-east-1"
    )
    table = session.client("dynamodb", endpoint_url=system.aws_endpoint)
    with pytest.raises(table.exceptions.ClientError, match="AccessDenied"):
        table.scan(TableName=system.outputs["TableName"])


def test_nothing_of_the_template_that_runs_is_left_out_offline(system: System) -> None:
    described = json.loads((system.logs.parent / "system.json").read_text("utf-8"))
    # Nobody runs saved queries here, and the launcher has made the secret itself.
    left_out = ("AWS::Logs::QueryDefinition", "AWS::SecretsManager::Secret")
    assert [line for line in described["dropped"] if not any(kind in line for kind in left_out)] == []


def test_a_choice_becomes_an_event_within_seconds(system: System) -> None:
    with system.api("bob") as api:
        connection = api.get("/v1/connections").json()["connections"][0]
        account = next(one for one in connection["accounts"] if one["enabled"])
        mark = system.mark()
        answer = api.patch(f"/v1/accounts/{account['id']}", json={"enabled": False})
        assert answer.status_code == 202, answer.text
        found = eventually(
            lambda: [
                event["detail"]["data"]["accounts"]
                for event in system.events(mark)
                if event["detail-type"] == "AccountsUpdated"
                and event["detail"]["data"]["connection_id"] == connection["id"]
            ],
            seconds=10,
        )
    assert [(one["account_id"], one["enabled"]) for one in found[0]] == [(account["id"], False)]


def test_a_port_in_use_is_said_in_one_line(system: System, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for option in ("--port", "--sandbox-port"):
            result = subprocess.run(
                [LOCAL_PYTHON, "-m", "local", "run", "--port=0", "--sandbox-port=0", option, str(port)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert result.returncode == 1
            assert result.stdout == ""
            assert result.stderr.count("\n") == 1
            assert f"port {port} is in use" in result.stderr


def ends_without_a_trace(launcher: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    children = descendants(launcher.pid)
    # The double, the sandbox and a process for each function.
    assert len(children) >= 8
    os.kill(launcher.pid, number)
    launcher.wait(timeout=20)
    eventually(lambda: not running(children), seconds=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_no_process_outlives_the_launcher(number: signal.Signals, tmp_path: Path) -> None:
    launcher = start(tmp_path, "--no-demo-data")
    eventually((tmp_path / "system.json").exists, seconds=60)
    ends_without_a_trace(launcher, number)


@pytest.mark.quiet
def test_a_fresh_system_is_ready_in_time_and_has_the_demo_users_with_their_banks(tmp_path: Path) -> None:
    launcher = start(tmp_path)
    try:
        described = json.loads(eventually(lambda: text_of(tmp_path / "system.json"), seconds=60))
        banks = {}
        for user in httpx.get(f"{described['url']}/demo/users").json():
            token = httpx.post(f"{described['url']}/demo/token", json={"user": user["id"]}).json()["token"]
            answer = httpx.get(
                f"{described['url']}/v1/connections", headers={"authorization": f"Bearer {token}"}, timeout=30
            )
            banks[user["name"]] = sorted(one["institution"]["name"] for one in answer.json()["connections"])
    finally:
        ends_without_a_trace(launcher, signal.SIGTERM)
    assert banks == {"Alice": ["Banque Horizon", "Revolut"], "Bob": ["Banque Horizon"], "Carol": []}
    # The build is there already: what `make run` promises for every time but the first.
    assert sum(described["timings"].values()) < 25
    assert not (tmp_path / "system.json").exists()


def text_of(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None
