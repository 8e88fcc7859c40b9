"""What must be true once it is quiet, whatever happened before. Each check takes plain data and says what is wrong.

The data are what the outside sees: details of published events, answers of the API, accounts as Powens has them. An
empty list means that the promise was kept. `docs/reliability.md` names the promises.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

type Detail = Mapping[str, Any]
"""An event's detail: `metadata` and `data`."""
type Shown = Mapping[str, Any]
"""A connection or an operation as the API shows it."""

STATE_EVENTS = ("AccountsUpdated", "ConnectionUpdated", "ConnectionRemoved")
GRACE = timedelta(seconds=90)
"""How long after its deadline an operation may still be open: housekeeping looks once a minute."""


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
    """Whose revisions these are: a connection's, or those of the one account that its user keeps by hand."""
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


def fold_is_the_state(published: Published, shown: Iterable[Shown], removed: Iterable[str]) -> list[str]:
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


def same_at_powens(shown: Iterable[Shown], at_powens: Mapping[str, Mapping[str, bool]]) -> list[str]:
    """`at_powens`: by connection id, the accounts' names, unique in a bank here, and whether each is enabled."""
    ours = {c["id"]: {a["name"]: a["enabled"] for a in c["accounts"]} for c in shown}
    found = [f"{c} is shown and is not at Powens" for c in ours.keys() - at_powens.keys()]
    found += [f"{c} is at Powens and is not shown" for c in at_powens.keys() - ours.keys()]
    return found + [
        f"{c} shows {ours[c]}, Powens has {at_powens[c]}"
        for c in ours.keys() & at_powens.keys()
        if ours[c] != at_powens[c]
    ]


def balances_are_of_powens(shown: Iterable[Shown], at_powens: Mapping[str, Mapping[str, Decimal | None]]) -> list[str]:
    """Of what is synchronised; Powens may still change the rest. `at_powens`: by connection id and account's name."""
    return [
        f"{account['name']} of {connection['id']} shows {account['balance']}, Powens has {there[account['name']]}"
        for connection in shown
        if (there := at_powens.get(connection["id"], {}))
        for account in connection["accounts"]
        if account["enabled"] and account["name"] in there
        if amount(account["balance"]) != there[account["name"]]
    ]


def amount(written: str | float | None) -> Decimal | None:
    return None if written is None else Decimal(str(written))


def choices_are_kept(shown: Iterable[Shown], chosen: Mapping[str, bool]) -> list[str]:
    """`chosen`: by account id, the newest choice where it is known which one that is; siblings with their old one."""
    accounts = {a["id"]: a for c in shown for a in c["accounts"]}
    return [
        f"{i} ({accounts[i]['name']}) is {_word(accounts[i]['enabled'])}, chosen was {_word(wanted)}"
        for i, wanted in chosen.items()
        if i in accounts and accounts[i]["enabled"] is not wanted
    ]


def _word(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def at_rest(shown: Iterable[Shown]) -> list[str]:
    """No account claims to be on its way when nothing is under way."""
    return [
        f"{a['id']} is {a['status']}"
        for c in shown
        for a in c["accounts"]
        if a["status"] not in ("enabled", "disabled", "closed_at_bank")
    ]


def operations_have_ended(operations: Iterable[Shown], now: datetime) -> list[str]:
    """None is open; none stayed open past its deadline, give or take a pass of housekeeping."""
    found = []
    for operation in operations:
        deadline = datetime.fromisoformat(operation["deadline_at"]) + GRACE
        ended = datetime.fromisoformat(operation["ended_at"]) if operation["ended_at"] else None
        if ended is None:
            late = " past its deadline" if now > deadline else ""
            found.append(f"operation {operation['id']} is {operation['status']}{late}")
        elif ended > deadline:
            found.append(f"operation {operation['id']} ended {ended - deadline + GRACE} after its deadline")
    return found


def one_account_counts_once(shown: Iterable[Shown], same: Iterable[frozenset[str]]) -> list[str]:
    """`same`: sets of account ids that are one real account. One of each counts; the others name it."""
    accounts = {a["id"]: a for c in shown for a in c["accounts"]}
    found = []
    for group in same:
        there = [accounts[i] for i in group if i in accounts]
        counted = [a["id"] for a in there if a["duplicate_of"] is None]
        if there and len(counted) != 1:
            found.append(f"{len(counted)} of {sorted(a['id'] for a in there)} count, which are one account")
        found += [f"{a['id']} names {a['duplicate_of']}" for a in there if a["duplicate_of"] not in (None, *counted)]
    return found


def nothing_secret(texts: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """`texts` by where they are from, `secrets` by what they are. The secret itself is not repeated."""
    return [
        f"{what} is in {where}" for where, text in texts.items() for what, secret in secrets.items() if secret in text
    ]
