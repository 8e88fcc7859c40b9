"""How large a file or a function may be, and what is larger than that until it is split: `tests/oversized.txt`.

`python -m tests.sizes` lowers that list to what is true now. What is moved takes its row along; nothing else comes in.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.complexity import cognitive_complexity, functions

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("oversized.txt")

LIMITS = {"lines": 400, "function": 70, "complexity": 20, "columns": 0}
"""Most lines of a Python file and of a function, most cognitive complexity of a function; lines of JavaScript that are
wider than `COLUMNS`."""
COLUMNS = 120
SLACK = {"lines": 50, "function": 10, "complexity": 5, "columns": 5}
"""How far something may shrink before the list must say so."""

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
        sizes["columns", path.relative_to(ROOT).as_posix()] = sum(len(line) > COLUMNS for line in lines)
    return sizes


def ceilings() -> Sizes:
    """What the list allows."""
    rows = [line.split() for line in LIST.read_text("utf-8").splitlines()]
    return {(kind, where): int(size) for kind, size, where in rows}


def complaints(sizes: Sizes, allowed: Sizes) -> list[str]:
    """What is too large, and what the list says too much of."""
    found = []
    for (kind, where), size in sizes.items():
        ceiling = allowed.get((kind, where), LIMITS[kind])
        if size > ceiling:
            found.append(f"{where}: {kind} {size}, at most {ceiling}: split it")
    for (kind, where), ceiling in allowed.items():
        size = sizes.get((kind, where), 0)
        if size <= LIMITS[kind] or size < ceiling - SLACK[kind]:
            found.append(f"{where}: {kind} {size}, the list says {ceiling}: python -m tests.sizes lowers it")
    return found


def lowered(sizes: Sizes, allowed: Sizes) -> Sizes:
    now = {key: min(ceiling, sizes.get(key, 0)) for key, ceiling in allowed.items()}
    return {(kind, where): size for (kind, where), size in now.items() if size > LIMITS[kind]}


def main() -> None:
    left = lowered(measured(), ceilings())
    lines = [f"{kind} {size} {where}\n" for (kind, where), size in sorted(left.items())]
    LIST.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
