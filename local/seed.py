"""Demo data, made through the same doors that users, browsers and Powens use.

alice has two banks, bob has one, carol has not started yet.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

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
    made: dict[str, list[int]] = {}
    with httpx.Client(timeout=30) as client:
        # One user after the other up to here, as a new user is recognised by being the newest.
        for user, banks in BANKS.items():
            with _explained(user):
                made[user] = _connect(client, doors, user, banks)
        for user, numbers in made.items():
            with _explained(user):
                for number in numbers:
                    take_in(client, doors.api, doors.headers(user), number)
                _wait(client, doors, user, len(numbers))


@contextlib.contextmanager
def _explained(user: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise SeedFailed(f"{user}: {type(error).__name__}: {error}") from error
    except (KeyError, IndexError, ValueError) as error:
        raise SeedFailed(f"{user}: an answer without {error}") from error


def _connect(client: httpx.Client, doors: Doors, user: str, banks: tuple[str, ...]) -> list[int]:
    """The ids at Powens of the connections."""
    # A Webview session is what makes the user known at Powens.
    opened = client.post(
        f"{doors.api}/v1/webview-sessions",
        json={"flow": "connect", "return_to": f"{doors.api}/"},
        headers=doors.headers(user),
    )
    opened.raise_for_status()
    newest = client.get(f"{doors.sandbox}/sandbox/users").raise_for_status().json()["users"][0]["id"]
    numbers = []
    for bank in banks:
        made = client.post(
            f"{doors.sandbox}/sandbox/connections", json={"id_user": newest, "connector": bank, "enabled": "all"}
        )
        numbers.append(int(made.raise_for_status().json()["id"]))
    return numbers


def take_in(client: httpx.Client, api: str, headers: dict[str, str], powens_connection_id: int) -> None:
    """As who has made a connection in the Powens space comes back to the app, which confirms it (ADR 0043).

    Raises SeedFailed when it has not been read in time.
    """
    deadline = time.monotonic() + SEED_SECONDS
    body = {"flow": "connect", "return_to": f"{api}/"}
    opened = client.post(f"{api}/v1/webview-sessions", json=body, headers=headers)
    while opened.status_code == 503 and time.monotonic() < deadline:  # Powens may be busy
        time.sleep(0.5)
        opened = client.post(f"{api}/v1/webview-sessions", json=body, headers=headers)
    state = parse_qs(urlsplit(opened.raise_for_status().json()["url"]).query)["state"][0]
    way_back = {"state": state, "connection_id": str(powens_connection_id)}
    returned = client.get(f"{api}/v1/webview-return", params=way_back, follow_redirects=False)
    codes = parse_qs(urlsplit(returned.headers["location"]).query).get("return_code")
    if codes is None:
        return  # nothing has to be confirmed
    while time.monotonic() < deadline:
        confirmed = client.post(f"{api}/v1/webview-confirmations", json={"return_code": codes[0]}, headers=headers)
        if confirmed.status_code != 503 and confirmed.raise_for_status().json()["confirmed"]:
            return
        time.sleep(0.1)
    raise SeedFailed(f"connection {powens_connection_id} cannot be confirmed after {SEED_SECONDS:.0f} s")


def _wait(client: httpx.Client, doors: Doors, user: str, wanted: int) -> None:
    headers = doors.headers(user)
    deadline = time.monotonic() + SEED_SECONDS
    while True:
        shown = client.get(f"{doors.api}/v1/connections", headers=headers).raise_for_status().json()["connections"]
        # A connection that is confirmed shows a moment before what it has.
        if len(shown) == wanted and all(connection["revision"] for connection in shown):
            return
        if time.monotonic() > deadline:
            raise SeedFailed(f"{user}: {len(shown)} of {wanted} connections show after {SEED_SECONDS:.0f} s")
        time.sleep(0.1)
