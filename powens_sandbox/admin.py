"""The switches under `/sandbox`: what Powens has no door for, as JSON. For tests and for people who show a fault."""

import itertools
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powens_sandbox.catalogue import ACCOUNT_TYPES, CURRENCIES, AccountSpec, Connector
from powens_sandbox.clock import FIRST_YEAR, LAST_YEAR
from powens_sandbox.deliveries import Deliveries
from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.faults import Faults
from powens_sandbox.gate import Received
from powens_sandbox.hooks import EVENTS
from powens_sandbox.institutions import OUTAGES
from powens_sandbox.logbook import Logbook
from powens_sandbox.model import Account, Connection, User
from powens_sandbox.params import Call, Params, as_id, read_params
from powens_sandbox.people import PERSONAS
from powens_sandbox.views import Json
from powens_sandbox.webview.entry import Webview
from powens_sandbox.world import World, as_decimal

_EXPANDS = frozenset({"connector", "sources", "all_accounts"})
_MAX_LISTED = 500


class Admin:
    def __init__(
        self,
        world: World,
        deliveries: Deliveries,
        faults: Faults,
        webview: Webview,
        request_log: Logbook[Received],
    ) -> None:
        self.world = world
        self.deliveries = deliveries
        self.faults = faults
        self.clock = world.clock
        self.webview = webview
        self.first_settings = world.settings
        self.request_log = request_log

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Callable[[Call], object]]] = [
            ("GET", "/health", lambda _call: {"status": "ok"}),
            ("GET", "/settings", self.settings_read),
            ("PATCH", "/settings", self.settings_change),
            ("GET", "/clock", self.clock_read),
            ("POST", "/clock", self.clock_move),
            ("POST", "/reset", self.reset),
            ("GET", "/connectors", self.connectors),
            ("PATCH", "/connectors/{id}", self.connector_change),
            ("GET", "/personas", self.personas),
            ("GET", "/users", self.users),
            ("POST", "/users/{id}/revoke-tokens", self.revoke_tokens),
            ("GET", "/connections", self.connections),
            ("POST", "/connections", self.connection_create),
            ("GET", "/connections/{id}", self.connection_read),
            ("PATCH", "/connections/{id}", self.connection_change),
            ("DELETE", "/connections/{id}", self.connection_delete),
            ("POST", "/connections/{id}/sync", self.connection_sync),
            ("POST", "/connections/{id}/repair", self.connection_repair),
            ("POST", "/connections/{id}/accounts", self.account_create),
            ("GET", "/accounts/{id}", self.account_read),
            ("PATCH", "/accounts/{id}", self.account_change),
            ("GET", "/faults", self.faults_list),
            ("POST", "/faults", self.fault_add),
            ("DELETE", "/faults", self.faults_clear),
            ("DELETE", "/faults/{id}", self.fault_remove),
            ("GET", "/requests", self.requests),
            ("GET", "/webhooks", self.webhooks),
            ("POST", "/events", self.event_send),
            ("POST", "/webhooks/flush", self.webhooks_flush),
            ("POST", "/webhooks/{id}/redeliver", self.webhook_redeliver),
        ]
        by_path: dict[str, dict[str, Callable[[Call], object]]] = {}
        for method, path, handler in table:
            by_path.setdefault(f"/sandbox{path}", {})[method] = handler
        methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return [Route(path, _endpoint(handlers), methods=methods) for path, handlers in by_path.items()]

    # Settings, time

    def settings_read(self, _call: Call) -> Json:
        described = self.world.settings.described()
        return {"settings": {str(item["name"]): item["value"] for item in described}, "described": described}

    def settings_change(self, call: Call) -> Json:
        self.world.configure(self.world.settings.changed(call.params))
        return self.settings_read(call)

    def clock_read(self, _call: Call) -> Json:
        return {
            "now": self.clock.now().isoformat().replace("+00:00", "Z"),
            "offset_seconds": self.clock.offset.total_seconds(),
        }

    def clock_move(self, call: Call) -> Json:
        """`now` (RFC 3339), or `seconds` / `days` to add, or `reset`."""
        if call.params.boolean("reset"):
            self.clock.reset()
        elif (to := call.params.optional_text("now")) is not None:
            self.clock.set(_moment(to, "now"))
        else:
            seconds, days = (str(call.params.get(name) or 0) for name in ("seconds", "days"))
            try:
                self.clock.move(timedelta(seconds=float(seconds), days=float(days)))
            except (ValueError, OverflowError) as error:
                raise invalid("seconds") from error
        self.world.run_due()
        self.world.sweep()
        return self.clock_read(call)

    def reset(self, _call: Call) -> Json:
        """Users, faults, logs, time and settings as at the start."""
        self.clock.reset()
        self.world.configure(self.first_settings)
        self.world.reset()
        self.faults.clear()
        self.deliveries.reset()
        self.webview.sessions.clear()
        self.request_log.clear()
        return {"status": "ok"}

    # What is there

    def connectors(self, _call: Call) -> Json:
        return {
            "connectors": [self._show_connector(item) for item in self.world.institutions.all()],
            "outages": list(OUTAGES),
        }

    def _show_connector(self, item: Connector) -> Json:
        held = (*item.accounts, *item.later)
        return {
            "id": item.id,
            "uuid": item.uuid,
            "slug": item.slug,
            "name": item.name,
            "country": item.country,
            "capabilities": list(item.capabilities),
            "products": list(item.products),
            "hidden": bool(item.hidden),
            "restricted": item.restricted,
            "outage": self.world.institutions.outages.get(item.uuid),
            "sources": {source.name: list(source.account_types) for source in item.sources},
            "disabled_sources": [source.name for source in item.sources if source.disabled],
            "accounts": [spec.name for spec in held if item.shows(spec)],
            "not_shared": [spec.name for spec in held if not item.shows(spec)],
        }

    def connector_change(self, call: Call) -> Json:
        """By id, uuid or slug: `capabilities`, `products`, `hidden`, `restricted`, `sources` (by name `account_types`
        and `disabled`), `outage` (a state that ends by itself, or null). Connections notice at their next sync."""
        _only(call.params, "capabilities", "products", "hidden", "restricted", "sources", "outage")
        connector = self.world.institutions.get(call.path("id"))
        return self._show_connector(self.world.change_connector(connector, call.params))

    def personas(self, _call: Call) -> Json:
        return {
            "personas": [
                {
                    "id": persona.id,
                    "description": persona.description,
                    "banks": {slug: [account.name for account in accounts] for slug, accounts in persona.banks.items()},
                }
                for persona in PERSONAS.values()
            ]
        }

    def users(self, call: Call) -> Json:
        """Newest first."""
        newest = list(self.world.users.values())[::-1][: _limit(call.params)]
        return {"users": [self._user(user) for user in newest], "total": len(self.world.users)}

    def _user(self, user: User) -> Json:
        return {
            "id": user.id,
            "signin": user.signin.isoformat(),
            "permanent": user.permanent,
            "connections": [
                {
                    "id": connection.id,
                    "connector": connection.connector.slug,
                    "name": connection.connector.name,
                    "state": connection.shown_state,
                    "locked": connection.locked,
                    "accounts": [
                        {
                            "id": account.id,
                            "name": account.name,
                            "type": account.type,
                            "currency": account.currency,
                            "enabled": account.disabled is None,
                            "deleted": account.deleted is not None,
                        }
                        for account in connection.accounts
                    ],
                }
                for connection in self.world.connections_of(user)
            ],
        }

    def revoke_tokens(self, call: Call) -> Json:
        return {"revoked": self.world.revoke_tokens(self.world.user(_path_id(call.request)))}

    # Connections

    def _show(self, connection: Connection) -> Json:
        return self.world.views.connection(connection, _EXPANDS) | {"locked": connection.locked}

    def _connection(self, call: Call) -> Connection:
        connection = self.world.connections.get(_path_id(call.request))
        if connection is None:
            raise not_found("connection")
        return connection

    def connections(self, call: Call) -> Json:
        wanted = call.params.integer("id_user")
        chosen = [item for item in self.world.connections.values() if wanted in {None, item.user_id}]
        return {"connections": [self._show(item) for item in chosen[::-1][: _limit(call.params)]], "total": len(chosen)}

    def connection_read(self, call: Call) -> Json:
        return self._show(self._connection(call))

    def connection_create(self, call: Call) -> Json:
        """`id_user`, `connector` (slug) or `connector_uuid`, `enabled` (all, none, or names), `sources`, `persona`."""
        user_id = call.params.integer("id_user")
        if user_id is None:
            raise missing("id_user")
        user = self.world.user(user_id)
        connector = self.world.institutions.find(
            call.params.optional_text("connector") or call.params.text("connector_uuid")
        )
        if connector is None:
            raise invalid("connector")
        persona = call.params.optional_text("persona") or ""
        if persona and persona not in PERSONAS:
            raise invalid("persona")
        sources = call.params.get("sources", [(connector.sources_open or connector.sources)[0].name])
        if sources == "all":
            sources = [source.name for source in connector.sources_open]
        if not isinstance(sources, list) or not all(
            isinstance(name, str) and connector.source(name) for name in sources
        ):
            raise invalid("sources")
        enabled = call.params.get("enabled", "all")
        if enabled not in ("all", "none") and not isinstance(enabled, list):
            raise invalid("enabled", "must be all, none or a list of account names")
        connection = self.world.connect(user, connector, sources, persona)
        if isinstance(enabled, list):
            there = {account.name for account in connection.accounts}
            if not all(name in there for name in enabled):
                self.world.delete_connection(connection)
                raise invalid("enabled", "names an account that is not there")
        wanted = [
            (account, enabled == "all" or (isinstance(enabled, list) and account.name in enabled))
            for account in connection.accounts
        ]
        self.world.choose(connection, wanted, first=True)
        if not any(chosen for _, chosen in wanted):
            self.world.schedule_sync(connection)
        return self._show(connection)

    def connection_change(self, call: Call) -> Json:
        """`state`, `error_message`, `source` (whose state it is), `locked`, `active`, `consent_expires_at` (RFC 3339)
        or `consent_expires_in_days`, `last_update` (RFC 3339 or null), `raw` (fields of its answers, with any JSON
        instead of what they are), `notify` (default true)."""
        connection = self._connection(call)
        _only(
            call.params,
            "state",
            "error_message",
            "source",
            "locked",
            "active",
            "consent_expires_at",
            "consent_expires_in_days",
            "last_update",
            "notify",
            "error",
            "raw",
        )
        source_name = call.params.optional_text("source")
        source = connection.source(source_name) if source_name else None
        if source_name and source is None:
            raise invalid("source")
        notify = call.params.boolean("notify", True)
        expires = _expiry(call.params, self.clock.now())
        last_update = call.params.optional_text("last_update")
        updated = _moment(last_update, "last_update") if last_update else None
        locked, active = (
            call.params.boolean("locked", connection.locked),
            call.params.boolean("active", connection.active),
        )
        changed = "raw" in call.params
        connection.raw = _raw(call.params, connection.raw)
        if "state" in call.params or "error" in call.params:
            state = call.params.optional_text("state") or call.params.optional_text("error")
            if state is not None and not re.fullmatch(r"[A-Za-z]{1,40}", state):
                raise invalid("state")
            if source is not None:
                source.state = state
            else:
                connection.state = state
                if state is None:
                    for item in connection.sources:
                        item.state = None
            connection.error_message = None
            changed = True
        if "error_message" in call.params:
            connection.error_message = (call.params.optional_text("error_message") or "")[:500] or None
            changed = True
        connection.locked, connection.active = locked, active
        if expires is not None:
            for item in connection.sources:
                if item.access_expire is not None or len(connection.sources) == 1:
                    item.access_expire = expires
        if "last_update" in call.params:
            connection.last_update = updated
        if changed and notify:
            self.world.sync(connection)
        return self._show(connection)

    def connection_delete(self, call: Call) -> Json:
        connection = self._connection(call)
        shown = self._show(connection)
        self.world.delete_connection(connection)
        return shown

    def connection_sync(self, call: Call) -> Json:
        connection = self._connection(call)
        self.world.sync(connection)
        return self._show(connection)

    def connection_repair(self, call: Call) -> Json:
        connection = self._connection(call)
        self.world.repair(connection)
        return self._show(connection)

    # Accounts

    def _account(self, call: Call) -> tuple[Account, Connection]:
        account = self.world.accounts.get(_path_id(call.request))
        if account is None:
            raise not_found("account")
        return account, self.world.connections[account.connection_id]

    def account_create(self, call: Call) -> Json:
        """The bank shows one more account: `name`, `type`; `currency` (EUR), `balance`, `coming`, `number`, `iban`,
        `usage`, `source` (the connection's first). It is discovered, disabled; `sync` (default true): tells about it.
        """
        connection = self._connection(call)
        _only(
            call.params,
            "name",
            "type",
            "currency",
            "balance",
            "coming",
            "number",
            "iban",
            "usage",
            "source",
            "sync",
        )
        params = call.params
        kind, code = params.text("type"), params.optional_text("currency") or "EUR"
        if kind not in {*ACCOUNT_TYPES, "mortgage"}:
            raise invalid("type")
        if code not in CURRENCIES:
            raise invalid("currency")
        source = params.optional_text("source") or (connection.sources[0].name if connection.sources else "")
        taken = {account.spec.key for account in connection.accounts}
        spec = AccountSpec(
            key=next(key for number in itertools.count(1) if (key := f"further-{number}") not in taken),
            name=params.text("name")[:200],
            type=kind,
            balance=as_decimal(params.get("balance")),
            currency=code,
            source=source,
            usage=params.optional_text("usage") or "PRIV",
            number=params.optional_text("number"),
            iban=params.optional_text("iban"),
            has_iban=kind == "checking" and "iban" not in params,
            coming=as_decimal(params.get("coming")),
        )
        sync = params.boolean("sync", True)
        account = self.world.add_account(connection, spec, tell=sync)
        if sync:
            self.world.schedule_sync(connection)
        return self.world.views.account(account, connection)

    def account_read(self, call: Call) -> Json:
        return self.world.views.account(*self._account(call))

    def account_change(self, call: Call) -> Json:
        """What happens at the bank or at Powens: `balance`, `coming`, `name`, `number`, `iban`, `type`, `currency`,
        `usage`, `display`, `error`, `disabled` (bool), `deleted` (bool); `id_connection`: the bank lists it under that
        connection of the user from now on; `raw`: fields of its answers, with any JSON instead of what they are; `sync`
        (default true): tells about it."""
        account, connection = self._account(call)
        _only(
            call.params,
            "balance",
            "coming",
            "name",
            "number",
            "iban",
            "type",
            "currency",
            "usage",
            "display",
            "error",
            "disabled",
            "deleted",
            "id_connection",
            "raw",
            "sync",
        )
        sync = call.params.boolean("sync", True)
        texts = {
            name: call.params.optional_text(name)
            for name in ("name", "number", "iban", "usage", "error")
            if name in call.params
        }
        kind = call.params.text("type") if "type" in call.params else account.type
        currency = call.params.optional_text("currency") if "currency" in call.params else account.currency
        if kind not in {*ACCOUNT_TYPES, "mortgage"}:
            raise invalid("type")
        if currency is not None and currency not in CURRENCIES:
            raise invalid("currency")
        if texts.get("name", "x") is None:
            raise invalid("name")
        amounts = {name: as_decimal(call.params[name]) for name in ("balance", "coming") if name in call.params}
        deleted = call.params.boolean("deleted") if "deleted" in call.params else None
        disabled = call.params.boolean("disabled") if "disabled" in call.params else None
        raw = _raw(call.params, account.raw)
        target = self._target(call.params) or connection
        self.world.move_account(account, target)
        account.raw = raw
        account.display = call.params.boolean("display", account.display)
        account.type, account.currency = kind, currency
        for name, value in {**texts, **amounts}.items():
            setattr(account, name, value)
        if deleted is not None:
            account.deleted = self.clock.now() if deleted else None
        if disabled is not None:
            self.world.choose(target, [(account, not disabled)])
        if sync:
            for concerned in {connection.id: connection, target.id: target}.values():
                self.world.schedule_sync(concerned)
        return self.world.views.account(account, target)

    def _target(self, params: Params) -> Connection | None:
        """The connection that an account moves to, if it does."""
        wanted = params.integer("id_connection")
        if wanted is None:
            return None
        target = self.world.connections.get(wanted)
        if target is None:
            raise invalid("id_connection", "is no connection")
        return target

    # Faults and logs

    def faults_list(self, _call: Call) -> Json:
        return {"faults": [fault.shown() for fault in self.faults.all()]}

    def fault_add(self, call: Call) -> Json:
        return self.faults.add(call.params).shown()

    def faults_clear(self, _call: Call) -> Json:
        self.faults.clear()
        return {"faults": []}

    def fault_remove(self, call: Call) -> Json:
        self.faults.remove(_path_id(call.request))
        return self.faults_list(call)

    def requests(self, call: Call) -> Json:
        """Newest first. Filters: `method`, `path` (a regular expression), `area`, `id_user`, `status`, `since_id`,
        `limit`."""
        method, area = call.params.optional_text("method"), call.params.optional_text("area")
        user, status, since = (
            call.params.integer("id_user"),
            call.params.integer("status"),
            call.params.integer("since_id") or 0,
        )
        pattern = _pattern(call.params, "path")
        found = [
            line
            for line in self.request_log.newest()
            if line.id > since
            and method in {None, line.method}
            and area in {None, line.area}
            and user in {None, line.user_id}
            and status in {None, line.status}
            and pattern.search(line.path)
        ]
        return {"requests": [_logged(asdict(line)) for line in found[: _limit(call.params)]], "total": len(found)}

    def webhooks(self, call: Call) -> Json:
        """Every attempt, newest first. Filters: `event`, `outcome`, `id_user`, `since_id`, `limit`."""
        event, outcome = call.params.optional_text("event"), call.params.optional_text("outcome")
        wanted = event.upper().replace("-", "_") if event else None
        user, since = call.params.integer("id_user"), call.params.integer("since_id") or 0
        found = [
            line
            for line in self.deliveries.log.newest()
            if line.id > since
            and wanted in {None, line.event}
            and outcome in {None, line.outcome}
            and user in {None, line.user_id}
        ]
        names = (
            "id",
            "event_id",
            "event",
            "hook_id",
            "url",
            "user_id",
            "number",
            "at",
            "outcome",
            "status",
            "milliseconds",
            "headers",
            "body",
            "answer",
        )
        return {
            "webhooks": [
                _logged({name: getattr(line, name) for name in names}) for line in found[: _limit(call.params)]
            ],
            "total": len(found),
            "waiting": self.deliveries.waiting(),
            "lost": self.deliveries.lost,
            "overflowed": self.deliveries.overflowed,
        }

    def event_send(self, call: Call) -> Json:
        """Send an event of another product, or with another body: `event`, `id_user`, `data` (its body: an object)."""
        _only(call.params, "event", "id_user", "data")
        name = call.params.text("event").upper().replace("-", "_")
        if name not in EVENTS:
            raise invalid("event")
        user_id = call.params.integer("id_user")
        if user_id is None:
            raise missing("id_user")
        user = self.world.user(user_id)
        data = call.params.get("data", {"id_user": user.id})
        if not isinstance(data, dict):
            raise invalid("data", "must be an object")
        self.world.tell(name, user, data)
        return {"status": "queued"}

    async def webhooks_flush(self, _call: Call) -> Json:
        """One run of the flusher, now."""
        await self.deliveries.flush()
        return {"waiting": self.deliveries.waiting()}

    def webhook_redeliver(self, call: Call) -> Json:
        self.deliveries.redeliver(_path_id(call.request))
        return {"status": "queued"}


