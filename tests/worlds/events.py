"""What must be true of the published events, as a consumer of the bus sees them. Each check says what is wrong.

Details of events are plain data. `docs/reliability.md` names the promises.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.facts import FactType

type Detail = Mapping[str, Any]
"""An event's detail: `metadata` and `data`."""

WITHOUT_REVISION = {FactType.OPERATION_ENDED, FactType.ACCOUNT_NOW_AVAILABLE, FactType.USER_ERASED}
"""What changes no account and raises no revision of its own."""
STATE_EVENTS = tuple(kind.value for kind in FactType if kind not in WITHOUT_REVISION)


@dataclass(frozen=True)
class Published:
    """What was written down to be published, and what was seen of it. Both may hold an event more than once.

    The items are (detail type, detail).
    """

    expected: tuple[tuple[str, Detail], ...]
    seen: tuple[tuple[str, Detail], ...]

    @property
    def lost(self) -> set[str]:
        """Ids of events that were written and never came."""
        return {_id(d) for _, d in self.expected} - {_id(d) for _, d in self.seen}

    @property
    def unfounded(self) -> set[str]:
        """Ids of events that came and belong to no state."""
        return {_id(d) for _, d in self.seen} - {_id(d) for _, d in self.expected}

    @property
    def once(self) -> dict[str, tuple[str, Detail]]:
        """By id: what a consumer has that drops repeats."""
        return {_id(detail): (kind, detail) for kind, detail in self.seen}

    @property
    def repeats(self) -> int:
        """How many deliveries were repeats, which at-least-once allows."""
        return len(self.seen) - len(self.once)

    @property
    def doubled(self) -> list[str]:
        """Effects told twice under different ids: a revision of a connection, or the end of an operation."""
        revisions: Counter[tuple[str, int]] = Counter()
        ends: Counter[str] = Counter()
        for kind, detail in self.once.values():
            data = detail["data"]
            if kind in STATE_EVENTS:
                revisions[_ordered(data), data["revision"]] += 1
            elif kind == "OperationEnded":
                ends[data["operation_id"]] += 1
        twice = [f"revision {number} of {connection} was told {n} times"
                 for (connection, number), n in revisions.items() if n > 1]  # fmt: skip
        return twice + [
            f"the end of operation {operation} was told {n} times" for operation, n in ends.items() if n > 1
        ]

    def told_differently(self) -> list[str]:
        """Repeats of one event that do not say the same."""
        first: dict[str, Detail] = {}
        return [f"event {_id(d)} has two contents" for _, d in self.seen if first.setdefault(_id(d), d) != d]

    def of_connection(self, connection_id: str) -> list[Detail]:
        """The events that change this connection, in the order of their revisions."""
        own = [d for kind, d in self.once.values() if kind in STATE_EVENTS and _ordered(d["data"]) == connection_id]
        return sorted(own, key=lambda d: int(d["data"]["revision"]))

    def violations(self) -> list[str]:
        """Every event at least once, exactly once without repeats, and revisions without holes."""
        found = [f"event {event} was lost" for event in sorted(self.lost)]
        found += [f"event {event} belongs to no state" for event in sorted(self.unfounded)]
        found += self.doubled + self.told_differently()
        connections: dict[str, set[int]] = defaultdict(set)
        for kind, detail in self.once.values():
            if kind in STATE_EVENTS:
                connections[_ordered(detail["data"])].add(detail["data"]["revision"])
        for connection, revisions in connections.items():
            holes = set(range(1, max(revisions) + 1)) - revisions
            found += [f"revision {hole} of {connection} was never told" for hole in sorted(holes)]
        return found


def _ordered(data: Mapping[str, Any]) -> str:
    """Whose revisions these are: a connection's, or those of the one manual account."""
    return str(data.get("connection_id") or data["accounts"][0]["account_id"])


def _id(detail: Detail) -> str:
    return str(detail["metadata"]["event_id"])


def folded(details: Iterable[Detail]) -> dict[str, tuple[bool, str, str | None]]:
    """For each account, (enabled, type, currency): what a consumer knows after these events of one connection."""
    state: dict[str, tuple[bool, str, str | None]] = {}
    for detail in details:
        for line in detail["data"]["accounts"]:
            if line["change"] == "removed":
                state.pop(line["account_id"], None)
            else:
                state[line["account_id"]] = (line["enabled"], line["type"], line["currency"])
    return state


def fold_is_the_state(published: Published, shown: Iterable[Mapping[str, Any]], removed: Iterable[str]) -> list[str]:
    """Folding the events of a connection gives what the API shows; of a removed one, nothing."""
    found = []
    for connection in shown:
        details = published.of_connection(connection["id"])
        state = {a["id"]: (a["enabled"], a["type"], a["currency"]) for a in connection["accounts"]}
        if folded(details) != state:
            found.append(f"the events of {connection['id']} fold to {folded(details)}, the API shows {state}")
        if len(details) != connection["revision"]:
            found.append(f"{connection['id']} is at revision {connection['revision']} after {len(details)} events")
    for connection_id in removed:
        details = published.of_connection(connection_id)
        if folded(details):
            found.append(f"the events of {connection_id}, which is removed, leave {folded(details)}")
        last = details[-1]["data"]["accounts"] if details else []
        if any(line["change"] != "removed" for line in last):
            found.append(f"{connection_id} was told of after its removal")
    return found


def erased_for_good(seen: Iterable[tuple[str, Detail]], user_id: str) -> list[str]:
    """The end of a user is told, once but for repeats, and nothing new of that user afterwards.

    `seen`: what came over the bus, in order.
    """
    first: dict[str, str] = {}
    for kind, detail in seen:
        if detail["data"]["user_id"] == user_id:
            first.setdefault(_id(detail), kind)
    kinds = list(first.values())
    if kinds.count("UserErased") != 1:
        return [f"the erasure of {user_id} was told {kinds.count('UserErased')} times"]
    return [f"{kind} was told after the erasure of {user_id}" for kind in kinds[kinds.index("UserErased") + 1 :]]
