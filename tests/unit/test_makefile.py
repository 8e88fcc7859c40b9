"""What `make` alone says, and that each folder of the tests can be run by its name."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Variables by which a make that runs these tests would speak to the one that they start.
_INHERITED = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "SUITE"}

EXPLAINED = re.findall(r"^([a-z-]+):.*## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
FOLDERS = {path.name: f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
FOLDERS["sandbox"] = "powens_sandbox/tests"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_says_each_target_with_its_whole_text_in_one_line() -> None:
    first, *lines = make("help").stdout.splitlines()

    assert first == "synced-accounts: what you can type"
    assert [line.split(maxsplit=2)[1:] for line in lines] == [list(explained) for explained in EXPLAINED]
    assert any("commands|refresh|outbox" in line for line in lines)


@pytest.mark.parametrize("suite", sorted(FOLDERS))
def test_a_folder_of_the_tests_runs_by_its_name_and_alone(suite: str) -> None:
    done = make("--dry-run", "test", f"SUITE={suite}")

    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "pytest" in line] == [
        f".venvs/dev/bin/pytest -q {FOLDERS[suite]}"
    ]


def test_a_folder_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    done = make("--dry-run", "test", "SUITE=units")

    assert done.returncode != 0
    assert sorted(done.stderr.partition("SUITE is one of: ")[2].partition(".")[0].split()) == sorted(FOLDERS)
