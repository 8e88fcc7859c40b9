"""The ingress of webhooks, from the HTTP API's event to the answer, the queue and the log."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from functions.powens_webhook import app
from shared import webhooks

EVENTS = Path(__file__).parents[2] / "events" / "powens_webhook"
SECRET = "sim-secret-0001"
BODY = b'{"id":912,"id_user":41,"id_connection":77,"disabled":null,"id_webhook_data":5001}'


@dataclass
class Aws:
    """The queue, every AWS call, and the fault to answer with instead."""

    queue_url: str
    calls: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def messages(self) -> list[dict[str, Any]]:
        client = app._sqs()
        received = client.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return [
            {"body": json.loads(message["Body"])} | {str(name): text for name, text in message["Attributes"].items()}
            for message in received.get("Messages", [])
        ]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("WEBHOOK_SECRETS", json.dumps({"current": SECRET, "previous": "the-one-before"}))
    monkeypatch.delenv("WEBHOOK_TOLERANCE_SECONDS", raising=False)
    app._sqs.cache_clear()
    with mock_aws():
        created = app._sqs().create_queue(QueueName="refresh.fifo", Attributes={"FifoQueue": "true"})
        seen = Aws(created["QueueUrl"])
        monkeypatch.setenv("REFRESH_QUEUE_URL", seen.queue_url)
        # Every call of every AWS client goes through this method, which the stubs leave out.
        every_client: Any = botocore.client.BaseClient
        real = every_client._make_api_call

        def counted(self: object, operation: str, parameters: dict[str, Any]) -> object:
            seen.calls.append(operation)
            if seen.fault is not None:
                raise seen.fault
            return real(self, operation, parameters)

        monkeypatch.setattr(every_client, "_make_api_call", counted)
        yield seen
    app._sqs.cache_clear()


def event(name: str = "account-enabled", body: bytes = BODY, *, key: str = SECRET, **headers: str) -> dict[str, Any]:
    """An event as the HTTP API hands it over, signed now."""
    date = headers.pop("date", datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"))
    path = f"/webhooks/powens/{name}"
    said = f"POST.{path}.{date}.".encode() + body
    signature = base64.b64encode(hmac.new(key.encode(), said, hashlib.sha256).digest()).decode()
    template: dict[str, Any] = json.loads((EVENTS / "account-enabled.json").read_text("utf-8"))
    return template | {
        "rawPath": path,
        "pathParameters": {"event": name},
        "headers": template["headers"] | {"bi-signature": signature, "bi-signature-date": date} | headers,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def call(request: dict[str, Any]) -> dict[str, Any]:
    answer = app.lambda_handler(request, None)
    return {**answer, "json": json.loads(answer["body"])}


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def metrics(lines: list[dict[str, Any]]) -> list[str]:
    """The metrics of the lines, each declared in CloudWatch's embedded format and counted once."""
    names = []
    for line in lines:
        [declared] = line["_aws"]["CloudWatchMetrics"]
        [metric] = declared["Metrics"]
        assert declared["Namespace"] == "SyncedAccounts"
        assert declared["Dimensions"] == [["service"]]
        assert line["service"] == "synced-accounts"
        assert line[metric["Name"]] == 1
        names.append(metric["Name"])
    return names


