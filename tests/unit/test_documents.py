"""What can be held of the documents: links lead somewhere, decisions have a status, short ones stay short."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
DOCUMENTS = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
        *(ROOT / "powens_sandbox").rglob("*.md"),
    )
    if ".pytest_cache" not in path.parts
)
MOST_LINES = {"CONTRIBUTING.md": 90, "docs/glossary.md": 60, "tests/README.md": 40}
"""Who is new reads these first, as a whole."""


def of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """Without what stands in code, which may look like a link."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_every_link_within_the_repository_leads_to_a_file_and_a_heading_that_are_there(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document

        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_every_target_of_make_that_a_document_names_is_there(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make (?:-s )?([a-z][a-z-]*)", document.read_text("utf-8"), re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("decision", DECISIONS, ids=of)
def test_a_decision_says_its_status_and_date_as_the_table_of_decisions_does(decision: Path) -> None:
    number = decision.name[:4]
    title, status, *_ = decision.read_text("utf-8").split("\n\n")
    said = re.fullmatch(r"(Accepted|Replaced by \d{4}), (\d{4}-\d\d-\d\d)\.", status)
    table = (decision.parent / "README.md").read_text("utf-8")
    rows = re.findall(rf"^\| \[{number}\]\((.+?)\) \| .+ \| (.+?) \| (.+?) \|$", table, re.MULTILINE)

    assert title.startswith(f"# {number}: ")
    assert said is not None, f"{decision.name} begins with its status: Accepted, <date>."
    assert rows == [(decision.name, said[1].lower(), said[2])]


@pytest.mark.parametrize("name", MOST_LINES)
def test_what_is_read_first_stays_short(name: str) -> None:
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= MOST_LINES[name]


def test_the_guide_to_the_tests_has_a_row_for_each_suite() -> None:
    rows = re.findall(r"^\| \[?`(\w+)`", (ROOT / "tests" / "README.md").read_text("utf-8"), re.MULTILINE)
    suites = [path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))]

    assert sorted(rows) == sorted([*suites, "sandbox"])
