"""Users and their connections."""

import re
from datetime import datetime

from powens_sandbox.banks.people import PERSONAS
from powens_sandbox.errors import invalid, missing, not_found
from powens_sandbox.params import Call
from powens_sandbox.routing import Row
from powens_sandbox.switches.values import expiry, limit, moment, only, raw
from powens_sandbox.views.formats import Json
from powens_sandbox.world.model import Connection, Source, User
from powens_sandbox.world.world import World

_EXPANDS = frozenset({"connector", "sources", "all_accounts"})
# A change of one of these is synchronised, and so told by webhooks.
_NEWS = frozenset({"state", "error_message", "raw"})


class ConnectionSwitches:
    """What happens to connections at the bank or at Powens."""

    def __init__(self, world: World) -> None:
        self.world = world

    def rows(self) -> list[Row]:
        return [
            ("GET", "/users", self.users),
            ("POST", "/users/{id}/revoke-tokens", self.revoke_tokens),
            ("GET", "/connections", self.connections),
            ("POST", "/connections", self.connection_create),
            ("GET", "/connections/{id}", self.connection_read),
            ("PATCH", "/connections/{id}", self.connection_change),
            ("DELETE", "/connections/{id}", self.connection_delete),
            ("POST", "/connections/{id}/sync", self.connection_sync),
            ("POST", "/connections/{id}/repair", self.connection_repair),
        ]

    def users(self, call: Call) -> Json:
        """Newest first."""
        newest = list(self.world.users.values())[::-1][: limit(call.params)]
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
        return {"revoked": self.world.access.revoke_tokens(self.world.user(call.path_id("id", "user")))}

    def _show(self, connection: Connection) -> Json:
        return self.world.views.connection(connection, _EXPANDS) | {"locked": connection.locked}

    def _connection(self, call: Call) -> Connection:
        connection = self.world.connections.get(call.path_id("id", "connection"))
        if connection is None:
            raise not_found("connection")
        return connection

    def connections(self, call: Call) -> Json:
        wanted = call.params.integer("id_user")
        chosen = [item for item in self.world.connections.values() if wanted in {None, item.user_id}]
        return {"connections": [self._show(item) for item in chosen[::-1][: limit(call.params)]], "total": len(chosen)}

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
        connection = self.world.connecting.connect(user, connector, sources, persona)
        if isinstance(enabled, list):
            there = {account.name for account in connection.accounts}
            if not all(name in there for name in enabled):
                self.world.connecting.delete(connection)
                raise invalid("enabled", "names an account that is not there")
        wanted = [
            (account, enabled == "all" or (isinstance(enabled, list) and account.name in enabled))
            for account in connection.accounts
        ]
        self.world.choices.choose(connection, wanted, first=True)
        if not any(chosen for _, chosen in wanted):
            self.world.syncs.schedule(connection)
        return self._show(connection)

    def connection_change(self, call: Call) -> Json:
        """`state`, `error_message`, `source` (whose state it is), `locked`, `active`, `consent_expires_at` (RFC 3339)
        or `consent_expires_in_days`, `last_update` (RFC 3339 or null), `raw` (fields of its answers, with any JSON
        instead of what they are), `notify` (default true)."""
        connection = self._connection(call)
        only(
            call.params,
            "state", "error_message", "source", "locked", "active", "consent_expires_at", "consent_expires_in_days",
            "last_update", "notify", "raw",
        )  # fmt: skip
        source_name = call.params.optional_text("source")
        source = connection.source(source_name) if source_name else None
        if source_name and source is None:
            raise invalid("source")
        notify = call.params.boolean("notify", True)
        expires = expiry(call.params, self.world.clock.now())
        last_update = call.params.optional_text("last_update")
        updated = moment(last_update, "last_update") if last_update else None
        locked, active = (
            call.params.boolean("locked", connection.locked),
            call.params.boolean("active", connection.active),
        )
        connection.raw = raw(call.params, connection.raw)
        if "state" in call.params:
            _set_state(connection, source, call.params.optional_text("state"))
        if "error_message" in call.params:
            connection.error_message = (call.params.optional_text("error_message") or "")[:500] or None
        connection.locked, connection.active = locked, active
        if expires is not None:
            _set_consent_end(connection, expires)
        if "last_update" in call.params:
            connection.last_update = updated
        if notify and not _NEWS.isdisjoint(call.params):
            self.world.syncs.sync(connection)
        return self._show(connection)

    def connection_delete(self, call: Call) -> Json:
        connection = self._connection(call)
        shown = self._show(connection)
        self.world.connecting.delete(connection)
        return shown

    def connection_sync(self, call: Call) -> Json:
        connection = self._connection(call)
        self.world.syncs.sync(connection)
        return self._show(connection)

    def connection_repair(self, call: Call) -> Json:
        connection = self._connection(call)
        self.world.connecting.repair(connection)
        return self._show(connection)


def _set_state(connection: Connection, source: Source | None, state: str | None) -> None:
    """Of one source, or of the connection; a connection that is fine again has no source that is not."""
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


def _set_consent_end(connection: Connection, at: datetime) -> None:
    """For the sources that need a consent; a single source gets one."""
    for source in connection.sources:
        if source.access_expire is not None or len(connection.sources) == 1:
            source.access_expire = at
