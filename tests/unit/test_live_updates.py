"""Who may open a socket, what its function answers, and whom it tells."""

import base64
import hashlib
import hmac
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.exceptions import EndpointConnectionError
from cryptography.hazmat.primitives import serialization

from functions.live_updates import app
from local.identity import AUDIENCE, Issuer
from shared.adapters.identity import TokenVerifier
from shared.adapters.sockets import Sockets
from shared.application.live import SETTLED_AFTER, SOCKET_FOR, Live, OpenSocket
from shared.config import LiveSettings
from shared.domain.errors import BadToken, Misconfigured, Unavailable
from shared.domain.facts import FactType
from shared.entrypoints.observability import logger
from tests.builders import NOW, FixedClock
from tests.live_wire import Wire, wire


@pytest.fixture(scope="module")
def issuing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("issuer")) as started:
        yield started


@pytest.fixture
def verifier(issuing: Wire) -> Iterator[TokenVerifier]:
    issuing.keys_up = True
    made = TokenVerifier(issuing.url, AUDIENCE)
    yield made
    made.session.close()


# --- tokens --------------------------------------------------------------------------------------------------------


def _encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _by_hand(issuer: Issuer, algorithm: str, signature: Callable[[bytes], bytes]) -> str:
    """A token of alice's that no library would sign like this."""
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False})
    signed = f"{_encoded({'alg': algorithm, 'typ': 'JWT', 'kid': issuer.key_id})}.{_encoded(claims)}"
    return f"{signed}.{_encoded(signature(signed.encode()))}"


def _hmac_with_the_public_key(issuer: Issuer) -> str:
    public = jwt.PyJWK.from_dict(issuer.key_set["keys"][0]).key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _by_hand(issuer, "HS256", lambda signed: hmac.digest(pem, signed, hashlib.sha256))


def _tampered(issuer: Issuer) -> str:
    head, _, signature = issuer.token("alice")[0].split(".")
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False})
    return f"{head}.{_encoded({**claims, 'sub': 'bob'})}.{signature}"


REFUSED: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda issuer: issuer.token("alice", now=datetime.now(UTC) - timedelta(hours=2))[0],
    "of another issuer": lambda issuer: issuer.token("alice", iss="https://login.example.com")[0],
    "for another audience": lambda issuer: issuer.token("alice", aud="another-app")[0],
    "for another audience, whatever its client": lambda issuer: issuer.token(
        "alice", aud="another-app", client_id=AUDIENCE
    )[0],
    "for another client": lambda issuer: _without(issuer, "aud", client_id="another-app"),
    "for nobody": lambda issuer: _without(issuer, "aud"),
    "of nobody": lambda issuer: _without(issuer, "sub"),
    "of no issuer": lambda issuer: _without(issuer, "iss"),
    "without end": lambda issuer: _without(issuer, "exp"),
    "not valid yet": lambda issuer: issuer.token("alice", nbf=datetime.now(UTC) + timedelta(minutes=5))[0],
    "unsigned": lambda issuer: _by_hand(issuer, "none", lambda _: b""),
    "signed with the public key as a password": _hmac_with_the_public_key,
    "changed": _tampered,
    "not a token": lambda _: "x",
    "empty": lambda _: "",
}


def _without(issuer: Issuer, claim: str, **others: str) -> str:
    claims = jwt.decode(issuer.token("alice")[0], options={"verify_signature": False}) | others
    del claims[claim]
    return jwt.encode(claims, issuer._key, algorithm="RS256", headers={"kid": issuer.key_id})


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_a_token_is_refused_that_is(token: Callable[[Issuer], str], issuing: Wire, verifier: TokenVerifier) -> None:
    with pytest.raises(BadToken):
        verifier.check(token(issuing.issuer))


