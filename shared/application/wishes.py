"""Wishes to hear when an institution gives a type of account: recorded, granted once, dismissed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from shared.application.ports import Answer, Answers, Clock, Connections, Listed
from shared.application.request import Request
from shared.application.writing import Draft, write
from shared.domain import wishes
from shared.domain.connection import AccountType
from shared.domain.errors import Conflict, InvalidInput, NotFound
from shared.domain.facts import Cause
from shared.domain.wishes import Wish, WishOutcome

AT_ONCE = 50
"""Wishes that are looked up before the first of them is granted."""

type InstitutionName = Callable[[str], str | None]
"""The name of an institution that Powens knows; None for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wisher:
    """Whose wish it is, and which."""

    user_id: str
    wish_id: str
    type: AccountType


class WishStore(Protocol):
    """Every method may raise StoreUnavailable."""

    def wish(self, user_id: str, wish_id: str) -> Wish | None: ...

    def save_wish(
        self, before: Wish | None, outcome: WishOutcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        """The wish, what finds it by its institution while it is open, and its event, in one transaction.

        Raises StaleWriteError when it is no longer `before` (None: new), TakenError; for a new one UserBeingErased, and
        StaleWriteError when the user has as many as may be.
        """

    def delete_wish(self, wish: Wish, *, answer: Answer | None = None) -> None:
        """Raises StaleWriteError when it is no longer `wish`, TakenError when `answer`'s key is taken."""

    def wishers(self, institution_id: str, kind: AccountType, *, after: Wisher | None, limit: int) -> list[Wisher]:
        """Those whose wish for this type of this institution is open, a page at a time; an empty one is the end."""


@dataclass(frozen=True, slots=True)
class RecordedWish:
    wish: Wish
    is_new: bool


@dataclass(frozen=True, slots=True)
class RecordWishes:
    store: WishStore
    connections: Connections
    answers: Answers
    clock: Clock
    institution_name: InstitutionName

    def add(self, request: Request, institution_id: str, kind: AccountType) -> Draft[RecordedWish]:
        """A new wish, or the one that is there.

        Raises InvalidInput `unknown_institution`, Conflict `too_many_wishes`.
        """
        user_id = request.user_id
        listed = self.connections.listed(user_id)
        wanted = wishes.wish_id(user_id, institution_id, kind)
        held = next((wish for wish in listed.wishes if wish.id == wanted), None)
        if held is not None:
            return Draft(RecordedWish(held, is_new=False), partial(self._keep, user_id))
        if len(listed.wishes) >= wishes.MOST_WISHES:
            raise Conflict("too many wishes", code="too_many_wishes")
        wish = Wish(
            id=wanted,
            user_id=user_id,
            institution_id=institution_id,
            institution_name=self._name(institution_id, listed),
            type=kind,
            created_at=self.clock(),
        )

        def save(answer: Answer | None) -> None:
            outcome = WishOutcome(wish=wish)
            self.store.save_wish(None, outcome, correlation_id=request.correlation_id, answer=answer)

        return Draft(RecordedWish(wish, is_new=True), save)

    def dismiss(self, request: Request, wish_id: str) -> Draft[None]:
        """Raises NotFound."""
        wish = self.store.wish(request.user_id, wish_id)
        if wish is None:
            raise NotFound("no such wish", code="wish_not_found")
        return Draft(None, lambda answer: self.store.delete_wish(wish, answer=answer))

    def _keep(self, user_id: str, answer: Answer | None) -> None:
        if answer is not None:
            self.answers.add_answer(user_id, answer)

    def _name(self, institution_id: str, listed: Listed) -> str:
        """Of a connected institution without another call."""
        known = next((c.institution.name for c in listed.connections if c.institution.id == institution_id), None)
        name = known or self.institution_name(institution_id)
        if name is None:
            raise InvalidInput("no such institution", code="unknown_institution", field="institution_id")
        return name


@dataclass(frozen=True, slots=True)
class GrantWishes:
    """Grants the open wishes for types that an institution gives. Harmless to repeat: each is granted once.

    Call it before the catalogue notes that the types are given, or again whenever it finds them given: a run that is
    cut short leaves the rest open and findable, and nothing else remembers them.
    """

    store: WishStore
    clock: Clock

    def run(
        self,
        institution_id: str,
        types: Iterable[AccountType],
        *,
        correlation_id: str,
        in_time: Callable[[], bool] = lambda: True,
    ) -> tuple[int, bool]:
        """How many were granted, and whether that was all: False when `in_time` said no before."""
        granted = 0
        for kind in types:
            last = None
            while found := self.store.wishers(institution_id, kind, after=last, limit=AT_ONCE):
                last = found[-1]
                for wisher in found:
                    if not in_time():
                        return granted, False
                    granted += write(partial(self._grant, wisher, self.clock(), correlation_id))
        return granted, True

    def _grant(self, wisher: Wisher, now: datetime, correlation_id: str) -> Draft[bool]:
        """Whether it is granted by this: not when it was dismissed, or granted by a discovery, since it was found."""
        wish = self.store.wish(wisher.user_id, wisher.wish_id)
        if wish is None or wish.available_at is not None:
            return Draft(False, lambda _: None)
        outcome = wishes.grant(wish, now, Cause.RECONCILIATION)
        return Draft(True, lambda _: self.store.save_wish(wish, outcome, correlation_id=correlation_id))
