"""A morning of several users after which the table holds an item of every kind, settled and under way.

`tests/integration/released.py` records what it leaves. Everything in it is the same each time: the ids count up, the
seal is none that needs a key, and each step begins on a minute of its own.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from ulid import ULID

from functions.live_updates import app as live_updates
from functions.orphan_check import app as orphan_check
from shared.domain.connection import connection_id
from tests.builders import NOW
from tests.ibans import iban
from tests.integration.world import FUNCTIONS, Reply, World
from tests.worlds.deployment import IDENTITY_KEY, ORIGIN, aws_client
from tests.worlds.powens.fake import CLIENT_ID, CLIENT_SECRET, USERS_TOKEN, error
from tests.worlds.powens.model import Connection, Connector
from tests.worlds.triggers import event_file

REVOLUT = "7d1f0000-0000-4000-8000-000000000001"
BANK = "338178e6-3d01-564f-9a7b-000000000077"
CLOSED = 8
"""Powens' id of an account that the bank no longer shows: nobody unticked it."""
SOCKET = "L0SM9cOFvHc1="
WORKING, LOCKED, GONE, ENDED, UNDER_WAY, LARGE = 77, 78, 79, 76, 80, 81
"""Powens' ids of connections: the first four are alice's, then bob's and user-5's."""
MANUAL = {"name": "Livret souple", "type": "savings", "currency": "EUR", "balance": "1200.50"}


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


# --- what would differ each time -------------------------------------------------------------------------------------


class NumberedIds:
    """In place of the generator of ULIDs: they count up."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def generate(self) -> ULID:
        return ULID(int(NOW.timestamp() * 1000).to_bytes(6) + next(self._numbers).to_bytes(10))


def _sealed(text: bytes, context: dict[str, str]) -> bytes:
    """Its own inverse. Hides a text from those who look for it in the clear, and from nobody else."""
    stream = hashlib.shake_256(json.dumps(context).encode()).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


_MARK = b"sealed:"


def encrypt(*, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]) -> dict[str, bytes]:  # noqa: N803
    return {"CiphertextBlob": _sealed(_MARK + Plaintext, EncryptionContext)}


def decrypt(*, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]) -> dict[str, bytes]:  # noqa: N803
    plain = _sealed(bytes(CiphertextBlob), EncryptionContext)
    if not plain.startswith(_MARK):
        raise ClientError({"Error": {"Code": "InvalidCiphertextException", "Message": ""}}, "Decrypt")
    return {"Plaintext": plain.removeprefix(_MARK)}


def without_chance(patch: pytest.MonkeyPatch) -> None:
    """Ids, states and ciphertexts are the same in each run."""
    states = itertools.count(1)
    patch.setattr("secrets.token_urlsafe", lambda size: f"state-{next(states):037d}")
    patch.setattr("ulid.default_generator", NumberedIds())
    with_simple_seal(patch)


def with_simple_seal(patch: pytest.MonkeyPatch) -> None:
    """What the journey sealed can be opened in any world."""
    patch.setattr(aws_client("kms"), "encrypt", encrypt)
    patch.setattr(aws_client("kms"), "decrypt", decrypt)


# --- the journey -----------------------------------------------------------------------------------------------------


def journey(world: World, patch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Returns the receipts of the erasures: a user, and the address that nobody else knows."""
    without_chance(patch)
    receipts = []
    steps: tuple[Callable[[World, pytest.MonkeyPatch], tuple[str, str] | None], ...] = (
        _catalogue,
        _visits,
        _choices,
        _manual_accounts,
        _wishes,
        _names_and_closed_accounts,
        _renewed_token,
        _large_connection,
        _incident,
        _orphan,
        _busy_powens,
        _erased_user,
        _interrupted_visit,
        _interrupted_renewal,
        _open_screen,
        _under_way,
    )
    for number, step in enumerate(steps):
        # Five seconds past, so that no few milliseconds more or less make it another minute.
        world.clock.now = NOW + timedelta(minutes=20 * number, seconds=5)
        begun = step(world, patch)
        if begun is not None:
            receipts.append(begun)
    return receipts


def _catalogue(world: World, _: pytest.MonkeyPatch) -> None:
    world.powens.connectors[REVOLUT] = Connector(uuid=REVOLUT, name="Revolut")
    world.powens.connectors[BANK] = Connector(uuid=BANK, name="Banque du Test", listed={"openapi": ("checking",)})
    world.refresh_catalogue()


