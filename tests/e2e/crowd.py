"""People for the chaos and load runs: each taps, goes through the Webview, and remembers what was chosen.

What somebody chose last is known as long as a choice in the app and another one in the Webview did not fall between two
reads: then nothing tells which was newer (ADR 0009), and the run only asks that everybody ends in the same one. Nobody
unticks in the Webview what the app is just ticking: there the ledger waits for Powens until the operation's deadline,
which is ten minutes.
"""

import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from local.identity import Issuer
from local.paths import STATE
from powens_sandbox.tests import driver
from shared.domain.connection import connection_id
from tests.e2e.conftest import System
from tests.e2e.operator import Operator
from tests.polling import eventually
from tests.worlds import invariants
from tests.worlds.events import Published

ANSWER_SECONDS = 90.0
"""How long somebody goes on asking while the API cannot answer."""
_TLS = ssl.create_default_context()
"""Made once: each client would read all certificates of the machine again, for addresses without any TLS."""


class Tally:
    """Counts, from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    def of(self, prefix: str) -> dict[str, int]:
        """The counts whose names begin so, without the prefix."""
        found = {name.removeprefix(prefix): n for name, n in self._counts.items() if name.startswith(prefix)}
        return dict(sorted(found.items()))


class _Visit(driver.Browser):
    """A browser without scripts in the Powens space, until it is sent back to us."""

    def __init__(self, sandbox: httpx.Client, url: str) -> None:
        self.back: str | None = None
        super().__init__(cast(driver.Sandbox, SimpleNamespace(http=sandbox)), url, {})

    def _follow(self, answer: httpx.Response) -> httpx.Response:
        while answer.is_redirect:
            self.address = answer.headers["location"]
            if "/v1/webview-return" in self.address:
                self.back = self.address
                return answer
            answer = self.sandbox.http.get(self.address)
        return answer


class Somebody:
    """One user. Not for several threads at once."""

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
        return connection_id(made["id"])

    def twins(self, first: str, second: str) -> None:
        """These two connections show the same accounts."""
        self._twins.append((first, second))

    def webview(self, flow: str, **fields: str) -> str:
        body = {"flow": flow, "return_to": f"{self.system.url}/", "language": "fr", **fields}
        answer = self.ask("POST", "/v1/webview-sessions", json=body)
        return str(answer.raise_for_status().json()["url"])

    # --- choosing --------------------------------------------------------------------------------------------------

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

    def tap(self) -> dict[str, Any] | None:
        """Tick or untick one account."""
        accounts = [a for c in self.connections() for a in c["accounts"]]
        if not accounts:
            return None
        account = self.random.choice(accounts)
        body = {"enabled": not account["enabled"]}
        return self._operation(self.ask("PATCH", f"/v1/accounts/{account['id']}", json=body))

    def select(self) -> None:
        """Confirm any selection of a bank's accounts."""
        if connections := self.connections():
            connection = self.random.choice(connections)
            ids = [a["id"] for a in connection["accounts"] if self.random.random() < 0.5]
            self._operation(
                self.ask("PUT", f"/v1/connections/{connection['id']}/selection", json={"enabled_account_ids": ids})
            )

    def undo(self) -> None:
        now = datetime.now(UTC)
        open_ones = [o for o in self.operations.values() if (o.get("undo_until") and _at(o["undo_until"]) > now)]
        if open_ones:
            self._operation(self.ask("POST", f"/v1/operations/{open_ones[-1]['id']}/undo"))

    def refresh(self) -> None:
        if connections := self.connections():
            connection = self.random.choice(connections)
            self._operation(self.ask("POST", f"/v1/connections/{connection['id']}/refresh"))

    def end(self) -> None:
        """End one of several connections for good."""
        connections = [c for c in self.connections() if c["id"] not in self.gone]
        if len(connections) > 1:
            connection = self.random.choice(connections)
            body = {"confirm": connection["institution"]["name"]}
            if self._operation(self.ask("DELETE", f"/v1/connections/{connection['id']}", json=body)):
                self.gone.add(connection["id"])

    def flip(self) -> None:
        """Tick or untick an account where Powens keeps it, unless the app is still at it."""
        free = [
            (our_id, name, account)
            for our_id, connection in sorted(self.at_powens().items())
            for name, account in sorted(connection["accounts"].items())
            if self._names.get((our_id, name)) not in self._here
        ]
        if free:
            our_id, name, account = self.random.choice(free)
            enabled = account["disabled"] is not None
            changed = self.powens.patch(f"/sandbox/accounts/{account['id']}", json={"disabled": not enabled})
            # A repair or the end of the connection may have been faster.
            if changed.is_success:
                self.tally.add("choices in the Webview")
                self._there_chose(our_id, name, enabled)

    def visit(self) -> None:
        """Through the pages of the Powens space: another selection, *Terminer*, and back to the app."""
        connections = [
            c
            for c in self.connections()
            if c["id"] not in self.gone and not self._here & {a["id"] for a in c["accounts"]}
        ]
        if not connections:
            return
        connection = self.random.choice(connections)
        try:
            page = _Visit(self.powens, self.webview("manage", connection_id=connection["id"]))
            boxes = page.boxes
            ticked = [name for name, (_, before) in boxes.items() if before is not (self.random.random() < 0.4)]
            if not boxes:
                return
            # Noted before it is sent: a spoilt answer does not say whether the choice was taken.
            sent = {name for name, (_, before) in boxes.items() if before is not (name in ticked)}
            known = page.press("finish", tick=ticked).has("notice")
            for name in sent:
                self._there_chose(connection["id"], name, name in ticked)
                if not known:
                    self.chosen[self._names[connection["id"], name]] = None
            self.tally.add("visits of the Powens space")
            page.press("close")
        except (httpx.HTTPError, AssertionError, KeyError):
            self.tally.add("visits of the Powens space that failed")
            self._doubt(connection["id"])
            return
        if page.back:
            parts = urlsplit(page.back)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.ask("GET", parts.path, params=query)

    def _doubt(self, connection: str) -> None:
        for (its, _), account in self._names.items():
            if its == connection:
                self.chosen[account] = None
                self._there.add(account)
        self._changed()

    def leave_a_bank_in_the_webview(self) -> None:
        """End one of several connections at Powens."""
        there = {i: c for i, c in self.at_powens().items() if i not in self.gone}
        if len(there) > 1:
            our_id = self.random.choice(sorted(there))
            if self.powens.delete(f"/sandbox/connections/{there[our_id]['id']}").is_success:
                self.gone.add(our_id)
                self.tally.add("connections ended in the Webview")
                self._changed()

    def renumber(self) -> None:
        """Powens makes the accounts of a connection anew, under other ids and disabled."""
        there = {i: c for i, c in self.at_powens().items() if i not in self._repaired | self.gone}
        if there and self.settled():
            our_id = self.random.choice(sorted(there))
            if self.powens.post(f"/sandbox/connections/{there[our_id]['id']}/repair").is_success:
                self._repaired.add(our_id)
                self.tally.add("connections renumbered")
                self._changed()

    def bank_news(self) -> None:
        """The bank has new balances, and Powens synchronises."""
        there = self.at_powens()
        if there:
            connection = there[self.random.choice(sorted(there))]
            for account in connection["accounts"].values():
                self.powens.patch(f"/sandbox/accounts/{account['id']}", json={"balance": self.random.randint(1, 9999)})
            self.tally.add("changes at the bank")

    def leave(self) -> None:
        """Have everything erased. The user must not act any more."""
        self._ibans = self.ibans()
        self.erasure = self.ask("DELETE", "/v1/me").raise_for_status().json()["id"]
        self.tally.add("erasures")

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


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _of_accounts[T](there: dict[str, dict[str, Any]], what: Callable[[dict[str, Any]], T]) -> dict[str, dict[str, T]]:
    """Something of each account at Powens, by our connection id and its name."""
    return {
        our_id: {name: what(account) for name, account in connection["accounts"].items()}
        for our_id, connection in there.items()
    }


