"""Accounts that move from one connection of a user to another."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from shared.domain.connection import Account, Connection, ItemStatus
from shared.domain.facts import Cause, Change, change_of
from shared.domain.ledger.outcome import Outcome, conclude, operation_of, with_item_ends
from shared.domain.observation import ObservedConnection


class Moves:
    """Accounts that another connection of the user has under the same Powens id as this read shows.

    Powens' ids are unique per user, so such an account has moved here; if the other connection was
    read later, it has moved there. `arriving`: their stored state, by Powens id. `shown`: the
    accounts of the read without those that have moved away since.
    """

    def __init__(self, connection: Connection, observation: ObservedConnection, others: Iterable[Connection]) -> None:
        # Powens' list may change between two pages, and then name an account twice.
        observed_accounts = {observed.powens_id: observed for observed in observation.accounts}.values()
        living = {observed.powens_id for observed in observed_accounts if not observed.deleted}
        here = {account.powens_id for account in connection.accounts if account.closed_at is None}
        self.arriving: dict[int, Account] = {}
        self._leaving: list[tuple[Connection, set[str]]] = []
        left = set()
        for other in others:
            if other.removed_at is not None or other.id == connection.id:
                continue
            both = [account for account in other.accounts if account.powens_id in living]
            if other.read_started_at > observation.read_started_at:
                left |= {account.powens_id for account in both if account.powens_id not in here}
            elif both:
                self.arriving |= {account.powens_id: account for account in both if account.powens_id not in here}
                self._leaving.append((other, {account.id for account in both}))
        self.shown = tuple(observed for observed in observed_accounts if observed.powens_id not in left)

    def departures(self, now: datetime, cause: Cause) -> tuple[tuple[Connection, Outcome], ...]:
        """The connections that accounts have left for this one, each as it was and what becomes of it."""
        return tuple((other, _without(other, ids, now, cause)) for other, ids in self._leaving)


def _without(connection: Connection, account_ids: set[str], now: datetime, cause: Cause) -> Outcome:
    """The connection without accounts that have moved; the other connection goes on with what is wanted of them."""
    leaving = [account for account in connection.accounts if account.id in account_ids]
    for account in leaving:
        if account.choice is not None:
            operation = operation_of(connection, account.choice)
            ended = with_item_ends(operation, {account.id: (ItemStatus.SUPERSEDED, "moved_elsewhere")})
            operations = tuple(ended if o.id == ended.id else o for o in connection.operations)
            connection = replace(connection, operations=operations)
    staying = tuple(account for account in connection.accounts if account.id not in account_ids)
    lines = [change_of(replace(account, enabled=False), Change.REMOVED) for account in leaving]
    return conclude(replace(connection, accounts=staying), now, cause, lines)