def _visits(world: World, _: pytest.MonkeyPatch) -> None:
    """One connection that works, one that is locked and holds a copy; one that went, and one that alice ended."""
    world.connect(1, 2, 3, connection_id=WORKING, disabled=(3,))
    locked = world.connect(4, connection_id=LOCKED)
    world.powens.add_account(locked, 5, iban=iban(1))
    locked.state = "SCARequired"
    _read(world, locked)
    gone = world.connect(6, connection_id=GONE)
    del world.powens.connections[GONE]
    world.webhook("connection-deleted", gone)
    world.settle()
    world.connect(9, connection_id=ENDED)
    _accepted(world.api("DELETE", f"/v1/connections/{connection_id(ENDED)}", {"confirm": "Banque du Test"}))
    world.settle()
    assert world.open_webview(flow="reconnect", connection_id=connection_id(LOCKED)).status == 201
    assert world.open_webview_with("opened").status == 201


def _choices(world: World, _: pytest.MonkeyPatch) -> None:
    """Confirmed, undone, and confirmed again; and a refresh that has ended."""
    working = world.powens.connections[WORKING]
    first = world.choose(working, 1)
    world.settle()
    assert world.api("POST", f"/v1/operations/{first.json['id']}/undo").status == 202
    world.settle()
    world.clock.advance(minutes=2)
    _accepted(world.choose(working, 1, 3, idempotency_key="chosen"))
    world.settle()
    _accepted(world.api("POST", f"/v1/connections/{connection_id(WORKING)}/refresh"))
    world.settle()


def _manual_accounts(world: World, patch: pytest.MonkeyPatch) -> None:
    """One with a history and one that is the same as a synchronised account."""
    kept = world.api("POST", "/v1/accounts", MANUAL, idempotency_key="added")
    world.clock.advance(minutes=1)
    with patch.context() as small:
        small.setattr("shared.domain.manual.CHUNK", 1)
        assert world.api("PATCH", kept.headers["location"], {"balance": "7"}).status == 200
    body = MANUAL | {"name": "Mon compte", "type": "checking", "institution_name": "banque du test"}
    same = world.api("POST", "/v1/accounts", body)
    account = world.ids(world.powens.connections[WORKING])[1]
    joined = world.api("PUT", f"{same.headers['location']}/link", {"account_id": account})
    assert joined.status == 200, joined.body
    dropped = world.api("POST", "/v1/accounts", MANUAL | {"name": "Ancien"})
    assert world.api("DELETE", dropped.headers["location"]).status == 204
    world.settle()


def _wishes(world: World, _: pytest.MonkeyPatch) -> None:
    """One is open, one has come true, and one is dismissed."""
    for kind in ("savings", "crypto", "loan"):
        wished = world.api("POST", "/v1/wishes", {"institution_id": BANK, "type": kind})
        assert wished.status == 201
    dismissed = world.api("DELETE", f"/v1/wishes/{wished.json['id']}", idempotency_key="dismissed")
    assert dismissed.status == 204
    working = world.powens.connections[WORKING]
    world.powens.add_account(working, 7, type="savings", disabled=True)
    world.webhook("account-found", working, id=7)
    world.settle()


def _names_and_closed_accounts(world: World, _: pytest.MonkeyPatch) -> None:
    working = world.powens.connections[WORKING]
    path = f"/v1/accounts/{world.ids(working)[1]}"
    assert world.api("PATCH", path, {"name": "Vacances"}).status == 200
    world.powens.add_account(working, CLOSED, type="card", currency="USD", balance=None)
    _read(world, working)
    working.accounts[CLOSED].deleted = True
    _read(world, working)


def _renewed_token(world: World, _: pytest.MonkeyPatch) -> None:
    connection = world.connect(11, 12, 13, user="bob", connection_id=UNDER_WAY, disabled=(13,))
    world.powens.revoke_tokens(connection.user)
    _read(world, connection)


def _large_connection(world: World, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as small:
        small.setattr("shared.adapters.dynamodb.connection_item._WRITE_UNIT_BYTES", 100)
        world.connect(21, user="user-5", connection_id=LARGE, uuid=REVOLUT)


def _incident(world: World, _: pytest.MonkeyPatch) -> None:
    """A bank is down for as many users as make an incident."""
    for number in range(100, 105):
        connection = world.connect(number, user=f"user-{number}", connection_id=number, uuid=REVOLUT)
        connection.state = "websiteUnavailable"
        _read(world, connection)
    world.keep_house()


def _orphan(world: World, _: pytest.MonkeyPatch) -> None:
    secret = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "identity_key": IDENTITY_KEY}
    text = json.dumps(secret | {"users_token": USERS_TOKEN})
    with world.looking():
        aws_client("secretsmanager").put_secret_value(SecretId="powens", SecretString=text)
    world.powens._new_user().temporary = False
    _renew_containers(world)
    world.invoke(orphan_check.lambda_handler, event_file("orphan_check/every-day"))


