"""A WebSocket of the test's own on the running system."""

import base64
import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from local.identity import Issuer
from local.paths import STATE
from tests.e2e.conftest import System


class Listener:
    """A WebSocket that keeps what it hears. `status` is the handshake's; there is a socket only when it is 101.

    Written out here because a browser does not show its page how a handshake was refused.
    """

    def __init__(self, system: System, *protocols: str) -> None:
        address = urlsplit(str(httpx.get(f"{system.url}/config.json").json()["live_url"]))
        self.heard: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self.closed_with: int | None = None
        self._socket = socket.create_connection((address.hostname, address.port), timeout=10)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [
            f"GET {address.path} HTTP/1.1",
            f"Host: {address.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            *([f"Sec-WebSocket-Protocol: {', '.join(protocols)}"] if protocols else []),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._reader = self._socket.makefile("rb")
        self.status = int(self._reader.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._reader.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        if self.status == 101:
            self._socket.settimeout(None)
            self._listening.start()

    def _listen(self) -> None:
        while head := self._reader.read(2):
            length = head[1] & 0x7F
            if length == 126:
                length = int.from_bytes(self._reader.read(2))
            payload = self._reader.read(length)
            match head[0] & 0x0F:
                case 1:
                    with self._news:
                        self.heard.append(json.loads(payload))
                        self._news.notify_all()
                case 9:
                    # A pong, masked as whatever a client sends; who gives none is dropped after a while.
                    mask = secrets.token_bytes(4)
                    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
                    self._socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + mask + masked)
                case 8:
                    self.closed_with = int.from_bytes(payload[:2])
                    return

    def hears(self, what: Callable[[dict[str, Any]], bool], *, after: int = 0, seconds: float) -> bool:
        """Wait until something like that was heard, beyond the first `after`; False when time has run out."""
        with self._news:
            return self._news.wait_for(lambda: any(map(what, self.heard[after:])), timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Without a closing handshake: as when a phone loses its network.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._listening.ident is not None:
            self._listening.join()
        self._reader.close()
        self._socket.close()


def token_of(system: System, user: str, **claims: Any) -> str:
    return Issuer(system.url, STATE / "issuer.pem").token(user, **claims)[0]


def listening(system: System, user: str, **claims: Any) -> Listener:
    return Listener(system, "synced-accounts", f"bearer.{token_of(system, user, **claims)}")
