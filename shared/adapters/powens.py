"""The client of Powens' REST API: one class for the domain, one for a user of it.

Guarantees:
- every request has a timeout and ends within the time that the invocation has left;
- reads, account updates and deletions are repeated, a few times; what creates a user or a token only when Powens was
  asked too much, and so did nothing (429);
- an error says who must act (`shared.domain.errors`) and carries no token, body or text of Powens;
- a token is sent to Powens' host only: redirects are not followed, and a next page elsewhere is refused.

No method but those of `PowensUser` needs a user token. Times are aware UTC.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Literal
from urllib.parse import quote, urlencode

import requests
from pydantic import SecretStr
from requests.exceptions import (
    ConnectTimeout,
    InvalidHeader,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import MaxRetryError

from shared.adapters.powens_answers import (
    JsonObject,
    Malformed,
    Told,
    account_from,
    as_id,
    as_list,
    as_object,
    as_token,
    catalogue_entry_from,
    connection_from,
    error_code,
    item_key,
    next_page,
    offset_page,
    parse_json,
    total_of,
)
from shared.domain.catalogue import CatalogueEntry
from shared.domain.errors import (
    AnswerLost,
    AppError,
    ConnectionLocked,
    Misconfigured,
    NotFound,
    PowensForbidden,
    PowensNotFound,
    PowensRefused,
    PowensThrottled,
    PowensUnavailable,
    PowensUserGone,
)
from shared.domain.observation import ObservedAccount, ObservedConnection

type WebviewFlow = Literal["connect", "manage", "reconnect"]

ATTEMPTS = 3
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# Left to the caller, so that it can still write what it learned and answer.
MARGIN_SECONDS = 1.0
# A longer wait is for the queue: a function that sleeps is paid for and blocks its user's message group.
LONGEST_WAIT_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.25
MOST_PAGES = 50
CONNECTORS_A_PAGE = 1000  # the most that Powens gives at once
LARGEST_LOGO_BYTES = 200_000
LANGUAGES = frozenset({"en", "fr", "de", "nl", "pt", "it", "es"})

_LONGEST_RETRY_AFTER_SECONDS = 86_400.0
_SECONDS = re.compile(r"[0-9]{1,9}")
_INSTITUTION = re.compile(r"[0-9a-fA-F-]{1,64}")
_PNG = b"\x89PNG\r\n\x1a\n"
_LOCKED = "connectionLocked"
_NO_ACCOUNT = "noAccount"
# What a renewal for a user who is gone may be answered with, each of which can also mean something else.
_MAYBE_GONE = frozenset({400, 403, 404, 409})
# A gateway passed the request on and did not get, or did not wait for, the answer.
_LOST_ON_THE_WAY = frozenset({502, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryUser:
    """A user that Powens deletes after 30 minutes unless its token is made permanent."""

    id_user: int
    token: str = field(repr=False)


class _TokenRefused(Exception):
    """401; whose token it was decides what it means."""


class PowensClient:
    """What the application may ask of Powens, without and with client credentials.

    `api_url` as https://acme.biapi.pro/2.0. `identity` is the keyed hash that IBANs and numbers are replaced with.
    `remaining_seconds` says how much time the invocation has left; `jitter` gives a number from 0 to 1, 1 excluded.
    `on_throttled` is told of each 429, with the seconds that Powens asks to wait, None when it does not say.
    `on_unreadable` is told of each field, by our name for it, that an answer had in a form that cannot be read.
    """

    def __init__(
        self,
        *,
        api_url: str,
        webview_url: str,
        domain: str,
        client_id: str,
        client_secret: SecretStr,
        identity: Callable[[str], str],
        session: requests.Session,
        remaining_seconds: Callable[[], float],
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        on_throttled: Callable[[float | None], None] = lambda _: None,
        on_unreadable: Told = lambda _: None,
        users_token: SecretStr | None = None,
    ) -> None:
        # One session serves all users of this process: a cookie set for one must not be sent for the next, and neither
        # a .netrc nor a proxy variable may replace the credentials or the way.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        session.trust_env = False
        self._api_url = api_url.rstrip("/")
        self._webview_url = webview_url.rstrip("/")
        self._domain = domain
        self._client_id = client_id
        self._client_secret = client_secret
        self._session = session
        self._remaining_seconds = remaining_seconds
        self._sleep = sleep
        self._jitter = jitter
        self._on_throttled = on_throttled
        self._users_token = users_token
        self.on_unreadable = on_unreadable
        self.identity = identity
        self.clock = clock

    @property
    def logos_url(self) -> str:
        """Where the logos of connectors lie."""
        return f"{self._api_url}/logos"

    def create_temporary_user(self) -> TemporaryUser:
        """A new user at each call; one that is abandoned disappears within 30 minutes. Repeated after a 429 alone.

        Raises PowensUnavailable, PowensRefused, Misconfigured.
        """
        answer = self._with_credentials("create a user", "/auth/init", {})
        try:
            return TemporaryUser(
                id_user=as_id(answer.get("id_user"), "id_user"), token=as_token(answer.get("auth_token"), "auth_token")
            )
        except Malformed as error:
            raise _unusable("create a user", error) from error

    def make_permanent(self, temporary_token: str) -> str:
        """The permanent token of the user of a temporary one. After it the user exists until deleted.

        When the answer is lost, the user may be permanent all the same: `renew` with the known id gets a token.
        Raises PowensUnavailable, PowensRefused (the temporary token is too old), Misconfigured.
        """
        what = "make a user permanent"
        body = {**self._credentials(), "grant_type": "authorization_code", "code": temporary_token}
        return _token(what, self._with_credentials(what, "/auth/token/access", body))

    def renew(self, id_user: int) -> str:
        """Another token for a user that exists; the earlier ones stay valid, so that two workers can renew at once.

        Which status a user who is gone has here is not documented (ADR 0027). Raises PowensUserGone, PowensUnavailable,
        Misconfigured (any other refusal: it is ours to mend, and about no user).
        """
        what = "renew a token"
        # Without its id Powens would create a user.
        identified = {**self._credentials(), "grant_type": "client_credentials", "id_user": as_id(id_user, "id_user")}
        try:
            return _token(what, self.exchange(what, "POST", self.url("/auth/renew"), body=identified, repeatable=False))
        except _TokenRefused as error:
            raise Misconfigured(f"{what}: Powens refuses the client credentials") from error
        except PowensRefused as error:
            clear = error.status == 404 and error.powens_code is not None
            if clear or (error.status in _MAYBE_GONE and self._serves_others()):
                gone = f"{what}: Powens does not know the user"
                raise PowensUserGone(gone, status=error.status, powens_code=error.powens_code) from error
            raise Misconfigured(f"{what}: Powens answered {error.status}") from error

    def _serves_others(self) -> bool:
        """Whether our credentials work, tried on a user made for it, as a refusal of them must not look like one of all
        our users. One that is left behind is listed as an orphan.
        """
        try:
            made = self.create_temporary_user()
            token = self.make_permanent(made.token)
        except (PowensRefused, Misconfigured):
            return False
        with suppress(AppError):
            self.as_user(made.id_user, token, lambda _: None).delete_user()
        return True

    def as_user(
        self,
        id_user: int,
        token: str,
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None] = lambda _: None,
    ) -> "PowensUser":
        """The user's own view. `on_renewed` stores a new token; it is called before the token is used.

        `after_forbidden` is told the token of a 403 and may give another one to try.
        """
        return PowensUser(self, id_user, token, on_renewed, after_forbidden)

    def user_ids(self) -> tuple[int, ...] | None:
        """The ids of all users of the domain; None without a users token.

        Raises PowensUnavailable, PowensRefused, Misconfigured (Powens refuses the token).
        """
        what = "list the users"
        if self._users_token is None:
            return None
        token = self._users_token.get_secret_value()

        def call(named: str, url: str) -> JsonObject:
            return self.exchange(named, "GET", url, token=token, repeatable=True)

        try:
            listed = self.pages(what, "/users", "users", call)
            # One that cannot be read could be any: a list that lacks somebody must be a whole one.
            return tuple(as_id(as_object(item, "user").get("id"), "user.id") for item in listed)
        except (_TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses the users token", code="users_token_refused") from error
        except Malformed as error:
            raise _unusable(what, error) from error

    def logo(self, institution_id: str) -> bytes:
        """The PNG of an institution's logo, where integrators have seen it. Raises NotFound, PowensUnavailable."""
        what = "get a logo"
        if not _INSTITUTION.fullmatch(institution_id):
            raise NotFound(what)
        try:
            answer = self._session.get(
                f"{self.logos_url}/{institution_id}-thumbnail@2x.png",
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise PowensUnavailable(f"{what}: {type(error).__name__}") from error
        if answer.status_code == 404:
            raise NotFound(what)
        if not answer.content.startswith(_PNG) or len(answer.content) > LARGEST_LOGO_BYTES:
            raise PowensUnavailable(f"{what}: not a small PNG")
        return answer.content

    def institutions(self) -> tuple[tuple[CatalogueEntry, ...], int]:
        """All connectors of the domain, and how many could not be read.

        One that is not as documented must not take the others with it: nobody would see a change of any. Raises
        PowensUnavailable, PowensRefused, Misconfigured.
        """
        items = self.pages(
            "list the connectors",
            f"/connectors?expand=sources,countries&limit={CONNECTORS_A_PAGE}",
            "connectors",
            self._anonymous,
            limit=CONNECTORS_A_PAGE,
        )
        entries: dict[str, CatalogueEntry] = {}
        unreadable = 0
        with self.telling_once() as told:
            for item in items:
                try:
                    entry = catalogue_entry_from(as_object(item, "connector"), self.logos_url, told=told)
                except Malformed:
                    unreadable += 1
                else:
                    entries.setdefault(entry.institution.id, entry)
        return tuple(entries.values()), unreadable

    def webview_url(
        self,
        flow: WebviewFlow,
        language: str,
        code: str,
        state: str,
        redirect_uri: str,
        powens_connection_id: int | None = None,
    ) -> str:
        """The page to send the user's browser to. It holds a single-use code: for that user only, and for no log.

        `connect` opens no connection in particular; `reconnect` needs one (ValueError).
        """
        if flow == "reconnect" and powens_connection_id is None:
            raise ValueError("reconnect needs a connection")
        query = {
            "domain": self._domain,
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "code": code,
            "state": state,
        }
        if flow != "connect" and powens_connection_id is not None:
            query["connection_id"] = str(powens_connection_id)
        # Without the language Powens' front answers 503.
        segment = language.lower().replace("_", "-").split("-")[0]
        segment = segment if segment in LANGUAGES else "fr"
        return f"{self._webview_url}/{segment}/{flow}?{urlencode(query, quote_via=quote, safe='')}"

    def pages(
        self, what: str, path: str, key: str, call: Callable[[str, str], JsonObject], *, limit: int | None = None
    ) -> list[object]:
        """All items of a list, over its pages, each once. `call(what, url)` makes one GET. Raises what `call` does.

        Powens documents links for some lists and answers `total` without links for others, so both are followed.
        `limit` is how many a page was asked to have: a full one of a list that says neither is not taken for the last.
        Raises PowensUnavailable for a list that ends before its total.
        """
        items: dict[str, object] = {}
        received = 0
        url: str | None = self.url(path)
        seen: set[str] = set()
        while url is not None:
            if url in seen or len(seen) == MOST_PAGES:
                raise PowensUnavailable(f"{what}: the pages do not end")
            seen.add(url)
            page = call(what, url)
            try:
                listed = as_list(page.get(key), key)
                link = next_page(page, url)
                total = total_of(page)
            except Malformed as error:
                raise _unusable(what, error) from error
            known = len(items)
            # A list that grows while its pages are read shows an item twice.
            for item in listed:
                items.setdefault(item_key(item), item)
            received += len(listed)
            more = len(items) < total if total is not None else len(listed) == limit and not page.get("_links")
            if link is None and more:
                if len(items) == known:
                    raise PowensUnavailable(f"{what}: the list ends before its total")
                link = offset_page(self.url(path), received)
            url = link
        return list(items.values())

    @contextmanager
    def telling_once(self) -> Iterator[Told]:
        """For the reading of one answer: `on_unreadable` hears of each field once, however many items have it so."""
        fields: set[str] = set()
        yield fields.add
        for field_name in sorted(fields):
            self.on_unreadable(field_name)

    def url(self, path: str) -> str:
        """The absolute URL of a path of the API."""
        return f"{self._api_url}{path}"

    def exchange(
        self,
        what: str,
        method: str,
        url: str,
        *,
        token: str | None = None,
        body: JsonObject | None = None,
        repeatable: bool,
        answered: bool = True,
    ) -> JsonObject:
        """One request, repeated at most twice when `repeatable`; the object that Powens answered.

        Not `answered`: that Powens agrees is all there is to know, and whatever it says with it is not read.

        Raises _TokenRefused on 401, PowensForbidden on 403, else PowensUnavailable, ConnectionLocked, PowensNotFound,
        PowensRefused, Misconfigured.
        """
        attempt = 1
        while True:
            try:
                return self._attempt(what, method, url, token=token, body=body, answered=answered)
            except PowensUnavailable as error:
                backoff = self._jitter() * FIRST_BACKOFF_SECONDS * 4 ** (attempt - 1)
                wait = max(backoff, error.retry_after or 0.0)
                time_left = self._remaining_seconds() - MARGIN_SECONDS
                # 429 says that nothing was done, so that anything may be asked again.
                again = repeatable or isinstance(error, PowensThrottled)
                if not again or attempt == ATTEMPTS or wait > LONGEST_WAIT_SECONDS or wait >= time_left:
                    raise
                self._sleep(wait)
                attempt += 1

    def _attempt(
        self, what: str, method: str, url: str, *, token: str | None, body: JsonObject | None, answered: bool
    ) -> JsonObject:
        time_left = self._remaining_seconds() - MARGIN_SECONDS
        if time_left <= 0:
            raise PowensUnavailable(f"{what}: no time left")
        connect = min(CONNECT_SECONDS, time_left / 4)
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self._session.request(
                method,
                url,
                json=body,
                headers=headers,
                timeout=(connect, min(READ_SECONDS, time_left - connect)),
                allow_redirects=False,
            )
        except (InvalidHeader, InvalidSchema, InvalidURL, MissingSchema):
            # The library's message quotes the header, that is the token.
            raise Misconfigured(f"{what}: the URL or the token of Powens is not usable") from None
        except requests.RequestException as error:
            lost = PowensUnavailable if _never_sent(error) else AnswerLost
            raise lost(f"{what}: {type(error).__name__}") from error
        if response.ok and response.status_code < 300:
            if not answered or response.status_code == 204:
                return {}
            try:
                return as_object(parse_json(response.content), "the answer")
            except Malformed as error:
                raise _unusable(what, error) from error
        raise self._refusal(what, response)

    def _refusal(self, what: str, response: requests.Response) -> Exception:
        status = response.status_code
        said = f"{what}: Powens answered {status}"
        retry_after = self._retry_after(response.headers.get("Retry-After"))
        if status == 429:
            self._on_throttled(retry_after)
            return PowensThrottled(said, retry_after=retry_after)
        if status in _LOST_ON_THE_WAY:
            return AnswerLost(said, retry_after=retry_after)
        if status in (408, 425) or not 400 <= status < 500:
            return PowensUnavailable(said, retry_after=retry_after)
        if status == 401:
            return _TokenRefused(said)
        code = error_code(response.content)
        if code == _LOCKED:
            return ConnectionLocked(said, retry_after=retry_after)
        refused = {403: PowensForbidden, 404: PowensNotFound}.get(status, PowensRefused)
        return refused(said, status=status, powens_code=code)

    def _retry_after(self, header: str | None) -> float | None:
        """Seconds to wait, from either form of the header; None when it says nothing usable."""
        if header is None:
            return None
        if _SECONDS.fullmatch(header.strip()):
            seconds = float(header)
        else:
            try:
                moment = parsedate_to_datetime(header)
            except ValueError:
                return None
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (aware - self.clock()).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_SECONDS)

    def _credentials(self) -> dict[str, object]:
        return {"client_id": self._client_id, "client_secret": self._client_secret.get_secret_value()}

    def _with_credentials(self, what: str, path: str, body: JsonObject) -> JsonObject:
        try:
            return self.exchange(what, "POST", self.url(path), body=body, repeatable=False)
        except (_TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses the client credentials") from error

    def _anonymous(self, what: str, url: str) -> JsonObject:
        try:
            return self.exchange(what, "GET", url, repeatable=True)
        except (_TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses a public request") from error


class PowensUser:
    """What Powens shows and does for one of its users. Made by `PowensClient.as_user`.

    Every method raises PowensUnavailable, ConnectionLocked, PowensRefused (PowensNotFound for 404, PowensForbidden for
    403, PowensUserGone), Misconfigured. A refused token is renewed with the user's id and the request repeated, once
    per request. What is forbidden is repeated once with another token, if there is one, and only while Powens has not
    accepted this one for anything (ADR 0027).
    """

    def __init__(
        self,
        client: PowensClient,
        id_user: int,
        token: str,
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None],
    ) -> None:
        self._client = client
        self._id_user = as_id(id_user, "id_user")
        self._token = token
        self._on_renewed = on_renewed
        self._after_forbidden = after_forbidden
        self._accepted = False

    def temporary_code(self) -> str:
        """A code for one opening of the Webview, valid for 30 minutes."""
        what = "get a temporary code"
        answer = self._get(what, self._client.url("/auth/token/code?type=singleAccess"))
        try:
            return as_token(answer.get("code"), "code")
        except Malformed as error:
            raise _unusable(what, error) from error

    def read_connection(self, powens_connection_id: int) -> ObservedConnection:
        """The connection and all of its accounts, with two GETs. PowensNotFound when Powens has it no more."""
        what = "read a connection"
        started = self._client.clock()
        path = self._path(f"/connections/{as_id(powens_connection_id, 'connection')}")
        connection = self._get(what, self._client.url(f"{path}?expand=connector,sources"))
        items = self._accounts(what, f"{path}/accounts?all")
        with self._client.telling_once() as told:
            try:
                observed = self._observed(connection, items, started, told)
            except Malformed as error:
                raise _unusable(what, error) from error
        others = {_connection_of(item) for item in items} - {None, powens_connection_id}
        if observed.powens_id != powens_connection_id or others:
            raise PowensUnavailable(f"{what}: the answer is about another connection")
        return observed

    def read_all(self) -> tuple[ObservedConnection, ...]:
        """All connections of the user with all of their accounts, with two GETs (more when Powens pages).

        A connection whose id cannot be read is left out, as one that Powens did not list: it is asked for by itself.
        """
        what = "read all connections"
        started = self._client.clock()
        connections = self._client.pages(
            what, self._path("/connections?expand=connector,sources"), "connections", self._get
        )
        items = self._accounts(what, self._path("/accounts?all"))
        grouped: dict[int | None, list[object]] = {}
        for item in items:
            if isinstance(item, dict) and "id_connection" in item and item["id_connection"] is None:
                continue  # Powens' own manual accounts are of no connection
            grouped.setdefault(_connection_of(item), []).append(item)
        strays = len(grouped.pop(None, ()))
        observed: dict[int, ObservedConnection] = {}
        with self._client.telling_once() as told:
            if strays:
                told("account.id_connection")
            for each in connections:
                try:
                    connection = as_object(each, "connection")
                    powens_id = as_id(connection.get("id"), "connection.id")
                except Malformed:
                    told("connection.id")
                    continue
                # The accounts of a connection made between the two requests are left for the next read.
                seen = self._observed(connection, grouped.get(powens_id, []), started, told, strays)
                observed.setdefault(powens_id, seen)
        return tuple(observed.values())

    def set_account_enabled(self, powens_account_id: int, enabled: bool) -> None:
        """Tick or untick one account. PowensNotFound when the account is gone; safe to repeat."""
        self._call(
            "update an account",
            "POST",
            # Without `all` Powens does not find a disabled account.
            self._client.url(self._path(f"/accounts/{as_id(powens_account_id, 'account')}?all")),
            body={"disabled": not enabled},
            repeatable=True,
        )

    def force_sync(self, powens_connection_id: int) -> None:
        """Ask for a synchronisation now. PowensRefused (409) is usual: recently synchronised.

        Repeated after a 429 alone. AnswerLost: Powens may have begun; the official client waits for the end, which can
        outlive our time-out.
        """
        self._call(
            "force a synchronisation",
            "PUT",
            self._client.url(self._path(f"/connections/{as_id(powens_connection_id, 'connection')}")),
            repeatable=False,
            answered=False,
        )

    def delete_connection(self, powens_connection_id: int) -> None:
        """End the connection for good; one that is gone already is fine."""
        self._delete("delete a connection", self._path(f"/connections/{as_id(powens_connection_id, 'connection')}"))

    def delete_user(self) -> None:
        """Delete the user with all connections at Powens; one that is gone already is fine."""
        self._delete("delete a user", self._path(""))

    def _path(self, rest: str) -> str:
        return f"/users/{self._id_user}{rest}"

    def _accounts(self, what: str, path: str) -> list[object]:
        try:
            return self._client.pages(what, path, "accounts", self._get)
        except PowensRefused as error:
            if error.powens_code == _NO_ACCOUNT:
                # How some domains say "an empty list".
                return []
            raise

    def _observed(
        self, connection: JsonObject, items: list[object], started: datetime, told: Told, strays: int = 0
    ) -> ObservedConnection:
        """`strays`: accounts of the same answer that may be of this connection too. Raises Malformed."""
        accounts: dict[int, ObservedAccount] = {}
        unidentified = strays
        for item in items:
            try:
                account = account_from(
                    as_object(item, "account"), self._client.identity, read_started_at=started, told=told
                )
            except Malformed:
                told("account.id")
                unidentified += 1
            else:
                accounts.setdefault(account.powens_id, account)
        return connection_from(
            connection,
            tuple(accounts.values()),
            read_started_at=started,
            logos=self._client.logos_url,
            unidentified=unidentified,
            told=told,
        )

    def _get(self, what: str, url: str) -> JsonObject:
        return self._call(what, "GET", url, repeatable=True)

    def _delete(self, what: str, path: str) -> None:
        try:
            self._call(what, "DELETE", self._client.url(path), repeatable=True, answered=False)
        except PowensRefused as error:
            if error.status != 404:
                raise

    def _call(
        self,
        what: str,
        method: str,
        url: str,
        *,
        body: JsonObject | None = None,
        repeatable: bool,
        answered: bool = True,
    ) -> JsonObject:
        def once() -> JsonObject:
            answer = self._client.exchange(
                what, method, url, token=self._token, body=body, repeatable=repeatable, answered=answered
            )
            self._accepted = True
            return answer

        try:
            return once()
        except _TokenRefused:
            token = self._client.renew(self._id_user)
            self._on_renewed(token)
        except PowensForbidden:
            other = None if self._is_accepted() else self._after_forbidden(self._token)
            if other is None:
                raise
            token = other
        self._token, self._accepted = token, False
        try:
            return once()
        except _TokenRefused as error:
            raise Misconfigured(f"{what}: Powens refuses the token that it just renewed") from error

    def _is_accepted(self) -> bool:
        """Whether Powens takes the token for anything, so that what it forbids is not about the token."""
        if not self._accepted:
            url = self._client.url(self._path("/connections"))
            with suppress(_TokenRefused, PowensForbidden):
                self._client.exchange("try a token", "GET", url, token=self._token, repeatable=True)
                self._accepted = True
        return self._accepted


def _token(what: str, answer: JsonObject) -> str:
    try:
        # The reference page says `access_token`, a guide of the same documentation `token`.
        return as_token(answer.get("access_token") or answer.get("token"), "access_token")
    except Malformed as error:
        raise _unusable(what, error) from error


def _connection_of(item: object) -> int | None:
    """Which connection an account is of; None when it does not say, or not in a form that can be read."""
    try:
        return as_id(as_object(item, "account").get("id_connection"), "account.id_connection")
    except Malformed:
        return None


def _never_sent(error: requests.RequestException) -> bool:
    """Whether Powens cannot have received the request. urllib3 only counts as tried what reached no server."""
    wrapped = error.args[0] if error.args else None
    return isinstance(error, ConnectTimeout | SSLError | ProxyError) or isinstance(wrapped, MaxRetryError)


def _unusable(what: str, error: Malformed) -> PowensUnavailable:
    return PowensUnavailable(f"{what}: {error}")
