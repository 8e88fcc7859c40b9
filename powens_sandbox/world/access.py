"""Users, their tokens, and the codes for the Webview."""

import base64
import secrets
from datetime import timedelta

from powens_sandbox.errors import invalid
from powens_sandbox.world.model import Token, User
from powens_sandbox.world.state import State


class Access:
    """Who may ask for what, and since when."""

    def __init__(self, state: State) -> None:
        self.state = state

    def create_user(self, *, permanent: bool) -> tuple[User, Token]:
        user = User(self.state.next_id("user"), self.state.clock.now(), permanent)
        self.state.users[user.id] = user
        token = self._issue(user, "permanent" if permanent else "temporary")
        if permanent:
            self.state.emit("USER_CREATED", user.id, self.state.views.user(user))
        return user, token

    def _issue(self, user: User, kind: str, *, single: bool = False) -> Token:
        now = self.state.clock.now()
        expires = None if kind == "permanent" else now + timedelta(seconds=self.state.settings.temporary_seconds)
        token = Token(new_secret(), kind, user.id, now, expires, single)
        self.state.tokens[token.value] = token
        if kind == "permanent":
            self.state.permanent_tokens.setdefault(user.id, []).append(token.value)
        return token

    def issue_code(self, user: User, *, single: bool) -> Token:
        return self._issue(user, "code", single=single)

    def token(self, value: str) -> Token | None:
        """The token when it exists and its time is not over."""
        token = self.state.tokens.get(value)
        if token and token.expires and token.expires <= self.state.clock.now():
            del self.state.tokens[value]
            return None
        return token

    def spend_code(self, value: str) -> User | None:
        """The user behind a temporary code. A single-access code is gone afterwards."""
        token = self.token(value)
        if token is None or token.kind != "code":
            return None
        if token.single:
            del self.state.tokens[value]
        return self.state.users.get(token.user_id)

    def make_permanent(self, value: str) -> Token:
        """Exchange a code or a temporary token. Raises ApiError 400 when it is neither."""
        token = self.token(value)
        user = self.state.users.get(token.user_id) if token else None
        if token is None or user is None or token.kind not in {"code", "temporary"}:
            raise invalid("code")
        del self.state.tokens[value]
        return self._permanent_token(user)

    def _permanent_token(self, user: User) -> Token:
        issued = self._issue(user, "permanent")
        if not user.permanent:
            user.permanent = True
            self.state.emit("USER_CREATED", user.id, self.state.views.user(user))
            held, user.held = user.held, []
            self.state.events.extend(held)
        return issued

    def renew(self, user: User, *, revoke_previous: bool) -> Token:
        if revoke_previous:
            self.revoke_tokens(user)
        return self._permanent_token(user)

    def revoke_tokens(self, user: User) -> int:
        values = [token.value for token in self.state.tokens.values() if token.user_id == user.id]
        for value in values:
            del self.state.tokens[value]
        self.state.permanent_tokens.pop(user.id, None)
        return len(values)

    def revoke(self, token: Token) -> None:
        self.state.tokens.pop(token.value, None)
        own = self.state.permanent_tokens.get(token.user_id, [])
        if token.value in own:
            own.remove(token.value)

    def delete_user(self, user: User) -> None:
        for connection in self.state.connections_of(user):
            self.state.forget(connection)
            if self.state.settings.user_deleted_events == "connections_and_user":
                self.state.emit("CONNECTION_DELETED", user.id, self.state.views.connection(connection))
        self.state.emit("USER_DELETED", user.id, self.state.views.user(user))
        self.revoke_tokens(user)
        self.state.users.pop(user.id, None)

    def end_what_is_temporary(self) -> None:
        """Users and codes whose time is over are gone."""
        now = self.state.clock.now()
        limit = timedelta(seconds=self.state.settings.temporary_seconds)
        for user in [user for user in self.state.users.values() if not user.permanent and user.signin + limit <= now]:
            for connection in self.state.connections_of(user):
                self.state.forget(connection)
            self.revoke_tokens(user)
            del self.state.users[user.id]
        for value in [token.value for token in self.state.tokens.values() if token.expires and token.expires <= now]:
            del self.state.tokens[value]


def new_secret() -> str:
    """A random value that contains `+`, `/` and `=`: whoever forgets to encode one notices at once."""
    while True:
        value = base64.b64encode(secrets.token_bytes(31)).decode()
        if "+" in value and "/" in value and value.endswith("="):
            return value
