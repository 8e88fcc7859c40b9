"""The Lambda plane, with real processes under AWS's runtime client."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.plane import Plane, TooLarge
from local.runtime_api import PAYLOAD_LIMIT, Answer, Function
from tests.local.loops import run

HANDLER = """
import json, os, sys, threading

calls = 0

def handler(event, context):
    global calls
    calls += 1
    match event.get("do"):
        case "fail":
            raise ValueError("as asked")
        case "exit":
            os._exit(3)
        case "sleep":
            threading.Event().wait(event["seconds"])
        case "large":
            return "x" * event["bytes"]
        case "environment":
            return {**os.environ, "path": sys.path, "left": context.get_remaining_time_in_millis()}
    print("called", flush=True)
    return {"pid": os.getpid(), "calls": calls, "event": event, "arn": context.invoked_function_arn}
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(HANDLER, "utf-8")
    return tmp_path


def function(code: Path, handler: str = "app.handler", timeout: float = 5.0) -> Function:
    return Function(
        logical_id="F",
        name="stack-f",
        arn="arn:aws:lambda:us-east-1:000000000000:function:stack-f",
        handler=handler,
        path=(code, code / "layer"),
        environment={"STAGE": "dev"},
        timeout=timeout,
        log=code / "logs" / "F.log",
        credentials=lambda: {"AWS_ACCESS_KEY_ID": "of-the-role"},
    )


def on_a_plane[T](function: Function, work: Callable[[Plane], Awaitable[T]]) -> T:
    async def whole() -> T:
        plane = Plane()
        plane.add(function)
        try:
            return await work(plane)
        finally:
            await plane.stop()

    return run(whole())


async def invoke(plane: Plane, **event: object) -> Answer:
    return await plane.invoke("F", json.dumps(event).encode())


def test_a_process_is_used_again_for_the_next_event(code: Path) -> None:
    async def work(plane: Plane) -> list[Answer]:
        return [await invoke(plane, n=1), await invoke(plane, n=2)]

    first, second = on_a_plane(function(code), work)
    assert (first.json()["calls"], second.json()["calls"]) == (1, 2)
    assert first.json()["pid"] == second.json()["pid"]
    assert (first.cold, second.cold) == (True, False)
    assert first.json()["arn"].endswith(":stack-f")
    assert (code / "logs" / "F.log").read_text("utf-8").count("called") == 2


def test_events_at_the_same_time_get_processes_of_their_own(code: Path) -> None:
    async def work(plane: Plane) -> list[Answer]:
        return await asyncio.gather(*(invoke(plane, do="sleep", seconds=0.3) for _ in range(3)))

    answers = on_a_plane(function(code), work)
    assert len({answer.json()["pid"] for answer in answers}) == 3


def test_an_event_that_nobody_waits_for_takes_a_process_that_is_freed_soon(code: Path) -> None:
    async def work(plane: Plane) -> list[Answer]:
        await invoke(plane)
        busy = [asyncio.create_task(plane.invoke("F", b"{}", patient=True)) for _ in range(5)]
        return await asyncio.gather(*busy)

    answers = on_a_plane(function(code), work)
    assert len({answer.json()["pid"] for answer in answers}) == 1
    assert [answer.cold for answer in answers] == [False] * 5


def test_and_gets_one_of_its_own_when_none_is(code: Path) -> None:
    async def work(plane: Plane) -> tuple[Answer, bool]:
        await invoke(plane)
        long = asyncio.create_task(invoke(plane, do="sleep", seconds=4))
        while not any(worker["busy"] for worker in plane.workers()):  # noqa: ASYNC110 - until it has begun
            await asyncio.sleep(0.01)
        answer = await plane.invoke("F", b"{}", patient=True)
        return answer, long.done()

    answer, waited_for_the_other = on_a_plane(function(code), work)
    assert (answer.error, answer.cold, waited_for_the_other) == (False, True, False)


def test_a_raised_error_is_an_error_answer_and_the_process_lives_on(code: Path) -> None:
    async def work(plane: Plane) -> tuple[Answer, Answer]:
        return await invoke(plane, do="fail"), await invoke(plane)

    failed, after = on_a_plane(function(code), work)
    assert failed.error
    assert failed.json()["errorType"] == "ValueError"
    assert failed.json()["stackTrace"]
    assert (after.error, after.json()["calls"]) == (False, 2)


