"""`make bench-page`: from *Terminer* to the new state on the screen, on a system of its own, in a real browser.

Starts what `make run` starts, on free ports, then leaves the measuring to `tests/web/bench_finish.py`, which is given
the address and prints p50 and p95. Exits with 1 when the 95th percentile is over the limit. Powens is the sandbox here,
which answers at once.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from local.paths import ROOT
from local.stack import Settings, running

RUNS = 50
_DEV_PYTHON = ROOT / ".venvs" / "dev" / "bin" / "python"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.bench.terminer", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="how often an account is ticked or unticked")
    return asyncio.run(_main(parser.parse_args().runs))


async def _main(runs: int) -> int:
    with tempfile.TemporaryDirectory() as state:
        async with running(Settings(0, 0, Path(state)), say=lambda _: None) as system:
            if system.remarks:
                print(f"nothing to measure: {'; '.join(system.remarks)}", file=sys.stderr)
                return 2
            command = [str(_DEV_PYTHON), "-m", "tests.web.bench_finish", system.url, str(runs)]
            return (await asyncio.to_thread(subprocess.run, command, cwd=ROOT, check=False)).returncode


if __name__ == "__main__":
    sys.exit(main())
