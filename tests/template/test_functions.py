"""The functions, their code, the settings that they are given and the metrics that they write."""

import ast
import json
import re
from importlib.metadata import packages_distributions

import pytest

from local.paths import ROOT
from shared.config import LiveSettings, Settings
from shared.entrypoints.metrics import Metric
from tests.template.cloudformation import Stack, target, translate

FUNCTIONS = {
    "AccountsApiFunction": "accounts_api",
    "PowensWebhookFunction": "powens_webhook",
    "AccountCommandsFunction": "account_commands",
    "ConnectionRefreshFunction": "connection_refresh",
    "OutboxPublisherFunction": "outbox_publisher",
    "HousekeepingFunction": "housekeeping",
    "InstitutionCatalogueFunction": "institution_catalogue",
    "LiveUpdatesFunction": "live_updates",
    "OrphanCheckFunction": "orphan_check",
}


def test_every_handler_is_where_the_template_says(deployed: Stack) -> None:
    handlers = {name: function["Handler"] for name, function in deployed.of("AWS::Lambda::Function")}

    assert handlers == {name: f"functions.{folder}.app.lambda_handler" for name, folder in FUNCTIONS.items()}
    for folder in FUNCTIONS.values():
        tree = ast.parse((ROOT / "functions" / folder / "app.py").read_text())
        assert "lambda_handler" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_function_folder_is_deployed() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}

    assert folders == set(FUNCTIONS.values())


def test_every_function_runs_on_the_chosen_processor_with_the_shared_layer(deployed: Stack) -> None:
    for _, function in deployed.of("AWS::Lambda::Function"):
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == [{"Ref": "Architecture"}]
        assert len(function["Layers"]) == 1
        assert deployed.type_of(target(function["Layers"][0])) == "AWS::Lambda::LayerVersion"


def test_the_streams_filters_take_outbox_entries_apart_and_nothing_else(deployed: Stack) -> None:
    mappings = {
        name for name, _ in deployed.of("AWS::Lambda::EventSourceMapping") if name.startswith("OutboxPublisher")
    }
    prefixes = {"OutboxPublisherFunctionOutboxCommands": "COMMAND#", "OutboxPublisherFunctionOutboxEvents": "EVENT#"}
    assert {name for name in mappings if name.startswith("OutboxPublisher")} == prefixes.keys()
    for name, prefix in prefixes.items():
        (filter_,) = deployed.properties(name)["FilterCriteria"]["Filters"]
        assert json.loads(filter_["Pattern"]) == {
            "eventName": ["INSERT"],
            "dynamodb": {"NewImage": {"sk": {"S": [{"prefix": prefix}]}}},
        }
    assert deployed.properties("Table")["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_new_shared_code_alone_makes_a_new_version_behind_each_alias(template_text: str) -> None:
    def versions(layer: str) -> set[str]:
        return {name for name, _ in Stack(translate(template_text, layer=layer)).of("AWS::Lambda::Version")}

    before, after = versions("s3://bucket/old"), versions("s3://bucket/new")
    assert len(before) == 2
    assert before.isdisjoint(after)


def test_the_layers_requirements_are_pinned_with_hashes_and_leave_boto3_to_the_runtime() -> None:
    requirements = _requirements()

    assert requirements
    for name, (pin, hashes) in requirements.items():
        assert re.fullmatch(r"==\S+", pin), name
        assert hashes, name
    assert not {"boto3", "botocore", "aws-xray-sdk"} & set(requirements)


def test_nothing_in_the_shared_folder_hides_a_dependency() -> None:
    ours = {path.stem for path in (ROOT / "shared").iterdir() if path.suffix in {"", ".py"}}
    wanted = set(_requirements())
    theirs = {
        module
        for module, distributions in packages_distributions().items()
        if wanted & {distribution.lower().replace("_", "-") for distribution in distributions}
    }

    assert {"pydantic", "requests", "aws_lambda_powertools"} <= theirs
    assert (ours | {"shared", "functions"}) & theirs == set()


def _requirements() -> dict[str, tuple[str, list[str]]]:
    """Name -> pin and hashes."""
    text = (ROOT / "shared" / "requirements.txt").read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = {}
    for first, *rest in lines:
        match = re.match(r"[A-Za-z0-9._-]+", first)
        assert match is not None
        hashes = [part for part in rest if part.startswith("--hash=sha256:")]
        found[match.group().lower()] = (first[match.end() :], hashes)
    return found


# --- settings ------------------------------------------------------------------------------------------------------

# Read by the powertools library, by their names.
_POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}


def _environment(stack: Stack, function: str) -> set[str]:
    return set(stack.properties(function)["Environment"]["Variables"])


def test_every_function_is_given_the_settings_that_the_code_reads_and_no_others(deployed: Stack) -> None:
    settings = {name.upper() for name in Settings.model_fields}

    for name in FUNCTIONS.keys() - {"PowensWebhookFunction", "LiveUpdatesFunction"}:
        assert _environment(deployed, name) == settings | _POWERTOOLS


def test_live_updates_are_given_what_they_read_by_themselves_too(deployed: Stack) -> None:
    common = _environment(deployed, "AccountsApiFunction")
    own = {name.upper() for name in LiveSettings.model_fields} - common

    assert _environment(deployed, "LiveUpdatesFunction") == common | own
    assert own == {"LIVE_ENDPOINT", "JWT_ISSUER", "JWT_AUDIENCE"}


def test_the_webhook_is_given_what_it_reads_by_itself_too(deployed: Stack) -> None:
    common = _environment(deployed, "AccountsApiFunction")
    code = ast.parse((ROOT / "functions" / "powens_webhook" / "app.py").read_text())
    read = {
        node.value
        for node in ast.walk(code)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", node.value)
    }

    assert _environment(deployed, "PowensWebhookFunction") == common | {"WEBHOOK_SECRETS", "WEBHOOK_TOLERANCE_SECONDS"}
    assert read <= _environment(deployed, "PowensWebhookFunction")
    assert read - common == {"WEBHOOK_SECRETS", "WEBHOOK_TOLERANCE_SECONDS"}


def test_only_the_webhook_is_given_a_secret_and_no_other_function_is(deployed: Stack) -> None:
    holders = {
        name
        for name, function in deployed.of("AWS::Lambda::Function")
        if "{{resolve:" in json.dumps(function["Environment"])
    }

    assert holders == {"PowensWebhookFunction"}
    assert target(deployed.properties("PowensWebhookFunction")["KmsKeyArn"]) == "TokenKey"


@pytest.mark.parametrize("metric", Metric)
def test_each_metric_is_written_by_the_code(metric: Metric) -> None:
    code = "".join(path.read_text() for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py"))

    assert re.search(rf"\bMetric\.{metric.name}\b", code)


def test_each_metric_is_explained_to_operators_and_no_other() -> None:
    (page,) = re.findall(
        r"^## Metrics\n(.*?)^## ", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [metric.value for metric in Metric]
