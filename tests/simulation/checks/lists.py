"""What a user sees in the end is what Powens has, and what was chosen last."""

from typing import Any

from shared.domain.connection import connection_id
from tests.simulation.checks.belongings import Belongings
from tests.simulation.checks.check import Check
from tests.simulation.checks.copies import Copies
from tests.simulation.engine import MICROSECONDS
from tests.simulation.powens.reals import Real
from tests.worlds.events import Published, folded
from tests.worlds.powens.model import Account

FRESH_SECONDS = 27 * 3600
"""After which data is not fresh any more, with an hour of grace."""


class Lists(Check):
    """The connections of a user, account by account."""

    def user(self, user: str) -> None:
        world, oracle = self.world, self.oracle
        screen = self.get(user, "/v1/connections")
        belongings = Belongings(world, oracle, self.people)
        belongings.manual(user, screen["manual_accounts"])
        belongings.wishes(user, {wish["id"]: wish for wish in screen["wishes"]})
        listed = {c["id"]: c for c in screen["connections"]}
        there = {
            connection_id(c.id): c
            for c in world.powens.connections.values()
            if c.user in self.people.powens_users[user]
        }
        self.hold(set(listed) == set(there), f"{user} sees {len(listed)} connections, Powens has {len(there)}")
        for name, connection in listed.items():
            document = oracle.document(there[name].id)
            assert document is not None
            self.hold(document.get("state") == there[name].state, f"the state of {there[name].id} is not Powens'")
            self.connection(connection, there[name].id)
        for powens_id, owner in oracle.owner.items():
            if owner == user and powens_id not in self.oracle.forgotten:
                name = connection_id(powens_id)
                shown = listed.get(name)
                accounts = shown["accounts"] if shown else []
                state = {a["id"]: (a["enabled"], a["type"], a["currency"]) for a in accounts}
                self.hold(self.folded(name) == state, f"the events of {powens_id} fold to something else than it shows")
        ids = [account["id"] for connection in listed.values() for account in connection["accounts"]]
        self.hold(len(ids) == len(set(ids)), f"{user} has two accounts of one id")
        Copies(world, oracle, self.people).counted(list(listed.values()))

    def connection(self, connection: dict[str, Any], powens_id: int) -> None:
        world, oracle = self.world, self.oracle
        self.hold(bool(connection["institution"]["name"]), f"the bank of {powens_id} has no name")
        synchronised = world.powens.synchronised[powens_id]
        old = world.engine.at - synchronised > FRESH_SECONDS * MICROSECONDS
        self.hold(not old or connection["freshness"] != "fresh", f"the old data of {powens_id} is said to be fresh")
        shown: dict[int, list[dict[str, Any]]] = {}
        for account in connection["accounts"]:
            real = oracle.real(account["id"])
            self.hold(real is not None, "an account that Powens never had")
            assert real is not None
            if real.connection != powens_id:
                self.hold(account["status"] == "closed_at_bank", f"{real.name} has moved, and is still in {powens_id}")
                continue
            shown.setdefault(real.id, []).append(account)
        for real in world.powens.reals.values():
            if real.connection == powens_id:
                self.account(real, shown.get(real.id, []), f"{real.name} of {powens_id}")
        self.namesakes(connection, powens_id)

    def account(self, real: Real, accounts: list[dict[str, Any]], called: str) -> None:
        """One real account as the list of its connection shows it."""
        oracle = self.oracle
        there, expected = oracle.living(real), oracle.expected[real.id]
        if oracle.namesake(real):
            return
        if there is None and not self.blurred(real):
            self.hold(
                all(a["status"] == "closed_at_bank" for a in accounts), f"{called} is gone, and not shown as closed"
            )
            return
        if there is None:
            return  # what nobody can read is not known to be gone
        if self.blurred(real):
            # An old id may have been gone for long, and the bank may have closed it before: that was read.
            newest = [a for a in accounts if a["id"] == oracle.known_as(real)]
            self.hold(
                real.id in self.world.powens.absent or all(a["status"] != "closed_at_bank" for a in newest),
                f"{called} is shown as closed, which nobody could read",
            )
            return
        self.hold(len(accounts) == 1, f"{called} is shown {len(accounts)} times")
        [account] = accounts
        self.hold(
            account["enabled"] is not there.disabled,
            f"{called} is {'off' if there.disabled else 'on'} at Powens and shown otherwise",
        )
        self.hold(account["status"] in ("enabled", "disabled", "failed"), f"{called} is {account['status']} at the end")
        if len(expected.allowed) == 1:
            oracle.certain += 1
        else:
            oracle.uncertain += 1
        self.hold(
            account["enabled"] in expected.allowed,
            f"{called} is {'on' if account['enabled'] else 'off'}, against the newest choice",
        )
        if account["status"] == "failed":
            self.hold(expected.excused, f"{called} is shown as failed without a failure")
        self.hold(
            None in expected.names or account["name"] in expected.names, f"{called} has lost the name its user gave it"
        )
        if account["status"] == "disabled":
            self.hold(account["balance"] is None, f"{called} shows a balance, and nobody wants it")
        elif account["enabled"] or account["balance"] is not None:
            # A choice that failed may have been given up: then nobody wants it either.
            self.balance(real, there, account["balance"], called)

    def balance(self, real: Real, there: Account, shown: str | None, called: str) -> None:
        """What Powens says now; where it says nothing, what it said last, and never another account's."""
        powens = self.world.powens
        hidden = there.disabled and "no balance of the disabled" in powens.kinds
        if there.error is None and not hidden and "balance" not in there.odd:
            self.hold(shown is not None and float(shown) == there.balance, f"{called} shows {shown}, an old balance")
        elif shown is not None:
            self.hold(float(shown) in real.balances, f"{called} shows {shown}, which it never had")
        elif powens.once_spoilt.isdisjoint(real.ids):
            self.hold(real.id not in self.oracle.good, f"{called} shows no balance, and had one")

    def namesakes(self, connection: dict[str, Any], powens_id: int) -> None:
        """Of accounts that nothing tells apart and that were wanted otherwise, the user is asked."""
        alike = {}
        for account in connection["accounts"]:
            real = self.oracle.real(account["id"])
            if real is not None and self.oracle.expected[real.id].alike and real.connection == powens_id:
                alike[real.id] = account
        asked = any(
            reason == "identical_accounts"
            for ended in self.oracle.ended.values()
            if ended.connection == connection["id"]
            for _, reason in ended.failed
        )
        differed = len(alike) > 1 and all(self.oracle.expected[real_id].missed for real_id in alike)
        # An answer that left some of them out may have left no doubt.
        if differed and not self.world.powens.misread:
            self.hold(asked, f"accounts of {powens_id} look alike, were wanted otherwise, and nobody was asked")

    def folded(self, connection: str) -> dict[str, tuple[bool, str, str | None]]:
        """What a consumer of the bus arrives at, by the published JSON alone."""
        seen = tuple((event["detail-type"], event["detail"]) for event in self.world.aws.bus)
        return folded(Published((), seen).of_connection(connection))
