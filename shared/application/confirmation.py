"""Who opened a visit shows that the connection that came of it is theirs; what nobody confirms is ended (ADR 0043)."""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from shared.application.access import Access
from shared.application.budget import CALLS_OF_A_READ, Budget
from shared.application.changes import Changes
from shared.application.ports import Answer, Clock, NewId
from shared.application.request import Request
from shared.application.writing import Draft
from shared.domain import ledger
from shared.domain.connection import Connection, connection_id
from shared.domain.errors import Conflict, InvalidInput, NotFound, PowensNotFound
from shared.domain.ledger import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What a return code stands for: the visit's user, and the connection that the way back named."""

    user_id: str
    powens_connection_id: int


class Returns(Protocol):
    """The returns that were given a code. Every method may raise StoreUnavailable."""

    def returned(self, code_hash: str) -> Return | None: ...

    def named(self, user_id: str) -> Collection[int]:
        """The connections at Powens that all returns of the user's visits named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """`confirmed` is false while the connection has not been read yet: then the same request has to come again."""

    connection_id: str
    confirmed: bool


def hash_of(return_code: str) -> str:
    return hashlib.sha256(return_code.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ConfirmConnections:
    returns: Returns
    changes: Changes
    access: Access
    budget: Budget
    clock: Clock
    new_id: NewId

    def by_return(self, request: Request, return_code: str) -> Draft[Confirmation]:
        """By who came back from Powens with it.

        Raises NotFound for a code that is none, and for one of another user's visit: then the connection is ended.
        Raises Conflict when it is too late.
        """
        returned = self.returns.returned(hash_of(return_code))
        if returned is None:
            raise NotFound("no such return", code="return_code_not_found")
        ours = connection_id(returned.powens_connection_id)
        unread = Draft(Confirmation(connection_id=ours, confirmed=False), _keep_nothing)
        held = {connection.powens_id for connection in self.changes.store.listed(returned.user_id).all_connections}
        if returned.powens_connection_id not in held:
            return unread
        if returned.user_id != request.user_id:
            with suppress(NotFound):  # it is gone
                self._end(returned.user_id, ours, request.correlation_id)
            raise NotFound("somebody else opened the visit", code="visit_of_another_user")
        # A return is forged as easily as its address is typed, and Powens' numbers can be guessed: whoever has named
        # one that is not theirs has none confirmed. A genuine one is read soon, as its return asks for that.
        if not held.issuperset(self.returns.named(request.user_id)):
            return unread
        return self._confirm(request, ours)

    def by_account(self, request: Request, our_id: str, iban_last4: str) -> Draft[Confirmation]:
        """By who knows an account of it, for who has not come back.

        Raises NotFound, Conflict when it is too late, InvalidInput for a wrong answer, which is counted.
        """
        held = self.changes.store.connection(request.user_id, our_id)
        if held is not None and held.unconfirmed is not None and held.removed_at is None:
            self._require_known(request, held, iban_last4)
        return self._confirm(request, our_id)

    def deny(self, request: Request, our_id: str) -> Draft[Outcome]:
        """It was somebody else. Raises NotFound, Conflict for a connection that is confirmed."""

        def decide(held: Connection | None, _: tuple[Connection, ...]) -> Outcome:
            if held is not None and held.shown:
                raise Conflict("it is the user's", code="already_confirmed")
            return self._ending(held, request.correlation_id)

        return self.changes.draft(request.user_id, our_id, decide, correlation_id=request.correlation_id)

    def _require_known(self, request: Request, held: Connection, iban_last4: str) -> None:
        ledger.confirm(held, self.clock())  # before Powens is asked for nothing
        self.budget.admit(CALLS_OF_A_READ, sweep=False)
        try:
            seen = self.access.of(held.user_id).read_connection(held.powens_id)
        except PowensNotFound:
            raise NotFound("Powens has it no more", code="connection_not_found") from None
        if any(account.iban_last4 == iban_last4.upper() for account in seen.accounts):
            return
        self.changes.apply(
            held.user_id,
            held.id,
            lambda newest, _: ledger.answer_wrongly(
                newest, self.clock(), operation_id=self.new_id(), correlation_id=request.correlation_id
            ),
            correlation_id=request.correlation_id,
        )
        raise InvalidInput("no account ends so", code="account_mismatch", field="iban_last4")

    def _confirm(self, request: Request, our_id: str) -> Draft[Confirmation]:
        draft = self.changes.draft(
            request.user_id,
            our_id,
            lambda held, _: ledger.confirm(held, self.clock()),
            correlation_id=request.correlation_id,
        )
        return draft.of(Confirmation(connection_id=our_id, confirmed=True))

    def _end(self, user_id: str, our_id: str, correlation_id: str) -> None:
        self.changes.apply(
            user_id, our_id, lambda held, _: self._ending(held, correlation_id), correlation_id=correlation_id
        )

    def _ending(self, held: Connection | None, correlation_id: str) -> Outcome:
        return ledger.end_unconfirmed(held, self.clock(), operation_id=self.new_id(), correlation_id=correlation_id)


def _keep_nothing(_: Answer | None) -> None:
    """The same request is to be decided anew, also under its key."""
