"""What SAM and its linters say, and whether what is built runs with what the Lambda runtime has and nothing else."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import build
from local.double import REGION, Double
from local.intrinsics import load
from local.paths import ROOT, RUNTIME_PYTHON, SAM_BIN, TEMPLATE
from local.template import DROPPED
from tests.template.cloudformation import tool_environment, translate

pytestmark = pytest.mark.slow

_SEEDED = {
    "misspelt event property": ("MaximumRecordAgeInSeconds: 43200", "MaximumRecordAge: 43200"),
    "event of an unknown type": ("Type: ScheduleV2", "Type: ScheduleV3"),
}
_SEEDED_AFTER_EXPANSION = {
    "name of nothing in the globals": ("EVENT_BUS_NAME: !Ref EventBus", "EVENT_BUS_NAME: !Ref TheEventBus"),
    "a runtime that never was": ("Runtime: python3.13", "Runtime: python3.99"),
    "a timeout that Lambda refuses": ("Timeout: 60", "Timeout: 1000"),
    "FIFO queue with an ordinary dead-letter queue": (
        "QueueName: !Sub ${AWS::StackName}-refresh-dead.fifo\n      FifoQueue: true",
        "QueueName: !Sub ${AWS::StackName}-refresh-dead",
    ),
    "a circle": ("Alarms: [!Ref AccountsApiErrorsAlarm,", "Alarms: [!Ref ApiServerErrorsAlarm,"),
    "an attribute that is not there": ("!GetAtt EventBus.Arn", "!GetAtt EventBus.Url"),
}


def _changed(text: str, change: tuple[str, str]) -> str:
    before, after = change
    assert before in text
    return text.replace(before, after)


def _run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=tool_environment() | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _validate(template: Path) -> subprocess.CompletedProcess[str]:
    return _run(SAM_BIN / "sam", "validate", "--region", "eu-west-3", "--template-file", template)


def test_sam_accepts_the_template() -> None:
    done = _validate(TEMPLATE)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("change", _SEEDED.values(), ids=_SEEDED)
def test_sam_refuses(change: tuple[str, str], template_text: str, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(_changed(template_text, change))

    assert _validate(tmp_path / "template.yaml").returncode != 0


def test_the_linter_has_nothing_to_say_about_the_template_as_written() -> None:
    done = _run(SAM_BIN / "cfn-lint", "--", TEMPLATE)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_has_nothing_to_say_about_the_template_of_the_schema_registry() -> None:
    done = _run(SAM_BIN / "cfn-lint", "--", ROOT / "events" / "registry.yaml")

    assert (done.returncode, done.stdout) == (0, "")


_DEPLOYMENTS: Mapping[str, Mapping[str, str]] = {
    "as by default": {},
    "in production": {"Stage": "prod", "GradualDeployments": "true", "Architecture": "x86_64"},
    "with every option": {
        "CorsOrigins": "",
        "AlarmEmail": "on-call@example.com",
        "LiveAccessLogs": "true",
        "WebhookSecretVersionId": "0" * 32,
    },
}


@pytest.fixture(scope="module")
def findings(template_text: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """What the linter says of the expanded template, by deployment and by seeded fault. One run: its start is slow."""
    folder = tmp_path_factory.mktemp("expanded")
    expanded = {name: translate(template_text, **parameters) for name, parameters in _DEPLOYMENTS.items()}
    expanded |= {
        name: translate(_changed(template_text, change), GradualDeployments="true")
        for name, change in _SEEDED_AFTER_EXPANSION.items()
    }
    files = {name: folder / f"{number}.json" for number, name in enumerate(expanded)}
    for name, file in files.items():
        file.write_text(json.dumps(expanded[name]))
    # W2001: some parameters are used by SAM itself and are gone from what it makes.
    done = _run(SAM_BIN / "cfn-lint", "--ignore-checks", "W2001", "--format", "json", "--", *files.values())
    found = json.loads(done.stdout)
    return {name: [one["Message"] for one in found if one["Filename"] == str(file)] for name, file in files.items()}


@pytest.mark.parametrize("deployment", _DEPLOYMENTS)
def test_the_linter_has_nothing_to_say_about_what_it_expands_to(
    deployment: str, findings: Mapping[str, list[str]]
) -> None:
    assert findings[deployment] == []


@pytest.mark.parametrize("fault", _SEEDED_AFTER_EXPANSION)
def test_the_linter_notices(fault: str, findings: Mapping[str, list[str]]) -> None:
    assert findings[fault] != []


# --- the build -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def built() -> Iterator[Path]:
    """For this machine's processor; the same build that the offline system runs."""
    with build.built() as folder:
        yield folder


