"""The errors' own promises: a stable code, a text that is safe to log, and what a caller needs to react."""

import ast
import re
from pathlib import Path

import pytest

from shared.domain import errors
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

SHARED = Path(__file__).parents[3] / "shared"


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


TREE = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, AppError)}


def test_the_tree_that_the_module_shows_has_every_error() -> None:
    assert errors.__doc__ is not None
    shown = errors.__doc__.partition("AppError\n")[2].partition("\n\n")[0]
    assert {"AppError", *re.findall(r"[A-Z]\w+", shown)} == TREE


def test_no_error_of_the_tree_lies_elsewhere() -> None:
    elsewhere = [
        f"{path}: {node.name}"
        for path in SHARED.rglob("*.py")
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id in TREE for base in node.bases)
    ]
    assert elsewhere == []
