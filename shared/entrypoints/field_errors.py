"""What is wrong with each part of a request that breaks a rule: stable codes of ours for what pydantic finds."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.api.bodies import FieldError
from shared.contracts.texts import Language, problem_text, text

LONGEST_FIELD = 100
"""Letters of a name that a client invented, which is the most that it is told back."""
MOST_ERRORS = 20

_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "exactly_one": "exactly_one",
    "enum": "not_allowed",
    "literal_error": "not_allowed",
    "string_pattern_mismatch": "wrong_format",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
}
"""Our code for a type of error of pydantic's; the types of a wrong type end with `_type` or `_parsing`."""


def field_errors(faults: Iterable[Mapping[str, Any]], language: Language) -> tuple[FieldError, ...]:
    """One for each of pydantic's faults, in their order, up to MOST_ERRORS."""
    return tuple(_field_error(fault, language) for fault in list(faults)[:MOST_ERRORS])


def named_errors(faults: Iterable[tuple[str, str]], language: Language) -> tuple[FieldError, ...]:
    """One for each field and the code of a problem with it."""
    return tuple(
        FieldError(field=field[:LONGEST_FIELD], code=code, message=problem_text(code, language, status=422))
        for field, code in list(faults)[:MOST_ERRORS]
    )


def _field_error(fault: Mapping[str, Any], language: Language) -> FieldError:
    kind, context = str(fault["type"]), fault.get("ctx", {})
    code = _CODES.get(kind) or ("wrong_type" if kind.endswith(("_type", "_parsing")) else "invalid")
    values = {
        "limit": context.get("max_length", 0),
        "allowed": ", ".join(re.findall(r"'([^']*)'", str(context.get("expected", "")))),
        "fields": context.get("fields", ""),
    }
    # Where it is: first the part of the request, then the way to the member.
    field = ".".join(str(part) for part in fault["loc"][1:])[:LONGEST_FIELD]
    return FieldError(field=field or None, code=code, message=text(f"field.{code}", language, **values))
