"""What must be true once it is quiet, whatever happened before. Each check takes plain data and says what is wrong.

The data are what the outside sees: answers of the API, accounts as Powens has them; events are in `events.py`. An empty
list means that the promise was kept. `docs/reliability.md` names the promises.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

type Shown = Mapping[str, Any]
"""A connection or an operation as the API shows it."""

GRACE = timedelta(seconds=90)
"""How long after its deadline an operation may still be open: housekeeping looks once a minute."""


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