@pytest.mark.parametrize(
    ("file", "connection", "reason"),
    [
        ("account-enabled", 77, "account-enabled"),
        ("account-found", 77, "account-found"),
        ("connection-deleted", 77, "connection-deleted"),
        ("connection-synced", 77, "connection-synced"),
        ("connection-synced-gzip", 77, "connection-synced"),
        ("user-deleted", None, "user-deleted"),
    ],
)
def test_a_signed_webhook_becomes_one_hint_with_one_aws_call(
    aws: Aws,
    file: str,
    connection: int | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The files have the date of the day they were signed.
    monkeypatch.setenv("WEBHOOK_TOLERANCE_SECONDS", str(100 * 366 * 86_400))
    before = datetime.now(UTC)
    answer = call(json.loads((EVENTS / f"{file}.json").read_text("utf-8")))
    assert (answer["statusCode"], answer["json"]) == (200, {"status": "queued"})
    assert aws.calls == ["SendMessage"]
    [message] = aws.messages()
    received_at = message["body"].pop("received_at")
    assert message["body"] == {
        "version": 1,
        "powens_user_id": 41,
        "powens_connection_id": connection,
        "origin": "webhook",
        "reason": reason,
        "correlation_id": "ZkLmNoPqRsTuVwX=",
    }
    assert message["MessageGroupId"] == "41"
    assert received_at.endswith("Z")
    assert len(received_at) == len("2026-03-05T09:41:07.120394Z")
    assert before <= datetime.fromisoformat(received_at) <= datetime.now(UTC)
    assert metrics(logged(capsys)) == ["QueuedWebhooks"]


def test_two_webhooks_that_say_the_same_at_two_moments_are_two_hints(aws: Aws) -> None:
    call(event(date=_moment(0)))
    call(event(date=_moment(1)))
    assert len(aws.messages()) == 2


@pytest.mark.parametrize("name", ["user-deleted", "connection-synced"])
def test_a_webhook_that_is_replayed_is_one_hint_however_often(aws: Aws, name: str) -> None:
    same = event(name, date=_moment(0))
    answers = [call(same | {"rawQueryString": f"again={n}"}) for n in range(60)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert len(aws.messages()) == 1


def _moment(microseconds: int) -> str:
    at = datetime.now(UTC).replace(microsecond=microseconds)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_body_of_text_is_signed_as_utf8(aws: Aws) -> None:
    body = '{"id":912,"id_user":41,"note":"déjà"}'
    request = event(body=body.encode()) | {"body": body, "isBase64Encoded": False}
    assert call(request)["statusCode"] == 200


def test_the_previous_secret_is_good_while_the_new_one_spreads(aws: Aws) -> None:
    assert call(event(key="the-one-before"))["statusCode"] == 200


def refusals() -> dict[str, dict[str, Any]]:
    good = event()
    old = (datetime.now(UTC) - timedelta(days=7, minutes=1)).isoformat()
    return {
        "unsigned": json.loads((EVENTS / "unsigned.json").read_text("utf-8")),
        "wrongly signed": event(key="a guess"),
        "stale": event(date=old),
        "from the future": event(date=(datetime.now(UTC) + timedelta(minutes=6)).isoformat()),
        "signed for another event": good | {"rawPath": "/webhooks/powens/account-disabled"},
        "changed on the way": good | {"body": base64.b64encode(BODY + b" ").decode()},
        "without body": {key: value for key, value in good.items() if key != "body"},
        "no base64": good | {"body": "a"},
        "without headers": good | {"headers": None},
        "a lone surrogate": good | {"body": "\ud800", "isBase64Encoded": False},
    }


@pytest.mark.parametrize("case", refusals())
def test_a_webhook_that_powens_did_not_sign_is_refused_without_an_aws_call(
    aws: Aws, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(refusals()[case])
    assert answer["statusCode"] == 401
    assert answer["headers"]["content-type"] == "application/problem+json"
    expected = "stale_signature" if case in ("stale", "from the future") else "bad_signature"
    assert answer["json"]["code"] == expected
    assert answer["json"]["status"] == 401
    assert answer["json"]["request_id"] == "ZkLmNoPqRsTuVwX="
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["RefusedSignatures"]


@pytest.mark.parametrize("setting", [None, "", "{}", '{"current": ""}', "{{resolve:secretsmanager:x}}"])
def test_without_a_secret_everything_is_refused(
    aws: Aws, setting: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if setting is None:
        monkeypatch.delenv("WEBHOOK_SECRETS")
    else:
        monkeypatch.setenv("WEBHOOK_SECRETS", setting)
    assert call(event(key=""))["statusCode"] == 401
    assert call(event())["statusCode"] == 401
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["MissingWebhookSecret", "RefusedSignatures"] * 2


def test_the_tolerance_is_a_setting(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TOLERANCE_SECONDS", "60")
    assert call(event(date=(datetime.now(UTC) - timedelta(seconds=50)).isoformat()))["statusCode"] == 200
    assert call(event(date=(datetime.now(UTC) - timedelta(seconds=70)).isoformat()))["statusCode"] == 401


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"id": 912}', b"\xff", b'{"id_user": "41"}'])
def test_a_signed_webhook_that_names_nobody_is_acknowledged_and_counted(
    aws: Aws, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(event(body=body))
    assert (answer["statusCode"], answer["json"]) == (200, {"status": "ignored"})
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["UnusableWebhooks"]


def test_categorised_transactions_are_acknowledged_and_not_called_unusable(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    body = b'{"transactions": [{"id": 5, "id_account": 912}], "id_webhook_data": 7}'
    answer = call(event("account-categorized", body))
    assert (answer["statusCode"], answer["json"]) == (200, {"status": "ignored"})
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["WebhooksWithoutUser"]


def test_a_body_inflated_on_the_way_is_read_although_its_header_is_left_on(aws: Aws) -> None:
    assert call(event("account-enabled", BODY, **{"content-encoding": "gzip"}))["json"] == {"status": "queued"}


def test_a_signed_webhook_too_large_to_read_is_acknowledged_and_counted(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webhooks, "LARGEST_BODY_BYTES", 1000)
    wire = gzip.compress(b"x" * 1001)
    assert call(event(body=wire, **{"content-encoding": "gzip"}))["statusCode"] == 200
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["UnusableWebhooks"]


def test_a_first_synchronisation_of_several_megabytes_is_one_small_hint(aws: Aws) -> None:
    transactions = [{"id": number, "wording": "x" * 80, "value": -1.5} for number in range(40_000)]
    accounts = [{"id": 912, "id_user": 41, "id_connection": 77, "transactions": transactions}]
    body = json.dumps({"user": {"id": 41}, "connection": {"id": 77, "id_user": 41, "accounts": accounts}}).encode()
    assert len(body) > 4_000_000
    assert call(event("connection-synced", body))["json"] == {"status": "queued"}
    assert len(json.dumps(aws.messages()[0]["body"])) < 300


def test_an_unknown_event_that_names_a_user_is_counted_and_still_a_hint(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(event("account-invented"))["statusCode"] == 200
    [message] = aws.messages()
    assert message["body"]["reason"] == "unknown"
    assert metrics(logged(capsys)) == ["UnknownWebhooks", "QueuedWebhooks"]


def test_an_unknown_event_that_names_nobody_is_acknowledged(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(event("something-else", b'{"id": 41}'))["statusCode"] == 200
    assert aws.calls == []
    assert metrics(logged(capsys)) == ["UnknownWebhooks", "UnusableWebhooks"]


@pytest.mark.parametrize("name", sorted(webhooks.EVENTS_WITHOUT_HINT))
def test_an_event_about_another_product_is_acknowledged_without_a_hint(aws: Aws, name: str) -> None:
    answer = call(event(name))
    assert (answer["statusCode"], answer["json"]) == (200, {"status": "ignored"})
    assert aws.calls == []


@pytest.mark.parametrize(
    "fault",
    [
        EndpointConnectionError(endpoint_url="https://sqs"),
        ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "SendMessage"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessage"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_could_not_be_queued_is_never_acknowledged(
    aws: Aws, fault: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fault = fault
    answer = call(event())
    assert answer["statusCode"] == 503
    assert answer["json"]["code"] == "temporarily_unavailable"
    assert aws.calls == ["SendMessage"]
    assert metrics(logged(capsys)) == ["UnqueuedWebhooks"]


def test_no_body_token_or_signature_is_logged(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"id": 912, "id_user": 41, "id_connection": 77, "iban": "FR7612345000010000000000112"}'
    accepted, refused = event(body=body), event(body=body, key="a guess")
    for request in (accepted, refused, event("x-secret-path", body), event(body=b'{"iban": "FR7612345"}')):
        request["headers"]["authorization"] = "Bearer tok_A"
        call(request)
    printed = capsys.readouterr()
    text = printed.out + printed.err
    for secret in (
        "FR76",
        "tok_A",
        SECRET,
        "x-secret-path",
        *(e["headers"]["bi-signature"] for e in (accepted, refused)),
    ):
        assert secret not in text


@pytest.mark.parametrize("key", [SECRET, "another"])
def test_every_answer_says_to_browsers_what_those_of_the_api_say(aws: Aws, key: str) -> None:
    headers = call(event(key=key))["headers"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
