"""Who calls: users by their tokens, the console by its own, the client application by its credentials."""

import hmac

from powens_sandbox.errors import ApiError, missing, not_found
from powens_sandbox.params import Call, basic, bearer
from powens_sandbox.world.model import Connection, Token, User
from powens_sandbox.world.world import World


class Callers:
    """Each method raises ApiError when somebody else calls."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _refused(self) -> ApiError:
        return ApiError(
            self.world.settings.bad_token_status,
            self.world.settings.bad_token_code,
            "The token is missing or not valid",
        )

    def bearer(self, call: Call) -> str:
        value = bearer(call.request)
        if value is None:
            raise self._refused()
        return value

    def user_token(self, call: Call) -> Token:
        token = self.world.access.token(self.bearer(call))
        if token is None or token.user_id not in self.world.users:
            raise self._refused()
        return token

    def user(self, call: Call) -> User:
        """The user of the path, who must be the token's. Raises ApiError 404 for anybody else's."""
        token = self.user_token(call)
        user = self.world.users[token.user_id]
        wanted = call.path("u")
        if wanted != "me" and call.path_id("u", "user") != user.id:
            raise not_found("user")
        if self._forbidden(call):
            raise ApiError(403, "forbidden", "The token may not do this")
        return user

    def _forbidden(self, call: Call) -> bool:
        path, reads = call.request.url.path, call.request.method in {"GET", "HEAD"}
        match self.world.settings.forbidden:
            case "updates":
                return not reads and "/accounts" in path
            case "reads":
                return reads and ("/accounts" in path or "/connections" in path)
            case forbidden:
                return forbidden == "everything"

    def check_scope(self, call: Call, *secret_values: str) -> None:
        """A token of the console with the right scope: 401 when it is no token at all, 403 when it is another's."""
        value = self.bearer(call)
        if is_secret(value, *secret_values):
            return
        known = (self.world.settings.config_token, self.world.settings.users_token, self.world.settings.manage_token)
        if is_secret(value, *known) or self.world.access.token(value):
            raise ApiError(403, "forbidden", "The token lacks the scope")
        raise self._refused()

    def check_config(self, call: Call) -> None:
        self.check_scope(call, self.world.settings.config_token, self.world.settings.manage_token)

    def check_client(self, call: Call, *, required: bool) -> bool:
        """Whether the client's own credentials were given. Raises ApiError when wrong, or when missing and required."""
        pair = basic(call.request)
        client_id = call.params.optional_text("client_id") or (pair[0] if pair else None)
        secret = call.params.optional_text("client_secret") or (pair[1] if pair else None)
        if client_id is None or secret is None:
            if required:
                raise missing("client_id" if client_id is None else "client_secret")
            return False
        client = self.world.clients.find(client_id)
        if client is None or not is_secret(secret, client.secret):
            raise ApiError(403, "forbidden", "The client credentials are not valid")
        return True

    def connection(self, call: Call) -> Connection:
        """The connection of the path, which must be the caller's."""
        return self.world.connection(self.user(call), call.path_id("c", "connection"))


def is_secret(value: str, *secret_values: str) -> bool:
    return any(hmac.compare_digest(value.encode(), secret.encode()) for secret in secret_values)
