"""What `make` alone says, and that each folder of the tests can be run by its name."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Variables by which a make that runs these tests would speak to the one that they start.
_INHERITED = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "SUITE"}

EXPLAINED = re.findall(r"^([a-z-]+):.*## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
FOLDERS = {path.name: f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
FOLDERS["sandbox"] = "powens_sandbox/tests"


def make(*arguments: str, folder: Path = ROOT, before_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`before_path`: a folder whose programs are found first."""
    environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    if before_path is not None:
        environment["PATH"] = f"{before_path}:{environment['PATH']}"
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
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


# --- a machine that lacks something


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A clone in which nothing is installed."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "local" / "locks", folder / "local" / "locks")
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# Makes an environment in which pip finds no index.
WITHOUT_NETWORK = """
case "$*" in
  *venv*) mkdir -p .tools/bin; printf '#!/bin/sh\necho "ConnectionError: the index"; exit 1\n' >.tools/bin/python
          chmod +x .tools/bin/python ;;
esac
"""


@pytest.mark.parametrize(
    ("python", "told", "log"),
    [
        ("exit 127", "Python 3.13 is needed and was not found", ""),
        (WITHOUT_NETWORK, "Is there a network?", "ConnectionError: the index"),
    ],
)
def test_whoever_lacks_python_or_a_network_reads_one_sentence(
    fresh: Path, tmp_path: Path, python: str, told: str, log: str
) -> None:
    for name in ("python3.13", "python3"):
        program(tmp_path / "bin" / name, python)

    done = make("run", folder=fresh, before_path=tmp_path / "bin")

    *progress, sentence, error = done.stderr.splitlines()
    assert progress[:2] == [
        "This builds the functions, deploys them into an AWS double on this machine, and says what to open.",
        "The first time, tools are installed into this folder: about 450 MB, and a minute or two.",
    ]
    assert told in sentence
    assert "docs/troubleshooting.md" in sentence
    assert error.startswith("make: ***")
    assert (done.returncode, done.stdout) == (2, "")
    assert (fresh / ".tools" / "last.log").read_text().strip() == log


def test_another_python_is_not_enough(fresh: Path) -> None:
    program(fresh / ".tools/bin/uv", 'echo "No interpreter found for Python 3.13"; exit 1')

    done = make("token", folder=fresh)

    assert "Python 3.13 is needed and was not found" in done.stderr
    assert "No interpreter" not in done.stderr
    assert done.stdout == ""
