"""The release pipeline in the form that GitHub runs: what its own checks would refuse, and what must not be in it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
# YAML 1.1 reads the word `on` as true.
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]

WORKFLOW_KEYS = {"name", True, "permissions", "concurrency", "jobs"}
JOB_KEYS = {"needs", "if", "runs-on", "timeout-minutes", "environment", "permissions", "env", "steps", "outputs"}
STEP_KEYS = {"uses", "with", "name", "run", "env", "id", "if"}
INPUTS = {
    "actions/checkout": {"fetch-depth"},
    "actions/upload-artifact": {"name", "path", "include-hidden-files", "if-no-files-found"},
    "actions/download-artifact": {"name", "path"},
    "aws-actions/configure-aws-credentials": {"role-to-assume", "aws-region"},
}
"""Of the actions that are used, the inputs that each takes."""
CONTEXTS = {"vars", "secrets", "needs", "steps"}


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in JOBS.items():
        for step in job["steps"]:
            yield name, step


def needed(job: str) -> set[str]:
    """All jobs that come before one."""
    given = JOBS[job].get("needs", [])
    before = {given} if isinstance(given, str) else set(given)
    return before | {earlier for one in before for earlier in needed(one)}


def test_it_has_no_key_that_nobody_knows() -> None:
    assert set(WORKFLOW) <= WORKFLOW_KEYS
    assert {key for job in JOBS.values() for key in job} <= JOB_KEYS
    assert {key for _, step in steps() for key in step} <= STEP_KEYS
    assert all(("uses" in step) != ("run" in step) for _, step in steps())


def test_each_action_is_of_a_known_publisher_and_of_a_version_and_takes_what_it_is_given() -> None:
    for _, step in steps():
        if "uses" in step:
            action, _, version = step["uses"].partition("@")
            assert re.fullmatch(r"v\d+|[0-9a-f]{40}", version), step["uses"]
            assert set(step.get("with", {})) <= INPUTS[action], step["uses"]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_an_end_and_needs_jobs_that_are_there(job: str) -> None:
    assert 0 < JOBS[job]["timeout-minutes"] <= 120
    assert needed(job) <= set(JOBS) - {job}


def test_production_comes_after_the_tests_and_after_the_first_contact_on_staging() -> None:
    assert needed("production") >= {"test", "build", "staging"}
    assert "first-contact" in str(JOBS["staging"]["steps"])
    assert needed("rollback") >= {"production"}
    assert "needs.production.outputs.contact == 'failure'" in JOBS["rollback"]["if"]
    assert JOBS["production"]["outputs"]["contact"] == "${{ steps.contact.outcome }}"


def test_what_was_built_once_is_what_both_stages_get() -> None:
    taken = {job for job, step in steps() if step.get("uses", "").startswith("actions/download-artifact")}

    assert taken == {"staging", "production"}
    assert [job for job, step in steps() if "make build" in step.get("run", "")] == ["build", "rollback"]


def test_aws_is_reached_by_short_lived_tokens_alone_and_only_where_something_is_deployed() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    roles = {job for job, step in steps() if step.get("uses", "").startswith("aws-actions/")}
    assert roles == {job for job in JOBS if JOBS[job].get("permissions", {}).get("id-token") == "write"}
    assert roles == {"staging", "production", "rollback"}
    assert {JOBS[job]["environment"] for job in roles} == {"staging", "production"}
    assert not re.search(r"access-key|AKIA|aws_secret", TEXT, re.IGNORECASE)


def test_no_expression_is_written_into_a_script_and_each_reads_what_there_is() -> None:
    """A value in a script is a script; in the environment it is a value."""
    for _, step in steps():
        assert "${{" not in step.get("run", "")
    for expression in re.findall(r"\$\{\{(.+?)\}\}", TEXT):
        for context in re.findall(r"(?<![.\w])([a-z]+)\.[A-Za-z]", re.sub(r"'[^']*'", "", expression)):
            assert context in CONTEXTS, expression


def test_each_script_is_one_and_calls_targets_that_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for _, step in steps():
        if script := step.get("run"):
            checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
            assert checked.returncode == 0, checked.stderr
            assert set(re.findall(r"\bmake ([a-z-]+)", script)) <= targets
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_way_back_changes_the_settings_that_it_means_to() -> None:
    """The pattern has to match the file, or the release before would be let in gradually, or not at all."""
    [script] = [step["run"] for job, step in steps() if job == "rollback" and "sed" in step.get("run", "")]
    [command] = re.findall(r"sed -i ('.+?') samconfig\.toml", script)
    done = subprocess.run(
        ["bash", "-c", f"sed {command} samconfig.toml"], cwd=ROOT, text=True, capture_output=True, check=True
    )

    before, _, production = done.stdout.partition("[prod.deploy")
    assert "GradualDeployments=false" in production
    assert "GradualDeployments=true" not in production
    assert before == (ROOT / "samconfig.toml").read_text("utf-8").partition("[prod.deploy")[0]


def test_it_names_no_host() -> None:
    assert not re.search(r"https?://|\b[a-z0-9-]+\.(?:com|io|dev|net|org)\b", TEXT)
