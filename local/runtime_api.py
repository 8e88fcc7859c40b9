"""One process of a function, under AWS's own runtime client, one event at a time.

Each process gets a Runtime API of its own (`GET .../invocation/next`, `POST .../response|error`), on a free loopback
port, just as an execution environment does.
"""

import asyncio
import json
import os
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from local import processes
from local.paths import RUNTIME_PYTHON, clean_environment

INIT_SECONDS = 10.0
PAYLOAD_LIMIT = 6 * 1024 * 1024  # bytes, request and response alike, for synchronous invocations
_MAX_AGE_SECONDS = 6 * 3600.0  # of a worker, so that its role credentials never run out


@dataclass(frozen=True)
class Function:
    """One version of a deployed function; `logical_id` is its name in the template.

    `path` is what the runtime image adds to Python's path: the function's folder, then its layers.
    """

    logical_id: str
    name: str
    arn: str
    handler: str
    path: tuple[Path, ...]
    environment: Mapping[str, str]
    timeout: float
    memory_mb: int = 128
    version: str = "$LATEST"
    log: Path | None = None
    credentials: Callable[[], Mapping[str, str]] = field(default=dict, compare=False)


@dataclass(frozen=True)
class Answer:
    """What Lambda's Invoke returns: `error` is True for what AWS marks with X-Amz-Function-Error."""

    payload: bytes
    error: bool = False
    seconds: float = 0.0
    cold: bool = False

    def json(self) -> Any:
        return json.loads(self.payload) if self.payload else None


@dataclass
class _Invocation:
    request_id: str
    event: bytes
    deadline_ms: int
    done: asyncio.Future[tuple[bytes, bool]]


