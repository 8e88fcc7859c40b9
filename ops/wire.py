"""One HTTP request of an operator's command: no redirect, no repetition, no proxy, and an error without an address.

An address of the Webview or a header may carry a code or a token, and errors are printed.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3

SECONDS = 30.0


class Unreachable(RuntimeError):
    """Nobody answered; the message names the host and the kind of failure."""


@dataclass(frozen=True)
class Answer:
    """`headers` have lower-case names; `seconds` is how long the answer took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """What the body says; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def members(self) -> Mapping[str, Any]:
        """The body as an object; empty when it is none."""
        found = self.json()
        return found if isinstance(found, dict) else {}


class Send(Protocol):
    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """Raises Unreachable."""


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Raises Unreachable."""
    began = clock()
    try:
        with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=seconds)) as pool:
            got = pool.request(method, url, headers=dict(headers), body=body, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Unreachable(f"{urlsplit(url).hostname} does not answer ({type(error).__name__})") from None
    return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, got.data, clock() - began)
