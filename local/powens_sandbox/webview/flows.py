"""What happens on the Webview's pages: which step follows which, and what it changes."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.powens_sandbox.catalogue import OTP, Connector, Field, find_connector
from local.powens_sandbox.errors import ApiError
from local.powens_sandbox.model import Account, Connection, User
from local.powens_sandbox.params import as_id, read_body
from local.powens_sandbox.webview.pages import Page, error_page, termination, with_query
from local.powens_sandbox.webview.session import Session, Sessions, new_session_id
from local.powens_sandbox.webview.texts import LANGUAGES, text
from local.powens_sandbox.world import USER_MUST_ACT, World

FLOWS = ("connect", "reconnect", "manage", "payment")
_PERMANENT_PROBLEMS = frozenset(
    {"actionNeeded", "passwordExpired", "bug", "websiteUnavailable", "rateLimiting", "notSupported"}
)
_HEADERS = {
    # The pages may be framed, and need nothing but their own style, images and two small scripts.
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class Webview:
    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions = Sessions()

    def routes(self) -> list[Route]:
        return [
            Route("/{language}/{flow}", self.enter, methods=["GET"]),
            Route("/{language}/{flow}/{session}", self.visit, methods=["GET", "POST"]),
            Route("/{flow}", self.enter, methods=["GET"]),
        ]

    def legacy_routes(self) -> list[Route]:
        """Below the API root, where the Webview stood before it had a host of its own."""
        return [
            Route("/auth/webview/{language}/{flow}", self.enter_legacy, methods=["GET"]),
            Route("/auth/webview/{flow}", self.enter_legacy, methods=["GET"]),
            Route("/webauth", self.enter_webauth, methods=["GET"]),
        ]

    # Entering

    async def enter(self, request: Request) -> Response:
        return self._enter(request, legacy=False)

    async def enter_legacy(self, request: Request) -> Response:
        return self._enter(request, legacy=True)

    def _enter(self, request: Request, *, legacy: bool) -> Response:
        flow = request.path_params["flow"]
        if flow not in FLOWS:
            raise ApiError(404, "notFound", "There is nothing here")
        preferred = request.headers.get("accept-language", "")[:2].lower()
        language = request.path_params.get("language")
        if language is None:
            if self.world.settings.missing_language == "unavailable" and not legacy:
                return self._page(error_page(preferred, "error.unavailable"), 503)
            language = preferred if preferred in LANGUAGES else "en"
        if language not in LANGUAGES:
            raise ApiError(404, "notFound", "There is nothing here")
        query = {name: values[0] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}
        framed = request.headers.get("sec-fetch-dest") in {"iframe", "frame"}
        redirect_uri = query.get("redirect_uri") or None
        settings = self.world.settings
        domain = query.get("domain", "")
        refused = (
            (not legacy and (not domain or (settings.domain and domain != settings.domain)))
            or query.get("client_id") != settings.client_id
            or (redirect_uri is not None and redirect_uri not in settings.redirect_uris)
            or (redirect_uri is None and flow in {"connect", "reconnect"} and not framed)
            or flow == "payment"
        )
        if refused:
            # Powens does not say which part it did not like either.
            return self._page(error_page(language, "error.request"), 400)
        session = Session(
            id=new_session_id(), flow=flow, language=language, user_id=0, created=self.world.clock.now(), step="terms",
            redirect_uri=redirect_uri, state=query.get("state"), query=query, framed=framed,
        )  # fmt: skip
        user = self._who(session)
        if user is None:
            if settings.spent_code == "redirect" and (redirect_uri or framed):
                return self._leave(session, {"error": "session_expired", "error_description": "The code is not valid"})
            return self._page(error_page(language, "error.session"), 400)
        session.user_id = user.id
        try:
            self._first_step(session, user)
        except ApiError as error:
            return self._leave(session, {"error": "server_error", "error_description": error.description})
        return self._stay(session)

    def _who(self, session: Session) -> User | None:
        code = session.query.get("code")
        if not code:
            if session.flow != "connect":
                return None
            session.anonymous = True
            return self.world.create_user(permanent=False)[0]
        return self.world.spend_code(code)

    def _first_step(self, session: Session, user: User) -> None:
        wanted = session.query.get("connection_id")
        if session.flow == "connect":
            return
        if session.flow == "reconnect":
            connection = self.world.connection(user, as_id(wanted, "connection_id"))
            session.purpose, session.connection_id, session.connector = "repair", connection.id, connection.connector
            reset = session.query.get("reset_credentials", "").lower() == "true"
            self._begin_repair(session, connection, reset=reset)
            return
        session.step = "connections"
        if wanted:
            try:
                self._open(session, self.world.connection(user, as_id(wanted, "connection_id")))
            except ApiError:
                # A connection that the user does not have is no reason to refuse the page.
                session.step = "connections"

    async def enter_webauth(self, request: Request) -> Response:
        """The bank's redirect page that `webauth-url` leads to."""
        query = {name: values[0] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}
        user = self.world.spend_code(query.get("code", ""))
        redirect_uri = query.get("redirect_uri", "")
        if user is None or redirect_uri not in self.world.settings.redirect_uris:
            return self._page(error_page("fr", "error.request"), 400)
        session = Session(
            id=new_session_id(), flow="webauth", language="fr", user_id=user.id, created=self.world.clock.now(),
            step="bank", redirect_uri=redirect_uri, state=query.get("state") or None, query=query,
        )  # fmt: skip
        if query.get("id_connection"):
            connection = self.world.connection(user, as_id(query["id_connection"]))
            session.purpose, session.connection_id, session.connector = "repair", connection.id, connection.connector
        else:
            session.connector = find_connector(query.get("id_connector", ""))
        if session.connector is None:
            return self._page(error_page("fr", "error.request"), 400)
        session.source = session.connector.sources[0].name
        return self._stay(session)

    # Visiting

    async def visit(self, request: Request) -> Response:
        session = self.sessions.get(request.path_params["session"], self.world.clock.now())
        language = request.path_params["language"]
        if session is None or session.user_id not in self.world.users:
            return self._page(error_page(language if language in LANGUAGES else "en", "error.session"), 400)
        if session.ended is not None:
            return self._page(session.ended, 200)
        if request.method == "GET":
            return self._page(self._render(session), 200)
        form = parse_qs(
            (await read_body(request)).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=2000
        )
        values = {name: given[0] for name, given in form.items()}
        session.message = session.notice = ""
        # A form of another step is a second click or an old tab: the page that is due is shown again.
        if values.get("step") == session.step:
            answer = self._act(session, values, [value for value in form.get("account", []) if value.isdigit()])
            if answer is not None:
                return answer
        return RedirectResponse(self._address(session), 303, headers={"cache-control": "no-store"})

    def _act(self, session: Session, values: Mapping[str, str], ticked: list[str]) -> Response | None:
        action, _, argument = values.get("action", "").partition(":")
        if action == "cancel":
            return self._cancel(session)
        if session.step == "accounts":
            connection = self._connection(session)
            if connection is not None:
                chosen = {int(value) for value in ticked if len(value) < 19}
                session.ticks = {account.id: account.id in chosen for account in self._offered(session, connection)}
        handler: Callable[[Session, Mapping[str, str], str], Response | None] | None = {
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
        }.get((session.step, action))
        return handler(session, values, argument) if handler else None

    def _render(self, session: Session) -> str:
        page = Page(session, self.world.settings.app_name)
        user = self.world.users[session.user_id]
        connection = self._connection(session)
        connector = session.connector
        match session.step:
            case "terms":
                return page.terms()
            case "pick":
                wanted = session.search.casefold()
                return page.pick([item for item in session.connectors() if wanted in item.name.casefold()])
            case "credentials" if connector:
                prefilled = {
                    name.partition(".")[2]: value
                    for name, value in session.query.items()
                    if name.startswith(f"{connector.uuid}.")
                }
                return page.credentials(connector, self._fields(connector, session.source), prefilled)
            case "bank" if connector:
                return page.bank(connector, choose_person=session.purpose == "new")
            case "otp":
                return page.otp(OTP)
            case "decoupled" if connector:
                return page.decoupled(connector)
            case "failed":
                return page.failed(connection)
            case "accounts" if connection:
                offered = self._offered(session, connection)
                return page.accounts(connection, offered, more=session.next_source(connection) is not None)
            case "delete" if connection:
                return page.confirm_delete(connection)
            case "another":
                return page.another()
            case _:
                session.step = "connections"
                return page.connections(self.world.connections_of(user))

    # Steps of the connect flow

    def _accept(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        offered = session.connectors()
        if len(offered) == 1:
            self._start_connector(session, offered[0])
        else:
            session.step = "pick"

    def _decline(self, session: Session, values: Mapping[str, str], argument: str) -> Response:
        return self._leave(session, {"error": "tos_declined", "error_description": "The user declined the terms"})

    def _search(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.search = values.get("q", "").strip()[:80]

    def _pick(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        chosen = next((item for item in session.connectors() if item.uuid == argument), None)
        if chosen is not None:
            self._start_connector(session, chosen)

    def _start_connector(self, session: Session, connector: Connector) -> None:
        types = set(session.names("account_types"))
        sources = [source for source in connector.sources if not types or types & set(source.account_types)]
        session.purpose, session.connector, session.connection_id = "new", connector, None
        self._ask(session, (sources or list(connector.sources))[0].name)

    def _ask(self, session: Session, source_name: str) -> None:
        """Send the user to where this source authenticates."""
        assert session.connector is not None
        source = session.connector.source(source_name)
        session.source = source_name
        session.step = "credentials" if source and source.auth_mechanism == "credentials" else "bank"

    def _fields(self, connector: Connector, source: str) -> list[Field]:
        return [item for item in connector.fields if not item.sources or source in item.sources]

    def _credentials(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        assert session.connector is not None
        for item in self._fields(session.connector, session.source):
            if item.required and not values.get(item.name):
                session.message = text(session.language, "credentials.missing", field=item.label)
                return
        self._authenticate(session, values)

    def _approve(self, session: Session, values: Mapping[str, str], argument: str) -> Response | None:
        return self._authenticate(session, {"login": values.get("login", "")})

    def _refuse(self, session: Session, values: Mapping[str, str], argument: str) -> Response | None:
        if session.purpose == "source" or (session.purpose == "repair" and session.flow == "manage"):
            session.message = text(session.language, "bank.refused")
            session.step = "accounts"
            return None
        return self._cancel(session, "Access was refused at the bank")

    def _authenticate(self, session: Session, values: Mapping[str, str]) -> Response | None:
        """Play the authentication of the source, and go where its outcome leads."""
        assert session.connector is not None
        user = self.world.users[session.user_id]
        connection = self._connection(session)
        if connection is None:
            connection = self.world.connect(user, session.connector, [], values.get("login", "")[:60])
            session.connection_id = connection.id
        known = connection.source(session.source) is not None
        found = self.world.add_source(connection, session.source)
        try:
            self.world.authenticate(connection, session.source, values)
        except ApiError:
            session.message = text(session.language, "credentials.wrong")
            return None
        ticked = session.purpose == "new" and self.world.settings.preticked_accounts
        for account in found:
            session.ticks.setdefault(account.id, ticked)
        if not known and session.purpose == "source":
            session.notice = text(session.language, "accounts.found")
        return self._after_authentication(session, connection)

    def _after_authentication(self, session: Session, connection: Connection) -> Response | None:
        source = connection.source(session.source)
        match source.state if source else connection.shown_state:
            case "wrongpass":
                session.message = text(session.language, "credentials.wrong")
                session.step = "credentials"
            case "additionalInformationNeeded":
                session.step = "otp"
            case "decoupled" | "validating":
                session.step = "decoupled"
            case "SCARequired" | "webauthRequired":
                if source:
                    source.state = None
                session.step = "bank"
            case state if state in _PERMANENT_PROBLEMS:
                session.step = "failed"
            case _:
                return self._authenticated(session, connection)
        return None

    def _authenticated(self, session: Session, connection: Connection) -> Response | None:
        if session.purpose == "repair":
            self.world.reauthenticate(connection)
            self.world.schedule_sync(connection)
            if session.flow == "manage":
                self._open(session, connection)
                return None
            extra = {"id_connection": str(connection.id)} if session.flow == "webauth" else {}
            return self._leave(session, extra)
        if session.flow == "webauth":
            self.world.schedule_sync(connection)
            return self._leave(session, {"id_connection": str(connection.id)})
        session.step = "accounts"
        return None

    def _challenge(self, session: Session, values: Mapping[str, str], argument: str) -> Response | None:
        connection = self._connection(session)
        if connection is None:
            return None
        try:
            self.world.answer_challenge(connection, values)
        except ApiError:
            session.message = text(session.language, "otp.wrong")
            return None
        return self._authenticated(session, connection)

    def _give_up(self, session: Session, values: Mapping[str, str], argument: str) -> Response | None:
        connection = self._connection(session)
        state = connection.shown_state if connection else None
        if session.flow == "manage":
            session.step = "connections"
            return None
        return self._leave(
            session, {"error": "server_error", "error_description": f"The connection is in state {state}"}
        )

    # Choosing accounts

    def _offered(self, session: Session, connection: Connection) -> list[Account]:
        return [account for account in connection.accounts if session.offers(account)]

    def _more(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        connection = self._connection(session)
        name = session.next_source(connection) if connection else None
        if connection is None or name is None:
            return
        if session.purpose != "new":
            session.purpose = "source"
        session.connector = connection.connector
        self._ask(session, name)

    def _finish(self, session: Session, values: Mapping[str, str], argument: str) -> Response | None:
        connection = self._connection(session)
        if connection is None:
            return None
        wanted = [(account, session.ticks.get(account.id, False)) for account in self._offered(session, connection)]
        new = session.purpose == "new"
        if new and not any(enabled for _, enabled in wanted):
            session.message = text(session.language, "accounts.need_one")
            return None
        if connection.locked:
            session.message = text(session.language, "manage.locked")
            return None
        self.world.choose(connection, wanted, first=new)
        session.ticks.clear()
        session.connection_id = None
        if new:
            session.made.append(connection.id)
        if session.flow == "manage":
            session.notice = text(session.language, "manage.saved")
            session.step = "connections"
            return None
        if len(session.made) < session.max_connections:
            session.step = "another"
            return None
        return self._done(session, values, argument)

    def _done(self, session: Session, values: Mapping[str, str], argument: str) -> Response:
        extra: dict[str, str] = {}
        settings = self.world.settings
        if session.flow == "connect" and session.made:
            several = session.max_connections > 1
            if not several or settings.connect_callback == "both":
                extra["connection_id"] = str(session.made[0])
            if several:
                extra["connection_ids"] = ",".join(map(str, session.made))
            if session.anonymous:
                extra["code"] = self.world.issue_code(self.world.users[session.user_id], single=True).value
        elif session.flow == "manage" and settings.manage_callback == "connection":
            wanted = session.query.get("connection_id")
            if wanted:
                extra["connection_id"] = wanted
            if session.deleted:
                extra["connection_deleted"] = "true"
        return self._leave(session, extra)

    def _another(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.search = ""
        session.step = "pick"

    # Steps of the manage flow

    def _open(self, session: Session, connection: Connection) -> None:
        session.purpose = "choose"
        session.connection_id, session.connector = connection.id, connection.connector
        session.ticks = {account.id: account.disabled is None for account in connection.accounts}
        session.step = "accounts"

    def _open_chosen(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        user = self.world.users[session.user_id]
        try:
            self._open(session, self.world.connection(user, as_id(argument)))
        except ApiError:
            session.step = "connections"

    def _add(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.search = ""
        session.step = "pick"

    def _back(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.ticks.clear()
        session.connection_id = None
        session.step = "connections"

    def _back_to_accounts(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.step = "accounts"

    def _repair(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        connection = self._connection(session)
        if connection is not None:
            session.purpose = "repair"
            self._begin_repair(session, connection, reset=connection.shown_state is None)

    def _begin_repair(self, session: Session, connection: Connection, *, reset: bool) -> None:
        """Start where the trouble is: the first source in error, or the first that takes credentials for a reset."""
        session.connector = connection.connector
        wanted = session.names("connection_sources") or session.names("sources")
        sources = [source for source in connection.sources if not wanted or source.name in wanted] or connection.sources
        if not sources:
            session.source = connection.connector.sources[0].name
            session.step = "bank"
            return
        if reset:
            mechanisms = {source.name: source.auth_mechanism for source in connection.connector.sources}
            chosen = next((item for item in sources if mechanisms.get(item.name) == "credentials"), sources[0])
        else:
            chosen = next((item for item in sources if item.state), sources[0])
        state = chosen.state or connection.state
        self._ask(session, chosen.name)
        if reset or state not in USER_MUST_ACT:
            return
        match state:
            case "additionalInformationNeeded":
                chosen.state, session.step = state, "otp"
            case "decoupled":
                chosen.state, session.step = state, "decoupled"
            case "SCARequired" | "webauthRequired":
                session.step = "bank"

    def _delete(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        session.step = "delete"

    def _confirm_delete(self, session: Session, values: Mapping[str, str], argument: str) -> None:
        connection = self._connection(session)
        if connection is not None:
            self.world.delete_connection(connection)
            session.deleted = True
        session.connection_id = None
        session.notice = text(session.language, "manage.deleted")
        session.step = "connections"

    # Leaving

    def _cancel(self, session: Session, description: str = "The user cancelled") -> Response | None:
        connection = self._connection(session)
        unfinished = session.purpose == "new" and connection is not None and not connection.enabled_accounts
        if unfinished and connection is not None and self.world.settings.cancelled_connect == "removed":
            self.world.delete_connection(connection)
        return self._leave(session, {"error": "access_denied", "error_description": description})

    def _leave(self, session: Session, extra: Mapping[str, str]) -> Response:
        parameters = dict(extra)
        if session.state is not None:
            parameters["state"] = session.state
        if session.framed:
            names = {
                "connection_id": "connectionId", "connection_ids": "connectionIds", "connection_deleted": "connectionDeleted",
                "error_description": "errorDescription",
            }  # fmt: skip
            data = {names.get(name, name): value for name, value in parameters.items()}
            session.ended = termination(session.language, json.dumps(data), _origin_of(session.redirect_uri))
            return self._page(session.ended, 200)
        if session.redirect_uri is None:
            session.step = "ended"
            session.ended = Page(session, self.world.settings.app_name).ended()
            return self._page(session.ended, 200)
        session.ended = Page(session, self.world.settings.app_name).ended()
        return RedirectResponse(
            with_query(session.redirect_uri, parameters), 303, headers={"cache-control": "no-store"}
        )

    def _stay(self, session: Session) -> Response:
        self.sessions.open(session)
        return RedirectResponse(self._address(session), 303, headers={"cache-control": "no-store"})

    def _address(self, session: Session) -> str:
        return f"/{session.language}/{session.flow}/{session.id}"

    def _connection(self, session: Session) -> Connection | None:
        if session.connection_id is None:
            return None
        connection = self.world.connections.get(session.connection_id)
        return connection if connection and connection.user_id == session.user_id else None

    def _page(self, html: str, status: int) -> Response:
        return HTMLResponse(html, status, headers=_HEADERS)


def _origin_of(address: str | None) -> str:
    """The only origin that may read the message; app schemes have none."""
    parts = urlsplit(address or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else "*"
