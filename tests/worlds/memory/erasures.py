"""The erasure of a user: its mark, its receipt, and the end of everything else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from shared.application.erasure import ErasureStore
from shared.application.housekeeping import LateErasures
from shared.application.ports import Answer, PowensAccess, StaleWriteError
from shared.contracts.messages import EraseUser
from shared.domain.erasure import LATE_AFTER, Erasure
from shared.domain.facts import Cause, Fact, FactType
from tests.worlds.memory.powens_users import access_of
from tests.worlds.memory.state import Key, Memory, Profile, require


class InMemoryErasures:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def begin_erasure(self, user_id: str, erasure: Erasure, *, answer: Answer | None = None) -> None:
        self.memory.before_write()
        profile = self.memory.profiles.get(user_id, Profile())
        require((profile.erasure is None, StaleWriteError), self.memory.free(user_id, answer))
        profile.erasure, profile.due_at = erasure, erasure.requested_at + LATE_AFTER
        profile.claimed_by, profile.claimed_until, profile.only_look = None, None, False
        self.memory.profiles[user_id] = profile
        self.memory.receipts[user_id, erasure.id] = replace(erasure, correlation_id="")
        self.memory.keep(user_id, answer)
        self._queue(user_id, erasure)

    def erasure(self, user_id: str, erasure_id: str) -> Erasure | None:
        return self.memory.receipts.get((user_id, erasure_id))

    def erase_items(self, user_id: str, *, in_time: Callable[[], bool]) -> bool:
        memory = self.memory
        kinds: list[dict[Key, Any]] = [
            memory.connections,
            memory.operations,
            memory.manual_accounts,
            memory.balances,
            memory.wishes,
            memory.sessions,
            memory.answers,
        ]
        for things in kinds:
            for key in [key for key in things if key[0] == user_id]:
                if not in_time():
                    return False
                memory.before_write()
                del things[key]
        return True

    def end_erasure(self, access: PowensAccess, *, ended_at: datetime) -> None:
        self.memory.before_write()
        assert access.erasure is not None
        profile = self.memory.profiles.get(access.user_id, Profile())
        require((profile.erasure is not None and profile.erasure.id == access.erasure.id, StaleWriteError))
        del self.memory.profiles[access.user_id]
        ended = replace(access.erasure, ended_at=ended_at, correlation_id="")
        self.memory.receipts[access.user_id, ended.id] = ended
        if access.powens_user_id is not None:
            self.memory.owners.pop(access.powens_user_id, None)
        erased = FactType.USER_ERASED
        fact = Fact(type=erased, user_id=access.user_id, connection_id=None, revision=0, cause=Cause.ERASURE)
        self.memory.facts.append(fact)

    def due_erasures(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        marked = ((user_id, p) for user_id, p in self.memory.profiles.items() if p.erasure is not None)
        return [access_of(user_id, p) for user_id, p in marked if p.due_at is not None and p.due_at <= now][:limit]

    def queue_erasure_again(self, access: PowensAccess, at: datetime) -> bool:
        self.memory.before_write()
        assert access.erasure is not None
        profile = self.memory.profiles.get(access.user_id, Profile())
        if profile.due_at is None or profile.due_at != access.reconcile_at:
            return False
        profile.due_at = at
        self._queue(access.user_id, access.erasure)
        return True

    def _queue(self, user_id: str, erasure: Erasure) -> None:
        message = EraseUser(user_id=user_id, erasure_id=erasure.id, correlation_id=erasure.correlation_id)
        self.memory.messages.append(message)


class _AllPorts(ErasureStore, LateErasures, Protocol): ...


_: type[_AllPorts] = InMemoryErasures
