"""Who each user is at Powens, the token, and when the user is read back next."""

from datetime import datetime
from typing import Protocol

from shared.application.access import PowensUserStore, TokenStore
from shared.application.housekeeping import ReconciliationPlan
from shared.application.ports import PowensAccess, StaleWriteError
from shared.application.read_back import KnownPowensUsers
from tests.worlds.memory.state import Memory, Profile, require


def access_of(user_id: str, profile: Profile) -> PowensAccess:
    return PowensAccess(
        user_id=user_id,
        powens_user_id=profile.powens_user_id,
        sealed_token=profile.sealed_token,
        reconcile_at=profile.due_at,
        only_look=profile.only_look,
        listed_at=profile.listed_at,
        back_at=profile.back_at,
        erasure=profile.erasure,
        renewing_until=profile.renewing_until,
    )


class InMemoryPowensUsers:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def _profile(self, user_id: str) -> Profile:
        """An empty one for a user without: nothing that a condition asks of it holds."""
        return self.memory.profiles.get(user_id, Profile())

    def access(self, user_id: str) -> PowensAccess | None:
        return access_of(user_id, self._profile(user_id)) if user_id in self.memory.profiles else None

    def user_of(self, powens_user_id: int) -> str | None:
        return self.memory.owners.get(powens_user_id)

    # --- becoming a user at Powens

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        self.memory.before_write()
        profile = self._profile(user_id)
        taken = profile.claimed_until is not None and profile.claimed_until >= now
        if profile.sealed_token is not None or profile.erasure is not None or taken:
            return False
        profile.claimed_by, profile.claimed_until = by, until
        self.memory.profiles[user_id] = profile
        return True

    def release_access(self, user_id: str, *, by: str) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        require((profile.claimed_by == by, StaleWriteError))
        profile.claimed_by = profile.claimed_until = None

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str, instead_of: int | None = None) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        require((profile.claimed_by == by and profile.powens_user_id == instead_of, StaleWriteError))
        profile.powens_user_id = powens_user_id
        self.memory.owners[powens_user_id] = user_id
        if instead_of is not None:
            self.memory.owners.pop(instead_of, None)

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        require((profile.claimed_by == by, StaleWriteError))
        profile.sealed_token, profile.due_at = sealed_token, reconcile_at
        profile.claimed_by = profile.claimed_until = None

    def forget_access(self, access: PowensAccess) -> None:
        self.memory.before_write()
        assert access.powens_user_id is not None
        profile = self._profile(access.user_id)
        same = profile.powens_user_id == access.powens_user_id
        require((same and profile.erasure is None, StaleWriteError))
        del self.memory.profiles[access.user_id]
        self.memory.owners.pop(access.powens_user_id, None)

    # --- the token

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        require((profile.powens_user_id == powens_user_id, StaleWriteError))
        profile.sealed_token, profile.renewing_until = sealed_token, None
        profile.renewed_before, profile.renewed_at = profile.renewed_at, self.memory.clock()

    def claim_renewal(
        self, user_id: str, *, powens_user_id: int, now: datetime, until: datetime, since: datetime
    ) -> bool:
        self.memory.before_write()
        profile = self._profile(user_id)
        twice = profile.renewed_before is not None and profile.renewed_before >= since
        taken = profile.renewing_until is not None and profile.renewing_until >= now
        if profile.powens_user_id != powens_user_id or twice or taken:
            return False
        profile.renewing_until = until
        return True

    def release_renewal(self, user_id: str, *, until: datetime) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        if profile.renewing_until == until:
            profile.renewing_until = None

    # --- when the user is read back next

    def due_accesses(self, now: datetime, *, limit: int) -> list[PowensAccess]:
        planned = ((user_id, p) for user_id, p in self.memory.profiles.items() if p.erasure is None)
        due = [access_of(user_id, p) for user_id, p in planned if p.due_at is not None and p.due_at <= now]
        return sorted(due, key=lambda access: access.reconcile_at or now)[:limit]

    def look_at(self, access: PowensAccess, at: datetime, *, listed_at: datetime | None) -> bool:
        self.memory.before_write()
        profile = self._profile(access.user_id)
        if profile.due_at is None or profile.due_at != access.reconcile_at:
            return False
        profile.due_at, profile.only_look = at, True
        profile.listed_at = listed_at or profile.listed_at
        return True

    def bring_forward(self, user_id: str, at: datetime) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        later = profile.due_at is not None and (profile.due_at > at or profile.only_look)
        if later and profile.erasure is None:
            profile.due_at, profile.only_look = at, False

    def expect_back(self, user_id: str, at: datetime) -> None:
        self.memory.before_write()
        profile = self._profile(user_id)
        if profile.due_at is None or profile.erasure is not None:
            return
        profile.back_at = at
        if profile.due_at > at:
            profile.due_at, profile.only_look = at, True


class _AllPorts(PowensUserStore, TokenStore, KnownPowensUsers, ReconciliationPlan, Protocol): ...


_: type[_AllPorts] = InMemoryPowensUsers
