"""Visits to the Powens Webview. The callback is a hint like any other: what happened is read back."""

import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol
from urllib.parse import quote, urlencode, urlsplit

from shared.application.access import Access
from shared.application.budget import Budget
from shared.application.confirmation import hash_of
from shared.application.ports import Answer, Appointments, Clock, Connections, PowensUsers, TakenError
from shared.application.removal import Removal
from shared.application.request import Request
from shared.application.writing import Draft
from shared.domain.errors import AppError, InvalidInput, NotFound, PowensUserGone, UserBeingErased
from shared.domain.facts import Cause
from shared.domain.hints import Hint, HintOrigin

type Flow = Literal["connect", "manage", "reconnect"]

SESSION_FOR = timedelta(minutes=30)
"""As long as Powens' temporary code lives."""
BACK_WITHIN = timedelta(hours=1)
"""Of the beginning of a visit, all of the user's connections are read, whoever comes back and whatever webhooks say."""
_STATE_BYTES = 32
_STATE = r"[A-Za-z0-9_-]{43}"
"""What `token_urlsafe` makes of so many bytes."""
_MOST_STATES = 2
"""Of a query that repeats `state`: more are nobody's mistake."""
_LONGEST_ADDRESS = 4000
"""As it is delivered: API Gateway takes 10 kB for all headers of an answer together."""
_ASCII = "".join(map(chr, range(0x21, 0x7F)))

type WebviewUrl = Callable[[Flow, str, str, str, int | None], str]
"""(flow, language, code, state, Powens connection id) -> address of the Webview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebviewSession:
    """A visit to the Powens Webview, found again by `state` each time that the browser comes back from it.

    `expires_at`: until when the visit can be begun. It may last, and come back, for longer.
    """

    state: str
    user_id: str
    flow: str
    return_to: str
    powens_connection_id: int | None
    expires_at: datetime


class SessionStore(Protocol):
    """Visits to the Webview. Every method may raise StoreUnavailable."""

    def add_session(self, session: WebviewSession, *, answer: Answer | None = None) -> None:
        """Open a session. Raises TakenError when `answer`'s key is taken, UserBeingErased."""

    def session(self, state: str) -> WebviewSession | None: ...

    def add_hint(self, user_id: str, hint: Hint) -> None:
        """Queue a hint. Raises UserBeingErased also for a user who is another one at Powens by now."""

    def add_return(self, session: WebviewSession, hint: Hint, *, code_hash: str, powens_connection_id: int) -> None:
        """Queue a hint, and keep what a return code stands for. Raises as `add_hint`, TakenError for a later return."""


@dataclass(frozen=True, slots=True)
class OpenWebview:
    store: SessionStore
    connections: Connections
    appointments: Appointments
    access: Access
    removal: Removal
    webview_url: WebviewUrl
    allowed: Sequence[str]
    clock: Clock
    budget: Budget

    def run(
        self, request: Request, *, flow: Flow, connection_id: str | None, language: str | None, return_to: str
    ) -> Draft[Visit]:
        """A visit in `language`, or else in the request's.

        Raises InvalidInput for a `return_to` off the allow-list, NotFound for somebody else's connection.
        Raises Unavailable while Powens is not to be asked, or another device is still creating the user.
        """
        if not may_return_to(return_to, self.allowed):
            raise InvalidInput("not an allowed address", code="return_to_not_allowed", field="return_to")
        if flow == "reconnect" and connection_id is None:
            raise InvalidInput("reconnect needs a connection", code="connection_required", field="connection_id")
        if flow == "connect" and connection_id is not None:
            # Connect always makes a new connection at Powens: for a bank that is there already, a double of it.
            raise InvalidInput(
                "connect adds a bank; manage an existing one", code="not_for_connect", field="connection_id"
            )
        user_id = request.user_id
        powens_connection_id = None
        if connection_id is not None:
            connection = self.connections.connection(user_id, connection_id)
            if connection is None or not connection.shown:
                raise NotFound("no such connection", code="connection_not_found")
            powens_connection_id = connection.powens_id
        self.budget.admit(1, sweep=False)
        powens_user_id, powens = self.access.ensure(user_id)
        session = WebviewSession(
            state=secrets.token_urlsafe(_STATE_BYTES),
            user_id=user_id,
            flow=flow,
            return_to=return_to,
            powens_connection_id=powens_connection_id,
            expires_at=self.clock() + SESSION_FOR,
        )
        asked = self.clock()
        try:
            code = powens.temporary_code()
        except PowensUserGone:
            # Before a new one takes its place: nobody could find out any more what the old one had.
            self.removal.powens_user(
                user_id, powens_user_id, cause=Cause.WEBVIEW, at=asked, correlation_id=request.correlation_id
            )
            if connection_id is not None:
                raise NotFound("no such connection", code="connection_not_found") from None
            _, powens = self.access.ensure(user_id)
            code = powens.temporary_code()
        self.appointments.expect_back(user_id, self.clock() + BACK_WITHIN)
        visit = Visit(
            url=self.webview_url(flow, language or request.language, code, session.state, powens_connection_id),
            expires_at=session.expires_at,
        )

        def open_session(answer: Answer | None) -> None:
            self.store.add_session(session, answer=answer)

        return Draft(visit, open_session)


