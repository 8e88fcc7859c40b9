"""Who may import whom. The direction of imports is the architecture; everything else is folders."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALLOWED = {
    "ops": {"adapters", "application", "contracts", "domain"},
    "functions": {"entrypoints", "contracts", "bootstrap", "live_bootstrap", "application", "domain"},
    "live_bootstrap": {"config", "adapters", "application"},
    "bootstrap": {"store_bootstrap", "config", "adapters", "application", "contracts", "domain"},
    "store_bootstrap": {"config", "adapters"},
    "config": {"domain"},
    "adapters": {"application", "contracts", "domain"},
    "entrypoints": {"application", "contracts", "domain"},
    "contracts": {"application", "domain"},
    "application": {"domain"},
    "webhooks": {"domain"},
    "domain": set[str](),
}
"""For each part, the other parts of `shared` that it may import."""

EXCEPTIONS = {
    # The ingress loads next to nothing: it verifies and queues by itself, without the container.
    ("functions/powens_webhook/app.py", "shared.webhooks"),
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The absolute names of the modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    first, second, *_ = path.relative_to(ROOT).with_suffix("").parts
    return first if first != "shared" else second


def belongs_to(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", modules("shared", "functions", "ops"), ids=of)
def test_each_part_imports_only_the_parts_below_it(path: Path) -> None:
    if path.name == "__init__.py" and path.parent == ROOT / "shared":
        assert list(imports(path)) == []
        return
    part = part_of(path)
    for name in imports(path):
        if not belongs_to(name, "shared"):
            continue
        target = name.split(".")[1]
        excepted = any(of(path) == file and belongs_to(name, module) for file, module in EXCEPTIONS)
        assert target == part or target in ALLOWED[part] or excepted, f"{part} must not import {name}"


@pytest.mark.parametrize("path", modules("shared", "functions", "ops"), ids=of)
def test_nothing_that_serves_production_knows_the_offline_system(path: Path) -> None:
    assert not [name for name in imports(path) if belongs_to(name, "local")]


@pytest.mark.parametrize("path", modules("shared", "functions", "local"), ids=of)
def test_nothing_knows_what_operators_type(path: Path) -> None:
    assert not [name for name in imports(path) if belongs_to(name, "ops")]


@pytest.mark.parametrize("path", modules("shared", "functions", "ops"), ids=of)
def test_nothing_imports_a_function_but_its_own_files(path: Path) -> None:
    """Each function is built from its own folder: another one's files are not there."""
    own = ".".join(path.relative_to(ROOT).parent.parts)
    foreign = [name for name in imports(path) if belongs_to(name, "functions") and not belongs_to(name, own)]
    assert not foreign


@pytest.mark.parametrize("path", modules("local"), ids=of)
def test_the_offline_system_knows_nothing_of_the_products_code(path: Path) -> None:
    assert not [name for name in imports(path) if belongs_to(name, "shared") or belongs_to(name, "functions")]


IN_PROCESS = ("tests/simulation", "tests/worlds")
OURS = ("shared", "functions", "ops", "local", "tests")


@pytest.mark.parametrize("path", modules("powens_sandbox"), ids=of)
def test_the_sandbox_and_its_tests_stand_alone(path: Path) -> None:
    assert not [name for name in imports(path) if any(belongs_to(name, part) for part in OURS)]


@pytest.mark.parametrize("path", modules("shared", "functions", "ops", "local", *IN_PROCESS), ids=of)
def test_the_product_the_offline_system_and_the_simulation_do_not_import_the_sandbox(path: Path) -> None:
    assert not [name for name in imports(path) if belongs_to(name, "powens_sandbox")]


@pytest.mark.parametrize("path", modules("tests/worlds"), ids=of)
def test_what_the_tests_worlds_share_imports_no_suite(path: Path) -> None:
    suites = [f"tests.{folder.name}" for folder in (ROOT / "tests").iterdir() if folder.is_dir()]
    suites.remove("tests.worlds")
    assert not [name for name in imports(path) if any(belongs_to(name, suite) for suite in suites)]


@pytest.mark.parametrize("path", modules("shared/domain"), ids=of)
def test_the_domain_imports_the_standard_library_and_itself_only(path: Path) -> None:
    for name in imports(path):
        assert belongs_to(name, "shared.domain") or name.split(".")[0] in sys.stdlib_module_names, name


@pytest.mark.parametrize("path", modules("shared/domain"), ids=of)
def test_the_domain_has_no_clock_no_randomness_and_no_input_or_output(path: Path) -> None:
    impure = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}
    assert not [name for name in imports(path) if name.split(".")[0] in impure]
    called = {node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    assert called.isdisjoint({"now", "utcnow", "today", "uuid1", "uuid4"})


STORAGE = ROOT / "shared" / "adapters"
KEY_OWNERS = set((STORAGE / "dynamodb").rglob("*.py"))
KEYS = {"PROFILE", "ORPHANS", "LISTING", "INSTITUTIONS", "CATALOGUE", "INCIDENTS"}
"""Keys of the table without an id in them. The others begin with a word and a `#`."""


def texts(path: Path) -> Iterator[str]:
    """The texts of a file, those between the braces of f-strings too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_key(text: str) -> bool:
    return text in KEYS or re.match(r"[A-Z]{3,}#", text) is not None


def test_the_files_that_own_the_tables_keys_are_known_to_spell_them() -> None:
    assert {"USER#", "LIST#", "OPERATION#", "EVENT#", "COMMAND#", "POWENS#", "SESSION#", "PROFILE", "ORPHANS"} <= {
        text for path in KEY_OWNERS for text in texts(path) if is_key(text)
    }


@pytest.mark.parametrize("path", sorted({*modules("shared", "functions", "ops", "local")} - KEY_OWNERS), ids=of)
def test_no_other_file_spells_a_key_of_the_table(path: Path) -> None:
    assert [text for text in texts(path) if is_key(text)] == []


SPEAK_TO_DYNAMODB = {STORAGE / "dynamodb" / name for name in ("table.py", "errors.py")}


@pytest.mark.parametrize("path", sorted(KEY_OWNERS - SPEAK_TO_DYNAMODB), ids=of)
def test_the_subjects_of_the_table_speak_to_it_and_not_to_dynamodb(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith(("boto", "mypy_boto"))]
    assert {"S", "N", "B"}.isdisjoint(texts(path)), "values are plain; the table puts them into DynamoDB's form"
