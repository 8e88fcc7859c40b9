"""A real account that shows several times counts once."""

from datetime import datetime
from typing import Any

from tests.simulation.checks.check import Check
from tests.simulation.powens.reals import Real
from tests.worlds.powens.model import Account

type Copy = tuple[Real, Account, dict[str, Any]]
"""A real account, as Powens has it, and as a list shows it."""


class Copies(Check):
    """Copies of one account through several connections."""

    def counted(self, connections: list[dict[str, Any]]) -> None:
        """One real account counts once, and through the connection that says most about it (rule 6)."""
        powens = self.world.powens
        copies, blurred = self._copies(connections)
        for identity, found in copies.items():
            counting = [account for _, _, account in found if account["duplicate_of"] is None]
            if identity in blurred:
                continue
            if len({real.connection for real, _, _ in found}) < len(found):
                # Namesakes: which of one connection is which of another, nobody knows.
                self.hold(bool(counting), f"none of those that look like {found[0][0].name} counts")
                continue
            self.hold(len(counting) == 1, f"{found[0][0].name} counts {len(counting)} times")
            [counts] = counting
            others = {account["duplicate_of"] for _, _, account in found if account is not counts}
            self.hold(others <= {counts["id"]}, f"a copy of {found[0][0].name} is said to be another account's")
            if len(found) > 1 and not any(
                there.odd or powens.connections[real.connection].odd for real, there, _ in found
            ):
                self.best(found, counts)

    def _copies(self, connections: list[dict[str, Any]]) -> tuple[dict[str, list[Copy]], set[str]]:
        """The copies by identity, and identities of which some copy cannot be read or is gone at Powens."""
        copies: dict[str, list[Copy]] = {}
        blurred: set[str] = set()
        for account in (account for connection in connections for account in connection["accounts"]):
            real = self.oracle.real(account["id"])
            if real is None or account["status"] == "closed_at_bank":
                continue
            there = self.oracle.living(real)
            if there is None or self.blurred(real):
                blurred.add(real.identity)
            else:
                copies.setdefault(real.identity, []).append((real, there, account))
        return copies, blurred

    def best(self, found: list[Copy], counts: dict[str, Any]) -> None:
        """Enabled before disabled, then what works, then the newest success; what is equal in all may be either.

        Of an account that fails Powens dates the attempt, and whether its last success was ever read is not known here.
        """
        powens = self.world.powens
        powens.drawn["copies"] += 1

        def rank(real: Real, there: Account, success: datetime | None) -> tuple[object, ...]:
            works = powens.works(powens.connections[real.connection]) and there.error is None
            success = success.replace(microsecond=0) if success else None
            return (not there.disabled, works, success is not None, success)

        least, most = {}, {}
        for real, there, account in found:
            fails = there.error is not None
            least[account["id"]] = rank(real, there, None if fails else there.last_update)
            most[account["id"]] = rank(real, there, powens.succeeded[there.id] if fails else there.last_update)
        self.hold(
            most[counts["id"]] >= max(least.values()),
            f"of the copies of {found[0][0].name}, the one of {found[0][0].connection} counts: {most}",
        )
