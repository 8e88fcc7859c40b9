"""The generated clients, and what makes programs of them. The fixtures are made once for a session."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".venvs/compilers/bin/node"
TSC = ROOT / ".venvs/compilers/node_modules/typescript/bin/tsc"

_JOURNEY = """
import { journey } from './journey.js';
await journey(process.argv[2], process.argv[3], (line) => console.log(line));
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What the command prints. A failure of it is one of the test, with what it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a client for each language."""
    folder = tmp_path_factory.mktemp("clients")
    run("make", "--no-print-directory", "clients", f"INTO={folder}")
    return folder / ".clients"


@pytest.fixture(scope="session")
def app(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app that has installed the TypeScript client, with the journey as its own code, both compiled.

    `node run.js <address> <token>` in it plays the journey.
    """
    folder = tmp_path_factory.mktemp("app")
    package = folder / "node_modules/synced-accounts"
    shutil.copytree(generated / "typescript", package)
    run(NODE, TSC, "--strict", "--project", package)
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(ROOT / "docs/clients/journey.ts", folder)
    run(NODE, TSC, "--strict", "--target", "es2022", "--module", "nodenext", "journey.ts", cwd=folder)
    (folder / "run.js").write_text(_JOURNEY)
    return folder
