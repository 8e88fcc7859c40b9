"""`docs/errors.md`, the API's description and the code agree about the errors there are."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain.errors import AppError, PowensRefused, Unavailable
from shared.entrypoints import field_errors, http
from tests import openapi

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
SOURCES = sorted(path for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py"))
OF_PARAMETERS = {"unknown_parameter", "repeated_parameter"}
"""Codes that are chosen before they are raised."""

type Pair = tuple[str, int]
"""A code and the status that it is answered with."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading; of the first one for ""."""
    section = PAGE.split(f"## {heading}\n")[1] if heading else PAGE
    table = re.search(r"\| --- .*\n((?:\|.*\n)+)", section)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def codes(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def errors(kind: type[AppError] = AppError) -> Iterator[type[AppError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from errors(child)


def answered(kind: type[AppError], code: str) -> Pair:
    """What the API answers when such an error reaches it."""
    status = next(status for known, status in http._STATUS if issubclass(kind, known))
    return (code if status < 500 or issubclass(kind, Unavailable | PowensRefused) else "internal_error"), status


@pytest.fixture(scope="module")
def raised() -> set[tuple[type[AppError], str]]:
    """Each class of error and each code that it has somewhere."""
    for path in SOURCES:
        if path.name != "__init__.py" and "functions" not in path.parts:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    kinds = {kind.__name__: kind for kind in errors()}
    found = {(kind, kind.code) for kind in kinds.values()}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                given = [word.value for word in node.keywords if word.arg == "code"]
                found |= {(kinds[node.func.id], str(c.value)) for c in given if isinstance(c, ast.Constant)}
    return found | {(kinds["InvalidInput"], code) for code in OF_PARAMETERS}


@pytest.fixture(scope="module")
def described() -> set[Pair]:
    """What the API's description says, over all operations."""
    return {
        (code, int(status))
        for methods in openapi.rendered()["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }


def of_the_edge() -> set[Pair]:
    """Problems that are no error of the tree: what cannot be read, what has no route, bugs."""
    source = (ROOT / "shared" / "entrypoints" / "http.py").read_text("utf-8")
    return {(code, int(status)) for status, code in re.findall(r'self\.problem\((\d+), "(\w+)"', source)}


def on_the_page() -> set[Pair]:
    return {(code, int(status)) for row in rows("") for code in codes(row[0]) for status in row[1].split(", ")}


def test_the_page_and_the_description_have_the_same_codes_and_statuses(described: set[Pair]) -> None:
    # An address that does not exist is none of an operation's.
    assert on_the_page() == described | {("route_not_found", 404)}


def test_whatever_is_described_can_happen(raised: set[tuple[type[AppError], str]], described: set[Pair]) -> None:
    assert described <= {answered(*each) for each in raised} | of_the_edge()


def test_every_code_of_the_source_is_on_the_page_and_no_other(raised: set[tuple[type[AppError], str]]) -> None:
    logged = {code for row in rows("In our logs only") for code in codes(row[0])}
    told = {code for code, _ in on_the_page()}

    assert logged.isdisjoint(told)
    assert logged | told == {code for _, code in raised} | {code for code, _ in of_the_edge()}


def test_no_code_stands_on_the_page_twice() -> None:
    listed = [code for heading in ("", "In our logs only") for row in rows(heading) for code in codes(row[0])]
    assert len(listed) == len(set(listed))


def test_every_code_says_what_it_means_who_must_act_and_whether_to_try_again() -> None:
    for code, statuses, meaning, who, again in rows(""):
        assert meaning, code
        assert re.match(r"the client|the user|we\b|nobody", who), code
        assert again in {"yes", "no", "once"}, code
        assert statuses != "503" or again == "yes", code


def test_the_codes_of_fields_are_those_that_are_made() -> None:
    made = {*field_errors._CODES.values(), "wrong_type", "invalid"}
    assert {code for row in rows("In `errors`") for code in codes(row[0])} == made


def test_the_codes_that_are_chosen_before_they_are_raised_are_in_the_source() -> None:
    source = (ROOT / "shared" / "entrypoints" / "http.py").read_text("utf-8")
    assert all(f'"{code}"' in source for code in OF_PARAMETERS)
