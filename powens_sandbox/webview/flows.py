"""What happens on the Webview's pages: which step follows which, and what it changes."""

from collections.abc import Callable, Mapping

from powens_sandbox.catalogue import Connector, Field
from powens_sandbox.errors import ApiError, invalid
from powens_sandbox.model import Account, Connection
from powens_sandbox.params import as_id
from powens_sandbox.webview.pages import Page
from powens_sandbox.webview.session import Session
from powens_sandbox.webview.texts import text
from powens_sandbox.world import USER_MUST_ACT, World

_PERMANENT_PROBLEMS = frozenset(
    {"actionNeeded", "passwordExpired", "bug", "websiteUnavailable", "rateLimiting", "notSupported"}
)

# The parameters that go back to the client when the visit ends, beside `state`.
type Callback = dict[str, str]


class Visit:
    """One request of a visit. A step that returns a Callback ends the visit."""

    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.session = session
        self.values: Mapping[str, str] = {}
        self.argument = ""

    def begin(self) -> None:
        """Where the flow starts. Raises ApiError when there is no such place."""
        user = self.world.users[self.session.user_id]
        wanted = self.session.query.get("connection_id")
        if self.session.flow == "connect":
            return
        if self.session.flow == "reconnect":
            connection = self.world.connection(user, as_id(wanted, "connection_id"))
            self.session.purpose, self.session.connection_id, self.session.connector = (
                "repair",
                connection.id,
                connection.connector,
            )
            reset = self.session.query.get("reset_credentials", "").lower() == "true"
            self._begin_repair(connection, reset=reset)
            return
        self.session.step = "connections"
        if wanted:
            try:
                self._open(self.world.connection(user, as_id(wanted, "connection_id")))
            except ApiError:
                # A connection that the user does not have is no reason to refuse the page.
                self.session.step = "connections"

    def act(self, values: Mapping[str, str], ticked: list[str]) -> Callback | None:
        """Do what the form asks for, if the present step knows it; `ticked` are the ids of the ticked accounts."""
        self.values = values
        action, _, self.argument = values.get("action", "").partition(":")
        if action == "cancel":
            return self._cancel()
        if self.session.step == "accounts":
            connection = self._connection()
            if connection is not None:
                chosen = {int(value) for value in ticked if len(value) < 19}
                self.session.ticks = {account.id: account.id in chosen for account in self._offered(connection)}
        handler: Callable[[], Callback | None] | None = {
            ("terms", "accept"): self._accept,
            ("terms", "decline"): self._decline,
            ("pick", "search"): self._search,
            ("pick", "pick"): self._pick,
            ("credentials", "credentials"): self._credentials,
            ("bank", "approve"): self._approve,
            ("bank", "refuse"): self._refuse,
            ("otp", "otp"): self._challenge,
            ("decoupled", "approved"): self._challenge,
            ("failed", "close"): self._give_up,
            ("accounts", "more"): self._more,
            ("accounts", "finish"): self._finish,
            ("accounts", "back"): self._back,
            ("accounts", "repair"): self._repair,
            ("accounts", "delete"): self._delete,
            ("delete", "back"): self._back_to_accounts,
            ("delete", "confirm-delete"): self._confirm_delete,
            ("another", "done"): self._done,
            ("another", "another"): self._another,
            ("connections", "open"): self._open_chosen,
            ("connections", "add"): self._add,
            ("connections", "close"): self._done,
        }.get((self.session.step, action))
        return handler() if handler else None

    def render(self) -> str:
        page = Page(self.session)
        user = self.world.users[self.session.user_id]
        connection = self._connection()
        connector = self._bank() if self.session.connector else None
        match self.session.step:
            case "terms":
                return page.terms()
            case "pick":
                wanted = self.session.search.casefold()
                return page.pick(
                    [
                        item
                        for item in self.session.connectors(self.world.institutions)
                        if wanted in item.name.casefold()
                    ]
                )
            case "credentials" if connector:
                prefilled = {
                    name.partition(".")[2]: value
                    for name, value in self.session.query.items()
                    if name.startswith(f"{connector.uuid}.")
                }
                return page.credentials(connector, self._fields(connector, self.session.source), prefilled)
            case "bank" if connector:
                return page.bank(connector, choose_person=self.session.purpose == "new")
            case "otp":
                return page.otp()
            case "decoupled" if connector:
                return page.decoupled(connector)
            case "failed":
                return page.failed(connection)
            case "accounts" if connection:
                offered = self._offered(connection)
                return page.accounts(connection, offered, more=self.session.next_source(connection) is not None)
            case "delete" if connection:
                return page.confirm_delete(connection)
            case "another":
                return page.another()
            case _:
                self.session.step = "connections"
                return page.connections(self.world.connections_of(user))

    # Steps of the connect flow

    def _accept(self) -> None:
        offered = self.session.connectors(self.world.institutions)
        if len(offered) == 1:
            self._start_connector(offered[0])
        else:
            self.session.step = "pick"

    def _decline(self) -> Callback:
        return {"error": "tos_declined", "error_description": "The user declined the terms"}

    def _search(self) -> None:
        self.session.search = self.values.get("q", "").strip()[:80]

    def _pick(self) -> None:
        chosen = next(
            (item for item in self.session.connectors(self.world.institutions) if item.uuid == self.argument), None
        )
        if chosen is not None:
            self._start_connector(chosen)

    def _start_connector(self, connector: Connector) -> None:
        types = set(self.session.names("account_types"))
        sources = [source for source in connector.sources_open if not types or types & set(source.account_types)]
        session = self.session
        session.purpose, session.connector, session.connection_id = "new", connector, None
        self._ask((sources or connector.sources_open or connector.sources)[0].name)

    def _ask(self, source_name: str) -> None:
        """Send the user to where this source authenticates."""
        source = self._bank().source(source_name)
        self.session.source = source_name
        self.session.step = "credentials" if source and source.auth_mechanism == "credentials" else "bank"

    def _fields(self, connector: Connector, source: str) -> list[Field]:
        return [item for item in connector.fields if not item.sources or source in item.sources]

    def _credentials(self) -> Callback | None:
        for item in self._fields(self._bank(), self.session.source):
            if item.required and not self.values.get(item.name):
                self.session.message = text(self.session.language, "credentials.missing", field=item.label)
                return None
        return self._authenticate(self.values)

    def _approve(self) -> Callback | None:
        connection = self._connection()
        source = connection.source(self.session.source) if connection else None
        if connection is None or source is None:
            return self._authenticate({"login": self.values.get("login", "")})
        # The second half of an authentication that the bank wanted to confirm, or the renewal of an older one.
        self.world.approve(connection, source)
        return self._authenticated(connection)

    def _refuse(self) -> Callback | None:
        if self.session.purpose == "source" or self.session.flow == "manage":
            self.session.message = text(self.session.language, "bank.refused")
            self.session.step = "connections" if self.session.purpose == "new" else "accounts"
            return None
        return self._cancel("Access was refused at the bank")

    def _authenticate(self, values: Mapping[str, str]) -> Callback | None:
        """Play the authentication of the source, and go where its outcome leads."""
        user = self.world.users[self.session.user_id]
        connection = self._connection()
        if connection is None:
            connection = self.world.connect(user, self._bank(), [], values.get("login", "")[:60])
            self.session.connection_id = connection.id
        source = self.world.open_source(connection, self.session.source)
        try:
            self.world.authenticate(connection, self.session.source, values)
        except ApiError:
            source.state = "wrongpass"
        if source.state == "wrongpass" and not any(other.discovered for other in connection.sources):
            # Refused credentials make no connection.
            self.world.discard(connection)
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
            self.world.reauthenticate(connection)
            self.world.schedule_sync(connection)
            if self.session.flow == "manage":
                self._open(connection)
                return None
            return {"id_connection": str(connection.id)} if self.session.flow == "webauth" else {}
        if self.session.flow == "webauth":
            self.world.schedule_sync(connection)
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

    def _challenge(self) -> Callback | None:
        connection = self._connection()
        if connection is None:
            return None
        try:
            self.world.answer_challenge(connection, self.values)
        except ApiError:
            self.session.message = text(self.session.language, "otp.wrong")
            return None
        return self._authenticated(connection)

    def _give_up(self) -> Callback | None:
        connection = self._connection()
        state = connection.shown_state if connection else None
        if self.session.flow == "manage":
            self.session.step = "connections"
            return None
        return {"error": "server_error", "error_description": f"The connection is in state {state}"}

    # Choosing accounts

    def _offered(self, connection: Connection) -> list[Account]:
        return [account for account in connection.accounts if self.session.offers(account)]

    def _more(self) -> None:
        connection = self._connection()
        name = self.session.next_source(connection) if connection else None
        if connection is None or name is None:
            return
        if self.session.purpose != "new":
            self.session.purpose = "source"
        self.session.connector = connection.connector
        self._ask(name)

    def _finish(self) -> Callback | None:
        connection = self._connection()
        if connection is None:
            return None
        wanted = [(account, self.session.ticks.get(account.id, False)) for account in self._offered(connection)]
        new = self.session.purpose == "new"
        if new and not any(enabled for _, enabled in wanted):
            self.session.message = text(self.session.language, "accounts.need_one")
            return None
        if connection.locked:
            self.session.message = text(self.session.language, "manage.locked")
            return None
        self.world.choose(connection, wanted, first=new)
        self.session.ticks.clear()
        self.session.connection_id = None
        if new:
            self.session.made.append(connection.id)
        if self.session.flow == "manage":
            self.session.notice = text(self.session.language, "manage.saved")
            self.session.step = "connections"
            return None
        if len(self.session.made) < self.session.max_connections:
            self.session.step = "another"
            return None
        return self._done()

    def _done(self) -> Callback:
        extra: dict[str, str] = {}
        settings = self.world.settings
        if self.session.flow == "connect" and self.session.made:
            several = self.session.max_connections > 1
            if not several or settings.connect_callback == "both":
                extra["connection_id"] = str(self.session.made[0])
            if several:
                extra["connection_ids"] = ",".join(map(str, self.session.made))
            if self.session.anonymous:
                extra["code"] = self.world.issue_code(self.world.users[self.session.user_id], single=True).value
        elif self.session.flow == "manage" and settings.manage_callback == "connection":
            wanted = self.session.query.get("connection_id")
            if wanted:
                extra["connection_id"] = wanted
            if self.session.deleted:
                extra["connection_deleted"] = "true"
        return extra

    def _another(self) -> None:
        self.session.search = ""
        self.session.step = "pick"

    # Steps of the manage flow

    def _open(self, connection: Connection) -> None:
        self.session.purpose = "choose"
        self.session.connection_id, self.session.connector = connection.id, connection.connector
        self.session.ticks = {account.id: account.disabled is None for account in connection.accounts}
        self.session.step = "accounts"

    def _open_chosen(self) -> None:
        user = self.world.users[self.session.user_id]
        try:
            self._open(self.world.connection(user, as_id(self.argument)))
        except ApiError:
            self.session.step = "connections"

    def _add(self) -> None:
        self.session.search = ""
        self.session.step = "pick"

    def _back(self) -> None:
        self.session.ticks.clear()
        self.session.connection_id = None
        self.session.step = "connections"

    def _back_to_accounts(self) -> None:
        self.session.step = "accounts"

    def _repair(self) -> None:
        connection = self._connection()
        if connection is not None:
            self.session.purpose = "repair"
            self._begin_repair(connection, reset=connection.shown_state is None)

    def _begin_repair(self, connection: Connection, *, reset: bool) -> None:
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
        self._ask(chosen.name)
        if reset or state not in USER_MUST_ACT:
            return
        match state:
            case "additionalInformationNeeded":
                chosen.state, self.session.step = state, "otp"
            case "decoupled":
                chosen.state, self.session.step = state, "decoupled"
            case "SCARequired" | "webauthRequired":
                self.session.step = "bank"

    def _delete(self) -> None:
        self.session.step = "delete"

    def _confirm_delete(self) -> None:
        connection = self._connection()
        if connection is not None:
            self.world.delete_connection(connection)
            self.session.deleted = True
        self.session.connection_id = None
        self.session.notice = text(self.session.language, "manage.deleted")
        self.session.step = "connections"

    def _cancel(self, description: str = "The user cancelled") -> Callback | None:
        connection = self._connection()
        unfinished = self.session.purpose == "new" and connection is not None and not connection.enabled_accounts
        if unfinished and connection is not None and self.world.settings.cancelled_connect == "removed":
            self.world.delete_connection(connection)
        return {"error": "access_denied", "error_description": description}

    def _bank(self) -> Connector:
        """The institution that the visit is about. Raises ApiError 400 when none was chosen yet."""
        if self.session.connector is None:
            raise invalid("connector")
        return self.world.institutions.now(self.session.connector)

    def _connection(self) -> Connection | None:
        if self.session.connection_id is None:
            return None
        connection = self.world.connections.get(self.session.connection_id)
        return connection if connection and connection.user_id == self.session.user_id else None
