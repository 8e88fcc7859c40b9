"""How large a file or a function may be, so that each is read at once."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.complexity import cognitive_complexity, functions

ROOT = Path(__file__).parents[1]

LIMITS = {"lines": 400, "function": 70, "complexity": 20, "columns": 120}
"""Most lines of a Python file and of a function, most cognitive complexity of a function, widest line of JavaScript."""

type Sizes = Mapping[tuple[str, str], int]
"""By kind of size, and path or `path:function`."""


def _sources(pattern: str) -> Iterator[Path]:
    """Environments and what is built lie in folders that begin with a dot."""
    for folder in ROOT.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            yield from folder.rglob(pattern)


def measured() -> Sizes:
    sizes = {}
    for path in _sources("*.py"):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        sizes["lines", name] = text.count("\n")
        for function, node in functions(ast.parse(text)):
            where = f"{name}:{function}"
            sizes["function", where] = (node.end_lineno or node.lineno) - node.lineno + 1
            sizes["complexity", where] = cognitive_complexity(node)
    for path in _sources("*.js"):
        lines = path.read_text("utf-8").splitlines()
        sizes["columns", path.relative_to(ROOT).as_posix()] = max(map(len, lines), default=0)
    return sizes


def complaints(sizes: Sizes) -> list[str]:
    """What is too large."""
    return [
        f"{where}: {kind} {size}, at most {LIMITS[kind]}"
        for (kind, where), size in sizes.items()
        if size > LIMITS[kind]
    ]
