"""Whether a stack is as it has to be after a deployment. Reads only, but for one signed webhook about nobody."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import Any
from urllib.parse import urlsplit

from ops.first_contact.findings import Finding, NotNow, State, Wrong, found
from ops.powens import Powens
from ops.system import System
from ops.wire import SECONDS, Answer, Send, send

NOBODY = 2**53 - 1
"""A Powens user whom nobody owns: a webhook about one is queued, read and counted, and changes nothing."""
PUBLIC_ROUTES = frozenset(
    {"GET /health", "GET /v1/webview-return", "GET /v1/openapi.json", "POST /webhooks/powens/{event}"}
)
READ_WITHIN = 120.0
"""Seconds until a hint has to be read: the queue's delay, a cold start, and a back-off."""
_EVENT = "accounts-fetched"
_LOOK_SECONDS, _QUIET_LOOKS = 2.0, 3
_ALARMS_A_CALL = 100
# Looks like a token, says nothing, and nobody signed it.
_FOREIGN_TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vYm9keSJ9.eyJzdWIiOiJub2JvZHkifQ.c2lnbmF0dXJl"  # noqa: S105


def signature(key: str, path: str, date: str, body: bytes) -> str:
    """What Powens writes into `BI-Signature` for a POST to this path."""
    said = f"POST.{path}.{date}.".encode() + body
    return base64.b64encode(hmac.new(key.encode(), said, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Deployment:
    """`allowed` is asked before anything that is not only read; `pause` waits for seconds."""

    system: System
    allowed: Callable[[str], bool]
    send: Send = send
    pause: Callable[[float], None] = time.sleep
    read_within: float = READ_WITHIN

    def checks(self) -> Iterator[Finding]:
        build, settings = 'deploying.md, "3. Build and deploy"', 'deploying.md, "2. The stage\'s settings"'
        signed = 'operating.md, "Refused signatures"'
        yield found("the API answers", build, self.health)
        yield found("the issuer of the tokens is reachable", settings, self.issuer)
        yield found("nobody comes in without a token", settings, self.authorizer)
        yield found("every route but the public ones asks for a token", settings, self.routes)
        yield found("an unsigned webhook is refused", signed, self.unsigned_webhook)
        yield found("the newest version is live", build, self.aliases)
        yield found("the schedules are on", 'operating.md, "Housekeeping"', self.schedules)
        yield found("the alarms are armed", settings, self.alarms)
        yield self.alarms_that_are_on()
        yield found("Powens answers", settings, self.powens)
        yield found("a signed webhook is queued and read", signed, self.signed_webhook)

    # --- the HTTP API ----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return self.system.parameters["PublicUrl"]

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        return self.send(method, url, headers=headers or {}, body=body, seconds=SECONDS)

    def health(self) -> str:
        answer = self._ask("GET", f"{self.url}/health")
        if answer.status != 200:
            raise Wrong(f"/health is answered {answer.status}")
        return f"200 in {answer.seconds * 1000:.0f} ms"

    def issuer(self) -> str:
        issuer = self.system.parameters["JwtIssuer"]
        described = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration").members()
        if described.get("issuer") != issuer:
            raise Wrong("its OpenID configuration is of another issuer, or none")
        keys = self._ask("GET", str(described.get("jwks_uri"))).members().get("keys")
        if not keys:
            raise Wrong("it publishes no key")
        return f"{len(keys)} keys"

    def authorizer(self) -> str:
        """A refusal of ours is a problem+json; the authorizer's comes before any function runs."""
        for said, headers in (("no token", {}), ("a foreign token", {"authorization": f"Bearer {_FOREIGN_TOKEN}"})):
            answer = self._ask("GET", f"{self.url}/v1/connections", headers)
            if answer.status != 401:
                raise Wrong(f"with {said} it is answered {answer.status}")
            if "problem" in answer.headers.get("content-type", ""):
                raise Wrong(f"with {said} the function itself is asked: the route has no authorizer")
        return "401 by the authorizer"

    def routes(self) -> str:
        """As API Gateway has them: an import with a warning leaves out routes, or their authorizer."""
        api, client = self.system.outputs["ApiId"], self.system.client("apigatewayv2")
        routes = client.get_routes(ApiId=api, MaxResults="500")["Items"]
        if not routes:
            raise NotNow("API Gateway lists no routes here")
        known = {
            item["AuthorizerId"]: (item["JwtConfiguration"]["Issuer"], item["JwtConfiguration"]["Audience"])
            for item in client.get_authorizers(ApiId=api)["Items"]
            if item.get("AuthorizerType") == "JWT"
        }
        ours = (self.system.parameters["JwtIssuer"], [self.system.parameters["JwtAudience"]])
        for route in routes:
            if route["RouteKey"] in PUBLIC_ROUTES:
                continue
            if route.get("AuthorizationType") != "JWT" or route.get("AuthorizerId") not in known:
                raise Wrong(f"{route['RouteKey']} asks for none")
            if known[route["AuthorizerId"]] != ours:
                raise Wrong(f"{route['RouteKey']} takes tokens of another issuer or audience")
        return f"{len(routes)} routes"

    # --- webhooks --------------------------------------------------------------------------------------------------

    @property
    def webhook(self) -> str:
        return f"{self.system.outputs['WebhooksUrl']}/{_EVENT}"

    def unsigned_webhook(self) -> str:
        answer = self._ask("POST", self.webhook, {"content-type": "application/json"}, b"{}")
        code = answer.members().get("code")
        if (answer.status, code) != (401, "bad_signature"):
            raise Wrong(f"it is answered {answer.status}{f' {code}' if isinstance(code, str) else ''}")
        return "401"

    def _key(self) -> str:
        """The key that the functions were deployed with."""
        given = {"SecretId": self.system.parameters["WebhookSecretName"]}
        if version := self.system.parameters.get("WebhookSecretVersionId"):
            given["VersionId"] = version
        secret = json.loads(self.system.client("secretsmanager").get_secret_value(**given)["SecretString"])
        return str(secret["current"])

    def signed_webhook(self) -> str:
        if not self.allowed("send one signed webhook, about a Powens user whom nobody owns"):
            raise NotNow("not allowed")
        dead = self._letters()
        body = json.dumps({"id": NOBODY, "id_user": NOBODY, "id_connection": NOBODY}).encode()
        date = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        signed = signature(self._key(), urlsplit(self.webhook).path, date, body)
        headers = {"content-type": "application/json", "bi-signature-date": date, "bi-signature": signed}
        answer = self._ask("POST", self.webhook, headers, body)
        if answer.status == 401:
            raise Wrong("our own signature is refused: the key in the secret is not the one that was deployed")
        if (answer.status, answer.members().get("status")) != (200, "queued"):
            raise Wrong(f"it is answered {answer.status}")
        waited, quiet = 0.0, 0
        # SQS counts roughly: one look alone may miss it.
        while quiet < _QUIET_LOOKS:
            quiet = 0 if self._waiting() else quiet + 1
            if waited >= self.read_within and not quiet:
                raise Wrong(f"it is still queued after {waited:.0f} s")
            self.pause(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        if self._letters() > dead:
            raise Wrong("it ended among the dead letters")
        return f"queued in {answer.seconds * 1000:.0f} ms, read within {waited:.0f} s"

    def _count(self, output: str, *names: str) -> int:
        url = self.system.outputs[output]
        counted = self.system.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return sum(int(counted["Attributes"][name]) for name in names)

    def _waiting(self) -> int:
        """Of a stage that is in use it is rarely 0; then it has to be so once."""
        names = ("ApproximateNumberOfMessages", "NotVisible", "Delayed")
        return self._count("RefreshQueueUrl", names[0], *(names[0] + more for more in names[1:]))

    def _letters(self) -> int:
        return self._count("RefreshDeadLetterQueueUrl", "ApproximateNumberOfMessages")

    # --- functions, schedules, alarms ------------------------------------------------------------------------------

    def _resources(self, kind: str) -> list[str]:
        pages = self.system.client("cloudformation").get_paginator("list_stack_resources")
        return [
            resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.system.name)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == kind
        ]

    def aliases(self) -> str:
        client, aliases = self.system.client("lambda"), self._resources("AWS::Lambda::Alias")
        if not aliases:
            raise Wrong("the stack has no alias")
        for alias in aliases:
            function, name = alias.split(":")[-2:]
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
            versions = [version["Version"] for page in pages for version in page["Versions"]]
            newest = max((int(version) for version in versions if version.isdigit()), default=0)
            shown = client.get_alias(FunctionName=function, Name=name)
            if shown.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
                raise Wrong(f"{function} is between two versions: a deployment is going on")
            if int(shown["FunctionVersion"]) != newest:
                raise Wrong(f"{function} runs version {shown['FunctionVersion']}, and {newest} is the newest")
        return f"{len(aliases)} functions"

    def schedules(self) -> str:
        client, schedules = self.system.client("scheduler"), self._resources("AWS::Scheduler::Schedule")
        for name in schedules:
            if client.get_schedule(Name=name)["State"] != "ENABLED":
                raise Wrong(f"{name} is off")
        if not schedules:
            raise Wrong("the stack has no schedule")
        return f"{len(schedules)} schedules"

    def _alarms(self) -> list[Mapping[str, Any]]:
        client, names = self.system.client("cloudwatch"), self._resources("AWS::CloudWatch::Alarm")
        shown: list[Mapping[str, Any]] = []
        for some in batched(names, _ALARMS_A_CALL, strict=False):
            shown += client.describe_alarms(AlarmNames=list(some), MaxRecords=_ALARMS_A_CALL)["MetricAlarms"]
        missing = set(names) - {alarm["AlarmName"] for alarm in shown}
        if missing or not names:
            raise Wrong(f"{_some(sorted(missing))} is gone" if names else "the stack has no alarm")
        return shown

    def alarms(self) -> str:
        alarms, topic = self._alarms(), self.system.outputs["AlarmTopicArn"]
        if off := [alarm["AlarmName"] for alarm in alarms if not alarm["ActionsEnabled"]]:
            raise Wrong(f"{_some(off)} is switched off")
        if mute := [alarm["AlarmName"] for alarm in alarms if topic not in alarm["AlarmActions"]]:
            raise Wrong(f"{_some(mute)} tells nobody")
        pages = self.system.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        subscribed = [entry["SubscriptionArn"] for page in pages for entry in page["Subscriptions"]]
        if not [arn for arn in subscribed if arn.startswith("arn:")]:
            raise Wrong("nobody has subscribed to them, or confirmed it")
        return f"{len(alarms)} alarms"

    def alarms_that_are_on(self) -> Finding:
        what, guide = "no alarm is on", 'operating.md, "Operating"'
        finding = found(what, guide, lambda: _none_on(self._alarms()))
        return finding if finding.state is not State.FAILED else Finding(State.LOOK, what, finding.seen, guide)

    def powens(self) -> str:
        answer = Powens(self.system.parameters["PowensApiUrl"], self.send).ask("GET", "/connectors?limit=1")
        if not answer.ok or not answer.members().get("connectors"):
            raise Wrong(f"/connectors is answered {answer.status}, without a connector")
        return f"{self.system.parameters['PowensDomain']} in {answer.seconds * 1000:.0f} ms"


def _none_on(alarms: Sequence[Mapping[str, Any]]) -> str:
    if on := [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]:
        raise Wrong(f"{_some(on)} is on")
    return "all quiet"


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
