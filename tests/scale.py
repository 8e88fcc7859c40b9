"""What a month costs and which limit is met first: `make scale USERS=10000000`.

What a journey uses is measured: `tests/integration/test_usage.py` plays each of `JOURNEYS` and holds it to these
numbers, so a change that costs more is seen there and here. How often people and banks do what, how long a function
runs and what AWS charges are assumptions, each below. docs/scale.md says what to do about a limit.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.application.budget import CALLS_OF_A_READ
from shared.application.housekeeping import LONGEST_PLANNING, MOST_USERS
from tests.worlds.deployment import default

SECONDS_OF_A_MONTH = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What something uses, in the units that AWS bills. `queue_requests`: of SQS, those that poll included."""

    requests: float = 0
    invocations: Mapping[str, float] = field(default_factory=dict)
    write_units: float = 0
    read_units: float = 0
    key_calls: float = 0
    queue_requests: float = 0
    events: float = 0
    powens_calls: float = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            invocations=Counter(self.invocations) + Counter(other.invocations),
            **{name: getattr(self, name) + getattr(other, name) for name in _AMOUNTS},
        )

    def __mul__(self, times: float) -> "Usage":
        return Usage(
            invocations={name: count * times for name, count in self.invocations.items()},
            **{name: getattr(self, name) * times for name in _AMOUNTS},
        )


_AMOUNTS = ("requests", "write_units", "read_units", "key_calls", "queue_requests", "events", "powens_calls")

TOLD_ONCE = "a synchronisation, told by one webhook"
TOLD_TWICE = "a synchronisation, told by two webhooks"
TOLD_SEVEN_TIMES = "a synchronisation, told by seven webhooks in fourteen seconds"
LIST = "the list"
SELECTION = "a choice of accounts, until it is done"
PLANNED_READ = "a planned read of one connection"
JOURNEYS: dict[str, Usage] = {
    TOLD_ONCE: Usage(
        requests=1,
        invocations={"powens_webhook": 1, "read_back": 1, "outbox_publisher": 1},
        write_units=6,
        read_units=5,
        key_calls=1,
        queue_requests=3,
        events=1,
        powens_calls=2,
    ),
    TOLD_TWICE: Usage(
        requests=2,
        invocations={"powens_webhook": 2, "read_back": 3, "outbox_publisher": 1},
        write_units=8,
        read_units=12,
        key_calls=2,
        queue_requests=9,
        events=1,
        powens_calls=4,
    ),
    TOLD_SEVEN_TIMES: Usage(
        requests=7,
        invocations={"powens_webhook": 7, "read_back": 7, "outbox_publisher": 1},
        write_units=10,
        read_units=23,
        key_calls=3,
        queue_requests=22,
        events=1,
        powens_calls=6,
    ),
    LIST: Usage(requests=1, invocations={"accounts_api": 1}, read_units=1),
    SELECTION: Usage(
        requests=1,
        invocations={"accounts_api": 1, "account_commands": 1, "outbox_publisher": 2},
        write_units=20,
        read_units=6,
        key_calls=1,
        queue_requests=3,
        events=2,
        powens_calls=3,
    ),
    PLANNED_READ: Usage(
        invocations={"read_back": 1}, write_units=5, read_units=6, key_calls=1, queue_requests=3, powens_calls=2
    ),
}
"""A user with one connection of five accounts, three of them ticked; the process is warm."""

NAIVE = Usage(requests=1, invocations={"naive": 1}, write_units=6, read_units=2, key_calls=1, events=1, powens_calls=2)
"""For each webhook: read Powens at once, put the connection and its five accounts, publish. What fails is lost, and the
poller that finds it again is not in this."""

PRICES: dict[str, float] = {
    "requests": 1.00,
    "invocations": 0.20,
    "write_units": 0.625,
    "read_units": 0.125,
    "key_calls": 3.00,
    "queue_requests": 0.50,
    "events": 1.00,
}
"""Dollars a million, list prices of us-east-1, the first step of each scale: HTTP API, Lambda, DynamoDB on demand, KMS,
SQS FIFO, EventBridge custom events. Other regions differ by a fifth. What Powens charges is not in this."""
DOLLARS_A_GIGABYTE_SECOND = 13.3334 / 1e6
"""Of Lambda on arm64."""
DOLLARS_A_GIGABYTE_OF_LOGS = 0.50
LOG_BYTES = 1200
"""Of an invocation: ours and Lambda's own lines."""
GIGABYTES, OF_THE_API = 0.5, 1.0
"""Memory in the template."""
MILLISECONDS: dict[str, float] = {
    "powens_webhook": 10,
    "outbox_publisher": 20,
    "accounts_api": 15,
    "read_back": 20,
    "account_commands": 60,
    "naive": 60,
}
"""Billed of a warm invocation, without the waits for Powens."""
MILLISECONDS_OF_A_CALL = 170
"""To Powens: seen for reads, 0.36 s for the two of one read."""

CONNECTIONS = 1.7
"""Of a user."""
SYNCHRONISATIONS = 3.0
"""Of a connection and day, by Powens."""
OPENED, LISTS, SELECTIONS = 8, 3, 0.5
"""A month: how often a user opens the screen, what that asks for each time, and how often a choice is made."""
PLANNED_CALLS = 0.40
"""To Powens a user and day, where a tenth of the webhooks is lost (`make staleness`)."""
PEAK = 5.0
"""The busiest hour, of the mean: banks are read early in the morning."""
LOOKS_A_DAY = 1.0
SECONDS_OF_A_LOOK = 0.01
"""One list and one update."""


