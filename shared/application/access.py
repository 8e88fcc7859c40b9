"""Access to Powens on behalf of a user: created once, renewed when revoked.

Creating a user at Powens is not idempotent, and an abandoned one is billed for ever. So the user is first created as a
*temporary* one, which Powens itself deletes after 30 minutes; its id is written down; only then is it made permanent.
A crash at any point leaves either nothing or an id to go on with (ADR 0005).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from shared.application.ports import Clock, NewId, PowensAccess, PowensUser, PowensUsers, StaleWriteError
from shared.domain.errors import (
    AppError,
    Misconfigured,
    NotFound,
    PowensNotFound,
    PowensUserGone,
    Unavailable,
    UserBeingErased,
)

RENEWED_AGAIN_AFTER = timedelta(hours=1)
"""How long after a renewal of a user's token what is forbidden is not about the token."""
CLAIM_FOR = timedelta(seconds=30)
"""How long one worker alone may create a user or renew a token.

No function that may do so runs longer, so the next one takes over from a worker that has ended without giving it back.
"""
WAIT_FOR = timedelta(seconds=6)
"""How long a second device waits for the first one before it is asked to come back."""
LOOK_AGAIN_AFTER = 0.15
FIRST_LISTED_AFTER = timedelta(hours=12)
"""When somebody who is new at Powens is read although nobody gave a hint, if not before."""


class PowensUserStore(PowensUsers, Protocol):
    """How a user becomes one at Powens, and is one no more. Every method may raise StoreUnavailable."""

    def claim_access(self, user_id: str, *, by: str, now: datetime, until: datetime) -> bool:
        """Whether `by` alone may now create this user's Powens user, until `until`."""

    def release_access(self, user_id: str, *, by: str) -> None:
        """Give a claim back. Raises StaleWriteError when `by` no longer holds it."""

    def note_powens_user(self, user_id: str, powens_user_id: int, *, by: str, instead_of: int | None = None) -> None:
        """Remember the Powens user under both ids, before it is made permanent. Raises StaleWriteError.

        `instead_of`: the one that was noted before and is gone; when another is noted, or one at all without it, that
        too is a StaleWriteError.
        """

    def complete_access(self, user_id: str, sealed_token: bytes, *, by: str, reconcile_at: datetime) -> None:
        """Keep the permanent token. Raises StaleWriteError when `by` no longer holds the claim."""

    def forget_access(self, access: PowensAccess) -> None:
        """Drop a Powens user that is gone, under both ids.

        Raises StaleWriteError when the user has another by now, or is being erased.
        """


class TokenStore(Protocol):
    """The token of a user at Powens, and who may renew it. Every method may raise StoreUnavailable."""

    def replace_token(self, user_id: str, sealed_token: bytes, *, powens_user_id: int) -> None:
        """Raises StaleWriteError when the user is no longer that Powens user."""

    def claim_renewal(
        self, user_id: str, *, powens_user_id: int, now: datetime, until: datetime, since: datetime
    ) -> bool:
        """Whether the caller alone may get another token until `until`: False when there were two after `since`."""

    def release_renewal(self, user_id: str, *, until: datetime) -> None:
        """Give the claim back whose end is `until`: no token came of it."""


class TokenSeal(Protocol):
    def seal(self, user_id: str, token: str) -> bytes: ...

    def unseal(self, user_id: str, sealed: bytes) -> str:
        """Raises Misconfigured for a token that was sealed for another user or under another key."""


class TemporaryPowensUser(Protocol):
    @property
    def id_user(self) -> int: ...

    @property
    def token(self) -> str: ...


class Powens(Protocol):
    def create_temporary_user(self) -> TemporaryPowensUser: ...

    def make_permanent(self, temporary_token: str) -> str: ...

    def renew(self, id_user: int) -> str:
        """Raises PowensUserGone."""

    def as_user(
        self,
        id_user: int,
        token: str,
        on_renewed: Callable[[str], None],
        after_forbidden: Callable[[str], str | None],
    ) -> PowensUser:
        """`after_forbidden` is told the token of a 403 and may give another one to try."""


