"""The function of live updates, from the events of API Gateway and the bus to the screens."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from functions.live_updates import app
from shared.adapters.tokens import TokenVerifier
from shared.application.live import Live
from shared.config import LiveSettings
from shared.domain.errors import Misconfigured, Unavailable
from shared.domain.facts import FactType
from shared.entrypoints.observability import logger
from tests.live_wire import Wire
from tests.unit.live_updates.room import Room


@dataclass
class Context:
    """The Lambda context of one invocation."""

    function_name: str = "live-updates"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-3:123456789012:function:live-updates"
    aws_request_id: str = "f0e1d2c3-0000-4000-8000-000000000001"


@dataclass
class Container:
    live: Live
    verifier: TokenVerifier


@pytest.fixture
def call(
    room: Room, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "SyncedAccounts")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "synced-accounts")
    room.clock.now = datetime.now(UTC)
    monkeypatch.setattr(app, "container", lambda: Container(room.live, verifier))
    context: Any = Context()
    return lambda event: app.lambda_handler(event, context)


EVENTS = Path(__file__).parents[3] / "events"

SOCKET = "L0SM9cOFvHcCIhw="  # in the events below


def _event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / "live_updates" / f"{name}.json").read_text("utf-8"))
    return loaded


def _connect(*protocols: str, header: str = "Sec-WebSocket-Protocol") -> dict[str, Any]:
    event = _event("connect")
    del event["headers"]["Sec-WebSocket-Protocol"]
    if protocols:
        event["headers"][header] = ", ".join(protocols)
    return event


type Call = Callable[[dict[str, Any]], dict[str, Any] | None]


@pytest.mark.parametrize("header", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
def test_a_socket_opens_with_a_good_token_under_the_protocol_that_holds_none(
    call: Call, room: Room, issuing: Wire, header: str
) -> None:
    token, until = issuing.issuer.token("alice")

    answer = call(_connect("synced-accounts", f"bearer.{token}", header=header))

    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "synced-accounts"}}
    assert (room.store.kept[SOCKET].user_id, room.store.kept[SOCKET].until) == ("alice", until)


def test_no_protocol_is_answered_that_was_not_offered(call: Call, issuing: Wire) -> None:
    token, _ = issuing.issuer.token("alice")

    assert call(_connect(f"bearer.{token}")) == {"statusCode": 200, "headers": {}}


@pytest.mark.parametrize("protocols", [(), ("synced-accounts",), ("synced-accounts", "bearer."), ("bearer.x.y.z",)])
def test_without_a_good_token_the_answer_is_401_and_nothing_is_kept(
    protocols: tuple[str, ...], call: Call, room: Room
) -> None:
    assert call(_connect(*protocols)) == {"statusCode": 401}
    assert room.store.kept == {}


def test_a_handshake_without_any_header_is_401(call: Call) -> None:
    event = _event("connect")
    del event["headers"]
    assert call(event) == {"statusCode": 401}


def test_a_refused_token_is_not_in_the_log_but_the_reason_is(
    call: Call, issuing: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    token, _ = issuing.issuer.token("alice", aud="another-app")
    call(_connect("synced-accounts", f"bearer.{token}"))

    assert "InvalidAudienceError" in log.getvalue()
    assert not [part for part in token.split(".") if part in log.getvalue()]


def test_without_the_issuers_keys_the_function_fails_and_nothing_is_kept(call: Call, room: Room, issuing: Wire) -> None:
    token, _ = issuing.issuer.token("alice")
    issuing.keys_up = False

    with pytest.raises(Unavailable):
        call(_connect("synced-accounts", f"bearer.{token}"))
    assert room.store.kept == {}


def test_what_a_screen_says_changes_nothing_and_what_it_leaves_is_forgotten(call: Call, room: Room) -> None:
    room.opens(SOCKET, "alice")

    assert call(_event("message")) == {"statusCode": 200}
    assert room.store.kept[SOCKET].user_id == "alice"
    assert call(_event("disconnect")) == {"statusCode": 200}
    assert room.store.kept == {}


@pytest.mark.parametrize("kind", FactType, ids=lambda kind: kind.value)
def test_every_published_event_is_told_to_its_user_without_any_bank_data(
    kind: FactType, call: Call, room: Room
) -> None:
    example = json.loads((EVENTS / "examples" / f"{kind}.json").read_text("utf-8"))
    detail = example.get("detail", example)
    data = detail["data"]
    room.opens("hers", data["user_id"])
    room.opens("theirs", "somebody-else")

    assert call({**_event("accounts-updated"), "detail-type": kind, "detail": detail}) is None
    told = {
        "type": "changed",
        "event": kind,
        "connection_id": data.get("connection_id"),
        "revision": data["revision"],
    }
    assert room.screens.heard == {"hers": [told]}


def test_a_missing_setting_is_named() -> None:
    given = {"TABLE_NAME": "t", "LIVE_ENDPOINT": "https://x", "JWT_ISSUER": "https://y"}

    assert LiveSettings.from_env({**given, "JWT_AUDIENCE": "z"}).jwt_audience == "z"
    with pytest.raises(Misconfigured, match="JWT_AUDIENCE"):
        LiveSettings.from_env(given)


def test_a_cold_start_loads_the_ledger_and_its_use_cases_for_no_socket() -> None:
    check = "import sys, functions.live_updates.app; print([n for n in sys.modules if n in sys.argv])"
    others = ["shared.bootstrap", "shared.domain.ledger", "shared.contracts", "shared.application.read_back"]
    printed = subprocess.run([sys.executable, "-c", check, *others], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["[]"]
