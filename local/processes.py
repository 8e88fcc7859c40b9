"""Child processes that cannot outlive the launcher.

Each child leads its own process group, so that Ctrl-C reaches the launcher alone, which then stops the children in
order. On Linux the kernel also kills every child when the launcher dies, even by SIGKILL. That signal is tied to the
*thread* that forked, not to the process: all children are therefore started by one thread that lives as long as the
launcher.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec only what is already in memory may be used safely.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes] | int,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group; stdout and stderr go to `output`. Raises OSError."""
    parent = os.getpid()

    def die_with_the_launcher() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    def spawn() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_the_launcher,  # noqa: PLW1509 - see above: it calls nothing but prctl
        )

    return _starter.submit(spawn).result()


def stop(process: subprocess.Popen[bytes], *, patience: float = 5.0) -> None:
    """Ask the process group to end, and kill it when it has not after `patience` seconds. Returns once it is gone."""
    for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
            return


def alive(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None
