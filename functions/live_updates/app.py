"""Pushes a user's own changes to that user's open screens. Triggers: a WebSocket API, and the bus (EventBridge rule).

Guarantee: a screen hears of its own user's changes only, from the check of its token when the socket opens until that
token expires.
"""

from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.application.live import bearer
from shared.domain.errors import BadToken
from shared.entrypoints.metrics import Metric
from shared.entrypoints.observability import count, logged, logger, trace
from shared.live_bootstrap import LiveContainer

PROTOCOL = "synced-accounts"
USER_ERASED = "UserErased"


@cache
def container() -> LiveContainer:
    return LiveContainer.from_env()


def _open(event: dict[str, Any]) -> dict[str, Any]:
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    offered = [protocol.strip() for protocol in headers.get("sec-websocket-protocol", "").split(",")]
    token = bearer(offered)
    note = partial(
        trace,
        "$connect",
        source_ip=context.get("identity", {}).get("sourceIp"),
        correlation_id=context.get("requestId", ""),
    )
    try:
        if token is None:
            raise BadToken("no token")
        user_id, token_until = container().verifier.check(token)
    except BadToken as refusal:
        logger.info("socket refused", extra={"reason": str(refusal)})
        note(user_id=None, outcome=401)
        return {"statusCode": 401}
    container().live.open(context["connectionId"], user_id, token_until=token_until)
    note(user_id=user_id, outcome=200)
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL} if PROTOCOL in offered else {}}


def _tell(event: dict[str, Any]) -> None:
    data = event["detail"]["data"]
    logger.append_keys(correlation_id=event["detail"]["metadata"]["correlation_id"])
    heard = container().live.tell(
        data["user_id"],
        event=event["detail-type"],
        connection_id=data.get("connection_id"),
        revision=data["revision"],
        is_last=event["detail-type"] == USER_ERASED,
    )
    count(Metric.SCREENS_TOLD, heard)


@logged
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:  # noqa: ARG001
    match event.get("requestContext", {}).get("routeKey"):
        case None:
            _tell(event)
            return None
        case "$connect":
            return _open(event)
        case "$disconnect":
            container().live.close(event["requestContext"]["connectionId"])
    return {"statusCode": 200}