def dollars(usage: Usage) -> float:
    """Of AWS, for one of `usage`."""
    invoked = sum(usage.invocations.values())
    total = invoked * PRICES["invocations"]
    for name in _AMOUNTS:
        total += float(getattr(usage, name)) * PRICES.get(name, 0)
    seconds = usage.powens_calls * MILLISECONDS_OF_A_CALL / 1000 * GIGABYTES
    for name, count in usage.invocations.items():
        seconds += count * MILLISECONDS[name] / 1000 * (OF_THE_API if name == "accounts_api" else GIGABYTES)
    logs = invoked * LOG_BYTES / 1e9 * DOLLARS_A_GIGABYTE_OF_LOGS
    return total / 1e6 + seconds * DOLLARS_A_GIGABYTE_SECOND + logs


def parts(usage: Usage) -> dict[str, float]:
    """The same by what is paid for, the dearest first."""
    found = {name: dollars(Usage(**{name: getattr(usage, name)})) for name in _AMOUNTS if name != "powens_calls"}
    found["Lambda and logs"] = dollars(Usage(invocations=usage.invocations, powens_calls=usage.powens_calls))
    return dict(sorted(found.items(), key=lambda part: -part[1]))


def month() -> dict[str, Usage]:
    """What one user uses in a month, by journey."""
    return {
        TOLD_TWICE: JOURNEYS[TOLD_TWICE] * (CONNECTIONS * SYNCHRONISATIONS * 30),
        LIST: JOURNEYS[LIST] * (OPENED * LISTS),
        SELECTION: JOURNEYS[SELECTION] * SELECTIONS,
        PLANNED_READ: JOURNEYS[PLANNED_READ] * (PLANNED_CALLS * 30 / CALLS_OF_A_READ),
    }


class Wall(NamedTuple):
    """A limit: how much of it one user takes in the busiest hour, how much there is, and what to do about it.

    A quota is one that AWS raises on request; it is that of a large region.
    """

    name: str
    of_a_user: float
    most: float
    cure: str

    @property
    def users(self) -> float:
        return self.most / self.of_a_user


def walls() -> list[Wall]:
    """The one that the fewest users meet first."""
    used = sum(month().values(), Usage())
    second = PEAK / SECONDS_OF_A_MONTH
    synchronised = CONNECTIONS * SYNCHRONISATIONS / 86_400 * PEAK
    told = JOURNEYS[TOLD_TWICE]
    webhooks = synchronised * told.requests
    reading = synchronised * _seconds(told, "read_back")
    tapping = SELECTIONS * second * _seconds(JOURNEYS[SELECTION], "account_commands")
    pieces = synchronised * told.powens_calls / CALLS_OF_A_READ
    looks = 1440 * LONGEST_PLANNING.total_seconds() / SECONDS_OF_A_LOOK
    budget = "only where PowensCallsPerMinute is set"
    found = [
        _parameter("ReadBackConcurrency", reading),
        _parameter("CommandConcurrency", tapping),
        _parameter("WebhooksPerSecond", webhooks),
        _parameter("RequestsPerSecond", OPENED * LISTS * second),
        Wall("reads at once, of one queue", reading, 1000, "register CONNECTION_SYNCED alone"),
        Wall("functions at once, of an account", reading * 1.2, 1000, "quota"),
        Wall("requests a second, to all APIs of an account", webhooks, 10_000, "quota"),
        Wall("write units a second, of a table", used.write_units * second, 40_000, "quota"),
        Wall("read units a second, of a table", used.read_units * second, 40_000, "quota"),
        Wall("KMS calls a second, of all symmetric keys", used.key_calls * second, 5_500, "quota"),
        Wall("events a second, to all buses", used.events * second, 2_400, "quota"),
        Wall("requests a second, of a FIFO queue", webhooks, 2_400, "quota"),
        Wall("pieces of work a second, in one item", pieces, 1_000, budget),
        Wall("planned reads a day", PLANNED_CALLS / CALLS_OF_A_READ, 1440 * MOST_USERS, "set PowensCallsPerMinute"),
        Wall("looks of housekeeping a day", LOOKS_A_DAY, looks, "a change: passes by shard"),
    ]
    return sorted(found, key=lambda wall: wall.users)


def _parameter(name: str, of_a_user: float) -> Wall:
    return Wall(name, of_a_user, default(name), "parameter")


def _seconds(usage: Usage, function: str) -> float:
    """For which a function runs in a journey, waits for Powens included."""
    waits = usage.powens_calls * MILLISECONDS_OF_A_CALL
    return (waits + usage.invocations[function] * MILLISECONDS[function]) / 1000


def report(users: int) -> Iterator[str]:
    yield "a million synchronisations, in dollars:"
    for name in (TOLD_ONCE, TOLD_TWICE, TOLD_SEVEN_TIMES):
        usage = JOURNEYS[name]
        naive = dollars(NAIVE * usage.requests)
        ours = dollars(usage)
        yield f"  {name[19:]:42} {ours * 1e6:6.1f}, naive {naive * 1e6:6.1f}, ratio {ours / naive:.2f}"
    yield from _table("  of the one with two webhooks:", parts(JOURNEYS[TOLD_TWICE]), 1e6)
    yield ""
    yield f"a month of {users:,} users, in dollars:"
    yield from _table("", {name: dollars(usage) for name, usage in month().items()}, users)
    yield ""
    yield f"limits at {users:,} users, the first one first:"
    yield f"  {'limit':52} {'users':>12} {'needed':>10} {'there is':>10}  what to do"
    for wall in walls():
        yield f"  {wall.name:52} {wall.users:12,.0f} {wall.of_a_user * users:10,.0f} {wall.most:10,.0f}  {wall.cure}"


def _table(title: str, rows: Mapping[str, float], times: float) -> Iterable[str]:
    return [*([title] if title else []), *(f"  {name:52} {value * times:12,.1f}" for name, value in rows.items())]


if __name__ == "__main__":
    print("\n".join(report(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
