"""IBANs and account numbers as identities: how they are written does not matter, and what identifies nothing is none.

Banks mask numbers, fill them with zeros and write "N/A" into them; two accounts that share such a text are not one.
Source: ISO 13616 and its registry for the lengths and the check digits of IBANs.
"""

import re
import unicodedata

_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN = re.compile(r"[A-Z]{2}(?:0[2-9]|[1-8][0-9]|9[0-8])[A-Z0-9]{11,30}")
_INTRODUCTION = re.compile(r"^IBAN(?:N[OR]?)?(?=[A-Z]{2}[0-9])")
_MASKS = re.compile(r"[*•●·∙#█▪■×?]|\.\.")
_MASKED = re.compile(r"^X|XX")
_CYCLES = ("0123456789" * 4, "9876543210" * 4)
_FEWEST_SIGNS = 4


def valid_iban(text: str) -> str | None:
    """The IBAN in capital letters and digits alone; None when its length or its check digits say that it is none."""
    iban = _plain(text)
    if iban is None or not _IBAN.fullmatch(iban) or _LENGTHS.get(iban[:2], len(iban)) != len(iban):
        return None
    turned = "".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])
    # An account of zeros alone can have right check digits.
    return iban if int(turned) % 97 == 1 and len(set(iban[4:])) > 1 else None


def identifying_number(text: str) -> str | None:
    """The number in capital letters and digits alone; None for a masked one, a filler or a placeholder."""
    number = _plain(text)
    if number is None or not any(sign.isdigit() for sign in number):
        return None
    significant = number.strip("0")
    if len(significant) < _FEWEST_SIGNS or len(set(number)) == 1 or any(number in cycle for cycle in _CYCLES):
        return None
    return number


def misshapen_iban(text: str) -> str | None:
    """What stands where an IBAN belongs and is none, where it can still be a number of its own bank; else None.

    Country and check digits are no part of a number, so they do not make a filler one.
    """
    number = _plain(text)
    return number if number is not None and identifying_number(number[4:]) is not None else None


def last_signs(text: str) -> str | None:
    """The last four letters and digits, also of a masked number; None for a filler and for what is too short.

    They identify nothing: they are for people, who see the same ones at their bank and in the Powens space.
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text).upper() if sign.isalnum())
    ending = plain[-_FEWEST_SIGNS:]
    told = len(ending) == _FEWEST_SIGNS and len(set(plain)) > 1 and any(sign.isdigit() for sign in ending)
    return ending if told else None


def _plain(text: str) -> str | None:
    """Without what only separates or introduces; None for a masked text."""
    upper = unicodedata.normalize("NFKC", text).upper()
    plain = "".join(sign for sign in upper if sign.isalnum())
    return None if _MASKS.search(upper) or _MASKED.search(plain) else _INTRODUCTION.sub("", plain)
