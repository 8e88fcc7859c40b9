"""What the template promises by name: routes, permissions, settings, stages."""

import ast
import json
import re
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest

from local.intrinsics import load
from local.paths import ROOT
from shared.config import LiveSettings, Settings
from shared.domain.erasure import QUIET_FOR
from shared.domain.ledger import OPERATION_DEADLINE
from shared.entrypoints.metrics import Metric
from shared.entrypoints.sqs import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS
from tests.template.cloudformation import PARAMETERS, Stack, target

FUNCTIONS = {
    "AccountsApiFunction": "accounts_api",
    "PowensWebhookFunction": "powens_webhook",
    "AccountCommandsFunction": "account_commands",
    "ConnectionRefreshFunction": "read_back",
    "OutboxPublisherFunction": "outbox_publisher",
    "HousekeepingFunction": "housekeeping",
    "InstitutionCatalogueFunction": "institution_catalogue",
    "LiveUpdatesFunction": "live_updates",
    "OrphanCheckFunction": "orphan_check",
}


# --- functions and their code --------------------------------------------------------------------------------------


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
# Read by what traces who did what, at the doors that know the user.
_TRACES = {"TRACES_KEY"}
# Read by nobody: it makes new settings a new version.
_NUMBER = {"SETTINGS_VERSION"}


def _environment(stack: Stack, function: str) -> set[str]:
    return set(stack.properties(function)["Environment"]["Variables"])


def test_every_function_is_given_the_settings_that_the_code_reads_and_no_others(deployed: Stack) -> None:
    settings = {name.upper() for name in Settings.model_fields}

    for name in FUNCTIONS.keys() - {"PowensWebhookFunction", "LiveUpdatesFunction"}:
        own = _TRACES if name == "AccountsApiFunction" else set()
        assert _environment(deployed, name) == settings | _POWERTOOLS | _NUMBER | own


def test_live_updates_are_given_what_they_read_by_themselves_too(deployed: Stack) -> None:
    common = _environment(deployed, "AccountsApiFunction")
    own = {name.upper() for name in LiveSettings.model_fields} - common

    assert _environment(deployed, "LiveUpdatesFunction") == common | own
    assert own == {"LIVE_ENDPOINT", "JWT_ISSUER", "JWT_AUDIENCE"}


def test_the_webhook_is_given_what_it_reads_by_itself_too(deployed: Stack) -> None:
    common = _environment(deployed, "HousekeepingFunction")
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


def test_who_is_given_a_secret_has_it_under_our_key_and_no_other_function_is(deployed: Stack) -> None:
    held = {
        name: set(re.findall(r"resolve:secretsmanager:([^:}]*}?[^:}]*)", json.dumps(function["Environment"])))
        for name, function in deployed.of("AWS::Lambda::Function")
    }
    traces, webhooks = {"synced-accounts/${Stage}/traces"}, {"${WebhookSecretName}"}

    assert held.pop("PowensWebhookFunction") == webhooks
    assert (held.pop("AccountsApiFunction"), held.pop("LiveUpdatesFunction")) == (traces, traces)
    assert set().union(*held.values()) == set()
    for name in ("PowensWebhookFunction", "AccountsApiFunction", "LiveUpdatesFunction"):
        assert target(deployed.properties(name)["KmsKeyArn"]) == "TokenKey"
    assert deployed.properties("TracesKey")["Name"] == {"Fn::Sub": "synced-accounts/${Stage}/traces"}


def test_webhooks_have_concurrency_of_their_own_once_somebody_says_how_much(deployed: Stack) -> None:
    given = {
        name: function["ReservedConcurrentExecutions"]
        for name, function in deployed.of("AWS::Lambda::Function")
        if "ReservedConcurrentExecutions" in function
    }

    assert given == {
        "PowensWebhookFunction": {
            "Fn::If": ["HasWebhookConcurrency", {"Ref": "WebhookConcurrency"}, {"Ref": "AWS::NoValue"}]
        }
    }


