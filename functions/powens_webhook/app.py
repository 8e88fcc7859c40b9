"""Takes in Powens' webhooks: `POST /webhooks/powens/{event}`, called by Powens, authenticated by its signature.

Guarantees: a 2xx is given only for what was queued, or what no repetition could make usable; a refused webhook costs no
AWS call and an accepted one exactly one, SendMessage. Nothing but Powens' ids and the event's name is kept or logged.

botocore without boto3, and log lines written by hand: the time to start is the time that Powens waits.
"""

import base64
import binascii
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.errors import BadSignature
from shared.entrypoints.headers import SECURITY_HEADERS
from shared.entrypoints.metrics import Metric
from shared.entrypoints.quiet import silence_libraries
from shared.webhooks import EVENTS_WITH_HINT, EVENTS_WITHOUT_HINT, About, Unusable, about, secrets_from, verified_body

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

silence_libraries()

type Response = dict[str, Any]

# A week: Powens keeps a failed webhook and sends it again until it is accepted, maybe with its first date.
DEFAULT_TOLERANCE_SECONDS = "604800"
# Powens waits about ten seconds, and one slow consumer holds up all of its webhooks.
_SQS = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


def lambda_handler(event: dict[str, Any], context: object) -> Response:  # noqa: ARG001 - Lambda's signature
    """An HTTP API event, payload 2.0, to its answer."""
    received_at = datetime.now(UTC)
    request_id: str = event["requestContext"]["requestId"]
    name = (event.get("pathParameters") or {}).get("event", "")
    name = name if name in EVENTS_WITH_HINT | EVENTS_WITHOUT_HINT else "unknown"
    keys = {"request_id": request_id, "event": name}
    try:
        body = verified_body(
            secrets=_secrets(),
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            query=event.get("rawQueryString") or "",
            headers=event.get("headers") or {},
            body=_raw_body(event),
            now=received_at,
            tolerance=timedelta(
                seconds=float(os.environ.get("WEBHOOK_TOLERANCE_SECONDS") or DEFAULT_TOLERANCE_SECONDS)
            ),
        )
        if name == "unknown":
            # Its ids are used all the same: Powens adds events, and a look too many costs two requests.
            _write("WARNING", "webhook of an unknown event", Metric.UNKNOWN_WEBHOOKS, request_id=request_id)
        if name in EVENTS_WITHOUT_HINT:
            return _answer(200, {"status": "ignored"})
        whom = about(name, body)
    except BadSignature as error:
        _write("WARNING", "webhook refused", Metric.REFUSED_SIGNATURES, **keys, code=error.code)
        return _problem(401, "Unauthorized", error.code, request_id)
    except Unusable as error:
        _write("WARNING", "webhook unusable", Metric.UNUSABLE_WEBHOOKS, **keys, reason=str(error))
        return _answer(200, {"status": "ignored"})
    if whom is None:
        _write("INFO", "webhook with nothing to read", Metric.WEBHOOKS_WITHOUT_USER, **keys)
        return _answer(200, {"status": "ignored"})
    try:
        _queue(whom, name, received_at, request_id, _signature(event))
    except (BotoCoreError, ClientError) as error:
        kind = type(error).__name__
        _write("ERROR", "webhook not queued", Metric.UNQUEUED_WEBHOOKS, **keys, error=kind)
        return _problem(503, "Service Unavailable", "temporarily_unavailable", request_id)
    _write("INFO", "webhook queued", Metric.QUEUED_WEBHOOKS, **keys, powens_user_id=whom.user_id)
    return _answer(200, {"status": "queued"})


def _raw_body(event: dict[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body)
    except binascii.Error:
        # Signed by nobody.
        return b""


def _secrets() -> tuple[str, ...]:
    secrets = secrets_from(os.environ.get("WEBHOOK_SECRETS", ""))
    if not secrets:
        _write("ERROR", "no webhook secret: every webhook is refused", Metric.MISSING_WEBHOOK_SECRET)
    return secrets


def _signature(event: dict[str, Any]) -> str:
    """Of a request that has been verified: it has one."""
    (signature,) = (value for name, value in event["headers"].items() if name.lower() == "bi-signature")
    return str(signature).strip()


def _queue(whom: About, reason: str, received_at: datetime, correlation_id: str, signature: str) -> None:
    hint = {
        "version": 1,
        "powens_user_id": whom.user_id,
        "powens_connection_id": whom.connection_id,
        "origin": "webhook",
        "reason": reason,
        "received_at": received_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "correlation_id": correlation_id,
    }
    _sqs().send_message(
        QueueUrl=os.environ["REFRESH_QUEUE_URL"],
        MessageBody=json.dumps(hint),
        MessageGroupId=str(whom.user_id),
        # One per signature, which has the moment in it, and not per content: two equal hints minutes apart can be about
        # two changes. What comes again with the same one tells nothing that the first did not: the read that the first
        # causes begins later than it was signed. Whoever replays a webhook so causes no more than one read.
        MessageDeduplicationId=hashlib.sha256(signature.encode()).hexdigest(),
    )


@cache
def _sqs() -> "SQSClient":
    return cast("SQSClient", botocore.session.get_session().create_client("sqs", config=_SQS))


def _answer(status: int, body: dict[str, str]) -> Response:
    return _reply(status, "application/json", body)


def _problem(status: int, title: str, code: str, request_id: str) -> Response:
    problem = {"type": "about:blank", "title": title, "status": status, "code": code, "request_id": request_id}
    return _reply(status, "application/problem+json", problem)


def _reply(status: int, content_type: str, body: Mapping[str, object]) -> Response:
    return {
        "statusCode": status,
        "headers": {"content-type": content_type, **SECURITY_HEADERS},
        "body": json.dumps(body),
    }


def _write(level: str, message: str, metric: Metric, **keys: object) -> None:
    """One line that is a log entry and, in CloudWatch's embedded metric format, a count of one."""
    now = datetime.now(UTC)
    namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "SyncedAccounts")
    line = {
        "level": level,
        "message": message,
        "timestamp": now.isoformat(timespec="milliseconds"),
        "service": os.environ.get("POWERTOOLS_SERVICE_NAME", "synced-accounts"),
        **keys,
        metric: 1,
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": namespace, "Dimensions": [["service"]], "Metrics": [{"Name": metric, "Unit": "Count"}]}
            ],
        },
    }
    sys.stdout.write(json.dumps(line) + "\n")
