"""Powens on simulated time: accounts that come, go, move and change their ids, webhooks, and each bad day of its API.

`tests/worlds/powens/fake.py` answers the requests; here are the time that they take, what goes wrong with them, and
what happens at Powens without us. The real session of the product sends its requests through `send`.
"""

import functools
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from greenlet import GreenletExit
from urllib3 import HTTPResponse

from tests.simulation.banks import (
    BANKS,
    FILLERS,
    NO_ID,
    NO_SELECTION,
    ODD_ACCOUNT,
    ODD_CONNECTION,
    family,
    other_type,
    shape,
    written,
)
from tests.simulation.engine import Engine
from tests.worlds.powens.fake import FakePowens, error, paris
from tests.worlds.powens.model import Account, Connection, Connector, User
from tests.worlds.powens.wire import Answer

TEMPORARY_SECONDS = 1800
PAGE = 2
"""Items of a list that Powens answers in pages."""
TEMPORARY_STATES = ("websiteUnavailable", "rateLimiting", "bug")
GONE = (404, 400, 403, 409)
"""What Powens may answer when a token is asked for a user that it no longer has."""
QUIET_AFTER_SECONDS = 30.5
"""What began before an erasure has run out of time by then (ADR 0020)."""


@dataclass(eq=False)
class Real:
    """A real account as one connection sees it, under all the Powens ids that it ever had; the newest counts.

    `identity` is equal for the copies that several connections show of one. `shared`: what identifies it is that of
    another account of the connection, too, if not the name; then which of their new ids is whose is for the product to
    say. `balances`: all that it ever had.
    """

    id: int
    connection: int
    name: str
    ids: list[int] = field(default_factory=list)
    identity: str = ""
    strong: tuple[str, ...] | None = None
    shared: bool = False
    balances: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Update:
    """An update of an account that Powens carried out for us."""

    at: int
    account: int
    disabled: bool
    task: str