@dataclass(frozen=True, slots=True)
class Access:
    store: PowensUserStore
    tokens: TokenStore
    powens: Powens
    seal: TokenSeal
    clock: Clock
    new_id: NewId
    sleep: Callable[[float], None]

    def of(self, user_id: str) -> PowensUser:
        """Powens for a user who has been there. Raises NotFound for one who has not, UserBeingErased."""
        return self.opened(user_id)[1]

    def opened(self, user_id: str) -> tuple[PowensAccess, PowensUser]:
        """As `of`, and what it was opened with."""
        access = self.store.access(user_id)
        if access is not None and access.erasure is not None:
            raise UserBeingErased
        if access is None or access.sealed_token is None or access.powens_user_id is None:
            raise NotFound("this user has never been at Powens", code="no_powens_user")
        return access, self._open(access)

    def ensure(self, user_id: str) -> tuple[int, PowensUser]:
        """Powens for a user, who is created there when this is the first visit, exactly once.

        Raises Unavailable when another device is still creating the same user, UserBeingErased.
        """
        by = self.new_id()
        patience = self.clock() + WAIT_FOR
        while True:
            access = self.store.access(user_id)
            if access is not None and access.erasure is not None:
                raise UserBeingErased
            if access is not None and access.sealed_token is not None and access.powens_user_id is not None:
                return access.powens_user_id, self._open(access)
            now = self.clock()
            if self.store.claim_access(user_id, by=by, now=now, until=now + CLAIM_FOR):
                access = self._create(user_id, access.powens_user_id if access else None, by)
                assert access.powens_user_id is not None  # noqa: S101 - `_create` has just set it
                return access.powens_user_id, self._open(access)
            if now >= patience:
                raise Unavailable("the user is being created at Powens", code="user_being_created", retry_after=2)
            self.sleep(LOOK_AGAIN_AFTER)

    def forget(self, user_id: str, powens_user_id: int) -> None:
        """The Powens user is gone: the next visit makes a new one."""
        access = self.store.access(user_id)
        if access is not None and access.powens_user_id == powens_user_id:
            with suppress(StaleWriteError):  # somebody was here first
                self.store.forget_access(access)

    def delete_powens_user(self, access: PowensAccess) -> None:
        """End the user at Powens for good; one that is gone already is fine. The one call that an erasure makes.

        A token that is missing or cannot be opened is replaced: the id is enough to get one.
        """
        assert access.powens_user_id is not None  # noqa: S101 - the caller has looked
        try:
            self._user(access, access.powens_user_id, self._any_token(access)).delete_user()
        except (PowensUserGone, PowensNotFound):
            return

    def _any_token(self, access: PowensAccess) -> str:
        assert access.powens_user_id is not None  # noqa: S101 - checked by the caller
        if access.sealed_token is not None:
            with suppress(Misconfigured):
                return self.seal.unseal(access.user_id, access.sealed_token)
        return self.powens.renew(access.powens_user_id)

    def _create(self, user_id: str, begun: int | None, by: str) -> PowensAccess:
        token = self._resume(begun) if begun is not None else None
        powens_user_id = begun
        try:
            if token is None or powens_user_id is None:
                temporary = self.powens.create_temporary_user()
                powens_user_id = temporary.id_user
                self.store.note_powens_user(user_id, powens_user_id, by=by, instead_of=begun)
                token = self.powens.make_permanent(temporary.token)
            sealed = self.seal.seal(user_id, token)
            reconcile_at = self.clock() + FIRST_LISTED_AFTER
            self.store.complete_access(user_id, sealed, by=by, reconcile_at=reconcile_at)
        except StaleWriteError as error:
            raise Unavailable("creating the user took too long", code="user_being_created", retry_after=2) from error
        except AppError:
            self._release(user_id, by)
            raise
        return PowensAccess(user_id=user_id, powens_user_id=powens_user_id, sealed_token=sealed)

    def _release(self, user_id: str, by: str) -> None:
        """Let the next visit try at once, instead of waiting for the claim to run out."""
        with suppress(StaleWriteError):  # somebody else holds it by now
            self.store.release_access(user_id, by=by)

    def _resume(self, powens_user_id: int) -> str | None:
        """A token for a user whose creation was cut short, or None when Powens has deleted it meanwhile."""
        try:
            return self.powens.renew(powens_user_id)
        except PowensUserGone:
            return None

    def _open(self, access: PowensAccess) -> PowensUser:
        assert access.powens_user_id is not None  # noqa: S101 - checked by the callers
        assert access.sealed_token is not None  # noqa: S101
        return self._user(access, access.powens_user_id, self.seal.unseal(access.user_id, access.sealed_token))

    def _user(self, access: PowensAccess, powens_user_id: int, token: str) -> PowensUser:
        return self.powens.as_user(
            powens_user_id,
            token,
            partial(self._replace_token, access.user_id, powens_user_id),
            partial(self._token_after_forbidden, access.user_id, powens_user_id),
        )

    def _replace_token(self, user_id: str, powens_user_id: int, renewed: str) -> None:
        sealed = self.seal.seal(user_id, renewed)
        try:
            self.tokens.replace_token(user_id, sealed, powens_user_id=powens_user_id)
        except StaleWriteError as error:
            raise Unavailable("the user has another Powens user by now", retry_after=1) from error

    def _token_after_forbidden(self, user_id: str, powens_user_id: int, refused: str) -> str | None:
        """Another token, as 403 may be about the token: at most two new ones per user and hour (ADR 0027)."""
        for _ in range(2):  # between the look and the claim somebody else may have claimed it
            now = self.clock()
            newest = self.store.access(user_id)
            if newest is None or newest.sealed_token is None or newest.powens_user_id != powens_user_id:
                return None
            stored = self.seal.unseal(user_id, newest.sealed_token)
            if stored != refused:
                return stored
            if newest.renewing_until is not None and newest.renewing_until > now:
                raise Unavailable("another worker is renewing the token", retry_after=2)
            until, since = now + CLAIM_FOR, now - RENEWED_AGAIN_AFTER
            if self.tokens.claim_renewal(user_id, powens_user_id=powens_user_id, now=now, until=until, since=since):
                return self._renew_claimed(user_id, powens_user_id, until)
        return None

    def _renew_claimed(self, user_id: str, powens_user_id: int, until: datetime) -> str:
        """A new token, kept; when Powens gives none, the claim that ends at `until` is given back."""
        try:
            renewed = self.powens.renew(powens_user_id)
        except AppError:
            self.tokens.release_renewal(user_id, until=until)
            raise
        self._replace_token(user_id, powens_user_id, renewed)
        return renewed
