"""People for the chaos and load runs: each taps, goes through the Webview, and remembers what was chosen.

Nobody unticks in the Webview what the app is just ticking: there the ledger waits for Powens until the operation's
deadline, which is ten minutes.
"""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx

from powens_sandbox.tests import driver
from tests.e2e.witness import Witness


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


class Somebody(Witness):
    """One user who taps, goes through the Webview, and has news from a bank. Not for several threads at once."""

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


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