class SimulatedPowens(FakePowens):
    """`webhook(name, body)` delivers one; `heard(kind, ...)` is told what happens, for the invariants."""

    def __init__(self, engine: Engine, kinds: Collection[str] = ()) -> None:
        super().__init__(lambda: engine.now)
        self.engine = engine
        self.kinds = frozenset(kinds)
        """Which uncommon kinds of accounts and habits there are in this run; `drawn` counts those that came up."""
        self.drawn: Counter[str] = Counter()
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
        self.witnesses: set[int] = set()
        """Users who were made to see whether our credentials work (ADR 0027). Who was killed may have left one."""
        self._witnessing: set[str] = set()
        self.strays: dict[int, int] = {}
        """Since when which user is there that nobody here made, in microseconds."""
        self.erasing: dict[int, int] = {}
        """Since when which user is being erased here, in microseconds."""
        self.broken: Callable[[str], None] = lambda promise: None
        self.late: dict[int, int] = {}
        self.expiries: dict[int, datetime] = {}
        self.frozen: set[int] = set()
        """Connections that look well and are never synchronised."""
        self.unreadable: dict[int, tuple[int, object]] = {}
        """Accounts whose selection cannot be read: since when, in microseconds, and what stands there."""
        self.once_blurred: set[int] = set()
        self.once_spoilt: set[int] = set()
        """Accounts whose selection or id, or whose balance, could not be read at some time."""
        self.nameless: dict[int, object] = {}
        """Accounts whose id cannot be read."""
        self.unbound: set[int] = set()
        """New ids of accounts with a namesake, which the product has not paired with an old one."""
        self.gone_since: dict[int, int] = {}
        """When an id vanished without being called deleted, in microseconds."""
        self.forbidden: dict[int, float] = {}
        """Until when, in seconds, a user's accounts may not be updated."""
        self.renewals: dict[int, list[int]] = {}
        self.forced: list[tuple[int, int]] = []
        """(when, connection) of every synchronisation that was asked for and taken."""
        self.syncing: dict[int, int] = {}
        self.synchronised: dict[int, int] = {}
        """When a connection was last synchronised well."""
        self.appeared: list[tuple[int, Real, str, str]] = []
        """When an account came up that was not there, the connector of its bank and the family of its type."""
        self.news: dict[str, int] = {}
        """When the connector of a bank began to give more."""
        self.disturbances: list[tuple[int, str, int | None]] = []
        self._hooks: dict[int, int] = {}
        self._places: Counter[int] = Counter()
        self._next_account = 900
        self._next_connection = 70
        for number, bank in enumerate((*BANKS, "Banque Lagune", "Banque Verveine")):
            connector = Connector(uuid=uuid_of(number), name=bank)
            self.connectors[connector.uuid] = connector

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
        made = self.add_connection(user, BANKS[bank], connection_id=self._next_connection, uuid=uuid_of(bank))
        self.synchronised[made.id] = self.engine.at
        roll = self.engine.chance.roll
        for nth in range(2 + int(roll("accounts", user, bank) * 3)):
            account = self._discover(made)
            account.disabled = not ticked(nth)
        self.changed[made.id] = self.engine.at
        return made

    def open_account(self, connection: Connection) -> Account:
        """The bank shows an account that was not there before: disabled, as nobody chose it."""
        account = self._discover(connection)
        self.touch(connection, "account-found", account)
        return account

    def _discover(self, connection: Connection) -> Account:
        bank, nth = BANKS.index(connection.bank), self._places[connection.id]
        self._places[connection.id] += 1
        found = shape(self.engine.chance.roll, self.kinds, connection.user, bank, nth)
        if found.kind is not None:
            self.drawn[found.kind] += 1
        self._next_account += 1
        account = self.add_account(
            connection,
            self._next_account,
            name=found.name,
            iban=found.iban,
            number=found.number,
            type=found.type,
            disabled=True,
        )
        self.secrets -= set(FILLERS)
        real = self._real(connection, account, f"account {nth + 1}", found.strong)
        self._note_ties(connection, real)
        return account

    def _real(self, connection: Connection, account: Account, name: str, strong: tuple[str, ...] | None) -> Real:
        real = Real(len(self.reals) + 1, connection.id, name, [account.id], strong=strong)
        real.identity = f"{connection.user}/{strong}/{account.name}" if strong else f"nothing/{real.id}"
        self.reals[real.id] = real
        self.real_of[account.id] = real
        self.appeared.append((self.engine.at, real, connection.uuid, family(account.type)))
        self._visit(account, real)
        return real

    def _note_ties(self, connection: Connection, real: Real) -> None:
        """Note which accounts of the connection nothing tells apart but a name, if that."""
        alike = [other for other in self.reals.values() if other.connection == connection.id and same(real, other)]
        if len(alike) > 1:
            for other in alike:
                other.shared = True
            self.unbound.add(real.ids[-1])

    def _visit(self, account: Account, real: Real) -> None:
        """The bank tells a balance; no two accounts ever have the same."""
        balance = round(self.engine.chance.between(-3000, 9000, "balance", real.id, len(real.balances)), 2)
        real.balances.append(balance)
        account.balance = balance

    def renumber(self, connection: Connection, account: Account, *, listed: bool) -> Account:
        """Powens deletes an account and makes it anew under another id, disabled (seen by third parties).

        One that nothing identifies is another account then, as far as anybody can tell.
        """
        self._next_account += 1
        real = self.real_of[account.id]
        account.deleted = True
        if not listed:
            del connection.accounts[account.id]
            self.gone_since[account.id] = self.engine.at
        kind = account.type
        if "type flip" in self.kinds and self.engine.chance.roll("type", self._next_account) < 0.5:
            kind = other_type(kind)
            self.drawn["type flip"] += kind != account.type
        made = self.add_account(
            connection,
            self._next_account,
            name=account.name,
            iban=account.iban,
            number=account.number,
            type=kind,
            disabled=True,
            balance=account.balance,
        )
        self.secrets -= set(FILLERS)
        if real.strong is None:
            self.absent[real.id] = self.engine.at
            self._real(connection, made, f"{real.name} anew", None)
        else:
            real.ids.append(made.id)
            self.real_of[made.id] = real
            if real.shared:
                self.unbound.add(made.id)
        self.disturb("renumbered", connection.id)
        self.touch(connection, "account-found", made)
        return made

    def rebind(self, real: Real, powens_id: int) -> None:
        """The product takes a new id for `real`'s where nothing tells: then it is, and not the other account's."""
        other = self.real_of[powens_id]
        own = real.ids[-1] if real.ids[-1] in self.unbound else None
        other.ids.remove(powens_id)
        real.ids.append(powens_id)
        if own is not None:
            real.ids.remove(own)
            other.ids.append(own)
            self.real_of[own] = other
        elif not other.ids:
            other.ids.append(real.ids[0])  # never read, and gone now
        self.real_of[powens_id] = real
        self.unbound.discard(powens_id)
        real.identity, other.identity = other.identity, real.identity
        real.balances, other.balances = [*real.balances, *other.balances], [*other.balances, *real.balances]

    def move(self, source: Connection, target: Connection, account: Account) -> None:
        """The bank shows an account through another connection of its owner, under the same id."""
        del source.accounts[account.id]
        target.accounts[account.id] = account
        real = self.real_of[account.id]
        real.connection = target.id
        if real.strong and real.strong[0] == "number" and source.bank != target.bank:
            real.identity = f"moved/{real.id}"  # a number identifies within one bank
        self.disturb("moved", source.id)
        self.disturb("moved", target.id)
        self.touch(source, "connection-synced")
        self.touch(target, "account-found", account)

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

    def works(self, connection: Connection) -> bool:
        """Whether the bank can be reached with what the user gave."""
        expiry = self.expiries.get(connection.id)
        return connection.state is None and connection.active and (expiry is None or expiry > self.engine.now)

    def synchronise(self, connection: Connection) -> None:
        """New data of what works. What is frozen says nothing at all."""
        self.syncing.pop(connection.id, None)
        if connection.id not in self.connections or connection.id in self.frozen:
            return
        if connection.state in TEMPORARY_STATES:
            connection.state = None
        if self.works(connection):
            super().synchronise(connection)
            self.synchronised[connection.id] = self.engine.at
            for account in connection.accounts.values():
                if not account.disabled and not account.deleted and account.error is None:
                    self._visit(account, self.real_of[account.id])
        self.touch(connection, "connection-synced")
        for account in list(connection.accounts.values()):
            if not account.disabled and not account.deleted:
                self.emit("account-synced", connection, account)
                if "categories" in self.kinds:
                    self.drawn["categories"] += 1
                    self.emit("account-categorized", connection, account)

    def fail_account(self, connection: Connection, account: Account, word: str | None) -> None:
        """One account alone fails, without a balance, or has got over it."""
        account.error = word
        self.disturb("account error", connection.id)
        self.touch(connection, "connection-synced")

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
        if event == "account-categorized" and account is not None:
            # Nothing but transactions: no user, no connection.
            said = {"transactions": [{"id": 5000 + self._hooks[connection.id], "id_account": account.id}]}
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
        if answer is None and request.method == "PUT" and chance.happens("Powens outlives our patience", step):
            engine.tell(f"{task.key}: {line} is carried out for longer than anybody waits")
            self._one_answer(line, query, body, request.headers, task.key)
            engine.wait(max(0.1, patience - there))
            raise requests.ReadTimeout
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
            answer = self._mangled(line, query, answer, step)
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
            now_at = self.connections.get(real.connection) if real else None
            account = now_at.accounts.get(int(found)) if now_at else None
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
        found = re.fullmatch(r"POST /users/(\d+)/accounts/\d+", line)
        if found and self.forbidden.get(int(found[1]), 0.0) > now:
            return error(403, "forbidden")
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
        answer = self._answer(line, query, body, headers)
        if line == "POST /auth/renew" and not answer.status < 300:
            self._witnessing.add(key)
        elif line == "POST /auth/init" and key in self._witnessing:
            self.witnesses.add(json.loads(answer.content)["id_user"])
        return answer

    def _mangled(self, line: str, query: Mapping[str, list[str]], answer: Answer, step: str) -> Answer:
        engine, chance = self.engine, self.engine.chance
        if not line.startswith("GET") or answer.status != 200:
            return answer
        if chance.happens("Powens answers garbage", step):
            engine.tell(f"Powens answers garbage to {line}")
            return Answer(200, b"<html>a page of a proxy</html>")
        name = line.rsplit("/", 1)[-1]
        body: Any = answer.body
        if name in ("accounts", "connections") and chance.happens("Powens answers an empty list", step):
            engine.tell(f"Powens answers an empty list to {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            return Answer(200, {name: []})
        if name == "accounts" and chance.happens("Powens answers a part of a list", step):
            engine.tell(f"Powens leaves an account out of {line}")
            self.misread[int(line.split("/")[2])] = engine.at
            return Answer(200, {name: [a for a in body[name] if chance.roll("part", step, a["id"]) < 0.6]})
        if "/users/" in line and "sources" not in name and chance.happens("Powens answers an odd field", step):
            self._spoil(line, body.get(name, [body]), step)
        if "/connections" in line and name != "accounts" and chance.happens("Powens answers an older date", step):
            engine.tell(f"Powens goes back to an older date in {line}")
            for item in body.get(name, [body]):
                known = self.connections.get(item["id"])
                if known is not None:
                    item["last_update"] = paris(
                        known.last_update - timedelta(hours=chance.between(1, 5, "older", step))
                    )
        if name in ("accounts", "connections", "connectors", "users"):
            return self._page(name, body[name], query, step)
        return answer

    def _spoil(self, line: str, items: list[dict[str, object]], step: str) -> None:
        """One field of one thing of an answer is something else than documented, this once."""
        roll = self.engine.chance.roll
        if not items or "id" not in items[0]:
            return
        item = items[int(roll("odd item", step) * len(items))]
        spoilt, value = odd(roll, ODD_ACCOUNT if "iban" in item else ODD_CONNECTION, step)
        if spoilt == "deleted" and item["deleted"] is not None:
            return
        item[spoilt] = value
        if spoilt == "balance" and isinstance(item["id"], int):
            self.once_spoilt.add(item["id"])
        self.engine.tell(f"Powens answers {value!a} for the {spoilt} of {item['id']} in {line}")

    def _page(self, name: str, items: list[Any], query: Mapping[str, list[str]], step: str) -> Answer:
        """A part of a list that says how long it is, and not where it goes on."""
        start = int(query["offset"][0]) if "offset" in query else 0
        paged = len(items) > PAGE and (start > 0 or self.engine.chance.happens("Powens answers in pages", step))
        shown = items[start : start + PAGE] if paged or start else items
        return Answer(200, {name: shown, "total": len(items)})

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
        if line == "POST /auth/renew":
            user = body["id_user"]
            self._renewed(user)
            if user not in self.users:
                gone = GONE if "gone by another status" in self.kinds else GONE[:1]
                status = gone[int(self.engine.chance.roll("gone", user) * len(gone))]
                self.drawn["gone by another status"] += status != 404
                return error(status, "notFound" if status == 404 else "invalidValue")
        answer = super()._issue(line, body)
        for known in self.users.values():
            if not known.temporary and known.id not in self.permanent and known.id not in self.strays:
                self.permanent.append(known.id)
        return answer

    def _renewed(self, user: int) -> None:
        """No new tokens for a request that is forbidden: 403 says nothing about the token, but once in a while."""
        hour = self.engine.at - 3600 * 1_000_000
        lately = [at for at in self.renewals.get(user, []) if at > hour]
        self.renewals[user] = [*lately, self.engine.at]
        revoked = any(at > hour for at, what, _ in self.disturbances if what == "tokens revoked")
        if self.forbidden.get(user, 0.0) > self.engine.at / 1_000_000 and len(lately) >= 2 and not revoked:
            self.broken(f"token after token is asked for user {user}, whose updates are forbidden")

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
        engine, connection = self.engine, self.connections.get(wanted)
        if connection is None or connection.user != me.id:
            return error(404, "notFound")
        if wanted in self.frozen or engine.at < self.syncing.get(wanted, 0):
            return error(409, "conflict")
        if engine.now - connection.last_update < timedelta(minutes=1):
            return error(409, "tooSoon")
        if engine.chance.happens("Powens refuses a synchronisation", f"{wanted}/{engine.at}"):
            engine.tell(f"Powens refuses to synchronise connection {wanted}")
            return error(409, "conflict")
        seconds = engine.chance.between(2, 45, "sync", wanted, engine.at)
        self.forced.append((engine.at, wanted))
        self.syncing[wanted] = engine.at + round(seconds * 1_000_000)
        engine.after(seconds, lambda: self.synchronise(connection))
        return Answer(200, self._connection_json(connection))

    def _connection_json(self, connection: Connection) -> dict[str, object]:
        shown = super()._connection_json(connection)
        expiry = self.expiries.get(connection.id)
        if expiry is not None and "sources" not in connection.odd:
            sources: Any = shown["sources"]
            sources[0]["access_expire"] = paris(expiry)
        if connection.id in self.frozen or not connection.active:
            shown["next_try"] = None
        shown |= connection.odd
        return shown

    def _account_json(self, connection: Connection, account: Account) -> dict[str, object]:
        shown = super()._account_json(connection, account)
        roll = self.engine.chance.roll
        if account.iban and "IBAN in other spellings" in self.kinds:
            shown["iban"] = written(account.iban, roll("spelling", account.id, self.engine.at))
            self.drawn["IBAN in other spellings"] += shown["iban"] != account.iban
        if account.error is not None or (account.disabled and "no balance of the disabled" in self.kinds):
            self.drawn["no balance of the disabled"] += account.error is None
            shown["balance"] = None
        shown |= account.odd
        if account.deleted:
            shown["deleted"] = paris(connection.last_update)
        if account.id in self.unreadable:
            shown["disabled"] = self.unreadable[account.id][1]
        if account.id in self.nameless:
            shown["id"] = self.nameless[account.id]
        return shown

    # --- fields that are something else than documented

    def spoil(self, connection: Connection, account: Account | None, *names: object) -> str:
        """A field of an account or of its connection is odd from now on; what it says in words."""
        roll = self.engine.chance.roll
        spoilt, value = odd(roll, ODD_CONNECTION if account is None else ODD_ACCOUNT, *names)
        (account or connection).odd[spoilt] = value
        if account is not None and spoilt == "balance":
            self.once_spoilt.add(account.id)
        self.disturb("odd field", connection.id)
        self.touch(connection, "connection-synced")
        return f"{spoilt} is {value!a}"

    def blur(self, connection: Connection, account: Account, *names: object, whole: bool) -> None:
        """The selection of an account, or even its id, cannot be read from now on."""
        roll = self.engine.chance.roll
        if whole:
            self.nameless[account.id] = NO_ID[int(roll("no id", *names) * len(NO_ID))]
        else:
            value = NO_SELECTION[int(roll("no selection", *names) * len(NO_SELECTION))]
            self.unreadable[account.id] = self.engine.at, value
        self.once_blurred.add(account.id)
        self.disturb("unreadable", connection.id)
        self.touch(connection, "connection-synced")

    def clear(self, account_id: int) -> None:
        """What could not be read of an account can be read again."""
        connection = self.connections.get(self.real_of[account_id].connection)
        if connection is not None:
            self.touch(connection, "connection-synced")
        self.unreadable.pop(account_id, None)
        self.nameless.pop(account_id, None)


def uuid_of(bank: int) -> str:
    """The connector of a bank."""
    return f"338178e6-3d01-564f-9a7b-{bank:012d}"


def same(one: Real, other: Real) -> bool:
    """Whether the same identifies both."""
    return one.strong is not None and one.strong == other.strong


def odd(roll: Callable[..., float], fields: Mapping[str, tuple[object, ...]], *names: object) -> tuple[str, object]:
    """A field, and a value that means nothing in it."""
    field_name = [*fields][int(roll("odd field", *names) * len(fields))]
    values = fields[field_name]
    return field_name, values[int(roll("odd value", *names) * len(values))]


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.url = request.url or ""
    response.request = request
    response.headers.update(answer.headers)
    response.raw = HTTPResponse(body=io.BytesIO(answer.content), headers=answer.headers, preload_content=False)
    return response
