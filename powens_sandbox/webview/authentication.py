"""How the user authenticates at a source of the bank, and where the outcome leads."""

from collections.abc import Mapping

from powens_sandbox.banks.catalogue import Connector, Field
from powens_sandbox.errors import ApiError
from powens_sandbox.webview.texts import text
from powens_sandbox.webview.turn import Callback, Turn
from powens_sandbox.world.model import USER_MUST_ACT, Connection

_PERMANENT_PROBLEMS = frozenset(
    {"actionNeeded", "passwordExpired", "bug", "websiteUnavailable", "rateLimiting", "notSupported"}
)


class Authentication:
    """The steps from a source to its accounts: credentials, the bank's page, a one-time code, an approval."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.world = turn.world
        self.session = turn.session

    def ask(self, source_name: str) -> None:
        """Send the user to where this source authenticates."""
        source = self.turn.bank().source(source_name)
        self.session.source = source_name
        self.session.step = "credentials" if source and source.auth_mechanism == "credentials" else "bank"

    def fields(self, connector: Connector, source: str) -> list[Field]:
        return [item for item in connector.fields if not item.sources or source in item.sources]

    def credentials(self) -> Callback | None:
        for item in self.fields(self.turn.bank(), self.session.source):
            if item.required and not self.turn.values.get(item.name):
                self.session.message = text(self.session.language, "credentials.missing", field=item.label)
                return None
        return self._authenticate(self.turn.values)

    def approve(self) -> Callback | None:
        connection = self.turn.connection()
        source = connection.source(self.session.source) if connection else None
        if connection is None or source is None:
            return self._authenticate({"login": self.turn.values.get("login", "")})
        # The second half of an authentication that the bank wanted to confirm, or the renewal of an older one.
        self.world.connecting.approve(connection, source)
        return self._authenticated(connection)

    def refuse(self) -> Callback | None:
        if self.session.purpose == "source" or self.session.flow == "manage":
            self.session.message = text(self.session.language, "bank.refused")
            self.session.step = "connections" if self.session.purpose == "new" else "accounts"
            return None
        return self.turn.cancel("Access was refused at the bank")

    def _authenticate(self, values: Mapping[str, str]) -> Callback | None:
        """Play the authentication of the source, and go where its outcome leads."""
        user = self.turn.user
        connection = self.turn.connection()
        if connection is None:
            connection = self.world.connecting.connect(user, self.turn.bank(), [], values.get("login", "")[:60])
            self.session.connection_id = connection.id
        source = self.world.connecting.open_source(connection, self.session.source)
        try:
            self.world.connecting.authenticate(connection, self.session.source, values)
        except ApiError:
            source.state = "wrongpass"
        if source.state == "wrongpass" and not any(other.discovered for other in connection.sources):
            # Refused credentials make no connection.
            self.world.forget(connection)
            self.session.connection_id = None
        return self._after_authentication(connection)

    def _after_authentication(self, connection: Connection) -> Callback | None:
        source = connection.source(self.session.source)
        match connection.outage or (source.state if source else None):
            case "wrongpass":
                self.session.message = text(self.session.language, "credentials.wrong")
                self.session.step = "credentials"
            case "additionalInformationNeeded":
                self.session.step = "otp"
            case "decoupled" | "validating":
                self.session.step = "decoupled"
            case "SCARequired" | "webauthRequired":
                self.session.step = "bank"
            case state if state in _PERMANENT_PROBLEMS:
                self.session.step = "failed"
            case _:
                return self._authenticated(connection)
        return None

    def _authenticated(self, connection: Connection) -> Callback | None:
        if self.session.purpose == "repair":
            self.world.connecting.reauthenticate(connection)
            self.world.syncs.schedule(connection)
            if self.session.flow == "manage":
                self.session.open(connection)
                return None
            return {"id_connection": str(connection.id)} if self.session.flow == "webauth" else {}
        if self.session.flow == "webauth":
            self.world.syncs.schedule(connection)
            return {"id_connection": str(connection.id)}
        left_to_the_user = self.session.client.config.get("disable_accounts_pre_check") in (True, 1, "1", "true")
        preticked = self.world.settings.preticked_accounts and not left_to_the_user
        ticked = self.session.purpose == "new" and preticked
        for account in connection.accounts:
            self.session.ticks.setdefault(account.id, ticked)
        if self.session.purpose == "source":
            self.session.notice = text(self.session.language, "accounts.found")
        self.session.step = "accounts"
        return None

    def challenge(self) -> Callback | None:
        connection = self.turn.connection()
        if connection is None:
            return None
        try:
            self.world.connecting.answer_challenge(connection, self.turn.values)
        except ApiError:
            self.session.message = text(self.session.language, "otp.wrong")
            return None
        return self._authenticated(connection)

    def begin_repair(self, connection: Connection, *, reset: bool) -> None:
        """Start where the trouble is: the first source in error, or the first that takes credentials for a reset."""
        self.session.connector = connection.connector
        wanted = self.session.names("connection_sources") or self.session.names("sources")
        sources = [source for source in connection.sources if not wanted or source.name in wanted] or connection.sources
        if not sources:
            self.session.source = connection.connector.sources[0].name
            self.session.step = "bank"
            return
        if reset:
            mechanisms = {source.name: source.auth_mechanism for source in connection.connector.sources}
            chosen = next((item for item in sources if mechanisms.get(item.name) == "credentials"), sources[0])
        else:
            chosen = next((item for item in sources if item.state), sources[0])
        state = chosen.state or connection.state
        self.ask(chosen.name)
        if reset or state not in USER_MUST_ACT:
            return
        match state:
            case "additionalInformationNeeded":
                chosen.state, self.session.step = state, "otp"
            case "decoupled":
                chosen.state, self.session.step = state, "decoupled"
            case "SCARequired" | "webauthRequired":
                self.session.step = "bank"

    def give_up(self) -> Callback | None:
        connection = self.turn.connection()
        state = connection.shown_state if connection else None
        if self.session.flow == "manage":
            self.session.step = "connections"
            return None
        return {"error": "server_error", "error_description": f"The connection is in state {state}"}