def test_the_processes_are_named_with_what_they_run_and_one_that_is_killed_at_work_fails_its_event(code: Path) -> None:
    async def work(plane: Plane) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Answer, list[dict[str, Any]]]:
        pid = (await invoke(plane)).json()["pid"]
        idle = plane.workers()
        running = asyncio.create_task(invoke(plane, do="sleep", seconds=30))
        while not any(worker["busy"] for worker in plane.workers()):  # noqa: ASYNC110 - as a test outside looks
            await asyncio.sleep(0.01)
        busy = plane.workers()
        os.kill(pid, signal.SIGKILL)
        return idle, busy, await running, plane.workers()

    idle, busy, failed, after = on_a_plane(function(code), work)
    assert [(worker["function"], worker["busy"]) for worker in idle] == [("F", False)]
    assert busy == [idle[0] | {"busy": True}]
    assert (failed.error, failed.json()["errorType"]) == (True, "Runtime.ExitError")
    assert after == []


def test_a_process_that_ends_is_an_error_and_is_replaced(code: Path) -> None:
    async def work(plane: Plane) -> tuple[Answer, Answer]:
        return await invoke(plane, do="exit"), await invoke(plane)

    failed, after = on_a_plane(function(code), work)
    assert (failed.error, failed.json()["errorType"]) == (True, "Runtime.ExitError")
    assert (after.error, after.json()["calls"]) == (False, 1)


def test_a_function_that_runs_out_of_time_is_stopped(code: Path) -> None:
    async def work(plane: Plane) -> tuple[Answer, Answer]:
        return await invoke(plane, do="sleep", seconds=30), await invoke(plane)

    failed, after = on_a_plane(function(code, timeout=0.5), work)
    assert failed.json() == {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 0.50 seconds"}
    assert (after.error, after.json()["calls"]) == (False, 1)


def test_a_handler_that_cannot_be_imported_is_an_error(code: Path) -> None:
    failed = on_a_plane(function(code, handler="missing.handler"), invoke)
    assert (failed.error, failed.json()["errorType"]) == (True, "Runtime.ImportModuleError")


def test_an_event_above_lambdas_limit_is_refused_before_the_call(code: Path) -> None:
    with pytest.raises(TooLarge):
        on_a_plane(function(code), lambda plane: plane.invoke("F", b"x" * (PAYLOAD_LIMIT + 1)))


def test_an_answer_above_lambdas_limit_is_an_error(code: Path) -> None:
    answer = on_a_plane(function(code), lambda plane: invoke(plane, do="large", bytes=PAYLOAD_LIMIT + 1))
    assert (answer.error, answer.json()["errorType"]) == (True, "Function.ResponseSizeTooLarge")


def test_a_function_sees_its_own_environment_and_nothing_of_the_launchers(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "operator")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    seen = on_a_plane(function(code), lambda plane: invoke(plane, do="environment")).json()
    assert seen["STAGE"] == "dev"
    assert seen["AWS_ACCESS_KEY_ID"] == "of-the-role"
    assert seen["_HANDLER"] == "app.handler"
    assert seen["PYTHONPATH"] == f"{code}:{code / 'layer'}"
    assert "AWS_PROFILE" not in seen
    assert not any(".venvs/local" in entry or ".venvs/dev" in entry for entry in seen["path"])
    assert 0 < seen["left"] <= 5000


def test_the_runtime_is_awss_own_python_and_has_boto3(code: Path) -> None:
    seen = on_a_plane(function(code), lambda plane: invoke(plane, do="environment")).json()
    assert any(entry.endswith(".venvs/runtime/lib/python3.13/site-packages") for entry in seen["path"])


def test_a_function_that_is_replaced_finishes_its_event_and_then_runs_in_a_new_process(code: Path) -> None:
    async def work(plane: Plane) -> list[Answer]:
        before = await invoke(plane)
        finishing = asyncio.create_task(invoke(plane, do="sleep", seconds=0.3))
        await asyncio.sleep(0)  # the task takes the idle process
        await plane.replace(function(code))
        return [before, await invoke(plane), await finishing, await invoke(plane)]

    before, during, finished, after = (answer.json() for answer in on_a_plane(function(code), work))

    assert (finished["pid"], finished["calls"]) == (before["pid"], 2)
    assert (after["pid"], after["calls"]) == (during["pid"], 2)
    assert during["pid"] != before["pid"]


def test_a_release_replaces_only_the_functions_that_it_changes(code: Path) -> None:
    async def work(plane: Plane) -> list[Any]:
        before = (await invoke(plane)).json()
        same = await plane.put(function(code))
        kept = (await invoke(plane)).json()
        other = await plane.put(replace(function(code), version="2"))
        return [before["pid"], same, kept["pid"], other, (await invoke(plane)).json()["pid"]]

    before, same, kept, other, replaced = on_a_plane(function(code), work)

    assert (same, kept) == (False, before)
    assert other
    assert replaced != before
