"""What all bodies of the HTTP API share: strictness, names, amounts, reasons and problems."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from shared.contracts.texts import Language, text
from shared.domain.names import LONGEST_NAME_BYTES, clean_name
from shared.domain.status import REASONS, NextStep, Reason, Who

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda amount: format(amount, "f"), return_type=str),
    WithJsonSchema({"type": "string", "format": "decimal"}, mode="serialization"),
]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"}, mode="serialization")]


class Accepted(BaseModel):
    """A body that we accept: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(BaseModel):
    """A body that we answer."""

    model_config = ConfigDict(frozen=True)


def _own_name(written: str) -> str:
    name = clean_name(written)
    if not name or len(name.encode()) > LONGEST_NAME_BYTES:
        raise ValueError(f"a name has a visible sign and at most {LONGEST_NAME_BYTES} bytes")
    return name


Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=LONGEST_NAME_BYTES, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_own_name),
]
"""A name that a person gave: visible, on one line, at most LONGEST_NAME_BYTES long in UTF-8."""

DecimalText = Annotated[str, Field(pattern=r"^-?[0-9]{1,40}(\.[0-9]{1,18})?$")]
"""A decimal string, never a JSON number, which would lose digits on its way."""


class ReasonView(Answered):
    """Why something is as it is, who must act, and how."""

    code: str
    """Stable and free of language; the list may grow."""
    message: str
    """What to show to the user, in the language of the request."""
    who_must_act: Who
    """Whom it waits for."""
    next_step: NextStep
    """What to offer to the user."""


class Health(Answered):
    """Says that the API runs."""

    status: Literal["ok"] = "ok"
    """Always `ok`."""


class FieldError(Answered):
    """What is wrong with one part of the request."""

    field: str | None = None
    """Where: member names and positions joined by dots, a parameter or a header. Absent when it is the body as a
    whole."""
    code: str
    """Stable and free of language; the list may grow."""
    message: str
    """What to show to the user, in the language of the request."""


class Problem(Answered):
    """A problem as RFC 9457 has it, with a stable `code` and the `request_id` to quote."""

    type: str = "about:blank"
    """Always `about:blank`: the code says what it is."""
    title: str
    """The name of the HTTP status."""
    status: int
    """The HTTP status."""
    detail: str
    """What to show to the user, in the language of the request."""
    code: str
    """Stable and free of language; docs/errors.md lists all of them, and the list may grow."""
    request_id: str
    """To quote when asking for help: our logs are found by it."""
    field: str | None = None
    """The first part of the request that is at fault, as in `errors`."""
    errors: tuple[FieldError, ...] | None = None
    """Every part of the request that is at fault, at most 20."""


def reason_view(reason: Reason | None, language: Language) -> ReasonView | None:
    if reason is None:
        return None
    return ReasonView(
        code=reason.code,
        message=text(reason.code, language),
        who_must_act=reason.who_must_act,
        next_step=reason.next_step,
    )


def reason_by_code(code: str | None, language: Language) -> ReasonView | None:
    return reason_view(REASONS[code], language) if code is not None else None
