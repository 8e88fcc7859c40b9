"""What nobody has confirmed is nobody's (ADR 0043)."""

from shared.domain.connection import connection_id
from tests.simulation.checks.check import Check


class Confirmations(Check):
    """Connections that their users have not said to be theirs."""

    def unconfirmed(self) -> None:
        """Nobody was told of them, nothing is kept of them, and Powens has them no more."""
        confirmed = self.people.confirmed
        for event in self.world.aws.bus:
            name = event["detail"]["data"].get("connection_id")
            self.hold(name is None or name in confirmed, f"an event tells of {name}, which nobody has confirmed")
        for powens_id in self.oracle.owner:
            document = self.oracle.document(powens_id) or {}
            if connection_id(powens_id) not in confirmed:
                self.hold(not document.get("accounts"), f"accounts of {powens_id} are kept, which nobody has confirmed")
        for connection in self.world.powens.connections.values():
            name = connection_id(connection.id)
            self.hold(name in confirmed, f"Powens still has {connection.id}, which nobody has confirmed")