def _busy_powens(world: World, patch: pytest.MonkeyPatch) -> None:
    """A minute with a limit, in which Powens itself asks for a pause."""
    with patch.context() as limited:
        limited.setenv("POWENS_CALLS_PER_MINUTE", "50")
        _renew_containers(world)
        world.powens.fail("GET .*", error(429, **{"Retry-After": "40"}))
        _read(world, world.powens.connections[WORKING])
    _renew_containers(world)


def _erased_user(world: World, _: pytest.MonkeyPatch) -> tuple[str, str]:
    world.connect(41, user="user-3", connection_id=83)
    world.connect(31, user="user-4", connection_id=82)
    begun = _accepted(world.api("DELETE", "/v1/me", user="user-4", idempotency_key="erased"))
    world.settle()
    return "user-4", begun.headers["location"]


def _interrupted_visit(world: World, _: pytest.MonkeyPatch) -> None:
    """The first visit of user-6 ended where the Powens user was noted and had no token yet."""
    world.powens.before("POST /auth/token/access", _killed)
    with pytest.raises(KilledError):
        world.open_webview("user-6")


def _killed() -> None:
    raise KilledError


def _interrupted_renewal(world: World, _: pytest.MonkeyPatch) -> None:
    """A worker that was renewing the token of user-100 ended; its message has run out of receives since."""
    connection = world.powens.connections[100]
    world.powens.fail("GET .*", error(403, "forbidden"), times=99)
    world.powens.before("POST /auth/renew", _killed)
    world.webhook("connection-synced", connection)
    with pytest.raises(KilledError):
        world.settle()
    world.powens.behave()
    world.refresh.messages.clear()


def _open_screen(world: World, patch: pytest.MonkeyPatch) -> None:
    with live_screens(world, patch):
        event = event_file("live_updates/connect")
        event["requestContext"]["connectionId"] = SOCKET
        assert world.invoke(live_updates.lambda_handler, event)["statusCode"] == 200


def _under_way(world: World, _: pytest.MonkeyPatch) -> tuple[str, str]:
    """A selection, a refresh, an erasure and two hints are in their queues, and two outbox entries in the stream."""
    bobs = world.powens.connections[UNDER_WAY]
    held = world.held(bobs, user="bob")
    accounts = {account["name"]: account["id"] for account in held["accounts"]}
    body = {"enabled_account_ids": [accounts["Compte 11"], accounts["Compte 13"]]}
    path = f"/v1/connections/{connection_id(UNDER_WAY)}"
    _accepted(world.api("PUT", f"{path}/selection", body, user="bob"))
    _accepted(world.api("POST", f"{path}/refresh", user="bob"))
    assert world.come_back(world.open_webview("bob"), "&connection_id=80").status == 303
    begun = _accepted(world.api("DELETE", "/v1/me", user="user-3"))
    world.publish()
    world.webhook("account-enabled", world.powens.connections[WORKING], id=1)
    ids = world.ids(world.powens.connections[WORKING])
    assert world.api("PATCH", f"/v1/accounts/{ids[3]}", {"name": "Courses"}).status == 200
    _accepted(world.api("PATCH", f"/v1/accounts/{ids[2]}", {"enabled": True}))
    return "user-3", begun.headers["location"]


# --- parts of it -----------------------------------------------------------------------------------------------------


def _read(world: World, connection: Connection) -> None:
    world.clock.advance(seconds=10)
    world.webhook("connection-synced", connection)
    world.settle()


def _accepted(reply: Reply) -> Reply:
    assert reply.status == 202, reply.body
    return reply


def _renew_containers(world: World) -> None:
    """After a change of the environment."""
    for function in FUNCTIONS:
        function.container.cache_clear()
        world.prepare(function.container())


class EverybodyIsBob:
    """In place of the check of a token."""

    def __init__(self, world: World) -> None:
        self._until = world.clock.now + timedelta(hours=1)

    def check(self, token: str) -> tuple[str, datetime]:
        return "bob", self._until


@contextmanager
def live_screens(world: World, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """`live_updates` on the world's table, for bob."""
    with patch.context() as environment:
        for name in ("LIVE_ENDPOINT", "JWT_ISSUER", "JWT_AUDIENCE"):
            environment.setenv(name, ORIGIN)
        live_updates.container.cache_clear()
        container = live_updates.container()
        container.clock = world.clock
        vars(container)["verifier"] = EverybodyIsBob(world)
        yield
        live_updates.container.cache_clear()
