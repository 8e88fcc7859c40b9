"""What happens on the Webview's pages: which step follows which, and what it changes."""

from collections.abc import Callable, Mapping

from powens_sandbox.banks.catalogue import Connector
from powens_sandbox.errors import ApiError
from powens_sandbox.params import as_id
from powens_sandbox.webview.authentication import Authentication
from powens_sandbox.webview.pages import Page
from powens_sandbox.webview.session import Session
from powens_sandbox.webview.texts import text
from powens_sandbox.webview.turn import Callback, Turn
from powens_sandbox.world.world import World


class Visit:
    """One request of a visit. A step that returns a Callback ends the visit."""

    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.session = session
        self.turn = Turn(world, session)
        self.authentication = Authentication(self.turn)

    def begin(self) -> None:
        """Where the flow starts. Raises ApiError when there is no such place."""
        user = self.turn.user
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
            self.authentication.begin_repair(connection, reset=reset)
            return
        self.session.step = "connections"
        if wanted:
            try:
                self.session.open(self.world.connection(user, as_id(wanted, "connection_id")))
            except ApiError:
                # A connection that the user does not have is no reason to refuse the page.
                self.session.step = "connections"

    def act(self, values: Mapping[str, str], ticked: list[str]) -> Callback | None:
        """Do what the form asks for, if the present step knows it; `ticked` are the ids of the ticked accounts."""
        self.turn.values = values
        action, _, self.turn.argument = values.get("action", "").partition(":")
        if action == "cancel":
            return self.turn.cancel()
        if self.session.step == "accounts":
            connection = self.turn.connection()
            if connection is not None:
                chosen = {int(value) for value in ticked if len(value) < 19}
                self.session.ticks = {account.id: account.id in chosen for account in self.turn.offered(connection)}
        handler: Callable[[], Callback | None] | None = {
            ("terms", "accept"): self._accept,
            ("terms", "decline"): self._decline,
            ("pick", "search"): self._search,
            ("pick", "pick"): self._pick,
            ("credentials", "credentials"): self.authentication.credentials,
            ("bank", "approve"): self.authentication.approve,
            ("bank", "refuse"): self.authentication.refuse,
            ("otp", "otp"): self.authentication.challenge,
            ("decoupled", "approved"): self.authentication.challenge,
            ("failed", "close"): self.authentication.give_up,
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
        user = self.turn.user
        connection = self.turn.connection()
        connector = self.turn.bank() if self.session.connector else None
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
                return page.credentials(
                    connector, self.authentication.fields(connector, self.session.source), prefilled
                )
            case "bank" if connector:
                return page.bank(connector, choose_person=self.session.purpose == "new")
            case "otp":
                return page.otp()
            case "decoupled" if connector:
                return page.decoupled(connector)
            case "failed":
                return page.failed(connection)
            case "accounts" if connection:
                offered = self.turn.offered(connection)
                return page.accounts(connection, offered, more=self.session.next_source(connection) is not None)
            case "delete" if connection:
                return page.confirm_delete(connection)
            case "another":
                return page.another()
            case _:
                self.session.step = "connections"
                return page.connections(self.world.connections_of(user))

    def _accept(self) -> None:
        offered = self.session.connectors(self.world.institutions)
        if len(offered) == 1:
            self._start_connector(offered[0])
        else:
            self.session.step = "pick"

    def _decline(self) -> Callback:
        return {"error": "tos_declined", "error_description": "The user declined the terms"}

    def _search(self) -> None:
        self.session.search = self.turn.values.get("q", "").strip()[:80]

    def _pick(self) -> None:
        chosen = next(
            (item for item in self.session.connectors(self.world.institutions) if item.uuid == self.turn.argument), None
        )
        if chosen is not None:
            self._start_connector(chosen)

    def _start_connector(self, connector: Connector) -> None:
        types = set(self.session.names("account_types"))
        sources = [source for source in connector.sources_open if not types or types & set(source.account_types)]
        session = self.session
        session.purpose, session.connector, session.connection_id = "new", connector, None
        self.authentication.ask((sources or connector.sources_open or connector.sources)[0].name)

    def _more(self) -> None:
        connection = self.turn.connection()
        name = self.session.next_source(connection) if connection else None
        if connection is None or name is None:
            return
        if self.session.purpose != "new":
            self.session.purpose = "source"
        self.session.connector = connection.connector
        self.authentication.ask(name)

    def _finish(self) -> Callback | None:
        connection = self.turn.connection()
        if connection is None:
            return None
        wanted = [(account, self.session.ticks.get(account.id, False)) for account in self.turn.offered(connection)]
        new = self.session.purpose == "new"
        if new and not any(enabled for _, enabled in wanted):
            self.session.message = text(self.session.language, "accounts.need_one")
            return None
        if connection.locked:
            self.session.message = text(self.session.language, "manage.locked")
            return None
        self.world.choices.choose(connection, wanted, first=new)
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
                extra["code"] = self.world.access.issue_code(self.turn.user, single=True).value
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

    def _open_chosen(self) -> None:
        user = self.turn.user
        try:
            self.session.open(self.world.connection(user, as_id(self.turn.argument)))
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
        connection = self.turn.connection()
        if connection is not None:
            self.session.purpose = "repair"
            self.authentication.begin_repair(connection, reset=connection.shown_state is None)

    def _delete(self) -> None:
        self.session.step = "delete"

    def _confirm_delete(self) -> None:
        connection = self.turn.connection()
        if connection is not None:
            self.world.connecting.delete(connection)
            self.session.deleted = True
        self.session.connection_id = None
        self.session.notice = text(self.session.language, "manage.deleted")
        self.session.step = "connections"
