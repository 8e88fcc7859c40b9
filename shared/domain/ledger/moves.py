"""Accounts that move from one connection of a user to another."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from shared.domain.connection import Account, Connection, ItemStatus
from shared.domain.facts import Cause, Change, change_of
from shared.domain.ledger.outcome import Outcome, conclude, operation_of, with_item_ends
from shared.domain.observation import ObservedAccount, ObservedConnection


class Moves:
    """Accounts that another connection of the user holds under the very Powens id that this read shows.

    Powens' ids are unique per user, so such an account has moved, unless the other place was read later: then it has
    moved there. `arriving`: what was held of them; `shown`: what the read showed without those that left meanwhile.
    """

    def __init__(
        self,
        held: Connection,
        seen_accounts: tuple[ObservedAccount, ...],
        seen: ObservedConnection,
        others: Iterable[Connection],
    ) -> None:
        living = {observed.powens_id for observed in seen_accounts if not observed.deleted}
        here = {account.powens_id for account in held.accounts if account.closed_at is None}
        self.arriving: dict[int, Account] = {}
        self._leaving: list[tuple[Connection, set[str]]] = []
        left = set()
        for other in others:
            if other.removed_at is not None or other.id == held.id:
                continue
            both = [account for account in other.accounts if account.powens_id in living]
            if other.read_started_at > seen.read_started_at:
                left |= {account.powens_id for account in both if account.powens_id not in here}
            elif both:
                self.arriving |= {account.powens_id: account for account in both if account.powens_id not in here}
                self._leaving.append((other, {account.id for account in both}))
        self.shown = tuple(observed for observed in seen_accounts if observed.powens_id not in left)

    def departures(self, now: datetime, cause: Cause) -> tuple[tuple[Connection, Outcome], ...]:
        return tuple((other, hand_over(other, ids, now, cause)) for other, ids in self._leaving)


def hand_over(connection: Connection, account_ids: set[str], now: datetime, cause: Cause) -> Outcome:
    """The connection without accounts that have moved to another one, which goes on with what was wanted of them."""
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