def _selected(there: dict[str, dict[str, Any]]) -> dict[str, dict[str, bool]]:
    return _of_accounts(there, lambda account: account["disabled"] is None)


def acting(people: list[Somebody], act: Callable[[Somebody], None]) -> list[threading.Thread]:
    """A thread for each; what goes wrong in one is kept as broken."""

    def whole(one: Somebody) -> None:
        try:
            act(one)
        except Exception as error:  # noqa: BLE001 - it is the run's result
            one.broken.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=whole, args=(one,), name=one.id, daemon=True) for one in people]
    for thread in threads:
        thread.start()
    return threads


def published(system: System, operator: Operator, people: list[Somebody], since: int) -> Published:
    """What these people's outboxes hold, and what came over the bus."""
    ids = {one.id for one in people}
    expected = operator.written_events(ids)
    seen = [(e["detail-type"], e["detail"]) for e in system.events(since) if e["detail"]["data"]["user_id"] in ids]
    return Published(expected, tuple(seen))


def secrets_found(operator: Operator, people: list[Somebody], events: Published, *, letters: str = "") -> list[str]:
    secrets = operator.secrets([one.id for one in people])
    for one in people:
        secrets |= one.ibans()
    texts = {**operator.logs(), "the events": json.dumps([d for _, d in events.seen]), "dead letters": letters}
    return invariants.nothing_secret(texts, secrets)
