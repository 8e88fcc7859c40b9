"""A listener of the events, to begin from: it keeps which accounts are enabled, as the API shows them.

Events come at least once and in any order (docs/events.md). Give each of them to `hear`, as EventBridge hands it over;
to replay an archive, give all of it to a new listener. A real one keeps its members in a database, in one transaction.
"""

from typing import Any

CHANGE_ACCOUNTS = {"AccountsUpdated", "ConnectionRemoved", "ConnectionUpdated"}


class Listener:
    def __init__(self) -> None:
        self.heard: dict[str, set[int]] = {}  # revisions, by connection or manual account
        self.lines: dict[tuple[str, str, str], tuple[int, dict[str, Any]]] = {}  # by user, that, and account
        self.done: set[str] = set()  # ids of events, and users who are erased

    def hear(self, event: dict[str, Any]) -> None:
        """Raises ValueError for an event that is to be repeated once a newer listener is there."""
        metadata, data = event["detail"]["metadata"], event["detail"]["data"]
        if metadata["schema_version"] > 1:
            raise ValueError("from a later release")
        if not self.done.isdisjoint({metadata["event_id"], data["user_id"]}):
            return  # a repeat, or somebody who is erased: nothing old may bring them back
        if event["detail-type"] == "UserErased":
            self.done.add(data["user_id"])
            self.lines = {key: line for key, line in self.lines.items() if key[0] != data["user_id"]}
        elif event["detail-type"] in CHANGE_ACCOUNTS:
            of = data.get("connection_id") or data["accounts"][0]["account_id"]
            self.heard.setdefault(of, set()).add(data["revision"])
            for line in data["accounts"]:
                key = (data["user_id"], of, line["account_id"])
                if data["revision"] > self.lines.get(key, (0, line))[0]:
                    self.lines[key] = (data["revision"], line)  # one that is removed stays, so that older news is none
        self.done.add(metadata["event_id"])

    def accounts(self, user_id: str) -> dict[str, dict[str, Any]]:
        """The newest line of each account that the user has."""
        newest = [line for key, (_, line) in self.lines.items() if key[0] == user_id and line["change"] != "removed"]
        return {line["account_id"]: line for line in newest}

    def is_complete(self, of: str) -> bool:
        """Whether no event about the connection, or manual account, is still to come before the newest one."""
        return len(self.heard.get(of, ())) == max(self.heard.get(of, ()), default=0)
