"""`sam build` for this machine's processor, once per content, with bytecode beside the sources.

Lambda's code folders are read-only, so without bytecode every cold start compiles everything again. A
build is kept under the digest of what went into it, and never changes once it is there: a running system keeps its own
while a newer one is made.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from local.paths import BUILDS, ROOT, RUNTIME_PYTHON, SAM_BIN, STATE, TEMPLATE, clean_environment

_KEPT = 3
_IN_USE = ".in-use"


class BuildFailed(RuntimeError):
    """`sam build` refused; its output has been printed."""


def architecture() -> str:
    """What SAM calls this machine's processor."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def digest(root: Path = ROOT) -> str:
    """Of every file that goes into the artefacts, and of the tools that make them."""
    files = [root / name for name in ("template.yaml", "local/locks/sam.txt", ".python-version")]
    files += [path for folder in ("shared", "functions") for path in _sources(root / folder)]
    return _digest(root, files)


def content(folder: Path) -> str:
    """A name for what a folder of an artefact holds, bytecode aside: the same whenever the code is."""
    return _digest(folder, _sources(folder))


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _digest(root: Path, files: Iterable[Path]) -> str:
    total = hashlib.sha256(architecture().encode())
    for path in sorted(files):
        total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


@contextlib.contextmanager
def built() -> Iterator[Path]:
    """The build's folder, made when its content is new, kept as long as the context lasts. Raises BuildFailed."""
    target = BUILDS / digest()
    with contextlib.ExitStack() as kept:
        with _one_at_a_time():
            if (target / "template.yaml").exists():
                os.utime(target)
            else:
                _make(target)
            in_use = kept.enter_context((target / _IN_USE).open("w"))
            fcntl.flock(in_use, fcntl.LOCK_SH)
            _forget_old()
        yield target


def _make(target: Path) -> None:
    BUILDS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILDS, prefix="making-") as scratch:
        out = Path(scratch) / "out"
        environment = clean_environment()
        environment |= {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "http", "NO_PROXY"))
        }
        environment |= {
            # SAM takes the first python3.13 on the path, and needs one that has pip.
            "PATH": f"{SAM_BIN}:{environment.get('PATH', '')}",
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [str(SAM_BIN / "sam"), "build", "--template-file", str(TEMPLATE), "--build-dir", str(out)]
        command += ["--cached", "--cache-dir", str(STATE / "sam-cache"), "--parallel"]
        command += ["--parameter-overrides", f"Architecture={architecture()}"]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise BuildFailed(result.stdout + result.stderr)
        subprocess.run(
            [str(RUNTIME_PYTHON), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(out)],
            env=clean_environment(),
            check=True,
            capture_output=True,
        )
        out.rename(target)


def _forget_old() -> None:
    """Keep the newest, and whatever a running system holds."""
    builds = sorted((path for path in BUILDS.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in builds[:-_KEPT]:
        with (path / _IN_USE).open("w") as in_use:
            try:
                fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
