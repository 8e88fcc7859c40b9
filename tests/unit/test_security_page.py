"""docs/security.md names only tests that there are, and answers no line without a proof or whose it is instead."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
TABLES = re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def rows(heading: str) -> list[list[str]]:
    (text,) = [text for name, text in TABLES if name.startswith(heading)]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_test_that_the_page_names_is_there(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert not name or name in functions_of(path)


def test_each_line_has_a_proof_or_says_that_it_is_somebody_elses() -> None:
    for heading in ("The doors", "OWASP", "ASVS"):
        for row in rows(heading):
            proof = row[-1]
            assert re.search(r"`tests/", proof) or (
                proof == "—" and re.search(r"not here|issuer's|Adopter|Python's", row[-2])
            ), row


def test_each_of_owasps_ten_and_each_kind_of_threat_is_answered() -> None:
    assert [row[0] for row in rows("OWASP")] == [f"API{number}" for number in range(1, 11)]
    kinds = {kind for row in rows("The doors") for kind in row[1].split(", ")}
    assert kinds == set("stride")


def test_each_chapter_of_asvs_that_is_about_a_service_is_answered() -> None:
    answered = {int(number) for row in rows("ASVS") for number in re.findall(r"(\d+)\.\d+\.\d+", row[0])}
    assert answered == set(range(1, 15))
