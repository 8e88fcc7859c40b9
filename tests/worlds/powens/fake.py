"""A small Powens behind `requests`: users, tokens, connections, accounts, and whatever can go wrong on the way to them.

It answers as the documentation says: a disabled account does not exist without `?all`, an unknown token is a 401, dates
are Paris wall time without a zone. Everything secret that it ever gave out is in `secrets`, so that a test can look for
it where it must not be.
"""

import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import requests
from requests.adapters import BaseAdapter

from tests.ibans import iban
from tests.worlds.powens.model import Account, Connection, Connector, User
from tests.worlds.powens.wire import Answer, account_json, connection_json, response_to

CLIENT_ID = "12345"
CLIENT_SECRET = "powens-client-secret-7d1f"
USERS_TOKEN = "powens-users-token-8e4c"
ERROR_TEXT = "text-that-powens-wrote-5c2a"
ERROR_MESSAGE = "text-that-the-bank-wrote-9b3e"
SYNCHRONISED_EVERY = timedelta(hours=24)
"""What `next_try` says; a test synchronises."""
_PARIS = ZoneInfo("Europe/Paris")


def paris(at: datetime) -> str:
    """A date as Powens writes it: Paris wall time, without a zone."""
    return at.astimezone(_PARIS).strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class Trouble:
    """What the next `left` requests whose `METHOD /path` matches `line` meet: another answer, an error, or `act`.

    `after`: Powens does what it was asked before the trouble starts, and only its answer is lost.
    """

    line: re.Pattern[str]
    left: int
    instead: Answer | Exception | None
    act: Callable[[], object]
    after: bool


def error(status: int, code: str = "internalError", **headers: str) -> Answer:
    """Powens' error envelope, with texts that nobody may see again."""
    body = {"code": code, "message": ERROR_TEXT, "description": ERROR_TEXT, "request_id": "r-1"}
    return Answer(status, body, headers)


