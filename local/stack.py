"""The whole system, assembled: what `make run` starts, and what the end-to-end tests start on other ports."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from local import processes
from local.build import BuildFailed
from local.deployment import STACK, DeploymentFailed, create_secrets
from local.double import Double, free_port
from local.front import LIVE_PATH, Front
from local.identity import AUDIENCE, Issuer
from local.intrinsics import Unresolvable
from local.invoke_endpoint import Deploy
from local.paths import LOCAL_PYTHON, ROOT, STATE, WEB, clean_environment
from local.plane import Plane
from local.releases import Release, Releases
from local.seed import Doors, SeedFailed, seed
from local.sockets import SocketApi

log = logging.getLogger(__name__)

POWENS_SECRET = "synced-accounts/dev/powens"  # noqa: S105 - the secret's name
WEBHOOK_SECRET = "synced-accounts/dev/webhook"  # noqa: S105 - the secret's name
TRACES_SECRET = "synced-accounts/dev/traces"  # noqa: S105 - the secret's name
CLIENT_ID = "10000001"
SANDBOX_SECONDS = 20.0
CATALOGUE_FUNCTION = "InstitutionCatalogueFunction"


class CannotStart(RuntimeError):
    """One line for the person who typed the command."""


@dataclass(frozen=True)
class Settings:
    """`port` and `sandbox_port` 0 take free ones. `state` is the folder for logs and scratch files. `follow_edits`:
    code that is saved while the system runs is run by it. `parameters`: values for parameters of the template, by name.
    `build`: artefacts of `sam build` to run, instead of building what is here.
    """

    port: int = 8080
    sandbox_port: int = 8081
    state: Path = STATE
    demo_data: bool = True
    follow_edits: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    build: Path | None = None

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def description(self) -> Path:
        """Where a running system says how to reach it (JSON)."""
        return self.state / "system.json"


@dataclass(frozen=True)
class System:
    """A running system."""

    url: str
    sandbox_url: str
    double: Double
    release: Release
    plane_url: str
    front: asyncio.Task[None]
    sandbox: subprocess.Popen[bytes]
    timings: tuple[tuple[str, float], ...]
    remarks: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """What another process needs in order to use it."""
        return {
            "url": self.url,
            "sandbox_url": self.sandbox_url,
            "aws_endpoint": self.double.endpoint,
            "plane_url": self.plane_url,
            "pid": os.getpid(),
            "stack": STACK,
            "outputs": dict(self.release.deployment.outputs),
            "functions": {function.logical_id: function.name for function in self.release.deployment.functions},
            "dropped": list(self.release.processed.dropped),
            "remarks": list(self.remarks),
            "timings": dict(self.timings),
        }


class _Server(uvicorn.Server):  # type: ignore[misc] # untyped where the linters run
    """Signals are the launcher's business: it has more to stop than this server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running(settings: Settings, say: Callable[[str], None] = print) -> AsyncIterator[System]:
    """Start everything, give it, stop everything. Raises CannotStart, BuildFailed or DeploymentFailed."""
    clock = _Clock()
    # Pollers, clients and process starts block a thread each; Python's own number is meant for something else.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(24, "blocking"))
    settings.logs.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as cleanup:
        listener = cleanup.enter_context(_listener(settings.port, "PORT"))
        port, sandbox_port = int(listener.getsockname()[1]), _sandbox_port(settings)
        url, sandbox_url = f"http://localhost:{port}", f"http://localhost:{sandbox_port}"
        keys = _Keys()

        say("building the functions")
        sandbox = _start_sandbox(settings, sandbox_port, url, keys)
        cleanup.push_async_callback(asyncio.to_thread, processes.stop, sandbox)
        double = Double(settings.state)
        cleanup.callback(double.stop)
        edited = settings.state / "edited" if settings.follow_edits else None
        releases = Releases(double, settings.logs, edited, _parameters(url, sandbox_url), say)
        cleanup.push_async_callback(releases.stop)
        await releases.start()
        artefacts, _ = await asyncio.gather(releases.build(settings.build), asyncio.to_thread(double.start))
        clock.lap("build")

        say("deploying template.yaml")
        await asyncio.to_thread(create_secrets, double, keys.secrets)
        release = await releases.deploy(artefacts, settings.parameters)
        plane, endpoint = releases.plane, releases.endpoint
        clock.lap("deploy")

        endpoint.sockets = SocketApi(release.processed.sockets, plane.invoke) if release.processed.sockets else None
        config = {"live_url": f"ws://localhost:{port}{LIVE_PATH}" if endpoint.sockets else None}
        releases.front = Front(
            release.processed.api,
            plane.invoke,
            Issuer(url, STATE / "issuer.pem"),
            WEB,
            config=config,
            sockets=endpoint.sockets,
        )
        serving = await _serve(releases.front, listener, settings.logs / "front.log", cleanup)
        await asyncio.gather(*(plane.warm(function.logical_id) for function in release.deployment.functions))
        await asyncio.to_thread(_wait_for_sandbox, sandbox, sandbox_url, settings)
        clock.lap("start")

        remarks = await _fill(plane, settings, Doors(url, sandbox_url), say)
        clock.lap("data")
        system = System(url, sandbox_url, double, release, endpoint.url, serving, sandbox, clock.laps, remarks)
        endpoint.deploy = _updates(releases, system, settings, say)
        _publish(system, settings.description)
        cleanup.callback(settings.description.unlink, missing_ok=True)
        yield system


