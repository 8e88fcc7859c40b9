"""Many seeds on several processes: `python -m tests.simulation SEEDS [FIRST_SEED] [PROCESSES]`, or `make simulate`."""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.simulation.many import Tally, some

CHUNK = 25


def main(seeds: int, first: int, processes: int) -> int:
    began = time.monotonic()
    whole = Tally()
    chunks = [range(at, min(at + CHUNK, first + seeds)) for at in range(first, first + seeds, CHUNK)]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for tally in (done.result() for done in as_completed([pool.submit(some, chunk) for chunk in chunks])):
            whole.add(tally)
            for _, story in tally.failed:
                print(story, flush=True)
            if whole.seeds % 1000 < CHUNK:
                print(f"{whole.seeds:,} seeds, {len(whole.failed)} failed", flush=True)
    print("\n".join(whole.report()))
    took = time.monotonic() - began
    print(
        f"{whole.seeds:,} seeds from {first} in {took:,.0f} s: {whole.seeds / took:.1f} a second, {processes} processes"
    )
    for seed, story in whole.failed:
        print(f"failed: seed {seed}: {story.splitlines()[0]}")
    return 1 if whole.failed else 0


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    given = dict(zip(("seeds", "first", "processes"), numbers, strict=False))
    sys.exit(main(given.get("seeds", 1000), given.get("first", 0), given.get("processes", 2)))
