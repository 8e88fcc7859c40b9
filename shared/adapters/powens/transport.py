"""The way to Powens: one request, with its timeouts, repetitions and errors.

Guarantees:
- every request has a timeout and ends within the time that the invocation has left;
- what may be repeated is, a few times; anything else only when Powens was asked too much, and so did nothing (429);
- an error says who must act (`shared.domain.errors`) and carries no token, body or text of Powens;
- a token is sent to Powens' host only: redirects are not followed.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy

import requests
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

from shared.adapters.powens.values import JsonObject, Malformed, as_object, parse_json
from shared.domain.errors import (
    AnswerLost,
    ConnectionLocked,
    Misconfigured,
    NotFound,
    PowensForbidden,
    PowensNotFound,
    PowensRefused,
    PowensThrottled,
    PowensUnavailable,
)

ATTEMPTS = 3
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# Left to the caller, so that it can still write what it learned and answer.
MARGIN_SECONDS = 1.0
# A longer wait is for the queue: a function that sleeps is paid for and blocks its user's message group.
LONGEST_WAIT_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.25

_LONGEST_RETRY_AFTER_SECONDS = 86_400.0
_SECONDS = re.compile(r"[0-9]{1,9}")
_CODE = re.compile(r"[A-Za-z]{1,40}")
_LOCKED = "connectionLocked"
# A gateway passed the request on and did not get, or did not wait for, the answer.
_LOST_ON_THE_WAY = frozenset({502, 504})


class TokenRefused(Exception):
    """401; whose token it was decides what it means."""


type OnRefused = Callable[[str, int, str | None], None]


class Transport:
    """One session with Powens for all users of this process.

    `api_url` as https://acme.biapi.pro/2.0. `remaining_seconds` says how much time the invocation has left; `jitter`
    gives a number from 0 to 1, 1 excluded. `on_throttled` is called at each 429, with the seconds that Powens asks to
    wait, None when it does not say; `on_refused` at each request that Powens says no to, with our name for the request,
    the status and Powens' error code if that is one word. Times are aware UTC.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        api_url: str,
        remaining_seconds: Callable[[], float],
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        on_throttled: Callable[[float | None], None] = lambda _: None,
        on_refused: OnRefused = lambda what, status, code: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        # A cookie set for one user must not be sent for the next, and neither a .netrc nor a proxy variable may replace
        # the credentials or the way.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        session.trust_env = False
        self._session = session
        self._api_url = api_url.rstrip("/")
        self._remaining_seconds = remaining_seconds
        self._sleep = sleep
        self._jitter = jitter
        self._on_throttled = on_throttled
        self._on_refused = on_refused
        self.clock = clock

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

        Raises TokenRefused on 401, PowensForbidden on 403, else PowensUnavailable, ConnectionLocked, PowensNotFound,
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
                raise unusable(what, error) from error
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
            return TokenRefused(said)
        code = error_code(response.content)
        if code == _LOCKED:
            return ConnectionLocked(said, retry_after=retry_after)
        self._on_refused(what, status, code)
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

    def download(self, what: str, url: str) -> bytes:
        """The body of one GET without a token, not repeated. Raises NotFound, PowensUnavailable."""
        try:
            answer = self._session.get(url, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False)
        except requests.RequestException as error:
            raise PowensUnavailable(f"{what}: {type(error).__name__}") from error
        if answer.status_code == 404:
            raise NotFound(what)
        return answer.content


def unusable(what: str, error: Malformed) -> PowensUnavailable:
    """The error for an answer that is not as Powens documents it."""
    return PowensUnavailable(f"{what}: {error}")


def error_code(body: bytes) -> str | None:
    """The `code` of an error envelope, letters only; None when there is none that can be trusted."""
    try:
        envelope = parse_json(body)
    except Malformed:
        return None
    code = envelope.get("code") if isinstance(envelope, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _never_sent(error: requests.RequestException) -> bool:
    """Whether Powens cannot have received the request. urllib3 only counts as tried what reached no server."""
    wrapped = error.args[0] if error.args else None
    return isinstance(error, ConnectTimeout | SSLError | ProxyError) or isinstance(wrapped, MaxRetryError)
