"""Powens on simulated time: banks, accounts that come, go and change their ids, webhooks, and every bad day of its API.

`tests/fakes/powens.py` answers the requests; here are the time that they take, what goes wrong with them, and what
happens at Powens without us. The real session of the product sends its requests through `send`.
"""

import base64
import functools
import hashlib
import hmac
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from greenlet import GreenletExit
from urllib3 import HTTPResponse

from tests.fakes.powens import Account, Connection, FakePowens, User, error
from tests.ibans import iban
from tests.integration.world import WEBHOOK_SECRET
from tests.powens_wire import Answer
from tests.simulation.engine import Engine

BANKS = ("Banque Horizon", "Banque du Fleuve", "Crédit Étoile")
TEMPORARY_SECONDS = 1800
QUIET_AFTER_SECONDS = 30.5
"""What began before an erasure has run out of time by then (ADR 0020)."""


@dataclass(eq=False)
class Real:
    """A real account as one connection sees it, under all the Powens ids that it ever had; the newest counts."""

    id: int
    connection: int
    name: str
    ids: list[int] = field(default_factory=list)
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """An update of an account that Powens carried out for us."""

    at: int
    account: int
    disabled: bool
    task: str


class SimulatedPowens(FakePowens):
    """`webhook(name, body)` delivers one; `heard(kind, ...)` is told what happens, for the invariants."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(lambda: engine.now)
        self.engine = engine
        self.webhook: Callable[[str, bytes, int | None, int], None] = lambda name, body, connection, emitted: None
        self.came_late: Callable[[Real, bool], None] = lambda real, enabled: None
        self.before_update: Callable[[Account, bool, str], None] = lambda account, disabled, task: None
        self.reals: dict[int, Real] = {}
        self.real_of: dict[int, Real] = {}
        self.carried_out: list[Update] = []
        self.outage_until = 0.0
        self.throttled_until = 0.0
        self.locked: dict[int, float] = {}
        self.changed: dict[int, int] = {}
        """When something of a connection changed last, in microseconds."""
        self.misread: dict[int, int] = {}
        """When an answer about a user was last a wrong one."""
        self.absent: dict[int, int] = {}
        """When a real account was last closed, or shown again."""
        self.deleted_users: set[int] = set()
        self.gone: dict[int, Connection] = {}
        self.permanent: list[int] = []
        self.strays: dict[int, int] = {}
        """Since when which user is there that nobody here made, in microseconds."""
        self.erasing: dict[int, int] = {}
        """Since when which user is being erased here, in microseconds."""
        self.broken: Callable[[str], None] = lambda promise: None
        self.late: dict[int, int] = {}
        self.expiries: dict[int, datetime] = {}
        self.disturbances: list[tuple[int, str, int | None]] = []
        self._hooks: dict[int, int] = {}
        self._next_account = 900
        self._next_connection = 70

    # --- what happens at Powens without us

    def disturb(self, what: str, connection: int | None = None) -> None:
        self.disturbances.append((self.engine.at, what, connection))

    def add_stray(self) -> int:
        """A lasting user who was not made by us."""
        user = self._new_user()
        user.temporary = False
        self.strays[user.id] = self.engine.at
        return user.id

    def connect(self, user: int, bank: int, ticked: Callable[[int], bool]) -> Connection:
        """A new connection with the accounts that this user has at the bank."""
        self._next_connection += 1
        uuid = f"338178e6-3d01-564f-9a7b-{bank:012d}"
        made = self.add_connection(user, BANKS[bank], connection_id=self._next_connection, uuid=uuid)
        roll = self.engine.chance.roll
        for nth in range(2 + int(roll("accounts", user, bank) * 3)):
            account = self._discover(made, bank, nth)
            account.disabled = not ticked(nth)
        self.changed[made.id] = self.engine.at
        return made

    def open_account(self, connection: Connection) -> Account:
        """The bank shows an account that was not there before: disabled, as nobody chose it."""
        bank = BANKS.index(connection.bank)
        nth = sum(real.connection == connection.id for real in self.reals.values())
        account = self._discover(connection, bank, nth)
        self.touch(connection, "account-found", account)
        return account

    def _discover(self, connection: Connection, bank: int, nth: int) -> Account:
        self._next_account += 1
        # Ends otherwise than on a zero: a number of zeros alone would identify nothing.
        number = f"{connection.user:04d}{bank}{nth:05d}7"
        # One account in five is known by its number alone, as loans and securities are.
        plain = self.engine.chance.roll("iban", connection.user, bank, nth) < 0.2
        real = Real(
            len(self.reals) + 1,
            connection.id,
            f"account {nth + 1}",
            [self._next_account],
            f"{connection.bank}/{number}",
        )
        self.reals[real.id] = real
        self.real_of[self._next_account] = real
        return self.add_account(
            connection,
            self._next_account,
            name=f"Compte {connection.bank} {nth}",
            iban=None if plain else iban(int(number)),
            number=number,
            type=("checking", "savings", "market", "card")[nth % 4],
            disabled=True,
        )

    def renumber(self, connection: Connection, account: Account, *, listed: bool) -> Account:
        """Powens deletes an account and makes it anew under another id, disabled (seen by third parties)."""
        self._next_account += 1
        real = self.real_of[account.id]
        real.ids.append(self._next_account)
        self.real_of[self._next_account] = real
        account.deleted = True
        if not listed:
            del connection.accounts[account.id]
        made = self.add_account(
            connection,
            self._next_account,
            name=account.name,
            iban=account.iban,
            number=account.number,
            type=account.type,
            disabled=True,
        )
        self.disturb("renumbered", connection.id)
        self.touch(connection, "account-found", made)
        return made

    def flip(self, connection: Connection, account: Account, enabled: bool) -> None:
        """Somebody ticks or unticks an account in the Webview."""
        account.disabled = not enabled
        self.disturb("flipped in the Webview", connection.id)
        self.touch(connection, "account-enabled" if enabled else "account-disabled", account)

    def close_account(self, connection: Connection, account: Account, closed: bool) -> None:
        account.deleted = closed
        self.absent[self.real_of[account.id].id] = self.engine.at
        self.disturb("closed or shown again by the bank", connection.id)
        self.touch(connection, "connection-synced")

    def synchronise(self, connection: Connection) -> None:
        if connection.id not in self.connections:
            return
        super().synchronise(connection)
        if connection.state in ("websiteUnavailable", "rateLimiting", "bug"):
            connection.state = None
        self.touch(connection, "connection-synced")
        for account in list(connection.accounts.values()):
            if not account.disabled and not account.deleted:
                self.emit("account-synced", connection, account)

    def remove(self, connection: Connection) -> None:
        self.gone[connection.id] = self.connections.pop(connection.id)
        self.disturb("connection deleted", connection.id)
        self.touch(connection, "connection-deleted")

    def delete_user(self, user: int) -> None:
        for connection in [c for c in self.connections.values() if c.user == user]:
            self.gone[connection.id] = self.connections.pop(connection.id)
            self.changed[connection.id] = self.engine.at
        self.users.pop(user, None)
        self.deleted_users.add(user)
        self.disturb("user deleted at Powens")

    # --- webhooks

    def touch(self, connection: Connection, event: str, account: Account | None = None) -> None:
        """Something changed, and a webhook says so."""
        self.changed[connection.id] = self.engine.at
        self.emit(event, connection, account)

    def emit(self, event: str, connection: Connection, account: Account | None = None) -> None:
        engine, chance = self.engine, self.engine.chance
        self._hooks[connection.id] = self._hooks.get(connection.id, 0) + 1
        key = f"webhook/{connection.id}/{self._hooks[connection.id]}"
        said: dict[str, Any] = {"id_user": connection.user, "id_connection": connection.id}
        if account is not None:
            said |= {"id": account.id, "iban": account.iban, "name": account.name}
        if event.startswith("connection-"):
            said = {"user": {"id": connection.user}, "connection": {"id": connection.id, "id_user": connection.user}}
        if chance.happens("webhook lost", key):
            engine.tell(f"Powens loses the webhook {event} of connection {connection.id}")
            return
        copies = 1
        body = json.dumps(said).encode()
        if chance.happens("webhook doubled", key):
            engine.tell(f"Powens doubles the webhook {event} of connection {connection.id}")
            copies = 2
        for copy in range(copies):
            delay = chance.between(0.1, 2.5, "hook", key, copy)
            if chance.happens("webhook late", f"{key}/{copy}"):
                delay = chance.between(30, 3 * 3600, "late hook", key, copy)
                engine.tell(f"Powens will send {event} of connection {connection.id} {delay / 60:.0f} minutes late")
            engine.after(delay, functools.partial(self.webhook, event, body, connection.id, engine.at))

    # --- requests

    def send(  # type: ignore[override]  # the base class has the same parameters with looser types
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] = (0, 0),
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        engine, chance = self.engine, self.engine.chance
        if engine.closed:
            raise GreenletExit
        assert request.url is not None
        task = engine.current
        assert task is not None
        step = task.step()
        url = urlsplit(request.url)
        line = f"{request.method} {url.path.removeprefix('/2.0')}"
        body = json.loads(request.body) if request.body else {}
        query = parse_qs(url.query, keep_blank_values=True)
        self._only_deletes(line)
        if chance.happens("killed before a call", step):
            engine.tell(f"{task.key} is killed before {line}")
            engine.die()
        patience = timeout[1]
        there = chance.between(0.02, 0.2, "there", step)
        back = chance.between(0.02, 0.2, "back", step)
        if chance.happens("Powens is slow", step):
            there = chance.between(0.5, 14, "slow", step)
            engine.tell(f"{task.key}: {line} takes {there:.1f} s")
        if there >= patience:
            # It arrives all the same, when nobody waits for it any more.
            self._later(there, line, query, body, request.headers, task.key)
            engine.wait(patience)
            raise requests.ReadTimeout
        engine.wait(there)
        answer = self._in_trouble(line, step)
        if answer is None and request.method != "GET" and chance.happens("Powens applies too late", step):
            engine.tell(f"{task.key}: Powens will apply {line} after the timeout")
            self._later(patience + chance.between(0, 15, "later", step), line, query, body, request.headers, task.key)
            engine.wait(max(0.1, patience - there))
            raise requests.ReadTimeout
        if answer is None:
            answer = self._one_answer(line, query, body, request.headers, task.key)
            engine.note(f"{task.key} {line} {answer.status}")
            if chance.happens("killed after a call", step):
                engine.tell(f"{task.key} is killed after {line}")
                engine.die()
            if chance.happens("Powens applies and times out", step):
                engine.tell(f"{task.key}: Powens has done {line}, the answer is lost")
                engine.wait(max(0.1, patience - there))
                raise requests.ReadTimeout
            answer = self._mangled(line, answer, step, task.key)
        if there + back >= patience:
            engine.wait(max(0.0, patience - there))
            raise requests.ReadTimeout
        engine.wait(back)
        return _response(request, answer)

    def _only_deletes(self, line: str) -> None:
        """After an erasure nobody asks Powens anything about the user but to delete her."""
        found = re.fullmatch(r"(\w+) /users/(\d+)(/.*)?", line)
        if found is None or (found[1] == "DELETE" and found[3] is None):
            return
        since = self.erasing.get(int(found[2]))
        if since is not None and self.engine.at > since + QUIET_AFTER_SECONDS * 1_000_000:
            self.broken(f"{line} is sent after the erasure of the user")

    def _later(
        self,
        seconds: float,
        line: str,
        query: Mapping[str, list[str]],
        body: Mapping[str, Any],
        headers: Mapping[str, Any],
        key: str,
    ) -> None:
        """The request takes effect although nobody waits for its answer."""
        if line.startswith("GET"):
            return
        found = line.rsplit("/", 1)[-1]
        real = self.real_of.get(int(found)) if found.isdigit() else None
        connection = real.connection if real else 0
        self.late[connection] = self.late.get(connection, 0) + 1

        def act() -> None:
            self.late[connection] -= 1
            account = self.connections[connection].accounts.get(int(found)) if connection in self.connections else None
            before = account.disabled if account else None
            self._one_answer(line, query, body, headers, key)
            if real is not None and account is not None and account.disabled != before:
                self.came_late(real, not account.disabled)

        self.engine.after(seconds, act)

    def _in_trouble(self, line: str, step: str) -> Answer | None:
        engine, chance = self.engine, self.engine.chance
        now = engine.at / 1_000_000
        if now < self.outage_until:
            return error(503)
        if now < self.throttled_until:
            return error(429, "tooManyRequests", **{"Retry-After": str(int(self.throttled_until - now) + 1)})
        if not line.startswith("GET") and "/users/" in line and self._locked_until(line) > now:
            return error(409, "connectionLocked")
        if chance.happens("Powens answers 500", step):
            engine.tell(f"Powens answers 500 to {line}")
            return error(500)
        if chance.happens("Powens throttles", step):
            engine.tell(f"Powens answers 429 to {line}")
            return error(429, "tooManyRequests", **{"Retry-After": str(1 + int(chance.roll("retry", step) * 60))})
        return None

    def _locked_until(self, line: str) -> float:
        parts = line.split("/")
        if len(parts) < 5 or not parts[4].isdigit():
            return 0.0
        wanted = int(parts[4])
        if parts[3] == "accounts":
            real = self.real_of.get(wanted)
            wanted = real.connection if real else 0
        return self.locked.get(wanted, 0.0)

    def _one_answer(
        self, line: str, query: Mapping[str, list[str]], body: Mapping[str, Any], headers: Mapping[str, Any], key: str
    ) -> Answer:
        self.log.append(line)
        self._asking = key
        return self._answer(line, query, body, headers)

    def _mangled(self, line: str, answer: Answer, step: str, key: str) -> Answer:
        engine, chance = self.engine, self.engine.chance
        if not line.startswith("GET") or answer.status != 200:
            return answer
        if chance.happens("Powens answers garbage", step):
            engine.tell(f"Powens answers garbage to {line}")
            return Answer(200, b"<html>a page of a proxy</html>")
        names = [name for name in ("accounts", "connections") if line.endswith(f"/{name}")]
        if names and chance.happens("Powens answers an empty list", step):
            engine.tell(f"Powens answers an empty list to {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            return Answer(200, {names[0]: []})
        if "accounts" in names and chance.happens("Powens answers a part of a list", step):
            engine.tell(f"Powens leaves an account out of {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            assert isinstance(answer.body, dict)
            kept = [a for a in answer.body["accounts"] if chance.roll("part", step, a["id"]) < 0.6]
            return Answer(200, {"accounts": kept})
        return answer

    # --- answers that the fake does not know, or gives at once

    def _answer(
        self, line: str, query: Mapping[str, list[str]], body: Mapping[str, Any], headers: Mapping[str, Any]
    ) -> Answer:
        if line.startswith("DELETE /users/") and line.count("/") == 2:
            user = int(line.rsplit("/", 1)[-1])
            token = str(headers.get("Authorization", "")).removeprefix("Bearer ")
            if user not in self.users or token not in self.users[user].tokens:
                return error(401, "unauthorized")
            self.delete_user(user)
            return Answer(204, b"")
        return super()._answer(line, query, body, headers)

    def _new_user(self) -> User:
        user = super()._new_user()

        def expire() -> None:
            if user.temporary and user.id in self.users:
                self.delete_user(user.id)

        self.engine.after(TEMPORARY_SECONDS, expire)
        return user

    def _issue(self, line: str, body: Mapping[str, Any]) -> Answer:
        answer = super()._issue(line, body)
        for user in self.users.values():
            if not user.temporary and user.id not in self.permanent and user.id not in self.strays:
                self.permanent.append(user.id)
        return answer

    def _resource(
        self, me: User, method: str, rest: str, query: Mapping[str, list[str]], body: Mapping[str, Any]
    ) -> Answer:
        parts = rest.split("/")
        if method == "POST" and parts[1] == "accounts":
            return self._update(me, int(parts[2]), query, body)
        if method == "PUT" and parts[1] == "connections":
            return self._force(me, int(parts[2]))
        if method == "DELETE" and parts[1] == "connections":
            connection = self.connections.get(int(parts[2]))
            if connection is None or connection.user != me.id:
                return error(404, "notFound")
            self.remove(connection)
            return Answer(204, b"")
        return super()._resource(me, method, rest, query, body)

    def _update(self, me: User, wanted: int, query: Mapping[str, list[str]], body: Mapping[str, Any]) -> Answer:
        connection = next((c for c in self.connections.values() if wanted in c.accounts and c.user == me.id), None)
        account = connection.accounts[wanted] if connection else None
        if account is not None and "all" in query:
            self.before_update(account, body["disabled"], self._asking)
        was = account.disabled if account else None
        answer = super()._resource(me, "POST", f"/accounts/{wanted}", query, body)
        if answer.status == 200 and connection is not None and account is not None:
            self.carried_out.append(Update(self.engine.at, wanted, body["disabled"], self._asking))
            if account.disabled != was:
                self.touch(connection, "account-disabled" if account.disabled else "account-enabled", account)
        return answer

    def _force(self, me: User, wanted: int) -> Answer:
        connection = self.connections.get(wanted)
        if connection is None or connection.user != me.id:
            return error(404, "notFound")
        if self.engine.now - connection.last_update < timedelta(minutes=1):
            return error(409, "tooSoon")
        seconds = self.engine.chance.between(2, 45, "sync", wanted, self.engine.at)
        self.engine.after(seconds, lambda: self.synchronise(connection))
        return Answer(200, self._connection_json(connection))

    def _connection_json(self, connection: Connection) -> dict[str, object]:
        shown = super()._connection_json(connection)
        expiry = self.expiries.get(connection.id)
        if expiry is not None:
            sources: Any = shown["sources"]
            sources[0]["access_expire"] = expiry.strftime("%Y-%m-%d %H:%M:%S")
        return shown


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.url = request.url or ""
    response.request = request
    response.headers.update(answer.headers)
    response.raw = HTTPResponse(body=io.BytesIO(answer.content), headers=answer.headers, preload_content=False)
    return response


def signed(path: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a webhook that Powens sends at `at`."""
    date = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    said = f"POST.{path}.{date}.".encode() + body
    signature = base64.b64encode(hmac.new(WEBHOOK_SECRET.encode(), said, hashlib.sha256).digest()).decode()
    return {"bi-signature": signature, "bi-signature-date": date}
