"""Everything that can happen: users, tokens, connections, accounts, synchronisations, and the events they cause.

No HTTP here and no waiting: what has to happen later is a job with a time, and `run_due` does the jobs whose time has
come. Events are taken from `events` by whoever delivers them.
"""

import base64
import heapq
import itertools
import random
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from powens_sandbox.catalogue import OPENAPI, TEST_OUTCOMES, TEST_PASSWORD, AccountSpec, Connector
from powens_sandbox.clients import Clients
from powens_sandbox.clock import Clock
from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.institutions import Institutions
from powens_sandbox.model import Account, Connection, Event, LogLine, Source, Token, User
from powens_sandbox.params import Params
from powens_sandbox.people import accounts_of, numbers
from powens_sandbox.settings import Settings
from powens_sandbox.views import Json, Views

# States that only the user can end; the others are tried again by the next synchronisation.
USER_MUST_ACT = frozenset(
    {
        "SCARequired",
        "webauthRequired",
        "additionalInformationNeeded",
        "decoupled",
        "actionNeeded",
        "passwordExpired",
        "wrongpass",
    }
)
STATES = USER_MUST_ACT | {"validating", "rateLimiting", "websiteUnavailable", "bug", "notSupported"}
_CONNECTION_EXPANDS = frozenset({"connector", "sources", "accounts", "subscriptions"})
_REFUSED = "wrong"
_LOG_LINES = 200
_HELD_EVENTS = 500
# What the bank says in these states, in its own words.
_BANK_MESSAGES: Mapping[str, str] = {
    "actionNeeded": "Merci d'accepter les nouvelles conditions générales sur le site de votre banque.",
    "passwordExpired": "Votre mot de passe a expiré. Merci de le renouveler sur le site de votre banque.",
}


def new_secret() -> str:
    """A random value that contains `+`, `/` and `=`: whoever forgets to encode one notices at once."""
    while True:
        value = base64.b64encode(secrets.token_bytes(31)).decode()
        if "+" in value and "/" in value and value.endswith("="):
            return value


