"""The REST API under `/2.0`."""

import asyncio
import base64
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powens_sandbox.catalogue import ACCOUNT_TYPES, CURRENCIES, OPENAPI, Connector
from powens_sandbox.clock import FIRST_YEAR, LAST_YEAR
from powens_sandbox.deliveries import Deliveries
from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.logos import logo
from powens_sandbox.model import Account, Connection, Source, Token, User
from powens_sandbox.params import Call, Params, as_id, basic, bearer, parse_expand, read_params
from powens_sandbox.settings import Settings
from powens_sandbox.views import PARIS, Json, account_type, currency
from powens_sandbox.world import World, as_decimal

MAX_LIMIT = 1000
_GONE_CODES = {400: "invalidValue", 403: "forbidden", 404: "notFound", 409: "conflict"}
# What a list of transactions can be narrowed by, beside the page.
_FILTERS = (
    "filter", "min_date", "max_date", "last_update", "income", "min_value", "max_value", "value", "wording", "search",
    "deleted", "all", "expand",
)  # fmt: skip
_FILTER_DATES = ("date", "rdate", "vdate", "application_date")
_WRITABLE = ("display", "name", "disabled", "bookmarked", "usage")


type Handler = Callable[[Call], Awaitable[Response] | Response]


def answer(body: object, status: int = 200) -> Response:
    return JSONResponse(body, status)


def no_content() -> Response:
    return Response(status_code=204)


