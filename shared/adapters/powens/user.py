"""What Powens shows and does for one of its users."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from shared.adapters.powens.answers import OnUnreadable, account_from, connection_from, each_field_once
from shared.adapters.powens.lists import whole_list
from shared.adapters.powens.transport import TokenRefused, Transport, unusable
from shared.adapters.powens.values import JsonObject, Malformed, as_id, as_object, as_token
from shared.domain.errors import Misconfigured, PowensForbidden, PowensRefused, PowensUnavailable
from shared.domain.observation import ObservedAccount, ObservedConnection

_NO_ACCOUNT = "noAccount"


class PowensUser:
    """What Powens shows and does for one of its users. Made by `PowensClient.as_user`.

    Every method raises PowensUnavailable, ConnectionLocked, PowensRefused (PowensNotFound for 404, PowensForbidden for
    403, PowensUserGone), Misconfigured. A refused token is renewed with the user's id and the request repeated, once
    per request. What is forbidden is repeated once with another token, if there is one, and only while Powens has not
    accepted this one for anything (ADR 0027).
    """

    def __init__(
        self,
        transport: Transport,
        id_user: int,
        token: str,
        *,
        renew: Callable[[int], str],
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None],
        identity: Callable[[str], str],
        logos_url: str,
        on_unreadable: OnUnreadable,
    ) -> None:
        self._transport = transport
        self._id_user = as_id(id_user, "id_user")
        self._token = token
        self._renew = renew
        self._on_renewed = on_renewed
        self._after_forbidden = after_forbidden
        self._identity = identity
        self._logos_url = logos_url
        self._on_unreadable = on_unreadable
        self._accepted = False

    def temporary_code(self) -> str:
        """A code for one opening of the Webview, valid for 30 minutes."""
        what = "get a temporary code"
        answer = self._get(what, self._transport.url("/auth/token/code?type=singleAccess"))
        try:
            return as_token(answer.get("code"), "code")
        except Malformed as error:
            raise unusable(what, error) from error

    def read_connection(self, powens_connection_id: int) -> ObservedConnection:
        """The connection and all of its accounts, with two GETs. PowensNotFound when Powens has it no more."""
        what = "read a connection"
        started = self._transport.clock()
        url = self._connection_url(powens_connection_id)
        connection = self._get(what, f"{url}?expand=connector,sources")
        items = self._accounts(what, f"{url}/accounts?all")
        with each_field_once(self._on_unreadable) as on_unreadable:
            try:
                observed = self._observed(connection, items, started, on_unreadable)
            except Malformed as error:
                raise unusable(what, error) from error
        others = {_connection_of(item) for item in items} - {None, powens_connection_id}
        if observed.powens_id != powens_connection_id or others:
            raise PowensUnavailable(f"{what}: the answer is about another connection")
        return observed

    def read_all(self) -> tuple[ObservedConnection, ...]:
        """All connections of the user with all of their accounts, with two GETs (more when Powens pages).

        A connection whose id cannot be read is left out, as one that Powens did not list: it is asked for by itself.
        """
        what = "read all connections"
        started = self._transport.clock()
        url = self._url("/connections?expand=connector,sources")
        connections = whole_list(what, url, "connections", self._get)
        items = self._accounts(what, self._url("/accounts?all"))
        grouped: dict[int | None, list[object]] = {}
        for item in items:
            if isinstance(item, dict) and "id_connection" in item and item["id_connection"] is None:
                continue  # Powens' own manual accounts are of no connection
            grouped.setdefault(_connection_of(item), []).append(item)
        strays = len(grouped.pop(None, ()))
        observed: dict[int, ObservedConnection] = {}
        with each_field_once(self._on_unreadable) as on_unreadable:
            if strays:
                on_unreadable("account.id_connection")
            for each in connections:
                try:
                    connection = as_object(each, "connection")
                    powens_id = as_id(connection.get("id"), "connection.id")
                except Malformed:
                    on_unreadable("connection.id")
                    continue
                # The accounts of a connection made between the two requests are left for the next read.
                seen = self._observed(connection, grouped.get(powens_id, []), started, on_unreadable, strays)
                observed.setdefault(powens_id, seen)
        return tuple(observed.values())

    def set_account_enabled(self, powens_account_id: int, enabled: bool) -> None:
        """Tick or untick one account. PowensNotFound when the account is gone; safe to repeat."""
        self._call(
            "update an account",
            "POST",
            # Without `all` Powens does not find a disabled account.
            self._url(f"/accounts/{as_id(powens_account_id, 'account')}?all"),
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
            self._connection_url(powens_connection_id),
            repeatable=False,
            answered=False,
        )

    def delete_connection(self, powens_connection_id: int) -> None:
        """End the connection for good; one that is gone already is fine."""
        self._delete("delete a connection", self._connection_url(powens_connection_id))

    def delete_user(self) -> None:
        """Delete the user with all connections at Powens; one that is gone already is fine."""
        self._delete("delete a user", self._url(""))

    def _url(self, rest: str) -> str:
        return self._transport.url(f"/users/{self._id_user}{rest}")

    def _connection_url(self, powens_connection_id: int) -> str:
        return self._url(f"/connections/{as_id(powens_connection_id, 'connection')}")

    def _accounts(self, what: str, url: str) -> list[object]:
        try:
            return whole_list(what, url, "accounts", self._get)
        except PowensRefused as error:
            if error.powens_code == _NO_ACCOUNT:
                # How some domains say "an empty list".
                return []
            raise

    def _observed(
        self,
        connection: JsonObject,
        items: list[object],
        started: datetime,
        on_unreadable: OnUnreadable,
        strays: int = 0,
    ) -> ObservedConnection:
        """`strays`: accounts of the same answer that may be of this connection too. Raises Malformed."""
        accounts: dict[int, ObservedAccount] = {}
        unidentified = strays
        for item in items:
            try:
                account = account_from(
                    as_object(item, "account"), self._identity, read_started_at=started, on_unreadable=on_unreadable
                )
            except Malformed:
                on_unreadable("account.id")
                unidentified += 1
            else:
                accounts.setdefault(account.powens_id, account)
        return connection_from(
            connection,
            tuple(accounts.values()),
            read_started_at=started,
            logos=self._logos_url,
            unidentified=unidentified,
            on_unreadable=on_unreadable,
        )

    def _get(self, what: str, url: str) -> JsonObject:
        return self._call(what, "GET", url, repeatable=True)

    def _delete(self, what: str, url: str) -> None:
        try:
            self._call(what, "DELETE", url, repeatable=True, answered=False)
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
            answer = self._transport.exchange(
                what, method, url, token=self._token, body=body, repeatable=repeatable, answered=answered
            )
            self._accepted = True
            return answer

        try:
            return once()
        except TokenRefused:
            token = self._renew(self._id_user)
            self._on_renewed(token)
        except PowensForbidden:
            other = None if self._is_accepted() else self._after_forbidden(self._token)
            if other is None:
                raise
            token = other
        self._token, self._accepted = token, False
        try:
            return once()
        except TokenRefused as error:
            raise Misconfigured(f"{what}: Powens refuses the token that it just renewed") from error

    def _is_accepted(self) -> bool:
        """Whether Powens takes the token for anything, so that what it forbids is not about the token."""
        if not self._accepted:
            url = self._url("/connections")
            with suppress(TokenRefused, PowensForbidden):
                self._transport.exchange("try a token", "GET", url, token=self._token, repeatable=True)
                self._accepted = True
        return self._accepted


def _connection_of(item: object) -> int | None:
    """Which connection an account is of; None when it does not say, or not in a form that can be read."""
    try:
        return as_id(as_object(item, "account").get("id_connection"), "account.id_connection")
    except Malformed:
        return None
