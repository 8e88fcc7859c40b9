"""What the users chose and when, as they themselves remember it: the measure of where everything has to end.

For each real account the oracle knows which ends are allowed: one, when the newest choice is certain; both, when
nothing at all could tell which of two choices was newer (ADR 0009), when an answer to the user was lost, or after an
operation that said that it failed. It never asks the ledger what is right, only how far the ledger had come at a
moment: a choice in our app is certainly newer than one in the Webview exactly if the ledger had read that one before.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from shared.domain.connection import account_id, connection_id
from tests.simulation.engine import START
from tests.simulation.oracle.choices import Choices
from tests.simulation.oracle.ledger_view import SKEW
from tests.simulation.oracle.memory import Ended, Screen
from tests.simulation.powens.reals import Real, same
from tests.simulation.world.world import SimulatedWorld
from tests.worlds.documents import content_of
from tests.worlds.powens.model import Account

RECENT = 900 * 1_000_000
"""Longer than a read takes from its start to its effect, in microseconds."""
TELLING = 14_000_000
"""Longer than a slow send takes from the look at a socket to its message, in microseconds."""
PATIENCE = (24 * 3600 - 600) * 1_000_000
"""Nearly as long as an id must have been absent before another one may be enabled in its place, in microseconds."""


class Oracle(Choices):
    """Watches what is written, ordered and told, besides."""

    def __init__(self, world: SimulatedWorld) -> None:
        super().__init__(world)
        self.ended: dict[str, Ended] = {}
        self.events: dict[str, dict[str, Any]] = {}
        """Every event that was ever written to the outbox, by id."""
        self.open: dict[str, tuple[int, int]] = {}
        """Open operations: (deadline in microseconds, housekeeping passes when it was written)."""
        self.returned: set[int] = set()
        self.keyed: set[str] = set()
        """Requests that carry an `Idempotency-Key`, by the beginning of their ids."""
        self.recorded: dict[str, str] = {}
        self.erasing: dict[str, str] = {}
        """Users by the ids of the erasures that were begun."""
        self.erased: dict[str, int] = {}
        """When which erasure ended."""
        self.forgotten: set[int] = set()
        """Connections of erased users."""
        self.good: set[int] = set()
        """Real accounts of which a balance was ever written down."""
        self.successes: dict[str, list[tuple[int, str | None]]] = {}
        """By connection of ours, when which last success was written down."""
        self.confirmed_at: dict[int, int] = {}
        """When which connection ceased to be unconfirmed."""
        self.certain = 0
        self.uncertain = 0
        world.watchers.append(self._written)
        world.powens.before_update = self._updated
        world.powens.came_late = self._came_late

    # --- screens

    def heard(self, screen: Screen, message: dict[str, Any]) -> None:
        """A screen hears of changes of its own user's only, and only while its token is good."""
        now = self.world.engine.at
        screen.told.append((now, message))
        late = now - screen.token_until > TELLING
        self.world.invariant(not late, f"a screen of {screen.user} is told something after its token has expired")
        mine = any(
            event["detail"]["data"]["user_id"] == screen.user
            and (event["detail-type"], event["detail"]["data"]["revision"]) == (message["event"], message["revision"])
            and event["detail"]["data"].get("connection_id") == message["connection_id"]
            for event in self.world.aws.bus
        )
        self.world.invariant(mine, f"a screen of {screen.user} is told of what is not about her: {message}")
        self.world.invariant(
            message.keys() == {"type", "event", "connection_id", "revision"}, f"a screen is told too much: {message}"
        )

    # --- what is written, and what is ordered

    def _updated(self, account: Account, disabled: bool, task: str) -> None:
        """Siblings are left alone: nothing is ordered that nobody asked for, but what puts a return right (rule 3)."""
        real = self.world.powens.real_of[account.id]
        expected = self.expected[real.id]
        asked_for = (not disabled) in expected.ordered
        if account.id in self.world.powens.unbound or self.namesake(real):
            # It may be meant for one that nothing tells from it, and whose id is gone.
            alike = [other.id for other in self.world.powens.reals.values() if same(real, other)]
            asked_for = any((not disabled) in self.expected[other].ordered for other in alike)
        self.world.invariant(
            asked_for or real.id in self.returned or self._replaces(real, account, enabled=not disabled),
            f"{task} {'disables' if disabled else 'enables'} {real.name} of connection {real.connection}, "
            "which nobody asked for",
        )
        others = self.world.working_on.get(connection_id(real.connection), [])
        if len(others) > 1:
            expected.allowed = {*expected.allowed, not disabled}

    def _replaces(self, real: Real, account: Account, *, enabled: bool) -> bool:
        """Whether the account stands for one that was wanted, and whose id is gone for good (rule 3)."""
        powens = self.world.powens
        alike = {real.id, *(other.id for other in powens.reals.values() if self.namesake(real) and same(real, other))}
        if not enabled:
            return len(real.ids) > 1 or any(False in self.expected[one].allowed for one in alike - {real.id})
        lately = self.world.engine.at - RECENT
        if not any(
            True in self.expected[one].allowed or self.expected[one].dropped.get(True, -RECENT) >= lately
            for one in alike
        ):
            return False
        now = self.world.engine.at
        listed = powens.connections[real.connection].accounts
        others = [name for name in real.ids if name != account.id]
        if real.shared:
            others += [n for other in powens.reals.values() if same(real, other) for n in other.ids if n != account.id]
        return any(
            (name in listed and listed[name].deleted)
            or powens.gone_since.get(name, now) <= now - PATIENCE
            # As far as anybody can tell, it was gone when an answer left it out.
            or (name in powens.gone_since and powens.left_out.get(name, now) <= now - PATIENCE)
            for name in others
        )

    def _came_late(self, real: Real, enabled: bool) -> None:
        """Powens carries out an order that was given up: nothing tells that from a choice in the Webview (ADR 0009)."""
        self.expected[real.id].allowed = {*self.expected[real.id].allowed, enabled}

    def _written(self, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        item = after or before
        assert item is not None
        key = item["sk"]["S"]
        if key == "PROFILE":
            self._profile(before or {}, after or {})
        elif key.startswith("LIST#CONNECTION#"):
            self._connection(before, after)
        elif key.startswith("OPERATION#") and after is None:
            self.open.pop(key.removeprefix("OPERATION#"), None)
        if key.startswith("EVENT#") and after is not None:
            self.world.invariant(before is None, f"{key} was written twice")
            self.events[key.removeprefix("EVENT#")] = after
            self._told(json.loads(after["detail"]["S"]))
        elif key.startswith("OPERATION#") and after is not None:
            self._operation(json.loads(after["document"]["S"]))

    def _told(self, detail: dict[str, Any]) -> None:
        """An account is only called closed when the bank has closed it: no single answer proves that (rule 5)."""
        now = self.world.engine.at
        for line in detail["data"].get("accounts", []):
            real = self.real(line["account_id"]) if line["change"] == "closed" else None
            here = real is not None and connection_id(real.connection) == detail["data"].get("connection_id")
            if real is not None and here and self.living(real) is not None:
                recent = self.world.powens.absent.get(real.id, -RECENT) > now - RECENT
                # Its old id may be called deleted in an answer that leaves the new one out, or beside the new one.
                accounts = (self.document(real.connection) or {}).get("accounts", [])
                ids = [account["powens_id"] for account in accounts if account["id"] == line["account_id"]]
                renumbered = real.ids[-1] not in ids
                self.world.invariant(
                    recent or renumbered, f"{real.name} of {real.connection} is called closed and is not"
                )

    def _profile(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """An erasure begins with its mark and ends with the mark's."""
        if "erasure_id" in after and "erasure_id" not in before:
            self.erasing[after["erasure_id"]["S"]] = after["pk"]["S"].removeprefix("USER#")
            if "powens_user_id" in after:
                self.world.powens.erasing[int(after["powens_user_id"]["N"])] = self.world.engine.at
        if "erasure_id" in before and not after:
            self.erased[before["erasure_id"]["S"]] = self.world.engine.at
            user = before["pk"]["S"].removeprefix("USER#")
            self.forgotten |= {powens_id for powens_id, owner in self.owner.items() if owner == user}
            self.world.engine.tell(f"{before['pk']['S'].removeprefix('USER#')} is erased")

    def _connection(self, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        """What is known never becomes older (rule 7), and a revision never smaller."""
        if before is None or after is None:
            return
        was, now = content_of(before), content_of(after)
        self.successes.setdefault(now["id"], []).append((self.world.engine.at, now.get("last_success_at")))
        if was.get("unconfirmed") and not now.get("unconfirmed"):
            self.confirmed_at[now["powens_id"]] = self.world.engine.at
        for account in now.get("accounts", []):
            if account.get("missing_since") is None:
                self.world.powens.left_out.pop(account["powens_id"], None)
        self._unread(was, now)
        self._bind(now)
        for account in now.get("accounts", []):
            known, held = self.real(account["id"]), account.get("balance") is not None
            asked_for = account["enabled"] or account["wanted"]
            self.world.invariant(
                asked_for or not held, f"{account['name']} of {now['powens_id']} has a balance, and nobody wants it"
            )
            if known is not None and known.connection == now["powens_id"]:
                if held:
                    self.good.add(known.id)
                elif not asked_for:
                    self.good.discard(known.id)
            waits = any(account.get(name) is not None for name in ("choice", "problem", "closed_at"))
            self.world.invariant(
                waits or account["enabled"] is account["wanted"],
                f"{account['name']} of {now['powens_id']} is not as wanted, and nothing is done about it",
            )
        self.world.invariant(
            now["read_started_at"] >= was["read_started_at"] and now.get("revision", 0) >= was.get("revision", 0),
            f"connection {was['powens_id']} goes back to an older read or revision",
        )
        self.world.invariant(
            not was.get("removed_at")
            or bool(now.get("removed_at"))
            or was["powens_id"] in self.world.powens.connections,
            f"connection {was['powens_id']} comes back although Powens has it no more",
        )

    def _unread(self, was: dict[str, Any], now: dict[str, Any]) -> None:
        """An account whose selection cannot be read stays as it was held, until Powens calls it deleted or forgets."""
        unreadable, gone_since = self.world.powens.unreadable, self.world.powens.gone_since
        there = self.world.powens.connections.get(now["powens_id"])
        if not unreadable:
            return
        held = {account["powens_id"]: account for account in was.get("accounts", [])}
        for account in now.get("accounts", []):
            since, _ = unreadable.get(account["powens_id"], (None, None))
            known = held.get(account["powens_id"])
            if since is None or known is None or known.get("choice") is not None:
                continue
            began = datetime.fromisoformat(now["read_started_at"])
            gone = gone_since.get(account["powens_id"])
            if gone is not None and began > START + timedelta(microseconds=gone) - SKEW:
                continue  # absent, and no longer there to be read
            if there is not None and (shown := there.accounts.get(account["powens_id"])) is not None and shown.deleted:
                continue
            if began > START + timedelta(microseconds=since) + SKEW:
                same = all(account.get(name) == known.get(name) for name in ("enabled", "closed_at"))
                chosen = account.get("choice") is not None
                self.world.invariant(
                    same or chosen, f"account {account['powens_id']} changes though nobody can read it"
                )

    def _bind(self, now: dict[str, Any]) -> None:
        """Which new id is whose, among accounts that nothing tells apart, is what the ledger makes of it, once."""
        powens = self.world.powens
        for account in now.get("accounts", []) if powens.unbound else []:
            powens_id = account["powens_id"]
            if powens_id not in powens.unbound:
                continue
            real, there = self.real(account["id"]), powens.real_of[powens_id]
            if account["id"] == account_id(powens_id) and len(there.ids) > 1:
                continue  # not paired with an old id yet
            if real is None or real is there or not same(real, there):
                powens.unbound.discard(powens_id)
                continue
            own = self.living(real)
            told = own is not None and own.id in powens.unbound and real.identity != there.identity
            misread = any(at > self.world.engine.at - RECENT for at in powens.misread.values())
            self.world.invariant(misread or not told, f"{real.name} of {real.connection} is taken for {there.name}")
            powens.rebind(real, powens_id)
            for one in (there, real):
                self.real_of_account.update({account_id(name): one for name in one.ids})
            mine, other = self.expected[real.id], self.expected[there.id]
            if mine.allowed != other.allowed:
                mine.allowed, other.allowed = {True, False}, {True, False}
            mine.names, other.names = mine.names | other.names, mine.names | other.names
            mine.excused = other.excused = mine.excused or other.excused
            mine.ordered, other.ordered = mine.ordered | other.ordered, mine.ordered | other.ordered

    def _operation(self, operation: dict[str, Any]) -> None:
        name = operation["id"]
        if operation.get("ended_at") is None:
            deadline = datetime.fromisoformat(operation["deadline_at"]) - START
            asked_by = operation["correlation_id"].rpartition("-")[0]
            if name not in self.open and asked_by in self.keyed and operation["kind"] != "restoration":
                first = self.recorded.setdefault(asked_by, name)
                self.world.invariant(first == name, f"{asked_by} with its one key made two operations")
            self.open.setdefault(name, (round(deadline.total_seconds() * 1e6), len(self.world.housekeeping_done)))
            return
        self.world.invariant(name not in self.ended, f"operation {name} ended twice")
        self.open.pop(name, None)
        created = round((datetime.fromisoformat(operation["created_at"]) - START).total_seconds() * 1e6)
        failed = tuple(
            (item["account_id"], item.get("reason"))
            for item in operation.get("items", [])
            if item.get("status") in ("failed", "needs_user")
        )
        self.ended[name] = Ended(
            id=name,
            connection=operation["connection_id"],
            kind=operation["kind"],
            status=operation.get("status", ""),
            reason=operation.get("reason"),
            created=created,
            at=self.world.engine.at,
            failed=failed,
        )
        self.world.engine.tell(f"{operation['kind']} {name[-6:]} ends: {operation.get('status')}")
        for our_id, _ in failed:
            real = self.real(our_id)
            if real is not None:
                self.expected[real.id].allowed = {True, False}
                self.expected[real.id].excused = True
