"""`/users/{id}/connections` and `/webauth-url`."""

import asyncio
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import Response

from powens_sandbox.banks.catalogue import OPENAPI
from powens_sandbox.errors import ApiError, invalid, missing
from powens_sandbox.params import Call, parse_expand
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import origin, page
from powens_sandbox.routing import Row, answer, no_content
from powens_sandbox.views.formats import PARIS, Json
from powens_sandbox.world.clock import FIRST_YEAR, LAST_YEAR
from powens_sandbox.world.model import Connection
from powens_sandbox.world.world import World


class Connections:
    """Connections of a user: made, authenticated, synchronised, deleted."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        one = "/users/{u}/connections/{c}"
        return [
            ("GET", "/users/{u}/connections", self.connections_list),
            ("POST", "/users/{u}/connections", self.connection_create),
            ("GET", one, self.connection_read),
            ("POST", one, self.connection_update),
            ("PUT", one, self.connection_sync),
            ("DELETE", one, self.connection_delete),
            ("GET", "/webauth-url", self.webauth_url),
        ]

    def _show(self, call: Call, connection: Connection) -> Json:
        expand, nested = parse_expand(call.params.get("expand"))
        return self.world.views.connection(connection, expand, nested)

    def connections_list(self, call: Call) -> Response:
        user = self.callers.user(call)
        return page(
            call,
            self.world.settings,
            "connections",
            self.world.connections_of(user),
            lambda item: self._show(call, item),
        )

    def connection_read(self, call: Call) -> Response:
        return answer(self._show(call, self.callers.connection(call)))

    def connection_create(self, call: Call) -> Response:
        user = self.callers.user(call)
        if not self.world.settings.agent:
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
        connection = self.world.connecting.connect(user, connector, [], values.get("login", ""))
        self.world.connecting.open_source(connection, source)
        try:
            self.world.connecting.authenticate(connection, source, values)
        except ApiError:
            self.world.forget(connection)
            raise
        if connection.shown_state == "wrongpass":
            self.world.forget(connection)
            raise _wrong_password()
        if connection.shown_state in {"additionalInformationNeeded", "decoupled"}:
            return answer(self._show(call, connection), 202)
        self.world.syncs.schedule(connection)
        return answer(self._show(call, connection), 201)

    def connection_update(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        values = call.params.values()
        if connection.locked:
            raise ApiError(self.world.settings.locked_status, "connectionLocked", "The connection is locked for now")
        if "active" in call.params:
            connection.active = call.params.boolean("active")
        if (expire := call.params.optional_text("expire")) is not None:
            at = _moment(expire, "expire")
            for source in connection.sources:
                source.access_expire = at
        if call.params.boolean("refresh_auth"):
            source_found = connection.source(OPENAPI)
            if source_found is None:
                raise ApiError(409, "invalidValue", "Only the openapi source can be renewed")
            source_found.state = "SCARequired"
        elif call.params.boolean("resume") or "otp" in call.params:
            self.world.connecting.answer_challenge(connection, values)
            self.world.syncs.schedule(connection)
        elif "login" in call.params or "password" in call.params or "source" in call.params:
            name = call.params.optional_text("source") or connection.sources[0].name
            if connection.connector.source(name) is None:
                raise invalid("source")
            self.world.connecting.open_source(connection, name)
            self.world.connecting.authenticate(connection, name, values)
            if connection.shown_state == "wrongpass":
                raise _wrong_password()
            self.world.syncs.schedule(connection)
        waiting = connection.shown_state in {"additionalInformationNeeded", "decoupled"}
        return answer(self._show(call, connection), 202 if waiting or call.params.boolean("background") else 200)

    async def connection_sync(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        background = call.params.boolean("background")
        self.world.syncs.force(connection, psu_requested=call.params.boolean("psu_requested", True))
        if background:
            self.world.syncs.schedule(connection, self.world.settings.forced_sync_seconds)
            return answer(self._show(call, connection), 202)
        await asyncio.sleep(self.world.settings.forced_sync_seconds)
        self.world.syncs.end_forced(connection)
        return answer(self._show(call, connection))

    def connection_delete(self, call: Call) -> Response:
        connection = self.callers.connection(call)
        shown = self._show(call, connection)
        self.world.connecting.delete(connection)
        return no_content() if self.world.settings.delete_connection_answer == "204" else answer(shown)

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
            user = self.world.users[self.callers.user_token(call).user_id]
            connection = self.world.connection(user, connection_id)
            if connection.shown_state not in {"SCARequired", "webauthRequired", "decoupled"}:
                raise ApiError(409, "invalidValue", "There is nothing to authenticate")
            query["code"] = self.world.access.issue_code(user, single=True).value
            query["id_connection"] = str(connection.id)
        else:
            connector = self.world.institutions.find(
                call.params.get("id_connector") or call.params.text("id_connection")
            )
            if connector is None:
                raise invalid("id_connector")
            user = self.world.users[self.callers.user_token(call).user_id]
            query["code"] = self.world.access.issue_code(user, single=True).value
            query["id_connector"] = str(connector.id)
        return answer({"url": f"{origin(call.request)}/2.0/webauth?{urlencode(query)}"})


def _wrong_password() -> ApiError:
    said = "Identifiant ou mot de passe incorrect"
    return ApiError(400, "wrongpass", "The bank refused the credentials", message=said)


def _moment(text: str, name: str) -> datetime:
    """A date-time, in Paris when it names no offset. Raises ApiError 400."""
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=PARIS)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "is not a date-time") from error
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise invalid(name, "is out of reach")
    return at
