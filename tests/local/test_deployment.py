"""What a deployment changes for who calls a function: rules of SAM, CloudFormation and Lambda, on the double."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import template
from local.deployment import STACK, Deployer, DeploymentFailed
from local.double import Double
from local.paths import LOCAL_PYTHON, ROOT
from local.runtime_api import Function
from local.template import process

pytestmark = pytest.mark.slow

SECRET = "stage/webhook"
REFERENCE = "{{resolve:secretsmanager:stage/webhook:SecretString:current::${SecretVersion}}}"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


class Project:
    """A template with a function behind an alias and one without, and their code; deployed as often as one likes."""

    def __init__(self, folder: Path, double: Double) -> None:
        self.folder, self.double = folder, double
        self.deployer = Deployer(double, folder)
        self.version: Mapping[str, Any] = {}
        """What the published version says of itself, such as its VersionDescription."""
        self.more: Mapping[str, Any] = {}
        """More resources."""
        self.write("shared", "shared")
        self.write("app", "app")

    def write(self, folder: str, code: str) -> None:
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / "code.py").write_text(code, "utf-8")

    def deploy(self, word: str = "first", secret_version: str = "") -> dict[str, Function]:
        function = {"CodeUri": "app", "Handler": "code.handler", "Role": {"Fn::GetAtt": "Role.Arn"}}
        behind_an_alias = {"AutoPublishAlias": "live", "AutoPublishAliasAllProperties": True, **self.version}
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        layer = {"ContentUri": "shared", "PublishLambdaVersion": True}
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
        table = {
            "TableName": "state",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": keys,
        }
        variables = {"WORD": {"Ref": "Word"}, "SECRET": {"Fn::Sub": REFERENCE}}
        written = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Parameters": {"Word": {"Type": "String"}, "SecretVersion": {"Type": "String"}},
            "Globals": {
                "Function": {
                    "Runtime": "python3.13",
                    "Layers": [{"Ref": "Shared"}],
                    "Environment": {"Variables": variables},
                }
            },
            "Resources": {
                "Live": {"Type": "AWS::Serverless::Function", "Properties": {**function, **behind_an_alias}},
                "Latest": {"Type": "AWS::Serverless::Function", "Properties": function},
                "Shared": {"Type": "AWS::Serverless::LayerVersion", "Properties": layer},
                "Role": role,
                "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
                **self.more,
            },
        }
        (self.folder / "template.yaml").write_text(yaml.safe_dump(written, sort_keys=False), "utf-8")
        processed = process(
            self.folder, {"Word": word, "SecretVersion": secret_version}, invoke_url="http://127.0.0.1:1"
        )
        deployment = self.deployer.deploy(processed, management_url="http://127.0.0.1:1")
        return {function.logical_id: function for function in deployment.functions}


@pytest.fixture(autouse=True)
def _sam_of_the_offline_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The translator is in another environment than the tests."""
    program = (
        "import json, sys; from local.template import translate; print(json.dumps(translate(*json.load(sys.stdin))))"
    )

    def translated(*given: Any) -> Any:
        done = subprocess.run(
            [LOCAL_PYTHON, "-c", program], input=json.dumps(given), cwd=ROOT, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    monkeypatch.setattr(template, "translate", translated)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    double = Double(tmp_path / "double")
    double.start()
    try:
        double.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps({"current": "old"}))
        yield Project(tmp_path, double)
    finally:
        double.stop()


def test_a_parameter_alone_reaches_what_has_no_alias_and_makes_no_new_version(project: Project) -> None:
    """SAM names a version by its properties as written, and `!Ref` stays `!Ref`."""
    before = project.deploy("first")
    after = project.deploy("second")

    assert after["Live"] == before["Live"]
    assert after["Live"].environment["WORD"] == "first"
    assert after["Latest"].environment["WORD"] == "second"
    assert (after["Live"].version, after["Latest"].version) == ("1", "$LATEST")
    assert after["Live"].arn.endswith(":live")


def test_another_description_publishes_a_version_which_the_alias_then_means(project: Project) -> None:
    project.version = {"VersionDescription": {"Ref": "Word"}}
    project.deploy("first")

    live = project.deploy("second")["Live"]

    assert (live.version, live.environment["WORD"]) == ("2", "second")


@pytest.mark.parametrize("folder", ["app", "shared"])
def test_other_code_makes_a_version_and_the_code_of_before_makes_another(folder: str, project: Project) -> None:
    before = project.deploy()["Live"]
    project.write(folder, "newer")
    newer = project.deploy()["Live"]
    project.write(folder, folder)

    again = project.deploy()["Live"]

    assert [one.version for one in (before, newer, again)] == ["1", "2", "3"]
    assert again.path == before.path


def test_a_secret_is_read_again_when_the_reference_to_it_changes_and_not_before(project: Project) -> None:
    project.version = {"VersionDescription": {"Fn::Sub": "${Word} ${SecretVersion}"}}
    project.deploy()
    secrets = project.double.client("secretsmanager")
    rotated = secrets.put_secret_value(SecretId=SECRET, SecretString=json.dumps({"current": "new"}))["VersionId"]

    forgotten = project.deploy("other word")["Live"]
    named = project.deploy("other word", rotated)["Live"]

    assert (forgotten.environment["WORD"], forgotten.environment["SECRET"]) == ("other word", "old")
    assert named.environment["SECRET"] == "new"


def test_an_update_that_fails_is_taken_back_and_says_why(project: Project) -> None:
    project.version = {"VersionDescription": {"Ref": "Word"}}
    project.deploy("first")
    nobody = {"FunctionName": {"Ref": "Latest"}, "Qualifier": "nobody", "MaximumRetryAttempts": 0}
    project.more = {"Impossible": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": nobody}}

    with pytest.raises(DeploymentFailed, match=r"Impossible: .*nobody"):
        project.deploy("second")

    stack = project.double.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    project.more = {}
    assert project.deploy("first")["Live"].environment["WORD"] == "first"


def test_what_is_stored_outlives_an_update_and_nothing_to_update_is_no_failure(project: Project) -> None:
    project.deploy("first")
    table = project.double.client("dynamodb")
    table.put_item(TableName="state", Item={"pk": {"S": "kept"}})

    for word in ("second", "second"):
        project.deploy(word)

    assert table.scan(TableName="state")["Items"] == [{"pk": {"S": "kept"}}]
