"""Demo data, made through the same doors that users, browsers and Powens use.

alice has two banks, bob has one, carol has not started yet.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

BANKS = {"alice": ("revolut", "banque-horizon"), "bob": ("banque-horizon",)}
SEED_SECONDS = 20.0


class SeedFailed(RuntimeError):
    """The message says which door did not open."""


@dataclass(frozen=True)
class Doors:
    """The public addresses, and how to get a user's token."""

    api: str
    sandbox: str

    def headers(self, user: str) -> dict[str, str]:
        answer = httpx.post(f"{self.api}/demo/token", json={"user": user}, timeout=10)
        return {"authorization": f"Bearer {answer.raise_for_status().json()['token']}"}


def seed(doors: Doors) -> None:
    """Raises SeedFailed."""
    with httpx.Client(timeout=30) as client:
        # One user after the other up to here, as a new user is recognised by being the newest.
        for user, banks in BANKS.items():
            with _explained(user):
                _connect(client, doors, user, banks)
        for user, banks in BANKS.items():
            with _explained(user):
                _wait(client, doors, user, len(banks))


@contextlib.contextmanager
def _explained(user: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise SeedFailed(f"{user}: {type(error).__name__}: {error}") from error
    except (KeyError, IndexError, ValueError) as error:
        raise SeedFailed(f"{user}: an answer without {error}") from error


def _connect(client: httpx.Client, doors: Doors, user: str, banks: tuple[str, ...]) -> None:
    # A Webview session is what makes the user known at Powens.
    opened = client.post(
        f"{doors.api}/v1/webview-sessions",
        json={"flow": "connect", "return_to": f"{doors.api}/"},
        headers=doors.headers(user),
    )
    opened.raise_for_status()
    newest = client.get(f"{doors.sandbox}/sandbox/users").raise_for_status().json()["users"][0]["id"]
    for bank in banks:
        client.post(
            f"{doors.sandbox}/sandbox/connections", json={"id_user": newest, "connector": bank, "enabled": "all"}
        ).raise_for_status()


def _wait(client: httpx.Client, doors: Doors, user: str, wanted: int) -> None:
    headers = doors.headers(user)
    deadline = time.monotonic() + SEED_SECONDS
    while True:
        shown = client.get(f"{doors.api}/v1/connections", headers=headers).raise_for_status().json()["connections"]
        if len(shown) == wanted:
            return
        if time.monotonic() > deadline:
            raise SeedFailed(f"{user}: {len(shown)} of {wanted} connections show after {SEED_SECONDS:.0f} s")
        time.sleep(0.1)
