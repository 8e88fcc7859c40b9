"""`first-contact` and `powens-setup` on the running system: what an operator types after a deployment."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from local.identity import Issuer
from local.paths import STATE
from ops.__main__ import CONFIG_TOKEN, TEST_USER_TOKEN, main
from ops.first_contact import unknowns
from tests.e2e.conftest import System

pytestmark = pytest.mark.slow

STACK = ["--stack", "synced-accounts-dev"]
OPERATOR = "sandbox-config-token"

type Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command in the environment that `make endpoint` prints; its exit status, and what it said."""
    environment = {
        "AWS_ENDPOINT_URL": system.aws_endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        CONFIG_TOKEN: OPERATOR,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)

    def type_in(command: str, *arguments: str) -> tuple[int, str]:
        status = main([command, *STACK, *arguments])
        said = capsys.readouterr()
        assert said.err == ""
        return status, said.out

    return type_in


@pytest.fixture
def watched(system: System) -> Iterator[None]:
    """Somebody is told of the alarms, as an operator sees to after a deployment."""
    client, topic = system.client("sns"), system.outputs["AlarmTopicArn"]
    queue = system.client("sqs").create_queue(QueueName=f"alarms-{uuid4().hex[:8]}")["QueueUrl"]
    arn = system.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    subscribed = client.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    yield
    client.unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])


@pytest.fixture
def sandbox(system: System) -> Iterator[httpx.Client]:
    """The other side's settings are put back."""
    with system.sandbox() as client:
        before = client.get("/sandbox/settings").raise_for_status().json()["settings"]
        yield client
        changed = ("naive_timezone", "gone_user_status", "account_type_form", "agent")
        client.patch("/sandbox/settings", json={name: before[name] for name in changed}).raise_for_status()


@pytest.fixture
def test_user(system: System, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody who has never been here; the id."""
    user = f"contact-{uuid4().hex[:12]}"
    monkeypatch.setenv(TEST_USER_TOKEN, Issuer(system.url, STATE / "issuer.pem").token(user)[0])
    return user


def failures(said: str) -> list[str]:
    return re.findall(r"^FAILED +(.+?):", said, re.MULTILINE)


@pytest.mark.usefixtures("watched", "test_user")
def test_a_fresh_deployment_passes_and_every_unknown_is_written_down(
    system: System, typed: Typed, sandbox: httpx.Client, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"

    status, said = typed("first-contact", "--yes", "--retry-minutes", "0.5", "--report", str(report))

    assert (status, failures(said)) == (0, []), said
    rows = report.read_text("utf-8").splitlines()[4:]
    assert len(rows) == len(unknowns.unknowns())
    assert [row for row in rows if "| not seen |" in row] == []
    # As the sandbox is set by default, it does what we assume.
    assert [row for row in rows if not row.endswith("| nothing |") and "429" not in row] == []
    # Nothing of it is left.
    users = sandbox.get("/sandbox/users").raise_for_status().json()["users"]
    assert not [c for user in users for c in user["connections"] if c["connector"] == "connecteur-de-test"]
    headers = {"authorization": f"Bearer {OPERATOR}"}
    hooks = sandbox.get("/2.0/webhooks", headers=headers).raise_for_status().json()["webhooks"]
    assert not [hook for hook in hooks if hook["url"].endswith("/first-contact")]


@pytest.mark.usefixtures("watched", "test_user")
def test_a_domain_that_is_otherwise_is_told_with_what_to_set(
    typed: Typed, sandbox: httpx.Client, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    otherwise = {"naive_timezone": "UTC", "gone_user_status": "404", "account_type_form": "object"}
    sandbox.patch("/sandbox/settings", json=otherwise).raise_for_status()

    status, said = typed("first-contact", "--yes", "--report", str(report))

    assert (status, failures(said)) == (0, []), said
    rows = dict(zip(unknowns.unknowns(), report.read_text("utf-8").splitlines()[4:], strict=True))
    assert "| UTC | set `PARIS`" in rows["date-zone"]
    assert "| object | nothing: an object with a `name` is read, too |" in rows["account-type-form"]
    assert "| 404 notFound | nothing |" in rows["gone-user-status"]


@pytest.mark.usefixtures("watched", "test_user")
def test_where_nobody_may_send_credentials_by_the_api_and_nobody_sits_there_the_user_goes_again(
    typed: Typed, sandbox: httpx.Client, system: System, test_user: str
) -> None:
    sandbox.patch("/sandbox/settings", json={"agent": False}).raise_for_status()

    status, said = typed("first-contact", "--yes")

    assert status == 0
    assert "skipped  a new connection is shown: the API answers 403" in said
    assert "ok       the test user is erased" in said
    scan = system.client("dynamodb").get_paginator("scan").paginate(TableName=system.outputs["TableName"])
    assert not [
        item
        for page in scan
        for item in page["Items"]
        if item["pk"]["S"] == f"USER#{test_user}" and "sealed_token" in item
    ]


@pytest.mark.usefixtures("watched")
def test_what_was_broken_since_is_noticed(system: System, typed: Typed) -> None:
    cloudwatch, scheduler, secrets = (system.client(name) for name in ("cloudwatch", "scheduler", "secretsmanager"))
    lambdas, schedule = system.client("lambda"), "synced-accounts-dev-orphan-check"
    shown = scheduler.get_schedule(Name=schedule)
    kept = {name: shown[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    key = secrets.get_secret_value(SecretId="synced-accounts/dev/webhook")["SecretString"]
    function = system.outputs["AccountsApiFunctionName"]

    cloudwatch.disable_alarm_actions(AlarmNames=["synced-accounts-dev-unexpected-errors"])
    scheduler.update_schedule(**kept, State="DISABLED")
    secrets.put_secret_value(SecretId="synced-accounts/dev/webhook", SecretString='{"current": "of another provider"}')
    described = lambdas.get_function_configuration(FunctionName=function)["Description"]
    lambdas.update_function_configuration(FunctionName=function, Description="another")
    newer = lambdas.publish_version(FunctionName=function)["Version"]
    try:
        status, said = typed("first-contact", "--yes")
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=["synced-accounts-dev-unexpected-errors"])
        scheduler.update_schedule(**kept, State="ENABLED")
        secrets.put_secret_value(SecretId="synced-accounts/dev/webhook", SecretString=key)
        lambdas.delete_function(FunctionName=function, Qualifier=newer)
        lambdas.update_function_configuration(FunctionName=function, Description=described)

    assert status == 1
    assert failures(said) == [
        "the newest version is live",
        "the schedules are on",
        "the alarms are armed",
        "a signed webhook is queued and read",
    ], said


def test_the_setup_of_the_domain_finds_what_the_launcher_made(typed: Typed, system: System) -> None:
    status, said = typed("powens-setup")

    assert status == 1
    assert re.findall(r"^(?:missing|wrong|waits|by hand) +(.+?)  ", said, re.MULTILINE) == [
        "compression of webhooks",
        "deployed webhook key",
    ], said
    assert len(re.findall(r"^ok +webhook ", said, re.MULTILINE)) == 7
    assert OPERATOR not in said
