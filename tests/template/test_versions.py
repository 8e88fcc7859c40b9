"""What is deployed is what runs: new code and every new setting reach the functions behind the alias `live`.

Alias and version are made by SAM, which names a version by a hash of the function's properties as written, so a `!Ref`
to a parameter is the same whatever its value is. CloudFormation publishes a version when it has another logical id or
another value of one of the properties that cannot be changed (`_CREATE_ONLY`).
"""

from collections.abc import Mapping
from typing import Any

import pytest

from local.intrinsics import Resolver
from shared.entrypoints.metrics import Metric
from tests.template.cloudformation import PARAMETERS, Stack, references, target, translate, translate_each

# From AWS' schemas of the two types: another value makes another resource.
_CREATE_ONLY = {"AWS::Lambda::Version": "Description", "AWS::AppConfig::HostedConfigurationVersion": "Content"}
_LONGEST_DESCRIPTION = 256

# Another value of each parameter than the one that the tests deploy with.
OTHERS: Mapping[str, str] = {
    "Stage": "prod",
    "Architecture": "x86_64",
    "LogLevel": "DEBUG",
    "PublicUrl": "https://other.example.com",
    "JwtIssuer": "https://other.example.com",
    "JwtAudience": "other",
    "AccessTokensOnly": "true",
    "TokenScopes": "accounts:read accounts:write accounts:erase",
    "ErasureSignInWithinMinutes": "5",
    "ReturnToAllowed": "otherapp://",
    "PowensApiUrl": "https://other.biapi.pro/2.0",
    "PowensWebviewUrl": "https://other.example.com",
    "PowensDomain": "other.biapi.pro",
    "PowensCallsPerMinute": "60",
    "ConfirmConnectionsWithinMinutes": "60",
    "PowensSecretName": "other/powens",
    "WebhookSecretName": "other/webhook",
    "WebhookSecretVersionId": "0" * 32,
    "WebhookToleranceSeconds": "60",
}


def _behind_aliases(stack: Stack) -> dict[str, str]:
    """Function -> the logical id of the version that its alias points at."""
    found = {}
    for _, alias in stack.of("AWS::Lambda::Alias"):
        version, function = target(alias["FunctionVersion"]), stack.function_behind(alias["FunctionName"])
        assert version is not None
        assert function is not None
        found[function] = version
    return found


def _identities(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, tuple[str, str, str]]:
    """Function -> what CloudFormation tells its version from another by."""
    stack = Stack(template)
    resolve = Resolver(template, {**PARAMETERS, **parameters}, {})
    found = {}
    for function, version in _behind_aliases(stack).items():
        description = stack.properties(version).get("Description", "")
        numbered = target(description)
        settings = "" if numbered is None else stack.properties(numbered)[_CREATE_ONLY[stack.type_of(numbered) or ""]]
        found[function] = (version, str(description), resolve(settings))
    return found


_OF_THE_FUNCTION = frozenset({"FunctionName", "ReservedConcurrentExecutions"})
"""Properties that no version freezes: they are of the function, whichever version runs."""


def _read_by(stack: Stack, function: str) -> set[str]:
    properties = {name: value for name, value in stack.properties(function).items() if name not in _OF_THE_FUNCTION}
    return set(references(properties)) & set(stack.template["Parameters"])


@pytest.fixture(scope="module")
def identities(template_text: str) -> dict[str, dict[str, tuple[str, str, str]]]:
    """By the parameter that has another value; "" for none."""
    deployments: dict[str, dict[str, str]] = {"": {}} | {name: {name: value} for name, value in OTHERS.items()}
    expanded = translate_each(template_text, list(deployments.values()))
    return {
        name: _identities(template, deployments[name]) for name, template in zip(deployments, expanded, strict=True)
    }


@pytest.mark.parametrize("parameter", OTHERS)
def test_another_value_of_a_parameter_makes_a_new_version_of_each_function_that_reads_it(
    parameter: str, deployed: Stack, identities: dict[str, dict[str, tuple[str, str, str]]]
) -> None:
    readers = {function for function in _behind_aliases(deployed) if parameter in _read_by(deployed, function)}

    before, after = identities[""], identities[parameter]

    assert {function for function in readers if before[function] == after[function]} == set()


def test_every_parameter_that_a_function_reads_is_tried(deployed: Stack) -> None:
    read = {name for function, _ in deployed.of("AWS::Lambda::Function") for name in _read_by(deployed, function)}

    assert read <= set(OTHERS)


def test_what_makes_a_new_version_changes_the_function_too(deployed: Stack) -> None:
    """Lambda refuses to publish a function that is as it was, whatever the description of the version says."""
    for function, version in _behind_aliases(deployed).items():
        number = target(deployed.properties(version)["Description"])
        assert deployed.type_of(number) == "AWS::AppConfig::HostedConfigurationVersion"
        assert number in set(references(deployed.properties(function)["Environment"]))


def test_a_versions_description_is_never_too_long(deployed: Stack) -> None:
    for version in _behind_aliases(deployed).values():
        said = deployed.properties(version)["Description"]["Fn::Sub"]
        # What stands for a number in it has no more digits than a number of settings can.
        assert len(said) < _LONGEST_DESCRIPTION


def test_the_settings_hold_no_value_of_a_secret(deployed: Stack) -> None:
    assert "{{resolve:" not in str(deployed.properties("Settings"))


def test_new_shared_code_alone_makes_a_new_version_behind_each_alias(template_text: str) -> None:
    def versions(layer: str) -> set[str]:
        return {name for name, _ in Stack(translate(template_text, layer=layer)).of("AWS::Lambda::Version")}

    before, after = versions("s3://bucket/old"), versions("s3://bucket/new")
    assert before
    assert before.isdisjoint(after)


# --- gradual deployments -------------------------------------------------------------------------------------------

GRADUAL = {"AccountsApiFunction", "PowensWebhookFunction", "AccountCommandsFunction", "ConnectionRefreshFunction"}


def test_who_answers_people_or_powens_and_who_works_for_them_changes_gradually(in_production: Stack) -> None:
    groups = dict(in_production.of("AWS::CodeDeploy::DeploymentGroup"))

    assert set(groups) == {f"{function}DeploymentGroup" for function in GRADUAL}
    for group in groups.values():
        assert group["AutoRollbackConfiguration"]["Enabled"] is True


@pytest.mark.parametrize("function", sorted(GRADUAL))
def test_new_code_goes_back_at_its_first_crash_and_at_its_first_bug(function: str, in_production: Stack) -> None:
    """Lambda's `Errors` count crashes only: a bug in a request is a 500, one in a message is a message to repeat."""
    configuration = in_production.properties(f"{function}DeploymentGroup")["AlarmConfiguration"]
    watched = [in_production.properties(target(alarm["Name"]) or "") for alarm in configuration["Alarms"]]

    bugs = [alarm for alarm in watched if alarm["MetricName"] == Metric.UNEXPECTED_ERRORS]
    crashes = [alarm for alarm in watched if alarm["MetricName"] == "Errors"]
    assert [target(alarm["Dimensions"][0]["Value"]) for alarm in crashes] == [function]
    assert len(bugs) == 1
    for alarm in bugs:
        assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (1, 60, 1)
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_messages_and_requests_reach_the_version_that_is_live(in_production: Stack) -> None:
    for name, mapping in in_production.of("AWS::Lambda::EventSourceMapping"):
        if in_production.function_behind(mapping["FunctionName"]) in GRADUAL:
            assert in_production.type_of(target(mapping["FunctionName"])) == "AWS::Lambda::Alias", name
