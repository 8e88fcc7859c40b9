"""What `first-contact` notices of a deployment: one thing is broken in each test, on a stack that is as it has to be.

The whole of it runs on the offline system in `tests/e2e/test_first_contact.py`. Here AWS is a table of answers.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from ops.first_contact import journey
from ops.first_contact.deployment import Deployment
from ops.first_contact.findings import Finding, State
from ops.first_contact.journey import Journey
from ops.system import System
from ops.wire import Answer, Unreachable
from shared.domain.errors import BadSignature
from shared.webhooks import about, verified_body

DOCS = Path(__file__).parents[2] / "docs"
PUBLIC, ISSUER, POWENS = "https://accounts.example.com", "https://login.example.com", "https://acme-sandbox.biapi.pro"
KEY = "the-key-of-the-webhooks"
TOPIC = "arn:aws:sns:eu-west-3:1:alarms"
JWT = {"JwtConfiguration": {"Issuer": ISSUER, "Audience": ["synced-accounts"]}, "AuthorizerType": "JWT"}
JSON, PROBLEM = "application/json", "application/problem+json"


def alarm(name: str) -> dict[str, Any]:
    return {"AlarmName": name, "ActionsEnabled": True, "AlarmActions": [TOPIC], "StateValue": "OK"}


@dataclass
class Aws:
    """The answers of AWS and of the addresses, which a test changes. `hints` wait in the queue until somebody looks."""

    secret: dict[str, str] = field(default_factory=lambda: {"current": KEY})
    deployed_key: str = KEY
    versions: list[str] = field(default_factory=lambda: ["$LATEST", "1", "9", "10"])
    alias: dict[str, Any] = field(default_factory=lambda: {"FunctionVersion": "10"})
    schedule: str = "ENABLED"
    named: list[str] = field(default_factory=lambda: ["one", "two"])
    alarms: list[dict[str, Any]] = field(default_factory=lambda: [alarm("one"), alarm("two")])
    subscribed: list[str] = field(default_factory=lambda: ["arn:aws:sns:eu-west-3:1:alarms:2f"])
    routes: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"RouteKey": "GET /health", "AuthorizationType": "NONE"},
            {"RouteKey": "GET /v1/{proxy+}", "AuthorizationType": "JWT", "AuthorizerId": "a1"},
        ]
    )
    authorizers: list[dict[str, Any]] = field(default_factory=lambda: [{"AuthorizerId": "a1", **JWT}])
    pages: dict[str, tuple[int, str, object]] = field(default_factory=lambda: {
        f"GET {PUBLIC}/health": (200, JSON, {}),
        f"GET {PUBLIC}/v1/connections": (401, JSON, {"message": "Unauthorized"}),
        f"GET {ISSUER}/.well-known/openid-configuration": (200, JSON, {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}),
        f"GET {ISSUER}/keys": (200, JSON, {"keys": [{}]}),
        f"GET {POWENS}/2.0/connectors": (200, JSON, {"connectors": [{}]}),
    })  # fmt: skip
    hints: int = 0
    worker: bool = True
    dead: int = 0
    poison: bool = False
    sent: list[Mapping[str, object]] = field(default_factory=list)

    def system(self) -> System:
        return System(
            client=lambda service: Client(self, service),
            outputs={
                "ApiId": "api", "WebhooksUrl": f"{PUBLIC}/webhooks/powens", "AlarmTopicArn": TOPIC,
                "RefreshQueueUrl": "refresh", "RefreshDeadLetterQueueUrl": "dead",
            },
            parameters={
                "PublicUrl": PUBLIC, "JwtIssuer": ISSUER, "JwtAudience": "synced-accounts",
                "PowensApiUrl": f"{POWENS}/2.0", "PowensDomain": "acme-sandbox.biapi.pro",
                "WebhookSecretName": "webhook", "WebhookSecretVersionId": "v1",
            },
            name="stack",
        )  # fmt: skip

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, seconds: float) -> Answer:
        address = f"{method} {url.partition('?')[0]}"
        if "/webhooks/" in url:
            return self._webhook(url, headers, body or b"")
        status, kind, shown = self.pages.get(address, (0, "", None))
        if not status:
            raise Unreachable(f"{urlsplit(url).hostname} does not answer (NameResolutionError)")
        return Answer(status, {"content-type": kind}, json.dumps(shown).encode(), 0.01)

    def _webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """As the function takes it, with the key that it was deployed with."""
        try:
            verified = verified_body(
                secrets=[self.deployed_key], method="POST", path=urlsplit(url).path, headers=headers, body=body,
                now=datetime.now(UTC), tolerance=timedelta(weeks=1),
            )  # fmt: skip
        except BadSignature as error:
            return Answer(401, {"content-type": PROBLEM}, json.dumps({"code": error.code}).encode(), 0.01)
        whom = about(url.rpartition("/")[2], verified)
        self.sent.append({"user": whom and whom.user_id})
        self.hints += 1
        return Answer(200, {"content-type": JSON}, b'{"status": "queued"}', 0.01)

    def pause(self, seconds: float) -> None:
        """Time in which the worker reads what waits."""
        if self.worker:
            self.hints, self.dead = 0, self.dead + (self.hints if self.poison else 0)


class Client:
    """One service of AWS, as far as the checks ask it."""

    def __init__(self, aws: Aws, service: str) -> None:
        self.aws = aws

    def get_paginator(self, name: str) -> "Client":
        self.listed = name
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        resources = {
            "AWS::Lambda::Alias": ["arn:aws:lambda:eu-west-3:1:function:stack-api:live"],
            "AWS::CloudWatch::Alarm": self.aws.named,
            "AWS::Scheduler::Schedule": ["stack-housekeeping"],
        }
        listed = [{"ResourceType": kind, "PhysicalResourceId": name} for kind in resources for name in resources[kind]]
        return {
            # One resource a page.
            "list_stack_resources": [{"StackResourceSummaries": [one]} for one in listed],
            "list_versions_by_function": [{"Versions": [{"Version": one}]} for one in self.aws.versions],
            "list_subscriptions_by_topic": [
                {"Subscriptions": [{"SubscriptionArn": one} for one in self.aws.subscribed]}
            ],
        }[self.listed]

    def get_alias(self, **_: str) -> dict[str, Any]:
        return self.aws.alias

    def get_schedule(self, **_: str) -> dict[str, str]:
        return {"State": self.aws.schedule}

    def describe_alarms(self, *, AlarmNames: list[str], MaxRecords: int) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [one for one in self.aws.alarms if one["AlarmName"] in AlarmNames]}

    def get_routes(self, **_: str) -> dict[str, Any]:
        return {"Items": self.aws.routes}

    def get_authorizers(self, **_: str) -> dict[str, Any]:
        return {"Items": self.aws.authorizers}

    def get_secret_value(self, *, SecretId: str, VersionId: str) -> dict[str, str]:  # noqa: N803
        assert (SecretId, VersionId) == ("webhook", "v1")
        return {"SecretString": json.dumps(self.aws.secret)}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        count = self.aws.hints if QueueUrl == "refresh" else self.aws.dead
        return {
            "Attributes": {name: str(count if name == "ApproximateNumberOfMessages" else 0) for name in AttributeNames}
        }


@pytest.fixture
def aws() -> Aws:
    return Aws()


def looked_at(aws: Aws, *, allowed: bool = True) -> dict[str, Finding]:
    deployment = Deployment(aws.system(), lambda _: allowed, aws.send, aws.pause, read_within=10.0)
    return {finding.what: finding for finding in deployment.checks()}


def test_a_deployment_that_is_as_it_has_to_be_has_nothing_wrong(aws: Aws) -> None:
    found = looked_at(aws)

    assert {finding.what: finding.seen for finding in found.values() if finding.state is not State.OK} == {}


def closed(aws: Aws, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(aws, name, value)


def answered(address: str, status: int, kind: str = JSON, shown: object = None) -> Callable[[Aws], None]:
    return lambda aws: aws.pages.update({address: (status, kind, shown or {})})


def without(address: str) -> Callable[[Aws], None]:
    return lambda aws: aws.pages.update({address: (0, "", None)})


def changed(**fields: Any) -> Callable[[Aws], None]:
    return lambda aws: closed(aws, **fields)


LIST = f"GET {PUBLIC}/v1/connections"
OPENID = f"GET {ISSUER}/.well-known/openid-configuration"
OPEN_ROUTE = {"RouteKey": "GET /v1/{proxy+}", "AuthorizationType": "NONE"}
FOREIGN = {"AuthorizerId": "a1", **JWT, "JwtConfiguration": {"Issuer": ISSUER, "Audience": ["other"]}}

FAULTS: dict[str, tuple[Callable[[Aws], None], str, str]] = {
    "API down": (without(f"GET {PUBLIC}/health"), "the API answers", "NameResolutionError"),
    "API sick": (answered(f"GET {PUBLIC}/health", 503), "the API answers", "503"),
    "issuer away": (without(OPENID), "the issuer of the tokens is reachable", "login.example.com"),
    "issuer without keys": (answered(f"GET {ISSUER}/keys", 200), "the issuer of the tokens is reachable", "no key"),
    "another issuer": (answered(OPENID, 200), "the issuer of the tokens is reachable", "another issuer"),
    "open door": (answered(LIST, 200), "nobody comes in without a token", "200"),
    "function asked": (answered(LIST, 401, PROBLEM), "nobody comes in without a token", "no authorizer"),
    "open route": (changed(routes=[OPEN_ROUTE]), "every route but the public ones asks for a token", "{proxy+} asks"),
    "foreign audience": (
        changed(authorizers=[FOREIGN]), "every route but the public ones asks for a token", "another issuer or audience"
    ),
    "old alias": (changed(alias={"FunctionVersion": "9"}), "the newest version is live", "version 9, and 10"),
    "between two": (
        changed(alias={"FunctionVersion": "10", "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.9}}}),
        "the newest version is live", "between two versions",
    ),
    "schedule off": (changed(schedule="DISABLED"), "the schedules are on", "stack-housekeeping is off"),
    "alarm gone": (changed(alarms=[alarm("one")]), "the alarms are armed", "two is gone"),
    "alarm off": (
        changed(alarms=[alarm("one"), alarm("two") | {"ActionsEnabled": False}]),
        "the alarms are armed", "two is switched off",
    ),
    "mute alarm": (
        changed(alarms=[alarm("one"), alarm("two") | {"AlarmActions": []}]), "the alarms are armed", "two tells nobody"
    ),
    "nobody listens": (changed(subscribed=["PendingConfirmation"]), "the alarms are armed", "confirmed"),
    "Powens away": (without(f"GET {POWENS}/2.0/connectors"), "Powens answers", "acme-sandbox.biapi.pro"),
    "wrong domain": (answered(f"GET {POWENS}/2.0/connectors", 200), "Powens answers", "without a connector"),
    "old key": (changed(deployed_key="the one before"), "a signed webhook is queued and read", "not the one"),
    "no worker": (changed(worker=False), "a signed webhook is queued and read", "still queued"),
    "poison": (changed(poison=True), "a signed webhook is queued and read", "dead letters"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_thing_that_is_broken_is_the_one_thing_that_is_found(fault: str, aws: Aws) -> None:
    break_it, what, words = FAULTS[fault]
    break_it(aws)

    found = looked_at(aws)

    # Whoever has lost an alarm is told so where the alarms that are on are looked at, too.
    wrong = {name for name, finding in found.items() if finding.state is State.FAILED}
    assert wrong == {what}
    assert words in found[what].seen
    assert str(found[what]).count("\n") == 0


def test_an_alarm_that_is_on_is_shown_and_is_no_failure(aws: Aws) -> None:
    aws.alarms[0]["StateValue"] = "ALARM"

    found = looked_at(aws)["no alarm is on"]

    assert (found.state, found.seen) == (State.LOOK, "one is on")


def test_a_webhook_that_is_let_in_unsigned_is_found(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_webhook", lambda *_: Answer(200, {}, b'{"status": "queued"}', 0.01))

    assert looked_at(aws)["an unsigned webhook is refused"].state is State.FAILED


def test_nothing_is_sent_that_was_not_allowed(aws: Aws) -> None:
    found = looked_at(aws, allowed=False)["a signed webhook is queued and read"]

    assert (found.state, aws.sent) == (State.SKIPPED, [])


def test_the_webhook_is_about_nobody(aws: Aws) -> None:
    looked_at(aws)

    # The largest id that every reader of JSON keeps exactly; Powens counts from 1.
    assert aws.sent == [{"user": 9_007_199_254_740_991}]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_line_shows_a_key(fault: str, aws: Aws) -> None:
    FAULTS[fault][0](aws)

    assert not [finding for finding in looked_at(aws).values() if KEY in str(finding) or "Bearer" in str(finding)]


def test_what_aws_refuses_is_a_line_with_its_code(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    reason: Any = {"Code": "AccessDenied", "Message": "arn:aws:iam::1:user/somebody may not"}

    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": reason}, "GetSchedule")

    monkeypatch.setattr(Client, "get_schedule", refuse)

    assert looked_at(aws)["the schedules are on"].seen == "AWS answers AccessDenied to GetSchedule"


# --- guides ----------------------------------------------------------------------------------------------------------


def test_every_guide_that_is_named_is_there(aws: Aws) -> None:
    sources = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (journey,))
    guides = {finding.guide for finding in looked_at(aws).values()} | set(re.findall(r"'(\S+\.md, \".+?\")'", sources))

    assert len(guides) > 5
    for guide in guides:
        named = re.fullmatch(r'(\S+\.md), "(.+)"', guide)
        assert named, guide
        assert named[2] in re.findall(r"^#+ (.+)$", (DOCS / named[1]).read_text("utf-8"), re.MULTILINE), guide


# --- the journey, before it begins -----------------------------------------------------------------------------------


def test_a_test_user_who_has_accounts_is_left_alone(aws: Aws) -> None:
    """At the end everything that is held about the user is erased."""
    aws.pages[LIST] = (200, JSON, {"connections": [{"id": "c"}], "manual_accounts": []})
    asked: list[str] = []

    def send(method: str, url: str, **given: Any) -> Answer:
        asked.append(f"{method} {urlsplit(url).path}")
        return aws.send(method, url, **given)

    findings = list(Journey(aws.system(), "token", lambda _: True, send=send).steps())

    assert [finding.state for finding in findings if finding.what == "the test user has nothing to lose"] == [
        State.SKIPPED
    ]
    assert not [line for line in asked if line.startswith("DELETE") or "webview" in line]


def test_without_leave_no_journey_is_played(aws: Aws) -> None:
    def send(*_: Any, **__: Any) -> Answer:
        raise AssertionError("something was sent")

    [finding] = Journey(aws.system(), "token", lambda _: False, send=send).steps()

    assert finding.state is State.SKIPPED


def test_the_secrets_of_a_journey_do_not_show_in_its_text(aws: Aws) -> None:
    assert "the-token" not in repr(Journey(aws.system(), "the-token", config_token="the-config-token"))
