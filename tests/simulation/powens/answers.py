"""What Powens answers when nothing goes wrong on the way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.simulation.banks import written
from tests.simulation.powens.reals import Update
from tests.simulation.powens.regular import Regular
from tests.worlds.powens.fake import error, paris
from tests.worlds.powens.model import Account, Connection, User
from tests.worlds.powens.wire import Answer

TEMPORARY_SECONDS = 1800
GONE = (404, 400, 403, 409)
"""What Powens may answer when a token is asked for a user that it no longer has."""


class Answers(Regular):
    """Answers that the fake does not know, or gives at once."""

    def _answer(
        self, line: str, query: Mapping[str, list[str]], body: Mapping[str, Any], headers: Mapping[str, Any]
    ) -> Answer:
        if line.startswith("DELETE /users/") and line.count("/") == 2:
            user = int(line.rsplit("/", 1)[-1])
            token = str(headers.get("Authorization", "")).removeprefix("Bearer ")
            if user not in self.users or token not in self.users[user].tokens:
                return error(401, "unauthorized")
            self.delete_user(user)
            return Answer(204, b"")
        return super()._answer(line, query, body, headers)

    def _new_user(self) -> User:
        user = super()._new_user()

        def expire() -> None:
            if user.temporary and user.id in self.users:
                self.delete_user(user.id)

        self.engine.after(TEMPORARY_SECONDS, expire)
        return user

    def _issue(self, line: str, body: Mapping[str, Any]) -> Answer:
        if line == "POST /auth/renew":
            user = body["id_user"]
            self._renewed(user)
            if user not in self.users:
                gone = GONE if "gone by another status" in self.kinds else GONE[:1]
                status = gone[int(self.engine.chance.roll("gone", user) * len(gone))]
                self.drawn["gone by another status"] += status != 404
                return error(status, "notFound" if status == 404 else "invalidValue")
        answer = super()._issue(line, body)
        for known in self.users.values():
            if not known.temporary and known.id not in self.permanent and known.id not in self.strays:
                self.permanent.append(known.id)
        return answer

    def _renewed(self, user: int) -> None:
        """No new tokens for a request that is forbidden: 403 says nothing about the token, but once in a while.

        A user who is gone is answered by 401 and not by 403: each attempt asks then, and learns here that they are.
        """
        hour = self.engine.at - 3600 * 1_000_000
        lately = [at for at in self.renewals.get(user, []) if at > hour]
        self.renewals[user] = [*lately, self.engine.at]
        revoked = any(at > hour for at, what, _ in self.disturbances if what == "tokens revoked")
        forbidden = user in self.users and self.forbidden.get(user, 0.0) > self.engine.at / 1_000_000
        if forbidden and len(lately) >= 2 and not revoked:
            self.broken(f"token after token is asked for user {user}, whose updates are forbidden")

    def _resource(
        self, me: User, method: str, rest: str, query: Mapping[str, list[str]], body: Mapping[str, Any]
    ) -> Answer:
        parts = rest.split("/")
        if method == "POST" and parts[1] == "accounts":
            return self._update(me, int(parts[2]), query, body)
        if method == "PUT" and parts[1] == "connections":
            return self._force(me, int(parts[2]))
        if method == "DELETE" and parts[1] == "connections":
            connection = self.connections.get(int(parts[2]))
            if connection is None or connection.user != me.id:
                return error(404, "notFound")
            self.remove(connection)
            return Answer(204, b"")
        return super()._resource(me, method, rest, query, body)

    def _update(self, me: User, wanted: int, query: Mapping[str, list[str]], body: Mapping[str, Any]) -> Answer:
        connection = next((c for c in self.connections.values() if wanted in c.accounts and c.user == me.id), None)
        account = connection.accounts[wanted] if connection else None
        if account is not None and "all" in query:
            self.before_update(account, body["disabled"], self._asking)
        was = account.disabled if account else None
        answer = super()._resource(me, "POST", f"/accounts/{wanted}", query, body)
        if answer.status == 200 and connection is not None and account is not None:
            self.carried_out.append(Update(self.engine.at, wanted, body["disabled"], self._asking))
            if account.disabled != was:
                self.touch(connection, "account-disabled" if account.disabled else "account-enabled", account)
        return answer

    def _force(self, me: User, wanted: int) -> Answer:
        engine, connection = self.engine, self.connections.get(wanted)
        if connection is None or connection.user != me.id:
            return error(404, "notFound")
        if wanted in self.frozen or engine.at < self.syncing.get(wanted, 0):
            return error(409, "conflict")
        if engine.now - connection.last_update < timedelta(minutes=1):
            return error(409, "tooSoon")
        if engine.chance.happens("Powens refuses a synchronisation", f"{wanted}/{engine.at}"):
            engine.tell(f"Powens refuses to synchronise connection {wanted}")
            return error(409, "conflict")
        seconds = engine.chance.between(2, 45, "sync", wanted, engine.at)
        self.forced.append((engine.at, wanted))
        self.syncing[wanted] = engine.at + round(seconds * 1_000_000)
        engine.after(seconds, lambda: self.synchronise(connection))
        return Answer(200, self._connection_json(connection))

    def _connection_json(self, connection: Connection) -> dict[str, object]:
        shown = super()._connection_json(connection)
        expiry = self.expiries.get(connection.id)
        if expiry is not None and "sources" not in connection.odd:
            sources: Any = shown["sources"]
            sources[0]["access_expire"] = paris(expiry)
        planned = self.told_plan(connection)
        shown["next_try"] = paris(planned) if planned is not None else None
        shown |= connection.odd
        return shown

    def _account_json(self, connection: Connection, account: Account) -> dict[str, object]:
        shown = super()._account_json(connection, account)
        roll = self.engine.chance.roll
        if account.iban and "IBAN in other spellings" in self.kinds:
            shown["iban"] = written(account.iban, roll("spelling", account.id, self.engine.at))
            self.drawn["IBAN in other spellings"] += shown["iban"] != account.iban
        if account.error is not None or (account.disabled and "no balance of the disabled" in self.kinds):
            self.drawn["no balance of the disabled"] += account.error is None
            shown["balance"] = None
        shown |= account.odd
        if account.deleted:
            shown["deleted"] = paris(connection.last_update)
        if account.id in self.unreadable:
            shown["disabled"] = self.unreadable[account.id][1]
        if account.id in self.nameless:
            shown["id"] = self.nameless[account.id]
        return shown
