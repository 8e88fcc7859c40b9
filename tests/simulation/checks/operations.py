"""Operations end in time, and their ends are true."""

from shared.domain.connection import connection_id
from tests.simulation.checks.check import Check
from tests.simulation.engine import MICROSECONDS
from tests.simulation.oracle.memory import Ended

PASSES = 2
"""Undisturbed housekeeping passes within which an overdue operation is ended."""
GRACE_SECONDS = 90
LATE_ANSWERS = ("Powens outlives our patience", "Powens applies and times out", "Powens is slow", "slow AWS call")
"""How an answer to one of two workers may come late."""


class Operations(Check):
    """Operations, refreshes and their reasons."""

    def overdue(self) -> None:
        """No operation stays open past its deadline, once housekeeping had its passes."""
        world = self.world
        for name, (deadline, _) in self.oracle.open.items():
            later = [at for at in world.housekeeping_done if at > deadline + GRACE_SECONDS * MICROSECONDS]
            self.hold(len(later) < PASSES, f"operation {name} is open long past its deadline")

    def operations(self) -> None:
        """Each has ended, and those that failed have a reason that happened."""
        oracle = self.oracle
        self.hold(not oracle.open, f"operations {list(oracle.open)} are still open")
        for ended in oracle.ended.values():
            if ended.status == "completed":
                continue
            self.hold(
                self.explained(ended),
                f"operation {ended.id} ended {ended.status} ({ended.reason or ended.failed}) though nothing was wrong",
            )

    def refreshes(self) -> None:
        """What is said about a refresh is what Powens made of it."""
        powens, oracle = self.world.powens, self.oracle
        for ended in oracle.ended.values():
            if ended.kind != "refresh":
                continue
            taken = [at for at, c in powens.forced if connection_id(c) == ended.connection]
            mine = any(ended.created - MICROSECONDS <= at <= ended.at for at in taken)
            # Of two workers at once, the one that Powens refuses cannot know of the other before that has its answer.
            met = {
                fault.kind
                for fault, at in zip(self.world.chance.happened, self.world.chance.times, strict=True)
                if ended.created <= at <= ended.at
            }
            unknowable = "SQS delivers twice" in met and not met.isdisjoint(LATE_ANSWERS)
            self.hold(
                unknowable or not (mine and ended.reason == "refresh_refused"),
                f"refresh {ended.id} is said to be refused, and Powens was at it",
            )
            if ended.status == "completed" and ended.reason is None:
                known = oracle.successes[ended.connection]
                before = [success for at, success in known if at < ended.created]
                now = [success for at, success in known if at <= ended.at]
                self.hold(
                    not before or before[-1] is None or (now[-1] or "") > before[-1],
                    f"refresh {ended.id} is said to be done, and nothing is newer",
                )

    def explained(self, ended: Ended) -> bool:
        """Whether something went wrong while it was open, or shortly before."""
        since = ended.created - 400 * MICROSECONDS
        if any(since <= at <= ended.at for at in self.world.chance.times):
            return True
        for at, _, connection in self.world.powens.disturbances:
            mine = connection is None or connection_id(connection) == ended.connection
            if mine and since <= at <= ended.at:
                return True
        there = next(
            (c for c in self.world.powens.connections.values() if connection_id(c.id) == ended.connection), None
        )
        if there is not None and not self.world.powens.once_blurred.isdisjoint(there.accounts):
            return True
        if ended.kind == "refresh":
            # A state that asks for the user may have begun long before the refresh, and be over by now.
            states = [
                connection_id(at)
                for since, what, at in self.world.powens.disturbances
                if at is not None and what in ("state", "consent") and since <= ended.at
            ]
            return there is None or ended.connection in states
        return all(self.long_ago(our_id, reason, connection_gone=there is None) for our_id, reason in ended.failed)

    def long_ago(self, our_id: str, reason: str | None, *, connection_gone: bool) -> bool:
        """Whether an account or its connection went away, long before anybody here heard of it perhaps."""
        real = self.oracle.real(our_id)
        if reason == "identical_accounts":
            return real is not None and real.shared
        if reason == "unreadable_at_powens":
            return real is not None and not self.world.powens.once_blurred.isdisjoint(real.ids)
        if reason in ("closed_at_bank", "recreated_by_powens", "not_found_at_powens"):
            powens = self.world.powens
            vanished = real is not None and not powens.gone_since.keys().isdisjoint(real.ids)
            return vanished or (real is not None and real.id in powens.absent)
        return reason == "connection_removed" and connection_gone
