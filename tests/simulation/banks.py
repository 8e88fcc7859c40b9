"""Accounts as banks really have them, and what stands in the fields of their answers.

A card or a savings account carries the IBAN of the current account, pockets are equal in all but their names, numbers
are masked or mere filler, and one IBAN is written in many ways. What identifies such an account is worked out here from
how it was made, and without a look at the product.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tests.ibans import iban

BANKS = ("Banque Horizon", "Banque du Fleuve", "Crédit Étoile")
FILLERS = ("XXXXXXXXXX42", "0000000000", "****1234", "N/A", "-")
"""Numbers that many accounts have, and that identify none."""

_TYPES = ("checking", "savings", "market", "card", "loan", "lifeinsurance")
_ON_ONE_IBAN = {1: "card", 2: "savings", 3: "market"}
"""The types of the accounts that may carry the first account's IBAN, by their place at the bank: each type once."""
_FAMILY = {
    "joint": "checking",
    "livret_a": "savings",
    "pea": "market",
    "mortgage": "loan",
    "capitalisation": "lifeinsurance",
}
"""The finer types, and what they are as users think."""
WISHED = {"savings": "savings", "market": "securities", "loan": "loan", "lifeinsurance": "life_insurance"}
"""Types of accounts that users wish for, by the family of Powens' words."""
_NOTHING: tuple[object, ...] = ("", 5, -1, [], {}, {"a": 1}, True, "\ud83d", "\u202edrow")
_NO_DATE: tuple[object, ...] = (
    "0000-00-00 00:00:00",
    "",
    "0000-00-00",
    5,
    {},
    [],
    "2026-13-45 10:00:00",
    "2031-01-01 00:00:00",
)

ODD_ACCOUNT: dict[str, tuple[object, ...]] = {
    "balance": ("1 234,56", "", [], {}, True),
    "name": (5, [], {}, True),
    "original_name": (5, [], {}),
    "last_update": _NO_DATE,
    "id_source": _NOTHING,
    "deleted": ("0", "", "0000-00-00 00:00:00", "null", "false", 0),
    "bookmarked": _NOTHING,
}
"""Values without a meaning, for the fields that neither identify nor select. `deleted`: all of them mean no."""
ODD_CONNECTION: dict[str, tuple[object, ...]] = {
    "last_update": _NO_DATE,
    "next_try": _NO_DATE,
    "created": _NO_DATE,
    "error_message": _NOTHING,
    "connector": (None, 5, "", []),
    "sources": (None, 5, "", {}, [5], [{}], [{"id": 81, "access_expire": "0000-00-00 00:00:00"}]),
}
NO_SELECTION: tuple[object, ...] = ({}, [], "", "0000-00-00 00:00:00", "maybe", 7)
NO_ID: tuple[object, ...] = (None, "", "x", {}, [], -1, 0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What one connection says of an account. `strong`: what identifies it, None when nothing does.

    `kind`: what is uncommon about it.
    """

    name: str
    iban: str | None
    number: str | None
    type: str
    strong: tuple[str, ...] | None
    kind: str | None = None


def family(kind: str) -> str:
    """The type as users think: only a bank knows its finer ones, and it changes them."""
    return _FAMILY.get(kind, kind)


def other_type(kind: str) -> str:
    """Another word for the same type of account."""
    finer = {family: finer for finer, family in _FAMILY.items()}
    return _FAMILY.get(kind) or finer.get(kind, kind)


def written(plain: str, way: float) -> str:
    """One IBAN in one of its spellings, `way` from 0 to 1."""
    fours = re.findall(".{1,4}", plain)
    ways = (plain, plain.lower(), " ".join(fours), "-".join(fours), f"IBAN {' '.join(fours)}", f"IBAN: {plain}")
    return ways[int(way * len(ways))]


def shape(roll: Callable[..., float], kinds: Collection[str], user: int, bank: int, nth: int) -> Shape:
    """The account of this user at this bank in this place: the same whoever connects it and whenever."""

    def account(place: int) -> str:
        return str(31415926535 + user * 1_000_003 + bank * 10_007 + place * 101)

    # One account in five is known by its number alone, as loans and securities are.
    def plain(place: int) -> bool:
        return roll("iban", user, bank, place) < 0.2

    name = f"Compte {BANKS[bank]} {nth}"
    number = account(nth)
    kind = _TYPES[nth % len(_TYPES)]
    first = None if plain(0) else iban(int(account(0)))
    drawn = roll("shape", user, bank, nth) if nth else 1.0
    if drawn < 0.3 and "shared IBAN" in kinds and first and nth in _ON_ONE_IBAN:
        shared = _ON_ONE_IBAN[nth]
        return Shape(name, first, number, shared, ("iban", first, shared), "shared IBAN")
    if drawn < 0.5 and "pocket" in kinds and nth < 3:
        strong = ("iban", first, "checking") if first else ("number", account(0), "checking")
        alike = roll("alike", user, bank) < 0.6
        called = f"Compte {BANKS[bank]} 0" if alike else name
        return Shape(called, first, account(0), "checking", strong, "namesake" if alike else "pocket")
    if drawn < 0.7 and "filler number" in kinds:
        filler = FILLERS[int(roll("filler", user, bank, nth) * len(FILLERS))]
        return Shape(name, None, filler, kind, None, "filler number")
    if drawn < 0.8 and "ill-formed IBAN" in kinds:
        right = iban(int(number))
        wrong = f"FR{(int(right[2:4]) + 1) % 100:02d}{right[4:]}"
        # No IBAN, yet whatever it is, it is this bank's name for one account.
        return Shape(name, wrong, None, kind, ("number", wrong, family(kind)), "ill-formed IBAN")
    own = None if plain(nth) else iban(int(number))
    strong = ("iban", own, family(kind)) if own else ("number", number, family(kind))
    return Shape(name, own, number, kind, strong)
