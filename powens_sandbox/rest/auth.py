"""`/auth` and `/users`: tokens, codes, and the users who own them."""

import base64
import re

from starlette.responses import Response

from powens_sandbox.errors import ApiError, invalid
from powens_sandbox.params import Call, bearer
from powens_sandbox.rest.callers import Callers, is_secret
from powens_sandbox.rest.lists import page
from powens_sandbox.routing import Row, answer, no_content
from powens_sandbox.world.model import Token, User
from powens_sandbox.world.world import World

_GONE_CODES = {400: "invalidValue", 403: "forbidden", 404: "notFound", 409: "conflict"}


class Auth:
    """Tokens and users."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        return [
            ("POST", "/auth/init", self.init),
            ("GET POST", "/auth/token/code", self.code),
            ("POST", "/auth/token/access", self.access),
            ("POST", "/auth/renew", self.renew),
            ("POST", "/auth/token", self.service_token),
            ("DELETE", "/auth/token", self.revoke),
            ("GET", "/users", self.users_list),
            ("GET", "/users/{u}", self.user_read),
            ("DELETE", "/users/{u}", self.user_delete),
            ("POST", "/users/{u}/token", self.user_token),
        ]

    def init(self, call: Call) -> Response:
        token = bearer(call.request)
        permanent = self.callers.check_client(call, required=False)
        if token is not None and is_secret(token, self.world.settings.manage_token):
            permanent = True
        user, issued = self.world.access.create_user(permanent=permanent)
        return answer(
            {
                "auth_token": issued.value,
                "type": issued.kind,
                "id_user": user.id,
                "expires_in": None if permanent else self.world.settings.temporary_seconds,
            }
        )

    def code(self, call: Call) -> Response:
        token = self.callers.user_token(call)
        kind = call.params.optional_text("type") or "requestAccess"
        if kind not in {"singleAccess", "requestAccess"}:
            raise invalid("type", "must be singleAccess or requestAccess")
        single = kind == "singleAccess"
        code = self.world.access.issue_code(self.world.users[token.user_id], single=single)
        return answer(
            {
                "code": code.value,
                "type": "temporary",
                "access": "single" if single else "standard",
                "expires_in": self.world.settings.temporary_seconds,
            }
        )

    def access(self, call: Call) -> Response:
        self.callers.check_client(call, required=True)
        if call.params.optional_text("grant_type") not in {None, "authorization_code"}:
            raise invalid("grant_type", "must be authorization_code")
        return self._access_answer(self.world.access.make_permanent(call.params.text("code")))

    def renew(self, call: Call) -> Response:
        self.callers.check_client(call, required=True)
        if call.params.text("grant_type") != "client_credentials":
            raise invalid("grant_type", "must be client_credentials")
        revoke_previous = call.params.boolean("revoke_previous")
        wanted = call.params.integer("id_user")
        if wanted is None:
            return self._access_answer(self.world.access.create_user(permanent=True)[1])
        user = self.world.users.get(wanted)
        if user is None:
            status = int(self.world.settings.gone_user_status)
            raise ApiError(status, _GONE_CODES[status], "There is no such user")
        return self._access_answer(self.world.access.renew(user, revoke_previous=revoke_previous))

    def _access_answer(self, token: Token) -> Response:
        return answer({self.world.settings.access_token_key: token.value, "token_type": "Bearer"})

    def service_token(self, call: Call) -> Response:
        self.callers.check_client(call, required=True)
        given = call.params.get("scope") or "payments:admin"
        scopes = given if isinstance(given, list) else str(given).split()
        if not all(
            isinstance(item, str) and re.fullmatch(r"(payments|payment-links)(:[a-z-]+)?", item) for item in scopes
        ):
            raise invalid("scope")
        scope = " ".join(scopes)
        return answer({"token": base64.b64encode(scope.encode()).decode(), "scope": scope})

    def revoke(self, call: Call) -> Response:
        self.world.access.revoke(self.callers.user_token(call))
        return no_content()

    def users_list(self, call: Call) -> Response:
        self.callers.check_scope(call, self.world.settings.users_token, self.world.settings.manage_token)
        users = list(self.world.users.values())
        return page(call, self.world.settings, "users", users, self.world.views.user)

    def _user(self, call: Call) -> User:
        token = bearer(call.request)
        if (
            call.path("u") != "me"
            and token
            and is_secret(token, self.world.settings.users_token, self.world.settings.manage_token)
        ):
            return self.world.user(call.path_id("u", "user"))
        return self.callers.user(call)

    def user_read(self, call: Call) -> Response:
        return answer(self.world.views.user(self._user(call)))

    def user_delete(self, call: Call) -> Response:
        self.world.access.delete_user(self._user(call))
        return no_content()

    def user_token(self, call: Call) -> Response:
        user = self._user(call)
        if call.params.text("application") != "sharedAccess":
            raise invalid("application")
        return answer({"token": self.world.access.renew(user, revoke_previous=False).value})
