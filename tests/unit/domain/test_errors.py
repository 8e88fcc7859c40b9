"""The errors' own promises: a stable code, a text that is safe to log, and what a caller needs to react."""

import pytest

from shared.domain.errors import (
    AppError,
    BadSignature,
    Conflict,
    ConnectionLocked,
    InvalidInput,
    Misconfigured,
    NotFound,
    PowensNotFound,
    PowensRefused,
    PowensUnavailable,
    PreconditionFailed,
    Rejected,
    StoreUnavailable,
    Unavailable,
)


def test_an_error_without_a_text_shows_its_code() -> None:
    assert str(NotFound()) == NotFound().code == "not_found"
    assert str(Conflict(code="connection_removed")) == "connection_removed"
    assert str(Conflict("why", code="connection_removed")) == "why"


@pytest.mark.parametrize("error", [BadSignature(), Conflict(), InvalidInput(), NotFound(), PreconditionFailed()])
def test_what_the_caller_must_change_is_rejected(error: AppError) -> None:
    assert isinstance(error, Rejected)
    assert not isinstance(error, Unavailable)


@pytest.mark.parametrize("error", [ConnectionLocked(), PowensUnavailable(), StoreUnavailable()])
def test_what_may_work_later_is_unavailable(error: AppError) -> None:
    assert isinstance(error, Unavailable)
    assert not isinstance(error, Rejected)


def test_errors_carry_what_a_caller_needs_to_react() -> None:
    assert InvalidInput(field="currency").field == "currency"
    assert PowensUnavailable(retry_after=3).retry_after == 3
    refused = PowensNotFound(status=404, powens_code="notFound")
    assert (refused.status, refused.powens_code, isinstance(refused, PowensRefused)) == (404, "notFound", True)
    assert Misconfigured().code == "misconfigured"
