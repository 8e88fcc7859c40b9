"""What the users chose and when, as they themselves remember it: the measure of where everything has to end.

For each real account the oracle knows which ends are allowed: one, when the newest choice is certain; both, when
nothing at all could tell which of two choices was newer (ADR 0009), when an answer to the user was lost, or after an
operation that said that it failed. It never asks the ledger what is right, only how far the ledger had come at a
moment: a choice in our app is certainly newer than one in the Webview exactly if the ledger had read that one before.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.domain.connection import account_id, connection_id
from tests.fakes.powens import Account
from tests.simulation.engine import START
from tests.simulation.powens import Real
from tests.simulation.world import World

RECENT = 900 * 1_000_000
"""Longer than a read takes from its start to its effect, in microseconds."""
SKEW = timedelta(milliseconds=50)


@dataclass(eq=False)
class Asked:
    """A choice on its way through our API. `also`: values that might turn out to be newer."""

    wants: dict[int, bool]
    also: dict[int, set[bool]] = field(default_factory=dict)


@dataclass
class Expected:
    """One real account. `excused`: an operation about it has failed, and said so, since the newest choice."""

    allowed: set[bool]
    excused: bool = False
    ordered: set[bool] = field(default_factory=set)
    """What our app may tell Powens about it: what was ever asked for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended, as the table had it."""

    id: str
    connection: str
    kind: str
    status: str
    reason: str | None
    created: int
    at: int
    failed: tuple[tuple[str, str | None], ...]


class Oracle:
    def __init__(self, world: World) -> None:
        self.world = world
        self.expected: dict[int, Expected] = {}
        self.asked: list[Asked] = []
        self.real_of_account: dict[str, Real] = {}
        self.owner: dict[int, str] = {}
        """The user of each connection at Powens."""
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
        self.certain = 0
        self.uncertain = 0
        world.watchers.append(self._written)
        world.powens.before_update = self._updated
        world.powens.came_late = self._came_late

    # --- names

    def know(self, real: Real, owner: str, *, enabled: bool) -> None:
        """A real account has been found at Powens."""
        self.expected[real.id] = Expected({enabled})
        self.owner[real.connection] = owner
        self.real_of_account[account_id(real.ids[0])] = real

    def real(self, our_account_id: str) -> Real | None:
        """The real account behind one of our ids, which are derived from the first Powens id that was seen."""
        found = self.real_of_account.get(our_account_id)
        if found is None:
            for real in self.world.powens.reals.values():
                for powens_id in real.ids:
                    self.real_of_account.setdefault(account_id(powens_id), real)
            found = self.real_of_account.get(our_account_id)
        return found

    def living(self, real: Real) -> Account | None:
        """The account at Powens, None when the bank or Powens no longer has it."""
        connection = self.world.powens.connections.get(real.connection)
        account = connection.accounts.get(real.ids[-1]) if connection else None
        return None if account is None or account.deleted else account

    # --- how far the ledger is

    def document(self, connection: int) -> dict[str, Any] | None:
        item = self.world.table.get(f"USER#{self.owner[connection]}", f"LIST#CONNECTION#{connection_id(connection)}")
        return None if item is None else json.loads(item["document"]["S"])

    def _held(self, real: Real) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        document = self.document(real.connection)
        if document is None:
            return None, None
        for account in document.get("accounts", []):
            if self.real(account["id"]) is real:
                return document, account
        return document, None

    def caught_up(self, real: Real) -> bool:
        """Whether the ledger has read whatever was chosen in the Webview."""
        document, held = self._held(real)
        there = self.living(real)
        if document is None or held is None or there is None:
            return False
        changed = self.world.powens.changed[real.connection]
        began = datetime.fromisoformat(document["read_started_at"])
        read = began > START + timedelta(microseconds=changed) + SKEW
        return bool(
            held["powens_id"] == real.ids[-1]
            and held["enabled"] is not there.disabled
            and held.get("closed_at") is None
            and (read or held.get("choice") is None)
        )

    def settled(self, real: Real) -> bool:
        """Whether no choice of our app about the account may still be under way."""
        _, held = self._held(real)
        return bool(
            held is not None
            and held.get("choice") is None
            and not any(real.id in asked.wants for asked in self.asked)
            and not self.world.working_on.get(connection_id(real.connection))
            and not self.world.powens.late.get(real.connection)
        )

    # --- choices

    def webview(self, real: Real, enabled: bool) -> None:
        """Somebody ticked or unticked the account at Powens just now."""
        expected = self.expected[real.id]
        _, held = self._held(real)
        known = held is None or held["powens_id"] == real.ids[-1]
        certain = held is None or (self.settled(real) and (enabled or known))
        expected.allowed = {enabled} if certain else {*expected.allowed, enabled}
        for asked in self.asked:
            if real.id in asked.wants:
                asked.also.setdefault(real.id, set()).add(enabled)

    def unread(self, reals: Iterable[Real]) -> None:
        """Powens changes accounts by itself: a choice that was not read before can no longer be told from that."""
        for real in reals:
            if not (self.caught_up(real) and self.settled(real)):
                self.expected[real.id].allowed = {True, False}

    def ask(self, wants: dict[int, bool]) -> Asked:
        """A device sends a choice."""
        asked = Asked(dict(wants))
        for real_id, wanted in wants.items():
            expected = self.expected[real_id]
            expected.ordered.add(wanted)
            if not self.caught_up(self.world.powens.reals[real_id]):
                asked.also[real_id] = set(expected.allowed)
                there = self.living(self.world.powens.reals[real_id])
                if there is not None:
                    asked.also[real_id].add(not there.disabled)
            for other in self.asked:
                if real_id in other.wants:
                    other.also.setdefault(real_id, set()).add(wanted)
                    asked.also.setdefault(real_id, set()).add(other.wants[real_id])
        self.asked.append(asked)
        return asked

    def answered(self, asked: Asked, recorded: bool | None, changed: Iterable[int] = ()) -> None:
        """How it went: recorded (changing these accounts), refused, or nobody knows (None)."""
        self.asked.remove(asked)
        if recorded is False:
            return
        for real_id, wanted in asked.wants.items():
            expected = self.expected[real_id]
            expected.allowed = asked.also.get(real_id, set()) | {wanted} | (set() if recorded else expected.allowed)
            if real_id in changed:
                expected.excused = False

    # --- what is written, and what is ordered

    def _updated(self, account: Account, disabled: bool, task: str) -> None:
        """Siblings are left alone: nothing is ordered that nobody asked for, but what puts a return right (rule 3)."""
        real = self.world.powens.real_of[account.id]
        expected = self.expected[real.id]
        asked_for = (not disabled) in expected.ordered
        returned = len(real.ids) > 1 or real.id in self.returned
        self.world.invariant(
            asked_for or returned,
            f"{task} {'disables' if disabled else 'enables'} {real.name} of connection {real.connection}, "
            "which nobody asked for",
        )
        others = self.world.working_on.get(connection_id(real.connection), [])
        if len(others) > 1:
            expected.allowed = {*expected.allowed, not disabled}

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
            if real is not None and self.living(real) is not None:
                recent = self.world.powens.absent.get(real.id, -RECENT) > now - RECENT
                # Its old id may be called deleted in an answer that leaves the new one out.
                _, held = self._held(real)
                renumbered = held is not None and held["powens_id"] != real.ids[-1]
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
        was, now = json.loads(before["document"]["S"]), json.loads(after["document"]["S"])
        for account in now.get("accounts", []):
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


type Judge = Callable[[], None]
