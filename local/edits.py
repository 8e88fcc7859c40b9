"""Code that is edited while the system runs: the next process of a function runs what was saved, without a build.

Files of `functions/` and `shared/` are compared by time and size a few times a second. What changed is copied, with its
bytecode, into a folder that stands before the built ones on the path of the functions that may import it; their
processes are replaced. A file that does not compile is reported, and the functions keep the code that did.
"""

import asyncio
import compileall
import contextlib
import logging
import os
import py_compile
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from local.plane import Plane
from local.runtime_api import Function

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
CODE = ("functions", "shared")
# What only a build and a deployment can bring in.
BUILT = ("template.yaml", "shared/requirements.txt")
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH

type Stamp = tuple[int, int]


@dataclass(frozen=True)
class Edit:
    """What was saved: paths from the root, sorted. `error` says which of them does not compile, and why."""

    files: tuple[str, ...]
    error: str | None = None


class Edits:
    """Looks for changes below `root`, and keeps what functions run of it in `copy`."""

    def __init__(self, root: Path, copy: Path) -> None:
        self.copy = copy
        self._root = root
        self._seen = self._stamps()
        self._waiting: set[str] = set()
        shutil.rmtree(copy, ignore_errors=True)

    def look(self) -> Edit | None:
        """What was saved since the last look, copied unless a file of it does not compile; None for nothing."""
        stamps = self._stamps()
        changed = {file for file in stamps.keys() | self._seen.keys() if stamps.get(file) != self._seen.get(file)}
        if not changed:
            return None
        files = tuple(sorted(self._waiting | changed))
        error = next(filter(None, map(self._mistake, files)), None)
        if error is None:
            self._take(files)
        # Only now: what could not be read or copied is looked at again.
        self._seen = stamps
        self._waiting = set(files) if error else set()
        return Edit(files, error)

    def _stamps(self) -> dict[str, Stamp]:
        stamps = {}
        for file in (*BUILT, *self._code()):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                found = (self._root / file).stat()
                stamps[file] = (found.st_mtime_ns, found.st_size)
        return stamps

    def _code(self) -> Iterator[str]:
        """The files of the code, without what editors and Python leave beside them."""
        for folder in CODE:
            for path, folders, names in os.walk(self._root / folder):
                folders[:] = [name for name in folders if name != "__pycache__"]
                for name in names:
                    if not name.startswith(".") and not name.endswith(("~", ".pyc")):
                        yield (Path(path) / name).relative_to(self._root).as_posix()

    def _mistake(self, file: str) -> str | None:
        """Why a file does not compile."""
        source = self._root / file
        if source.suffix == ".py" and source.exists():
            try:
                compile(source.read_bytes(), file, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                return f"{file}: {error}"
        return None

    def _take(self, files: Iterable[str]) -> None:
        if not self.copy.exists():
            self._take_everything()
            return
        for file in files:
            source, target = self._root / file, self.copy / file
            if not source.exists():
                target.unlink(missing_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            if target.suffix == ".py":
                py_compile.compile(str(target), quiet=2, invalidation_mode=_UNCHECKED)

    def _take_everything(self) -> None:
        """A package is found in one folder only, so that the copy of one file needs all the others beside it."""
        aside = self.copy.with_name(f"{self.copy.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        for folder in CODE:
            shutil.copytree(self._root / folder, aside / folder, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(aside, quiet=2, invalidation_mode=_UNCHECKED)
        aside.rename(self.copy)


def concerns(files: Iterable[str], function: Function) -> bool:
    """Whether the function may import one of these: they are in its own folder, or in no other function's."""
    own = "/".join(function.handler.split(".")[:2])
    return any(
        file not in BUILT and (file.startswith((f"{own}/", "shared/")) or file == "functions/__init__.py")
        for file in files
    )


async def follow(edits: Edits, plane: Plane, functions: Sequence[Function], say: Callable[[str], None]) -> None:
    """Replace the processes of the functions whose code was edited, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            edit = await asyncio.to_thread(edits.look)
        except OSError:  # a file that went away while it was copied: the next look sees that
            log.exception("the edited code could not be read")
            continue
        if edit is None:
            continue
        if edit.error is not None:
            say(f"not taken over: {edit.error}")
            continue
        concerned = [function for function in functions if concerns(edit.files, function)]
        new = (replace(function, path=(edits.copy, *function.path)) for function in concerned)
        await asyncio.gather(*(plane.replace(function) for function in new))
        if concerned:
            say(f"taken over: {_named(edit.files)} ({len(concerned)} of {len(functions)} functions)")
        if set(edit.files) & set(BUILT):
            say(f"{_named(file for file in edit.files if file in BUILT)} counts from the next make run")


def _named(files: Iterable[str]) -> str:
    first, *others = files
    return first if not others else f"{first} and {len(others)} more"
