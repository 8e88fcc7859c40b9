"""What is saved while the system runs is what the functions run, with real processes under AWS's runtime client."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from local.edits import Edit, Edits, concerns, follow
from local.plane import Plane
from local.runtime_api import Function
from tests.local.loops import run

# The promise: from saving a file to the answer that shows it.
SECONDS = 3.0

HANDLER = """
import json, os
from shared.words import GREETING

def lambda_handler(event, context):
    return {"said": GREETING + " by {NAME}", "pid": os.getpid()}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with two functions and what they share."""
    root = tmp_path / "tree"
    for name in ("one", "two"):
        folder = root / "functions" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "app.py").write_text(HANDLER.replace("{NAME}", name), "utf-8")
    (root / "functions" / "__init__.py").touch()
    (root / "shared").mkdir()
    (root / "shared" / "__init__.py").touch()
    (root / "shared" / "words.py").write_text('GREETING = "hello"\n', "utf-8")
    (root / "shared" / "requirements.txt").touch()
    (root / "template.yaml").touch()
    return root


def function(tree: Path, name: str) -> Function:
    """As `sam build` leaves it: the files of the start, in a folder of their own."""
    built = tree.parent / "built"
    if not built.exists():
        built.mkdir()
        for folder in ("functions", "shared"):
            for file in (tree / folder).rglob("*.py"):
                target = built / file.relative_to(tree)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    return Function(
        logical_id=name,
        name=f"stack-{name}",
        arn=f"arn:aws:lambda:us-east-1:000000000000:function:stack-{name}",
        handler=f"functions.{name}.app.lambda_handler",
        path=(built,),
        environment={},
        timeout=5.0,
    )


@asynccontextmanager
async def running(tree: Path) -> AsyncIterator[tuple[Plane, asyncio.Queue[str]]]:
    """Both functions, while their code is followed; and what the person at the terminal reads."""
    said: asyncio.Queue[str] = asyncio.Queue()
    plane, functions = Plane(), [function(tree, "one"), function(tree, "two")]
    for each in functions:
        plane.add(each)
    following = asyncio.create_task(follow(Edits(tree, tree.parent / "edited"), plane, functions, said.put_nowait))
    try:
        yield plane, said
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await plane.stop()


async def called(plane: Plane, name: str) -> Any:
    answer = await plane.invoke(name, b"{}")
    assert not answer.error, answer.payload
    return json.loads(answer.payload)


async def until(plane: Plane, name: str, said: str) -> None:
    """Raises TimeoutError when the function does not say so in time."""
    async with asyncio.timeout(SECONDS):
        while (await called(plane, name))["said"] != said:
            pass


def test_what_is_saved_is_run_within_three_seconds_by_whatever_imports_it(tree: Path) -> None:
    async def work() -> None:
        async with running(tree) as (plane, said):
            before = {name: (await called(plane, name))["pid"] for name in ("one", "two")}
            (tree / "shared" / "words.py").write_text('GREETING = "good day"\n', "utf-8")
            await until(plane, "one", "good day by one")
            await until(plane, "two", "good day by two")
            after = {name: (await called(plane, name))["pid"] for name in ("one", "two")}

            (tree / "functions" / "one" / "app.py").write_text(HANDLER.replace("{NAME}", "the first"), "utf-8")
            await until(plane, "one", "good day by the first")

            assert before.keys() == after.keys()
            assert not set(before.values()) & set(after.values())
            assert (await called(plane, "two"))["pid"] == after["two"]
            assert said.get_nowait() == "taken over: shared/words.py (2 of 2 functions)"
            assert said.get_nowait() == "taken over: functions/one/app.py (1 of 2 functions)"

    run(work())


def test_a_new_file_is_imported_and_a_removed_one_is_not_there(tree: Path) -> None:
    edits = Edits(tree, tree.parent / "edited")
    (tree / "shared" / "more.py").write_text("MORE = 1\n", "utf-8")
    assert edits.look() == Edit(("shared/more.py",))
    assert (edits.copy / "shared" / "more.py").exists()
    (tree / "shared" / "more.py").unlink()
    assert edits.look() == Edit(("shared/more.py",))
    assert not (edits.copy / "shared" / "more.py").exists()
    assert edits.look() is None


def test_a_file_that_does_not_compile_is_named_and_nothing_is_taken_over_until_it_does(tree: Path) -> None:
    edits, words = Edits(tree, tree.parent / "edited"), tree / "shared" / "words.py"
    words.write_text('GREETING = "half\n', "utf-8")
    edit = edits.look()
    assert edit is not None
    assert edit.error is not None
    assert edit.error.startswith("shared/words.py: unterminated string literal")
    assert not edits.copy.exists()

    (tree / "functions" / "one" / "app.py").write_text("lambda_handler = None\n", "utf-8")
    edit = edits.look()
    assert edit is not None
    assert edit.error is not None
    words.write_text('GREETING = "whole"\n', "utf-8")
    assert edits.look() == Edit(("functions/one/app.py", "shared/words.py"))
    assert (edits.copy / "functions" / "one" / "app.py").read_text("utf-8") == "lambda_handler = None\n"


def test_what_editors_and_python_leave_beside_the_code_is_no_edit(tree: Path) -> None:
    edits = Edits(tree, tree.parent / "edited")
    for name in (".words.py.swp", "words.py~", "__pycache__/words.cpython-313.pyc"):
        file = tree / "shared" / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert edits.look() is None


def test_a_file_saved_with_the_same_length_is_an_edit(tree: Path) -> None:
    edits, words = Edits(tree, tree.parent / "edited"), tree / "shared" / "words.py"
    words.write_text('GREETING = "jello"\n', "utf-8")
    os.utime(words, ns=(1, 1))
    assert edits.look() == Edit(("shared/words.py",))


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("shared/domain/ledger.py", True),
        ("functions/one/app.py", True),
        ("functions/__init__.py", True),
        ("functions/two/app.py", False),
        ("shared/requirements.txt", False),
        ("template.yaml", False),
    ],
)
def test_a_function_is_concerned_by_its_own_folder_and_by_what_all_share(
    file: str, concerned: bool, tree: Path
) -> None:
    assert concerns((file,), function(tree, "one")) is concerned


def test_what_only_a_build_brings_in_is_said(tree: Path) -> None:
    async def work() -> None:
        async with running(tree) as (_, said):
            (tree / "template.yaml").write_text("Resources: {}\n", "utf-8")
            async with asyncio.timeout(SECONDS):
                assert await said.get() == "template.yaml counts from the next make run"

    run(work())
