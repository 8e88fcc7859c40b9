"""The stages' settings and parameters, and what the guides say of them and of the alarms."""

import json
import re
import tomllib
from datetime import timedelta
from typing import Any

import pytest

from local.intrinsics import load
from local.paths import ROOT
from shared.application.access import RECONCILE_EVERY
from shared.domain.erasure import QUIET_FOR
from shared.domain.ledger import OPERATION_DEADLINE
from shared.entrypoints.sqs import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS
from tests.template.cloudformation import PARAMETERS, Stack


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


def test_production_changes_gradually_and_mails_its_alarms(samconfig: dict[str, Any], in_production: Stack) -> None:
    given = _overrides(samconfig, "prod")

    assert given["GradualDeployments"] == "true"
    assert given["AlarmEmail"]
    groups = dict(in_production.of("AWS::CodeDeploy::DeploymentGroup"))
    assert set(groups) == {"AccountsApiFunctionDeploymentGroup", "PowensWebhookFunctionDeploymentGroup"}
    for group in groups.values():
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert group["AlarmConfiguration"]["Alarms"]


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


def test_the_alarm_on_staleness_leaves_the_plan_an_hour_and_no_more(deployed: Stack) -> None:
    threshold = timedelta(seconds=deployed.properties("StalenessAlarm")["Threshold"])

    assert threshold == RECONCILE_EVERY + timedelta(hours=1)


def test_no_function_runs_for_longer_than_an_erasure_waits(deployed: Stack) -> None:
    for_no_user = {
        "HousekeepingFunction",
        "InstitutionCatalogueFunction",
        "OrphanCheckFunction",
    }  # they call Powens, if at all, for nobody
    for name, function in deployed.of("AWS::Lambda::Function"):
        assert function["Timeout"] <= QUIET_FOR.total_seconds() or name in for_no_user, name


def test_every_alarm_names_a_section_of_the_operating_guide(deployed: Stack) -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    sections = set(re.findall(r"^#+ (.+)$", guide, re.MULTILINE))

    for name, alarm in deployed.of("AWS::CloudWatch::Alarm"):
        match = re.search(r'docs/operating\.md, "(.+)"', alarm["AlarmDescription"])
        assert match, name
        assert match.group(1) in sections, name


def test_the_deploying_guide_explains_every_parameter(source: dict[str, Any]) -> None:
    guide = (ROOT / "docs" / "deploying.md").read_text()

    assert {name for name in source["Parameters"] if f"`{name}`" not in guide} == set()
