"""Wishes and manual accounts are what their users made of them."""

from typing import Any

from tests.simulation.checks.check import Check
from tests.simulation.engine import MICROSECONDS

UPSETTING = ("renumbered", "moved", "unreadable", "connection deleted", "user deleted at Powens", "odd field")
"""After what an account that is there may seem to come up."""
LATELY_SECONDS = 37 * 3600
"""Within which whatever shows at Powens has been read, webhooks or not."""


class Belongings(Check):
    """What a user has beside connections."""

    def wishes(self, user: str, shown: dict[str, Any]) -> None:
        """Granted, once, when the catalogue begins to give the type or an account of it comes up; open before that."""
        world, powens = self.world, self.world.powens
        told: dict[str, set[str]] = {}
        for event in world.aws.bus:
            if event["detail-type"] == "AccountNowAvailable":
                known = told.setdefault(event["detail"]["data"]["wish_id"], set())
                known.add(event["detail"]["metadata"]["event_id"])
        for wish_id, wish in self.people.users[user].wishes.items():
            self.hold(wish_id in shown, f"a wish of {user} is lost")
            granted = shown[wish_id]["available_at"] is not None
            powens.drawn["wish granted" if granted else "wish open"] += 1
            self.hold(len(told.get(wish_id, ())) == granted, f"a wish of {user} was granted, and not told once")
            mine = self.people.powens_users[user]
            came = [
                (at, real)
                for at, real, bank, kind in powens.appeared
                if (bank, kind) == (wish.bank, wish.kind) and self.oracle.owner[real.connection] == user
            ]
            lasting = any(
                at > wish.recorded and self.oracle.living(real) is not None and not self.blurred(real)
                for at, real in came
            )
            news = powens.news.get(wish.bank)
            seen = min(world.catalogue_renewed, default=wish.recorded)
            if lasting or (news is not None and max(seen, wish.recorded) < news):
                self.hold(granted, f"{user} wished for {wish.kind}, which is there, and was not told")
            upset = any("closed" in what or what in UPSETTING for _, what, _ in powens.disturbances)
            lately = any(at > wish.asked - LATELY_SECONDS * MICROSECONDS for at, _ in came)
            if not (upset or lately or powens.misread or news is not None):
                self.hold(not granted, f"{user} was told of {wish.kind}, which nobody gives: {mine}")

    def manual(self, user: str, shown: list[dict[str, Any]]) -> None:
        """Manual accounts are what she made of them, and the events say so too."""
        world, remembered = self.world, self.people.users[user]
        names = {account["id"]: account["name"] for account in shown}
        for manual_id, manual in remembered.manual.items():
            if manual.dropped is not None:
                there = manual_id in names
                self.hold(there is not manual.dropped, f"a manual account is {'' if there else 'not '}there")
            if manual_id in names:
                self.hold(names[manual_id] in manual.names, f"a manual account is called {names[manual_id]}")
        for manual_id, name in names.items():
            known = manual_id in remembered.manual or name in remembered.unclear
            self.hold(known, f"{user} never made the manual account {name}")
            told: dict[int, bool] = {}
            for event in world.aws.bus:
                data = event["detail"]["data"]
                for line in data.get("accounts", []):
                    if line["account_id"] == manual_id:
                        told[data["revision"]] = line["change"] != "removed"
            self.hold(bool(told) and told[max(told)], f"the events do not know the manual account {name}")
