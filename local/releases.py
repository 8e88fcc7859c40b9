"""What runs of a release, and how the next one takes its place while people and webhooks go on."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local.build import built
from local.deployment import Deployer, Deployment
from local.double import Double
from local.edits import Edits, follow
from local.front import Front
from local.invoke_endpoint import InvokeEndpoint
from local.paths import ROOT
from local.plane import Plane
from local.runtime_api import Answer
from local.sources import Activity, Poller, SourceMapping, feeds
from local.template import Processed, process


@dataclass(frozen=True)
class Release:
    """What was deployed. `changed`: logical ids of the functions of which calls get another version than before."""

    processed: Processed
    deployment: Deployment
    changed: tuple[str, ...]


class Releases:
    """Deploys one release after the other, and runs what calls get of it. Lives in one event loop.

    `edited` is the folder for code that is saved meanwhile, None where that does not count. `fixed` are the parameters
    of the template that only this machine knows. `front` joins after the first deployment.
    """

    def __init__(
        self, double: Double, logs: Path, edited: Path | None, fixed: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self.plane = Plane(note=self._note)
        self.endpoint = InvokeEndpoint(self.plane)
        self.front: Front | None = None
        self._deployer = Deployer(double, logs)
        self._double, self._edited, self._fixed, self._say = double, edited, fixed, say
        self._parameters: dict[str, str] = {}
        self._builds = contextlib.ExitStack()
        self._number = 0
        self._edits: Edits | None = None
        self._following: asyncio.Task[None] | None = None
        self._pollers: dict[str, tuple[Poller, asyncio.Task[None]]] = {}
        self._fed_by: dict[str, list[Activity]] = {}

    async def start(self) -> None:
        await self.endpoint.start()
        if self._edited is not None:
            shutil.rmtree(self._edited, ignore_errors=True)

    async def stop(self) -> None:
        for task in (self._following, *(task for _, task in self._pollers.values())):
            await _end(task)
        await self.endpoint.stop()
        await self.plane.stop()
        self._builds.close()

    async def build(self, artefacts: Path | None) -> Path:
        """The folder of what is saved now, built; or the artefacts that are there already. Raises BuildFailed."""
        if self._edited is not None:
            # A folder of its own: what the last release took over is in use until this one is there.
            self._number += 1
            self._edits = Edits(ROOT, self._edited / str(self._number))
        if artefacts is not None:
            return artefacts
        # Kept until the end: a version that was published stays what it is.
        return await asyncio.to_thread(self._builds.enter_context, built())

    async def deploy(self, artefacts: Path, parameters: Mapping[str, str]) -> Release:
        """A parameter that is not given stays, as with `sam deploy`. Raises DeploymentFailed, Unresolvable."""
        wanted = {**self._parameters, **parameters}

        def deployed() -> tuple[Processed, Deployment]:
            processed = process(artefacts, {**wanted, **self._fixed}, invoke_url=self.endpoint.url)
            return processed, self._deployer.deploy(processed, management_url=self.endpoint.url)

        processed, deployment = await asyncio.to_thread(deployed)
        self._parameters = wanted
        return Release(processed, deployment, await self._run(processed, deployment))

    async def _run(self, processed: Processed, deployment: Deployment) -> tuple[str, ...]:
        await _end(self._following)
        changed = [function.logical_id for function in deployment.functions if await self.plane.put(function)]
        await self._poll(deployment)
        if self.front is not None:
            self.front.api = processed.api
        if self.endpoint.sockets is not None:
            self.endpoint.sockets.routes = processed.sockets
        if self._edits is not None:
            self._following = asyncio.create_task(follow(self._edits, self.plane, deployment.functions, self._say))
        return tuple(changed)

    async def _poll(self, deployment: Deployment) -> None:
        """A poller for each event source mapping. One that was there goes on where it is, also with other settings."""
        wanted = {mapping.id: mapping for mapping in deployment.mappings}
        for gone in self._pollers.keys() - wanted.keys():
            await _end(self._pollers.pop(gone)[1])
        self._fed_by.clear()
        for name, mapping in wanted.items():
            if name in self._pollers:
                poller, _ = self._pollers[name]
                poller.mapping = mapping
            else:
                poller = self._poller(mapping, deployment)
                self._pollers[name] = poller, asyncio.create_task(poller.run())
            for function in deployment.functions:
                if feeds(function.environment, mapping):
                    self._fed_by.setdefault(function.logical_id, []).append(poller.activity)

    def _poller(self, mapping: SourceMapping, deployment: Deployment) -> Poller:
        (function,) = (function for function in deployment.functions if function.logical_id == mapping.function)

        def client(service: str) -> Any:
            # The double does not see which stream a call is about, so it would refuse every role.
            return self._double.client(service, None if service == "dynamodbstreams" else function.credentials())

        return Poller(mapping, partial(self.plane.invoke, patient=True), client, Activity())

    async def _note(self, function: str, _: Answer) -> None:
        for activity in self._fed_by.get(function, ()):
            activity.happened()


async def _end(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
