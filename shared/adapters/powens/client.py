"""The client of Powens' REST API, without and with client credentials."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from shared.adapters.powens.answers import OnUnreadable, catalogue_entry_from, each_field_once
from shared.adapters.powens.lists import whole_list
from shared.adapters.powens.transport import TokenRefused, Transport, unusable
from shared.adapters.powens.user import PowensUser
from shared.adapters.powens.values import JsonObject, Malformed, as_id, as_object, as_token
from shared.domain.catalogue import CatalogueEntry
from shared.domain.errors import (
    AppError,
    Misconfigured,
    NotFound,
    PowensForbidden,
    PowensRefused,
    PowensUnavailable,
    PowensUserGone,
)

type WebviewFlow = Literal["connect", "manage", "reconnect"]

CONNECTORS_A_PAGE = 1000  # the most that Powens gives at once
LARGEST_LOGO_BYTES = 200_000
LANGUAGES = frozenset({"en", "fr", "de", "nl", "pt", "it", "es"})

_INSTITUTION = re.compile(r"[0-9a-fA-F-]{1,64}")
_PNG = b"\x89PNG\r\n\x1a\n"
# What a renewal for a user who is gone may be answered with, each of which can also mean something else.
_MAYBE_GONE = frozenset({400, 403, 404, 409})


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryUser:
    """A user that Powens deletes after 30 minutes unless its token is made permanent."""

    id_user: int
    token: str = field(repr=False)


class PowensClient:
    """What the application may ask of Powens, without and with client credentials.

    `identity` is the keyed hash that IBANs and numbers are replaced with. `on_unreadable` is called with each field, by
    our name for it, that an answer had in a form that cannot be read. Without `users_token` the users are not listed.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        webview_url: str,
        domain: str,
        client_id: str,
        client_secret: SecretStr,
        identity: Callable[[str], str],
        on_unreadable: OnUnreadable = lambda _: None,
        users_token: SecretStr | None = None,
    ) -> None:
        self._transport = transport
        self._webview_url = webview_url.rstrip("/")
        self._domain = domain
        self._client_id = client_id
        self._client_secret = client_secret
        self._identity = identity
        self._on_unreadable = on_unreadable
        self._users_token = users_token
        self._logos_url = transport.url("/logos")

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
            raise unusable("create a user", error) from error

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
            url = self._transport.url("/auth/renew")
            return _token(what, self._transport.exchange(what, "POST", url, body=identified, repeatable=False))
        except TokenRefused as error:
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
    ) -> PowensUser:
        """The user's own view. `on_renewed` stores a new token; it is called before the token is used.

        `after_forbidden` gets the token of a 403 and may give another one to try.
        """
        return PowensUser(
            self._transport,
            id_user,
            token,
            renew=self.renew,
            on_renewed=on_renewed,
            after_forbidden=after_forbidden,
            identity=self._identity,
            logos_url=self._logos_url,
            on_unreadable=self._on_unreadable,
        )

    def user_ids(self) -> tuple[int, ...] | None:
        """The ids of all users of the domain; None without a users token.

        Raises PowensUnavailable, PowensRefused, Misconfigured (Powens refuses the token).
        """
        what = "list the users"
        if self._users_token is None:
            return None
        token = self._users_token.get_secret_value()

        def get(what: str, url: str) -> JsonObject:
            return self._transport.exchange(what, "GET", url, token=token, repeatable=True)

        try:
            listed = whole_list(what, self._transport.url("/users"), "users", get)
            # One that cannot be read could be any: a list that lacks somebody must be a whole one.
            return tuple(as_id(as_object(item, "user").get("id"), "user.id") for item in listed)
        except (TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses the users token", code="users_token_refused") from error
        except Malformed as error:
            raise unusable(what, error) from error

    def logo(self, institution_id: str) -> bytes:
        """The PNG of an institution's logo, where integrators have seen it. Raises NotFound, PowensUnavailable."""
        what = "get a logo"
        if not _INSTITUTION.fullmatch(institution_id):
            raise NotFound(what)
        png = self._transport.download(what, f"{self._logos_url}/{institution_id}-thumbnail@2x.png")
        if not png.startswith(_PNG) or len(png) > LARGEST_LOGO_BYTES:
            raise PowensUnavailable(f"{what}: not a small PNG")
        return png

    def institutions(self) -> tuple[tuple[CatalogueEntry, ...], int]:
        """All connectors of the domain, and how many could not be read.

        One that is not as documented must not take the others with it: nobody would see a change of any. Raises
        PowensUnavailable, PowensRefused, Misconfigured.
        """
        items = whole_list(
            "list the connectors",
            self._transport.url(f"/connectors?expand=sources,countries&limit={CONNECTORS_A_PAGE}"),
            "connectors",
            self._anonymous,
            limit=CONNECTORS_A_PAGE,
        )
        entries: dict[str, CatalogueEntry] = {}
        unreadable = 0
        with each_field_once(self._on_unreadable) as on_unreadable:
            for item in items:
                try:
                    entry = catalogue_entry_from(
                        as_object(item, "connector"), self._logos_url, on_unreadable=on_unreadable
                    )
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

    def _credentials(self) -> dict[str, object]:
        return {"client_id": self._client_id, "client_secret": self._client_secret.get_secret_value()}

    def _with_credentials(self, what: str, path: str, body: JsonObject) -> JsonObject:
        try:
            return self._transport.exchange(what, "POST", self._transport.url(path), body=body, repeatable=False)
        except (TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses the client credentials") from error

    def _anonymous(self, what: str, url: str) -> JsonObject:
        try:
            return self._transport.exchange(what, "GET", url, repeatable=True)
        except (TokenRefused, PowensForbidden) as error:
            raise Misconfigured(f"{what}: Powens refuses a public request") from error


def _token(what: str, answer: JsonObject) -> str:
    try:
        # The reference page says `access_token`, a guide of the same documentation `token`.
        return as_token(answer.get("access_token") or answer.get("token"), "access_token")
    except Malformed as error:
        raise unusable(what, error) from error
