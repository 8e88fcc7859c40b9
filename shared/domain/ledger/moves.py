"""Accounts that move from one connection of a user to another."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.connection import Account, Connection, ItemStatus
from shared.domain.facts import Cause, Change, change_of
from shared.domain.ledger.outcome import Outcome, conclude, operation_of, with_item_ends
from shared.domain.matching import same_keys
from shared.domain.observation import ObservedAccount, ObservedConnection


class Moves:
    """Accounts that another connection of the user has under the same Powens id as this read shows.

    Powens' ids are unique per user, so such an account has moved here; if the other connection was
    read later, it has moved there. `arriving`: their stored state, by Powens id. `shown`: the
    accounts of the read without those that have moved away since. `brought`: accounts that are held
    there under an old id, and that Powens made anew before or after they moved.
    """

    def __init__(self, connection: Connection, observation: ObservedConnection, others: Iterable[Connection]) -> None:
        # Powens' list may change between two pages, and then name an account twice.
        observed_accounts = {observed.powens_id: observed for observed in observation.accounts}.values()
        living = {observed.powens_id for observed in observed_accounts if not observed.deleted}
        here = {account.powens_id for account in connection.accounts if account.closed_at is None}
        deleted = {observed.powens_id for observed in observed_accounts if observed.deleted}
        held = {account.powens_id for account in connection.accounts}
        newcomers = [o for o in observed_accounts if not o.deleted and o.powens_id not in held]
        self.arriving: dict[int, Account] = {}
        self.brought: tuple[Account, ...] = ()
        self._leaving: list[tuple[Connection, set[str]]] = []
        left = set()
        for other in others:
            if other.removed_at is not None or other.id == connection.id:
                continue
            both = [account for account in other.accounts if account.powens_id in living]
            if other.read_started_at > observation.read_started_at:
                left |= {account.powens_id for account in both if account.powens_id not in here}
                continue
            olds = _made_anew(connection, other, newcomers, deleted)
            self.arriving |= {account.powens_id: account for account in both if account.powens_id not in here}
            self.brought += tuple(replace(account, choice=None, source_id=None) for account in olds)
            if both or olds:
                self._leaving.append((other, {account.id for account in (*both, *olds)}))
        self.shown = tuple(observed for observed in observed_accounts if observed.powens_id not in left)

    def departures(self, now: datetime, cause: Cause) -> tuple[tuple[Connection, Outcome], ...]:
        """The connections that accounts have left for this one, each as it was and what becomes of it."""
        return tuple((other, _without(other, ids, now, cause)) for other, ids in self._leaving)


def _made_anew(
    connection: Connection, other: Connection, newcomers: Sequence[ObservedAccount], deleted: Container[int]
) -> list[Account]:
    """The accounts of `other` in whose place one of `newcomers`, and nothing else, is shown here now.

    Their old ids are called `deleted` here, or are absent there and the newcomer has been held
    beside them until now.
    """
    olds: list[Account] = []
    for newcomer in newcomers:
        alike = [a for a in other.accounts if a.powens_id != newcomer.powens_id and same_keys(a, newcomer)]
        rivalled = any(same_keys(account, newcomer) for account in connection.accounts) or any(
            same_keys(account, rival) for account in alike for rival in newcomers if rival is not newcomer
        )
        beside = any(account.powens_id == newcomer.powens_id for account in other.accounts)
        clear = not newcomer.unreadable and not rivalled
        if clear and all(a.closed_at is None and _left(a, deleted, beside=beside) for a in alike):
            olds += alike
    return olds


def _left(account: Account, deleted: Container[int], *, beside: bool) -> bool:
    absent = account.missing_since is not None and account.choice is None
    return account.powens_id in deleted or (beside and absent)


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
