"""Transactions of accounts, and what a list of them can be narrowed by."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from starlette.responses import Response

from powens_sandbox.errors import ApiError, invalid, missing, not_found
from powens_sandbox.params import Call, as_decimal
from powens_sandbox.rest.accounts import BELOW, Accounts
from powens_sandbox.rest.lists import day, period, window
from powens_sandbox.routing import Row, answer
from powens_sandbox.views.formats import PARIS, Json
from powens_sandbox.world.world import World

# What a list of transactions can be narrowed by, beside the page.
_FILTERS = (
    "filter", "min_date", "max_date", "last_update", "income", "min_value", "max_value", "value", "wording", "search",
    "deleted", "all", "expand",
)  # fmt: skip
_FILTER_DATES = ("date", "rdate", "vdate", "application_date")


class Transactions:
    """Enabled accounts alone have transactions."""

    def __init__(self, world: World, accounts: Accounts) -> None:
        self.world = world
        self.accounts = accounts

    def rows(self) -> list[Row]:
        rows: list[Row] = [("GET", "/users/{u}/transactions/{t}", self.transaction_read)]
        for below in BELOW:
            rows += [
                ("GET", f"{below}/transactions", self.transactions_list),
                ("GET", f"{below}/accounts/{{a}}/transactions", self.transactions_list),
            ]
        return rows

    def transactions_list(self, call: Call) -> Response:
        if "a" in call.request.path_params:
            accounts = self.accounts.named(call)
        else:
            accounts = [item for item in self.accounts.listed(call) if item.disabled is None and item.deleted is None]
        if call.params.integer("limit") is None:
            raise missing("limit")
        if not any(account.disabled is None for account in accounts):
            raise ApiError(self.world.settings.no_account_status, "noAccount", "No account is enabled")
        every = [line for account in accounts if account.last_update for line in self.world.views.transactions(account)]
        dates = [str(line["date"]) for line in every]
        filters = self._filters(call)
        lines = [line for line in every if all(fits(line) for fits in filters)]
        lines.sort(key=lambda line: (str(line["date"]), cast(int, line["id"])), reverse=True)
        chosen, links = window(call, self.world.settings, lines, documented=True)
        found = [str(line["date"]) for line in lines]
        return answer(
            {
                "transactions": chosen,
                "first_date": min(dates, default=None),
                "last_date": max(dates, default=None),
                "result_min_date": min(found, default=None),
                "result_max_date": max(found, default=None),
                "total": len(lines),
            }
            | links
        )

    def _filters(self, call: Call) -> list[Callable[[Json], bool]]:
        """What a transaction has to fit. Raises ApiError 400 for a filter that is not known, or makes no sense."""
        params = call.params
        unknown = set(params) - {"limit", "offset", *_FILTERS}
        if unknown and self.world.settings.unknown_filters == "refused":
            raise invalid(min(unknown)[:60], "is no filter of transactions")
        date_name = params.optional_text("filter") or "date"
        if date_name not in _FILTER_DATES:
            raise invalid("filter", f"must be one of {', '.join(_FILTER_DATES)}")
        since, until = period(call)
        first, last = since.astimezone(PARIS).date().isoformat(), until.astimezone(PARIS).date().isoformat()
        fits: list[Callable[[Json], bool]] = [lambda line: first <= str(line[date_name]) <= last]
        if (updated := params.optional_text("last_update")) is not None:
            seen = self.world.views.moment(day(updated, "last_update"))
            fits.append(lambda line: str(line["last_update"]) >= str(seen))
        if "income" in params:
            income = params.boolean("income")
            fits.append(lambda line: (_value(line) > 0) is income)
        least, most, exact = (as_decimal(params.get(name)) for name in ("min_value", "max_value", "value"))
        fits.append(lambda line: least is None or _value(line) >= least)
        fits.append(lambda line: most is None or _value(line) <= most)
        fits.append(lambda line: exact is None or _value(line) == exact)
        words = [(params.optional_text(name) or "").casefold() for name in ("wording", "search")]
        fits.append(lambda line: all(word in str(line["wording"]).casefold() for word in words))
        return fits

    def transaction_read(self, call: Call) -> Response:
        wanted = call.path_id("t", "transaction")
        for account in self.accounts.enabled(call):
            for line in self.world.views.transactions(account):
                if line["id"] == wanted:
                    return answer(line)
        raise not_found("transaction")


def _value(line: Json) -> Decimal:
    return Decimal(str(line["value"]))