def _updates(releases: Releases, system: System, settings: Settings, say: Callable[[str], None]) -> Deploy:
    """What `make run` asks of a system that runs already."""
    one_at_a_time = asyncio.Lock()

    async def update(wanted: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        async with one_at_a_time:
            say("updating the stack")
            try:
                artefacts = await releases.build(Path(wanted["build"]) if wanted["build"] else None)
                release = await releases.deploy(artefacts, wanted["parameters"])
            except (BuildFailed, DeploymentFailed, Unresolvable, ValueError) as error:
                say("not updated: everything runs as before")
                return False, {"error": str(error)}
            _publish(replace(system, release=release), settings.description)
            say(f"updated: {len(release.changed)} of {len(release.deployment.functions)} functions have a new version")
            return True, {"changed": release.changed}

    return update


@dataclass(frozen=True)
class _Keys:
    """What only this system knows, made anew at each start."""

    client_secret: str = field(default_factory=partial(secrets.token_urlsafe, 32))
    webhook_secret: str = field(default_factory=partial(secrets.token_urlsafe, 32))
    users_token: str = field(default_factory=partial(secrets.token_urlsafe, 32))
    identity_key: str = field(default_factory=partial(secrets.token_hex, 32))
    traces_key: str = field(default_factory=partial(secrets.token_hex, 32))

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """The values of Secrets Manager, by the secret's name."""
        powens = {
            "client_id": CLIENT_ID,
            "client_secret": self.client_secret,
            "identity_key": self.identity_key,
            "users_token": self.users_token,
        }
        return {
            POWENS_SECRET: powens,
            WEBHOOK_SECRET: {"current": self.webhook_secret},
            TRACES_SECRET: {"key": self.traces_key},
        }


def _sandbox_port(settings: Settings) -> int:
    """Raises CannotStart when it is taken."""
    if not settings.sandbox_port:
        return free_port()
    # Only looked at: the sandbox is a process of its own and takes its port by itself.
    with _listener(settings.sandbox_port, "POWENS_SANDBOX_PORT"):
        return settings.sandbox_port


async def _fill(plane: Plane, settings: Settings, doors: Doors, say: Callable[[str], None]) -> tuple[str, ...]:
    """The catalogue of institutions, and the demo data. Returns what did not work, for people to read."""
    remarks = []
    if (await plane.invoke(CATALOGUE_FUNCTION, b"{}")).error:
        # The schedule would renew it in an hour.
        remarks.append("there is no catalogue of institutions; make catalogue tries again")
    if settings.demo_data:
        say("making demo data")
        try:
            await asyncio.to_thread(seed, doors)
        except SeedFailed as error:
            remarks.append(f"demo data is not complete: {error}")
    return tuple(remarks)


def _publish(system: System, description: Path) -> None:
    """Renamed into place, so that who waits for it never reads half of it."""
    aside = description.with_suffix(".new")
    aside.write_text(json.dumps(system.describe(), indent=2), "utf-8")
    aside.rename(description)


class _Clock:
    def __init__(self) -> None:
        self._last = time.monotonic()
        self.laps: tuple[tuple[str, float], ...] = ()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps += ((name, round(now - self._last, 1)),)
        self._last = now


def _listener(port: int, name: str) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"port {port} is in use: is the system running already? Another one is taken with {name}=... make run"
        ) from error
    return listener


