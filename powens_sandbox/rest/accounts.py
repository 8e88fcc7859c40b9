"""Accounts of a user or of one connection, and who owns them."""

from starlette.responses import Response

from powens_sandbox.errors import ApiError, invalid, not_found
from powens_sandbox.params import Call, Params, as_id, parse_expand
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import page, window
from powens_sandbox.routing import Row, answer
from powens_sandbox.views.formats import Json
from powens_sandbox.world.model import Account
from powens_sandbox.world.world import World

# Where accounts, and what is below them, are read and changed.
BELOW = ("/users/{u}", "/users/{u}/connections/{c}")
_WRITABLE = ("display", "name", "disabled", "bookmarked", "usage")


class Accounts:
    """Also finds the accounts that other paths are about."""

    def __init__(self, world: World, callers: Callers) -> None:
        self.world = world
        self.callers = callers

    def rows(self) -> list[Row]:
        rows: list[Row] = [("GET", "/users/{u}/account_ownerships", self.ownerships_list)]
        for below in BELOW:
            rows += [
                ("GET", f"{below}/accounts", self.accounts_list),
                ("GET", f"{below}/accounts/{{a}}", self.account_read),
                ("POST PUT", f"{below}/accounts/{{a}}", self.account_update),
            ]
        return rows

    def listed(self, call: Call) -> list[Account]:
        """Those of the path's user or connection; disabled and deleted ones only with `?all`."""
        accounts = self.callers.connection(call).accounts if "c" in call.request.path_params else None
        if accounts is None:
            accounts = self.world.accounts_of(self.callers.user(call))
        if call.params.flag("all"):
            return list(accounts)
        return [account for account in accounts if account.disabled is None and account.deleted is None]

    def named(self, call: Call) -> list[Account]:
        """The accounts of a path such as `/accounts/12,34`. One that is not there for this caller makes it 404."""
        there = {account.id: account for account in self.listed(call)}
        found = []
        for text in dict.fromkeys(call.path("a").split(",")):
            account = there.get(_id_or_zero(text))
            if account is None:
                raise not_found("account")
            found.append(account)
        return found

    def enabled(self, call: Call) -> list[Account]:
        """The accounts that have something below them, among those of the path."""
        chosen = self.named(call) if "a" in call.request.path_params else self.listed(call)
        return [account for account in chosen if account.disabled is None and account.deleted is None]

    def _show_account(self, call: Call, account: Account) -> Json:
        connection = self.world.connections[account.connection_id]
        shown = self.world.views.account(account, connection)
        expand, nested = parse_expand(call.params.get("expand"))
        if "connection" in expand:
            shown["connection"] = self.world.views.connection(connection, nested)
        return shown

    def accounts_list(self, call: Call) -> Response:
        accounts = self.listed(call)
        if not accounts and self.world.settings.no_account_on_list:
            raise ApiError(self.world.settings.no_account_status, "noAccount", "No account is enabled")
        chosen, links = window(call, self.world.settings, accounts)
        envelope = self.world.views.accounts_envelope(accounts, [self._show_account(call, item) for item in chosen])
        return answer(envelope | links)

    def account_read(self, call: Call) -> Response:
        accounts = self.named(call)
        if len(accounts) == 1:
            return answer(self._show_account(call, accounts[0]))
        return answer(
            self.world.views.accounts_envelope(accounts, [self._show_account(call, account) for account in accounts])
        )

    def account_update(self, call: Call) -> Response:
        accounts = self.named(call)
        changes = _changes(call.params)
        by_connection: dict[int, list[Account]] = {}
        for account in accounts:
            by_connection.setdefault(account.connection_id, []).append(account)
        for connection_id, members in by_connection.items():
            self.world.choices.update(self.world.connections[connection_id], members, changes)
        items = [self._show_account(call, account) for account in accounts]
        form = self.world.settings.multi_update_answer
        if len(items) == 1 and form != "always_envelope":
            return answer(items[0])
        return answer(items if form == "list" else self.world.views.accounts_envelope(accounts, items))

    def ownerships_list(self, call: Call) -> Response:
        def show(account: Account) -> Json:
            return self.world.views.ownership(account, self.world.connections[account.connection_id])

        return page(call, self.world.settings, "account_ownerships", self.enabled(call), show)


def _changes(params: Params) -> dict[str, object]:
    changes: dict[str, object] = {}
    for name in _WRITABLE:
        if name not in params:
            continue
        if name in {"display", "disabled", "bookmarked"}:
            changes[name] = params.boolean(name)
        elif name == "name":
            changes[name] = params.text(name)[:200]
        else:
            usage = params.optional_text(name)
            if usage is not None and usage.upper() not in {"PRIV", "ORGA", "ASSO"}:
                raise invalid("usage")
            changes[name] = usage.upper() if usage else None
    return changes


def _id_or_zero(text: str) -> int:
    try:
        return as_id(text)
    except ApiError:
        return 0
