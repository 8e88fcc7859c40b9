"""Manual accounts: added, renamed, valued, joined with a synchronised one, parted from it, deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from shared.application.ports import Answer, Answers, Clock, Connections, Listed, NewId
from shared.application.request import Request
from shared.application.writing import Draft
from shared.domain import joins, manual
from shared.domain.connection import AccountType, Connection
from shared.domain.copies import duplicates
from shared.domain.errors import Conflict, InvalidInput, NotFound
from shared.domain.manual import BalancePoint, ManualAccount, ManualOutcome

BALANCES_PAGE = 50

type ManualDraft = Draft[tuple[ManualAccount, Listed]]
"""A change of a manual account: the account, and the user's list with it, as they will be."""
type Decide = Callable[[ManualAccount, Listed], ManualOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A balance as of `at`, which a person wrote down or the bank gave."""

    at: datetime
    balance: Decimal
    currency: str | None
    kind: Literal["manual", "synced"]


class ManualAccountStore(Protocol):
    """Manual accounts. Every method may raise StoreUnavailable."""

    def save_manual(
        self,
        before: ManualAccount | None,
        outcome: ManualOutcome,
        *,
        correlation_id: str,
        answer: Answer | None = None,
        relied_on: Sequence[Connection] = (),
    ) -> None:
        """The new state of a manual account, its balances and its event, in one transaction.

        Raises StaleWriteError when it is no longer `before` (None: new), or a connection no longer as in `relied_on`;
        TakenError when `answer`'s key is taken; for a new one UserBeingErased, and StaleWriteError when the user has as
        many as may be. A writer of one of `relied_on` that has read it before meets StaleWriteError in turn.
        """

    def older_balances(self, account: ManualAccount) -> tuple[BalancePoint, ...]:
        """The kept balances that no longer lie in the account, oldest first."""


@dataclass(frozen=True, slots=True)
class KeepManualAccounts:
    """Raises NotFound for an account that is not this user's, Conflict for one that is synchronised.

    Each change is one query and one transaction; one that changes nothing writes nothing but the answer to keep.
    """

    store: ManualAccountStore
    connections: Connections
    answers: Answers
    clock: Clock
    new_id: NewId

    def add(
        self,
        request: Request,
        *,
        name: str,
        kind: AccountType,
        currency: str,
        balance: Decimal,
        institution_name: str | None,
    ) -> ManualDraft:
        """Raises InvalidInput as the domain, Conflict `too_many_manual_accounts`."""
        outcome = manual.add(
            id=self.new_id(),
            user_id=request.user_id,
            name=name,
            kind=kind,
            currency=currency,
            balance=balance,
            institution_name=institution_name,
            now=self.clock(),
        )
        account = outcome.account
        assert account is not None  # noqa: S101 - it has just been made
        listed = self.connections.listed(request.user_id)
        if len(listed.manual_accounts) >= manual.MOST_MANUAL_ACCOUNTS:
            raise Conflict("too many manual accounts", code="too_many_manual_accounts")

        def save(answer: Answer | None) -> None:
            self.store.save_manual(None, outcome, correlation_id=request.correlation_id, answer=answer)

        return Draft((account, listed.after_manual(account)), save)

    def rename(self, request: Request, account_id: str, name: str) -> ManualDraft:
        return self._change(request, account_id, lambda held, _: manual.rename(held, name))

    def set_balance(self, request: Request, account_id: str, balance: Decimal) -> ManualDraft:
        """Raises InvalidInput as the domain."""
        return self._change(request, account_id, lambda held, _: manual.set_balance(held, balance, self.clock()))

    def join(self, request: Request, account_id: str, synchronised_id: str) -> ManualDraft:
        """Join with one of the user's synchronised accounts. Raises Conflict as the domain."""

        def decide(held: ManualAccount, listed: Listed) -> ManualOutcome:
            _synchronised(listed, synchronised_id)
            return joins.join(held, synchronised_id, listed.manual_accounts, listed.connections)

        return self._change(request, account_id, decide, relied_on=synchronised_id)

    def part(self, request: Request, account_id: str) -> ManualDraft:
        return self._change(request, account_id, lambda held, listed: joins.part(held, listed.connections))

    def dismiss(self, request: Request, account_id: str, synchronised_id: str) -> ManualDraft:
        """Never suggest this synchronised account for that one again."""

        def decide(held: ManualAccount, listed: Listed) -> ManualOutcome:
            _synchronised(listed, synchronised_id)
            return manual.dismiss(held, synchronised_id)

        return self._change(request, account_id, decide)

    def delete(self, request: Request, account_id: str) -> Draft[None]:
        """Raises Conflict `account_is_joined`: parting comes first, so that no past is deleted that is still shown."""
        listed = self.connections.listed(request.user_id)
        held = _own(listed, account_id)
        if joins.joined_with(held, listed.connections) is not None:
            raise Conflict("a joined account", code="account_is_joined")

        def save(answer: Answer | None) -> None:
            self.store.save_manual(held, manual.delete(held), correlation_id=request.correlation_id, answer=answer)

        return Draft(None, save)

    def balances(self, user_id: str, account_id: str, *, cursor: str | None) -> tuple[list[Balance], str | None]:
        """The balances of an account, newest first, and the cursor of the next page.

        Of two joined accounts either shows both: what was written down before the synchronised one was first seen
        enabled, then that one's balance; and only what was written down while that one does not count. Raises
        InvalidInput for a cursor that is none.
        """
        position = _position(cursor)
        listed = self.connections.listed(user_id)
        connection = listed.having(account_id)
        if connection is not None:
            same = joins.same_account(account_id, listed.connections)
            ids = {known for a, _ in same for known in joins.known_as(a)}
            held = next((a for a in listed.manual_accounts if a.linked_account_id in ids), None)
            if held is None:
                return _synchronised_balance(account_id, connection), None
        else:
            held = _own(listed, account_id)
        doubled = duplicates(listed.connections, self.clock())
        counted = joins.taken_over_by(held, listed.connections, doubled)
        first: list[Balance] = []
        points = (*self.store.older_balances(held), *held.points)
        numbered = list(enumerate(points, start=held.chunks * manual.CHUNK + len(held.points) - len(points) + 1))
        if counted is not None:
            owner = listed.having(counted.id)
            assert owner is not None  # noqa: S101 - what counts is of a living connection
            since = counted.synchronised_since or counted.discovered_at
            numbered = [(number, point) for number, point in numbered if point.at < since]
            first = _synchronised_balance(counted.id, owner) if position is None else []
        page = [(number, point) for number, point in reversed(numbered) if position is None or number < position]
        shown = page[:BALANCES_PAGE]
        written = [Balance(at=p.at, balance=p.balance, currency=held.currency, kind="manual") for _, p in shown]
        return [*first, *written], str(shown[-1][0]) if len(page) > len(shown) else None

    def _change(
        self, request: Request, account_id: str, decide: Decide, *, relied_on: str | None = None
    ) -> ManualDraft:
        before = self.connections.listed(request.user_id)
        held = _own(before, account_id)
        outcome = decide(held, before)
        account = outcome.account
        assert account is not None  # noqa: S101 - only `delete` decides that
        listed = before.after_manual(account)

        def save(answer: Answer | None) -> None:
            if account != held:
                self.store.save_manual(
                    held,
                    outcome,
                    correlation_id=request.correlation_id,
                    answer=answer,
                    relied_on=_connections_of(relied_on, listed),
                )
            elif answer is not None:
                self.answers.add_answer(request.user_id, answer)

        return Draft((account, listed), save)


def _own(listed: Listed, account_id: str) -> ManualAccount:
    account = listed.manual_account(account_id)
    if account is None:
        if listed.having(account_id) is not None:
            raise Conflict("a synchronised account", code="not_a_manual_account")
        raise NotFound("no such account", code="account_not_found")
    return account


def _synchronised(listed: Listed, account_id: str) -> None:
    if listed.having(account_id) is None:
        if listed.manual_account(account_id) is not None:
            raise Conflict("a manual account", code="not_a_synchronised_account")
        raise NotFound("no such synchronised account", code="account_not_found")


def _connections_of(account_id: str | None, listed: Listed) -> Sequence[Connection]:
    """The connections that have the account or the same one: a join relies on all of them."""
    if account_id is None:
        return ()
    found = {c.id: c for _, c in joins.same_account(account_id, listed.connections)}
    return tuple(found.values())


def _synchronised_balance(account_id: str, connection: Connection) -> list[Balance]:
    account = connection.account(account_id)
    assert account is not None  # noqa: S101 - the connection was found by this very account
    at = account.last_success_at or connection.last_success_at or account.discovered_at
    if account.balance is None:
        return []
    return [Balance(at=at, balance=account.balance, currency=account.currency, kind="synced")]


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 9:
        raise InvalidInput("not a cursor of ours", code="invalid_cursor", field="cursor")
    return int(cursor)
