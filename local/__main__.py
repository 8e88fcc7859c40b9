"""`python -m local <command>`: see the Makefile, which is how people call it."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.identity import DEMO_USERS, Issuer
from local.paths import RUNTIME_PYTHON, SAM_BIN, STATE

if TYPE_CHECKING:
    from local.stack import System


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="build and start the whole system; or update the stack of one that runs")
    run.add_argument("--port", type=int, default=_port("PORT", 8080), help="0 takes a free one")
    run.add_argument("--sandbox-port", type=int, default=_port("POWENS_SANDBOX_PORT", 8081), help="0 takes a free one")
    run.add_argument("--state", type=Path, help="folder for logs and scratch files")
    run.add_argument("--no-demo-data", action="store_true")
    run.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the template, instead of its default"
    )
    run.add_argument("--build", type=Path, help="artefacts of sam build to run, instead of building what is here")
    run.add_argument("--ignore-edits", action="store_true", help="run what was built, whatever is saved meanwhile")
    commands.add_parser("events", help="show the events of the running system")
    commands.add_parser("catalogue", help="renew the catalogue of institutions of the running system")
    token = commands.add_parser("token", help="print a bearer token")
    token.add_argument("user", choices=sorted(DEMO_USERS))
    commands.add_parser("endpoint", help="print the environment that leads AWS tools to the running system")
    commands.add_parser("doctor", help="say whether the offline system can start")
    given = parser.parse_args()
    match given.command:
        case "run":
            return _run(given)
        case "events":
            return _events()
        case "catalogue":
            return _catalogue()
        case "endpoint":
            return _endpoint()
        case "token":
            port = _port("PORT", 8080)
            print(Issuer(f"http://localhost:{port}", STATE / "issuer.pem").token(given.user)[0])
            return 0
        case _:
            return _doctor()


def _port(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdigit() or int(value) > 65535:
        sys.exit(f"{name}={value} is no port")
    return int(value)


def _parameter(said: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not name or not equals:
        sys.exit(f"{said} is not NAME=VALUE")
    return name, value


def _state(port: int) -> Path:
    """The system on the usual port has `.local/logs`; another one beside it gets a folder of its own."""
    return STATE if port == 8080 else STATE / str(port)


def _run(given: argparse.Namespace) -> int:
    # Imported here: `make token` should answer at once.
    from local.build import BuildFailed  # noqa: PLC0415
    from local.deployment import DeploymentFailed  # noqa: PLC0415
    from local.stack import CannotStart, Settings, running  # noqa: PLC0415

    began = time.monotonic()
    parameters = dict(_parameter(said) for said in given.parameter)
    settings = Settings(
        given.port,
        given.sandbox_port,
        given.state or _state(given.port),
        demo_data=not given.no_demo_data,
        follow_edits=not given.ignore_edits,
        parameters=parameters,
        build=given.build and given.build.resolve(),
    )
    if (there := _described(settings.description)) is not None:
        return _update(there, settings.build, parameters)

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {line}", flush=True)

    async def work() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        starting = asyncio.create_task(_started(stop))
        try:
            return await starting
        except asyncio.CancelledError:
            return 130

    async def _started(stop: asyncio.Event) -> int:
        async with running(settings, say) as system:
            _greet(system, settings.logs, time.monotonic() - began)
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait({waiting, system.front}, return_when=asyncio.FIRST_COMPLETED)
            print("stopping", flush=True)
        return 0

    try:
        return asyncio.run(work())
    except CannotStart as error:
        print(f"cannot start: {error}", file=sys.stderr)
    except BuildFailed as error:
        print(f"{error}\ncannot start: sam build failed, see above", file=sys.stderr)
    except DeploymentFailed as error:
        print(f"cannot start: the template was not deployed: {error}", file=sys.stderr)
    return 1


def _greet(system: "System", logs: Path, seconds: float) -> None:
    for line in system.release.processed.dropped:
        print(f"         left out offline: {line}")
    for remark in system.remarks:
        print(f"         note: {remark}")
    port = int(system.url.rpartition(":")[2])
    token = f"$(make -s token USER=alice{_suffix(port)})"
    laps = ", ".join(f"{name} {lap} s" for name, lap in system.timings)
    print(
        f"""