@pytest.fixture(scope="session")
def built_to_deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the processor it is deployed on."""
    folder = tmp_path_factory.mktemp("sam")
    done = _run(
        SAM_BIN / "sam", "build", "--build-dir", folder / "build", "--cache-dir", folder / "cache", "--parallel"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "build"


def _resources(built: Path, kind: str) -> dict[str, Any]:
    resources = load((built / "template.yaml").read_text())["Resources"]
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def test_what_is_deployed_is_plain_yaml_though_the_source_has_merge_keys(built_to_deploy: Path) -> None:
    """CloudFormation takes neither merge keys nor anchors."""
    events = list(yaml.parse((built_to_deploy / "template.yaml").read_text(), yaml.SafeLoader))

    assert not [event for event in events if getattr(event, "anchor", None) or getattr(event, "value", None) == "<<"]


def _layer(built: Path) -> Path:
    (properties,) = _resources(built, "AWS::Serverless::LayerVersion").values()
    return built / str(properties["ContentUri"]) / "python"


def _import(handler: str, *path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """With the runtime's own packages, the given folders, no environment and nothing of this work tree."""
    module, _, name = handler.rpartition(".")
    code = f"import sys; sys.path[:0] = {[str(one) for one in path]}; import {module}; assert callable({module}.{name})"
    return subprocess.run(
        [RUNTIME_PYTHON, "-I", "-W", "error", "-c", code],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_handler_is_imported_from_its_artefact_and_the_layer_alone(built: Path, tmp_path: Path) -> None:
    functions = _resources(built, "AWS::Serverless::Function")

    assert functions
    for name, properties in functions.items():
        done = _import(properties["Handler"], built / properties["CodeUri"], _layer(built), folder=tmp_path)
        assert done.returncode == 0, f"{name}: {done.stderr[-2000:]}"


def test_a_handler_is_not_imported_without_the_layer(built: Path, tmp_path: Path) -> None:
    properties = _resources(built, "AWS::Serverless::Function")["AccountsApiFunction"]

    done = _import(properties["Handler"], built / properties["CodeUri"], folder=tmp_path)

    assert "ModuleNotFoundError" in done.stderr


def test_each_artefact_holds_its_own_function_and_nothing_else(built_to_deploy: Path) -> None:
    for properties in _resources(built_to_deploy, "AWS::Serverless::Function").values():
        folder = properties["Handler"].split(".")[1]
        artefact = built_to_deploy / properties["CodeUri"]

        assert [path.name for path in artefact.iterdir()] == ["functions"]
        inside = {path.name for path in (artefact / "functions").iterdir()} - {"__init__.py", "__pycache__"}
        assert inside == {folder}


def test_the_layer_holds_the_shared_package_beside_its_dependencies_for_the_deployed_processor(
    built_to_deploy: Path,
) -> None:
    layer = _layer(built_to_deploy)
    names = {path.name for path in layer.iterdir()}
    native = [path.name for path in layer.rglob("*.so")]

    assert {"shared", "pydantic", "requests", "aws_lambda_powertools"} <= names
    assert {path.name for path in (layer / "shared" / "contracts" / "locales").iterdir()} == {"en.json", "fr.json"}
    assert not {"boto3", "botocore", "tests", "functions", "local"} & names
    assert native
    assert all("aarch64" in name for name in native if "linux" in name)
    # Lambda takes 250 MB, and a cold start reads all that is imported.
    assert sum(path.stat().st_size for path in layer.rglob("*") if path.is_file()) < 60_000_000


def _for_the_double(built: Path) -> Path:
    """A copy without what the double cannot make, as the offline system deploys it, beside the artefacts it names."""
    template = load((built / "template.yaml").read_text("utf-8"))
    kept = {name: one for name, one in template["Resources"].items() if one["Type"] not in DROPPED}
    for one in kept.values():
        if one.get("DependsOn") not in kept:
            one.pop("DependsOn", None)
    copy = built / "template-for-the-double.json"
    copy.write_text(json.dumps({**template, "Resources": kept}), "utf-8")
    return copy


def test_sam_deploys_what_it_built_with_the_settings_of_a_stage(built_to_deploy: Path, tmp_path: Path) -> None:
    double = Double(tmp_path)
    double.start()
    try:
        for name, member in {"webhook": "current", "traces": "key"}.items():
            double.client("secretsmanager").create_secret(
                Name=f"synced-accounts/dev/{name}", SecretString=json.dumps({member: "key"})
            )
        done = _run(
            *(SAM_BIN / "sam", "deploy", "--config-env", "dev", "--template-file", _for_the_double(built_to_deploy)),
            *("--config-file", ROOT / "samconfig.toml", "--region", REGION),
            AWS_ENDPOINT_URL=double.endpoint,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        given = double.client("lambda").get_function_configuration(FunctionName="synced-accounts-dev-powens-webhook")
    finally:
        double.stop()

    assert given["Environment"]["Variables"]["WEBHOOK_SECRETS"] == '{"current": "key"}'
    assert given["Environment"]["Variables"]["PUBLIC_URL"] == "https://accounts.dev.example.com"
