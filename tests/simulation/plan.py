"""What a seed plans: who does what and when, and what may go wrong how often.

Each seed has its own selection of faults and actions (swarm testing): a run in which everything goes wrong at once
never gets far enough for the rare things.
"""

import random
from dataclasses import dataclass

from tests.simulation.engine import Fault
from tests.simulation.people.memory import USERS, Action

FAULTS: dict[str, float] = {
    "killed before a call": 0.02,
    "killed after a call": 0.02,
    "slow AWS call": 0.02,
    "AWS throttles a read": 0.03,
    "AWS throttles a write": 0.03,
    "AWS request lost": 0.015,
    "AWS answer lost": 0.03,
    "transaction conflict": 0.05,
    "query answered in pages": 0.3,
    "SQS takes a part of a batch": 0.08,
    "SQS delivers twice": 0.05,
    "SQS forgets a deletion": 0.05,
    "EventBridge takes a part of a batch": 0.1,
    "EventBridge delivers twice": 0.1,
    "stream delivers a batch again": 0.1,
    "cold restart": 0.1,
    "scheduler misses a minute": 0.3,
    "Powens is slow": 0.05,
    "Powens answers 500": 0.04,
    "Powens throttles": 0.04,
    "Powens applies and times out": 0.04,
    "Powens applies too late": 0.02,
    "Powens answers garbage": 0.03,
    "Powens answers an empty list": 0.04,
    "Powens answers a part of a list": 0.05,
    "webhook lost": 0.2,
    "webhook doubled": 0.2,
    "webhook late": 0.15,
    "user's request lost": 0.04,
    "user's request doubled": 0.04,
    "user's answer lost": 0.05,
    "Powens outlives our patience": 0.3,
    "Powens refuses a synchronisation": 0.2,
    "Powens answers an odd field": 0.05,
    "Powens answers in pages": 0.3,
    "Powens answers an older date": 0.1,
    "webhook inflated on its way": 0.2,
    "webhook compressed": 0.2,
}
"""What can go wrong, and how often where a run has it at all."""

ACTIONS: dict[str, float] = {
    "open_screen": 2,
    "select": 8,
    "patch": 5,
    "undo": 3,
    "rename": 1,
    "refresh": 2,
    "end": 0.7,
    "history": 0.3,
    "operation": 0.5,
    "add_manual": 0.7,
    "change_manual": 0.8,
    "drop_manual": 0.4,
    "wish": 0.8,
    "export": 0.2,
    "erase": 0.35,
    "connect": 1.2,
    "manage": 4,
    "reconnect": 0.7,
    "sync": 2,
    "renumber": 1.5,
    "open_account": 0.8,
    "close_account": 1.2,
    "state": 0.8,
    "consent": 0.4,
    "revoke": 0.8,
    "lock": 0.8,
    "outage": 0.6,
    "throttle": 0.5,
    "gone": 0.3,
    "restart": 0.5,
    "connect_again": 1,
    "move": 1,
    "account_error": 1,
    "odd_field": 1,
    "unreadable": 1,
    "forbid": 0.5,
    "user_gone": 0.1,
    "dismiss": 0.2,
    "give_more": 0.4,
}

KINDS: dict[str, float] = {
    "shared IBAN": 0.5,
    "pocket": 0.4,
    "filler number": 0.4,
    "ill-formed IBAN": 0.3,
    "IBAN in other spellings": 0.4,
    "type flip": 0.4,
    "no balance of the disabled": 0.5,
    "vanishing id": 0.5,
    "categories": 0.3,
    "gone by another status": 0.7,
    "silent synchronisation": 0.4,
    "no next_try": 0.2,
    "wrong next_try": 0.2,
}
"""What banks and Powens may be like, and in which part of the runs: no faults, but the world as it is."""

SCREENS = 0.5
"""In which part of the runs screens stay open and are told of changes."""
RELEASES = 0.3
"""In which part of the runs a release is being deployed."""
RARE: dict[str, float] = {"long_outage": 0.06, "stray": 0.1}
"""What happens once at most, and in which part of the runs."""
LIMITS = (0, 0, 0, 24, 60)
"""Calls of Powens a minute (ADR 0021); 0 is no limit."""


@dataclass(frozen=True)
class Plan:
    """What is going to happen. `only`: the faults, when the plan is the replay of a run."""

    seed: int
    actions: tuple[Action, ...]
    rates: dict[str, float]
    skewed: bool
    calls_per_minute: int = 0
    kinds: tuple[str, ...] = ()
    two_releases: bool = False
    only: tuple[Fault, ...] | None = None


def plan_of(seed: int, *, most: int = 26) -> Plan:
    """A run of this seed: each has other faults, and one in eight has none."""
    dice = random.Random(f"plan {seed}")
    calm = dice.random() < 0.12
    strength = dice.choice((0.3, 1.0, 1.0, 2.0))
    share = dice.choice((0.15, 0.4, 0.7))
    rates = {} if calm else {kind: rate * strength for kind, rate in FAULTS.items() if dice.random() < share}
    actions = [Action(0, 1.0, "connect", USERS[0])]
    at = 90.0
    two = dice.random() < 0.4
    if two:
        actions.append(Action(1, 2.0, "connect", USERS[1]))
    if dice.random() < 0.1:
        actions.append(Action(len(actions), 1.0 + dice.random() / 10, "connect", USERS[0]))  # on two devices at once
    weights = {kind: weight * dice.choice((0.3, 1, 1, 3)) for kind, weight in ACTIONS.items()}
    kinds = list(weights)
    while len(actions) < most:
        at += _gap(dice)
        [kind] = dice.choices(kinds, [weights[kind] for kind in kinds])
        who = USERS[1] if two and dice.random() < 0.3 else USERS[0]
        actions.append(Action(len(actions), at, kind, who))
    skewed = dice.random() < 0.5
    for kind, share in RARE.items():
        if dice.random() < share:
            actions.append(Action(len(actions), 90 + dice.random() * (at - 90), kind, USERS[0]))
    # From dice of their own, so that runs without open screens are what they were.
    screens = random.Random(f"screens {seed}")
    if screens.random() < SCREENS:
        for _ in range(1 + int(screens.random() * 4)):
            who = USERS[1] if two and screens.random() < 0.3 else USERS[0]
            actions.append(Action(len(actions), 20 + screens.random() * at, "watch", who))
    actions.sort(key=lambda action: action.at)
    limit = dice.choice(LIMITS)
    met = tuple(kind for kind, share in KINDS.items() if dice.random() < share)
    two_releases = random.Random(f"releases {seed}").random() < RELEASES
    return Plan(seed, tuple(actions), rates, skewed, limit, met, two_releases)


def _gap(dice: random.Random) -> float:
    """Seconds until the next action: mostly moments, now and then hours."""
    size = dice.random()
    if size < 0.5:
        return dice.random() * 3
    if size < 0.8:
        return 5 + dice.random() * 240
    if size < 0.97:
        return 300 + dice.random() * 7200
    return 6 * 3600 + dice.random() * 20 * 3600
