"""What all bodies of the HTTP API share: strictness, names, amounts, reasons and problems."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints

from shared.contracts.texts import Language, text
from shared.domain.names import LONGEST_NAME_BYTES, clean_name
from shared.domain.status import REASONS, NextStep, Reason, Who

Amount = Annotated[Decimal, PlainSerializer(lambda amount: format(amount, "f"), return_type=str)]


class Accepted(BaseModel):
    """A body that we accept: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(BaseModel):
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
    code: str
    message: str
    who_must_act: Who
    next_step: NextStep


class Health(Answered):
    status: Literal["ok"] = "ok"


class FieldError(Answered):
    field: str | None = None
    code: str
    message: str


class Problem(Answered):
    """RFC 9457, with a stable `code` and the `request_id` to quote."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | None = None
    errors: tuple[FieldError, ...] | None = None


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