class RestApi:
    """The handlers; `routes()` gives them their paths below the API root."""

    def __init__(self, world: World, deliveries: Deliveries) -> None:
        self.world = world
        self.deliveries = deliveries

    @property
    def settings(self) -> Settings:
        return self.world.settings

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/auth/init", self.auth_init),
            ("GET POST", "/auth/token/code", self.auth_code),
            ("POST", "/auth/token/access", self.auth_access),
            ("POST", "/auth/renew", self.auth_renew),
            ("POST", "/auth/token", self.auth_service_token),
            ("DELETE", "/auth/token", self.auth_revoke),
            ("GET", "/users", self.users_list),
            ("GET", "/users/{u}", self.user_read),
            ("DELETE", "/users/{u}", self.user_delete),
            ("POST", "/users/{u}/token", self.user_token),
            ("GET", "/clients", self.clients_list),
            ("POST", "/clients", self.client_create),
            ("GET", "/clients/{id}", self.client_read),
            ("PUT POST", "/clients/{id}", self.client_update),
            ("DELETE", "/clients/{id}", self.client_delete),
            ("GET", "/config", self.config_read),
            ("POST PUT", "/config", self.config_update),
            ("PATCH", "/connectors", self.connectors_update),
            *[
                row
                for alias in ("connectors", "banks", "providers")
                for row in (
                    ("GET", f"/{alias}", self.connectors_list),
                    ("GET", f"/{alias}/{{id}}", self.connectors_read),
                    ("PUT POST PATCH", f"/{alias}/{{id}}", self.connectors_update),
                    ("GET", f"/{alias}/{{id}}/sources", self.connector_sources),
                    ("GET", f"/{alias}/{{id}}/sources/{{s}}", self.connector_source),
                    ("GET", f"/{alias}/{{id}}/fields", self.connector_fields),
                )
            ],
            ("GET", "/logos/{file}", self.logo),
            ("GET", "/account_types", self.types_list),
            ("GET", "/account_types/{id}", self.type_read),
            ("GET", "/currencies", self.currencies_list),
            ("GET", "/currencies/{id}", self.currency_read),
            ("GET", "/users/{u}/connections", self.connections_list),
            ("POST", "/users/{u}/connections", self.connection_create),
            ("GET", "/users/{u}/connections/{c}", self.connection_read),
            ("POST", "/users/{u}/connections/{c}", self.connection_update),
            ("PUT", "/users/{u}/connections/{c}", self.connection_sync),
            ("DELETE", "/users/{u}/connections/{c}", self.connection_delete),
            ("GET", "/users/{u}/connections/{c}/sources", self.sources_list),
            ("GET", "/users/{u}/connections/{c}/sources/{s}", self.source_read),
            ("POST PUT", "/users/{u}/connections/{c}/sources/{s}", self.source_update),
            ("GET", "/users/{u}/connections/{c}/logs", self.logs_list),
            ("GET", "/users/{u}/logs", self.logs_list),
            *[
                row
                for below in ("/users/{u}", "/users/{u}/connections/{c}")
                for row in (
                    ("GET", f"{below}/accounts", self.accounts_list),
                    ("GET", f"{below}/accounts/{{a}}", self.account_read),
                    ("POST PUT", f"{below}/accounts/{{a}}", self.account_update),
                    ("GET", f"{below}/transactions", self.transactions_list),
                    ("GET", f"{below}/accounts/{{a}}/transactions", self.transactions_list),
                    ("GET", f"{below}/investments", self.investments_list),
                    ("GET", f"{below}/accounts/{{a}}/investments", self.investments_list),
                    ("GET", f"{below}/pockets", self.pockets_list),
                    ("GET", f"{below}/accounts/{{a}}/pockets", self.pockets_list),
                    ("GET", f"{below}/marketorders", self.orders_list),
                    ("GET", f"{below}/accounts/{{a}}/marketorders", self.orders_list),
                    ("GET", f"{below}/amortizations", self.amortizations_list),
                    ("GET", f"{below}/accounts/{{a}}/amortizations", self.amortizations_list),
                )
            ],
            ("GET", "/users/{u}/transactions/{t}", self.transaction_read),
            ("GET", "/users/{u}/investments/{i}", self.investment_read),
            ("GET", "/users/{u}/investments/{i}/pockets", self.pockets_list),
            ("GET", "/pockets/{id}", self.pocket_read),
            ("GET", "/marketorders/{id}", self.order_read),
            ("GET", "/users/{u}/account_ownerships", self.ownerships_list),
            ("GET", "/webauth-url", self.webauth_url),
            ("GET", "/webhooks", self.webhooks_list),
            ("POST", "/webhooks", self.webhook_create),
            ("DELETE", "/webhooks", self.webhooks_delete),
            *self._provider_rows(),
            ("GET", "/webhooks/{id}", self.webhook_read),
            ("POST PUT", "/webhooks/{id}", self.webhook_update),
            ("DELETE", "/webhooks/{id}", self.webhook_delete),
            ("GET", "/webhooks/{id}/logs", self.webhook_logs),
            ("GET POST", "/webhooks/{id}/add_to_data", self.webhook_add_to_data),
            ("GET", "/webhooks_events", self.webhook_events),
            ("POST", "/test/webhooks", self.webhook_test),
        ]
        return _routes(table)

    def root_routes(self) -> list[Route]:
        """The few paths that also answer without the version."""
        return _routes([*self._provider_rows(), ("GET", "/logos/{file}", self.logo)])

    def _provider_rows(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/webhooks/auth", self.providers_list),
            ("POST", "/webhooks/auth", self.provider_create),
            ("DELETE", "/webhooks/auth/{id}", self.provider_delete),
        ]

    # Who calls

    def _refused(self) -> ApiError:
        return ApiError(
            self.settings.bad_token_status, self.settings.bad_token_code, "The token is missing or not valid"
        )

    def _bearer(self, call: Call) -> str:
        value = bearer(call.request)
        if value is None:
            raise self._refused()
        return value

    def _user_token(self, call: Call) -> Token:
        token = self.world.token(self._bearer(call))
        if token is None or token.user_id not in self.world.users:
            raise self._refused()
        return token

    def _is(self, value: str, *secret_values: str) -> bool:
        return any(hmac.compare_digest(value.encode(), secret.encode()) for secret in secret_values)

    def _user(self, call: Call) -> User:
        """The user of the path, who must be the token's. Raises ApiError 404 for anybody else's."""
        token = self._user_token(call)
        user = self.world.users[token.user_id]
        wanted = call.path("u")
        if wanted != "me" and call.path_id("u", "user") != user.id:
            raise not_found("user")
        if self._forbidden(call):
            raise ApiError(403, "forbidden", "The token may not do this")
        return user

    def _forbidden(self, call: Call) -> bool:
        path, reads = call.request.url.path, call.request.method in {"GET", "HEAD"}
        match self.settings.forbidden:
            case "updates":
                return not reads and "/accounts" in path
            case "reads":
                return reads and ("/accounts" in path or "/connections" in path)
            case forbidden:
                return forbidden == "everything"

    def _operator(self, call: Call, *secret_values: str) -> None:
        """A token of the console with the right scope: 401 when it is no token at all, 403 when it is another's."""
        value = self._bearer(call)
        if self._is(value, *secret_values):
            return
        known = (self.settings.config_token, self.settings.users_token, self.settings.manage_token)
        if self._is(value, *known) or self.world.token(value):
            raise ApiError(403, "forbidden", "The token lacks the scope")
        raise self._refused()

    def _config_caller(self, call: Call) -> None:
        self._operator(call, self.settings.config_token, self.settings.manage_token)

    def _client(self, call: Call, *, required: bool) -> bool:
        """Whether the client's own credentials were given. Raises ApiError when wrong, or when missing and required."""
        pair = basic(call.request)
        client_id = call.params.optional_text("client_id") or (pair[0] if pair else None)
        secret = call.params.optional_text("client_secret") or (pair[1] if pair else None)
        if client_id is None or secret is None:
            if required:
                raise missing("client_id" if client_id is None else "client_secret")
            return False
        client = self.world.clients.find(client_id)
        if client is None or not self._is(secret, client.secret):
            raise ApiError(403, "forbidden", "The client credentials are not valid")
        return True

    # Tokens

    def auth_init(self, call: Call) -> Response:
        token = bearer(call.request)
        permanent = self._client(call, required=False)
        if token is not None and self._is(token, self.settings.manage_token):
            permanent = True
        user, issued = self.world.create_user(permanent=permanent)
        return answer(
            {
                "auth_token": issued.value,
                "type": issued.kind,
                "id_user": user.id,
                "expires_in": None if permanent else self.settings.temporary_seconds,
            }
        )

    def auth_code(self, call: Call) -> Response:
        token = self._user_token(call)
        kind = call.params.optional_text("type") or "requestAccess"
        if kind not in {"singleAccess", "requestAccess"}:
            raise invalid("type", "must be singleAccess or requestAccess")
        single = kind == "singleAccess"
        code = self.world.issue_code(self.world.users[token.user_id], single=single)
        return answer(
            {
                "code": code.value,
                "type": "temporary",
                "access": "single" if single else "standard",
                "expires_in": self.settings.temporary_seconds,
            }
        )

    def auth_access(self, call: Call) -> Response:
        self._client(call, required=True)
        if call.params.optional_text("grant_type") not in {None, "authorization_code"}:
            raise invalid("grant_type", "must be authorization_code")
        return self._access_answer(self.world.make_permanent(call.params.text("code")))

    def auth_renew(self, call: Call) -> Response:
        self._client(call, required=True)
        if call.params.text("grant_type") != "client_credentials":
            raise invalid("grant_type", "must be client_credentials")
        revoke_previous = call.params.boolean("revoke_previous")
        wanted = call.params.integer("id_user")
        if wanted is None:
            return self._access_answer(self.world.create_user(permanent=True)[1])
        user = self.world.users.get(wanted)
        if user is None:
            status = int(self.settings.gone_user_status)
            raise ApiError(status, _GONE_CODES[status], "There is no such user")
        return self._access_answer(self.world.renew(user, revoke_previous=revoke_previous))

    def _access_answer(self, token: Token) -> Response:
        return answer({self.settings.access_token_key: token.value, "token_type": "Bearer"})

    def auth_service_token(self, call: Call) -> Response:
        self._client(call, required=True)
        given = call.params.get("scope") or "payments:admin"
        scopes = given if isinstance(given, list) else str(given).split()
        if not all(
            isinstance(item, str) and re.fullmatch(r"(payments|payment-links)(:[a-z-]+)?", item) for item in scopes
        ):
            raise invalid("scope")
        scope = " ".join(scopes)
        return answer({"token": base64.b64encode(scope.encode()).decode(), "scope": scope})

    def auth_revoke(self, call: Call) -> Response:
        self.world.revoke(self._user_token(call))
        return no_content()

    # Users

    def users_list(self, call: Call) -> Response:
        self._operator(call, self.settings.users_token, self.settings.manage_token)
        users = list(self.world.users.values())
        return self._page(call, "users", users, self.world.views.user)

    def _user_of_operator_or_self(self, call: Call) -> User:
        token = bearer(call.request)
        if call.path("u") != "me" and token and self._is(token, self.settings.users_token, self.settings.manage_token):
            return self.world.user(call.path_id("u", "user"))
        return self._user(call)

    def user_read(self, call: Call) -> Response:
        return answer(self.world.views.user(self._user_of_operator_or_self(call)))

    def user_delete(self, call: Call) -> Response:
        self.world.delete_user(self._user_of_operator_or_self(call))
        return no_content()

    def user_token(self, call: Call) -> Response:
        user = self._user_of_operator_or_self(call)
        if call.params.text("application") != "sharedAccess":
            raise invalid("application")
        return answer({"token": self.world.renew(user, revoke_previous=False).value})

    # The client application

    def _sees_secret(self, call: Call) -> bool:
        token = self._bearer(call)
        if self._is(token, self.settings.config_token, self.settings.manage_token):
            return True
        self._user_token(call)
        return False

    def clients_list(self, call: Call) -> Response:
        with_secret = self._sees_secret(call)
        return self._page(call, "clients", self.world.clients.all(), lambda item: item.shown(with_secret=with_secret))

    def client_read(self, call: Call) -> Response:
        with_secret = self._sees_secret(call)
        return answer(self.world.clients.get(call.path("id")).shown(with_secret=with_secret))

    def client_create(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.world.clients.create(call.params).shown(with_secret=True), 201)

    def client_update(self, call: Call) -> Response:
        self._config_caller(call)
        client = self.world.clients.get(call.path("id"))
        self.world.clients.update(client, call.params)
        return answer(client.shown(with_secret=True))

    def client_delete(self, call: Call) -> Response:
        self._config_caller(call)
        self.world.clients.delete(self.world.clients.get(call.path("id")))
        return no_content()

    def config_read(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self._config_view())

    def _config_view(self) -> Json:
        return {
            **self.world.config,
            "webhooks.compression.enabled": "1" if self.settings.webhook_gzip else "0",
            "autosync.frequency": str(self.settings.background_sync_hours),
            "autosync.retry_wrongpass": self.world.config.get("autosync.retry_wrongpass", "1"),
        }

    def config_update(self, call: Call) -> Response:
        self._config_caller(call)
        if len(self.world.config) + len(call.params) > 200:
            raise invalid("config", "has too many keys")
        # The documentation spells this key in two ways.
        for key in ("webhooks.compression.enabled", "webhooks.compressions.enabled"):
            if key in call.params:
                self.world.configure(self.settings.changed({"webhook_gzip": call.params.boolean(key)}))
        self.world.config |= {
            key: value for key, value in call.params.items() if isinstance(value, str | int | bool | None)
        }
        return answer(self._config_view())

    # Connectors and reference data: no token needed

    def connectors_list(self, call: Call) -> Response:
        expand, _ = parse_expand(call.params.get("expand"))
        countries = {
            code.strip().upper() for code in str(call.params.get("country_codes") or "").split(",") if code.strip()
        }
        shown = [
            item
            for item in self.world.institutions.all()
            if not item.hidden and (not countries or item.country in countries)
        ]
        return self._page(call, _alias(call), shown, lambda item: self.world.views.connector(item, expand))

    def _named_connectors(self, call: Call) -> list[Connector]:
        """Those of a path such as `/connectors/40,revolut`. One that is not there makes it 404."""
        return [self.world.institutions.get(reference) for reference in call.path("id").split(",")[:MAX_LIMIT]]

    def _show_connectors(self, call: Call, found: Sequence[Connector]) -> Response:
        expand, _ = parse_expand(call.params.get("expand"))
        items = [self.world.views.connector(item, expand) for item in found]
        one = len(items) == 1 and "id" in call.request.path_params
        return answer(items[0] if one else {_alias(call): items, "total": len(items)})

    def connectors_read(self, call: Call) -> Response:
        return self._show_connectors(call, self._named_connectors(call))

    def connectors_update(self, call: Call) -> Response:
        """The operator hides institutions from lists and from the Webview, or shows them again: those of the path, or
        all."""
        self._config_caller(call)
        named = "id" in call.request.path_params
        found = self._named_connectors(call) if named else self.world.institutions.all()
        if "hidden" in call.params:
            hidden = Params({"hidden": call.params.boolean("hidden")})
            found = [self.world.change_connector(item, hidden) for item in found]
        return self._show_connectors(call, found)

    def connector_sources(self, call: Call) -> Response:
        connector = self.world.institutions.get(call.path("id"))
        return self._page(
            call, "sources", connector.sources, lambda item: self.world.views.connector_source(connector, item)
        )

    def connector_source(self, call: Call) -> Response:
        connector = self.world.institutions.find(call.path("id"))
        wanted = call.path_id("s", "source")
        source = next((item for item in connector.sources if item.id == wanted), None) if connector else None
        if connector is None or source is None:
            raise not_found("source")
        return answer(self.world.views.connector_source(connector, source))

    def connector_fields(self, call: Call) -> Response:
        connector = self.world.institutions.get(call.path("id"))
        return self._page(call, "fields", connector.fields, self.world.views.field)

    def logo(self, call: Call) -> Response:
        match = re.fullmatch(r"([0-9a-f-]{36})-thumbnail(@2x)?\.(png|webp)", call.path("file"))
        connector = self.world.institutions.find(match[1]) if match and match[3] == "png" else None
        if connector is None:
            raise not_found("logo")
        return Response(
            logo(connector.color, connector.name),
            media_type="image/png",
            headers={"cache-control": "public, max-age=86400"},
        )

    def types_list(self, call: Call) -> Response:
        return self._page(call, "accounttypes", list(ACCOUNT_TYPES), account_type)

    def type_read(self, call: Call) -> Response:
        wanted = call.path("id")
        for name, (identifier, *_) in ACCOUNT_TYPES.items():
            if wanted in {name, str(identifier)}:
                return answer(account_type(name))
        raise not_found("account type")

    def currencies_list(self, call: Call) -> Response:
        return self._page(call, "currencies", list(CURRENCIES), currency)

    def currency_read(self, call: Call) -> Response:
        if call.path("id") not in CURRENCIES:
            raise not_found("currency")
        return answer(currency(call.path("id")))

    # Connections

    def _connection(self, call: Call) -> Connection:
        return self.world.connection(self._user(call), call.path_id("c", "connection"))

    def _show(self, call: Call, connection: Connection) -> Json:
        expand, nested = parse_expand(call.params.get("expand"))
        return self.world.views.connection(connection, expand, nested)

    def connections_list(self, call: Call) -> Response:
        user = self._user(call)
        return self._page(call, "connections", self.world.connections_of(user), lambda item: self._show(call, item))

    def connection_read(self, call: Call) -> Response:
        return answer(self._show(call, self._connection(call)))

    def connection_create(self, call: Call) -> Response:
        user = self._user(call)
        if not self.settings.agent:
            raise ApiError(403, "forbidden", "Only agents may send bank credentials")
        references = ("connector_uuid", "uuid", "id_connector", "id_bank", "id_provider")
        reference = next((call.params[name] for name in references if call.params.get(name) not in (None, "")), None)
        if reference is None:
            raise missing("connector_uuid")
        connector = self.world.institutions.find(reference)
        if connector is None:
            raise invalid("connector_uuid")
        source = call.params.optional_text("source") or (connector.sources_open or connector.sources)[0].name
        if connector.source(source) is None:
            raise invalid("source")
        values = call.params.values()
        connection = self.world.connect(user, connector, [], values.get("login", ""))
        self.world.open_source(connection, source)
        try:
            self.world.authenticate(connection, source, values)
        except ApiError:
            self.world.discard(connection)
            raise
        if connection.shown_state == "wrongpass":
            self.world.discard(connection)
            raise ApiError(
                400, "wrongpass", "The bank refused the credentials", message="Identifiant ou mot de passe incorrect"
            )
        if connection.shown_state in {"additionalInformationNeeded", "decoupled"}:
            return answer(self._show(call, connection), 202)
        self.world.schedule_sync(connection)
        return answer(self._show(call, connection), 201)

    def connection_update(self, call: Call) -> Response:
        connection = self._connection(call)
        values = call.params.values()
        if connection.locked:
            raise ApiError(self.settings.locked_status, "connectionLocked", "The connection is locked for now")
        if "active" in call.params:
            connection.active = call.params.boolean("active")
        if (expire := call.params.optional_text("expire")) is not None:
            at = as_moment(expire, "expire")
            for source in connection.sources:
                source.access_expire = at
        if call.params.boolean("refresh_auth"):
            source_found = connection.source(OPENAPI)
            if source_found is None:
                raise ApiError(409, "invalidValue", "Only the openapi source can be renewed")
            source_found.state = "SCARequired"
        elif call.params.boolean("resume") or "otp" in call.params:
            self.world.answer_challenge(connection, values)
            self.world.schedule_sync(connection)
        elif "login" in call.params or "password" in call.params or "source" in call.params:
            name = call.params.optional_text("source") or connection.sources[0].name
            if connection.connector.source(name) is None:
                raise invalid("source")
            self.world.open_source(connection, name)
            self.world.authenticate(connection, name, values)
            if connection.shown_state == "wrongpass":
                raise ApiError(
                    400,
                    "wrongpass",
                    "The bank refused the credentials",
                    message="Identifiant ou mot de passe incorrect",
                )
            self.world.schedule_sync(connection)
        waiting = connection.shown_state in {"additionalInformationNeeded", "decoupled"}
        return answer(self._show(call, connection), 202 if waiting or call.params.boolean("background") else 200)

    async def connection_sync(self, call: Call) -> Response:
        connection = self._connection(call)
        background = call.params.boolean("background")
        self.world.force_sync(connection, psu_requested=call.params.boolean("psu_requested", True))
        if background:
            self.world.schedule_sync(connection, self.settings.forced_sync_seconds)
            return answer(self._show(call, connection), 202)
        await asyncio.sleep(self.settings.forced_sync_seconds)
        self.world.end_forced_sync(connection)
        return answer(self._show(call, connection))

    def connection_delete(self, call: Call) -> Response:
        connection = self._connection(call)
        shown = self._show(call, connection)
        self.world.delete_connection(connection)
        return no_content() if self.settings.delete_connection_answer == "204" else answer(shown)

    def _sources(self, call: Call, connection: Connection) -> list[Source]:
        return [source for source in connection.sources if call.params.flag("all") or source.disabled is None]

    def sources_list(self, call: Call) -> Response:
        connection = self._connection(call)
        shown = self._sources(call, connection)
        return self._page(call, "sources", shown, lambda item: self.world.views.source(connection, item))

    def _source(self, call: Call, among: Sequence[Source]) -> Source:
        wanted = call.path_id("s", "source")
        source = next((source for source in among if source.id == wanted), None)
        if source is None:
            raise not_found("source")
        return source

    def source_read(self, call: Call) -> Response:
        connection = self._connection(call)
        source = self._source(call, self._sources(call, connection))
        return answer(self.world.views.source(connection, source))

    def source_update(self, call: Call) -> Response:
        connection = self._connection(call)
        source = self._source(call, connection.sources)
        if "disabled" in call.params:
            source.disabled = self.world.clock.now() if call.params.boolean("disabled") else None
        return answer(self.world.views.source(connection, source))

    def logs_list(self, call: Call) -> Response:
        user = self._user(call)
        chosen = [self._connection(call)] if "c" in call.request.path_params else self.world.connections_of(user)
        since, until = self._period(call)
        wanted = call.params.integer("id_source")
        lines = sorted(
            (
                (line.at, line.id, line, connection)
                for connection in chosen
                for line in connection.log
                if since <= line.at < until and wanted in {None, line.source_id}
            ),
            key=lambda entry: entry[:2],
            reverse=True,
        )
        return self._page(call, "connectionlogs", lines, lambda entry: self.world.views.log_line(entry[3], entry[2]))

    def webauth_url(self, call: Call) -> Response:
        redirect_uri = call.params.text("redirect_uri")
        client = self.world.clients.find(call.params.text("client_id"))
        if client is None:
            raise invalid("client_id")
        if redirect_uri not in client.redirect_uris:
            raise invalid("redirect_uri")
        query = {
            "client_id": client.id,
            "redirect_uri": redirect_uri,
            "state": call.params.optional_text("state") or "",
        }
        connection_id = call.params.integer("id_connection")
        if connection_id is not None:
            user = self.world.users[self._user_token(call).user_id]
            connection = self.world.connection(user, connection_id)
            if connection.shown_state not in {"SCARequired", "webauthRequired", "decoupled"}:
                raise ApiError(409, "invalidValue", "There is nothing to authenticate")
            query["code"] = self.world.issue_code(user, single=True).value
            query["id_connection"] = str(connection.id)
        else:
            connector = self.world.institutions.find(
                call.params.get("id_connector") or call.params.text("id_connection")
            )
            if connector is None:
                raise invalid("id_connector")
            user = self.world.users[self._user_token(call).user_id]
            query["code"] = self.world.issue_code(user, single=True).value
            query["id_connector"] = str(connector.id)
        return answer({"url": f"{_origin(call.request)}/2.0/webauth?{urlencode(query)}"})

    # Accounts

    def _accounts(self, call: Call) -> list[Account]:
        """Those of the path's user or connection; disabled and deleted ones only with `?all`."""
        accounts = self._connection(call).accounts if "c" in call.request.path_params else None
        if accounts is None:
            accounts = self.world.accounts_of(self._user(call))
        if call.params.flag("all"):
            return list(accounts)
        return [account for account in accounts if account.disabled is None and account.deleted is None]

    def _show_account(self, call: Call, account: Account) -> Json:
        connection = self.world.connections[account.connection_id]
        shown = self.world.views.account(account, connection)
        expand, nested = parse_expand(call.params.get("expand"))
        if "connection" in expand:
            shown["connection"] = self.world.views.connection(connection, nested)
        return shown

    def accounts_list(self, call: Call) -> Response:
        accounts = self._accounts(call)
        if not accounts and self.settings.no_account_on_list:
            raise ApiError(self.settings.no_account_status, "noAccount", "No account is enabled")
        chosen, links = self._window(call, accounts)
        envelope = self.world.views.accounts_envelope(accounts, [self._show_account(call, item) for item in chosen])
        return answer(envelope | links)

    def _named_accounts(self, call: Call) -> list[Account]:
        """The accounts of a path such as `/accounts/12,34`. One that is not there for this caller makes it 404."""
        there = {account.id: account for account in self._accounts(call)}
        found = []
        for text in dict.fromkeys(call.path("a").split(",")):
            account = there.get(_id_or_zero(text))
            if account is None:
                raise not_found("account")
            found.append(account)
        return found

    def account_read(self, call: Call) -> Response:
        accounts = self._named_accounts(call)
        if len(accounts) == 1:
            return answer(self._show_account(call, accounts[0]))
        return answer(
            self.world.views.accounts_envelope(accounts, [self._show_account(call, account) for account in accounts])
        )

    def account_update(self, call: Call) -> Response:
        accounts = self._named_accounts(call)
        changes = self._account_changes(call.params)
        by_connection: dict[int, list[Account]] = {}
        for account in accounts:
            by_connection.setdefault(account.connection_id, []).append(account)
        for connection_id, members in by_connection.items():
            self.world.update_accounts(self.world.connections[connection_id], members, changes)
        items = [self._show_account(call, account) for account in accounts]
        form = self.settings.multi_update_answer
        if len(items) == 1 and form != "always_envelope":
            return answer(items[0])
        return answer(items if form == "list" else self.world.views.accounts_envelope(accounts, items))

    def _account_changes(self, params: Params) -> dict[str, object]:
        changes: dict[str, object] = {}
        for name in _WRITABLE:
            if name not in params:
                continue
            if name in {"display", "disabled", "bookmarked"}:
                changes[name] = params.boolean(name)
            elif name == "name":
                changes[name] = params.text(name)[:200]
            else:
                usage = params.optional_text(name)
                if usage is not None and usage.upper() not in {"PRIV", "ORGA", "ASSO"}:
                    raise invalid("usage")
                changes[name] = usage.upper() if usage else None
        return changes

    def transactions_list(self, call: Call) -> Response:
        if "a" in call.request.path_params:
            accounts = self._named_accounts(call)
        else:
            accounts = [item for item in self._accounts(call) if item.disabled is None and item.deleted is None]
        if call.params.integer("limit") is None:
            raise missing("limit")
        if not any(account.disabled is None for account in accounts):
            raise ApiError(self.settings.no_account_status, "noAccount", "No account is enabled")
        every = [line for account in accounts if account.last_update for line in self.world.views.transactions(account)]
        dates = [str(line["date"]) for line in every]
        filters = self._filters(call)
        lines = [line for line in every if all(fits(line) for fits in filters)]
        lines.sort(key=lambda line: (str(line["date"]), cast(int, line["id"])), reverse=True)
        chosen, links = self._window(call, lines, documented=True)
        found = [str(line["date"]) for line in lines]
        return answer(
            {
                "transactions": chosen,
                "first_date": min(dates, default=None),
                "last_date": max(dates, default=None),
                "result_min_date": min(found, default=None),
                "result_max_date": max(found, default=None),
                "total": len(lines),
            }
            | links
        )

    def _filters(self, call: Call) -> list[Callable[[Json], bool]]:
        """What a transaction has to fit. Raises ApiError 400 for a filter that is not known, or makes no sense."""
        params = call.params
        unknown = set(params) - {"limit", "offset", *_FILTERS}
        if unknown and self.settings.unknown_filters == "refused":
            raise invalid(min(unknown)[:60], "is no filter of transactions")
        date_name = params.optional_text("filter") or "date"
        if date_name not in _FILTER_DATES:
            raise invalid("filter", f"must be one of {', '.join(_FILTER_DATES)}")
        since, until = self._period(call)
        first, last = since.astimezone(PARIS).date().isoformat(), until.astimezone(PARIS).date().isoformat()
        fits: list[Callable[[Json], bool]] = [lambda line: first <= str(line[date_name]) <= last]
        if (updated := params.optional_text("last_update")) is not None:
            seen = self.world.views.moment(_day(updated, "last_update"))
            fits.append(lambda line: str(line["last_update"]) >= str(seen))
        if "income" in params:
            income = params.boolean("income")
            fits.append(lambda line: (_value(line) > 0) is income)
        least, most, exact = (as_decimal(params.get(name)) for name in ("min_value", "max_value", "value"))
        fits.append(lambda line: least is None or _value(line) >= least)
        fits.append(lambda line: most is None or _value(line) <= most)
        fits.append(lambda line: exact is None or _value(line) == exact)
        words = [(params.optional_text(name) or "").casefold() for name in ("wording", "search")]
        fits.append(lambda line: all(word in str(line["wording"]).casefold() for word in words))
        return fits

    def transaction_read(self, call: Call) -> Response:
        wanted = call.path_id("t", "transaction")
        for account in self._enabled(call):
            for line in self.world.views.transactions(account):
                if line["id"] == wanted:
                    return answer(line)
        raise not_found("transaction")

    def _enabled(self, call: Call) -> list[Account]:
        """The accounts that have something below them, among those of the path."""
        chosen = self._named_accounts(call) if "a" in call.request.path_params else self._accounts(call)
        return [account for account in chosen if account.disabled is None and account.deleted is None]

    def _investments(self, call: Call) -> list[Json]:
        return [line for account in self._enabled(call) for line in self.world.views.investments(account)]

    def investments_list(self, call: Call) -> Response:
        lines = self._investments(call)
        chosen, links = self._window(call, lines)
        totals: Json = dict.fromkeys(("diff", "diff_percent", "prev_diff", "prev_diff_percent"))
        totals |= {"valuation": sum(cast(float, line["valuation"]) for line in lines), "calculated": []}
        return answer({"investments": chosen, "total": len(lines)} | totals | links)

    def investment_read(self, call: Call) -> Response:
        wanted = call.path_id("i", "investment")
        for line in self._investments(call):
            if line["id"] == wanted:
                return answer(line)
        raise not_found("investment")

    def ownerships_list(self, call: Call) -> Response:
        def show(account: Account) -> Json:
            return self.world.views.ownership(account, self.world.connections[account.connection_id])

        return self._page(call, "account_ownerships", self._enabled(call), show)

    def pockets_list(self, call: Call) -> Response:
        lines = self._below(call, self.world.views.pockets)
        if "i" in call.request.path_params:
            wanted = call.path_id("i", "investment")
            if all(line["id"] != wanted for line in self._investments(call)):
                raise not_found("investment")
            lines = [line for line in lines if line["id_investment"] == wanted]
        return self._page(call, "pockets", lines, lambda line: line)

    def pocket_read(self, call: Call) -> Response:
        return self._one(call, self.world.views.pockets, "pocket")

    def orders_list(self, call: Call) -> Response:
        return self._page(call, "marketorders", self._below(call, self.world.views.market_orders), lambda line: line)

    def order_read(self, call: Call) -> Response:
        return self._one(call, self.world.views.market_orders, "market order")

    def amortizations_list(self, call: Call) -> Response:
        lines = self._below(call, self.world.views.amortizations)
        return self._page(call, "loanamortizations", lines, lambda line: line)

    def _below(self, call: Call, lines: Callable[[Account], list[Json]]) -> list[Json]:
        return [line for account in self._enabled(call) for line in lines(account)]

    def _one(self, call: Call, lines: Callable[[Account], list[Json]], what: str) -> Response:
        """One of the token's user, whom these paths do not name."""
        user = self.world.users[self._user_token(call).user_id]
        wanted = call.path_id("id", what)
        for account in self.world.accounts_of(user):
            for line in lines(account):
                if line["id"] == wanted:
                    return answer(line)
        raise not_found(what)

    # Webhooks

    def webhooks_list(self, call: Call) -> Response:
        self._config_caller(call)
        return self._page(call, "webhooks", self.deliveries.hooks.all(), self.deliveries.hooks.view)

    def webhook_create(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.create(call.params))

    def webhook_read(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.view(self.deliveries.hooks.get(call.path_id("id", "webhook"))))

    def webhook_update(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.update(call.path_id("id", "webhook"), call.params))

    def webhook_delete(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.delete(call.path_id("id", "webhook")))

    def webhooks_delete(self, call: Call) -> Response:
        self._config_caller(call)
        return answer({"webhooks": [self.deliveries.hooks.delete(hook.id) for hook in self.deliveries.hooks.all()]})

    def webhook_logs(self, call: Call) -> Response:
        self._config_caller(call)
        hook = self.deliveries.hooks.get(call.path_id("id", "webhook"))
        return self._page(call, "webhooklogs", self.deliveries.attempts_of(hook), lambda item: item)

    def webhook_add_to_data(self, call: Call) -> Response:
        self._config_caller(call)
        hook = self.deliveries.hooks.get(call.path_id("id", "webhook"))
        if call.request.method == "POST":
            hook.add_to_data = [str(value)[:60] for value in call.params.values().values()][:20]
        return answer({"add_to_data": hook.add_to_data})

    def webhook_events(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(
            {"webhooks_events": self.deliveries.hooks.event_names(), "total": len(self.deliveries.hooks.event_names())}
        )

    def webhook_test(self, call: Call) -> Response:
        self._config_caller(call)
        hook = self.deliveries.hooks.get(call.params.integer("id_webhook") or call.params.integer("id") or 0)
        self.deliveries.send_test(hook)
        return answer({"id_webhook": hook.id})

    def providers_list(self, call: Call) -> Response:
        self._config_caller(call)
        providers = [provider.shown() for provider in self.deliveries.hooks.providers.values()]
        return answer({"authproviders": providers, "total": len(providers)})

    def provider_create(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.create_provider(call.params))

    def provider_delete(self, call: Call) -> Response:
        self._config_caller(call)
        return answer(self.deliveries.hooks.delete_provider(call.path_id("id", "provider")))

    # Lists

    def _page[T](self, call: Call, key: str, items: Sequence[T], show: Callable[[T], object]) -> Response:
        chosen, links = self._window(call, items)
        return answer({key: [show(item) for item in chosen], "total": len(items)} | links)

    def _window[T](self, call: Call, items: Sequence[T], *, documented: bool = False) -> tuple[list[T], Json]:
        """The part that `limit` and `offset` ask for, and the links to its neighbours on the caller's own host, where
        they are documented or wanted."""
        limit, offset = call.params.integer("limit"), call.params.integer("offset") or 0
        if limit is not None and not 1 <= limit <= MAX_LIMIT:
            raise invalid("limit", f"must be between 1 and {MAX_LIMIT}")
        if limit is None:
            limit = self.settings.list_cap or max(1, len(items))
        chosen = list(items[offset : offset + limit])
        if not documented and self.settings.linked_lists == "transactions":
            return chosen, {}

        def link(start: int) -> Json:
            query = [(k, v) for k, v in call.request.query_params.multi_items() if k not in {"limit", "offset"}]
            query += [("limit", str(limit)), ("offset", str(start))]
            return {"href": f"{_origin(call.request)}{call.request.url.path}?{urlencode(query)}"}

        before, after = offset > 0, offset + limit < len(items)
        links = {
            "self": link(offset) if call.params.get("limit") is not None else {"href": _address(call.request)},
            "prev": link(max(0, offset - limit)) if before else None,
            "next": link(offset + limit) if after else None,
        }
        return chosen, {self.settings.links_key: links}

    def _period(self, call: Call) -> tuple[datetime, datetime]:
        """`min_date` and `max_date`: a date, a month or a year."""
        since, until = call.params.optional_text("min_date"), call.params.optional_text("max_date")
        first = _day(since, "min_date") if since else datetime(1970, 1, 1, tzinfo=UTC)
        last = _day(until, "max_date", end=True) if until else datetime(9000, 1, 1, tzinfo=UTC)
        return first, last


def _routes(table: Sequence[tuple[str, str, Handler]]) -> list[Route]:
    by_path: dict[str, dict[str, Handler]] = {}
    for methods, path, handler in table:
        for method in methods.split():
            by_path.setdefault(path, {})[method] = handler
    return [Route(path, _endpoint(handlers), methods=list(_METHODS)) for path, handlers in by_path.items()]


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _endpoint(handlers: dict[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise ApiError(405, "methodNotAllowed", "This method is not allowed here")
        result = handler(Call(request, await read_params(request)))
        return result if isinstance(result, Response) else await result

    return endpoint


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def _address(request: Request) -> str:
    query = request.url.query
    return f"{_origin(request)}{request.url.path}{'?' + query if query else ''}"


def _alias(call: Call) -> str:
    """The list's name is the path's own: connectors, or banks or providers as in former days."""
    return call.request.url.path.removeprefix("/2.0/").split("/")[0]


def _value(line: Json) -> Decimal:
    return Decimal(str(line["value"]))


def _id_or_zero(text: str) -> int:
    try:
        return as_id(text)
    except ApiError:
        return 0


def _day(text: str, name: str, *, end: bool = False) -> datetime:
    """Start of the date, month or year in Paris; with `end`, the start of what follows it."""
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T].*)?)?)?", text, re.ASCII)
    if match is None:
        raise invalid(name, "must be a date, a month or a year")
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    try:
        at = datetime(year, month, day, tzinfo=PARIS)
        if end:
            if match[3]:
                at += timedelta(days=1)
            elif match[2]:
                at = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=PARIS)
            else:
                at = datetime(year + 1, 1, 1, tzinfo=PARIS)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a date") from error


def as_moment(text: str, name: str) -> datetime:
    """A date-time, in Paris when it names no offset. Raises ApiError 400."""
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=PARIS)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a date-time") from error
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise invalid(name, "is out of reach")
    return at