class World:
    """The whole state. Methods raise ApiError; nothing else knows how records hang together."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.views = Views(settings)
        self.settings = settings
        self.clients = Clients(settings)
        self.institutions = Institutions()
        self.reset()

    def reset(self) -> None:
        """Forget everybody. Numbers go on, so that what was sent before is never mistaken for something new."""
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        # By user, oldest first.
        self._permanent_tokens: dict[int, list[str]] = {}
        self.connections: dict[int, Connection] = {}
        self.accounts: dict[int, Account] = {}
        self.events: deque[Event] = deque()
        self._jobs: list[tuple[datetime, int, int]] = []
        self._syncing: dict[int, int] = {}
        self._late_choices: dict[int, list[Account]] = {}
        self.institutions.reset()
        # What the operator set under /config.
        self.config: dict[str, object] = {}
        self.clients.reset(self.settings)
        if not hasattr(self, "_numbers"):
            starts = {
                "user": 41,
                "connection": 77,
                "source": 181,
                "account": 912,
                "transaction": 100_000,
                "log": 1,
                "event": 5000,
                "job": 1,
            }
            self._numbers = {kind: itertools.count(start) for kind, start in starts.items()}
            self._random = random.Random(self.settings.seed)

    def configure(self, settings: Settings) -> None:
        self.settings = settings
        self.views.settings = settings
        self.clients.configure(settings)

    def change_connector(self, connector: Connector, params: Params) -> Connector:
        """Change an institution; its connections notice at their next synchronisation. Raises ApiError 400."""
        changed = self.institutions.change(connector, params, self.clock.now())
        for connection in self.connections.values():
            if connection.connector.uuid == changed.uuid:
                connection.connector = changed
        return changed

    def _next(self, kind: str) -> int:
        return next(self._numbers[kind])

    # Users and tokens

    def create_user(self, *, permanent: bool) -> tuple[User, Token]:
        user = User(self._next("user"), self.clock.now(), permanent)
        self.users[user.id] = user
        token = self._issue(user, "permanent" if permanent else "temporary")
        if permanent:
            self._emit("USER_CREATED", user.id, self.views.user(user))
        return user, token

    def _issue(self, user: User, kind: str, *, single: bool = False) -> Token:
        now = self.clock.now()
        expires = None if kind == "permanent" else now + timedelta(seconds=self.settings.temporary_seconds)
        token = Token(new_secret(), kind, user.id, now, expires, single)
        self.tokens[token.value] = token
        if kind == "permanent":
            self._permanent_tokens.setdefault(user.id, []).append(token.value)
        return token

    def issue_code(self, user: User, *, single: bool) -> Token:
        return self._issue(user, "code", single=single)

    def token(self, value: str) -> Token | None:
        """The token when it exists and its time is not over."""
        token = self.tokens.get(value)
        if token and token.expires and token.expires <= self.clock.now():
            del self.tokens[value]
            return None
        return token

    def spend_code(self, value: str) -> User | None:
        """The user behind a temporary code. A single-access code is gone afterwards."""
        token = self.token(value)
        if token is None or token.kind != "code":
            return None
        if token.single:
            del self.tokens[value]
        return self.users.get(token.user_id)

    def make_permanent(self, value: str) -> Token:
        """Exchange a code or a temporary token. Raises ApiError 400 when it is neither."""
        token = self.token(value)
        user = self.users.get(token.user_id) if token else None
        if token is None or user is None or token.kind not in {"code", "temporary"}:
            raise invalid("code")
        del self.tokens[value]
        return self._permanent_token(user)

    def _permanent_token(self, user: User) -> Token:
        issued = self._issue(user, "permanent")
        if not user.permanent:
            user.permanent = True
            self._emit("USER_CREATED", user.id, self.views.user(user))
            held, user.held = user.held, []
            self.events.extend(held)
        return issued

    def renew(self, user: User, *, revoke_previous: bool) -> Token:
        if revoke_previous:
            self.revoke_tokens(user)
        return self._permanent_token(user)

    def revoke_tokens(self, user: User) -> int:
        values = [token.value for token in self.tokens.values() if token.user_id == user.id]
        for value in values:
            del self.tokens[value]
        self._permanent_tokens.pop(user.id, None)
        return len(values)

    def revoke(self, token: Token) -> None:
        self.tokens.pop(token.value, None)
        own = self._permanent_tokens.get(token.user_id, [])
        if token.value in own:
            own.remove(token.value)

    def user_token(self, user_id: int) -> str | None:
        """The token that a webhook authenticated by user token carries."""
        own = self._permanent_tokens.get(user_id)
        return own[{"first": 0, "latest": -1}[self.settings.webhook_token]] if own else None

    def user(self, user_id: int) -> User:
        user = self.users.get(user_id)
        if user is None:
            raise not_found("user")
        return user

    def delete_user(self, user: User) -> None:
        for connection in self.connections_of(user):
            self._forget(connection)
            if self.settings.user_deleted_events == "connections_and_user":
                self._emit("CONNECTION_DELETED", user.id, self.views.connection(connection))
        self._emit("USER_DELETED", user.id, self.views.user(user))
        self.revoke_tokens(user)
        self.users.pop(user.id, None)

    # Connections

    def connections_of(self, user: User) -> list[Connection]:
        return [connection for connection in self.connections.values() if connection.user_id == user.id]

    def connection(self, user: User, connection_id: int) -> Connection:
        connection = self.connections.get(connection_id)
        if connection is None or connection.user_id != user.id:
            raise not_found("connection")
        return connection

    def connect(self, user: User, connector: Connector, sources: Sequence[str], persona: str = "") -> Connection:
        """A new connection with the accounts that those sources show, all of them disabled."""
        if connector.restricted:
            raise ApiError(403, "forbidden", "No new connection can be added to this connector")
        now = self.clock.now()
        connection = Connection(self._next("connection"), user.id, connector, persona, now)
        connection.next_try = now + timedelta(hours=self.settings.background_sync_hours)
        self.connections[connection.id] = connection
        for name in sources:
            self.add_source(connection, name)
        return connection

    def add_source(self, connection: Connection, name: str) -> None:
        """Open one more way into the bank, whose accounts are there at once."""
        self._look(connection, self.open_source(connection, name))

    def open_source(self, connection: Connection, name: str) -> Source:
        """One more way into the bank, which shows nothing before somebody authenticates. Raises ApiError 400."""
        connector_source = connection.connector.source(name)
        if connector_source is None:
            raise invalid("source", "is not a source of this connector")
        if (there := connection.source(name)) is not None:
            return there
        if connector_source.disabled is not None:
            raise invalid("source", "is disabled for now")
        now = self.clock.now()
        source = Source(self._next("source"), connector_source.id, name, now)
        if name == OPENAPI:
            source.access_expire = now + timedelta(days=self.settings.consent_days)
        connection.sources.append(source)
        return source

    def _look(self, connection: Connection, source: Source) -> None:
        if not source.discovered:
            source.discovered = True
            shown, _ = self._held(connection, source)
            self._discover(connection, [(spec, source.id) for spec in shown])

    def _held(self, connection: Connection, source: Source) -> tuple[list[AccountSpec], set[str]]:
        """What the bank shows this way, and the keys of what it holds and withholds."""
        connector = connection.connector
        held = [spec for spec in accounts_of(connector, connection.persona) if spec.source == source.name]
        return [s for s in held if connector.shows(s)], {s.key for s in held if not connector.shows(s)}

    def add_account(self, connection: Connection, spec: AccountSpec, *, tell: bool) -> Account:
        """The bank shows one more account. Raises ApiError 400 when the connection does not see that way in."""
        source = connection.source(spec.source)
        if source is None or not source.discovered:
            raise invalid("source", "is not open in this connection")
        return self._discover(connection, [(spec, source.id)], tell=tell)[0]

    def _discover(
        self, connection: Connection, found: Iterable[tuple[AccountSpec, int]], *, tell: bool | None = None
    ) -> list[Account]:
        """`tell`: whether ACCOUNT_FOUND is sent; None: as the setting for new connections says."""
        now = self.clock.now()
        accounts = []
        by_key = {account.spec.key: account for account in connection.accounts if account.deleted is None}
        held = accounts_of(connection.connector, connection.persona)
        for spec, source_id in found:
            number, iban = numbers(self.settings, connection.connector, spec, held, connection.user_id)
            account = Account(
                id=self._next("account"), user_id=connection.user_id, connection_id=connection.id, source_id=source_id,
                spec=spec, name=spec.name, number=number, iban=iban, type=spec.type, currency=spec.currency,
                balance=spec.balance, coming=spec.coming, usage=spec.usage, disabled=now,
                first_transaction_id=self._transaction_ids(), opened=now, raw=dict(spec.raw or {}),
            )  # fmt: skip
            parent = by_key.get(spec.parent or "")
            account.parent_id = parent.id if parent else None
            by_key[spec.key] = account
            connection.accounts.append(account)
            self.accounts[account.id] = account
            accounts.append(account)
        if tell is None:
            tell = self.settings.connect_events == "found_enabled_sync"
        if tell:
            for account in accounts:
                body: Json = {
                    "id": account.id,
                    "id_user": account.user_id,
                    "id_connection": account.connection_id,
                    "disabled": self.views.selection(account.disabled),
                    "type": self.views.account_type_of(account),
                }
                spoilt = {name: value for name, value in account.raw.items() if name in body}
                self._emit("ACCOUNT_FOUND", connection.user_id, body | spoilt)
        return accounts

    def _transaction_ids(self) -> int:
        # Each account gets a range of its own that is large enough for any history.
        return self._next("transaction") * 1_000_000

    def delete_connection(self, connection: Connection) -> None:
        if self.settings.connection_deleted_events == "accounts_and_connection":
            for account in connection.enabled_accounts:
                account.disabled = self.clock.now()
                self._emit("ACCOUNT_DISABLED", connection.user_id, self.views.account(account, connection))
        shown = self.views.connection(connection)
        self._forget(connection)
        self._emit("CONNECTION_DELETED", connection.user_id, shown)

    def discard(self, connection: Connection) -> None:
        """Take back a connection that nobody has heard of."""
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self.connections.pop(connection.id, None)
        self._syncing.pop(connection.id, None)
        self._late_choices.pop(connection.id, None)
        for account in connection.accounts:
            self.accounts.pop(account.id, None)

    def authenticate(self, connection: Connection, source_name: str, values: Mapping[str, str]) -> None:
        """Check what the user gave for a source and set its state.

        The test connector takes any login with its one password, and plays the outcome that its list field names. Other
        connectors take everything but the password `wrong`.
        """
        source = connection.source(source_name)
        if source is None:
            raise invalid("source")
        source.state = None
        connection.state = connection.error_message = None
        connection.outage = self.institutions.outages.get(connection.connector.uuid)
        password = values.get("password", "")
        outcome = values.get(f"{source_name}website", "") if connection.connector.is_test else ""
        if outcome and outcome not in TEST_OUTCOMES:
            raise invalid(f"{source_name}website")
        if (connection.connector.is_test and password != TEST_PASSWORD) or password == _REFUSED:
            outcome = "wrongpass"
        match outcome:
            case "" | "par" | "pro" if connection.outage:
                source.awaited = True
                return
            case "" | "par" | "pro":
                self._look(connection, source)
                return
            case "SCARequiredAndOTP":
                source.state = "additionalInformationNeeded"
            case "SCARequiredAndDecoupled" | "shortDecoupled":
                source.state = "decoupled"
            case state:
                source.state = state
                connection.error_message = _BANK_MESSAGES.get(state)
        connection.pending[source_name] = outcome

    def approve(self, connection: Connection, source: Source) -> None:
        """The user agreed on the bank's own page."""
        self._renewed(source)
        self._look(connection, source)
        connection.pending.pop(source.name, None)
        if connection.state in USER_MUST_ACT:
            connection.state = connection.error_message = None

    def answer_challenge(self, connection: Connection, values: Mapping[str, str]) -> None:
        """The second step of an authentication: a one-time code, or the approval in the bank's app."""
        for source in connection.sources:
            match source.state:
                case "additionalInformationNeeded":
                    code = values.get("otp", "")
                    if not code:
                        raise missing("otp")
                    if not code.isdigit() or code == "0000":
                        raise ApiError(400, "wrongpass", "The one-time code is wrong", message="Code incorrect")
                case "decoupled" | "validating" | "SCARequired" | "webauthRequired":
                    pass
                case _:
                    continue
            self.approve(connection, source)

    def reauthenticate(self, connection: Connection) -> None:
        """The user authenticated again at every source: no state is left and the consent runs anew."""
        connection.state = connection.error_message = None
        connection.pending.clear()
        for source in connection.sources:
            self._renewed(source)
            self._look(connection, source)

    def _renewed(self, source: Source) -> None:
        source.state = None
        if source.access_expire is not None:
            source.access_expire = self.clock.now() + timedelta(days=self.settings.consent_days)

    # Accounts

    def accounts_of(self, user: User) -> list[Account]:
        return [account for connection in self.connections_of(user) for account in connection.accounts]

    def update_accounts(
        self, connection: Connection, accounts: Sequence[Account], changes: Mapping[str, object]
    ) -> None:
        """Apply an update of the API: `display`, `name`, `disabled` (bool), `bookmarked`, `usage`.

        Raises ApiError when the connection is locked.
        """
        if connection.locked or (self.settings.locked_during_sync and connection.id in self._syncing):
            raise ApiError(self.settings.locked_status, "connectionLocked", "The connection is locked for now")
        for account in accounts:
            if "name" in changes:
                account.name = str(changes["name"])
            if "display" in changes:
                account.display = bool(changes["display"])
            if "bookmarked" in changes:
                account.bookmarked = bool(changes["bookmarked"])
            if "usage" in changes:
                usage = changes["usage"]
                account.usage = None if usage is None else str(usage)
        if "disabled" in changes:
            self.choose(connection, [(account, not changes["disabled"]) for account in accounts])

    def choose(self, connection: Connection, wanted: Iterable[tuple[Account, bool]], *, first: bool = False) -> None:
        """Enable and disable accounts; tell about those that changed, and synchronise soon after.

        `first` is the choice that ends a connect flow.
        """
        changed = []
        for account, enabled in wanted:
            if enabled is (account.disabled is None):
                continue
            changed.append(account)
            account.disabled = None if enabled else self.clock.now()
            if not enabled:
                # Disabling deletes what hangs below the account, its transactions before all.
                account.told = False
                if self.settings.reenabled_transactions == "new_ids":
                    account.first_transaction_id = self._transaction_ids()
        if not changed:
            return
        mode = self.settings.choice_events
        if first:
            mode = "sync_only" if self.settings.connect_events == "sync_only" else "accounts_then_sync"
        if mode in {"accounts_then_sync", "accounts_only"}:
            self._tell_choices(connection, changed)
        if mode != "accounts_only":
            self.schedule_sync(connection)
        if mode == "sync_then_accounts":
            self._late_choices.setdefault(connection.id, []).extend(changed)

    def _tell_choices(self, connection: Connection, accounts: Iterable[Account]) -> None:
        for account in accounts:
            name = "ACCOUNT_ENABLED" if account.disabled is None else "ACCOUNT_DISABLED"
            self._emit(name, connection.user_id, self.views.account(account, connection))

    def repair(self, connection: Connection) -> list[Account]:
        """What was seen after a broken connection was mended: its accounts are deleted and come back under other ids,
        disabled. Returns the new ones."""
        now = self.clock.now()
        old = [account for account in connection.accounts if account.deleted is None]
        for account in old:
            account.deleted = now
            account.disabled = account.disabled or now
        self.reauthenticate(connection)
        found = self._discover(connection, [(account.spec, account.source_id) for account in old])
        for before, after in zip(old, found, strict=True):
            for name in ("balance", "coming", "name", "number", "iban", "type", "currency"):
                setattr(after, name, getattr(before, name))
        self.schedule_sync(connection)
        return found

    def move_account(self, account: Account, target: Connection) -> None:
        """The bank lists the account under another connection of its user, with its id. Raises ApiError 400."""
        origin = self.connections[account.connection_id]
        if target.user_id != account.user_id or not target.sources:
            raise invalid("id_connection", "must be a connection of the same user, with a source")
        if origin is target:
            return
        name = next((source.name for source in origin.sources if source.id == account.source_id), "")
        account.source_id = (target.source(name) or target.sources[0]).id
        account.connection_id = target.id
        account.parent_id = None
        origin.accounts.remove(account)
        origin.moved.add(account.spec.key)
        target.accounts.append(account)

    # Synchronisation and time

    def schedule_sync(self, connection: Connection, delay: float | None = None) -> None:
        due = self.clock.now() + timedelta(seconds=self.settings.sync_delay if delay is None else delay)
        job = self._next("job")
        # A later choice replaces the synchronisation that was waiting: one follows the last choice.
        self._syncing[connection.id] = job
        heapq.heappush(self._jobs, (due, job, connection.id))

    def next_due(self) -> datetime | None:
        return self._jobs[0][0] if self._jobs else None

    def run_due(self) -> None:
        """Do everything whose time has come."""
        while self.run_next():
            pass

    def run_next(self) -> bool:
        """Do one thing whose time has come, if there is any: several of them would keep requests waiting."""
        if not self._jobs or self._jobs[0][0] > self.clock.now():
            return False
        _, job, connection_id = heapq.heappop(self._jobs)
        if self._syncing.get(connection_id) == job:
            self.sync(self.connections[connection_id])
        return True

    def sweep(self) -> None:
        """What time does by itself: temporary users and codes end, every connection is synchronised once in a while."""
        now = self.clock.now()
        limit = timedelta(seconds=self.settings.temporary_seconds)
        for user in [user for user in self.users.values() if not user.permanent and user.signin + limit <= now]:
            for connection in self.connections_of(user):
                self._forget(connection)
            self.revoke_tokens(user)
            del self.users[user.id]
        for value in [token.value for token in self.tokens.values() if token.expires and token.expires <= now]:
            del self.tokens[value]
        for connection in list(self.connections.values()):
            if connection.active and connection.next_try and connection.next_try <= now:
                self.sync(connection)

    def sync(self, connection: Connection) -> None:
        """One synchronisation, at once, with its events."""
        self._syncing.pop(connection.id, None)
        connection.forced = False
        now = self.clock.now()
        for source in connection.sources:
            if source.access_expire and source.access_expire <= now and source.state is None:
                source.state = "SCARequired"
        self._follow_institution(connection, now)
        state = connection.shown_state
        connection.next_try = self._next_try(connection, state, now)
        connection.last_push = now
        self._log(connection, now)
        fresh: list[Account] = []
        whole = connection.outage is None and connection.state is None
        # Without a way in that works nothing is refreshed; with one, its own accounts are.
        if whole and not all(source.state for source in connection.sources if not source.disabled):
            working = {source.id for source in connection.sources if source.state is None and not source.disabled}
            fresh = [account for account in connection.enabled_accounts if account.source_id in working]
            for source in connection.sources:
                if source.id in working:
                    source.last_update = now
            if state is None:
                connection.last_update = now
        for account in fresh:
            account.last_update = now
        news = [account for account in fresh if not account.told]
        user = self.users[connection.user_id]
        if fresh:
            self._emit("ACCOUNTS_FETCHED", user.id, self._sync_body(user, connection, ()))
            for account in fresh:
                self._emit(
                    "ACCOUNT_SYNCED", user.id, self.views.account(account, connection, transactions=account in news)
                )
            if news:
                self._emit(
                    "ACCOUNT_OWNERSHIPS_FOUND",
                    user.id,
                    {"account_ownerships": [self.views.ownership(account, connection) for account in fresh]},
                )
                self._emit(
                    "ACCOUNT_CATEGORIZED",
                    user.id,
                    {"transactions": [line for account in news for line in self.views.transactions(account)[:50]]},
                )
        body = self._sync_body(user, connection, news)
        self._emit("CONNECTION_SYNCED", user.id, body | {"subscriptions": []})
        self._emit("USER_SYNCED", user.id, {"user": body["user"], "connections": [body["connection"]]})
        for account in news:
            account.told = True
        self._tell_choices(connection, self._late_choices.pop(connection.id, []))

    def _next_try(self, connection: Connection, state: str | None, now: datetime) -> datetime | None:
        """None when only the user can help. Wrong credentials are tried again all the same, unless configured not to:
        after twelve hours, then once a week."""
        if state == "wrongpass" and str(self.config.get("autosync.retry_wrongpass", "1")) in {"1", "True"}:
            connection.wrong_tries += 1
            return now + (timedelta(hours=12) if connection.wrong_tries == 1 else timedelta(days=7))
        connection.wrong_tries = 0
        return None if state in USER_MUST_ACT else now + timedelta(hours=self.settings.background_sync_hours)

    def _follow_institution(self, connection: Connection, now: datetime) -> None:
        """What a synchronisation notices of the institution: that it is out, that a way in is closed or open again,
        that it shares a type of account from now on or no longer."""
        connection.outage = self.institutions.outages.get(connection.connector.uuid)
        for source in connection.sources:
            connector_source = connection.connector.source(source.name)
            if connector_source is None:
                continue
            if (connector_source.disabled is not None) is not source.closed:
                source.closed = connector_source.disabled is not None
                source.state = "notSupported" if source.closed else None
            if connection.outage or connection.state or source.state or source.disabled is not None:
                continue
            if source.awaited:
                source.awaited = False
                self._look(connection, source)
            elif source.discovered:
                self._look_again(connection, source, now)

    def _look_again(self, connection: Connection, source: Source, now: datetime) -> None:
        shown, withheld = self._held(connection, source)
        for account in connection.accounts:
            if account.source_id == source.id and account.deleted is None and account.spec.key in withheld:
                account.deleted, account.withdrawn = now, True
        known = {account.spec.key for account in connection.accounts if not account.withdrawn} | connection.moved
        self._discover(connection, [(spec, source.id) for spec in shown if spec.key not in known], tell=True)

    def _sync_body(self, user: User, connection: Connection, news: Sequence[Account]) -> Json:
        return {
            "user": self.views.user(user),
            "connection": self.views.connection(connection, _CONNECTION_EXPANDS, told=news),
        }

    def force_sync(self, connection: Connection, *, psu_requested: bool) -> None:
        """Begin a synchronisation, which `end_forced_sync` ends. Raises ApiError 409 when Powens would rather not."""
        now = self.clock.now()
        recent = connection.last_update and now - connection.last_update < timedelta(
            seconds=self.settings.forced_sync_interval
        )
        refused = {"refused": True, "recent": bool(recent), "accepted": False}[self.settings.forced_sync]
        if refused or connection.forced:
            raise ApiError(409, "conflict", f"Can't force synchronization of connection {connection.id}")
        if connection.locked:
            raise ApiError(self.settings.locked_status, "connectionLocked", "The connection is locked for now")
        if psu_requested and self.settings.psu_sync_needs_sca:
            connection.state = "SCARequired"
        connection.forced = True

    def end_forced_sync(self, connection: Connection) -> None:
        """Raises ApiError 404 when the connection went away meanwhile."""
        if self.connections.get(connection.id) is not connection:
            raise not_found("connection")
        if connection.forced:
            self.sync(connection)

    def _log(self, connection: Connection, now: datetime) -> None:
        for source in connection.sources:
            state = connection.outage or connection.state or source.state
            connection.log.append(LogLine(self._next("log"), now, source.id, state, connection.error_message))
        del connection.log[:-_LOG_LINES]

    # Events

    def tell(self, name: str, user: User, data: Mapping[str, object]) -> None:
        """Send an event that nothing here causes by itself."""
        self._emit(name, user.id, data)

    def _emit(self, name: str, user_id: int, data: Mapping[str, object]) -> None:
        user = self.users.get(user_id)
        number = self._next("event")
        if self.settings.webhook_data_ids == "random":
            number = self._random.randrange(1, 2**53)
        event = Event(number, name, user_id, dict(data), self.clock.now(), self.user_token(user_id))
        if user is not None and not user.permanent:
            user.held.append(event)
            del user.held[:-_HELD_EVENTS]
        else:
            self.events.append(event)


def as_decimal(value: object) -> Decimal | None:
    """A JSON number, or its text, as an exact amount. Raises ApiError 400."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid("balance")
    try:
        amount = Decimal(str(value))
    except ArithmeticError as error:
        raise invalid("balance") from error
    if not amount.is_finite() or abs(amount) > Decimal(10) ** 15:
        raise invalid("balance")
    return amount
