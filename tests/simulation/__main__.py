"""Many seeds on several processes: `python -m tests.simulation SEEDS [FIRST_SEED] [PROCESSES]`, or `make simulate`."""

import sys
import time

from tests.simulation.many import CHUNK, Tally, many


def main(seeds: int, first: int, processes: int) -> int:
    began = time.monotonic()
    whole = Tally()
    for tally in many(range(first, first + seeds), processes):
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
