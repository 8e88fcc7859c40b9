"""What a name may hold, whoever wrote it: a bank, Powens or a person. Standard library only.

A name is one line with at least one visible sign. Joiners inside words and emoji, flags, variation selectors and marks
are part of how people write and stay as they are; what only steers a terminal or the direction of the text around it
does not. Sizes are counted in bytes of UTF-8, as the table counts them.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

LONGEST_NAME_BYTES = 200
"""Of names from Powens, which are cut, and of people's own, which are refused."""

_JOINERS = "\u200c\u200d"
_ZERO_WIDTH_JOINER = "\u200d"
# Set around a text to turn its direction, and meant by nobody in a name: as a control character, it separates.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e")
# Of the format characters, those that are seen or that join. Marks of direction and widths of zero are dropped.
_KEPT_FORMATS = frozenset(
    f"{_JOINERS}\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
# Letters and symbols by their category that nobody sees.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_FLAG_OR_TAG = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)|[\U000e0000-\U000e0fff]")
_JOINING_NOTHING = re.compile(rf"(?<!\S)[{_JOINERS}]+")
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)
_HANGUL_VOWELS_AND_FINALS = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))
_VIRAMA = 9


def clean_name(text: str) -> str:
    """The text on one line, without what nobody sees; empty when no visible sign is left."""
    without_tags = _FLAG_OR_TAG.sub(lambda found: found[1] or "", text)
    line = " ".join("".join(map(_shown, without_tags)).split())
    name = _JOINING_NOTHING.sub("", line)
    begins = next((at for at, character in enumerate(name) if _visible(character)), None)
    return "" if begins is None else name[begins:]


def shortened(name: str, most: int = LONGEST_NAME_BYTES) -> str:
    """The beginning of a name that fits `most` bytes, cut where a reader sees a border between two signs."""
    if len(name.encode()) <= most:
        return name
    kept, size = "", 0
    for sign in _signs(name):
        size += len(sign.encode())
        if size > most:
            break
        kept += sign
    # One sign with marks without end: better less of it than no name.
    return (kept or name.encode()[:most].decode(errors="ignore")).rstrip(f" {_JOINERS}")


@lru_cache(maxsize=1024)
def plain_name(name: str) -> str:
    """What a name is compared by: banks and Powens write one name with and without capitals and accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _shown(character: str) -> str:
    if character in _KEPT_FORMATS or ord(character) in _TAGS:
        return character
    if character in _BLANKS:
        return " "
    match unicodedata.category(character):
        case "Cc" | "Co" | "Zs" | "Zl" | "Zp":
            return " "
        case "Cf":
            return " " if character in _OVERRIDES else ""
        case "Cs":
            return ""  # half a character: it cannot even be written
        case _:
            return character


def _visible(character: str) -> bool:
    # What this Python's Unicode does not know yet may be the newest emoji.
    return unicodedata.category(character)[0] in "LNPSC" and character not in _JOINERS


def _signs(name: str) -> Iterator[str]:
    """What readers take for one sign each, after UAX 29 as far as names need it."""
    begun, flags = 0, 0
    for at in range(1, len(name)):
        previous, following = name[at - 1], name[at]
        flags = flags + 1 if ord(previous) in _REGIONAL_INDICATORS else 0
        if not (_extends(following) or _reaches_on(previous) or (flags % 2 and ord(following) in _REGIONAL_INDICATORS)):
            yield name[begun:at]
            begun = at
    yield name[begun:]


def _extends(character: str) -> bool:
    point = ord(character)
    return (
        character in _JOINERS
        or unicodedata.category(character)[0] == "M"
        or point in _SKIN_TONES
        or point in _TAGS
        or any(point in jamo for jamo in _HANGUL_VOWELS_AND_FINALS)
    )


def _reaches_on(character: str) -> bool:
    return character == _ZERO_WIDTH_JOINER or unicodedata.combining(character) == _VIRAMA