@pytest.mark.parametrize("metric", Metric)
def test_each_metric_is_written_by_the_code(metric: Metric) -> None:
    code = "".join(path.read_text() for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py"))

    assert re.search(rf"\bMetric\.{metric.name}\b", code)


def test_each_metric_is_explained_to_operators_and_no_other() -> None:
    (page,) = re.findall(
        r"^## Metrics\n(.*?)^## ", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [metric.value for metric in Metric]


# --- live updates --------------------------------------------------------------------------------------------------


def test_sockets_open_close_and_speak_to_one_function(deployed: Stack) -> None:
    routes = {route["RouteKey"]: route for _, route in deployed.of("AWS::ApiGatewayV2::Route")}

    assert set(routes) == {"$connect", "$disconnect", "$default"}
    for route in routes.values():
        assert target(route["ApiId"]) == "LiveApi"
        assert target(route["Target"]) == "LiveIntegration"
    assert deployed.properties("LiveApi")["ProtocolType"] == "WEBSOCKET"
    uri = deployed.properties("LiveIntegration")["IntegrationUri"]["Fn::Sub"]
    assert "functions/${LiveUpdatesFunction.Arn}/invocations" in uri
    # Without it API Gateway may not call the function, and every socket is refused.
    permission = deployed.properties("LivePermission")
    assert target(permission["FunctionName"]) == "LiveUpdatesFunction"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${LiveApi}/${LiveStage}/*")


def test_the_function_writes_to_sockets_of_the_stage_it_is_behind(deployed: Stack) -> None:
    address = "https://${LiveApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${LiveStage}"
    variables = deployed.properties("LiveUpdatesFunction")["Environment"]["Variables"]

    assert variables["LIVE_ENDPOINT"] == {"Fn::Sub": address}
    assert (variables["JWT_ISSUER"], variables["JWT_AUDIENCE"]) == ({"Ref": "JwtIssuer"}, {"Ref": "JwtAudience"})
    given = deployed.template["Outputs"]["LiveUrl"]["Value"]
    assert given == {"Fn::Sub": address.replace("https:", "wss:")}
    assert target(deployed.stage("LiveApi")["ApiId"]) == "LiveApi"


def test_every_event_that_we_publish_is_told_to_open_screens(deployed: Stack) -> None:
    pattern = deployed.properties("LiveUpdatesFunctionChanges")["EventPattern"]

    assert set(pattern["detail-type"]) == {path.stem for path in (ROOT / "events" / "schemas").glob("*.json")}


def test_the_log_of_the_sockets_holds_no_header_and_is_written_only_when_asked_for(deployed: Stack) -> None:
    condition, settings, without = deployed.stage("LiveApi")["AccessLogSettings"]["Fn::If"]
    logged = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))

    assert (condition, without) == ("HasLiveAccessLogs", {"Ref": "AWS::NoValue"})
    assert {"requestId", "identity.sourceIp"} <= logged
    assert not {name for name in logged if name.startswith("authorizer")}
    assert "header" not in settings["Format"]
    assert json.loads(settings["Format"])


def test_only_the_rule_may_put_what_it_could_not_hand_over_into_the_failures_queue(deployed: Stack) -> None:
    policy = deployed.properties("LiveUpdatesFailuresPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert [target(queue) for queue in policy["Queues"]] == ["LiveUpdatesFailuresQueue"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == "LiveUpdatesFunctionChanges"


# --- stages --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def samconfig() -> dict[str, Any]:
    return tomllib.loads((ROOT / "samconfig.toml").read_text())


def _overrides(samconfig: dict[str, Any], stage: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in samconfig[stage]["deploy"]["parameters"]["parameter_overrides"])


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_a_stages_settings_are_complete_and_allowed(
    stage: str, samconfig: dict[str, Any], source: dict[str, Any]
) -> None:
    given = _overrides(samconfig, stage)
    declared = source["Parameters"]

    assert set(given) <= set(declared)
    assert {name for name, parameter in declared.items() if "Default" not in parameter} <= set(given)
    for name, value in given.items():
        allowed = declared[name].get("AllowedValues")
        assert allowed is None or value in [str(one) for one in allowed], name
        assert re.search(declared[name].get("AllowedPattern", ""), value), name
    assert given["Stage"] == stage
    assert stage in samconfig[stage]["deploy"]["parameters"]["stack_name"]


def test_each_stage_limits_what_it_asks_of_powens(samconfig: dict[str, Any]) -> None:
    for stage in ("dev", "staging", "prod"):
        given = _overrides(samconfig, stage)
        calls = int(given["PowensCallsPerMinute"])
        # What Powens documents as the fair use of a sandbox domain; of production it says nothing.
        assert calls == 30 if "-sandbox." in given["PowensDomain"] else calls > 30


def test_production_changes_gradually_and_mails_its_alarms(samconfig: dict[str, Any]) -> None:
    given = _overrides(samconfig, "prod")

    assert given["GradualDeployments"] == "true"
    assert given["AlarmEmail"]


def test_a_command_is_retried_past_its_operations_deadline(deployed: Stack) -> None:
    receives = deployed.properties("CommandsQueue")["RedrivePolicy"]["maxReceiveCount"]
    # The shortest that the worker's random delays may be: half of what it aims at.
    delays = [min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**n) / 2 for n in range(receives - 1)]

    assert sum(delays) > OPERATION_DEADLINE.total_seconds()


def test_no_stage_names_an_account_or_a_secret_value(samconfig: dict[str, Any]) -> None:
    assert not re.search(r"\d{12}|arn:", json.dumps(samconfig))


def test_the_parameters_that_tests_deploy_with_are_those_without_a_default(source: dict[str, Any]) -> None:
    assert set(PARAMETERS) == {name for name, one in source["Parameters"].items() if "Default" not in one}


def test_every_parameter_is_explained_and_grouped(source: dict[str, Any]) -> None:
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(source["Parameters"])
    assert all(parameter["Description"] for parameter in source["Parameters"].values())


def test_short_tags_are_read_in_their_long_form() -> None:
    assert load("a: !GetAtt B.C.D\nb: !Sub ${X}\nc: !If [C, 1, 2]\nd: !Sub [t, {k: !Ref v}]") == {
        "a": {"Fn::GetAtt": ["B", "C.D"]},
        "b": {"Fn::Sub": "${X}"},
        "c": {"Fn::If": ["C", 1, 2]},
        "d": {"Fn::Sub": ["t", {"k": {"Ref": "v"}}]},
    }


# --- what to do about it -------------------------------------------------------------------------------------------


def test_no_function_runs_for_longer_than_an_erasure_waits(deployed: Stack) -> None:
    for_no_user = {
        "HousekeepingFunction",
        "InstitutionCatalogueFunction",
        "OrphanCheckFunction",
    }  # they call Powens, if at all, for nobody
    for name, function in deployed.of("AWS::Lambda::Function"):
        assert function["Timeout"] <= QUIET_FOR.total_seconds() or name in for_no_user, name


def test_every_alarm_says_its_urgency_its_impact_and_a_first_step_in_a_section_of_the_guide(deployed: Stack) -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    sections = set(re.findall(r"^#+ (.+)$", guide, re.MULTILINE))

    for name, alarm in deployed.of("AWS::CloudWatch::Alarm"):
        # How urgent, what it means for whom, and where to look first.
        said = r'(NOW|SOON)\. [A-Z].+\. Is it Powens, AWS or us\? \S.+\. docs/operating\.md, "(.+)"\.'
        match = re.fullmatch(said, alarm["AlarmDescription"])
        assert match, name
        assert match.group(2) in sections, name


def test_the_deploying_guide_explains_every_parameter(source: dict[str, Any]) -> None:
    guide = (ROOT / "docs" / "deploying.md").read_text()

    assert {name for name in source["Parameters"] if f"`{name}`" not in guide} == set()