def _parameters(url: str, sandbox_url: str) -> dict[str, str]:
    """For the template. Only addresses and secrets differ from a deployment on AWS."""
    return {
        "Stage": "dev",
        "GradualDeployments": "false",
        "JwtIssuer": url,
        "JwtAudience": AUDIENCE,
        "PowensApiUrl": f"{sandbox_url}/2.0",
        "PowensWebviewUrl": sandbox_url,
        "PowensDomain": sandbox_url.removeprefix("http://"),
        "PublicUrl": url,
        "ReturnToAllowed": f"{url},wealthapp://",
        "CorsOrigins": url,
        "PowensSecretName": POWENS_SECRET,
        "WebhookSecretName": WEBHOOK_SECRET,
    }


def _start_sandbox(settings: Settings, port: int, url: str, keys: _Keys) -> subprocess.Popen[bytes]:
    environment = {
        **clean_environment(),
        "PYTHONDONTWRITEBYTECODE": "1",
        # What the person who types the command wants of the sandbox comes first; what joins the two comes last.
        **{name: value for name, value in os.environ.items() if name.startswith("POWENS_SANDBOX_")},
        "POWENS_SANDBOX_PORT": str(port),
        "POWENS_SANDBOX_CLIENT_ID": CLIENT_ID,
        "POWENS_SANDBOX_CLIENT_SECRET": keys.client_secret,
        "POWENS_SANDBOX_DOMAIN": f"localhost:{port}",
        "POWENS_SANDBOX_REDIRECT_URIS": f"{url}/v1/webview-return",
        "POWENS_SANDBOX_WEBHOOK_BASE_URL": f"{url}/webhooks/powens",
        "POWENS_SANDBOX_WEBHOOK_SECRET": keys.webhook_secret,
        "POWENS_SANDBOX_USERS_TOKEN": keys.users_token,
    }
    with (settings.logs / "powens-sandbox.log").open("wb") as output:
        return processes.start([str(LOCAL_PYTHON), "-m", "powens_sandbox"], env=environment, cwd=ROOT, output=output)


def _wait_for_sandbox(sandbox: subprocess.Popen[bytes], url: str, settings: Settings) -> None:
    deadline = time.monotonic() + SANDBOX_SECONDS
    while processes.alive(sandbox) and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/sandbox/health", timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise CannotStart(f"the Powens sandbox does not answer; its log is {settings.logs / 'powens-sandbox.log'}")


async def _serve(
    front: Front, listener: socket.socket, log_file: Path, cleanup: contextlib.AsyncExitStack
) -> asyncio.Task[None]:
    handler = logging.FileHandler(log_file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    cleanup.callback(handler.close)
    for name in ("local", "uvicorn"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        cleanup.callback(logger.removeHandler, handler)
    config = uvicorn.Config(
        front.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))

    async def stop() -> None:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    cleanup.push_async_callback(stop)
    while not server.started and not serving.done():  # noqa: ASYNC110 - the server tells nobody when it is ready
        await asyncio.sleep(0.01)
    return serving
