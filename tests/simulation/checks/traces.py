"""Nothing is left where nothing may be: of erased users, of users at Powens, of secrets."""

import json

from tests.simulation.checks.check import Check
from tests.simulation.people.memory import USERS


class Traces(Check):
    """Erasures, users at Powens, secrets."""

    def erasures(self) -> None:
        """Each has ended, once, and told; nothing of the user is left but what she did afterwards."""
        world, oracle = self.world, self.oracle
        left = sorted(set(oracle.erasing) - set(oracle.erased))
        self.hold(not left, f"erasures {left} have not ended")
        told: dict[str, str] = {}
        for event in world.aws.bus:
            if event["detail-type"] == "UserErased":
                told[event["detail"]["metadata"]["event_id"]] = event["detail"]["data"]["user_id"]
        self.hold(sorted(told.values()) == sorted(oracle.erasing.values()), "erasures and their events differ")
        for name, user in oracle.erasing.items():
            if self.people.last.get(user, 0) < oracle.erased[name]:
                items = [item["sk"]["S"] for item in world.table.items() if item["pk"]["S"] == f"USER#{user}"]
                self.hold(not items, f"{items[:3]} of {user} are left after her erasure")

    def powens_users(self) -> None:
        world = self.world
        held = {
            int(item["powens_user_id"]["N"])
            for item in world.table.items()
            if item["sk"]["S"] == "PROFILE" and "powens_user_id" in item
        }
        nobodys = set(world.powens.users) - held
        expected = {*world.powens.strays, *(world.powens.witnesses.intersection(world.powens.users) - held)}
        self.hold(nobodys == expected, f"users {sorted(nobodys)} at Powens are nobody's")
        listing = world.table.get("ORPHANS", "LISTING")
        assert listing is not None
        suspects = json.loads(listing["document"]["S"])["suspects"]
        self.hold({int(known) for known in suspects} == nobodys, f"{list(suspects)} are listed as orphans")
        # A witness whose answer got lost is left behind, and listed: `expected` says so above.
        ours = set(world.powens.permanent) - world.powens.witnesses
        permanent = ours - world.powens.deleted_users
        self.hold(len(permanent) <= len(USERS), f"{len(permanent)} users at Powens")

    def secrets(self) -> None:
        """No token, code, IBAN or text of Powens in a log, an event, a message or, in the clear, in the table."""
        world = self.world
        items = world.table.items()
        places = {
            "the log": world.logs.getvalue(),
            "an event": json.dumps(world.aws.bus),
            "the table": repr([item for item in items if not item["sk"]["S"].startswith("SESSION")]),
            "a message": repr([message.body for queue in world.queues.values() for message in queue.dead]),
            "an answer": "\n".join(self.people.problems),
        }
        for place, text in places.items():
            for secret in world.powens.secrets:
                self.hold(secret not in text, f"a secret is in {place}: {secret[:12]}…")
