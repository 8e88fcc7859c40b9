"""Live updates: a user's open screens hear that something changed, and ask the API what.

A message carries no state, so a lost, doubled or late one is harmless: a screen asks when it connects and after a gap.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.application.ports import Clock
from shared.domain.errors import AppError

SOCKET_FOR = timedelta(hours=2)
"""API Gateway closes a WebSocket after two hours (AWS limit)."""
MOST_SOCKETS = 20
"""Of one user: more devices and tabs than somebody has. Each costs a request at every change."""
SETTLED_AFTER = timedelta(seconds=30)
"""A socket is refused as gone while it is still being opened: only an older one is forgotten for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSocket:
    id: str
    user_id: str
    opened_at: datetime
    until: datetime


class SocketStore(Protocol):
    def add_socket(self, socket: OpenSocket) -> None: ...

    def remove_socket(self, socket_id: str) -> None: ...

    def sockets(self, user_id: str) -> list[OpenSocket]: ...


class Screens(Protocol):
    def send(self, socket_id: str, message: str) -> bool:
        """False when the socket is closed. Raises Unavailable."""

    def close(self, socket_id: str) -> None:
        """Nothing happens when it is closed already. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Live:
    store: SocketStore
    screens: Screens
    clock: Clock

    def open(self, socket_id: str, user_id: str, *, token_until: datetime) -> None:
        """The socket is told nothing once the token with which it was opened has expired; it is closed instead.

        So are the oldest of more than MOST_SOCKETS: who opens one sees all that were there before, so that those who
        open many at once leave no more than that either.
        """
        now = self.clock()
        until = min(now + SOCKET_FOR, token_until)
        self.store.add_socket(OpenSocket(id=socket_id, user_id=user_id, opened_at=now, until=until))
        by_age = sorted(self.store.sockets(user_id), key=lambda socket: (socket.opened_at, socket.id))
        for socket in by_age[:-MOST_SOCKETS]:
            with suppress(AppError):  # it counts again when the next one is opened
                self.screens.close(socket.id)
                self.store.remove_socket(socket.id)

    def close(self, socket_id: str) -> None:
        self.store.remove_socket(socket_id)

    def tell(self, user_id: str, *, event: str, connection_id: str | None, revision: int, is_last: bool = False) -> int:
        """How many screens heard it. Raises an ExceptionGroup once all were tried, when some could not be reached.

        `is_last`: nothing else is held of the user, so that the screens are closed and forgotten after it.
        """
        message = json.dumps({"type": "changed", "event": event, "connection_id": connection_id, "revision": revision})
        heard = 0
        troubles: list[AppError] = []
        for socket in self.store.sockets(user_id):
            try:
                if socket.until <= self.clock():
                    # Its screen opens another one with a token of today, and asks what it has missed.
                    self.screens.close(socket.id)
                    self.store.remove_socket(socket.id)
                    continue
                open_still = self.screens.send(socket.id, message)
                if is_last and open_still:
                    self.screens.close(socket.id)
            except AppError as trouble:
                troubles.append(trouble)
                continue
            heard += open_still
            if is_last or (not open_still and self.clock() - socket.opened_at > SETTLED_AFTER):
                self.store.remove_socket(socket.id)
        if troubles:
            raise ExceptionGroup(f"{len(troubles)} screens could not be told", troubles)
        return heard


def bearer(protocols: Sequence[str]) -> str | None:
    """The token among the offered sub-protocols: browsers cannot send another header when they open a WebSocket."""
    return next((p.removeprefix("bearer.") for p in protocols if p.startswith("bearer.")), None)