def _endpoint(handlers: dict[str, Callable[[Call], object]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise ApiError(405, "methodNotAllowed", "This method is not allowed here")
        origin = request.headers.get("origin")
        if request.method not in {"GET", "HEAD"} and origin and urlsplit(origin).netloc != request.headers.get("host"):
            raise ApiError(403, "forbidden", "Pages of other sites may not turn the switches")
        result = handler(Call(request, await read_params(request)))
        if isinstance(result, Awaitable):
            result = await result
        return JSONResponse(result)

    return endpoint


def _path_id(request: Request) -> int:
    try:
        return as_id(request.path_params["id"])
    except ApiError as error:
        raise not_found() from error


def _limit(params: Params) -> int:
    limit = params.integer("limit")
    return min(limit or 100, _MAX_LISTED)


def _only(params: Params, *names: str) -> None:
    for name in params:
        if name not in names:
            raise invalid(name[:60], "is not known here")


def _raw(params: Params, before: dict[str, object]) -> dict[str, object]:
    """The parameter `raw`: an object whose values are any JSON; null, or none of them, takes back what was there."""
    if "raw" not in params:
        return before
    given = params["raw"] or {}
    if not isinstance(given, dict):
        raise invalid("raw", "must be an object")
    try:
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        # Half a character or a number without end could not be sent either.
        raise invalid("raw", "cannot be written as JSON") from error
    return dict(given)


def _pattern(params: Params, name: str) -> re.Pattern[str]:
    try:
        return re.compile((params.optional_text(name) or "")[:200])
    except re.error as error:
        raise invalid(name, "is not a regular expression") from error


def _logged(entry: Json) -> Json:
    at = entry["at"]
    return entry | {"at": at.isoformat() if isinstance(at, datetime) else at}


def _moment(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return _reachable((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a time") from error


def _reachable(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(at.year)
    return at


def _expiry(params: Params, now: datetime) -> datetime | None:
    if (at := params.optional_text("consent_expires_at")) is not None:
        return _moment(at, "consent_expires_at")
    if params.get("consent_expires_in_days") is None:
        return None
    try:
        return _reachable(now + timedelta(days=float(str(params["consent_expires_in_days"]))))
    except (ValueError, OverflowError) as error:
        raise invalid("consent_expires_in_days") from error
