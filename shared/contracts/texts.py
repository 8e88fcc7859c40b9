"""The texts that the API shows to people, by key, from `locales/`: a JSON file for each language.

The files have the format of the page's (`web/locales/`): one flat object; `{name}` is a value to fill in; an object
with `one` and `other` has the forms of singular and plural, and `{count}` is the number.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

type Language = Literal["fr", "en"]
type Texts = Mapping[str, str | Mapping[str, str]]

_LOCALES = Path(__file__).parent / "locales"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def locale_texts(language: Language) -> Texts:
    """All texts in one language, read when the first of them is needed: a process may show none, or one language."""
    texts: Texts = json.loads((_LOCALES / f"{language}.json").read_bytes())
    return texts


def text(key: str, language: Language, **values: str | int) -> str:
    """The text for `key`, with `values` filled in; `count` picks the plural form.

    Raises KeyError for an unknown key and for a value that is not given: either is a bug.
    """
    entry = locale_texts(language)[key]
    template = entry if isinstance(entry, str) else entry[_plural_form(values["count"], language)]
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)


def _plural_form(count: str | int, language: Language) -> Literal["one", "other"]:
    """As Unicode has it (CLDR): none is singular in French and plural in English."""
    return "one" if count == 1 or (count == 0 and language == "fr") else "other"


def unnamed_institution_names() -> frozenset[str]:
    """What an institution without a name may be called on a screen, in the one or the other language."""
    return frozenset({text("unnamed_institution", "fr"), text("unnamed_institution", "en")})


def problem_text(code: str, language: Language, *, status: int) -> str:
    """The text of a problem; codes without a text of their own get that of their kind."""
    fallback = "temporarily_unavailable" if status == 503 else "internal_error" if status >= 500 else "invalid_request"
    key = f"problem.{code}"
    return text(key if key in locale_texts(language) else f"problem.{fallback}", language)


def language_of(accept_language: str | None) -> Language:
    """French or English by `Accept-Language` (RFC 9110), French when neither is asked for."""
    best: tuple[float, Language] = (0.0, "fr")
    for part in (accept_language or "").split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = 1.0
        name, _, value = parameters.strip().partition("=")
        if name == "q":
            try:
                weight = float(value)
            except ValueError:
                continue
        if primary == "fr" and weight > best[0]:
            best = (weight, "fr")
        elif primary == "en" and weight > best[0]:
            best = (weight, "en")
    return best[1]
