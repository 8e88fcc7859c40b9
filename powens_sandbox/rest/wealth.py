"""Investments, pockets of employee savings, market orders and the plan of a loan."""

from collections.abc import Callable
from typing import cast

from starlette.responses import Response

from powens_sandbox.errors import not_found
from powens_sandbox.params import Call
from powens_sandbox.rest.accounts import BELOW, Accounts
from powens_sandbox.rest.callers import Callers
from powens_sandbox.rest.lists import page, window
from powens_sandbox.routing import Handler, Row, answer
from powens_sandbox.views.formats import Json
from powens_sandbox.world.model import Account
from powens_sandbox.world.world import World


class Wealth:
    """What lies below accounts, beside transactions."""

    def __init__(self, world: World, callers: Callers, accounts: Accounts) -> None:
        self.world = world
        self.callers = callers
        self.accounts = accounts

    def rows(self) -> list[Row]:
        lists: dict[str, Handler] = {
            "investments": self.investments_list,
            "pockets": self.pockets_list,
            "marketorders": self.orders_list,
            "amortizations": self.amortizations_list,
        }
        return [
            *[
                ("GET", f"{below}{within}/{name}", handler)
                for below in BELOW
                for within in ("", "/accounts/{a}")
                for name, handler in lists.items()
            ],
            ("GET", "/users/{u}/investments/{i}", self.investment_read),
            ("GET", "/users/{u}/investments/{i}/pockets", self.pockets_list),
            ("GET", "/pockets/{id}", self.pocket_read),
            ("GET", "/marketorders/{id}", self.order_read),
        ]

    def _investments(self, call: Call) -> list[Json]:
        return [line for account in self.accounts.enabled(call) for line in self.world.views.investments(account)]

    def investments_list(self, call: Call) -> Response:
        lines = self._investments(call)
        chosen, links = window(call, self.world.settings, lines)
        totals: Json = dict.fromkeys(("diff", "diff_percent", "prev_diff", "prev_diff_percent"))
        totals |= {"valuation": sum(cast(float, line["valuation"]) for line in lines), "calculated": []}
        return answer({"investments": chosen, "total": len(lines)} | totals | links)

    def investment_read(self, call: Call) -> Response:
        wanted = call.path_id("i", "investment")
        for line in self._investments(call):
            if line["id"] == wanted:
                return answer(line)
        raise not_found("investment")

    def pockets_list(self, call: Call) -> Response:
        lines = self._below(call, self.world.views.pockets)
        if "i" in call.request.path_params:
            wanted = call.path_id("i", "investment")
            if all(line["id"] != wanted for line in self._investments(call)):
                raise not_found("investment")
            lines = [line for line in lines if line["id_investment"] == wanted]
        return page(call, self.world.settings, "pockets", lines, lambda line: line)

    def pocket_read(self, call: Call) -> Response:
        return self._one(call, self.world.views.pockets, "pocket")

    def orders_list(self, call: Call) -> Response:
        return page(
            call,
            self.world.settings,
            "marketorders",
            self._below(call, self.world.views.market_orders),
            lambda line: line,
        )

    def order_read(self, call: Call) -> Response:
        return self._one(call, self.world.views.market_orders, "market order")

    def amortizations_list(self, call: Call) -> Response:
        lines = self._below(call, self.world.views.amortizations)
        return page(call, self.world.settings, "loanamortizations", lines, lambda line: line)

    def _below(self, call: Call, lines: Callable[[Account], list[Json]]) -> list[Json]:
        return [line for account in self.accounts.enabled(call) for line in lines(account)]

    def _one(self, call: Call, lines: Callable[[Account], list[Json]], what: str) -> Response:
        """One of the token's user, whom these paths do not name."""
        user = self.world.users[self.callers.user_token(call).user_id]
        wanted = call.path_id("id", what)
        for account in self.world.accounts_of(user):
            for line in lines(account):
                if line["id"] == wanted:
                    return answer(line)
        raise not_found(what)