def test_a_token_of_another_key_is_refused_even_under_the_issuers_key_id(
    issuing: Wire, verifier: TokenVerifier, tmp_path: Path
) -> None:
    forger = Issuer(issuing.url, tmp_path / "forger.pem")
    claims = jwt.decode(forger.token("alice")[0], options={"verify_signature": False})
    for key_id in (forger.key_id, issuing.issuer.key_id):
        forged = jwt.encode(claims, forger._key, algorithm="RS256", headers={"kid": key_id})
        with pytest.raises(BadToken):
            verifier.check(forged)


@pytest.mark.parametrize("audience", [{}, {"aud": ["another-app", AUDIENCE]}])
def test_a_good_token_names_its_user_and_its_end(
    audience: dict[str, Any], issuing: Wire, verifier: TokenVerifier
) -> None:
    token, until = issuing.issuer.token("alice", **audience)

    assert verifier.check(token) == ("alice", until)


def test_a_token_without_audience_is_for_its_client_as_at_the_http_api(issuing: Wire, verifier: TokenVerifier) -> None:
    assert verifier.check(_without(issuing.issuer, "aud", client_id=AUDIENCE))[0] == "alice"


def test_without_the_issuers_keys_nobody_is_let_in_and_later_they_are(issuing: Wire, verifier: TokenVerifier) -> None:
    token, _ = issuing.issuer.token("alice")
    issuing.keys_up = False
    for _ in range(2):
        with pytest.raises(Unavailable) as refusal:
            verifier.check(token)
        assert refusal.value.code == "issuer_unavailable"
    issuing.keys_up = True
    assert verifier.check(token)[0] == "alice"