def failure(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class Worker:
    """One execution environment: a process and the Runtime API it talks to."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.born = self.idle_since = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._server: asyncio.Server | None = None
        self._next: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._current: _Invocation | None = None
        self._asked = asyncio.Event()
        self._log: IO[bytes] | None = None
        self.used = False
        self._settled = True
        self._init_error: bytes | None = None
        self._serving: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        function = self.function
        python_path = ":".join(str(entry) for entry in function.path)
        environment = {
            **clean_environment(),
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "PYTHONPATH": python_path,
            # Lambda's code folders are read-only.
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            **await asyncio.to_thread(function.credentials),
            **function.environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": uuid.uuid4().hex,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": str(function.path[0]),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": function.handler,
        }
        if function.log is not None:
            function.log.parent.mkdir(parents=True, exist_ok=True)
            self._log = function.log.open("ab", buffering=0)
        command = [str(RUNTIME_PYTHON), "-m", "awslambdaric", function.handler]
        self._process = await asyncio.to_thread(
            processes.start, command, env=environment, cwd=function.path[0], output=self._log or subprocess.DEVNULL
        )

    async def invoke(self, event: bytes) -> Answer:
        """Hand one event to the process and wait for its answer, at most the function's timeout."""
        begun = time.perf_counter()
        # Stays False when the caller is cancelled half-way: the process may then still be busy with this event.
        self._settled = False
        cold, self.used = not self.used, True
        if cold and not await self._initialised():
            message = "the runtime did not ask for an event within its init time, or exited"
            return Answer(failure("Runtime.InitError", message), error=True, cold=True)
        if self._init_error is not None:
            return Answer(self._init_error, error=True, cold=True)
        deadline = int((time.time() + self.function.timeout) * 1000)
        done: asyncio.Future[tuple[bytes, bool]] = asyncio.get_running_loop().create_future()
        invocation = _Invocation(str(uuid.uuid4()), event, deadline, done)
        self._current = invocation
        self._next.put_nowait(invocation)
        exited = asyncio.create_task(self._exited())
        either: list[asyncio.Future[Any]] = [done, exited]
        try:
            await asyncio.wait(either, timeout=self.function.timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            exited.cancel()
            self._current = None
        seconds = time.perf_counter() - begun
        if done.done():
            payload, error = done.result()
            self._settled = True
            return Answer(payload, error=error, seconds=seconds, cold=cold)
        if not self.healthy:
            payload = failure("Runtime.ExitError", "RequestId: " + invocation.request_id + " Error: Runtime exited")
        else:
            payload = failure("Sandbox.Timedout", f"Task timed out after {self.function.timeout:.2f} seconds")
        await self.stop()
        return Answer(payload, error=True, seconds=seconds, cold=cold)

    @property
    def healthy(self) -> bool:
        return self._process is not None and processes.alive(self._process)

    @property
    def pid(self) -> int | None:
        """Of the process; None when there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def processor_seconds(self) -> float:
        """Processor time of the process so far; 0 where the system does not tell."""
        stat = Path(f"/proc/{self._process.pid}/stat") if self._process else None
        if stat is None or not stat.exists():
            return 0.0
        ticks = stat.read_text("ascii").rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    @property
    def reusable(self) -> bool:
        return self.healthy and self._settled and time.monotonic() - self.born < _MAX_AGE_SECONDS

    async def stop(self) -> None:
        process, self._process = self._process, None
        server, self._server = self._server, None
        if process is not None:
            # Lambda freezes and drops an environment without a word; so there is nothing to wait for.
            await asyncio.to_thread(processes.stop, process, patience=0.2)
        if server is not None:
            server.close()
        # One is still waiting for the event that would have come next.
        for task in self._serving:
            task.cancel()
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _initialised(self) -> bool:
        exited = asyncio.create_task(self._exited())
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({asked, exited}, timeout=INIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            exited.cancel()
        return self._asked.is_set()

    async def _exited(self) -> None:
        while self.healthy:  # noqa: ASYNC110 - a process tells nobody when it ends
            await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A few lines of HTTP/1.1: the runtime client is the only caller, and latency is what is measured."""
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            async for method, path, body in read_requests(reader):
                if method == "GET" and path.endswith("/runtime/invocation/next"):
                    self._asked.set()
                    invocation = await self._next.get()
                    head = (
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n"
                        f"Lambda-Runtime-Deadline-Ms: {invocation.deadline_ms}\r\n"
                        f"Lambda-Runtime-Invoked-Function-Arn: {self.function.arn}\r\n"
                        f"Lambda-Runtime-Trace-Id: Root=1-{int(time.time()):x}-{uuid.uuid4().hex[:24]};Sampled=0\r\n"
                        f"Content-Length: {len(invocation.event)}\r\n\r\n"
                    )
                    writer.write(head.encode() + invocation.event)
                else:
                    writer.write(self._settle(path, body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the process went away; whoever waits for it sees that it exited
        finally:
            writer.close()

    def _settle(self, path: str, body: bytes) -> bytes:
        accepted = (
            b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'
        )
        current = self._current
        if path.endswith("/init/error"):
            self._init_error = body
            self._asked.set()
            return accepted
        request_id, _, kind = path.rpartition("/")
        if current is None or not request_id.endswith(current.request_id) or current.done.done():
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        if kind == "response" and len(body) > PAYLOAD_LIMIT:
            current.done.set_result((failure("Function.ResponseSizeTooLarge", "Response payload size exceeded"), True))
            return b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"
        current.done.set_result((body, kind == "error"))
        return accepted


async def read_requests(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, str, bytes]]:
    """Method, path and body of each request on a kept connection."""
    async for method, path, _, body in read_requests_with_headers(reader):
        yield method, path, body


async def read_requests_with_headers(
    reader: asyncio.StreamReader,
) -> AsyncIterator[tuple[str, str, dict[str, str], bytes]]:
    """Method, path, headers (names in lower case) and body of each request on a kept connection."""
    while line := await reader.readline():
        method, path, _ = line.decode("ascii").split(" ", 2)
        headers: dict[str, str] = {}
        while (header := await reader.readline()) not in {b"\r\n", b"\n", b""}:
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts = []
            while size := int((await reader.readline()).split(b";")[0], 16):
                parts.append(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readline()
            body = b"".join(parts)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        yield method, path, headers, body
