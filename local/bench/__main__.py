"""`make bench`: exits 1 when a function is slower than its limit allows.

Every sample is a new process under AWS's runtime client, from its start to its first answer. All handlers take turns,
so that a busy moment of the machine hits them alike, and the medians are compared as ratios within this one run. The
bare handler creates the same AWS client and answers without calling it; the functions do their work, on an AWS that
answers at once. Layer, functions and boto3 all come with bytecode. Beside them, the list on what others would take.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.bench.cases import CASES, environment, the_list
from local.bench.fake_aws import FakeAws
from local.bench.peers import PEERS
from local.build import built
from local.paths import PEER_PACKAGES, ROOT
from local.runtime_api import Function, Worker

COLD_SAMPLES = 11
WARM_SAMPLES = 100

_BARE = """
import boto3

client = boto3.client("{service}")


def handler(event, context):
    return {{"statusCode": 200, "body": ""}}
"""


@dataclass
class Samples:
    """Milliseconds."""

    cold: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__)
    parser.add_argument("--samples", type=int, default=COLD_SAMPLES, help="processes to start of each handler")
    return asyncio.run(_main(parser.parse_args().samples))


async def _main(number: int) -> int:
    aws = FakeAws()
    await aws.start()
    with built() as artefacts, tempfile.TemporaryDirectory() as scratch:
        samples = await _measure(artefacts, Path(scratch), aws, number)
    await aws.stop()
    return report(samples)


async def _measure(artefacts: Path, scratch: Path, aws: FakeAws, number: int) -> dict[str, Samples]:
    log = scratch / "functions.log"
    variables = environment(aws.url)
    runs: list[tuple[str, Function, bytes]] = []
    for service in sorted({case.client for case in CASES}):
        folder = scratch / service
        folder.mkdir()
        (folder / "bare.py").write_text(_BARE.format(service=service), "utf-8")
        runs.append((f"bare {service}", _function("bare.handler", (folder,), variables, log), b"{}"))
    for peer in PEERS:
        folder = scratch / peer.name.partition(",")[0].lower()
        folder.mkdir()
        (folder / "peer.py").write_text(peer.code, "utf-8")
        packages = PEER_PACKAGES if peer.own_packages else artefacts / "SharedLayer" / "python"
        if packages.exists():
            function = _function("peer.handler", (folder, packages), variables, log)
            runs.append((peer.name, function, json.dumps(the_list()).encode()))
    for case in CASES:
        path = (artefacts / case.logical_id, artefacts / "SharedLayer" / "python")
        function = _function(case.handler, path, variables, log)
        runs.append((case.name, function, json.dumps(case.event()).encode()))

    samples = {name: Samples() for name, _, _ in runs}
    for turn in range(number + 1):
        for name, function, event in runs:
            # The first turn fills the file cache and the bare handlers' bytecode; it does not count.
            await _sample(name, function, event, samples[name], counts=turn > 0, last=turn == number)
    return samples


def _function(handler: str, path: tuple[Path, ...], variables: object, log: Path) -> Function:
    return Function(
        logical_id=handler,
        name=handler.split(".")[-2],
        arn="arn:aws:lambda:us-east-1:000000000000:function:bench",
        handler=handler,
        path=path,
        environment=dict(variables),  # type: ignore[call-overload]
        timeout=30,
        memory_mb=1024,
        log=log,
    )


async def _sample(name: str, function: Function, event: bytes, samples: Samples, *, counts: bool, last: bool) -> None:
    worker = Worker(function)
    began = time.perf_counter()
    await worker.start()
    answer = await worker.invoke(event)
    cold = (time.perf_counter() - began) * 1000
    if answer.error or (b'"statusCode"' in answer.payload and b'"statusCode": 200' not in answer.payload):
        await worker.stop()
        said = answer.payload.decode(errors="replace")[:500]
        log = function.log.read_text("utf-8", "replace")[-2000:] if function.log else ""
        raise SystemExit(f"{name} does not answer as it should: {said}\n{log}")
    if counts:
        samples.cold.append(cold)
        samples.processor.append(worker.processor_seconds * 1000)
    if last:
        for _ in range(WARM_SAMPLES):
            samples.warm.append((await worker.invoke(event)).seconds * 1000)
    await worker.stop()


def report(samples: dict[str, Samples]) -> int:
    """Print the table; 1 when a function is slower than its limit allows, else 0."""
    number = min(len(taken.cold) for taken in samples.values())
    print(f"milliseconds, median of {number} processes each (warm: of {WARM_SAMPLES} events)\n")
    print(f"{'':22}{'cold':>8}{'(cpu)':>8}{'bare':>8}{'(cpu)':>8}{'ratio':>8}{'limit':>8}{'warm':>9}{'bare':>8}")
    slow = [
        case.name for case in CASES if case.name in samples and _line(case.name, case.client, case.cold_limit, samples)
    ]
    print("\nthe list, by what others would take:")
    for peer in PEERS:
        if peer.name in samples:
            _line(peer.name, "dynamodb", None, samples)
        else:
            print(f"{peer.name}: not measured, as {PEER_PACKAGES.relative_to(ROOT)} is not there")
    busy = os.getloadavg()[0]
    if busy > (os.cpu_count() or 1):
        print(f"\nthe machine is busy (load {busy:.1f}): times are longer than they would be, ratios less exact")
    if slow:
        print(f"\nslower than allowed: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


def _line(name: str, client: str, cold_limit: float | None, samples: dict[str, Samples]) -> bool:
    """Print the line of what has this name; True when it is over its limit."""
    own, bare = samples[name], samples[f"bare {client}"]
    cold, floor = statistics.median(own.cold), statistics.median(bare.cold)
    cpu, floor_cpu = statistics.median(own.processor), statistics.median(bare.processor)
    ratio = cold / floor
    limit = f"{cold_limit:.2f}" if cold_limit else "-"
    warm, bare_warm = statistics.median(own.warm), statistics.median(bare.warm)
    print(
        f"{name:22}{cold:8.0f}{cpu:8.0f}{floor:8.0f}{floor_cpu:8.0f}{ratio:8.2f}{limit:>8}{warm:9.2f}{bare_warm:8.2f}"
    )
    return cold_limit is not None and ratio > cold_limit


if __name__ == "__main__":
    sys.exit(main())
