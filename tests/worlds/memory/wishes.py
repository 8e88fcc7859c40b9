"""Wishes, found by their user or, while they are open, by their institution."""

from dataclasses import replace

from shared.application.ports import Answer
from shared.application.wishes import Wisher, WishStore
from shared.domain.connection import AccountType
from shared.domain.wishes import Wish, WishOutcome
from tests.worlds.memory.state import Memory, require, unchanged


def put_wish(memory: Memory, outcome: WishOutcome) -> None:
    wish = outcome.wish
    memory.wishes[wish.user_id, wish.id] = replace(wish, version=wish.version + 1)
    memory.facts += outcome.facts


class InMemoryWishes:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def wish(self, user_id: str, wish_id: str) -> Wish | None:
        return self.memory.wishes.get((user_id, wish_id))

    def save_wish(
        self, before: Wish | None, outcome: WishOutcome, *, correlation_id: str, answer: Answer | None = None
    ) -> None:
        memory, wish = self.memory, outcome.wish
        memory.before_write()
        require(
            *([memory.not_erased(wish.user_id)] if before is None else []),
            memory.free(wish.user_id, answer),
            unchanged(self.wish(wish.user_id, wish.id), before),
        )
        put_wish(memory, outcome)
        memory.keep(wish.user_id, answer)

    def delete_wish(self, wish: Wish, *, answer: Answer | None = None) -> None:
        memory = self.memory
        memory.before_write()
        require(memory.free(wish.user_id, answer), unchanged(self.wish(wish.user_id, wish.id), wish))
        del memory.wishes[wish.user_id, wish.id]
        memory.keep(wish.user_id, answer)

    def wishers(self, institution_id: str, kind: AccountType, *, after: Wisher | None, limit: int) -> list[Wisher]:
        found = [
            Wisher(user_id=wish.user_id, wish_id=wish.id, type=kind)
            for wish in sorted(self.memory.wishes.values(), key=lambda wish: wish.id)
            if (wish.institution_id, wish.type, wish.available_at) == (institution_id, kind, None)
            and (after is None or wish.id > after.wish_id)
        ]
        return found[:limit]


_: type[WishStore] = InMemoryWishes
