"""Demo data, made through the same doors that users, browsers and Powens use.

alice has two banks, bob has one, carol has not started yet.
"""

import time
from dataclasses import dataclass
from typing import Any

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

    def token(self, user: str) -> str:
        answer = httpx.post(f"{self.api}/demo/token", json={"user": user}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["token"])


def seed(doors: Doors) -> None:
    """Raises SeedFailed."""
    for user, banks in BANKS.items():
        try:
            _connect(doors, user, banks)
        except httpx.HTTPError as error:
            raise SeedFailed(f"{user}: {type(error).__name__}: {error}") from error
        except (KeyError, IndexError, ValueError) as error:
            raise SeedFailed(f"{user}: an answer without {error}") from error


def _connect(doors: Doors, user: str, banks: tuple[str, ...]) -> None:
    headers = {"authorization": f"Bearer {doors.token(user)}"}
    with httpx.Client(timeout=30) as client:
        # A Webview session is what makes the user known at Powens.
        opened = client.post(
            f"{doors.api}/v1/webview-sessions",
            json={"flow": "connect", "return_to": f"{doors.api}/"},
            headers=headers,
        )
        opened.raise_for_status()
        newest = _users(client.get(f"{doors.sandbox}/sandbox/users").raise_for_status().json())[0]["id"]
        for bank in banks:
            client.post(
                f"{doors.sandbox}/sandbox/connections", json={"id_user": newest, "connector": bank, "enabled": "all"}
            ).raise_for_status()
        deadline = time.monotonic() + SEED_SECONDS
        while True:
            shown = client.get(f"{doors.api}/v1/connections", headers=headers).raise_for_status().json()["connections"]
            if len(shown) == len(banks):
                return
            if time.monotonic() > deadline:
                raise SeedFailed(f"{user}: {len(shown)} of {len(banks)} connections show after {SEED_SECONDS:.0f} s")
            time.sleep(0.1)


def _users(answer: Any) -> list[dict[str, Any]]:
    """The sandbox's users, newest first."""
    return list(answer["users"] if isinstance(answer, dict) else answer)
