"""What a newer release has stored and this one does not know: it is kept, and nothing is claimed of it (ADR 0044)."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Part of a stored document. `unknown`: its members that this release does not know, as a JSON object; mostly "".

    It goes wherever `replace` takes the part, and two parts that differ in it alone are equal.
    """

    unknown: str = field(default="", compare=False, repr=False)


def value_of[Values: StrEnum](values: type[Values], text: str) -> Values:
    """The value that has this text; for one of a newer release a value by itself, which `is` none of those known here.

    For what is stored only: what a request says must be known.
    """
    try:
        return values(text)
    except ValueError:
        unknown = str.__new__(values, text)
        unknown._name_ = unknown._value_ = text
        return unknown


def known[Values: StrEnum](value: Values, otherwise: Values) -> Values:
    """The value, or `otherwise` for one of a newer release: what leaves this one says what it has promised to say."""
    return value if value in list(type(value)) else otherwise
