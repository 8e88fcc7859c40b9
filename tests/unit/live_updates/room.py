"""A room of open screens: the sockets that are kept, and what each of them has heard."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.application.live import Live, OpenSocket
from shared.domain.errors import Unavailable
from tests.builders import FixedClock


@dataclass
class Store:
    """Sockets in memory."""

    kept: dict[str, OpenSocket] = field(default_factory=dict)

    def add_socket(self, socket: OpenSocket) -> None:
        self.kept[socket.id] = socket

    def remove_socket(self, socket_id: str) -> None:
        self.kept.pop(socket_id, None)

    def sockets(self, user_id: str) -> list[OpenSocket]:
        return [socket for socket in self.kept.values() if socket.user_id == user_id]


@dataclass
class Screens:
    """What each socket has heard. Those in `gone` are closed, those in `broken` cannot be reached."""

    heard: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)

    def send(self, socket_id: str, message: str) -> bool:
        self._reach(socket_id)
        if socket_id in self.gone:
            return False
        self.heard.setdefault(socket_id, []).append(json.loads(message))
        return True

    def close(self, socket_id: str) -> None:
        self._reach(socket_id)
        self.gone.add(socket_id)

    def _reach(self, socket_id: str) -> None:
        if socket_id in self.broken:
            raise Unavailable


@dataclass
class Room:
    store: Store = field(default_factory=Store)
    screens: Screens = field(default_factory=Screens)
    clock: FixedClock = field(default_factory=FixedClock)

    @property
    def live(self) -> Live:
        return Live(self.store, self.screens, self.clock)

    def opens(self, socket_id: str, user_id: str, *, token_for: timedelta = timedelta(hours=1)) -> None:
        self.live.open(socket_id, user_id, token_until=self.clock() + token_for)

    def tells(self, user_id: str) -> int:
        return self.live.tell(user_id, event="AccountsUpdated", connection_id="c1", revision=7)