Ready in {seconds:.1f} s ({laps}).

  the page             {system.url}/            sign in as Alice (two banks), Bob (one) or Carol (none)
  the Powens sandbox   {system.sandbox_url}/sandbox
  watch the events     make events{_suffix(port)}
  call the API         curl -H "authorization: Bearer {token}" {system.url}/v1/connections
  change the code      save: functions/ and shared/ are run at once, web/ shows when you reload
  deploy the rest      make run{_suffix(port)} in another terminal: the stack is updated, its data stays
  logs                 {logs}
  stop                 Ctrl-C
""",
        flush=True,
    )


def _suffix(port: int) -> str:
    return "" if port == 8080 else f" PORT={port}"


def _update(there: Mapping[str, Any], build: Path | None, parameters: Mapping[str, str]) -> int:
    """The running system keeps its tables, queues and users, and gets the next release: as `sam deploy` does on AWS."""
    print(f"a system runs at {there['url']}: updating its stack", flush=True)
    wanted = json.dumps({"build": build and str(build), "parameters": parameters}).encode()
    try:
        with urllib.request.urlopen(f"{there['plane_url']}/@deployments", wanted) as answer:  # noqa: S310
            changed = json.load(answer)["changed"]
    except urllib.error.HTTPError as refused:
        print(f"not updated: {json.load(refused)['error']}", file=sys.stderr)
        return 1
    print(f"updated: calls get another version of {', '.join(changed) or 'no function'}")
    return 0


def _described(description: Path) -> Any:
    """What a running system says of itself; None when there is none."""
    try:
        system = json.loads(description.read_text("utf-8"))
        urllib.request.urlopen(f"{system['url']}/config.json", timeout=5).close()  # noqa: S310
    except (OSError, urllib.error.URLError):
        return None
    return system


def _running_system() -> Any:
    """The same of the one at the usual place; when there is none, that is told."""
    system = _described(_state(_port("PORT", 8080)) / "system.json")
    if system is None:
        print("no system is running here: start one with make run, and give the same PORT", file=sys.stderr)
    return system


def _catalogue() -> int:
    import boto3  # noqa: PLC0415

    system = _running_system()
    if system is None:
        return 1
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    functions = session.client("lambda", endpoint_url=system["aws_endpoint"])
    name = system["functions"]["InstitutionCatalogueFunction"]
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    print(answer["Payload"].read().decode())
    return 1 if answer.get("FunctionError") else 0


def _events() -> int:
    import boto3  # noqa: PLC0415

    from local.spy import Spy  # noqa: PLC0415

    system = _running_system()
    if system is None:
        return 1
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    spy = Spy(
        lambda service: session.client(service, endpoint_url=system["aws_endpoint"]),  # type: ignore[call-overload]
        system["outputs"]["EventBusName"],
    )
    print("waiting for events; Ctrl-C ends", file=sys.stderr)
    try:
        while True:
            for event in spy.receive(wait_seconds=5):
                print(f"{event['time']} {event['detail-type']}")
                print(json.dumps(event["detail"], indent=2, ensure_ascii=False), flush=True)
    except KeyboardInterrupt:
        spy.close()
    except (BotoCoreError, ClientError):
        print("the system has stopped", file=sys.stderr)
    return 0


def _endpoint() -> int:
    """One line for `env`: what the AWS SDKs read, and STACK for `python -m ops`."""
    system = _running_system()
    if system is None:
        return 1
    print(
        f"AWS_ENDPOINT_URL={system['aws_endpoint']} AWS_DEFAULT_REGION=us-east-1 "
        f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test STACK={system['stack']}"
    )
    return 0


def _doctor() -> int:
    problems = []
    if sys.version_info[:2] != (3, 13):
        problems.append(f"python 3.13 is needed, this is {sys.version.split()[0]}")
    problems += [
        f"{path} is missing: make run makes it" for path in (RUNTIME_PYTHON, SAM_BIN / "sam") if not path.exists()
    ]
    for problem in problems:
        print(f"doctor: {problem}")
    if not problems:
        print("offline:     everything is there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