def test_keys_that_vanish_after_the_configuration_was_read_let_nobody_in(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = issuing.issuer.token("alice")
    answer = issuing.answer
    monkeypatch.setattr(issuing, "answer", lambda m, p, b: (503, {}) if "jwks" in p else answer(m, p, b))
    with pytest.raises(Unavailable):
        verifier.check(token)


def test_the_keys_are_fetched_once_for_many_tokens(
    issuing: Wire, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = issuing.answer

    def counted(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(path)
        return answer(method, path, body)

    monkeypatch.setattr(issuing, "answer", counted)
    for user in ("alice", "bob", "alice"):
        verifier.check(issuing.issuer.token(user)[0])
    for number in range(20):
        unknown = jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"kid": str(number)})
        with pytest.raises(BadToken):
            verifier.check(unknown)
    # Whoever makes up key ids does not make us ask the issuer each time.
    assert asked == ["/.well-known/openid-configuration", "/.well-known/jwks.json"]


# --- whom is told --------------------------------------------------------------------------------------------------


@dataclass
class Store:
    """Sockets in memory."""

    kept: dict[str, OpenSocket] = field(default_factory=dict)

    def add_socket(self, socket: OpenSocket) -> None:
        self.kept[socket.id] = socket

    def remove_socket(self, socket_id: str) -> None:
        self.kept.pop(socket_id, None)

    def sockets(self, user_id: str) -> list[OpenSocket]:
        return [socket for socket in self.kept.values() if socket.user_id == user_id]


@dataclass
class Screens:
    """What each socket has heard. Those in `gone` are closed, those in `broken` cannot be reached."""

    heard: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def send(self, socket_id: str, message: str) -> bool:
        self._reach(socket_id)
        if socket_id in self.gone:
            return False
        self.heard.setdefault(socket_id, []).append(json.loads(message))
        return True

    def close(self, socket_id: str) -> None:
        self._reach(socket_id)
        self.gone.add(socket_id)

    def _reach(self, socket_id: str) -> None:
        if socket_id in self.broken:
            raise Unavailable


@dataclass
class Room:
    store: Store = field(default_factory=Store)
    screens: Screens = field(default_factory=Screens)
    clock: FixedClock = field(default_factory=FixedClock)

    @property
    def live(self) -> Live:
        return Live(self.store, self.screens, self.clock)

    def opens(self, socket_id: str, user_id: str, *, token_for: timedelta = timedelta(hours=1)) -> None:
        self.live.open(socket_id, user_id, token_until=self.clock() + token_for)

    def tells(self, user_id: str) -> int:
        return self.live.tell(user_id, event="AccountsUpdated", connection_id="c1", revision=7)


@pytest.fixture
def room() -> Room:
    return Room()


def test_every_screen_of_the_user_hears_and_nobody_elses(room: Room) -> None:
    for socket, user in (("phone", "alice"), ("laptop", "alice"), ("other", "bob"), ("prefix", "alice2")):
        room.opens(socket, user)

    assert room.tells("alice") == 2
    message = {"type": "changed", "event": "AccountsUpdated", "connection_id": "c1", "revision": 7}
    assert room.screens.heard == {"phone": [message], "laptop": [message]}


def test_a_socket_that_is_gone_is_forgotten_but_not_while_it_may_still_be_opening(room: Room) -> None:
    room.opens("young", "alice")
    room.screens.gone.add("young")

    assert room.tells("alice") == 0
    assert set(room.store.kept) == {"young"}
    room.clock.advance(seconds=SETTLED_AFTER.total_seconds() + 1)
    assert room.tells("alice") == 0
    assert room.store.kept == {}


def test_a_screen_hears_nothing_after_its_token_has_expired_and_is_sent_to_open_another(room: Room) -> None:
    room.opens("old", "alice", token_for=timedelta(minutes=5))
    room.opens("new", "alice")
    room.clock.advance(minutes=5)

    assert room.tells("alice") == 1
    assert set(room.screens.heard) == {"new"}
    assert room.screens.gone == {"old"}
    assert set(room.store.kept) == {"new"}


def test_no_socket_is_believed_open_for_longer_than_api_gateway_keeps_one(room: Room) -> None:
    room.opens("long", "alice", token_for=timedelta(days=30))

    assert room.store.kept["long"].until == NOW + SOCKET_FOR


@pytest.mark.parametrize("expired", [False, True])
def test_one_screen_out_of_reach_keeps_no_other_from_hearing_and_the_call_fails(room: Room, expired: bool) -> None:
    room.opens("broken", "alice", token_for=timedelta(minutes=1 if expired else 60))
    room.opens("fine", "alice")
    room.screens.broken.add("broken")
    room.clock.advance(minutes=2)

    with pytest.raises(ExceptionGroup) as failure:
        room.tells("alice")
    assert len(failure.value.exceptions) == 1
    assert len(room.screens.heard["fine"]) == 1
    # Tried again: who has heard hears again, which a screen does not mind.
    room.screens.broken.clear()
    assert room.tells("alice") == (1 if expired else 2)


def test_after_the_end_of_a_user_no_screen_is_held_open_or_remembered(room: Room) -> None:
    assert app.USER_ERASED == FactType.USER_ERASED
    for socket in ("phone", "young and gone"):
        room.opens(socket, "alice")
    room.screens.gone.add("young and gone")

    assert room.live.tell("alice", event="UserErased", connection_id=None, revision=0, is_last=True) == 1
    assert room.screens.gone == {"phone", "young and gone"}
    assert room.store.kept == {}


def test_a_closed_socket_is_told_nothing(room: Room) -> None:
    room.opens("s", "alice")
    room.live.close("s")
    room.live.close("never was")

    assert room.tells("alice") == 0


def test_what_boto3_says_beside_gone_is_a_temporary_problem() -> None:
    class Exceptions:
        GoneException = KeyError

    class Client:
        exceptions = Exceptions

        def post_to_connection(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://x")

        delete_connection = post_to_connection

    sockets = Sockets(Client())  # type: ignore[arg-type] # as much of a client as is needed
    with pytest.raises(Unavailable):
        sockets.send("s", "{}")
    with pytest.raises(Unavailable):
        sockets.close("s")


# --- the function --------------------------------------------------------------------------------------------------


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


EVENTS = Path(__file__).parents[2] / "events"
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
