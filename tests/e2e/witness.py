"""What a user of the chaos and load runs chose, and what must be true of it in the end.

What somebody chose last is known as long as a choice in the app and another one in the Webview did not fall between two
reads: then nothing tells which was newer (ADR 0009), and the run only asks that everybody ends in the same one.
"""

import random
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from local.identity import Issuer
from local.paths import STATE
from shared.domain.connection import connection_id
from tests.e2e.conftest import System
from tests.e2e.operator import Operator
from tests.e2e.tally import Tally
from tests.polling import eventually
from tests.worlds import invariants

ANSWER_SECONDS = 90.0
"""How long somebody goes on asking while the API cannot answer."""
_TLS = ssl.create_default_context()
"""Made once: each client would read all certificates of the machine again, for addresses without any TLS."""


class Witness:
    """One user who asks, and remembers what was chosen. Not for several threads at once."""

    def __init__(self, system: System, operator: Operator, tally: Tally, seed: str, name: str = "user") -> None:
        self.system, self.operator, self.tally = system, operator, tally
        self.random = random.Random(seed)
        self.id = f"{name}-{uuid4().hex[:12]}"
        token, _ = Issuer(system.url, STATE / "issuer.pem").token(self.id)
        self.api = httpx.Client(
            base_url=system.url, headers={"authorization": f"Bearer {token}"}, timeout=40, verify=_TLS
        )
        self.powens = httpx.Client(base_url=system.sandbox_url, timeout=40, verify=_TLS)
        self.powens_user = 0
        self.chosen: dict[str, bool | None] = {}
        """By account id; None where two choices crossed."""
        self.chosen_by: dict[str, str] = {}
        """The operation of an account's newest choice, when it was made in the app."""
        self.operations: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        """Ids of connections that were ended, here or in the Webview."""
        self.erasure: str | None = None
        """The id of the user's erasure, once it was asked for."""
        self.same: list[frozenset[str]] = []
        self.longest = 0.0
        """Seconds from a choice until everybody agreed on it, at most."""
        self.broken: list[str] = []
        self.shown: list[dict[str, Any]] = []
        """The last list that the API gave."""
        self._ibans: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._here: set[str] = set()
        self._there: set[str] = set()
        self._repaired: set[str] = set()
        self._since: float | None = None
        self._revisions: dict[str, int] = {}
        self._twins: list[tuple[str, str]] = []

    def close(self) -> None:
        self.api.close()
        self.powens.close()

    # --- asking ----------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """An answer of the API below 500. A request that changes something is repeated with its idempotency key."""
        if method != "GET":
            options["headers"] = {**options.get("headers", {}), "idempotency-key": uuid4().hex}

        def once() -> httpx.Response | None:
            self.tally.add("requests")
            try:
                answer = self.api.request(method, path, **options)
            except httpx.TransportError:
                self.tally.add("answer none")
                return None
            self.tally.add(f"answer {answer.status_code}")
            return answer if answer.status_code < 500 and answer.status_code != 429 else None

        return eventually(once, seconds=ANSWER_SECONDS, every=0.3)

    def connections(self) -> list[dict[str, Any]]:
        """As the API shows them; what may never be seen is remembered in `broken`."""
        shown: list[dict[str, Any]] = self.ask("GET", "/v1/connections").raise_for_status().json()["connections"]
        self.shown = shown
        for connection in shown:
            before = self._revisions.get(connection["id"], 0)
            if connection["revision"] < before:
                self.broken.append(f"{connection['id']} went back from revision {before} to {connection['revision']}")
            self._revisions[connection["id"]] = connection["revision"]
            for account in connection["accounts"]:
                self._names[connection["id"], account["name"]] = account["id"]
                self.chosen.setdefault(account["id"], None)
        return shown

    def at_powens(self) -> dict[str, dict[str, Any]]:
        """By our connection id: the connection, with its accounts by name under `accounts`."""
        found = self.powens.get("/sandbox/connections", params={"id_user": self.powens_user}).raise_for_status().json()
        return {
            connection_id(c["id"]): {
                **c,
                "accounts": {a["name"]: a for a in c["all_accounts"] if a["deleted"] is None},
            }
            for c in found["connections"]
        }

    def selected_at_powens(self) -> dict[str, dict[str, bool]]:
        return _selected(self.at_powens())

    # --- arriving --------------------------------------------------------------------------------------------------

    def arrive(self, *banks: str) -> None:
        """Known at Powens, with these banks connected; two of the same name are one bank connected twice."""
        self.webview("connect")
        found = self.operator.powens_user(self.id)
        assert found is not None
        self.powens_user = found
        for bank in banks:
            self.connect(bank)

    def connect(self, bank: str, enabled: str | list[str] = "all") -> str:
        body = {"id_user": self.powens_user, "connector": bank, "enabled": enabled}
        made = self.powens.post("/sandbox/connections", json=body).raise_for_status().json()
        self._take_in(made["id"])
        return connection_id(made["id"])

    def _take_in(self, number: int) -> None:
        """Back in the app, which confirms what was made."""

        def returned() -> str | None:
            # A visit gives its code once, and an answer may be lost on its way.
            state = parse_qs(urlsplit(self.webview("connect")).query)["state"][0]
            query = {"state": state, "connection_id": str(number)}
            back = self.ask("GET", "/v1/webview-return", params=query, follow_redirects=False)
            return next(iter(parse_qs(urlsplit(back.headers["location"]).query).get("return_code", ())), None)

        code = eventually(returned, seconds=ANSWER_SECONDS, every=0.3)

        def confirmed() -> bool:
            answer = self.ask("POST", "/v1/webview-confirmations", json={"return_code": code})
            return bool(answer.raise_for_status().json()["confirmed"])

        eventually(confirmed, seconds=ANSWER_SECONDS, every=0.3)

    def twins(self, first: str, second: str) -> None:
        """These two connections show the same accounts."""
        self._twins.append((first, second))

    def webview(self, flow: str, **fields: str) -> str:
        body = {"flow": flow, "return_to": f"{self.system.url}/", "language": "fr", **fields}
        answer = self.ask("POST", "/v1/webview-sessions", json=body)
        return str(answer.raise_for_status().json()["url"])

    # --- choices ---------------------------------------------------------------------------------------------------

    def _here_chose(self, operation: dict[str, Any]) -> None:
        self.operations[operation["id"]] = operation
        for item in operation["accounts"]:
            account, wanted = item["account_id"], item["wanted"] == "enabled"
            crossed = account in self._there and self.chosen.get(account) is not wanted
            self.chosen[account] = None if crossed else wanted
            self.chosen_by[account] = operation["id"]
            self._here.add(account)
        self._changed()

    def _there_chose(self, connection: str, name: str, enabled: bool) -> None:
        account = self._names.get((connection, name))
        if account is None:
            return
        crossed = account in self._here and self.chosen.get(account) is not enabled
        self.chosen[account] = None if crossed or connection in self._repaired else enabled
        self.chosen_by.pop(account, None)
        self._there.add(account)
        self._changed()

    def _changed(self) -> None:
        self._since = self._since or time.monotonic()

    def _operation(self, answer: httpx.Response) -> dict[str, Any] | None:
        if answer.status_code != 202:
            # Ended meanwhile, too late to undo, too many at once: answers that a screen shows, all below 500.
            self.tally.add(f"refused {answer.json()['code']}")
            return None
        operation: dict[str, Any] = answer.json()
        self._here_chose(operation)
        return operation

    def _doubt(self, connection: str) -> None:
        for (its, _), account in self._names.items():
            if its == connection:
                self.chosen[account] = None
                self._there.add(account)
        self._changed()

    # --- looking ---------------------------------------------------------------------------------------------------

    def settled(self) -> bool:
        """Whether the app and Powens show the same and nothing is under way. Then what crossed is known again."""
        shown, there = self.connections(), self.selected_at_powens()
        known = {a: wanted for a, wanted in self.chosen.items() if wanted is not None}
        settled = {c["id"] for c in shown} == there.keys()
        for connection in shown:
            here = {i: selected for i, selected in there.items() if i == connection["id"]}
            if (
                invariants.at_rest([connection])
                or invariants.same_at_powens([connection], here)
                or invariants.choices_are_kept([connection], known)
            ):
                settled = False
                continue
            accounts = {account["id"]: account["enabled"] for account in connection["accounts"]}
            self.chosen |= accounts
            self._here -= accounts.keys()
            self._there -= accounts.keys()
            self._repaired.discard(connection["id"])
        if settled and self._since is not None:
            self.longest = max(self.longest, time.monotonic() - self._since)
            self._since = None
        return settled

    def troubles(self) -> list[str]:
        """What is not as it must be once it is quiet, but for the events."""
        shown = self.connections()
        self.operations = {i: self.ask("GET", f"/v1/operations/{i}").json() for i in self.operations}
        found = [*self.broken]
        found += invariants.at_rest(shown)
        there = self.at_powens()
        found += invariants.same_at_powens(shown, _selected(there))
        balances = _of_accounts(there, lambda account: invariants.amount(account["balance"]))
        found += invariants.balances_are_of_powens(shown, balances)
        found += invariants.choices_are_kept(shown, self._kept_choices())
        found += invariants.operations_have_ended(self.operations.values(), datetime.now(UTC))
        found += invariants.one_account_counts_once(shown, self._same(shown))
        found += [f"{c['id']} is back" for c in shown if c["id"] in self.gone]
        return [f"{self.id}: {line}" for line in found]

    def traces(self) -> list[str]:
        """What is left of a user who was erased, but for the events."""
        found = []
        if self.ask("GET", f"/v1/operations/{self.erasure}").raise_for_status().json()["ended_at"] is None:
            found.append("the erasure has not ended")
        found += [f"{kind} is still in the table" for kind in self.operator.kept_of(self.id)]
        found += [f"{c['id']} is still shown" for c in self.connections()]
        return [f"{self.id}: {line}" for line in found]

    def _kept_choices(self) -> dict[str, bool]:
        """What was chosen last, where that is known and was not refused with a reason that the user was shown."""
        kept = {}
        for account, wanted in self.chosen.items():
            operation = self.operations.get(self.chosen_by.get(account, ""))
            ends = {i["account_id"]: i["status"] for i in operation["accounts"]} if operation else {}
            if wanted is not None and ends.get(account, "done") == "done":
                kept[account] = wanted
        return kept

    def _same(self, shown: list[dict[str, Any]]) -> list[frozenset[str]]:
        accounts = {c["id"]: {a["name"]: a["id"] for a in c["accounts"]} for c in shown}
        return [
            frozenset({accounts[first][name], accounts[second][name]})
            for first, second in self._twins
            if first in accounts and second in accounts
            for name in accounts[first].keys() & accounts[second].keys()
        ]

    def ibans(self) -> dict[str, str]:
        """The IBANs of the accounts that Powens shows, or showed before the user left."""
        return self._ibans | {
            f"the IBAN of {name} of {self.id}": account["iban"]
            for connection in self.at_powens().values()
            for name, account in connection["accounts"].items()
            if account.get("iban")
        }


def _of_accounts[T](there: dict[str, dict[str, Any]], what: Callable[[dict[str, Any]], T]) -> dict[str, dict[str, T]]:
    """Something of each account at Powens, by our connection id and its name."""
    return {
        our_id: {name: what(account) for name, account in connection["accounts"].items()}
        for our_id, connection in there.items()
    }


def _selected(there: dict[str, dict[str, Any]]) -> dict[str, dict[str, bool]]:
    return _of_accounts(there, lambda account: account["disabled"] is None)
