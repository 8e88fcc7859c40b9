"""The generated clients, made once for the session, and their compilers."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import world

__all__ = ["world"]

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / ".clients"
NODE = ROOT / ".venvs/compilers/bin/node"
TSC = ROOT / ".venvs/compilers/node_modules/typescript/bin/tsc"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What the command prints. A failure of it is one of the test, with what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def generated() -> Path:
    """The folder with a client for each language."""
    run("make", "--no-print-directory", "clients")
    return CLIENTS
