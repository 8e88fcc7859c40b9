"""The Webview's addresses: who may enter, and how a visit ends."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from powens_sandbox.errors import ApiError, not_found
from powens_sandbox.params import as_id, read_body
from powens_sandbox.webview.flows import Visit
from powens_sandbox.webview.pages import Page, error_page, termination, with_query
from powens_sandbox.webview.session import Session, Sessions, new_session_id
from powens_sandbox.webview.texts import LANGUAGES
from powens_sandbox.world.clients import Client
from powens_sandbox.world.model import User
from powens_sandbox.world.world import World

FLOWS = ("connect", "reconnect", "manage", "payment")
PAGE_HEADERS = {
    # The pages may be framed, and need nothing but their own style, images and two small scripts.
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'"
    ),
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

    def api_routes(self) -> list[Route]:
        """Below the API root."""
        return [Route("/webauth", self.enter_webauth, methods=["GET"])]

    # Entering

    async def enter(self, request: Request) -> Response:
        flow = request.path_params["flow"]
        if flow not in FLOWS:
            raise not_found("page")
        preferred = request.headers.get("accept-language", "")[:2].lower()
        language = request.path_params.get("language")
        if language is None:
            if self.world.settings.missing_language == "unavailable":
                return self._page(error_page(preferred, "error.unavailable"), 503)
            language = preferred if preferred in LANGUAGES else "en"
            if self.world.settings.missing_language == "redirect":
                address = request.url.path.removesuffix(flow) + f"{language}/{flow}?{request.url.query}"
                return RedirectResponse(address, 302, headers={"cache-control": "no-store"})
        if language not in LANGUAGES:
            raise not_found("page")
        query = {name: values[0] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}
        framed = request.headers.get("sec-fetch-dest") in {"iframe", "frame"}
        redirect_uri = query.get("redirect_uri") or None
        client = self._client(flow, query, redirect_uri, framed=framed)
        if client is None:
            # Powens does not say which part it did not like either.
            return self._page(error_page(language, "error.request"), 400)
        session = Session(
            id=new_session_id(), flow=flow, language=language, user_id=0, created=self.world.clock.now(), step="terms",
            client=client, redirect_uri=redirect_uri, state=query.get("state"), query=query, framed=framed,
        )  # fmt: skip
        user = self._who(session)
        if user is None:
            if self.world.settings.spent_code == "redirect" and (redirect_uri or framed):
                return self._leave(session, {"error": "session_expired", "error_description": "The code is not valid"})
            return self._page(error_page(language, "error.session"), 400)
        session.user_id = user.id
        try:
            Visit(self.world, session).begin()
        except ApiError as error:
            return self._leave(session, {"error": "server_error", "error_description": error.description})
        return self._stay(session)

    def _client(self, flow: str, query: Mapping[str, str], redirect_uri: str | None, *, framed: bool) -> Client | None:
        """The client that sends the user here, or None when something about the request is wrong."""
        client = self.world.clients.find(query.get("client_id"))
        domain, expected = query.get("domain", ""), self.world.settings.domain
        if client is None or flow == "payment" or not domain or (expected and domain != expected):
            return None
        if redirect_uri is None:
            return client if framed or flow == "manage" else None
        return client if redirect_uri in client.redirect_uris else None

    def _who(self, session: Session) -> User | None:
        code = session.query.get("code")
        if not code:
            if session.flow != "connect":
                return None
            session.anonymous = True
            return self.world.access.create_user(permanent=False)[0]
        return self.world.access.spend_code(code)

    async def enter_webauth(self, request: Request) -> Response:
        """The bank's redirect page that `webauth-url` leads to."""
        query = {name: values[0] for name, values in parse_qs(request.url.query, keep_blank_values=True).items()}
        user = self.world.access.spend_code(query.get("code", ""))
        redirect_uri = query.get("redirect_uri", "")
        client = self.world.clients.find(query.get("client_id"))
        if user is None or client is None or redirect_uri not in client.redirect_uris:
            return self._page(error_page("fr", "error.request"), 400)
        session = Session(
            id=new_session_id(), flow="webauth", language="fr", user_id=user.id, created=self.world.clock.now(),
            step="bank", client=client, redirect_uri=redirect_uri, state=query.get("state") or None, query=query,
        )  # fmt: skip
        if query.get("id_connection"):
            connection = self.world.connection(user, as_id(query["id_connection"]))
            session.purpose, session.connection_id, session.connector = "repair", connection.id, connection.connector
        else:
            session.connector = self.world.institutions.find(query.get("id_connector", ""))
        if session.connector is None:
            return self._page(error_page("fr", "error.request"), 400)
        session.source = session.connector.sources[0].name
        return self._stay(session)

    # Visiting

    async def visit(self, request: Request) -> Response:
        session = self.sessions.get(request.path_params["session"], self.world.clock.now())
        language = request.path_params["language"]
        if language not in LANGUAGES or request.path_params["flow"] not in (*FLOWS, "webauth"):
            raise not_found("page")
        if session is None or session.user_id not in self.world.users:
            return self._page(error_page(language, "error.session"), 400)
        if session.ended is not None:
            return self._page(session.ended, 200)
        if request.method == "GET":
            return self._page(Visit(self.world, session).render(), 200)
        form = parse_qs(
            (await read_body(request)).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=2000
        )
        values = {name: given[0] for name, given in form.items()}
        session.message = session.notice = ""
        # A form of another step is a second click or an old tab: the page that is due is shown again.
        if values.get("step") == session.step:
            ticked = [value for value in form.get("account", []) if value.isascii() and value.isdigit()]
            callback = Visit(self.world, session).act(values, ticked)
            if callback is not None:
                return self._leave(session, callback)
        return RedirectResponse(self._address(session), 303, headers={"cache-control": "no-store"})

    def _leave(self, session: Session, extra: Mapping[str, str]) -> Response:
        parameters = dict(extra)
        if session.state is not None:
            parameters["state"] = session.state
        if session.framed:
            data = json.dumps(_told_to_the_frame(parameters))
            session.ended = termination(session.language, data, _origin_of(session.redirect_uri))
            return self._page(session.ended, 200)
        if session.redirect_uri is None:
            session.step = "ended"
            session.ended = Page(session).ended()
            return self._page(session.ended, 200)
        session.ended = Page(session).ended()
        return RedirectResponse(
            with_query(session.redirect_uri, parameters), 303, headers={"cache-control": "no-store"}
        )

    def _stay(self, session: Session) -> Response:
        self.sessions.open(session)
        return RedirectResponse(self._address(session), 303, headers={"cache-control": "no-store"})

    def _address(self, session: Session) -> str:
        return f"/{session.language}/{session.flow}/{session.id}"

    def _page(self, html: str, status: int) -> Response:
        return HTMLResponse(html, status, headers=PAGE_HEADERS)


def _told_to_the_frame(parameters: Mapping[str, str]) -> dict[str, object]:
    """The callback's parameters under the names and types that the message has: a number, numbers, a boolean, text."""
    forms: Mapping[str, tuple[str, Callable[[str], object]]] = {
        # The one that `manage` was opened for, which may be any text.
        "connection_id": ("connectionId", lambda value: int(value) if value.isdecimal() else value),
        "connection_ids": ("connectionIds", lambda value: [int(item) for item in value.split(",")]),
        "connection_deleted": ("connectionDeleted", lambda value: value == "true"),
        "error_description": ("errorDescription", str),
    }
    named = {name: forms.get(name, (name, str)) for name in parameters}
    return {key: form(parameters[name]) for name, (key, form) in named.items()}


def _origin_of(address: str | None) -> str:
    """The only origin that may read the message; app schemes have none."""
    parts = urlsplit(address or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else "*"