@dataclass(frozen=True, slots=True)
class ReturnFromWebview:
    """The browser comes back, at least once: late, twice, after a refusal, or with a `state` that is not ours.

    Whoever comes is a person who wants to be back in the app, so this raises nothing. `confirmed`: new connections are
    to be confirmed, so a return may get a code.
    """

    store: SessionStore
    users: PowensUsers
    allowed: Sequence[str]
    clock: Clock
    confirmed: bool

    def run(
        self,
        states: Sequence[str],
        *,
        error: str | None,
        named: Sequence[str] = (),
        correlation_id: str,
        missed: Callable[[AppError], None],
    ) -> str | None:
        """Where to send the browser; None when there is no page of the app to send it to.

        Whatever Powens says happened, the user's connections are read back each time: even a cancelled visit may have
        changed accounts, and one that is refused may succeed later. The address says `result` when that has been noted.
        Else it claims nothing, and webhooks or the next reconciliation bring what happened: the state is unknown, or
        `missed` is told why it could not be noted.

        `named`: how Powens says which connection was made. The first success that names one gets a `return_code`, which
        its app sends back with the token of whoever is signed in there (ADR 0043).
        """
        session = None
        try:
            session = self._session(states)
            if session is None:
                return self._anywhere()
            code = self._read_back(
                session, _first_id(named) if self.confirmed and error is None else None, correlation_id
            )
        except AppError as trouble:
            missed(trouble)
            return with_query(session.return_to, {}) if session is not None else self._anywhere()
        result = "done" if error is None else "cancelled" if error in ("access_denied", "tos_declined") else "failed"
        return with_query(session.return_to, {"result": result} | ({"return_code": code} if code is not None else {}))

    def _session(self, states: Sequence[str]) -> WebviewSession | None:
        ours = [state for state in dict.fromkeys(states) if re.fullmatch(_STATE, state)]
        return next(filter(None, map(self.store.session, ours[:_MOST_STATES])), None)

    def _read_back(self, session: WebviewSession, made: int | None, correlation_id: str) -> str | None:
        """Queue the hint; the return code, if this return gets one."""
        access = self.users.access(session.user_id)
        if access is None or access.powens_user_id is None:
            return None
        hint = Hint(
            powens_user_id=access.powens_user_id,
            powens_connection_id=session.powens_connection_id if session.flow == "reconnect" else None,
            origin=HintOrigin.WEBVIEW,
            reason="webview-return",
            received_at=self.clock(),
            correlation_id=correlation_id,
        )
        with suppress(UserBeingErased):  # with everything that there was to read back
            if made is not None:
                code = secrets.token_urlsafe(_STATE_BYTES)
                with suppress(TakenError):  # an earlier return has the code
                    self.store.add_return(session, hint, code_hash=hash_of(code), powens_connection_id=made)
                    return code
            self.store.add_hint(session.user_id, hint)
        return None

    def _anywhere(self) -> str | None:
        """The first page that a visit may come back to."""
        pages = (entry for entry in self.allowed if urlsplit(entry).scheme in ("https", "http"))
        return next(pages, None)


def _first_id(named: Sequence[str]) -> int | None:
    """The first connection at Powens that is named; lists have commas."""
    ids = [part for value in named for part in value.split(",")]
    return next((int(text) for text in ids if re.fullmatch(r"[1-9][0-9]{0,17}", text)), None)


def may_return_to(address: str, allowed: Sequence[str]) -> bool:
    """Whether `address` starts at an allowed origin (`https://app.example`) or app scheme (`wealthapp://`).

    Schemes and hosts in any case. What is allowed can be delivered as a `Location`.
    """
    if any(character.isspace() or not character.isprintable() or character in '\\"<>' for character in address):
        return False
    if len(with_query(address, {})) > _LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    if not parts.scheme or parts.username is not None or parts.password is not None:
        return False
    for entry in allowed:
        permitted = urlsplit(entry)
        if parts.scheme != permitted.scheme:
            continue
        if not permitted.netloc:
            return True
        if (parts.hostname, port) == (permitted.hostname, permitted.port):
            return True
    return False


def with_query(address: str, added: dict[str, str]) -> str:
    """`address` with query parameters added, as a header takes it; what it had stays as it was written.

    Mobile systems tell the schemes of apps apart by case.
    """
    before, hash_sign, fragment = address.partition("#")
    path, _, query = before.partition("?")
    query = "&".join(filter(None, (query, urlencode(added))))
    return quote(path + (f"?{query}" if query else "") + hash_sign + fragment, safe=_ASCII)