class FakePowens(BaseAdapter):
    """Mounted in place of the adapter that would go to the network. `log` holds `METHOD /path` of every request."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.clock = clock
        self.users: dict[int, User] = {}
        self.connections: dict[int, Connection] = {}
        self.connectors: dict[str, Connector] = {}
        self.log: list[str] = []
        self.secrets: set[str] = {CLIENT_SECRET, USERS_TOKEN, ERROR_TEXT, ERROR_MESSAGE}
        # Which status a revoked token, and the renewal of a user who is gone, have is not documented.
        self.bad_token_status = 401
        self.gone_user_status = 404
        self.credentials_refused_with: int | None = None
        self._troubles: list[Trouble] = []
        self._ids = itertools.count(41)
        self._tokens = itertools.count(1)
        self._lock = threading.RLock()

    # --- what tests arrange

    def add_connection(self, user: int, bank: str, *, connection_id: int, uuid: str) -> Connection:
        made = Connection(id=connection_id, user=user, bank=bank, uuid=uuid, last_update=self.clock())
        made.next_try = made.last_update + SYNCHRONISED_EVERY
        self.connections[connection_id] = made
        return made

    def add_account(self, connection: Connection, account_id: int, **changes: Any) -> Account:
        values: dict[str, Any] = {
            "name": f"Compte {account_id}",
            "iban": iban(account_id),
            "number": f"30029{account_id:06d}",
            "type": "checking",
            "currency": "EUR",
            "balance": 1523.07,
            "disabled": False,
            "last_update": self.clock(),
        }
        account = Account(id=account_id, **{**values, **changes})
        connection.accounts[account_id] = account
        self.secrets |= {text for text in (account.iban, account.number) if text}
        return account

    def account(self, account_id: int) -> Account:
        return next(c.accounts[account_id] for c in self.connections.values() if account_id in c.accounts)

    def synchronise(self, connection: Connection) -> None:
        """As if the bank had been visited: new dates."""
        connection.last_update = self.clock()
        connection.next_try = connection.last_update + SYNCHRONISED_EVERY
        for account in connection.accounts.values():
            if not account.disabled:
                account.last_update = connection.last_update

    def fail(self, line: str, instead: Answer | Exception, *, times: int = 1, after: bool = False) -> None:
        """The next requests that match `line` (`METHOD /path`, a regular expression) go wrong."""
        self._troubles.append(Trouble(re.compile(line), times, instead, lambda: None, after))

    def before(self, line: str, act: Callable[[], object], *, instead: Answer | None = None) -> None:
        """Something happens elsewhere just before the next request that matches `line` arrives."""
        self._troubles.append(Trouble(re.compile(line), 1, instead, act, after=False))

    def behave(self) -> None:
        """All trouble is over."""
        self._troubles.clear()

    def revoke_tokens(self, user: int) -> None:
        self.users[user].tokens.clear()

    # --- what tests look at

    def count(self, line: str) -> int:
        return sum(bool(re.fullmatch(line, sent)) for sent in self.log)

    @property
    def reads(self) -> int:
        """Reads of connections or of one; each comes with one of accounts."""
        return self.count(r"GET /users/\d+/connections(/\d+)?")

    @property
    def updates(self) -> int:
        return self.count(r"POST /users/\d+/accounts/\d+")

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
        assert request.url is not None
        assert timeout[0] > 0
        assert timeout[1] > 0
        url = urlsplit(request.url)
        path = url.path.removeprefix("/2.0")
        line = f"{request.method} {path}"
        with self._lock:
            self.log.append(line)
            trouble = next((t for t in self._troubles if t.left and t.line.fullmatch(line)), None)
            if trouble is not None:
                trouble.left -= 1
                trouble.act()
        answer: Answer | Exception | None = trouble.instead if trouble is not None else None
        if answer is None or (trouble is not None and trouble.after):
            with self._lock:
                body = json.loads(request.body) if request.body else {}
                usual = self._answer(line, parse_qs(url.query, keep_blank_values=True), body, request.headers)
            answer = answer or usual
        if isinstance(answer, Exception):
            raise answer
        return response_to(request, answer)

    def close(self) -> None:
        """Nothing to close."""

    def _answer(
        self, line: str, query: Mapping[str, list[str]], body: Mapping[str, Any], headers: Mapping[str, Any]
    ) -> Answer:
        if line == "POST /auth/init":
            user = self._new_user()
            issued = {"auth_token": self._token(user), "type": "temporary", "id_user": user.id, "expires_in": 1800}
            return Answer(200, issued)
        if line in ("POST /auth/token/access", "POST /auth/renew"):
            return self._issue(line, body)
        if line == "GET /connectors":
            return Answer(200, {"connectors": [self._connector_json(c) for c in self.connectors.values()]})
        token = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        if line == "GET /users":
            if token != USERS_TOKEN:
                return error(HTTPStatus.FORBIDDEN, "forbidden")
            return Answer(
                200, {"users": [{"id": user.id, "signin": paris(self.clock())} for user in self.users.values()]}
            )
        me = next((user for user in self.users.values() if token in user.tokens), None)
        if me is None:
            return error(self.bad_token_status, "unauthorized")
        if line == "GET /auth/token/code":
            assert query["type"] == ["singleAccess"]
            return Answer(200, {"code": self._secret("code+/=", me.id), "type": "temporary", "access": "single"})
        found = re.fullmatch(r"(\w+) /users/(\d+)(/.*)?", line)
        if found is None or int(found[2]) != me.id:
            return error(HTTPStatus.NOT_FOUND, "notFound")
        if found[3] is None:
            assert found[1] == "DELETE"
            return self._delete_user(me)
        return self._resource(me, found[1], found[3], query, body)

    def _issue(self, line: str, body: Mapping[str, Any]) -> Answer:
        if (body.get("client_id"), body.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return error(HTTPStatus.UNAUTHORIZED, "unauthorized")
        if self.credentials_refused_with is not None:
            return error(self.credentials_refused_with, "forbidden")
        if line == "POST /auth/renew":
            user = self.users.get(body["id_user"])
        else:
            user = next((user for user in self.users.values() if body["code"] in user.tokens), None)
        if user is None:
            return error(self.gone_user_status, "notFound")
        user.temporary = False
        return Answer(200, {"access_token": self._token(user), "token_type": "Bearer"})

    def _delete_user(self, me: User) -> Answer:
        del self.users[me.id]
        self.connections = {c.id: c for c in self.connections.values() if c.user != me.id}
        return Answer(204, b"")

    def _new_user(self) -> User:
        user = User(id=next(self._ids), temporary=True)
        self.users[user.id] = user
        return user

    def _token(self, user: User) -> str:
        token = self._secret("tok/+=", user.id)
        user.tokens.add(token)
        return token

    def _secret(self, kind: str, user: int) -> str:
        secret = f"{kind}{user}-{next(self._tokens):04d}-do-not-show"
        self.secrets.add(secret)
        return secret

    def _resource(
        self, me: User, method: str, rest: str, query: Mapping[str, list[str]], body: Mapping[str, Any]
    ) -> Answer:
        mine = {c.id: c for c in self.connections.values() if c.user == me.id}
        everything = "all" in query
        if (method, rest) == ("GET", "/connections"):
            return Answer(200, {"connections": [self._connection_json(c) for c in mine.values()]})
        if (method, rest) == ("GET", "/accounts"):
            return Answer(200, self._accounts_json(list(mine.values()), everything))
        found = re.fullmatch(r"/(connections|accounts)/(\d+)(/accounts)?", rest)
        assert found is not None, rest
        wanted = int(found[2])
        if found[1] == "accounts":
            holder = next((c for c in mine.values() if wanted in c.accounts), None)
            account = holder.accounts[wanted] if holder else None
            if account is None or holder is None or ((account.disabled or account.deleted) and not everything):
                return error(HTTPStatus.NOT_FOUND, "notFound")
            assert method == "POST"
            if account.obeys:
                account.disabled = body["disabled"]
            return Answer(200, self._account_json(holder, account))
        connection = mine.get(wanted)
        if connection is None:
            return error(HTTPStatus.NOT_FOUND, "notFound")
        if found[3]:
            return Answer(200, self._accounts_json([connection], everything))
        if method == "DELETE":
            del self.connections[connection.id]
            return Answer(204, b"")
        if method == "PUT":
            self.synchronise(connection)
        return Answer(200, self._connection_json(connection))

    def _connector_json(self, connector: Connector) -> dict[str, object]:
        return {
            "id": 40,
            "uuid": connector.uuid,
            "name": connector.name,
            "hidden": connector.hidden,
            "restricted": connector.restricted,
            "color": "191c1f",
            "capabilities": list(connector.capabilities),
            "products": list(connector.products),
            "countries": [{"id": "FR", "name": "France"}],
            "sources": [
                {
                    "id": number,
                    "name": name,
                    "disabled": "2026-03-01 10:00:00" if disabled else None,
                    "account_types": list(connector.listed.get(name, ())),
                }
                for number, (name, disabled) in enumerate(connector.sources, start=1)
            ],
        }

    def _connection_json(self, connection: Connection) -> dict[str, object]:
        return (
            connection_json(
                id=connection.id,
                id_user=connection.user,
                connector_uuid=connection.uuid,
                state=connection.state,
                error_message=ERROR_MESSAGE if connection.state else None,
                active=connection.active,
                last_update=paris(connection.last_update),
                next_try=paris(connection.next_try) if connection.next_try is not None else None,
                connector={"id": 40, "uuid": connection.uuid, "name": connection.bank, "capabilities": ["bank"]},
                sources=[
                    {"id": 81, "id_connection": connection.id, "name": "openapi", "state": None, "disabled": None}
                ],
            )
            | connection.odd
        )

    def _accounts_json(self, connections: list[Connection], everything: bool) -> dict[str, object]:
        shown = [
            self._account_json(connection, account)
            for connection in connections
            for account in connection.accounts.values()
            if everything or not (account.disabled or account.deleted)
        ]
        return {"accounts": shown, "total": len(shown)}

    def _account_json(self, connection: Connection, account: Account) -> dict[str, object]:
        return (
            account_json(
                id=account.id,
                id_connection=connection.id,
                id_user=connection.user,
                name=account.name,
                original_name=account.name.upper(),
                iban=account.iban,
                number=account.number,
                type=account.type,
                currency={"id": account.currency} if account.currency else None,
                balance=account.balance,
                disabled=paris(connection.last_update) if account.disabled else None,
                deleted=paris(connection.last_update) if account.deleted else None,
                error=account.error,
                last_update=paris(account.last_update) if account.last_update else None,
            )
            | account.odd
        )
